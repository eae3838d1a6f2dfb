"""Counters that refresh more slowly than they are read: what lies between two refreshes."""

import pytest

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Reading, Role
from monitor.power.trace import Trace

REFRESH_S, READ_S = 0.1, 0.02
EXACT = Accuracy(0.0, 0.0, 0.0, "a test")
CHANNEL = Channel(
    "c", "c", Domain.GPU, "d", Kind.COUNTER, Role.PART, REFRESH_S, 0.001, EXACT
)  # fmt: skip


def traced(power_w: float, until_s: float, moves_from_s: float = 0.0) -> Trace:
    """A counter that moves every 0.1 s, read every 20 ms a little after it may have moved."""
    trace = Trace()
    trace.add(CHANNEL)
    for index in range(1, round(until_s / READ_S)):
        at_s = index * READ_S + 0.007
        shown_s = int(at_s / REFRESH_S + 1e-9) * REFRESH_S
        counter_j = power_w * max(shown_s - moves_from_s, 0.0)
        trace.record([Reading(CHANNEL.key, at_s, counter_j=counter_j)])
    return trace


@pytest.mark.parametrize("start_s", [1.0, 1.03, 1.06, 1.09])
@pytest.mark.parametrize("end_s", [2.01, 2.04, 2.07])
def test_readings_between_two_refreshes_take_nothing_from_a_window(
    start_s: float, end_s: float
) -> None:
    found = traced(100.0, until_s=3.0).window(CHANNEL.key, start_s, end_s)
    # By the last value shown at either end it would be wrong by up to 9 J.
    assert found.joules == pytest.approx(100.0 * (end_s - start_s), abs=0.1)


def test_a_counter_that_stands_still_for_long_has_counted_nothing() -> None:
    trace = traced(100.0, until_s=4.0, moves_from_s=2.0)
    assert trace.window(CHANNEL.key, 0.5, 1.8).joules == 0
    assert trace.window(CHANNEL.key, 0.5, 3.5).joules == pytest.approx(150.0, abs=1.0)
