"""The trace: the energy of any window of what was read, and nothing for what was not."""

import math
import random
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Channel, Domain, Kind, Reading
from monitor.power.curve import Curve, Gap
from monitor.power.trace import EMPTY, Suspend, Trace, Window, window_of
from tests.hardware.curve import PowerCurve
from tests.unit.conftest import MakeChannel

PACKAGE_RANGE_J, DRAM_RANGE_J = 262143.328850, 65712.999613

Row = tuple[float, float | Gap]
"""Time and what was read then (joules or watts by the channel's kind), or why nothing was."""


def traced(channel: Channel, *rows: Row, capacity: int | None = None) -> Trace:
    trace = Trace(capacity) if capacity else Trace()
    trace.add(channel)
    for time_s, value in rows:
        if isinstance(value, Gap):
            trace.miss([channel.key], value)
        elif channel.kind is Kind.POWER:
            trace.record([Reading(channel.key, time_s, power_w=value)])
        else:
            trace.record([Reading(channel.key, time_s, counter_j=value)])
    return trace


def covered_s(window: Window, start_s: float, end_s: float) -> float:
    return window.coverage * (end_s - start_s)


# Windows of what was read throughout.


@pytest.mark.parametrize(
    ("start_s", "end_s", "joules"),
    [
        (0.0, 2.0, 300.0),
        (0.5, 1.5, 50.0 + 100.0),
        (1.0, 2.0, 200.0),
        (0.25, 0.75, 50.0),
        (1.9, 2.5, 20.0 + 10.0),
    ],
)
@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.MODELLED])
def test_counter_window_is_interpolated_at_both_ends(
    make_channel: MakeChannel, kind: Kind, start_s: float, end_s: float, joules: float
) -> None:
    channel = make_channel(kind=kind)
    trace = traced(channel, (0.0, 700.0), (1.0, 800.0), (2.0, 1000.0), (3.0, 1020.0))
    window = trace.window(channel.key, start_s, end_s)
    # When within a millisecond a counter was refreshed is not known.
    assert window.joules == pytest.approx(joules, abs=200.0 * channel.period_s)
    assert window.coverage == pytest.approx(1.0)
    assert window.mean_w == pytest.approx(window.joules / (end_s - start_s))


@pytest.mark.parametrize(
    ("start_s", "end_s", "joules"),
    [
        (0.0, 2.0, 150.0 + 200.0),
        (0.5, 1.5, (150.0 + 200.0) / 2 * 0.5 + 100.0),
        (0.25, 0.75, 150.0 * 0.5),
        (1.0, 1.5, 100.0),
        (2.5, 3.0, (100.0 + 0.0) / 2 * 0.5),
    ],
)
def test_power_window_is_integrated_by_trapezia_even_at_its_partial_ends(
    make_channel: MakeChannel, start_s: float, end_s: float, joules: float
) -> None:
    channel = make_channel(kind=Kind.POWER)
    trace = traced(channel, (0.0, 100.0), (1.0, 200.0), (2.0, 200.0), (3.0, 0.0))
    window = trace.window(channel.key, start_s, end_s)
    assert window.joules == pytest.approx(joules)
    assert window.coverage == pytest.approx(1.0)
    assert window.mean_w == pytest.approx(joules / (end_s - start_s))


def test_peak_and_samples_are_those_inside_the_window(make_channel: MakeChannel) -> None:
    channel = make_channel(kind=Kind.POWER)
    trace = traced(channel, (0.0, 900.0), (1.0, 20.0), (2.0, 80.0), (3.0, 20.0), (4.0, 900.0))
    for start_s, end_s in [(0.9, 3.1), (1.0, 3.0)]:
        window = trace.window(channel.key, start_s, end_s)
        assert (window.peak_w, window.samples) == (80.0, 3)


def test_readings_close_to_a_refresh_of_a_counter_make_no_peak(make_channel: MakeChannel) -> None:
    # 200 W, published every 0.1 s; a mark falls just after every tenth refresh.
    channel = make_channel(period_s=0.1)
    times_s = sorted([0.05 + i * 0.1 for i in range(100)] + [0.0601 + i for i in range(10)])
    times_s += [10.0 + i * 0.0999 for i in range(60)]
    rows = [(time_s, 20.0 * math.floor(time_s * 10)) for time_s in times_s]
    window = traced(channel, *rows).window(channel.key, 1.0, 15.5)
    assert window.peak_w == pytest.approx(200.0, rel=0.25)


