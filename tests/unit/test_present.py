"""Watts as of now: of every rhythm a sensor may have, and never of a reading that is old."""

import time
from dataclasses import replace

import pytest

from monitor.energy import present as present_module
from monitor.energy import standing as standing_module
from monitor.energy.account import WATCH, Phase, account
from monitor.energy.present import in_force, present
from monitor.power import sampler as sampler_module
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.curve import Gap
from monitor.power.gauge import GAP_S, Gauge, GaugeReading, GaugeTrace, Quantity
from monitor.power.present import FRESH_S, present_reading, present_w, total_w
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from tests.unit.conftest import Eventually, MakeChannel

FAST_S = 0.1


def counted(channel: Channel, power_w: float, end_s: float, every_s: float) -> Trace:
    """Return a trace of a counter that is read now and then from 0 on, up to some time."""
    trace = Trace()
    trace.add(channel)
    for number in range(int(end_s / every_s) + 1):
        at_s = number * every_s
        trace.record([Reading(channel.key, at_s, counter_j=power_w * at_s)])
    return trace


@pytest.mark.parametrize("period_s", [0.001, 0.5, 1.0, 2.2])
def test_watts_are_known_throughout_a_refresh(make_channel: MakeChannel, period_s: float) -> None:
    """A chip that publishes every two seconds draws something in between as well."""
    channel = make_channel(period_s=period_s)
    every_s = max(period_s, FAST_S)
    end_s = 10 * every_s
    trace = counted(channel, 7.0, end_s, every_s)
    for later in (0.0, 0.3, 0.7, 0.99):
        now_s = end_s + later * every_s
        assert present_w(trace, channel, now_s) == pytest.approx(7.0)


@pytest.mark.parametrize(("period_s", "known_s"), [(0.001, FRESH_S), (2.0, 8.0)])
def test_an_old_reading_is_not_of_now(
    make_channel: MakeChannel, period_s: float, known_s: float
) -> None:
    channel = make_channel(period_s=period_s)
    trace = counted(channel, 7.0, 20.0, max(period_s, FAST_S))
    assert present_w(trace, channel, 20.0 + known_s - 0.01) == pytest.approx(7.0)
    assert present_w(trace, channel, 20.0 + known_s + 0.01) is None


def test_watts_of_a_fast_channel_are_the_mean_of_its_last_second(
    make_channel: MakeChannel,
) -> None:
    channel = make_channel(kind=Kind.POWER)
    trace = Trace()
    trace.add(channel)
    for number in range(41):
        trace.record([Reading(channel.key, number / 20, power_w=30.0 + 10.0 * (number % 2))])
    assert present_w(trace, channel, 2.0) == pytest.approx(35.0)


def test_a_first_reading_and_one_after_a_gap_are_watts_and_a_counter_alone_is_not(
    make_channel: MakeChannel,
) -> None:
    power, counter = make_channel("t:power", kind=Kind.POWER), make_channel("t:counter")
    trace = Trace()
    for channel in (power, counter):
        trace.add(channel)
        assert present_w(trace, channel, 0.0) is None
    trace.record([Reading(power.key, 0.0, power_w=9.0), Reading(counter.key, 0.0, counter_j=5.0)])
    assert present_w(trace, power, 0.0) == 9.0
    assert present_w(trace, counter, 0.0) is None
    trace.miss([power.key], Gap.ASLEEP)
    trace.record([Reading(power.key, 5.0, power_w=4.0)])
    assert present_w(trace, power, 5.0) == 4.0


def test_watts_between_two_counts_are_not_told_as_counted(make_channel: MakeChannel) -> None:
    """A card's counter is dear to ask: the watts read meanwhile only tell how it advanced."""
    card, trace = make_channel("t:card", period_s=0.02), Trace()
    trace.add(card)
    trace.record([Reading(card.key, 0.0, counter_j=0.0, power_w=100.0)])
    assert present_w(trace, card, 0.0) is None, "these watts are not counted"
    for tick in range(1, 17):
        at_s = tick / 10
        if tick % 8:
            trace.sketch([Reading(card.key, at_s, power_w=100.0)])
        else:
            trace.record([Reading(card.key, at_s, counter_j=100.0 * at_s, power_w=100.0)])
    assert present_w(trace, card, 1.6) == pytest.approx(100.0, rel=0.01)
    for tick in range(17, 38):
        trace.sketch([Reading(card.key, tick / 10, power_w=900.0)])
    assert present_w(trace, card, 1.6 + FRESH_S - 0.01) == pytest.approx(100.0, rel=0.01)
    assert present_w(trace, card, 1.6 + FRESH_S + 0.01) is None, "it was not counted of late"


