"""What the sampler does about sources that fail, hang, talk nonsense, come and go."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from monitor.power import feed as feed_module
from monitor.power import reader as reader_module
from monitor.power import sampler as sampler_module
from monitor.power.channel import (
    Channel,
    Domain,
    Doubt,
    Kind,
    OpenAnew,
    Probe,
    ProbeState,
    Reading,
    Role,
)
from monitor.power.curve import Gap
from monitor.power.sampler import Sampler
from tests.unit.conftest import Eventually, MakeChannel

LONG_S = 60.0
"""How long a hanging device hangs unless its test ends first."""

POWER_W = 100.0


@dataclass
class Device:
    """What sources are made for: it has faults, and remembers each source that met it."""

    channels: tuple[Channel, ...]
    fault: str = ""
    state: Probe = field(default_factory=lambda: Probe("dev", ProbeState.AVAILABLE, "It is there."))
    nonsense: Callable[[float], object] | None = None
    made: list["Visitor"] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def make(self) -> "Visitor":
        self.made.append(Visitor(self))
        return self.made[-1]


class Visitor:
    """A source: one object of the many that are made for a device."""

    name = "dev"

    def __init__(self, device: Device) -> None:
        self._device = device
        self.threads: set[int] = set()
        self.reads, self.closed = 0, 0
        self.began_s = time.monotonic()

    def probe(self) -> Probe:
        self._meet("probe")
        return self._device.state

    def open(self) -> tuple[Channel, ...]:
        self._meet("open")
        return self._device.channels

    def read(self) -> list[Reading]:
        self._meet("read")
        self.reads += 1
        now_s = time.monotonic()
        if self._device.nonsense:
            return self._device.nonsense(now_s)  # type: ignore[return-value]
        return [
            Reading(c.key, now_s, power_w=POWER_W)
            if c.kind is Kind.POWER
            else Reading(c.key, now_s, counter_j=POWER_W * (now_s - self.began_s))
            for c in self._device.channels
        ]

    def has_left(self, channel: Channel) -> bool:
        return False

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.closed += 1

    def _meet(self, call: str) -> None:
        self.threads.add(threading.get_ident())
        is_first = self._device.made[:1] == [self]
        fault = self._device.fault
        if fault == f"hang in {call}" or (fault == f"hang first in {call}" and is_first):
            self._device.hanging.set()
            self._device.released.wait(LONG_S)
        elif fault == f"fail to {call}":
            raise OSError("the device is gone.")
        elif fault == f"change at {call}" and is_first:
            raise OpenAnew("another device is there")


@pytest.fixture(name="device")
def _device(make_channel: MakeChannel) -> Iterator[Device]:
    device = Device((make_channel("dev:one", device="dev", period_s=0.005),))
    yield device
    device.released.set()


@pytest.fixture(name="other")
def _other(make_channel: MakeChannel) -> Iterator[Device]:
    """A device that has no fault, beside one that has."""
    return Device((make_channel("other:one", device="other", period_s=0.005),))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing and waiting as always, in a fiftieth of the time."""
    monkeypatch.setattr(reader_module, "RETRY_S", 0.02)
    monkeypatch.setattr(reader_module, "DEAD_S", 0.04)
    monkeypatch.setattr(reader_module, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(reader_module, "LONGEST_DELAY_S", 0.1)
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)


@pytest.fixture
def soon_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer is told of sooner. So may be what a busy machine holds up."""
    monkeypatch.setattr(feed_module, "SILENT_S", 0.06)


def give_up_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have calls given up after so long. So may be one that a busy machine holds up."""
    monkeypatch.setattr(feed_module, "HUNG_READING_S", seconds)
    monkeypatch.setattr(feed_module, "HUNG_OPENING_S", seconds)


def sampling(device: Device, **settings: object) -> Sampler:
    """A sampler of one source that can be made anew."""
    sampler = Sampler(50, [], **settings)  # type: ignore[arg-type]
    sampler.add(device.make(), device.make)
    return sampler


