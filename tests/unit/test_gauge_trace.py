"""Gauges over time: what is summed up is what was read, and what was not read is a gap."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Domain
from monitor.power.gauge import (
    GAP_S,
    PERIOD_S,
    Gauge,
    GaugeLine,
    GaugeReading,
    GaugeSummary,
    GaugeTrace,
    Quantity,
    Stretch,
    by_device,
    join_lines,
    was_throttled,
)

HEAT = Gauge("test:gpu-0:temperature", "GPU 0 temperature", Quantity.TEMPERATURE, Domain.GPU, "0")
HELD = Gauge("test:gpu-0:throttle", "GPU 0 throttling", Quantity.THROTTLE, Domain.GPU, "0")

Values = st.lists(st.floats(0, 120, allow_nan=False, width=32), min_size=1, max_size=40)


def traced(gauge: Gauge, values: list[float], capacity: int = 100, notes: str = "") -> GaugeTrace:
    """Record values half a second apart, from time 0."""
    trace = GaugeTrace(capacity)
    trace.record(
        GaugeReading(gauge.key, at * PERIOD_S, value, notes if value else "")
        for at, value in enumerate(values)
    )
    return trace


@given(
    values=Values, capacity=st.integers(1, 50), start=st.integers(-3, 45), length=st.integers(0, 45)
)
def test_a_summary_is_of_exactly_the_readings_inside_that_are_still_kept(
    values: list[float], capacity: int, start: int, length: int
) -> None:
    trace = traced(HEAT, values, capacity)
    kept = [(at, v) for at, v in enumerate(values) if at >= len(values) - capacity]
    inside = [v for at, v in kept if start <= at <= start + length]
    span = (start * PERIOD_S, (start + length) * PERIOD_S)
    summary = trace.summary(HEAT.key, *span)
    curve = trace.curve(HEAT.key, *span)
    assert curve.value.tolist() == inside
    if not inside:
        assert summary is None
        return
    assert summary is not None
    assert (summary.low, summary.high, summary.samples) == (min(inside), max(inside), len(inside))
    assert summary.mean == pytest.approx(np.mean(inside))


@given(values=Values, cut=st.integers(0, 40))
def test_two_spans_joined_tell_what_the_whole_tells(values: list[float], cut: int) -> None:
    trace = traced(HEAT, values)
    middle_s = (cut - 0.5) * PERIOD_S
    joined = join_lines(trace.lines([HEAT], -1, middle_s), trace.lines([HEAT], middle_s, 99))
    (whole,) = trace.lines([HEAT], -1, 99)
    (line,) = joined
    assert line.gauge == HEAT
    assert line.summary.mean == pytest.approx(whole.summary.mean)
    assert (line.summary.low, line.summary.high) == (whole.summary.low, whole.summary.high)
    assert line.summary.samples == whole.summary.samples


def test_what_is_no_number_is_no_reading() -> None:
    trace = GaugeTrace()
    trace.record([GaugeReading(HEAT.key, 0, math.nan), GaugeReading(HEAT.key, 1, math.inf)])
    assert trace.latest(HEAT.key) is None
    assert trace.lines([HEAT], 0, 2) == ()


@pytest.mark.parametrize(
    ("quantity", "impossible"),
    [
        (Quantity.UTILISATION, (65535.0, -1.0, 100.5)),
        (Quantity.TEMPERATURE, (2147484.0, 255000.0, -273.0)),
        (Quantity.CLOCK, (-5.0, 1_000_000.0)),
        (Quantity.MEMORY, (-1.0, 2.0**63)),
        (Quantity.THROTTLE, (7.0, -1.0)),
    ],
)
def test_what_no_device_can_be_is_refused_and_said_until_it_makes_sense(
    quantity: Quantity, impossible: tuple[float, ...]
) -> None:
    trace = GaugeTrace()
    gauge = Gauge(f"test:gpu-1:{quantity}", "GPU 1", quantity, Domain.GPU, "1")
    for at, value in enumerate(impossible):
        trace.record([GaugeReading(gauge.key, at, value)])
        assert trace.latest(gauge.key) is None
        assert trace.refused([gauge, HELD]) == (gauge,)
    trace.record([GaugeReading(gauge.key, 10.0, 1.0)])
    assert trace.latest(gauge.key) == GaugeReading(gauge.key, 10.0, 1.0)
    assert trace.refused([gauge]) == ()


def test_a_throttle_tells_its_share_of_the_time_and_each_reason_once() -> None:
    trace = GaugeTrace()
    told = ["", "power cap", "power cap", "too hot", ""]
    trace.record(
        GaugeReading(HELD.key, at * PERIOD_S, float(bool(why)), why) for at, why in enumerate(told)
    )
    (line,) = trace.lines([HELD], 0, 10)
    assert line.summary.mean == pytest.approx(3 / 5)
    assert line.summary.notes == ("power cap", "too hot")
    assert was_throttled([line]) is True
    assert trace.throttled(HELD.key, 0, 10) == (
        Stretch(0.5 - PERIOD_S / 2, 1.5 + PERIOD_S / 2, "power cap, too hot"),
    )


def test_stretches_end_where_nothing_was_read_for_long() -> None:
    trace = GaugeTrace()
    for time_s in (0.0, 0.5, 0.5 + GAP_S + 0.1, 10.0):
        trace.record([GaugeReading(HELD.key, time_s, 1.0)])
    spans = [(s.start_s, s.end_s) for s in trace.throttled(HELD.key, 0, 5)]
    half_s = PERIOD_S / 2
    alone_s = 0.5 + GAP_S + 0.1
    assert spans == [(-half_s, 0.5 + half_s), (alone_s - half_s, alone_s + half_s)]
    assert trace.throttled("test:unknown", 0, 5) == ()


def test_whether_anything_was_throttled_is_unknown_where_nothing_tells_it() -> None:
    calm = GaugeLine(HELD, GaugeSummary(0.0, 0.0, 0.0, 9, ()))
    warm = GaugeLine(HEAT, GaugeSummary(70.0, 60.0, 80.0, 9, ()))
    assert was_throttled([]) is None
    assert was_throttled([warm]) is None
    assert was_throttled([warm, calm]) is False


def test_gauges_of_a_device_stand_under_the_words_their_labels_share() -> None:
    summary = GaugeSummary(1.0, 1.0, 1.0, 1, ())
    memory = Gauge("test:m", "Memory in use", Quantity.MEMORY, Domain.DRAM, "machine")
    groups = by_device(GaugeLine(gauge, summary) for gauge in (HEAT, memory, HELD))
    assert [(name, [line.gauge for line in lines]) for name, lines in groups] == [
        ("GPU 0", [HEAT, HELD]),
        ("Memory in use", [memory]),
    ]