def test_watts_told_beside_a_counter_make_the_peak_but_not_the_bill(
    make_channel: MakeChannel,
) -> None:
    channel = make_channel(domain=Domain.GPU)
    trace = Trace()
    trace.add(channel)
    for time_s, counter_j, power_w in [(0.0, 0.0, 10.0), (1.0, 100.0, 300.0), (2.0, 200.0, 10.0)]:
        trace.record([Reading(channel.key, time_s, counter_j, power_w)])
    window = trace.window(channel.key, 0.0, 2.0)
    assert (window.joules, window.peak_w) == (pytest.approx(200.0), 300.0)


def test_watts_alone_on_a_counter_channel_are_not_billed_twice(make_channel: MakeChannel) -> None:
    channel = make_channel(domain=Domain.GPU)
    trace = traced(channel, (0.0, 0.0), (1.0, 100.0))
    trace.record([Reading(channel.key, 2.0, power_w=100.0)])
    trace.record([Reading(channel.key, 3.0, counter_j=300.0)])
    window = trace.window(channel.key, 0.0, 3.0)
    assert window.joules == pytest.approx(300.0)


def test_a_reading_that_is_not_later_than_the_last_changes_nothing(
    make_channel: MakeChannel,
) -> None:
    channel = make_channel()
    trace = traced(channel, (0.0, 0.0), (1.0, 100.0), (1.0, 900.0), (0.5, 500.0), (2.0, 200.0))
    assert trace.window(channel.key, 0.0, 2.0).joules == pytest.approx(200.0)
    assert len(trace.curve(channel.key).time_s) == 3


def test_latest_is_the_last_reading(make_channel: MakeChannel) -> None:
    channel = make_channel(kind=Kind.POWER)
    assert traced(channel).latest(channel.key) is None
    assert traced(channel, (1.0, 5.0), (2.0, 7.0)).latest(channel.key) == (2.0, 7.0)
    assert Trace().latest("never added") is None


# What a counter does besides counting.


def test_a_wrap_costs_nothing(make_channel: MakeChannel) -> None:
    channel = make_channel(range_j=1000.0)
    trace = traced(channel, (0.0, 970.0), (1.0, 990.0), (2.0, 10.0), (3.0, 30.0))
    window = trace.window(channel.key, 0.0, 3.0)
    assert (window.joules, window.coverage) == (pytest.approx(60.0), pytest.approx(1.0))
    assert trace.window(channel.key, 1.0, 2.0).joules == pytest.approx(20.0)


@pytest.mark.parametrize("range_j", [None, 0.0])
def test_a_fall_of_a_counter_without_a_known_range_is_a_gap(
    make_channel: MakeChannel, range_j: float | None
) -> None:
    channel = make_channel(range_j=range_j)
    trace = traced(channel, (0.0, 970.0), (1.0, 990.0), (2.0, 10.0), (3.0, 30.0))
    fall = trace.window(channel.key, 1.0, 2.0)
    assert (fall.joules, fall.coverage) == (None, 0.0)
    whole = trace.window(channel.key, 0.0, 3.0)
    assert whole.joules == pytest.approx(40.0)
    assert whole.coverage == pytest.approx(2 / 3)
    assert trace.curve(channel.key).gap.tolist()[1:] == [Gap.NONE, Gap.RESET, Gap.NONE]


@pytest.mark.parametrize("range_j", [None, PACKAGE_RANGE_J, DRAM_RANGE_J])
def test_a_counter_that_starts_again_is_a_gap(
    make_channel: MakeChannel, range_j: float | None
) -> None:
    channel = make_channel(range_j=range_j)
    trace = traced(channel, (0.0, 500.0), (1.0, 600.0), (2.0, 5.0), (3.0, 105.0))
    window = trace.window(channel.key, 0.0, 3.0)
    assert window.joules == pytest.approx(200.0)
    assert window.coverage == pytest.approx(2 / 3)
    assert trace.curve(channel.key).gap[2] == Gap.RESET


@pytest.mark.parametrize("glitch_j", [1e5, 2e5, 1e6, 1e9])
@pytest.mark.parametrize("range_j", [None, PACKAGE_RANGE_J, DRAM_RANGE_J])
def test_a_counter_that_jumps_and_comes_back_leaves_a_gap(
    make_channel: MakeChannel, range_j: float | None, glitch_j: float
) -> None:
    channel = make_channel(range_j=range_j)
    rows = [(index * 0.1, 10.0 * index) for index in range(11)]
    rows[5] = (0.5, 50.0 + glitch_j)
    trace = traced(channel, *rows)
    window = trace.window(channel.key, 0.0, 1.0)
    assert window.joules == pytest.approx(80.0)
    assert window.coverage == pytest.approx(0.8)
    assert window.mean_w == pytest.approx(100.0)
    assert window.peak_w == pytest.approx(100.0)


