"""Joules of each token against curves whose power is known at every moment."""

from collections.abc import Callable

import numpy as np
import pytest

from monitor.energy.account import DECODE, Line, Phase, account
from monitor.energy.heat import Heat, token_energy, warmth
from monitor.power.channel import Channel, Domain, Kind, Reading
from monitor.power.curve import Gap
from monitor.power.trace import Trace
from monitor.store.curves import StoredTrace, decode_trace, encode_trace, thin_trace
from tests.unit.conftest import MakeChannel

Power = Callable[[np.ndarray], np.ndarray]
"""Watts over the cumulative joules at some times."""


def flat(watts: float) -> Power:
    return lambda time_s: watts * time_s


def read(trace: Trace, channel: Channel, energy_of: Power, times_s: np.ndarray) -> None:
    """Record a channel at some times; a counter shows what it had at its last refresh."""
    trace.add(channel)
    if channel.kind is Kind.POWER:
        watts = (energy_of(times_s + 1e-4) - energy_of(times_s - 1e-4)) / 2e-4
        trace.record(
            [
                Reading(channel.key, float(t), power_w=float(w))
                for t, w in zip(times_s, watts, strict=True)
            ]
        )
        return
    refreshed_s = np.floor(times_s / channel.period_s + 1e-6) * channel.period_s
    joules = energy_of(refreshed_s)
    trace.record(
        [
            Reading(channel.key, float(t), float(j) + 1.0)
            for t, j in zip(times_s, joules, strict=True)
        ]
    )


def heat_of(
    trace: Trace, channels: list[Channel], decode: Phase, time_s: np.ndarray
) -> tuple[Heat, tuple[Line, ...]]:
    lines = account(trace, channels, [decode]).lines
    curves = {channel.key: trace.curve(channel.key) for channel in channels}
    heat = token_energy(lines, curves, decode, time_s, np.arange(1, len(time_s) + 1) * 4)
    assert heat is not None
    return heat, lines


def billed_j(lines: tuple[Line, ...]) -> float:
    return sum(line.joules or 0.0 for line in lines)


TIMES_S = np.arange(0.0, 12.0, 0.05)
DECODE_SPAN = Phase(DECODE, 1.013, 11.027)


def marks(count: int) -> np.ndarray:
    return np.linspace(DECODE_SPAN.start_s, DECODE_SPAN.end_s, count + 1)[1:]


def test_tokens_longer_than_the_readings_have_what_was_read(make_channel: MakeChannel) -> None:
    trace, counter = Trace(), make_channel()
    # 20 W at first, 60 W from second 6 on.
    read(trace, counter, lambda t: 20 * t + 40 * np.maximum(t - 6, 0), TIMES_S)
    heat, lines = heat_of(trace, [counter], DECODE_SPAN, marks(20))
    edges_s = np.concatenate([[DECODE_SPAN.start_s], marks(20)])
    truth_j = np.diff(20 * edges_s + 40 * np.maximum(edges_s - 6, 0))
    assert heat.joules == pytest.approx(truth_j, rel=0.03)
    assert heat.joules.sum() == pytest.approx(billed_j(lines), rel=1e-12)
    assert not heat.is_fitted.any()
    assert heat.kind is Kind.COUNTER
    assert (heat.starts[1], heat.ends[1]) == (4, 8)


@pytest.mark.parametrize("kind", list(Kind))
def test_short_tokens_follow_a_slow_change_and_add_up_to_the_bill(
    kind: Kind, make_channel: MakeChannel
) -> None:
    trace, channel = Trace(), make_channel(kind=kind, period_s=0.05)
    read(trace, channel, lambda t: 50 * t - 20 * np.cos(t), TIMES_S)
    heat, lines = heat_of(trace, [channel], DECODE_SPAN, marks(1000))
    middles_s = marks(1000) - 0.005
    truth_j = (50 + 20 * np.sin(middles_s)) * (DECODE_SPAN.end_s - DECODE_SPAN.start_s) / 1000
    assert heat.is_fitted.all()
    assert heat.joules.sum() == pytest.approx(billed_j(lines), rel=1e-12)
    assert heat.joules == pytest.approx(truth_j, rel=0.1)
    assert (heat.joules >= 0).all()


def test_a_slow_counter_read_often_does_not_flicker(make_channel: MakeChannel) -> None:
    """Between two readings lie none, one or two of its refreshes: that is no heat."""
    rng = np.random.default_rng(1)
    trace, channel = Trace(), make_channel(period_s=0.1)
    read(trace, channel, flat(100.0), np.cumsum(rng.uniform(0.03, 0.07, 240)))
    heat, _ = heat_of(trace, [channel], Phase(DECODE, 1.0, 11.0), np.linspace(1.0, 11.0, 501)[1:])
    told = warmth(heat)
    assert told is not None
    assert np.nanmax(np.abs(heat.joules - 2.0)) < 0.6
    assert float(np.mean(told.values)) < 0.5
    assert heat.period_s == pytest.approx(0.4)


