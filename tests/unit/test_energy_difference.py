"""Two energies beside each other: what remains of their doubts, and what may be said."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.comparison import compare
from monitor.energy.difference import Verdict, difference, difference_by_channel, per
from monitor.energy.interval import Interval


def sensed(joules: float, accuracy: float, random_j: float = 0.0) -> Interval:
    return Interval(joules, joules * accuracy, joules * accuracy, random_j)


def test_a_shared_sensor_errs_alike_in_both() -> None:
    """Five per cent high in both makes the difference five per cent too large, no more."""
    found = difference(sensed(100.0, 0.05), sensed(90.0, 0.05), shared=True)
    assert found.joules == pytest.approx(-10.0)
    assert (found.low_j, found.high_j) == pytest.approx((-10.5, -9.5))
    assert found.verdict is Verdict.LOWER


def test_sensors_of_two_machines_may_err_against_each_other() -> None:
    found = difference(sensed(100.0, 0.05), sensed(95.0, 0.05), shared=False)
    assert (found.low_j, found.high_j) == pytest.approx((-5 - 9.75, -5 + 9.75))
    assert found.verdict is Verdict.CANNOT_TELL


def test_random_parts_add_in_quadrature_whoever_measured() -> None:
    for shared in (True, False):
        found = difference(sensed(10.0, 0.0, 3.0), sensed(20.0, 0.0, 4.0), shared)
        assert found.random_j == pytest.approx(5.0)
        assert found.verdict is (Verdict.HIGHER if 10 > 1.96 * 5 else Verdict.CANNOT_TELL)


def test_equal_energies_are_not_told_apart() -> None:
    for shared in (True, False):
        found = difference(sensed(10.0, 0.05, 0.1), sensed(10.0, 0.05, 0.1), shared)
        assert found.verdict is Verdict.CANNOT_TELL


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6), st.floats(0, 0.9), st.floats(-1, 1), st.booleans())
def test_the_interval_holds_whatever_the_sensor_does(
    a: float, b: float, accuracy: float, error: float, shared: bool
) -> None:
    """Whatever share of its accuracy a sensor is wrong by, the truth lies within."""
    found = difference(sensed(a, accuracy), sensed(b, accuracy), shared)
    other = error if shared else -error
    truth = b * (1 + other * accuracy) - a * (1 + error * accuracy)
    slack = 1e-9 * (a + b)
    assert found.low_j - slack <= truth <= found.high_j + slack
    if percent := found.relative:
        ratio = 100 * truth / (a * (1 + error * accuracy))
        assert percent.low - 1e-6 <= ratio <= percent.high + 1e-6


def test_the_percentage_agrees_with_the_verdict() -> None:
    lower = difference(sensed(100.0, 0.05, 1.0), sensed(40.0, 0.05, 1.0), shared=False).relative
    assert lower
    assert lower.value == pytest.approx(-60.0)
    assert -67 < lower.low < -64 < -56 < lower.high < -53


def test_a_percentage_is_sure_however_wrong_the_sensor_they_share() -> None:
    """A model that may be wrong by a factor of three is as wrong about both."""
    a, b = Interval(53.3, 37.0, 108.0, 0.5), Interval(35.0, 24.7, 71.0, 0.4)
    found = difference(a, b, shared=True).relative
    assert found
    assert found.value == pytest.approx(-34.3, abs=0.1)
    assert -40 < found.low < found.value < found.high < -30


@given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.floats(0, 0.5), st.floats(0, 5), st.booleans())
def test_a_percentage_never_contradicts_the_verdict(
    a: float, b: float, accuracy: float, random_j: float, shared: bool
) -> None:
    found = difference(sensed(a, accuracy, random_j), sensed(b, accuracy, random_j), shared)
    if percent := found.relative:
        assert percent.low <= percent.high
        assert found.verdict is not Verdict.LOWER or percent.high <= 0
        assert found.verdict is not Verdict.HIGHER or percent.low >= 0
        assert found.verdict is not Verdict.CANNOT_TELL or percent.low <= 0 <= percent.high


def test_no_percentage_of_what_may_be_nothing() -> None:
    assert difference(sensed(1.0, 1.0), sensed(2.0, 0.1), shared=False).relative is None


def test_channels_share_no_error_with_each_other() -> None:
    """The same total, drawn by the CPU here and the GPU there: two sensors, two errors."""
    cpu, gpu = {"cpu": sensed(100.0, 0.05)}, {"gpu": sensed(100.0, 0.05)}
    found = difference_by_channel(cpu, gpu, shared=True)
    assert found
    assert (found.low_j, found.high_j) == pytest.approx((-10.0, 10.0))
    same = difference_by_channel(cpu, cpu, shared=True)
    assert same
    assert (same.low_j, same.high_j) == (0.0, 0.0)
    assert difference_by_channel(cpu, {}, shared=True) is None


def test_channels_of_two_machines_are_compared_as_totals() -> None:
    a, b = {"cpu": sensed(60.0, 0.1), "gpu": sensed(40.0, 0.1)}, {"soc": sensed(100.0, 0.1)}
    found = difference_by_channel(a, b, shared=False)
    assert found
    assert (found.joules, found.below_j) == pytest.approx((0.0, 20.0))


def test_an_energy_is_divided_with_its_doubts() -> None:
    each = per(Interval(100.0, 5.0, 10.0, 2.0), 50)
    assert each == Interval(2.0, 0.1, 0.2, 0.04)


def test_a_difference_that_is_none_is_claimed_in_one_of_twenty_at_most() -> None:
    random = np.random.default_rng(1)
    told = 0
    for a, b in random.normal(50.0, 2.0, (1000, 2)):
        told += difference(sensed(a, 0.05, 2.0), sensed(b, 0.05, 2.0), True).verdict is not (
            Verdict.CANNOT_TELL
        )
    assert told / 1000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_of_many_sensors_the_extremes_are_found_among_all_ends() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        keys = [f"c{n}" for n in range(5)]
        a, b = (
            {key: sensed(joules, 0.3) for key, joules in zip(keys, row, strict=True)}
            for row in random.uniform(1, 50, (2, 5))
        )
        found = difference_by_channel(a, b, shared=True)
        assert found
        assert found.ratios
        every = [
            sum(b[k].joules * (1 + e) for k, e in zip(keys, ends, strict=True))
            / sum(a[k].joules * (1 + e) for k, e in zip(keys, ends, strict=True))
            for ends in itertools.product((-0.3, 0.3), repeat=5)
        ]
        assert found.ratios == pytest.approx((min(every), max(every)))


# Several runs of each.


def runs(joules: Sequence[float], accuracy: float = 0.0) -> list[dict[str, Interval]]:
    return [{"cpu": sensed(float(each), accuracy)} for each in joules]


def told(a: Sequence[float], b: Sequence[float], paired: bool = False) -> Verdict | None:
    found = compare(runs(a), runs(b), shared=True, paired=paired)
    assert found
    return found.verdict


@pytest.mark.parametrize("count", [2, 3, 5, 12])
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("paired", [False, True])
def test_equal_things_are_told_apart_in_one_of_twenty_comparisons_at_most(
    count: int, skewed: bool, paired: bool
) -> None:
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(300):
        prompts_j = rng.uniform(10, 100, count) if paired else np.full(count, 50.0)
        scatter = rng.normal(0, 0.2, (2, count))
        a, b = prompts_j * (np.exp(scatter) if skewed else 1 + 0.3 * scatter)
        wrong += told(a, b, paired) is not Verdict.CANNOT_TELL
    assert wrong / 300 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)


def test_pairs_tell_apart_what_unlike_prompts_would_hide() -> None:
    prompts_j = np.array([10.0, 30.0, 90.0, 200.0, 400.0])
    less_j = prompts_j * np.array([0.93, 0.9, 0.91, 0.9, 0.89])
    assert told(prompts_j, less_j, paired=True) is Verdict.CANNOT_TELL
    less_j = prompts_j - np.array([3.0, 3.3, 2.9, 3.1, 3.0])
    assert told(prompts_j, less_j, paired=True) is Verdict.LOWER
    assert told(prompts_j, less_j) is Verdict.CANNOT_TELL


def test_a_clear_difference_is_found_and_needs_no_more_repeats() -> None:
    a, b = [10.0, 10.1, 9.9], [12.0, 12.1, 11.9]
    found = compare(runs(a), runs(b), shared=True)
    assert found
    assert (found.verdict, found.repeats_needed) == (Verdict.HIGHER, 0)
    turned = compare(runs(b), runs(a), shared=True)
    assert turned
    assert turned.verdict is Verdict.LOWER


@pytest.mark.parametrize("paired", [False, True])
def test_so_many_more_repeats_do_settle_it(paired: bool) -> None:
    """Half of all times about, as what there is now scatters by chance itself."""
    rng = np.random.default_rng(6)
    settled = asked = 0
    for _ in range(150):
        a, b = rng.normal(50, 3, 6), rng.normal(53, 3, 6)
        found = compare(runs(a), runs(b), shared=True, paired=paired)
        assert found
        if found.verdict is Verdict.CANNOT_TELL and found.repeats_needed:
            more = min(found.repeats_needed, 60)
            asked += 1
            a = np.concatenate([a, rng.normal(50, 3, more)])
            b = np.concatenate([b, rng.normal(53, 3, more)])
            settled += told(a, b, paired) is Verdict.HIGHER
    assert asked > 20
    assert settled / asked > 0.4


def test_repeating_does_not_settle_what_sensors_leave_open() -> None:
    """Two machines, each 5 % off perhaps, and 4 % between them."""
    found = compare(runs([100.0] * 5, 0.05), runs([104.0] * 5, 0.05), shared=False)
    assert found
    assert (found.verdict, found.repeats_needed) == (Verdict.CANNOT_TELL, None)
    shared = compare(runs([100.0] * 5, 0.05), runs([104.0] * 5, 0.05), shared=True)
    assert shared
    assert shared.verdict is Verdict.HIGHER


def test_one_run_against_several_is_taken_to_scatter_as_they_do() -> None:
    several = [10.0, 11.0, 9.0, 10.5, 9.5]
    assert told([11.5], several) is Verdict.CANNOT_TELL
    assert told([20.0], several) is Verdict.LOWER
    assert told(several, [20.0]) is Verdict.HIGHER


def test_of_two_single_runs_no_verdict_is_given() -> None:
    found = compare(runs([100.0]), runs([143.0]), shared=True)
    assert found
    assert (found.verdict, found.repeats_needed) == (None, None)
    assert found.difference.joules == pytest.approx(43.0)


def test_a_part_that_was_not_read_in_a_run_is_not_counted_as_nothing() -> None:
    cpu, gpu = sensed(200.0, 0.0, 1.0), sensed(2000.0, 0.0, 1.0)
    whole, lacking = {"cpu": cpu, "gpu": gpu}, {"cpu": cpu}
    found = compare([whole] * 4 + [lacking], [whole] * 5, shared=True)
    assert found
    assert found.difference.joules == pytest.approx(0.0)
    assert (found.counts, found.left_out) == ((4, 5), 1)
    assert compare([whole], [lacking], shared=True) is None
    # Runs of the least that both were measured of are compared; the rest is not made up.
    found = compare([lacking, lacking, whole], [lacking, lacking], shared=True)
    assert found
    assert (found.counts, found.left_out) == ((2, 2), 1)
    pairs = compare([whole, lacking, whole], [whole] * 3, shared=True, paired=True)
    assert pairs
    assert (pairs.counts, pairs.left_out) == ((2, 2), 2)


def test_runs_of_what_is_past_are_not_made_more() -> None:
    """One stored run stays one: however often it is repeated, its own scatter remains."""
    several = [10.0, 11.0, 9.0, 10.5, 9.5]
    both = compare(runs([11.5]), runs(several), shared=True)
    only = compare(runs([11.5]), runs(several), shared=True, only_second=True)
    assert both
    assert only
    assert both.repeats_needed
    assert only.repeats_needed is None
    more = compare(runs([12.2]), runs(several), shared=True, only_second=True)
    assert more
    assert more.verdict is Verdict.CANNOT_TELL
    assert more.repeats_needed


def test_what_was_not_measured_is_not_compared() -> None:
    assert compare(runs([1.0]), [], shared=True) is None
    assert compare(runs([1.0, 2.0]), [{}, {}], shared=True) is None
    with pytest.raises(ValueError, match="as many runs"):
        compare(runs([1.0]), runs([1.0, 2.0]), shared=True, paired=True)