@pytest.mark.parametrize("bad_w", [-1.0, -500.0, 1e7, math.nan, math.inf, -math.inf])
def test_impossible_watts_are_a_gap(make_channel: MakeChannel, bad_w: float) -> None:
    channel = make_channel(kind=Kind.POWER)
    rows = [(index * 0.5, 100.0) for index in range(9)]
    rows[4] = (2.0, bad_w)
    trace = traced(channel, *rows)
    window = trace.window(channel.key, 0.0, 4.0)
    assert window.joules == pytest.approx(300.0)
    assert window.coverage == pytest.approx(0.75)
    assert window.peak_w == 100.0
    around = trace.window(channel.key, 1.6, 2.4)
    assert (around.joules, around.coverage) == (None, 0.0)


@pytest.mark.parametrize("bad_j", [math.nan, math.inf, -math.inf])
def test_a_counter_that_is_no_number_costs_the_time_around_it_only(
    make_channel: MakeChannel, bad_j: float
) -> None:
    channel = make_channel(range_j=PACKAGE_RANGE_J)
    trace = traced(channel, (0.0, 0.0), (1.0, 100.0), (2.0, bad_j), (3.0, 300.0), (4.0, 400.0))
    assert trace.window(channel.key, 0.0, 1.0).joules == pytest.approx(100.0)
    assert trace.window(channel.key, 3.0, 4.0).joules == pytest.approx(100.0)
    window = trace.window(channel.key, 0.0, 4.0)
    assert window.joules is not None
    assert 200.0 <= window.joules <= 400.0 + 1e-9


@pytest.mark.parametrize("domain", Domain)
def test_a_heavy_but_possible_load_is_not_refused(
    make_channel: MakeChannel, domain: Domain
) -> None:
    heavy_w = {Domain.CPU: 500.0, Domain.GPU: 1400.0, Domain.SYSTEM: 5000.0}.get(domain, 300.0)
    for kind in (Kind.POWER, Kind.COUNTER):
        channel = make_channel(kind=kind, domain=domain)
        values = [heavy_w if kind is Kind.POWER else heavy_w * time_s for time_s in (0.0, 1.0, 2.0)]
        trace = traced(channel, *zip((0.0, 1.0, 2.0), values, strict=True))
        assert trace.window(channel.key, 0.0, 2.0).joules == pytest.approx(2 * heavy_w)


