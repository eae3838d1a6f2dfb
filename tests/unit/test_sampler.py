"""The sampler: every source in its own time, and no fault of one felt by another."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power import clock
from monitor.power import reader as reader_module
from monitor.power import sampler as sampler_module
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role, counted
from monitor.power.clock import beat_after
from monitor.power.curve import Gap
from monitor.power.feed import Feed
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.known import Desk, Use
from monitor.power.sampler import Sampler
from tests.unit.conftest import Eventually, MakeChannel

LONG_S = 60.0
"""How long a hanging source hangs unless its test ends first."""


@dataclass
class Steady:
    """A source of constant watts that can be told to fail in every way a driver does."""

    name: str
    channels: tuple[Channel, ...]
    power_w: float = 100.0
    hang_in: str = ""
    raise_in: str = ""
    state: ProbeState = ProbeState.AVAILABLE
    silent: set[str] = field(default_factory=set)
    read_at_s: list[float] = field(default_factory=list)
    closed: bool = False
    hanging: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def probe(self) -> Probe:
        self._maybe_fail("probe")
        return Probe(self.name, self.state, f"{self.name} is {self.state}.")

    def open(self) -> tuple[Channel, ...]:
        self._maybe_fail("open")
        return self.channels

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        self.read_at_s.append(now_s)
        self._maybe_fail("read")
        return [
            Reading(channel.key, now_s, power_w=self.power_w)
            if channel.kind is Kind.POWER
            else Reading(channel.key, now_s, counter_j=self.power_w * now_s)
            for channel in self.channels
            if channel.key not in self.silent
        ]

    def close(self) -> None:
        self.closed = True

    def _maybe_fail(self, call: str) -> None:
        if self.hang_in == call:
            self.hanging.set()
            self.released.wait(LONG_S)
        if self.raise_in == call:
            raise RuntimeError(f"{self.name} fails to {call}")


MakeSource = Callable[..., Steady]


@pytest.fixture(name="steady")
def _steady(make_channel: MakeChannel) -> Iterator[MakeSource]:
    """Make sources; those that hang are let go when the test ends."""
    made: list[Steady] = []

    def make(name: str, *channels: Channel, **faults: object) -> Steady:
        default = (make_channel(f"{name}:one", device=name, period_s=0.01),)
        source = Steady(name, channels or default, **faults)
        made.append(source)
        return source

    yield make
    for source in made:
        source.released.set()


def key_of(source: Steady) -> str:
    return source.channels[0].key


@pytest.mark.parametrize("call", ["probe", "open", "read"])
@pytest.mark.parametrize("fault", ["hang_in", "raise_in"])
def test_a_source_that_fails_disturbs_no_other(
    steady: MakeSource, eventually: Eventually, fault: str, call: str
) -> None:
    bad, good = steady("bad", **{fault: call}), steady("good")
    with Sampler(hz=50, sources=[bad, good]) as sampler:
        ready = sampler.wait_ready(timeout_s=0.2 if fault == "hang_in" else 10.0)
        assert ready is (fault == "raise_in")
        eventually(lambda: len(good.read_at_s) >= 10)
        start_s, end_s = good.read_at_s[0], good.read_at_s[8]
        window = sampler.trace.window(key_of(good), start_s, end_s)
        refresh_j = 100.0 * good.channels[0].period_s
        assert window.joules == pytest.approx(100.0 * (end_s - start_s), abs=2 * refresh_j)
        assert window.coverage == pytest.approx(1.0)
        assert good.channels[0] in sampler.channels()
        missing = sampler.trace.window(key_of(bad), start_s, end_s)
        assert (missing.joules, missing.coverage) == (None, 0.0)
        reasons = {probe.source: probe.reason for probe in sampler.probes()}
        if fault == "raise_in":
            assert f"bad fails to {call}" in reasons["bad"]
        assert reasons["good"] == "good is available."
        bad.released.set()
    eventually(lambda: good.closed)


@pytest.mark.parametrize("call", ["probe", "open"])
def test_a_source_that_has_not_answered_says_so(steady: MakeSource, call: str) -> None:
    bad = steady("bad", hang_in=call)
    with Sampler(sources=[bad]) as sampler:
        (probe,) = sampler.probes()
        assert probe.source == "bad"
        assert probe.state is not ProbeState.AVAILABLE
        assert "not answered" in probe.reason
        bad.released.set()


@pytest.mark.parametrize("state", [ProbeState.DENIED, ProbeState.ABSENT])
def test_a_source_that_is_not_available_is_told_of_and_not_read(
    steady: MakeSource, state: ProbeState
) -> None:
    source = steady("closed", state=state)
    with Sampler(sources=[source]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert sampler.channels() == ()
        assert [probe.state for probe in sampler.probes()] == [state]
    assert source.read_at_s == []
    assert source.closed


def test_waiting_for_a_source_that_hangs_ends_in_time(
    steady: MakeSource, eventually: Eventually
) -> None:
    bad, good = steady("bad"), steady("good")
    # At 1 Hz it is ten seconds until one that hangs is known to: no busy machine takes so long.
    with Sampler(hz=1, sources=[bad, good]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        bad.hang_in = "read"
        assert bad.hanging.wait(timeout=10.0)
        now_s = time.monotonic()
        assert not sampler.wait_until(now_s, timeout_s=0.3)
        assert time.monotonic() - now_s < LONG_S / 2
        eventually(lambda: sampler.trace.latest(key_of(good))[0] >= now_s)
        bad.released.set()


def test_waiting_ends_once_every_channel_was_read_beyond(steady: MakeSource) -> None:
    sources = [steady("one"), steady("two")]
    with Sampler(sources=sources) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        for _ in range(5):
            now_s = time.monotonic()
            assert sampler.wait_until(now_s, timeout_s=10.0)
            assert all(sampler.trace.latest(key_of(source))[0] >= now_s for source in sources)
            assert sampler.read_until_s() >= now_s


def test_watts_that_are_old_are_waited_for_as_well(
    steady: MakeSource, make_channel: MakeChannel
) -> None:
    """A mean over two seconds is read twice in it: a window ends with a reading beyond its end."""
    mean = make_channel("mean:gpu", kind=Kind.POWER, period_s=2.0)
    with Sampler(sources=[steady("mean", mean)]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        start_s = time.monotonic()
        # Sooner than the next reading comes by itself.
        end_s = start_s + 0.1
        time.sleep(0.1)
        assert sampler.wait_until(end_s)
        last = sampler.trace.latest(mean.key)
        assert last is not None
        assert last[0] >= end_s


def test_waiting_leaves_out_a_source_that_raises(
    steady: MakeSource, eventually: Eventually
) -> None:
    bad, good = steady("bad"), steady("good")
    with Sampler(hz=50, sources=[bad, good]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        bad.raise_in = "read"
        eventually(lambda: "failing" in sampler.probes()[0].reason)
        now_s = time.monotonic()
        assert sampler.wait_until(now_s, timeout_s=10.0)
        assert time.monotonic() - now_s < 5.0
        assert sampler.read_until_s() >= now_s


def test_waiting_leaves_out_a_channel_that_vanished(
    steady: MakeSource, make_channel: MakeChannel, eventually: Eventually
) -> None:
    lost, kept = make_channel("gpus:lost", device="a"), make_channel("gpus:kept", device="b")
    gpus = steady("gpus", lost, kept)
    with Sampler(hz=50, sources=[gpus, steady("good")]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        gpus.silent.add(lost.key)
        read = len(gpus.read_at_s)
        eventually(lambda: len(gpus.read_at_s) >= read + 3)
        now_s = time.monotonic()
        assert sampler.wait_until(now_s, timeout_s=3.0)
        assert sampler.read_until_s() >= now_s
        time.sleep(0.05)
        assert sampler.wait_until(time.monotonic(), timeout_s=3.0)
        end_s = sampler.trace.latest(kept.key)[0]
        assert sampler.trace.window(kept.key, now_s, end_s).coverage == pytest.approx(1.0)
        missing = sampler.trace.window(lost.key, now_s, end_s)
        assert (missing.joules, missing.coverage) == (None, 0.0)


def test_a_source_that_recovers_loses_no_counted_joule_but_the_watts_between(
    steady: MakeSource,
    make_channel: MakeChannel,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader_module, "RETRY_S", 0.1)
    # However long the machine takes meanwhile, they are not opened anew.
    monkeypatch.setattr(reader_module, "DEAD_S", LONG_S)
    counting = steady("counting")
    telling = steady("telling", make_channel("telling:one", kind=Kind.POWER, period_s=0.01))
    sources = [counting, telling]
    with Sampler(hz=50, sources=sources) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        eventually(lambda: min(len(source.read_at_s) for source in sources) >= 3)
        for source in sources:
            source.raise_in = "read"
        eventually(lambda: all("failing" in probe.reason for probe in sampler.probes()))
        for probe, source in zip(sampler.probes(), sources, strict=True):
            assert probe.state is ProbeState.AVAILABLE
            assert f"{source.name} fails to read" in probe.reason
        for source in sources:
            source.raise_in = ""
        eventually(lambda: not any("failing" in probe.reason for probe in sampler.probes()))
        assert sampler.wait_until(time.monotonic(), timeout_s=10.0)

        curve = sampler.trace.curve(key_of(counting))
        start_s, end_s = curve.time_s[0], curve.time_s[-1]
        window = sampler.trace.window(key_of(counting), start_s, end_s)
        refresh_j = 100.0 * counting.channels[0].period_s
        assert window.joules == pytest.approx(100.0 * (end_s - start_s), abs=2 * refresh_j)
        assert window.coverage == pytest.approx(1.0)

        curve = sampler.trace.curve(key_of(telling))
        (gap,) = (curve.gap[1:] == Gap.MISSED).nonzero()[0]
        gap_s = curve.time_s[gap + 1] - curve.time_s[gap]
        start_s, end_s = curve.time_s[0], curve.time_s[-1]
        window = sampler.trace.window(key_of(telling), start_s, end_s)
        assert window.joules == pytest.approx(100.0 * (end_s - start_s - gap_s))
        assert window.coverage == pytest.approx(1 - gap_s / (end_s - start_s))


def test_a_failing_source_is_logged_once_and_asked_seldom(
    steady: MakeSource,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader_module, "RETRY_S", 0.2)
    bad = steady("bad", raise_in="read")
    with caplog.at_level(logging.WARNING), Sampler(hz=50, sources=[bad]):
        eventually(lambda: len(bad.read_at_s) >= 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "bad fails to read" in caplog.text
    # At its rate of 50 Hz they would lie 20 ms apart.
    assert min(later - earlier for earlier, later in pairwise(bad.read_at_s)) > 0.15


def test_a_suspend_is_a_gap_of_every_channel(
    steady: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests cannot suspend the machine: the clock that tells of it is set forward instead."""
    asleep_s = [100.0]
    monkeypatch.setattr(clock, "asleep_s", lambda: asleep_s[0])
    sources = [steady("one"), steady("two")]
    with Sampler(hz=50, sources=sources) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        asleep_s[0] += 3600.0
        # Two readings later: the first may have been on its way when the clock jumped.
        for _ in range(3):
            assert sampler.wait_until(time.monotonic(), timeout_s=10.0)
    for source in sources:
        gaps = sampler.trace.curve(key_of(source)).gap[1:].tolist()
        assert gaps.count(Gap.ASLEEP) == 1
        assert gaps.count(Gap.NONE) == len(gaps) - 1
    (suspend,) = sampler.trace.suspends()
    assert suspend.length_s == 3600.0
    for source in sources:
        curve = sampler.trace.curve(key_of(source))
        (woken_s,) = curve.time_s[1:][curve.gap[1:] == Gap.ASLEEP]
        assert suspend.woken_s < woken_s


