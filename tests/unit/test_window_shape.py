"""How far off the integral of watts may be that are known at the readings only."""

import math

import pytest

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Reading, Role
from monitor.power.trace import Trace

READ_S, STEP_W = 0.1, 80.0
EXACT = Accuracy(0.0, 0.0, 0.0, "a test")
UNIT_J = STEP_W * READ_S


def shape_j(watts: list[float], period_s: float) -> float:
    """Return what a sensor read every 0.1 s leaves in doubt of all it read but for the ends."""
    channel = Channel("p", "p", Domain.GPU, "d", Kind.POWER, Role.PART, period_s, 0.0, EXACT)
    trace = Trace()
    trace.add(channel)
    trace.record([Reading("p", n * READ_S, power_w=w) for n, w in enumerate(watts)])
    return trace.window("p", READ_S, (len(watts) - 2) * READ_S).shape_j


def rest(seconds: float, more_w: float = 0.0) -> list[float]:
    return [100.0 + more_w] * round(seconds / READ_S)


@pytest.mark.parametrize("period_s", [0.001, 0.1])
def test_steady_watts_leave_no_doubt(period_s: float) -> None:
    assert shape_j(rest(5), period_s) == 0.0


@pytest.mark.parametrize("period_s", [0.001, 0.1])
def test_a_step_lies_anywhere_between_its_readings_and_is_late_by_up_to_a_refresh(
    period_s: float,
) -> None:
    found_j = shape_j(rest(2) + rest(3, STEP_W), period_s)
    late = (period_s / READ_S) ** 2
    # Its own error, and a burst as large as itself that no reading met.
    assert found_j == pytest.approx(UNIT_J * math.sqrt((1 + late) / 12 + 1 / 2))


def test_a_burst_is_as_doubtful_however_late_it_is_told() -> None:
    watts = rest(2) + rest(READ_S, STEP_W) + rest(3)
    # The one that is seen, and one that is not.
    expected_j = UNIT_J * math.sqrt(2 / 2)
    assert shape_j(watts, 0.001) == pytest.approx(expected_j)
    assert shape_j(watts, 0.1) == pytest.approx(expected_j)


def test_each_burst_adds_its_own_doubt() -> None:
    burst = rest(READ_S, STEP_W) + rest(1)
    found_j = shape_j(rest(1) + 4 * burst, 0.001)
    assert found_j == pytest.approx(UNIT_J * math.sqrt(5 / 2))


def test_a_ramp_is_integrated_exactly_but_for_its_ends() -> None:
    ramp = [100.0 + STEP_W * n / 10 for n in range(11)]
    whole_j = shape_j(rest(2) + ramp + rest(2, STEP_W), 0.001)
    assert whole_j < 0.15 * shape_j(rest(2) + rest(3, STEP_W), 0.001)


def test_a_refresh_that_is_read_twice_is_one_refresh() -> None:
    """A burst lasts all of a refresh as it is shown, and is as doubtful as if it was read once."""
    twice = rest(2) + rest(2 * READ_S, STEP_W) + rest(3)
    once_j = shape_j(rest(2) + rest(READ_S, STEP_W) + rest(3), READ_S)
    assert shape_j(twice, 2 * READ_S) == pytest.approx(2 * once_j, rel=0.05)