def reason(sampler: Sampler) -> str:
    return sampler.probes()[0].reason


def threads_of(name: str) -> int:
    return sum(thread.name == f"power-{name}" for thread in threading.enumerate())


# Nonsense.


def told(value: float) -> Callable[[float], list[Reading]]:
    return lambda now_s: said(now_s, value)


def said(time_s: float, value: float) -> list[Reading]:
    return [
        Reading("dev:one", time_s, counter_j=value),
        Reading("dev:two", time_s, power_w=value),
    ]


NONSENSE: dict[str, Callable[[float], object]] = {
    "negative": told(-5.0),
    "not a number": told(math.nan),
    "infinite": told(math.inf),
    "no value": lambda now_s: [Reading("dev:one", now_s), Reading("dev:two", now_s)],
    "another's channel": lambda now_s: [Reading("other:one", now_s, counter_j=1e9)],
    "an unknown channel": lambda now_s: [Reading("?", now_s, counter_j=1.0, power_w=1.0)],
    "of tomorrow": lambda now_s: said(now_s + 86400, 1.0),
    "of no time": lambda _: said(math.nan, 1.0),
    "of yesterday": lambda now_s: said(now_s - 86400, 1.0),
    "text": lambda now_s: said(now_s, "1"),  # type: ignore[arg-type]
    "nothing at all": lambda _: None,
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.usefixtures("quick")
def test_nonsense_is_no_joule_and_no_other_sources_concern(
    device: Device, other: Device, make_channel: MakeChannel, eventually: Eventually, what: str
) -> None:
    watts = make_channel("dev:two", device="two", kind=Kind.POWER, period_s=0.005)
    device.channels = (*device.channels, watts)
    good = other.make()
    good.name = "other"
    with sampling(device) as sampler:
        sampler.add(good)
        eventually(lambda: device.made[0].reads >= 3)
        told_s: list[float] = []

        def nonsense(now_s: float) -> object:
            told_s.append(now_s)
            return NONSENSE[what](now_s)

        device.nonsense, reads = nonsense, good.reads
        eventually(lambda: good.reads >= reads + 4 and len(told_s) >= 2)
        end_s = time.monotonic()
        device.nonsense = None
        eventually(lambda: end_s < sampler.trace.latest("dev:two")[0] <= time.monotonic())
        curves = [sampler.trace.curve(channel.key) for channel in device.channels]
        beside = sampler.trace.curve("other:one")
    for curve in curves:
        # Never more than was drawn, and never less than nothing.
        assert np.all(np.diff(curve.energy_j) >= 0)
        seconds = curve.time_s[-1] - curve.time_s[0]
        assert curve.energy_j[-1] <= POWER_W * seconds * (1 + 1e-9)
        assert not np.any((curve.time_s >= told_s[0]) & (curve.time_s <= told_s[-1]))
    assert set(beside.gap[1:].tolist()) == {Gap.NONE}
    assert beside.energy_j[-1] == pytest.approx(POWER_W * (beside.time_s[-1] - beside.time_s[0]))


@pytest.mark.parametrize("value", [-5.0, math.nan, 1e7])
def test_an_impossible_reading_is_told_of_while_it_lasts(
    device: Device, eventually: Eventually, value: float
) -> None:
    channel = replace(device.channels[0], key="dev:two", kind=Kind.POWER, label="GPU 7")
    device.channels, device.nonsense = (channel,), told(value)
    with sampling(device) as sampler:
        eventually(lambda: "impossible" in reason(sampler))
        assert "GPU 7" in reason(sampler)
        device.nonsense = None
        eventually(lambda: reason(sampler) == "It is there.")


def test_ten_megawatts_counted_are_a_gap(device: Device, eventually: Eventually) -> None:
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        began_s = device.made[0].began_s
        device.nonsense = lambda now_s: [
            Reading("dev:one", now_s, counter_j=1e7 * (now_s - began_s))
        ]
        eventually(lambda: "impossible" in reason(sampler))
        curve = sampler.trace.curve("dev:one")
        assert curve.gap[-1] == Gap.IMPLAUSIBLE
        assert curve.energy_j[-1] <= POWER_W * (curve.time_s[-1] - curve.time_s[0])


# A source that raises again and again.


def test_the_wait_before_a_source_is_opened_anew_doubles_up_to_a_minute() -> None:
    waits_s = [reader_module.delay_s(failed) for failed in range(9)]
    assert waits_s == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert reader_module.delay_s(100_000) == 60


@pytest.mark.usefixtures("quick")
def test_a_source_that_goes_on_raising_is_made_anew_until_it_is_back(
    device: Device, eventually: Eventually
) -> None:
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        device.fault = "fail to read"
        eventually(lambda: "failing: the device is gone." in reason(sampler))
        # It may be the third time already when this is looked at.
        eventually(lambda: re.search(r"Restarted \d+ times\.", reason(sampler)))
        eventually(lambda: "Next attempt in 1 s." in reason(sampler))
        assert sampler.channels() == device.channels
        assert threads_of("dev") == 1
        device.fault = ""
        eventually(lambda: device.made[-1].reads >= 5)
        assert "failing" not in reason(sampler)
        assert "Next attempt" not in reason(sampler)
        assert "Restarted" in reason(sampler)
        curve = sampler.trace.curve("dev:one")
    eventually(lambda: [visitor.closed for visitor in device.made] == [1] * len(device.made))
    (reset,) = np.flatnonzero(curve.gap[1:] == Gap.RESET)
    lost_s = curve.time_s[reset + 1] - curve.time_s[reset]
    seconds = curve.time_s[-1] - curve.time_s[0]
    assert curve.energy_j[-1] == pytest.approx(POWER_W * (seconds - lost_s))


def test_a_source_whose_devices_changed_is_opened_anew_at_once(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "DEAD_S", 0.0)
    # Longer than it is waited for below.
    monkeypatch.setattr(reader_module, "RETRY_S", LONG_S)
    monkeypatch.setattr(reader_module, "FIRST_DELAY_S", LONG_S)
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        device.fault = "change at read"
        eventually(lambda: len(device.made) == 2 and device.made[1].reads)
        assert reason(sampler) == "It is there."
    assert device.made[0].closed == 1


@pytest.mark.usefixtures("quick", "soon_silent")
@pytest.mark.parametrize("has_left", [True, False], ids=["left", "lost"])
def test_channels_that_a_source_does_not_find_again_stay_until_they_have_left(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, has_left: bool
) -> None:
    if has_left:
        monkeypatch.setattr(Visitor, "has_left", lambda *_: True)
    kept = () if has_left else device.channels
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        device.state = Probe("dev", ProbeState.ABSENT, "All have stopped.")
        device.fault = "change at read"
        # It is asked again and again, and says the same.
        eventually(lambda: len(device.made) >= 4)
        assert sampler.channels() == kept
        (probe,) = sampler.probes()
        assert probe.reason.startswith("All have stopped.")
        assert probe.state is (ProbeState.ABSENT if has_left else ProbeState.SILENT)
        device.state = Probe("dev", ProbeState.AVAILABLE, "Back.")
        device.fault = ""
        eventually(lambda: sampler.probes()[0].reason.startswith("Back."))
        assert sampler.channels() == device.channels
        began_s = time.monotonic()
        # One that had left has no last reading until it is read again.
        eventually(lambda: (sampler.trace.latest("dev:one") or (0.0,))[0] > began_s)


@pytest.mark.usefixtures("quick")
def test_faults_before_a_healthy_time_that_ends_with_a_change_lengthen_no_wait(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[int] = []

    def delay_s(times: int) -> float:
        failed.append(times)
        return 0.01

    def change(_: float) -> list[Reading]:
        device.fault = "fail to probe"
        raise OpenAnew("another device is there")

    monkeypatch.setattr(reader_module, "HEALTHY_S", 0.0)
    monkeypatch.setattr(reader_module, "delay_s", delay_s)
    device.fault = "fail to open"
    with sampling(device) as sampler:
        eventually(lambda: len(failed) >= 3)
        device.fault = ""
        eventually(lambda: device.made[-1].reads >= 3)
        assert sampler.channels() == device.channels
        failed.clear()
        device.nonsense = change
        eventually(lambda: failed)
    assert failed[0] == 0


@pytest.mark.usefixtures("quick")
def test_an_object_that_cannot_be_made_anew_is_closed_and_opened_again(
    device: Device, eventually: Eventually
) -> None:
    only = device.make()
    with Sampler(50, [only]) as sampler:
        eventually(lambda: only.reads >= 3)
        device.fault = "fail to read"
        eventually(lambda: only.closed >= 2)
        device.fault = ""
        reads = only.reads
        eventually(lambda: only.reads >= reads + 3)
        eventually(lambda: "failing" not in reason(sampler))
    assert device.made == [only]
    assert len(only.threads) == 1


@pytest.mark.parametrize("call", ["probe", "open"])
@pytest.mark.usefixtures("quick")
def test_a_source_that_fails_to_open_is_tried_again(
    device: Device, eventually: Eventually, call: str
) -> None:
    device.fault = f"fail to {call}"
    with sampling(device) as sampler:
        assert sampler.wait_ready(10.0)
        eventually(lambda: len(device.made) >= 3)
        assert "It failed to open: the device is gone." in reason(sampler)
        device.fault = ""
        eventually(lambda: sampler.channels() == device.channels)
        assert reason(sampler).startswith("It is there.")


@pytest.mark.usefixtures("quick")
def test_marks_do_not_hasten_a_restart(device: Device, eventually: Eventually) -> None:
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        failed_s = time.monotonic()
        device.fault = "fail to read"

        def is_restarted() -> bool:
            sampler.mark()
            return len(device.made) > 1

        eventually(is_restarted)
        assert time.monotonic() - failed_s >= reader_module.DEAD_S


@pytest.mark.usefixtures("quick")
def test_a_device_that_is_gone_keeps_its_channels_and_nothing_is_waited_for(
    device: Device, eventually: Eventually
) -> None:
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        device.state = Probe("dev", ProbeState.ABSENT, "It is gone.")
        device.fault = "fail to read"
        eventually(lambda: "It is gone." in reason(sampler))
        # A bill must not change its parts unawares: what was measured is missing now.
        assert sampler.channels() == device.channels
        assert sampler.wait_ready(timeout_s=0.0)
        began_s = time.monotonic()
        assert sampler.wait_until(began_s, timeout_s=LONG_S)
        assert time.monotonic() - began_s < LONG_S / 2
        assert sampler.read_until_s() >= began_s
        device.state, device.fault = Probe("dev", ProbeState.AVAILABLE, "Back."), ""
        eventually(lambda: device.made[-1].reads >= 2)
        assert reason(sampler).startswith("Back.")


# A source that hangs.


@pytest.mark.parametrize("call", ["probe", "open", "read"])
@pytest.mark.usefixtures("quick", "soon_silent")
def test_a_source_that_hangs_is_left_behind_and_another_takes_over(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    device.fault = f"hang first in {call}"
    give_up_after(LONG_S, monkeypatch)
    with sampling(device) as sampler:
        eventually(lambda: "It has not answered for" in reason(sampler))
        give_up_after(0.4, monkeypatch)
        eventually(lambda: len(device.made) == 2)
        give_up_after(LONG_S, monkeypatch)
        eventually(lambda: device.made[1].reads >= 3)
        assert "Restarted 1 time." in reason(sampler)
        before = sampler.trace.latest("dev:one")
        hung = device.made[0]
        assert hung.closed == 0
        device.released.set()
        # Let go, it is closed by its own thread, and what it read is too late.
        eventually(lambda: hung.closed == 1)
        eventually(lambda: threads_of("dev") == 1)
        assert not hung.threads & device.made[1].threads
        eventually(lambda: sampler.trace.latest("dev:one")[0] > before[0])
        curve = sampler.trace.curve("dev:one")
        assert set(curve.gap[1:].tolist()) <= {Gap.NONE}


@pytest.mark.usefixtures("quick", "soon_silent")
def test_the_threads_left_hanging_are_few(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(0.12, monkeypatch)
    device.fault = "hang in read"
    most = feed_module.MOST_LEFT + 1
    with sampling(device) as sampler:
        eventually(lambda: len(device.made) == most and threads_of("dev") == most)
        eventually(lambda: "has not answered" in reason(sampler))
        time.sleep(0.3)
        assert len(device.made) == most
        assert threads_of("dev") == most
        device.fault = ""
        device.released.set()
        eventually(lambda: threads_of("dev") == 1)
        eventually(lambda: "has not answered" not in reason(sampler))


@pytest.mark.usefixtures("quick", "soon_silent")
def test_an_object_that_hangs_and_cannot_be_made_anew_is_waited_for(
    device: Device, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(0.12, monkeypatch)
    only = device.make()
    with Sampler(50, [only]) as sampler:
        eventually(lambda: only.reads >= 3)
        device.fault = "hang in read"
        eventually(lambda: "has not answered for" in reason(sampler))
        time.sleep(0.3)
        assert len(only.threads) == threads_of("dev") == 1
        reads, device.fault = only.reads, ""
        device.released.set()
        eventually(lambda: only.reads >= reads + 3)
        eventually(lambda: reason(sampler) == "It is there.")


def test_a_source_known_to_hang_delays_no_answer(
    device: Device, other: Device, eventually: Eventually
) -> None:
    good = other.make()
    good.name = "other"
    with sampling(device) as sampler:
        sampler.add(good)
        eventually(lambda: device.made[0].reads >= 1)
        device.fault = "hang in read"
        assert device.hanging.wait(timeout=10.0)
        # At 50 Hz a source is stalled that has not been read for a fifth of a second.
        time.sleep(0.3)
        began_s = time.monotonic()
        assert sampler.wait_until(began_s, timeout_s=LONG_S)
        assert time.monotonic() - began_s < LONG_S / 2
        assert sampler.read_until_s() >= began_s
        device.released.set()


def test_a_slow_source_is_waited_for_only_as_long_as_its_refresh_may_take(
    make_channel: MakeChannel, eventually: Eventually
) -> None:
    slow = Device((make_channel("dev:one", role=Role.WHOLE, domain=Domain.SYSTEM, period_s=30.0),))
    with sampling(slow) as sampler:
        eventually(lambda: slow.made[0].reads == 1)
        began_s = time.monotonic()
        assert sampler.wait_until(began_s, timeout_s=15.0)
        assert time.monotonic() - began_s < 10.0


@pytest.mark.usefixtures("quick")
def test_no_running_bill_waits_for_what_is_not_added(
    device: Device, make_channel: MakeChannel, eventually: Eventually
) -> None:
    """A plug is read seldom; what a query has cost so far is asked for more often."""
    plug = Device((make_channel("plug", role=Role.WHOLE, domain=Domain.SYSTEM, period_s=LONG_S),))
    around = plug.make()
    around.name = "plug"
    with Sampler(10, [device.make(), around]) as sampler:
        eventually(lambda: around.reads)
        asked_s = time.monotonic()
        eventually(lambda: sampler.read_until_s() > asked_s)
        assert around.reads == 1


# Sources that are read and doubtful.


class Doubtful(Visitor):
    """A source that finds a doubt at its first reading, and a minute later none."""

    def doubts(self) -> tuple[Doubt, ...]:
        is_first = self.reads == 1 and len(self._device.made) == 1
        return (Doubt("dev:one", "Its counter is odd."),) if is_first else ()


@pytest.mark.usefixtures("quick")
def test_a_doubt_is_kept_though_it_has_passed_and_the_source_is_opened_anew(
    device: Device, eventually: Eventually
) -> None:
    def make() -> Doubtful:
        device.made.append(Doubtful(device))
        return device.made[-1]

    sampler = Sampler(50, [])
    sampler.add(make(), make)
    with sampler:
        eventually(lambda: device.made[0].reads >= 3)
        (probe,) = sampler.probes()
        assert probe.doubts == (Doubt("dev:one", "Its counter is odd."),)
        assert (probe.doubt, probe.reason) == ("Its counter is odd.", "It is there.")
        device.fault = "fail to read"
        eventually(lambda: len(device.made) >= 2)
        device.fault = ""
        eventually(lambda: device.made[-1].reads >= 2)
        assert sampler.probes()[0].doubt == "Its counter is odd."


# Sources that come and go.


def test_a_source_is_added_and_removed_while_others_are_read(
    device: Device, other: Device, eventually: Eventually
) -> None:
    good = other.make()
    good.name = "other"
    with Sampler(50, [good]) as sampler:
        assert sampler.wait_ready(10.0)
        sampler.add(device.make(), device.make)
        assert sampler.wait_ready(10.0)
        assert {channel.key for channel in sampler.channels()} == {"other:one", "dev:one"}
        assert len(sampler.probes()) == 2
        eventually(lambda: device.made[0].reads >= 3)
        sampler.remove("dev")
        assert [channel.key for channel in sampler.channels()] == ["other:one"]
        assert len(sampler.probes()) == 1
        eventually(lambda: device.made[0].closed == 1)
        kept = sampler.trace.curve("dev:one")
        assert len(kept.time_s) >= 2

        sampler.add(device.make(), device.make)
        eventually(lambda: device.made[1].reads >= 3)
        curve = sampler.trace.curve("dev:one")
        assert curve.gap[len(kept.time_s)] == Gap.RESET
        assert np.all(np.diff(curve.energy_j) >= 0)
        gaps = sampler.trace.curve("other:one").gap[1:]
        assert set(gaps.tolist()) == {Gap.NONE}


def test_one_name_is_one_source(device: Device) -> None:
    sampler = sampling(device)
    with pytest.raises(ValueError, match="dev is sampled already"):
        sampler.add(device.make())
    with pytest.raises(KeyError, match="plug:nowhere"):
        sampler.remove("plug:nowhere")


def test_a_source_that_hangs_is_removed_at_once(device: Device, eventually: Eventually) -> None:
    with sampling(device) as sampler:
        eventually(lambda: device.made[0].reads >= 3)
        device.fault = "hang in read"
        assert device.hanging.wait(timeout=10.0)
        began_s = time.monotonic()
        sampler.remove("dev")
        assert time.monotonic() - began_s < LONG_S / 2
        assert sampler.probes() == ()
        length = len(sampler.trace.curve("dev:one").time_s)
        device.released.set()
        eventually(lambda: device.made[0].closed == 1)
        assert len(sampler.trace.curve("dev:one").time_s) == length


def test_sources_come_and_go_from_many_threads(make_channel: MakeChannel) -> None:
    devices = [Device((make_channel(f"{n}:one", device=str(n)),)) for n in range(6)]

    def come_and_go(number: int) -> None:
        for _ in range(5):
            source = devices[number].make()
            source.name = str(number)
            sampler.add(source)
            sampler.channels(), sampler.probes(), sampler.gauges(), sampler.mark()
            sampler.remove(str(number))

    with Sampler(50, []) as sampler:
        threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sampler.channels() == ()
        assert sampler.wait_ready(10.0)


def test_a_source_that_sleeps_is_probed_again_when_it_asked_for_that(
    device: Device, eventually: Eventually
) -> None:
    device.state = Probe("dev", ProbeState.ABSENT, "The GPU is asleep.", retry_s=0.05)
    with sampling(device) as sampler:
        assert sampler.wait_ready(10.0)
        eventually(lambda: len(device.made) >= 3)
        # Sleeping is no fault.
        assert reason(sampler) == "The GPU is asleep."
        device.state = Probe("dev", ProbeState.AVAILABLE, "It is awake.")
        eventually(lambda: device.made[-1].reads >= 1)
        assert reason(sampler) == "It is awake."
        assert sampler.channels() == device.channels


def test_what_is_known_better_of_a_channel_is_used_from_its_opening_on(
    device: Device, eventually: Eventually
) -> None:
    def refine(channel: Channel) -> Channel:
        return replace(channel, period_s=0.2, step_j=0.5)

    with sampling(device, refine=refine) as sampler:
        assert sampler.wait_ready(10.0)
        (channel,) = sampler.channels()
        assert (channel.period_s, channel.step_j) == (0.2, 0.5)
        eventually(lambda: device.made[0].reads >= 3)
        # The period that was found is what it is read by, and what a window's ends are doubted by.
        curve = sampler.trace.curve("dev:one")
        # A reading that came late is followed sooner.
        assert np.mean(np.diff(curve.time_s)) >= 0.1
        window = sampler.trace.window("dev:one", curve.time_s[0], curve.time_s[-1])
        assert window.edge_j >= POWER_W * 0.2 / math.sqrt(12)


def is_read_seldom(source: Visitor) -> bool:
    """Whether it is not read ten times in a fifth of a second, as at 50 Hz."""
    reads = source.reads
    time.sleep(0.2)
    return source.reads - reads <= 1


def test_a_model_of_what_is_measured_is_read_seldom_until_it_is_needed(
    make_channel: MakeChannel, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)
    model = Device((make_channel("dev:one", kind=Kind.MODELLED, period_s=0.01),))
    meter = Device((make_channel("meter:one", period_s=0.01),))
    measured = meter.make()
    measured.name = "meter"
    with sampling(model) as sampler:
        eventually(lambda: model.made[0].reads >= 5)
        sampler.add(measured)
        eventually(lambda: measured.reads >= 3)
        # Once the sampler has seen to it.
        eventually(lambda: is_read_seldom(model.made[0]))
        began_s, reads = time.monotonic(), model.made[0].reads
        assert sampler.wait_until(began_s, timeout_s=LONG_S)
        assert sampler.read_until_s() >= began_s
        assert model.made[0].reads - reads <= 1
        sampler.remove("meter")
        began_s, reads = time.monotonic(), model.made[0].reads
        eventually(lambda: model.made[0].reads >= reads + 5)
        # As seldom as before they would take twenty seconds at least.
        assert time.monotonic() - began_s < 15.0
        curve = sampler.trace.curve("dev:one")
        assert set(curve.gap[1:].tolist()) == {Gap.NONE}


def test_what_lies_inside_others_is_read_seldom_and_when_a_moment_is_marked(
    make_channel: MakeChannel, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)
    inside = Device((make_channel("dev:one", role=Role.INSIDE, period_s=0.01),))
    with sampling(inside) as sampler:
        eventually(lambda: inside.made[0].reads >= 3)
        # Once the sampler has seen to it.
        eventually(lambda: is_read_seldom(inside.made[0]))
        began_s = time.monotonic()
        assert sampler.wait_until(began_s, timeout_s=5.0)
        assert sampler.trace.latest("dev:one")[0] >= began_s


class Remarker(Visitor):
    """A source that has found something out."""

    def remarks(self) -> tuple[str, ...]:
        return ("Its counter and its watts disagree.",)


def test_what_a_source_finds_out_while_it_is_read_is_told(
    device: Device, eventually: Eventually
) -> None:
    with Sampler(50, [Remarker(device)]) as sampler:
        eventually(lambda: reason(sampler) == "It is there. Its counter and its watts disagree.")