# Rates.


@pytest.mark.parametrize("hz", [1.0, 10.0, 50.0])
def test_rates_in_range_are_taken(hz: float) -> None:
    assert Sampler(hz=hz).hz == hz


@pytest.mark.parametrize("hz", [0.0, -10.0, 0.99, 50.01, math.nan, math.inf])
def test_rates_out_of_range_are_refused(hz: float) -> None:
    with pytest.raises(ValueError, match="between 1 and 50 Hz"):
        Sampler(hz=hz)


def test_no_sources_given_are_no_sources() -> None:
    with Sampler(sources=[]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert sampler.probes() == ()


@given(
    time_s=st.floats(0.0, 1e7), interval_s=st.sampled_from([0.02, 1 / 30, 0.1, 0.12, 0.5, 1.0, 5.0])
)
def test_a_beat_is_the_next_multiple_of_the_interval(time_s: float, interval_s: float) -> None:
    beat_s = beat_after(time_s, interval_s)
    assert time_s <= beat_s <= time_s + interval_s * (1 + 1e-6)
    assert beat_s / interval_s == pytest.approx(round(beat_s / interval_s), rel=0.0, abs=1e-3)


def test_sources_are_read_together(
    steady: MakeSource, make_channel: MakeChannel, eventually: Eventually
) -> None:
    quick, slow = steady("quick"), steady("slow", make_channel("slow:one", period_s=0.2))
    with Sampler(hz=10, sources=[quick]) as sampler:
        time.sleep(0.04)  # opened between two beats of the other
        sampler.add(slow)
        eventually(lambda: len(slow.read_at_s) >= 9)
    apart_s = [min(abs(at_s - other_s) for other_s in quick.read_at_s) for at_s in slow.read_at_s]
    # The first is read as it is opened. Of the others a busy machine reads some late.
    assert sum(each < 0.02 for each in apart_s[1:9]) >= 3


def spacing_s(source: Steady, readings: int) -> float:
    """Median of the time between the last so many readings; not a number before there are."""
    read_s = source.read_at_s[-readings:]
    return median(b - a for a, b in pairwise(read_s)) if len(read_s) == readings else math.nan


@dataclass
class Gauging(Steady):
    """A source with a gauge."""

    gauges_read: int = 0

    def gauges(self) -> tuple[Gauge, ...]:
        return (Gauge("one:clock", "Clock", Quantity.CLOCK, Domain.GPU, "one"),)

    def read_gauges(self) -> list[GaugeReading]:
        self.gauges_read += 1
        return [GaugeReading("one:clock", time.monotonic(), 1_000.0)]


def test_gauges_miss_none_of_their_turns(
    make_channel: MakeChannel, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    # Due as often as the source is read, which is never a full period after the last time.
    monkeypatch.setattr(reader_module, "GAUGE_PERIOD_S", 0.05)
    source = Gauging("one", (make_channel("one:one", period_s=0.01),))
    with Sampler(hz=20, sources=[source]):
        eventually(lambda: len(source.read_at_s) >= 12)
    assert source.gauges_read >= 10


def test_a_source_is_read_at_the_asked_rate(steady: MakeSource, eventually: Eventually) -> None:
    source = steady("one")
    with Sampler(hz=20, sources=[source]):
        # As soon as the machine lets it.
        eventually(lambda: 0.04 <= spacing_s(source, 10) <= 0.06)


@pytest.mark.parametrize("marked", [False, True])
def test_a_source_is_read_no_faster_than_its_own_refresh_even_when_marked(
    steady: MakeSource, make_channel: MakeChannel, eventually: Eventually, marked: bool
) -> None:
    slow = steady("slow", make_channel("slow:one", period_s=0.3))
    with Sampler(hz=50, sources=[slow]) as sampler:

        def read_often() -> bool:
            if marked:
                sampler.mark()
            return len(slow.read_at_s) >= 4

        eventually(read_often)
    # On a busy machine one may be late and the next in time: three refreshes but for a part of one.
    # At 50 Hz they would take 0.06 s.
    assert slow.read_at_s[3] - slow.read_at_s[0] >= 2 * 0.3


def test_a_mark_makes_an_extra_sample(steady: MakeSource, eventually: Eventually) -> None:
    source = steady("one")
    with Sampler(hz=1, sources=[source]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        began_s = time.monotonic()
        for _ in range(8):
            read = len(source.read_at_s)
            sampler.mark()
            eventually(lambda read=read: len(source.read_at_s) > read)
        # At 1 Hz these would have taken eight seconds.
        assert time.monotonic() - began_s < 4.0


def test_marks_put_off_no_later_sample(steady: MakeSource, eventually: Eventually) -> None:
    source = steady("one")
    with Sampler(hz=10, sources=[source]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        for _ in range(60):
            read = len(source.read_at_s)
            sampler.mark()
            eventually(lambda read=read: len(source.read_at_s) > read)
        read = len(source.read_at_s)
        eventually(lambda: len(source.read_at_s) >= read + 4)
    spacings_s = [later - earlier for earlier, later in pairwise(source.read_at_s)]
    # If each mark put it off by an interval it would come six seconds late.
    assert max(spacings_s) < 5.0


# Ends.


@pytest.mark.parametrize("call", ["probe", "read"])
def test_stop_returns_though_a_source_hangs(
    steady: MakeSource, eventually: Eventually, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler_module, "CLOSING_S", 0.3)
    bad, good = steady("bad", hang_in=call), steady("good")
    sampler = Sampler(sources=[bad, good])
    sampler.start()
    eventually(lambda: bad.hanging.is_set() and good.read_at_s)
    began_s = time.monotonic()
    sampler.stop()
    assert time.monotonic() - began_s < LONG_S / 2
    eventually(lambda: good.closed)
    read = len(good.read_at_s)
    time.sleep(0.15)
    assert len(good.read_at_s) == read


def test_stop_waits_for_no_refresh_and_closes_every_source(
    steady: MakeSource, make_channel: MakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time for each to get its turn, and less than the refresh.
    monkeypatch.setattr(sampler_module, "CLOSING_S", 20.0)
    sources = [
        steady("one", make_channel("slow:one", period_s=60.0)),
        steady("two", raise_in="read"),
        steady("three", raise_in="open"),
    ]
    with Sampler(sources=sources) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
    assert [source.closed for source in sources] == [True] * 3


# What is counted when several sources see the same.


@pytest.mark.parametrize("measured_first", [True, False])
def test_modelled_gives_way_to_measured_for_the_same_device_only(
    steady: MakeSource, make_channel: MakeChannel, measured_first: bool
) -> None:
    model = steady(
        "model",
        make_channel("model:0", kind=Kind.MODELLED, device="package-0"),
        make_channel("model:1", kind=Kind.MODELLED, device="package-1"),
    )
    measured = steady("rapl", make_channel("rapl:0", device="package-0"))
    sources = [measured, model] if measured_first else [model, measured]
    with Sampler(sources=sources) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert {channel.key for channel in sampler.channels()} == {"rapl:0", "model:1"}


@pytest.mark.parametrize(
    ("kind", "role", "domain", "device", "replaces"),
    [
        (Kind.COUNTER, Role.PART, Domain.CPU, "package-0", True),
        (Kind.POWER, Role.PART, Domain.CPU, "package-0", True),
        (Kind.COUNTER, Role.PART, Domain.CPU, "package-1", False),
        (Kind.COUNTER, Role.PART, Domain.DRAM, "package-0", False),
        (Kind.COUNTER, Role.INSIDE, Domain.CPU, "package-0", False),
        (Kind.COUNTER, Role.WHOLE, Domain.SYSTEM, "package-0", False),
        (Kind.MODELLED, Role.PART, Domain.CPU, "package-0", False),
    ],
)
def test_only_a_measured_part_of_the_same_domain_and_device_replaces_a_model(
    make_channel: MakeChannel,
    kind: Kind,
    role: Role,
    domain: Domain,
    device: str,
    replaces: bool,
) -> None:
    model = make_channel("model", kind=Kind.MODELLED)
    other = make_channel("other", kind=kind, role=role, domain=domain, device=device)
    for channels in ((model, other), (other, model)):
        kept = counted(channels)
        assert kept == ((other,) if replaces else channels)


def test_watts_go_on_while_a_measured_source_fails(
    steady: MakeSource, make_channel: MakeChannel, eventually: Eventually
) -> None:
    # A model must not slip in silently where a sensor was: the bill would change its kind.
    model = steady("model", make_channel("model:0", kind=Kind.MODELLED))
    measured = steady("rapl", make_channel("rapl:0"))
    with Sampler(hz=50, sources=[measured, model]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        measured.raise_in = "read"
        eventually(lambda: "failing" in sampler.probes()[0].reason)
        assert [channel.key for channel in sampler.channels()] == ["rapl:0"]


def test_watts_that_are_summed_are_read_twice_a_refresh_whatever_the_rate(
    steady: MakeSource, make_channel: MakeChannel, eventually: Eventually
) -> None:
    watts = {"kind": Kind.POWER, "period_s": 0.1}
    summed = steady("gpu", make_channel("gpu:one", device="gpu", **watts))
    beside = steady("plug", make_channel("plug:one", device="plug", role=Role.WHOLE, **watts))
    began_s = time.monotonic()
    with Sampler(2, [summed, beside]):
        # As soon as the machine lets it.
        eventually(lambda: 0.04 < spacing_s(summed, 15) < 0.08)
    # Twice a second, and as it is opened.
    assert len(beside.read_at_s) <= 2 * (time.monotonic() - began_s) + 2


def test_a_source_is_read_in_time_from_its_opening_on_whenever_it_was_looked_at(
    make_channel: MakeChannel,
) -> None:
    feed = Feed(Steady("slow", (make_channel(),)), None, Desk(10.0, lambda channel: channel))
    feed.set_use(set())
    assert feed.use is Use.TOTAL