def test_a_counter_that_publishes_in_batches_is_believed(make_channel: MakeChannel) -> None:
    # On an M5 Max energy arrives about every 2 s, between readings 0.1 s apart.
    channel = make_channel(period_s=2.0)
    rows = [(index * 0.1, 1500.0 * 2.0 * (index // 20)) for index in range(61)]
    trace = traced(channel, *rows)
    window = trace.window(channel.key, 0.0, 6.0)
    assert (window.joules, window.coverage) == (pytest.approx(9000.0, rel=0.03), pytest.approx(1.0))


# What was not read.


def test_missed_reads_of_a_counter_lose_no_energy(make_channel: MakeChannel) -> None:
    channel = make_channel(range_j=PACKAGE_RANGE_J)
    rows: list[Row] = [(0.0, 0.0), (1.0, 100.0), (2.0, Gap.MISSED), (3.0, Gap.MISSED), (4.0, 400.0)]
    window = traced(channel, *rows).window(channel.key, 0.0, 4.0)
    assert (window.joules, window.coverage) == (pytest.approx(400.0), pytest.approx(1.0))


@pytest.mark.parametrize("cause", [Gap.MISSED, None])
def test_watts_not_read_are_a_gap(make_channel: MakeChannel, cause: Gap | None) -> None:
    channel = make_channel(kind=Kind.POWER, period_s=0.1)
    missed: list[Row] = [(2.0, cause)] if cause else []
    trace = traced(channel, (0.0, 100.0), (1.0, 100.0), *missed, (5.0, 100.0), (6.0, 100.0))
    window = trace.window(channel.key, 0.0, 6.0)
    assert window.joules == pytest.approx(200.0)
    assert window.coverage == pytest.approx(2 / 6)
    assert window.mean_w == pytest.approx(100.0)
    partly = trace.window(channel.key, 0.5, 3.0)
    assert (partly.joules, partly.coverage) == (pytest.approx(50.0), pytest.approx(0.2))


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.MODELLED, Kind.POWER])
def test_a_channel_that_is_opened_anew_goes_on_after_a_gap(
    make_channel: MakeChannel, kind: Kind
) -> None:
    # A counter that began again and is beyond where it was looks as if it had never stopped.
    channel = make_channel(kind=kind, period_s=0.1)
    trace = traced(channel, (0.0, 100.0), (1.0, 200.0))
    trace.add(channel)
    for time_s, value in ((2.0, 250.0), (3.0, 350.0)):
        told = {"power_w": value} if kind is Kind.POWER else {"counter_j": value}
        trace.record([Reading(channel.key, time_s, **told)])
    assert trace.curve(channel.key).gap[1:].tolist() == [Gap.NONE, Gap.RESET, Gap.NONE]
    window = trace.window(channel.key, 0.0, 3.0)
    assert window.joules == pytest.approx(150.0 + 300.0 if kind is Kind.POWER else 200.0)
    assert window.coverage == pytest.approx(2 / 3)


def test_a_channel_that_is_opened_anew_may_have_been_found_out_more_of(
    make_channel: MakeChannel,
) -> None:
    trace = traced(make_channel(range_j=None), (0.0, 990.0), (1.0, 995.0))
    trace.add(make_channel(range_j=1000.0))
    for time_s, counter_j in ((2.0, 998.0), (3.0, 3.0)):
        trace.record([Reading("test:one", time_s, counter_j=counter_j)])
    assert trace.window("test:one", 2.0, 3.0).joules == pytest.approx(5.0)


@pytest.mark.parametrize("time_s", [math.nan, math.inf, -math.inf])
def test_a_reading_of_no_time_changes_nothing(make_channel: MakeChannel, time_s: float) -> None:
    channel = make_channel()
    trace = traced(channel, (0.0, 100.0), (1.0, 200.0), (time_s, 250.0), (2.0, 300.0))
    curve = trace.curve(channel.key)
    assert curve.time_s.tolist() == [0.0, 1.0, 2.0]
    assert curve.energy_j.tolist() == [0.0, 100.0, 200.0]


@pytest.mark.parametrize("value", [-1.0, math.nan, 1e7])
def test_an_impossible_reading_is_named(make_channel: MakeChannel, value: float) -> None:
    good, bad = make_channel("good", kind=Kind.POWER), make_channel("bad", kind=Kind.POWER)
    trace = traced(good)
    trace.add(bad)
    assert trace.record([Reading("good", 0.0, power_w=5.0), Reading("bad", 0.0, power_w=5.0)]) == []
    readings = [Reading("good", 1.0, power_w=5.0), Reading("bad", 1.0, power_w=value)]
    assert trace.record(readings) == ["bad"]


@pytest.mark.parametrize("told_w", [-5.0, math.nan, 1e7])
def test_impossible_watts_beside_a_counter_cost_the_curve_and_not_the_bill(
    make_channel: MakeChannel, told_w: float
) -> None:
    trace = traced(make_channel("gpu", domain=Domain.GPU))
    for time_s, power_w in ((0.0, 100.0), (1.0, told_w), (2.0, 100.0)):
        trace.record([Reading("gpu", time_s, counter_j=100 * time_s, power_w=power_w)])
    assert np.isnan(trace.curve("gpu").power_w).tolist() == [False, True, False]
    assert trace.window("gpu", 0.0, 2.0).joules == pytest.approx(200.0)


def test_a_counter_tells_no_watts_across_a_gap(make_channel: MakeChannel) -> None:
    channel = make_channel()
    trace = traced(channel, (0.0, 0.0), (1.0, 90.0), (1.5, Gap.ASLEEP), (2.0, 95.0), (3.0, 185.0))
    power_w = trace.curve(channel.key).power_w
    assert np.isnan(power_w).tolist() == [True, False, True, False]
    assert power_w[3] == pytest.approx(90.0)


def test_a_reading_that_says_nothing_is_a_missed_one(make_channel: MakeChannel) -> None:
    channel = make_channel(kind=Kind.POWER)
    trace = traced(channel, (0.0, 100.0), (1.0, 100.0))
    trace.record([Reading(channel.key, 1.5), Reading(channel.key, 2.0, power_w=100.0)])
    window = trace.window(channel.key, 0.0, 2.0)
    assert (window.joules, window.coverage) == (pytest.approx(100.0), pytest.approx(0.5))


@pytest.mark.parametrize("noted", [True, False])
def test_a_counter_unread_so_long_that_it_may_have_wrapped_twice_is_a_gap(
    make_channel: MakeChannel, noted: bool
) -> None:
    # 200 W for an hour: 720 kJ, of which the counter shows what is left after two wraps. A
    # stopped process (Ctrl-Z) or a driver that hangs is kept from asking without an error.
    channel = make_channel(range_j=PACKAGE_RANGE_J)
    missed: list[Row] = [(2.0, Gap.MISSED)] if noted else []
    later_j = (200.0 * 3601.0) % PACKAGE_RANGE_J
    trace = traced(channel, (0.0, 0.0), (1.0, 200.0), *missed, (3601.0, later_j))
    window = trace.window(channel.key, 0.0, 3601.0)
    assert window.joules == pytest.approx(200.0)
    assert window.coverage == pytest.approx(1 / 3601.0)
    assert trace.curve(channel.key).gap[2] == Gap.AMBIGUOUS


def test_work_that_began_in_a_silence_may_have_turned_the_counter_unseen(
    make_channel: MakeChannel,
) -> None:
    # Idle before it at 25 W, and 200 W for 25 minutes in it: that is more than the counter holds.
    channel = make_channel(range_j=PACKAGE_RANGE_J)
    later_j = (25.0 + 200.0 * 1500.0) % PACKAGE_RANGE_J
    trace = traced(channel, (0.0, 0.0), (1.0, 25.0), (1501.0, later_j))
    assert trace.curve(channel.key).gap[2] == Gap.AMBIGUOUS
    assert trace.window(channel.key, 0.0, 1501.0).coverage == pytest.approx(1 / 1501.0)


@pytest.mark.parametrize("kind", Kind)
def test_a_suspend_is_a_gap(make_channel: MakeChannel, kind: Kind) -> None:
    channel = make_channel(kind=kind)
    values = [50.0] * 4 if kind is Kind.POWER else [0.0, 50.0, 90.0, 140.0]
    trace = traced(
        channel,
        (0.0, values[0]),
        (1.0, values[1]),
        (1.5, Gap.ASLEEP),
        (1.6, Gap.MISSED),
        (2.0, values[2]),
        (3.0, values[3]),
    )
    window = trace.window(channel.key, 0.0, 3.0)
    assert (window.joules, window.coverage) == (pytest.approx(100.0), pytest.approx(2 / 3))
    assert trace.curve(channel.key).gap[2] == Gap.ASLEEP
    assert trace.window(channel.key, 1.0, 2.0).joules is None


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("rows", "start_s", "end_s"),
    [
        pytest.param((), 0.0, 1.0, id="never read"),
        pytest.param(((5.0, 7.0),), 0.0, 10.0, id="read once"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 1.0, 4.0, id="before the first"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 1.0, 5.0, id="up to the first"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 6.0, 9.0, id="from the last"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 8.0, 9.0, id="after the last"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 5.5, 5.5, id="no length"),
        pytest.param(((5.0, 7.0), (6.0, 8.0)), 6.0, 5.0, id="backwards"),
        pytest.param(((5.0, 7.0), (6.0, Gap.ASLEEP), (9.0, 8.0)), 5.0, 9.0, id="only a gap"),
        pytest.param(((5.0, 7.0), (6.0, Gap.ASLEEP), (9.0, 8.0)), 6.0, 7.0, id="in a gap"),
    ],
)
def test_what_was_not_read_has_no_joules_rather_than_zero(
    make_channel: MakeChannel, kind: Kind, rows: tuple[Row, ...], start_s: float, end_s: float
) -> None:
    channel = make_channel(kind=kind)
    window = traced(channel, *rows).window(channel.key, start_s, end_s)
    assert (window.joules, window.mean_w, window.peak_w) == (None, None, None)
    assert window.coverage == 0.0