def test_a_part_that_is_not_known_makes_a_total_unknown() -> None:
    assert total_w([3.0, 4.0]) == 7.0
    assert total_w([3.0, None]) is None
    assert total_w([]) is None


def test_a_gauge_is_of_now_for_two_seconds() -> None:
    gauge = Gauge("t:heat", "CPU temperature", Quantity.TEMPERATURE, Domain.CPU, "0")
    trace = GaugeTrace()
    assert present_reading(trace, gauge, 0.0) is None
    trace.record([GaugeReading(gauge.key, 1.0, 50.0)])
    assert present_reading(trace, gauge, 1.0 + GAP_S) == GaugeReading(gauge.key, 1.0, 50.0)
    assert present_reading(trace, gauge, 1.1 + GAP_S) is None


class Stuck:
    """A source whose readings are of a minute ago, beside one of now."""

    name = "stuck"

    def __init__(self, make_channel: MakeChannel) -> None:
        self._channels = tuple(make_channel(f"t:{name}", kind=Kind.POWER) for name in "ab")

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return self._channels

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading("t:a", now_s, power_w=5.0), Reading("t:b", now_s - 60, power_w=6.0)]

    def close(self) -> None:
        """Nothing is held open."""


def test_what_is_listed_with_its_watts_has_none_where_they_are_old(
    make_channel: MakeChannel,
) -> None:
    with Sampler(50, [Stuck(make_channel)]) as sampler:
        assert sampler.wait_ready()
        listed = {channel.key: power_w for channel, power_w in present(sampler).billed}
    assert listed == {"t:a": 5.0, "t:b": None}


class Steady:
    """A source whose one counter advances as evenly as time, as long as it answers."""

    def __init__(self, of: Channel, power_w: float) -> None:
        self.name, self._of, self._power_w, self.answers = of.key, of, power_w, True

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is steady.")

    def open(self) -> tuple[Channel, ...]:
        return (self._of,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        if not self.answers:
            return []
        return [Reading(self._of.key, now_s, counter_j=self._power_w * now_s)]

    def close(self) -> None:
        """Nothing is held open."""


def test_what_is_shown_live_is_what_is_billed(
    make_channel: MakeChannel, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (standing_module, present_module):
        monkeypatch.setattr(module, "SILENT_S", 1.2)
    monkeypatch.setattr(sampler_module, "LATE_S", 0.1)
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)
    cpu = make_channel("cpu", domain=Domain.CPU, kind=Kind.COUNTER, period_s=0.01)
    model = replace(cpu, key="model", kind=Kind.MODELLED)
    card = make_channel("card", kind=Kind.COUNTER, device="card", period_s=0.01)
    sources = [Steady(cpu, 50.0), Steady(model, 20.0), Steady(card, 40.0)]
    with Sampler(50, sources) as sampler:
        assert sampler.wait_ready()
        time.sleep(0.1)
        assert in_force(sampler) == (cpu, card)
        sources[0].answers = sources[2].answers = False
        time.sleep(0.2)
        assert in_force(sampler) == (cpu, card), "it is waited for"
        eventually(lambda: model in in_force(sampler))
        # A card has no model: it is missing, and said so.
        assert set(in_force(sampler)) == {model, card}
        shown = {channel.key: power_w for channel, power_w in present(sampler).listed}
        assert list(shown)[-1] == "cpu", "listed still, after what is added"
        eventually(lambda: (dict(present(sampler).billed)[model] or 0) == pytest.approx(20.0))
        start_s = time.monotonic()
        time.sleep(0.1)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=10.0)
        bill = account(sampler.trace, sampler.channels(), [Phase(WATCH, start_s, end_s)])
        assert {line.channel for line in bill.lines} == set(in_force(sampler))
        sources[0].answers = True
        eventually(lambda: in_force(sampler) == (cpu, card))
