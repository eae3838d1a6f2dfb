"""A counter nobody read for a while is drawn at the mean of what it counted, and billed as that."""

import numpy as np
import pytest

from monitor.energy.account import DECODE, Phase, account
from monitor.power.channel import Channel, Kind, Reading
from monitor.power.curve import Curve, Gap
from monitor.power.silences import levelled
from monitor.power.trace import Trace
from tests.unit.conftest import MakeChannel

FROM_S, UNTIL_S = 20.0, 80.0


def power_w(at_s: float) -> float:
    """Watts at a moment: much of the silence is spent at work, of which its ends show nothing."""
    return 400.0 if 40.0 <= at_s < 50.0 else 50.0


def silent_trace(channel: Channel, reason: Gap = Gap.MISSED) -> Trace:
    """Return a hundred seconds of a channel, with a minute in which it was not read."""
    trace, counter_j = Trace(), 0.0
    trace.add(channel)
    for tenth in range(1001):
        at_s = tenth / 10
        if FROM_S < at_s < UNTIL_S:
            trace.miss([channel.key], reason)
        else:
            trace.record([Reading(channel.key, at_s, counter_j, power_w(at_s))])
        counter_j += power_w(at_s) * 0.1
    return trace


def surface_j(curve: Curve, start_s: float, end_s: float) -> float:
    """Joules below a curve as it is drawn."""
    inside = (curve.time_s >= start_s) & (curve.time_s <= end_s)
    time_s, watts = curve.time_s[inside], curve.power_w[inside]
    return float(np.sum((watts[1:] + watts[:-1]) / 2 * np.diff(time_s)))


@pytest.mark.parametrize("kind", [Kind.COUNTER, Kind.MODELLED])
def test_a_silence_is_level_at_the_mean_of_what_was_counted(
    make_channel: MakeChannel, kind: Kind
) -> None:
    channel = make_channel(kind=kind, period_s=0.1)
    curve = silent_trace(channel).curve(channel.key)
    drawn = levelled(channel, curve)
    mean_w = (50.0 * 50 + 400.0 * 10) / 60
    between = (drawn.time_s > FROM_S) & (drawn.time_s < UNTIL_S)
    assert drawn.power_w[between] == pytest.approx(mean_w)
    assert (np.diff(drawn.time_s) > 0).all()
    assert np.diff(drawn.time_s[between]).max() <= 1.0, "a plot that thins it out finds it"
    assert surface_j(drawn, 10.0, 90.0) == pytest.approx(surface_j(curve, 10.0, 20.0) * 2 + 6500.0)
    assert np.interp(50.0, drawn.time_s, drawn.energy_j) == np.interp(
        50.0, curve.time_s, curve.energy_j
    )


def test_what_was_read_throughout_and_what_is_a_gap_stay_as_they_are(
    make_channel: MakeChannel,
) -> None:
    power, counter = make_channel(kind=Kind.POWER, period_s=0.1), make_channel(period_s=0.1)
    slow = make_channel(period_s=20.0)
    for channel, reason in ((power, Gap.MISSED), (counter, Gap.RESET), (slow, Gap.MISSED)):
        curve = silent_trace(channel, reason).curve(channel.key)
        assert levelled(channel, curve) is curve


def test_a_span_within_a_silence_is_not_resolved(make_channel: MakeChannel) -> None:
    """What was counted is spread over all of the silence: nobody knows how much fell into it."""
    channel = make_channel(period_s=0.1)
    trace = silent_trace(channel)
    phases = [Phase(DECODE, 40.0, 50.0), Phase(DECODE, 10.0, 50.0)]
    within, across = account(trace, [channel], phases).lines
    assert within.energy is not None
    assert within.energy.low_j <= 4_000.0 <= within.energy.high_j
    assert (within.samples, within.resolved) == (0, False)
    assert within.coverage == 1.0, "a counter that went on has observed it"
    assert across.resolved
    assert not account(trace, [channel], phases[:1]).total().resolved