def test_a_channel_never_added_has_no_joules() -> None:
    assert Trace().window("unknown", 0.0, 1.0) == EMPTY


@pytest.mark.parametrize("started_s", [0.0, 3_600.0, 123_456.7])
def test_time_made_of_gaps_only_has_no_joules(make_channel: MakeChannel, started_s: float) -> None:
    # A sensor that fails at every other reading: watts, but never two that can be joined.
    channel = make_channel(kind=Kind.POWER)
    rng = random.Random(1)
    rows: list[Row] = []
    time_s = started_s
    for _ in range(300):
        time_s += rng.uniform(0.09, 0.11)
        rows += [(time_s, Gap.MISSED), (time_s + 0.01, 100.0)]
    trace = traced(channel, *rows)
    for _ in range(200):
        start_s = rng.uniform(started_s + 1.0, time_s - 5.0)
        window = trace.window(channel.key, start_s, start_s + rng.uniform(0.3, 4.0))
        assert (window.joules, window.mean_w, window.coverage) == (None, None, 0.0)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("start_s", "end_s", "joules", "coverage"),
    [(-1.0, 1.0, 50.0, 0.5), (3.0, 5.0, 50.0, 0.5), (-1.0, 5.0, 200.0, 4 / 6)],
)
def test_a_window_partly_outside_what_was_read_is_partly_covered(
    make_channel: MakeChannel,
    kind: Kind,
    start_s: float,
    end_s: float,
    joules: float,
    coverage: float,
) -> None:
    channel = make_channel(kind=kind)
    rows = [(float(i), 50.0 if kind is Kind.POWER else 50.0 * i) for i in range(5)]
    window = traced(channel, *rows).window(channel.key, start_s, end_s)
    assert window.joules == pytest.approx(joules)
    assert window.coverage == pytest.approx(coverage)
    assert window.mean_w == pytest.approx(50.0)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("written", [9, 10, 11, 19, 25])
