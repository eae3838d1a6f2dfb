"""What a counter had come to where its refreshes are seldom known, and how doubtful that is."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Reading, Role
from monitor.power.moment import moment_of
from monitor.power.refreshes import refreshed
from monitor.power.trace import Trace

IDLE_W, LOADED_W = 60.0, 300.0
READ_S, QUICK_S, SLOW_S = 0.1, 0.001, 0.1
FROM_S, UNTIL_S = 2.0, 5.0
"""Between these moments a counter is not read."""

Counted = Callable[[float], float]


def traced(period_s: float, counted_j: Counted, times_s: list[float]) -> Trace:
    """A counter that shows what it had come to at its last refresh."""
    trace = Trace()
    trace.add(
        Channel(
            "c", "c", Domain.GPU, "d", Kind.COUNTER, Role.PART, period_s, 0.0,
            Accuracy(0.0, 0.0, 0.0, "a test"),
        )
    )  # fmt: skip
    shown_s = [math.floor(at_s / period_s + 1e-6) * period_s for at_s in times_s]
    readings = [
        Reading("c", at_s, counter_j=counted_j(seen_s))
        for at_s, seen_s in zip(times_s, shown_s, strict=True)
    ]
    trace.record(readings)
    return trace


def read_but_for_a_while() -> list[float]:
    times_s = [round(n * READ_S, 9) for n in range(1, 100)]
    return [at_s for at_s in times_s if not FROM_S < at_s < UNTIL_S]


def gone_and_come_s() -> float:
    """How far off a straight line is in the middle, tried by chance: RMS, of a watt that was all.

    Some of it, from nothing to all, is gone between two moments at which nothing was read.
    """
    rng = np.random.default_rng(1)
    sizes_w = rng.uniform(size=100_000)
    gone_s, come_s = np.sort(rng.uniform(0, UNTIL_S - FROM_S, (2, 100_000)), axis=0)
    by_the_middle_s = np.clip((UNTIL_S - FROM_S) / 2, gone_s, come_s) - gone_s
    off_j = sizes_w * (by_the_middle_s - (come_s - gone_s) / 2)
    return float(np.sqrt(np.mean(off_j**2)))


@pytest.mark.parametrize("step_s", [2.5, 3.5, 4.5])
def test_work_that_begins_or_ends_while_nothing_is_read_is_billed_by_what_it_came_to(
    step_s: float,
) -> None:
    def begun_j(at_s: float) -> float:
        return IDLE_W * at_s + (LOADED_W - IDLE_W) * max(at_s - step_s, 0.0)

    def ended_j(at_s: float) -> float:
        return IDLE_W * at_s + (LOADED_W - IDLE_W) * min(at_s, step_s)

    work = traced(QUICK_S, begun_j, read_but_for_a_while()).window("c", step_s, 8.0)
    assert work.joules == pytest.approx(LOADED_W * (8.0 - step_s), rel=0.005)
    work = traced(QUICK_S, ended_j, read_but_for_a_while()).window("c", 1.0, step_s)
    assert work.joules == pytest.approx(LOADED_W * (step_s - 1.0), rel=0.005)


def test_of_steady_watts_any_part_may_have_gone_and_come_while_nothing_was_read() -> None:
    trace = traced(QUICK_S, lambda at_s: LOADED_W * at_s, read_but_for_a_while())
    found = trace.window("c", (FROM_S + UNTIL_S) / 2, 8.0)
    assert found.joules == pytest.approx(LOADED_W * 4.5, rel=0.001)
    assert found.edge_j == pytest.approx(LOADED_W * gone_and_come_s(), rel=0.01)


def test_a_burst_while_nothing_was_read_has_passed_or_not() -> None:
    def counted_j(at_s: float) -> float:
        return IDLE_W * at_s + (LOADED_W - IDLE_W) * min(max(at_s - 2.2, 0.0), 1.0)

    found = traced(QUICK_S, counted_j, read_but_for_a_while()).window("c", 3.5, 8.0)
    assert found.joules is not None
    assert abs(found.joules - IDLE_W * 4.5) < 1.96 * found.edge_j


def test_steady_watts_do_not_step_because_nobody_knows_when_they_were_refreshed() -> None:
    """Moments known to a third of the time between them tell the watts to 40 % only."""
    rng = np.random.default_rng(2)
    times_s = np.arange(1, 200) * READ_S + 0.05 + rng.uniform(-0.02, 0.02, 199)
    trace = traced(SLOW_S, lambda at_s: LOADED_W * at_s, times_s.tolist())
    known = refreshed(SLOW_S, trace.curve("c"))
    time_s, energy_j, doubt_s = known.curve.time_s, known.curve.energy_j, known.doubt_s
    by_times_only = []
    for at_s in np.arange(2.0, 15.0, 0.037):
        right = int(np.searchsorted(time_s, at_s))
        left = right - 1
        dt_s, passed_s = time_s[right] - time_s[left], at_s - time_s[left]
        mean_w = (energy_j[right] - energy_j[left]) / dt_s
        parts_s = (1 - passed_s / dt_s) * doubt_s[left], passed_s / dt_s * doubt_s[right]
        found = moment_of(known, float(at_s), READ_S)
        by_times_only.append(math.isclose(found.doubt_j, mean_w * math.hypot(*parts_s)))
    assert np.mean(by_times_only) > 0.9


def test_a_counter_whose_refreshes_are_known_exactly_is_bent_without_a_doubt() -> None:
    def counted_j(at_s: float) -> float:
        return IDLE_W * at_s + (LOADED_W - IDLE_W) * max(at_s - 1.03, 0.0)

    trace = Trace()
    channel = Channel(
        "c", "c", Domain.GPU, "d", Kind.COUNTER, Role.PART, 0.0, 0.0,
        Accuracy(0.0, 0.0, 0.0, "a test"),
    )  # fmt: skip
    trace.add(channel)
    trace.record([Reading("c", n / 10, counter_j=counted_j(n / 10)) for n in range(1, 30)])
    found = trace.window("c", 1.03, 2.5)
    assert found.joules == pytest.approx(LOADED_W * 1.47)
