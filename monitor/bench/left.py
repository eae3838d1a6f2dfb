"""What the rest of a suite should take, by what is done of it and by earlier runs alike."""

from collections.abc import Callable, Container, Mapping

from monitor.bench.events import Left, Step
from monitor.bench.plan import Plan
from monitor.bench.runlog import RunLog
from monitor.energy.account import weakest
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRate


def reckon_left(
    plan: Plan,
    runs: Mapping[int, RunLog],
    is_ended: Container[int],
    past_rate: Callable[[Step], ItemRate | None],
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
    kinds: list[Kind] = []
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
        seconds, joules = seconds + items * rate.seconds, joules + items * rate.joules
        kinds += [rate.kind] if rate.kind else []
    return Left(seconds, joules, is_rough, weakest(kinds))


def _own_rate(plan: Plan, runs: Mapping[int, RunLog], step: Step) -> ItemRate | None:
    """What an item takes in a step itself, or in another repeat of it."""
    repeats = [
        other
        for other in plan.steps
        if (other.part, other.model_number) == (step.part, step.model_number)
    ]
    rates = (_rate(runs.get(other.number)) for other in (step, *repeats))
    return next(filter(None, rates), None)


def _rate_of_kind(plan: Plan, runs: Mapping[int, RunLog], step: Step) -> ItemRate | None:
    """The mean of the steps of a kind; of those of the same model where there are any."""
    alike = [
        (other.model_number == step.model_number, rate)
        for other in plan.steps
        if other.kind == step.kind and (rate := _rate(runs.get(other.number)))
    ]
    rates = [rate for is_same, rate in alike if is_same] or [rate for _, rate in alike]
    if not rates:
        return None
    return ItemRate(
        sum(rate.seconds for rate in rates) / len(rates),
        sum(rate.joules for rate in rates) / len(rates),
        weakest(rate.kind for rate in rates if rate.kind),
    )


def _rate(run: RunLog | None) -> ItemRate | None:
    total = run.counted.total() if run else None
    if run is None or total is None or not run.sums.done or total.joules is None:
        return None
    done = run.sums.done
    return ItemRate(run.counted_s / done, total.joules / done, total.kind)