def test_a_full_ring_keeps_the_newest(make_channel: MakeChannel, kind: Kind, written: int) -> None:
    channel = make_channel(kind=kind)
    rows = [(float(i), 50.0 if kind is Kind.POWER else 50.0 * i) for i in range(written)]
    trace = traced(channel, *rows, capacity=10)
    oldest, newest = max(0, written - 10), written - 1
    assert trace.curve(channel.key).time_s.tolist() == [float(i) for i in range(oldest, written)]
    for start_s in np.arange(oldest, newest - 1, 0.5):
        window = trace.window(channel.key, start_s, start_s + 1.25)
        assert (window.joules, window.coverage) == (pytest.approx(62.5), pytest.approx(1.0))
    everything = trace.window(channel.key, 0.0, newest)
    assert everything.joules == pytest.approx(50.0 * (newest - oldest))
    assert everything.coverage == pytest.approx((newest - oldest) / newest)


# Known truth.


def ramp(step_s: float, low_w: float, high_w: float, rise_s: float, last_s: float) -> PowerCurve:
    """Watts that rise and fall in steps too fine to matter."""
    count = round(last_s / step_s)

    def power_w(time_s: float) -> float:
        phase = time_s / rise_s % 2.0
        return low_w + (high_w - low_w) * min(phase, 2.0 - phase)

    return PowerCurve(tuple((i * step_s, power_w((i + 0.5) * step_s)) for i in range(count)))


STEPS = PowerCurve(tuple((i * 0.7, 200.0 if i % 2 else 240.0) for i in range(100)))
QUERY = PowerCurve(((0.0, 15.0), (20.03, 260.0), (24.41, 210.0), (45.0, 18.0)))
CURVES = {
    "steps": (STEPS, 0.0),
    "ramps": (ramp(0.002, 40.0, 320.0, 4.0, 62.0), 0.0),
    "jitter": (STEPS, 0.6),
    "ramps with jitter": (ramp(0.002, 40.0, 320.0, 4.0, 62.0), 0.6),
    "a query": (QUERY, 0.0),
}


def sample(
    channel: Channel, curve: PowerCurve, jitter: float, marks_s: list[float], seed: int
) -> Trace:
    """Sample a curve for 60 s at 10 Hz and at the marks, as the sampler does."""
    rng = random.Random(seed)
    times_s = [0.1 * (i + jitter * rng.uniform(-0.5, 0.5)) for i in range(1, 601)]
    trace = Trace()
    trace.add(channel)
    for time_s in sorted([*times_s, *marks_s]):
        if channel.kind is Kind.POWER:
            reading = Reading(channel.key, time_s, power_w=curve.power_w(time_s))
        else:
            refreshed_s = math.floor(time_s / channel.period_s) * channel.period_s
            counted_j = math.floor(curve.energy_j(0.0, refreshed_s) / channel.step_j)
            counter_j = counted_j * channel.step_j + 900.0
            reading = Reading(channel.key, time_s, counter_j % (channel.range_j or math.inf))
        trace.record([reading])
    return trace


