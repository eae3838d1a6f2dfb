"""Watts that were read while a counter was not asked: they tell the shape, it tells the amount."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.bridge import LONGEST_WHOLE_S
from monitor.power.channel import Kind, Reading
from monitor.power.curve import Gap
from monitor.power.trace import Trace
from tests.unit.conftest import MakeChannel

Floats = npt.NDArray[np.float64]

KEY = "test:one"


def count(trace: Trace, time_s: float, counter_j: float, power_w: float | None = None) -> None:
    trace.record([Reading(KEY, time_s, counter_j, power_w)])


def glance(trace: Trace, time_s: float, power_w: float) -> list[str]:
    return trace.sketch([Reading(KEY, time_s, power_w=power_w)])


@pytest.fixture
def trace(make_channel: MakeChannel) -> Trace:
    trace = Trace()
    trace.add(make_channel(KEY, period_s=0.1))
    return trace


def test_what_was_counted_is_shared_out_by_the_watts_between(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 100.0)
    for time_s, power_w in ((0.1, 100.0), (0.2, 100.0), (0.3, 300.0), (0.4, 300.0)):
        glance(trace, time_s, power_w)
    # A tenth more than the watts come to: 20 + 20 + 60 J.
    count(trace, 0.5, 610.0, 300.0)
    curve = trace.curve(KEY)
    assert curve.energy_j.tolist() == pytest.approx([0.0, 11.0, 22.0, 44.0, 77.0, 110.0])
    assert curve.power_w.tolist() == [100.0, 100.0, 100.0, 300.0, 300.0, 300.0]
    assert not curve.gap[1:].any()


def test_until_it_is_asked_again_the_watts_stand_for_the_counter(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 100.0)
    glance(trace, 0.1, 200.0)
    assert trace.curve(KEY).energy_j.tolist() == pytest.approx([0.0, 15.0])
    assert trace.latest(KEY) == (0.1, 200.0)
    assert trace.counted(KEY) == (0.0, 500.0)
    assert trace.settled_s(KEY) == 0.0
    count(trace, 0.2, 520.0, 200.0)
    assert trace.settled_s(KEY) == 0.2


def test_a_counter_that_starts_again_has_not_counted_what_was_seen_meanwhile(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 100.0)
    glance(trace, 0.5, 100.0)
    count(trace, 1.0, 20.0, 100.0)
    count(trace, 2.0, 120.0, 100.0)
    curve = trace.curve(KEY)
    assert curve.energy_j.tolist() == [0.0, 0.0, 0.0, 100.0]
    assert curve.gap[1:].tolist() == [Gap.RESET, Gap.RESET, Gap.NONE]
    assert trace.window(KEY, 0.0, 1.0).joules is None
    assert trace.window(KEY, 0.0, 2.0).coverage == pytest.approx(0.5)


@pytest.mark.parametrize("power_w", [0.0, 100.0])
def test_a_counter_that_counted_nothing_leaves_nothing(trace: Trace, power_w: float) -> None:
    count(trace, 0.0, 500.0, power_w)
    glance(trace, 0.5, power_w)
    count(trace, 1.0, 500.0, power_w)
    assert trace.curve(KEY).energy_j.tolist() == [0.0, 0.0, 0.0]


def test_what_was_counted_while_no_watts_were_told_is_shared_out_evenly(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 0.0)
    glance(trace, 0.25, 0.0)
    count(trace, 1.0, 600.0, 0.0)
    assert trace.curve(KEY).energy_j.tolist() == pytest.approx([0.0, 25.0, 100.0])


def test_nothing_is_kept_before_a_first_count_or_after_a_reading_that_failed(
    trace: Trace, make_channel: MakeChannel
) -> None:
    glance(trace, 0.0, 100.0)
    assert trace.latest(KEY) is None
    count(trace, 1.0, 500.0, 100.0)
    trace.miss([KEY])
    glance(trace, 1.5, 100.0)
    count(trace, 2.0, 600.0, 100.0)
    assert trace.curve(KEY).time_s.tolist() == [1.0, 2.0]
    trace.leave([KEY], 2.5)
    glance(trace, 3.0, 100.0)
    trace.add(make_channel(KEY, period_s=0.1))
    glance(trace, 4.0, 100.0)
    assert trace.curve(KEY).time_s.tolist() == [1.0, 2.0, 2.5]


def test_a_channel_that_left_and_came_back_goes_on_from_what_it_had(
    trace: Trace, make_channel: MakeChannel
) -> None:
    count(trace, 0.0, 500.0, 100.0)
    glance(trace, 1.0, 100.0)
    trace.leave([KEY], 2.0)
    trace.add(make_channel(KEY, period_s=0.1))
    count(trace, 3.0, 900.0, 100.0)
    count(trace, 4.0, 1000.0, 100.0)
    curve = trace.curve(KEY)
    # What it drew before it left was not counted to the end: that is not told by its watts alone.
    assert curve.energy_j.tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0, 100.0])
    assert curve.gap[1] == Gap.MISSED


@pytest.mark.parametrize("power_w", [-1.0, math.nan, 1e9])
def test_impossible_watts_are_named_and_not_kept(trace: Trace, power_w: float) -> None:
    count(trace, 0.0, 500.0, 100.0)
    assert glance(trace, 0.1, power_w) == [KEY]
    assert trace.curve(KEY).time_s.tolist() == [0.0]


def test_watts_of_a_channel_that_is_integrated_are_readings_like_any(
    make_channel: MakeChannel,
) -> None:
    trace = Trace()
    trace.add(make_channel(KEY, kind=Kind.POWER, period_s=0.1))
    for time_s in (0.0, 0.1, 0.2):
        glance(trace, time_s, 50.0)
    assert trace.window(KEY, 0.0, 0.2).joules == pytest.approx(10.0)


Steps = st.lists(
    st.tuples(
        st.floats(0.001, 0.5),
        st.floats(0.0, 400.0),
        st.booleans(),
    ),
    min_size=2,
    max_size=40,
)


@given(Steps)
def test_however_seldom_it_was_asked_the_sum_is_what_it_counted(
    make_channel: MakeChannel, steps: list[tuple[float, float, bool]]
) -> None:
    trace = Trace()
    trace.add(make_channel(KEY, period_s=0.1))
    now_s, counted_j, counts = 0.0, 0.0, []
    count(trace, now_s, counted_j, 0.0)
    for dt_s, power_w, is_whole in steps:
        now_s, counted_j = now_s + dt_s, counted_j + power_w * dt_s
        if is_whole:
            count(trace, now_s, counted_j, power_w)
            counts.append((now_s, counted_j))
        else:
            glance(trace, now_s, power_w)
    curve = trace.curve(KEY)
    assert (np.diff(curve.energy_j) >= -1e-9).all()
    assert np.isfinite(curve.energy_j).all()
    for at_s, told_j in counts:
        row = int(np.searchsorted(curve.time_s, at_s))
        assert curve.energy_j[row] == pytest.approx(told_j, abs=1e-6)


def test_watts_close_to_a_count_do_not_seem_to_tell_when_it_was_refreshed(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 100.0)
    glance(trace, 0.05, 100.0)
    glance(trace, 0.1, 100.0)
    glance(trace, 0.15, 100.0)
    glance(trace, 0.2, 100.0)
    count(trace, 0.25, 525.0, 100.0)
    curve = trace.curve(KEY)
    assert curve.time_s.tolist() == [0.0, 0.1, 0.25]
    assert curve.energy_j.tolist() == pytest.approx([0.0, 10.0, 25.0])


def bursts_w(random: np.random.Generator, length_s: float) -> tuple[Floats, Floats]:
    """Return times a millisecond apart, and the watts of a card that works in bursts of 10 ms."""
    time_s = np.arange(0.0, length_s, 0.001)
    power_w, at_s = np.full(len(time_s), 120.0), 0.0
    while at_s < length_s:
        works_s = random.exponential(1.0)
        is_at_work = (time_s >= at_s) & (time_s < at_s + works_s)
        power_w[is_at_work & (time_s % 0.037 < 0.015 + 0.01 * np.sin(time_s))] += 500.0
        at_s += works_s + random.exponential(2.0)
    return time_s, power_w


@pytest.mark.parametrize("step_ms", [50, 100])
def test_spans_are_as_sure_as_the_watts_see_what_is_drawn(
    make_channel: MakeChannel, step_ms: int
) -> None:
    """Watts of a moment in fifty or a hundred, where they change fifty times a second."""
    random = np.random.default_rng(1)
    off_j, doubt_j = [], []
    for _ in range(6):
        time_s, power_w = bursts_w(random, 40.0)
        energy_j = np.cumsum(power_w) * 0.001
        trace = Trace()
        trace.add(make_channel(KEY, period_s=step_ms / 1000))
        whole_s = 0.0
        for row in range(random.integers(step_ms), len(time_s), step_ms):
            now_s, shown = float(time_s[row]), row - row % step_ms
            if now_s >= whole_s:
                count(trace, now_s, float(energy_j[shown]), float(power_w[shown]))
                whole_s = now_s + LONGEST_WHOLE_S
            else:
                glance(trace, now_s, float(power_w[shown]))
        for start in random.integers(2_000, 20_000, 50):
            end = start + int(random.integers(1_000, 18_000))
            window = trace.window(KEY, float(time_s[start]), float(time_s[end]))
            off_j.append(window.joules - float(energy_j[end] - energy_j[start]))
            doubt_j.append(1.96 * window.edge_j)
    assert np.mean(np.abs(off_j) <= doubt_j) >= 0.93
    assert np.mean(doubt_j) <= 3 * np.sqrt(np.mean(np.square(off_j)))


@pytest.mark.parametrize("rhythm_ms", [17, 20.5, 37])
def test_a_rhythm_of_tokens_quicker_than_the_readings_is_in_the_interval(
    make_channel: MakeChannel, rhythm_ms: float
) -> None:
    """Read each 100 ms, one of 20.5 ms seems to be one of 0.8 s, after which a count is told."""
    random = np.random.default_rng(3)
    time_s = np.arange(0.0, 30.0, 0.0005)
    power_w = np.where(time_s * 1000 % rhythm_ms < 0.55 * rhythm_ms, 450.0, 200.0)
    energy_j = np.concatenate([[0.0], np.cumsum(power_w) * 0.0005])
    trace = Trace()
    trace.add(make_channel(KEY, period_s=0.02))
    whole_s = 0.0
    for row in range(130, len(time_s), 200):
        now_s, shown = float(time_s[row]), row - row % 40
        if now_s >= whole_s:
            count(trace, now_s, float(energy_j[shown]), float(power_w[shown]))
            whole_s = now_s + LONGEST_WHOLE_S
        else:
            glance(trace, now_s, float(power_w[shown]))
    off_j, doubt_j = [], []
    for start in random.integers(8_000, 40_000, 120):
        end = start + int(random.integers(2_000, 12_000))
        window = trace.window(KEY, float(time_s[start]), float(time_s[end]))
        off_j.append(window.joules - float(energy_j[end] - energy_j[start]))
        doubt_j.append(1.96 * window.edge_j)
    assert np.mean(np.abs(off_j) <= doubt_j) >= 0.93
    assert np.mean(doubt_j) <= 3 * np.sqrt(np.mean(np.square(off_j)))


def swaying(trace: Trace, counted_w: list[float], sways_w: float) -> float:
    """Tell watts that sway within each second as counts do not; return the doubt between two."""
    counted_j = 0.0
    count(trace, 0.0, counted_j, 200.0)
    for second, mean_w in enumerate(counted_w):
        for tenth in range(1, 10):
            glance(trace, second + tenth / 10, mean_w + (sways_w if tenth < 5 else -sways_w))
        counted_j += mean_w
        count(trace, second + 1.0, counted_j, mean_w)
    return trace.window(KEY, 2.45, 4.45).edge_j


def test_watts_that_sway_while_counts_stay_the_same_are_not_believed(trace: Trace) -> None:
    assert swaying(trace, [200.0] * 8, 150.0) > 20.0


def test_watts_that_sway_as_counts_do_are_believed(trace: Trace) -> None:
    assert swaying(trace, [200.0, 330.0, 150.0, 280.0, 170.0, 320.0, 210.0, 160.0], 150.0) < 15.0


def test_a_moment_beside_a_count_knows_nothing_of_what_sways_later(trace: Trace) -> None:
    between_j = swaying(trace, [200.0] * 8, 150.0)
    assert trace.window(KEY, 2.95, 4.95).edge_j < between_j / 4


def test_however_closely_watts_are_read_the_counts_around_tell_how_they_stray(
    make_channel: MakeChannel,
) -> None:
    """Between two counts lie more readings than the ends of a window need for themselves."""
    trace = Trace()
    trace.add(make_channel(KEY, period_s=0.01))
    for row in range(1000):
        time_s = row * 0.02
        if row % 45:
            glance(trace, time_s, 100.0)
        else:
            count(trace, time_s, 100.0 * time_s + 10.0 * math.sin(row), 100.0)
    end_s = 900 * 0.02
    at_a_count = trace.window(KEY, 495 * 0.02, end_s).edge_j
    for row in (498, 517, 537):
        assert trace.window(KEY, row * 0.02 + 0.005, end_s).edge_j > 2 * at_a_count


def test_before_a_second_count_what_the_watts_tell_is_doubted_all_the_same(trace: Trace) -> None:
    count(trace, 0.0, 500.0, 100.0)
    for tenth in range(1, 7):
        glance(trace, tenth / 10, 100.0)
    sooner, later = (trace.window(KEY, 0.0, at_s) for at_s in (0.3, 0.6))
    assert sooner.joules == pytest.approx(30.0)
    assert 10.0 < sooner.edge_j < later.edge_j < 60.0


def test_two_counts_alone_tell_little_of_how_far_watts_stray(trace: Trace) -> None:
    """The doubt of what one difference tells is six times as large, and not as sure as of five."""
    doubts_j = []
    for second in range(7):
        count(trace, float(second), 110.0 * second, 100.0)
        for tenth in range(1, 10):
            glance(trace, second + tenth / 10, 100.0)
        if second:
            doubts_j.append(trace.window(KEY, second - 0.5, second + 0.5).edge_j)
    assert doubts_j[0] > 2 * doubts_j[1] > 2 * doubts_j[2] > 2 * doubts_j[4]


def test_what_the_watts_missed_is_doubted_between_the_counts_only(trace: Trace) -> None:
    for second in range(4):
        count(trace, float(second), 100.0 * second * (second + 1) / 2, 100.0)
        for tenth in range(1, 10):
            glance(trace, second + tenth / 10, 100.0)
    count(trace, 4.0, 1000.0, 100.0)
    at_a_count = trace.window(KEY, 1.0, 3.0).edge_j
    between = [trace.window(KEY, 1.0, at_s).edge_j for at_s in (2.9, 2.5, 2.1)]
    assert between[1] > max(between[0], between[2]) > 5 * at_a_count


def test_where_each_reading_is_a_count_watts_that_differ_are_no_doubt(trace: Trace) -> None:
    for tenth in range(40):
        count(trace, tenth / 10, 10.0 * tenth, 300.0)
    assert trace.curve(KEY).sketched is None
    assert trace.window(KEY, 1.03, 3.02).edge_j < 6.0
