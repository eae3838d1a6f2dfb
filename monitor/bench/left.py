"""What the rest of a suite should take, by what is done of it and by earlier runs alike."""

from collections.abc import Callable, Container, Mapping

from monitor.bench.events import Left, Step
from monitor.bench.plan import Plan
from monitor.bench.runlog import RunLog

Rate = tuple[float, float]
"""Seconds and joules an item."""


def reckon_left(
    plan: Plan,
    runs: Mapping[int, RunLog],
    is_ended: Container[int],
    past_rate: Callable[[Step], Rate | None],
) -> Left | None:
    """Return what the items still to be done should take.

    An item takes what those of its run took so far, else those of another repeat, else those of
    earlier benchmarks; else, roughly, the mean of what this suite's other parts of its kind took.

    :param runs: by the number of their step
    :param is_ended: the numbers of steps of which no more will be run
    :param past_rate: what an item of a step took in earlier benchmarks, ``None`` without any
    :return: ``None`` while nothing of a kind was ever run
    """
    seconds, joules, is_rough = 0.0, 0.0, False
    for step in plan.steps:
        if step.number in is_ended:
            continue
        rate = _own_rate(plan, runs, step) or past_rate(step)
        if rate is None:
            rate, is_rough = _rate_of_kind(plan, runs, step), True
        if rate is None:
            return None
        run = runs.get(step.number)
        items = step.planned - (run.sums.done if run else 0)
        seconds, joules = seconds + items * rate[0], joules + items * rate[1]
    return Left(seconds, joules, is_rough)


def _own_rate(plan: Plan, runs: Mapping[int, RunLog], step: Step) -> Rate | None:
    """What an item takes in a step itself, or in another repeat of it."""
    repeats = [
        other
        for other in plan.steps
        if (other.part, other.model_number) == (step.part, step.model_number)
    ]
    rates = (_rate(runs.get(other.number)) for other in (step, *repeats))
    return next(filter(None, rates), None)


def _rate_of_kind(plan: Plan, runs: Mapping[int, RunLog], step: Step) -> Rate | None:
    """The mean of the steps of a kind; of those of the same model where there are any."""
    alike = [
        (other.model_number == step.model_number, rate)
        for other in plan.steps
        if other.kind == step.kind and (rate := _rate(runs.get(other.number)))
    ]
    rates = [rate for is_same, rate in alike if is_same] or [rate for _, rate in alike]
    if not rates:
        return None
    seconds, joules = zip(*rates, strict=True)
    return sum(seconds) / len(rates), sum(joules) / len(rates)


def _rate(run: RunLog | None) -> Rate | None:
    joules = run.bill.total().joules if run else None
    if run is None or not run.sums.done or joules is None:
        return None
    return run.total_s / run.sums.done, joules / run.sums.done