def windows_of(curve: PowerCurve) -> list[tuple[float, float]]:
    if curve is QUERY:
        return [(20.03, 24.41), (20.03, 45.0), (24.41, 45.0)]
    rng = random.Random(7)
    starts_s = [rng.uniform(0.2, 49.0) for _ in range(40)]
    return [(start_s, start_s + rng.uniform(1.0, 10.0)) for start_s in starts_s]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize(
    ("kind", "range_j", "within"),
    [(Kind.COUNTER, None, 0.005), (Kind.COUNTER, 1000.0, 0.005), (Kind.POWER, None, 0.02)],
    ids=["counter", "wrapping counter", "power"],
)
def test_energy_of_a_known_curve(
    make_channel: MakeChannel, name: str, kind: Kind, range_j: float | None, within: float
) -> None:
    curve, jitter = CURVES[name]
    channel = make_channel(kind=kind, step_j=61e-6, range_j=range_j)
    spans_s = windows_of(curve)
    marks_s = [moment_s for span_s in spans_s for moment_s in span_s]
    for seed in range(3):
        trace = sample(channel, curve, jitter, marks_s, seed)
        for start_s, end_s in spans_s:
            window = trace.window(channel.key, start_s, end_s)
            truth_j = curve.energy_j(start_s, end_s)
            assert window.joules == pytest.approx(truth_j, rel=within)
            assert window.coverage == pytest.approx(1.0)


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.POWER])
def test_the_truth_lies_within_the_doubt_that_sampling_adds(
    make_channel: MakeChannel, kind: Kind
) -> None:
    # Nobody marks these windows, and the load steps hard: the doubt stated as 95 % must hold
    # nearly that often.
    rng = random.Random(11)
    moments_s = sorted(rng.uniform(0.0, 60.0) for _ in range(50))
    curve = PowerCurve(((0.0, 60.0), *((at_s, rng.uniform(20.0, 400.0)) for at_s in moments_s)))
    channel = make_channel(kind=kind, step_j=61e-6)
    trace = sample(channel, curve, 0.3, [], seed=5)
    inside = 0
    for _ in range(1000):
        start_s = rng.uniform(0.2, 55.0)
        end_s = start_s + rng.uniform(0.3, 4.0)
        window = trace.window(channel.key, start_s, end_s)
        assert window.joules is not None
        doubt_j = 1.96 * math.hypot(window.edge_j, window.shape_j) + 1e-9
        inside += abs(window.joules - curve.energy_j(start_s, end_s)) <= doubt_j
    assert inside >= 900


def test_steady_power_is_nearly_certain(make_channel: MakeChannel) -> None:
    for kind in (Kind.COUNTER, Kind.POWER):
        channel = make_channel(kind=kind, step_j=61e-6)
        trace = sample(channel, PowerCurve.constant(100.0), 0.3, [], seed=5)
        window = trace.window(channel.key, 10.0, 20.0)
        assert math.hypot(window.edge_j, window.shape_j) < 0.001 * 1000.0


# Whatever is read.

gaps = st.sampled_from([Gap.MISSED, Gap.ASLEEP])
waits_s = st.one_of(st.floats(0.001, 0.5), st.floats(0.5, 30.0))


@st.composite
def histories(draw: st.DrawFn, values: Callable[[], st.SearchStrategy[float]]) -> list[Row]:
    time_s = draw(st.sampled_from([0.0, 98_765.4]))
    rows: list[Row] = []
    for wait_s, gap, value in draw(
        st.lists(st.tuples(waits_s, st.none() | gaps, values()), min_size=2, max_size=30)
    ):
        time_s += wait_s
        if gap is not None:
            rows.append((time_s - wait_s / 2, gap))
        rows.append((time_s, value))
    return rows


def moments(rows: list[Row]) -> st.SearchStrategy[list[float]]:
    """Draw three moments in order, inside and around what was read, readings' own included."""
    first_s, last_s = rows[0][0] - 1.0, rows[-1][0] + 1.0
    times_s = st.sampled_from([time_s for time_s, _ in rows])
    return st.lists(st.floats(first_s, last_s) | times_s, min_size=3, max_size=3).map(sorted)