def test_parts_of_unlike_rhythm_are_added_each_as_it_is(make_channel: MakeChannel) -> None:
    trace = Trace()
    cpu = make_channel("a:cpu")
    gpu = make_channel("a:gpu", kind=Kind.POWER, domain=Domain.GPU, period_s=0.5)
    read(trace, cpu, lambda t: 10 * t + 30 * np.maximum(t - 6, 0), TIMES_S)
    read(trace, gpu, flat(200.0), np.arange(0.0, 12.5, 0.5))
    heat, lines = heat_of(trace, [cpu, gpu], DECODE_SPAN, marks(200))
    assert heat.joules.sum() == pytest.approx(billed_j(lines), rel=1e-12)
    step_s = (DECODE_SPAN.end_s - DECODE_SPAN.start_s) / 200
    assert heat.joules[10] == pytest.approx(210 * step_s, rel=0.01)
    assert heat.joules[-10] == pytest.approx(240 * step_s, rel=0.01)
    assert heat.kind is Kind.POWER
    assert heat.period_s == pytest.approx(0.5)


def test_over_a_gap_there_is_no_heat(make_channel: MakeChannel) -> None:
    trace, channel = Trace(), make_channel(kind=Kind.POWER, period_s=0.05)
    read(trace, channel, flat(40.0), TIMES_S[TIMES_S < 4])
    trace.miss([channel.key], Gap.ASLEEP)
    read(trace, channel, flat(40.0), TIMES_S[TIMES_S > 7])
    heat, lines = heat_of(trace, [channel], DECODE_SPAN, marks(100))
    unknown = np.isnan(heat.joules)
    ends_s = marks(100)
    assert (ends_s[unknown] > 3.95).all()
    assert (ends_s[unknown] < 7.2).all()
    assert unknown.sum() == pytest.approx(31, abs=2)
    assert heat.joules[~unknown] == pytest.approx(40 * 0.10014, rel=1e-3)
    assert np.nansum(heat.joules) <= billed_j(lines)
    told = warmth(heat)
    assert told is not None
    assert (np.isnan(told.values) == unknown).all()


def test_a_thinned_curve_still_adds_up(make_channel: MakeChannel) -> None:
    trace, channel = Trace(), make_channel()
    read(trace, channel, lambda t: 20 * t + 5 * np.maximum(t - 6, 0) ** 2, TIMES_S)
    lines = account(trace, [channel], [DECODE_SPAN]).lines
    stored = StoredTrace({channel.key: trace.curve(channel.key)}, (DECODE_SPAN,))
    thin = thin_trace(decode_trace(encode_trace(stored, 0.0)), 1.0)
    heat = token_energy(lines, thin.curves, thin.phases[0], marks(100), np.arange(1, 101))
    assert heat is not None
    assert heat.joules.sum() == pytest.approx(billed_j(lines), rel=1e-12)
    assert heat.joules[95] > 1.8 * heat.joules[5]
    assert heat.period_s == pytest.approx(1.0)
    assert heat.is_fitted.all()


def test_one_token_has_all_of_it(make_channel: MakeChannel) -> None:
    trace, channel = Trace(), make_channel()
    read(trace, channel, flat(30.0), TIMES_S)
    heat, lines = heat_of(trace, [channel], DECODE_SPAN, np.array([5.0]))
    assert heat.joules.tolist() == [pytest.approx(billed_j(lines))]
    told = warmth(heat)
    assert told is not None
    assert told.values.tolist() == [0.0]


def test_without_tokens_or_readings_there_is_none(make_channel: MakeChannel) -> None:
    trace, channel = Trace(), make_channel()
    read(trace, channel, flat(30.0), TIMES_S)
    lines = account(trace, [channel], [DECODE_SPAN]).lines
    curves = {channel.key: trace.curve(channel.key)}
    none = np.array([])
    assert token_energy(lines, curves, DECODE_SPAN, none, none.astype(np.int64)) is None
    assert token_energy(lines, {}, DECODE_SPAN, marks(3), np.arange(3)) is None
    assert token_energy((), curves, DECODE_SPAN, marks(3), np.arange(3)) is None


def test_a_flat_answer_is_cool_and_a_warm_half_is_warm(make_channel: MakeChannel) -> None:
    trace, still, uneven = Trace(), make_channel("a:still"), make_channel("a:uneven")
    read(trace, still, lambda t: 30 * t - np.cos(3 * t), TIMES_S)
    read(trace, uneven, lambda t: 20 * t + 60 * np.maximum(t - 6, 0), TIMES_S)
    cool = warmth(heat_of(trace, [still], DECODE_SPAN, marks(400))[0])
    warm = warmth(heat_of(trace, [uneven], DECODE_SPAN, marks(400))[0])
    assert cool is not None
    assert warm is not None
    assert float(cool.values.max()) < 0.4
    assert cool.high_j == pytest.approx(2 * cool.low_j)
    assert float(warm.values[:190].max()) < 0.1
    assert float(warm.values[-190:].min()) > 0.9
    step_s = 10.014 / 400
    assert (warm.low_j, warm.high_j) == (
        pytest.approx(20 * step_s, rel=0.02),
        pytest.approx(80 * step_s, rel=0.02),
    )