@given(st.data(), st.sampled_from(Kind), histories(lambda: st.floats(0.0, 400.0)))
def test_adjacent_windows_add_up_to_their_union(
    make_channel: MakeChannel, data: st.DataObject, kind: Kind, rows: list[Row]
) -> None:
    channel = make_channel(kind=kind, range_j=5000.0)
    if kind is not Kind.POWER:
        # The values are watts: a counter adds them up, and wraps.
        energy_j, last_s, counted = 4000.0, rows[0][0], []
        for time_s, value in rows:
            if not isinstance(value, Gap):
                energy_j += value * (time_s - last_s)
                last_s = time_s
            counted.append((time_s, value if isinstance(value, Gap) else energy_j % 5000.0))
        rows = counted
    trace = traced(channel, *rows)
    start_s, middle_s, end_s = data.draw(moments(rows))
    before = trace.window(channel.key, start_s, middle_s)
    after = trace.window(channel.key, middle_s, end_s)
    union = trace.window(channel.key, start_s, end_s)
    joules = (before.joules or 0.0) + (after.joules or 0.0)
    assert (union.joules or 0.0) == pytest.approx(joules, abs=1e-6)
    seconds = covered_s(before, start_s, middle_s) + covered_s(after, middle_s, end_s)
    assert covered_s(union, start_s, end_s) == pytest.approx(seconds, abs=1e-6)
    assert (union.joules is None) == (before.joules is None and after.joules is None)


def anything() -> st.SearchStrategy[float]:
    return st.one_of(st.floats(), st.floats(-10.0, 1e6), st.floats(0.0, 300.0))


@given(
    st.data(),
    st.sampled_from(Kind),
    st.sampled_from([None, 0.0, 50.0, 1000.0, DRAM_RANGE_J]),
    histories(anything),
)
def test_no_reading_whatever_makes_a_figure_negative_or_no_number(
    make_channel: MakeChannel,
    data: st.DataObject,
    kind: Kind,
    range_j: float | None,
    rows: list[Row],
) -> None:
    channel = make_channel(kind=kind, range_j=range_j)
    trace = traced(channel, *rows)
    start_s, middle_s, end_s = data.draw(moments(rows))
    for window in (
        trace.window(channel.key, start_s, end_s),
        trace.window(channel.key, start_s, middle_s),
    ):
        assert 0.0 <= window.coverage <= 1.0
        assert (window.joules is None) == (window.coverage == 0.0)
        for figure in (window.joules, window.mean_w, window.peak_w):
            assert figure is None or (math.isfinite(figure) and figure >= 0.0)
        for figure in (window.spacing_s, window.edge_j, window.shape_j):
            assert math.isfinite(figure)
            assert figure >= 0.0
    curve = trace.curve(channel.key)
    assert np.all(np.isfinite(curve.energy_j))
    assert np.all(np.diff(curve.energy_j) >= 0.0)
    # Watts are unknown before a counter's second reading and in gaps, and never negative.
    assert not np.any(curve.power_w < 0.0)


# A channel that changes its kind, and watts that are not known.


@pytest.mark.parametrize(("before", "after"), [*permutations((Kind.COUNTER, Kind.POWER))])
def test_a_channel_of_another_kind_begins_anew(
    make_channel: MakeChannel, before: Kind, after: Kind
) -> None:
    trace = traced(make_channel(kind=before), (0.0, 100.0), (1.0, 200.0), (2.0, 300.0))
    channel = make_channel(kind=after)
    trace.add(channel)
    assert trace.latest(channel.key) is None
    for time_s in (3.0, 4.0, 5.0):
        trace.record([Reading(channel.key, time_s, counter_j=50 * time_s, power_w=50.0)])
    window = trace.window(channel.key, 0.5, 4.5)
    assert window.joules == pytest.approx(75.0)
    assert covered_s(window, 0.5, 4.5) == pytest.approx(1.5)


def test_watts_that_are_not_known_are_no_joules_rather_than_none(
    make_channel: MakeChannel,
) -> None:
    time_s, known = np.array([0.0, 1.0, 2.0]), np.zeros(3, np.uint8)
    curve = Curve(time_s, 50 * time_s, np.array([50.0, 50.0, math.nan]), known)
    assert window_of(make_channel(kind=Kind.POWER), curve, 0.5, 1.5) == EMPTY


# Suspends.


def test_a_suspend_is_kept_once_however_many_tell_of_it() -> None:
    trace = Trace()
    trace.note_asleep(100.0, now_s=10.0)
    assert trace.suspends() == ()
    trace.note_asleep(100.0 + 1e-4, now_s=11.0)
    assert trace.suspends() == (), "two clocks are not read at the same moment"
    # Woken: one source is read first, another later, one not before the machine slept again.
    trace.note_asleep(3_700.0, now_s=12.0)
    trace.note_asleep(3_700.0, now_s=12.4)
    trace.note_asleep(3_820.0, now_s=13.0)
    trace.note_asleep(3_820.0, now_s=14.0)
    assert trace.suspends() == (Suspend(12.0, 3_600.0), Suspend(13.0, 120.0))
