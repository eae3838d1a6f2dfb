"""AMD GPUs on constructed /sys trees: cards and APUs, counters that lie, nothing twice."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.power import reader
from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role
from monitor.power.gauge import Gauge, GaugeTrace, Quantity
from monitor.power.hwmon import counter as hwmon_counter
from monitor.power.hwmon import watch
from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES, Gauged, Parting, Remarking, amdgpu
from monitor.power.sources.amdgpu import AmdGpu
from monitor.power.sources.modelled import ModelledCpu
from tests.hardware.hwmon import AMD, INTEL, FakeCard, Says, opened_files, say
from tests.unit.conftest import Eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

PutCard = Callable[[FakeCard], Path]

APU_MONITOR: Says = {"name": "amdgpu", "power1_average": 15_000_000, "in1_label": "vddnb"}
V1_METRICS, V2_METRICS = "\x10\x00\x01\x03", "\x10\x00\x02\x01"


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutCard:
    """Put a card into this test's /sys; returns its PCI device's folder."""
    (tmp_path / "sys").mkdir()
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    return lambda card: card.put(tmp_path / "sys")


def card(number: int = 0, address: str = "0000:03:00.0", **monitor: int | str) -> FakeCard:
    """A discrete card that draws 40 W, unless the test says otherwise."""
    says = {"name": "amdgpu", **(monitor or {"power1_average": 40_000_000})}
    return FakeCard(AMD, number, address, (says,))


def opened() -> tuple[AmdGpu, dict[str, Channel]]:
    source = AmdGpu()
    assert source.probe().state is ProbeState.AVAILABLE
    return source, {channel.key: channel for channel in source.open()}


def monitor_of(device: Path) -> Path:
    return device / "hwmon/hwmon3"


# What is found.


def test_what_no_card_can_be_is_no_gauge_and_said_so(put: PutCard, eventually: Eventually) -> None:
    put(card(power1_average=25_000_000, temp1_input=2147483647, freq1_input=1_500_000_000))
    with Sampler(hz=50, sources=[AmdGpu()]) as sampler:
        key = "amdgpu:0000:03:00.0:clock"
        eventually(lambda: sampler.gauge_trace.latest(key))
        assert sampler.gauge_trace.latest(key.replace("clock", "temperature")) is None
        told = "Refused as impossible: the last reading of AMD GPU 0 temperature."
        assert told in sampler.probes()[0].reason


def test_the_source_is_registered() -> None:
    assert AmdGpu in SOURCES
    assert isinstance(AmdGpu(), Gauged)


def test_a_card_is_a_gpu_part_that_is_integrated(put: PutCard) -> None:
    put(card())
    source, channels = opened()
    (channel,) = channels.values()
    assert (channel.key, channel.device) == ("amdgpu:0000:03:00.0", "0000:03:00.0")
    assert (channel.domain, channel.kind, channel.role) == (Domain.GPU, Kind.POWER, Role.PART)
    (reading,) = source.read()
    assert (reading.key, reading.power_w, reading.counter_j) == (channel.key, 40.0, None)


def test_what_is_drawn_now_is_read_before_a_mean(put: PutCard) -> None:
    put(card(power1_average=40_000_000, power1_input=55_500_000))
    source, _ = opened()
    assert [reading.power_w for reading in source.read()] == [55.5]


@pytest.mark.parametrize("mean", [True, False])
def test_a_mean_is_not_taken_to_be_as_young_as_it_is_renewed(put: PutCard, mean: bool) -> None:
    put(card(**{"power1_average" if mean else "power1_input": 40_000_000}))
    (channel,) = opened()[1].values()
    assert channel.least_period_s == (channel.period_s if mean else 0.0)


def test_a_power_that_does_not_answer_gives_way_to_the_other(put: PutCard) -> None:
    put(card(power1_input="", power1_average=40_000_000))
    source, _ = opened()
    assert [reading.power_w for reading in source.read()] == [40.0]


@pytest.mark.parametrize(("now_uw", "mean_uw"), [(0, 40_000_000), (40_000_000, 0)])
def test_a_power_of_0_is_not_told_and_is_no_doubt_of_a_counter(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, now_uw: int, mean_uw: int
) -> None:
    device = put(card(power1_input=now_uw, power1_average=mean_uw, energy1_input=1_000_000))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, 40.0, clock)
        source.probe()
    assert [channel.kind for channel in source.open()] == [Kind.COUNTER]
    assert [reading.power_w for reading in source.read()] == [40.0]
    # Both may say so for a moment: the counter goes on, and what it draws now is not known.
    say(monitor_of(device), {"power1_input": 0, "power1_average": 0, "energy1_input": 99_000_000})
    (reading,) = source.read()
    assert (reading.counter_j, reading.power_w) == (99.0, None)


def test_a_power_of_0_is_a_gap_and_no_0_w(put: PutCard) -> None:
    device = put(card())
    source, _ = opened()
    say(monitor_of(device), {"power1_average": 0})
    with pytest.raises(OSError, match="does not tell any more"):
        source.read()
    say(monitor_of(device), {"power1_average": 41_000_000})
    assert [reading.power_w for reading in source.read()] == [41.0]


@pytest.mark.parametrize("told_uw", [12_000, 499_999])
def test_what_is_awake_draws_more_than_some_sockets_tell(put: PutCard, told_uw: int) -> None:
    """As a Ryzen of 2024 does on Linux 6.17, whose package draws tens of watts."""
    device = put(FakeCard(AMD, monitors=({**APU_MONITOR, "power1_average": told_uw},)))
    source = AmdGpu()
    assert source.probe().state is ProbeState.ABSENT
    say(monitor_of(device), {"power1_average": 500_000})
    assert source.probe().state is ProbeState.AVAILABLE
    source.open()
    assert [reading.power_w for reading in source.read()] == [0.5]
    say(monitor_of(device), {"power1_average": told_uw})
    with pytest.raises(OSError, match="does not tell any more"):
        source.read()


def test_only_amd_cards_are_taken_and_each_once(put: PutCard) -> None:
    # A network card's monitor, an Intel GPU, and a second AMD card on another number.
    put(card(1, "0000:0a:00.0"))
    put(card(0, "0000:03:00.0"))
    put(FakeCard(INTEL, 2, "0000:00:02.0", ({"name": "amdgpu", "power1_average": 1},)))
    _, channels = opened()
    assert list(channels) == ["amdgpu:0000:03:00.0", "amdgpu:0000:0a:00.0"]
    assert [channel.label for channel in channels.values()] == ["AMD GPU 0", "AMD GPU 1"]


def test_partitions_of_one_accelerator_are_one_card(put: PutCard) -> None:
    device = put(card(1))
    second = device / "drm/card2"
    second.mkdir()
    (second / "device").symlink_to("../..")
    (device.parents[2] / "class/drm/card2").symlink_to(second)
    _, channels = opened()
    assert [channel.label for channel in channels.values()] == ["AMD GPU 1"]


def test_a_card_that_names_its_product_is_called_so(put: PutCard) -> None:
    device = put(card())
    say(device, {"product_name": "AMD Instinct MI210"})
    _, channels = opened()
    assert [channel.label for channel in channels.values()] == ["AMD GPU 0 Instinct MI210"]


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ((), "no AMD GPU"),
        ((FakeCard(AMD, monitors=({"name": "radeon", "temp1_input": 1},)),), "driver"),
        ((FakeCard(AMD, monitors=({"name": "amdgpu", "temp1_input": 1},)),), "driver"),
    ],
)
def test_silence_has_a_reason(put: PutCard, cards: tuple[FakeCard, ...], says: str) -> None:
    for each in cards:
        put(each)
    probe = AmdGpu().probe()
    assert (probe.source, probe.state) == ("amdgpu", ProbeState.ABSENT)
    assert says in probe.reason


# Counters.


def count(device: Path, energy_uj: int) -> None:
    say(monitor_of(device), {"energy1_input": energy_uj})


def running(device: Path, power_w: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the counter run at `power_w` while the source's probe waits; the wait takes no time."""

    def wait(seconds: float) -> None:
        count(device, int(1_000_000 + power_w * seconds * 1e6))
        now_s[0] += seconds

    now_s = [time.monotonic()]
    monkeypatch.setattr(time, "sleep", wait)
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])


@pytest.mark.parametrize(
    ("counted_w", "kind"),
    [
        (40.0, Kind.COUNTER),
        (5.0, Kind.COUNTER),
        (390.0, Kind.COUNTER),
        (0.0, Kind.POWER),
        (3.0, Kind.POWER),
        (410.0, Kind.POWER),
        (40_000.0, Kind.POWER),
    ],
)
def test_a_counter_is_believed_if_it_agrees_with_the_power(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, counted_w: float, kind: Kind
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, counted_w, clock)
        probe = source.probe()
    (channel,) = source.open()
    assert channel.kind is kind
    assert ("counted" in probe.reason) == (kind is Kind.COUNTER)
    assert ("integrated" in probe.reason) == (kind is Kind.POWER)
    (reading,) = source.read()
    assert reading.power_w == 40.0
    assert (reading.counter_j is None) == (kind is Kind.POWER)


def test_a_disagreement_is_told_with_both_figures(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    source = AmdGpu()
    running(device, 1000.0, monkeypatch)
    reason = source.probe().reason
    assert "1e+03 W" in reason
    assert "40 W" in reason


def test_a_dead_counter_without_watts_leaves_nothing_to_read(put: PutCard) -> None:
    put(card(energy1_input=0))
    assert AmdGpu().probe().state is ProbeState.ABSENT


def test_a_value_that_was_not_refreshed_is_not_told_as_zero_watts(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, 40.0, clock)
        source.probe()
    assert len(source.read()) == 1
    assert source.read() == []
    count(device, 20_000_000)
    assert [reading.counter_j for reading in source.read()] == [20.0]


def test_a_counter_that_freezes_later_is_replaced_by_its_power(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, 40.0, clock)
        source.probe()
    assert source.read()
    assert source.read() == []
    # From here on only: a busy machine may have taken longer for the two readings.
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.1)
    time.sleep(0.1)
    with pytest.raises(OSError, match="stands still"):
        source.read()
    # The sampler opens a source that fails anew.
    again, channels = opened()
    assert [channel.kind for channel in channels.values()] == [Kind.POWER]
    assert [reading.power_w for reading in again.read()] == [40.0]


def test_a_counter_may_stand_while_its_card_sleeps(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, 40.0, clock)
        source.probe()
    source.read()
    source.read()
    # From here on only: a busy machine may have taken longer for the two readings.
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.02)
    say(device, {"power/runtime_status": "suspended"})
    assert source.read() == []
    time.sleep(0.03)
    say(device, {"power/runtime_status": "active"})
    assert source.read() == []
    count(device, 20_000_000)
    assert [reading.counter_j for reading in source.read()] == [20.0]


def test_a_card_that_is_gone_is_a_fault_but_not_of_the_other(put: PutCard) -> None:
    first = put(card(0, "0000:03:00.0"))
    second = put(card(1, "0000:0a:00.0"))
    source, _ = opened()
    (monitor_of(first) / "power1_average").unlink()
    assert source.remarks() == ()
    assert [reading.key for reading in source.read()] == ["amdgpu:0000:0a:00.0"]
    assert source.remarks() == ("AMD GPU 0 does not tell any more what it draws.",)
    (monitor_of(second) / "power1_average").unlink()
    with pytest.raises(OSError, match="AMD GPU"):
        source.read()


def test_a_card_has_left_when_it_sleeps_or_is_unplugged_and_not_without_its_driver(
    put: PutCard, tmp_path: Path
) -> None:
    device = put(card())
    source, channels = opened()
    (channel,) = channels.values()
    assert isinstance(source, Parting)
    assert not source.has_left(channel)
    say(device, {"power/runtime_status": "suspended"})
    assert source.has_left(channel)
    say(device, {"power/runtime_status": "active"})
    # Its driver is unloaded: the card draws power still, and is on the bus.
    (tmp_path / "sys/class/drm/card0").unlink()
    assert not source.has_left(channel)
    assert not source.has_left(replace(channel, key=f"{channel.key}:watts"))
    (tmp_path / "sys/bus/pci/devices/0000:03:00.0").unlink()
    assert source.has_left(channel)
    assert source.has_left(replace(channel, key=f"{channel.key}:watts"))


def test_a_counter_that_freezes_costs_the_other_card_nothing_at_first(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.0)
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    put(card(1, "0000:0a:00.0"))
    source = AmdGpu()
    with monkeypatch.context() as clock:
        running(device, 40.0, clock)
        source.probe()
    assert len(source.read()) == 2
    assert [reading.key for reading in source.read()] == ["amdgpu:0000:0a:00.0"]
    assert source.remarks() == ("AMD GPU 0: its energy counter stands still.",)
    assert isinstance(source, Remarking)
    # After a while its watts are worth more than a counter.
    monkeypatch.setattr(amdgpu, "GIVEN_UP_S", 0.0)
    with pytest.raises(OSError, match="given up"):
        source.read()


def test_a_card_that_is_silent_beside_another_is_told_of(put: PutCard) -> None:
    put(card())
    put(card(1, "0000:0a:00.0", power1_average=""))
    source = AmdGpu()
    assert "AMD GPU 1 does not tell what it draws." in source.probe().reason
    assert len(source.open()) == 1


def test_a_card_that_may_sleep_is_said_to_be_kept_awake(put: PutCard) -> None:
    device = put(card())
    say(device, {"power/control": "auto"})
    apu = FakeCard(AMD, 1, "0000:74:00.0", (APU_MONITOR,), files={"power/control": "auto"})
    put(apu)
    reason = AmdGpu().probe().reason
    assert "AMD GPU 0 cannot fall asleep while it is read." in reason
    assert reason.count("cannot fall asleep") == 1, "a processor that runs this never does"
    say(device, {"power/control": "on"})
    assert "cannot fall asleep" not in AmdGpu().probe().reason


@pytest.mark.parametrize("silence", ["", 0])
def test_a_silent_card_is_read_once_it_tells(
    put: PutCard,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    silence: int | str,
) -> None:
    monkeypatch.setattr(amdgpu, "LOOK_S", 0.02)
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    monkeypatch.setattr(reader, "RETRY_S", 0.01)
    alone = put(card(power1_average=silence))
    with Sampler(hz=50, sources=[AmdGpu()]) as sampler:

        def read() -> list[str]:
            return [channel.label for channel in sampler.channels()]

        assert sampler.wait_ready()
        assert sampler.probes()[0].state is ProbeState.ABSENT
        say(monitor_of(alone), {"power1_average": 40_000_000})
        eventually(lambda: read() == ["AMD GPU 0"])
        beside = put(card(1, "0000:0a:00.0", power1_average=silence))
        eventually(lambda: "AMD GPU 1 does not tell" in sampler.probes()[0].reason)
        assert read() == ["AMD GPU 0"]
        say(monitor_of(beside), {"power1_average": 50_000_000})
        eventually(lambda: read() == ["AMD GPU 0", "AMD GPU 1"])


def test_a_card_that_stays_silent_costs_the_other_nothing(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    put(card())
    put(card(1, "0000:0a:00.0", power1_average=0))
    source, _ = opened()
    for _ in range(3):
        assert [reading.power_w for reading in source.read()] == [40.0]


# Cards that sleep.


def test_a_card_that_resumes_is_not_asked_yet(put: PutCard) -> None:
    # Newer kernels refuse it until the card is up.
    device = put(card(power1_average=""))
    say(device, {"power/runtime_status": "resuming"})
    source = AmdGpu()
    probe = source.probe()
    assert "asleep" in probe.reason
    assert probe.retry_s
    say(device, {"power/runtime_status": "active"})
    say(monitor_of(device), {"power1_average": 40_000_000})
    assert source.probe().state is ProbeState.AVAILABLE
    assert [reading.power_w for reading in source.read()] == [40.0]


def test_a_card_that_sleeps_is_not_woken(put: PutCard) -> None:
    # Reading any of these files resumes the card on older kernels.
    waking = {"power1_input", "power1_average", "energy1_input", "gpu_busy_percent"}
    waking |= {"temp1_input", "freq1_input", "gpu_metrics"}
    device = put(
        FakeCard(
            AMD,
            monitors=({"name": "amdgpu", **dict.fromkeys(sorted(waking), 30_000_000)},),
            files={"gpu_busy_percent": 3, "gpu_metrics": V1_METRICS},
            runtime_status="suspended",
        )
    )
    with opened_files() as names:
        source = AmdGpu()
        probe = source.probe()
        assert source.open() == ()
        assert source.gauges() == ()
        assert source.read() == []
        assert source.read_gauges() == []
    assert not waking & set(names)
    assert "runtime_status" in names
    assert probe.state is ProbeState.AVAILABLE
    assert "asleep" in probe.reason
    assert probe.retry_s
    say(device, {"power/runtime_status": "active"})
    assert source.probe().retry_s is None
    assert len(source.open()) == 1
    assert [reading.power_w for reading in source.read()] == [30.0]


def test_a_sleeping_card_delays_nobody_and_leaves_the_total_known(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    monkeypatch.setattr(amdgpu, "LOOK_S", 0.05)
    monkeypatch.setattr(reader, "RETRY_S", 0.01)
    devices = [put(card()), put(card(1, "0000:0a:00.0"))]
    say(devices[1], {"power/runtime_status": "suspended"})

    with Sampler(hz=50, sources=[AmdGpu()]) as sampler:

        def read() -> list[str]:
            return [channel.label for channel in sampler.channels()]

        assert sampler.wait_ready(10.0)
        assert read() == ["AMD GPU 0"]
        # It is a part while it is awake, and none when it sleeps again.
        say(devices[1], {"power/runtime_status": "active"})
        eventually(lambda: read() == ["AMD GPU 0", "AMD GPU 1"])
        for device in devices:
            say(device, {"power/runtime_status": "suspended"})
        eventually(lambda: read() == [])
        assert "failing" not in sampler.probes()[0].reason
        say(devices[0], {"power/runtime_status": "active"})
        eventually(lambda: read() == ["AMD GPU 0"])


def test_a_card_asleep_at_the_start_is_counted_once_it_is_awake(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = put(card(power1_average=40_000_000, energy1_input=1_000_000))
    say(device, {"power/runtime_status": "suspended"})
    source = AmdGpu()
    source.probe()
    assert source.open() == ()
    say(device, {"power/runtime_status": "active"})
    running(device, 40.0, monkeypatch)
    source.probe()
    assert [channel.kind for channel in source.open()] == [Kind.COUNTER]


def test_a_card_that_comes_back_elsewhere_is_looked_for(
    put: PutCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A driver that is loaded again gives its monitors new numbers.
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    device = put(card())
    source, _ = opened()
    assert len(source.read()) == 1
    monitor_of(device).rename(device / "hwmon/hwmon9")
    with pytest.raises(OSError, match="opened anew"):
        source.read()


# APUs: the processor is inside.


@pytest.mark.parametrize(
    "fake",
    [
        FakeCard(AMD, monitors=(APU_MONITOR,)),
        FakeCard(
            AMD,
            monitors=({"name": "amdgpu", "power1_input": 15_000_000},),
            files={"gpu_metrics": V2_METRICS},
        ),
        FakeCard(
            AMD,
            monitors=({"name": "amdgpu", "power1_input": 15_000_000},),
            files={"device": "0x74a0"},
        ),
    ],
    ids=["north bridge voltage", "metrics", "MI300A"],
)
def test_an_apu_is_a_soc_of_its_package(put: PutCard, fake: FakeCard) -> None:
    put(fake)
    source, channels = opened()
    (channel,) = channels.values()
    assert "not added" in source.probe().reason
    assert (channel.domain, channel.device) == (Domain.SOC, "package-0")
    assert channel.role is Role.PART
    assert "processor" in channel.label


@pytest.mark.parametrize(
    "files", [{}, {"gpu_metrics": V1_METRICS}, {"gpu_metrics": ""}, {"device": "0x74a1"}]
)
def test_a_card_of_its_own_is_no_soc(put: PutCard, files: dict[str, str]) -> None:
    monitor = {"name": "amdgpu", "power1_average": 40_000_000, "in0_label": "vddgfx"}
    put(FakeCard(AMD, monitors=(monitor,), files=files))
    _, channels = opened()
    assert [channel.domain for channel in channels.values()] == [Domain.GPU]


def test_each_apu_of_several_belongs_to_the_package_it_is_near(
    put: PutCard, tmp_path: Path
) -> None:
    for number, near in enumerate(["0-23,96-119", "24-47"]):
        fake = FakeCard(AMD, number, f"000{number}:01:00.0", (APU_MONITOR,))
        say(put(fake), {"local_cpulist": near})
        topology = f"devices/system/cpu/cpu{24 * number}/topology"
        say(tmp_path / "sys", {f"{topology}/physical_package_id": number})
    _, channels = opened()
    assert [channel.device for channel in channels.values()] == ["package-0", "package-1"]


# Through the sampler.


def test_an_apu_and_a_card_are_all_there_is_to_add(put: PutCard) -> None:
    # On a machine of one socket: of two, the other package would stay modelled.
    put(FakeCard(AMD, 0, "0000:c1:00.0", (APU_MONITOR,)))
    put(card(1))
    with Sampler(sources=[ModelledCpu(), AmdGpu()]) as sampler:
        assert sampler.wait_ready()
        parts = {channel.key for channel in sampler.channels() if channel.role is Role.PART}
    assert parts - {"model:package-1"} == {"amdgpu:0000:c1:00.0", "amdgpu:0000:03:00.0"}


def test_integrated_watts_are_billed(put: PutCard) -> None:
    put(card())
    with Sampler(hz=50, sources=[AmdGpu()]) as sampler:
        assert sampler.wait_ready()
        (channel,) = sampler.channels()
        start_s = time.monotonic()
        end_s = start_s + 0.4
        assert sampler.wait_until(end_s, timeout_s=10.0)
        window = sampler.trace.window(channel.key, start_s, end_s)
    assert window.joules == pytest.approx(40.0 * 0.4, rel=0.01)


@contextmanager
def counter_at(device: Path, power_w: float) -> Iterator[None]:
    """Let a card's counter run in the block; afterwards it stands."""
    stop = threading.Event()
    start_s = time.monotonic()

    def move() -> None:
        while not stop.wait(0.005):
            count(device, int(power_w * (time.monotonic() - start_s) * 1e6))

    thread = threading.Thread(target=move)
    count(device, 0)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_bill_goes_on_when_a_counter_freezes(
    put: PutCard, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    # A second or two in earnest: what counts is the order in which things happen.
    # Longer than a busy machine keeps the counter from being moved.
    monkeypatch.setattr(hwmon_counter, "FROZEN_S", 0.4)
    monkeypatch.setattr(amdgpu, "CHECK_S", 0.1)
    monkeypatch.setattr(reader, "RETRY_S", 0.01)
    monkeypatch.setattr(reader, "delay_s", lambda failed: 0.05)
    device = put(card(power1_average=40_000_000))
    with counter_at(device, 40.0):
        # Its first value has to be there before the source looks.
        sampler = Sampler(hz=50, sources=[AmdGpu()])
        sampler.start()
        assert sampler.wait_ready()
        (channel,) = sampler.channels()
        assert channel.kind is Kind.COUNTER
        start_s = time.monotonic()
        eventually(lambda: time.monotonic() - start_s > 0.3)
        before = sampler.trace.window(channel.key, start_s, start_s + 0.25)
    frozen_s = time.monotonic()
    eventually(lambda: sampler.channels()[0].kind is Kind.POWER)
    (fallback,) = sampler.channels()
    back_s = time.monotonic()
    assert sampler.wait_until(back_s + 0.4, timeout_s=10.0)
    frozen = sampler.trace.window(channel.key, frozen_s + 0.05, back_s - 0.02)
    after = sampler.trace.window(fallback.key, back_s + 0.1, back_s + 0.3)
    counted = sampler.trace.window(channel.key, start_s, start_s + 0.25)
    reason = sampler.probes()[0].reason
    sampler.stop()
    # The counter moves by a thread beside us, which may be late: at the end, and at the start.
    assert before.joules is not None
    assert 3.0 < before.joules < 2 * 40.0 * 0.25
    assert after.joules == pytest.approx(40.0 * 0.2, rel=0.02)
    # What was counted stays, and nothing else passes for it.
    assert fallback.key == f"{channel.key}:watts"
    assert counted.joules is not None
    # What came after the look is in it as well; to a refresh it is as it was.
    assert counted.joules >= before.joules - 40.0 * channel.period_s
    # What was not read is a gap, not zero watts.
    assert frozen.coverage < 0.2
    assert "integrated" in reason


# Gauges.


def test_gauges_explain_the_card(put: PutCard) -> None:
    monitor = {"name": "amdgpu", "power1_average": 40_000_000}
    monitor |= {"temp1_input": 48_000, "temp1_label": "edge"}
    monitor |= {"temp2_input": 61_500, "temp2_label": "junction"}
    monitor |= {"freq1_input": 2_105_000_000, "freq1_label": "sclk"}
    files = {"gpu_busy_percent": 87, "mem_info_vram_used": 3_000_000_000}
    files |= {"mem_info_vram_total": 16_000_000_000}
    put(FakeCard(AMD, monitors=(monitor,), files=files))
    source, channels = opened()
    gauges = {gauge.quantity: gauge for gauge in source.gauges()}
    values = {reading.key: reading.value for reading in source.read_gauges()}
    assert {quantity: values[gauge.key] for quantity, gauge in gauges.items()} == {
        Quantity.UTILISATION: 87.0,
        Quantity.TEMPERATURE: 61.5,
        Quantity.CLOCK: 2105.0,
        Quantity.MEMORY: 3e9,
    }
    assert gauges[Quantity.MEMORY].capacity == 16e9
    (channel,) = channels.values()
    assert {(gauge.domain, gauge.device) for gauge in gauges.values()} == {
        (channel.domain, channel.device)
    }
    assert all(gauge.label.startswith(channel.label) for gauge in gauges.values())


@pytest.mark.parametrize(
    ("monitor", "used", "capacity"),
    [(APU_MONITOR, 21e9, 50e9), ({"name": "amdgpu", "power1_average": 40_000_000}, 1e9, 2e9)],
    ids=["APU", "card"],
)
def test_an_apu_has_models_in_the_systems_memory(
    put: PutCard, monitor: Says, used: float, capacity: float
) -> None:
    files = {"mem_info_vram_used": 10**9, "mem_info_vram_total": 2 * 10**9}
    files |= {"mem_info_gtt_used": 20 * 10**9, "mem_info_gtt_total": 48 * 10**9}
    device = put(FakeCard(AMD, monitors=(monitor,), files=files))
    source, _ = opened()
    (gauge,) = source.gauges()
    assert (gauge.quantity, gauge.capacity) == (Quantity.MEMORY, capacity)
    assert [reading.value for reading in source.read_gauges()] == [used]
    # Of half of it nothing is told, rather than too little.
    (device / "mem_info_gtt_used").unlink()
    told = [reading.value for reading in source.read_gauges()]
    assert told == ([used] if "in1_label" not in monitor else [])


def test_a_card_tells_what_it_can_and_no_more(put: PutCard) -> None:
    device = put(card(power1_average=1_000_000, temp1_input=48_000))
    source, _ = opened()
    (gauge,) = source.gauges()
    assert isinstance(gauge, Gauge)
    trace = GaugeTrace()
    trace.record(source.read_gauges())
    latest = trace.latest(gauge.key)
    assert latest is not None
    assert (gauge.quantity, latest.value) == (Quantity.TEMPERATURE, 48.0)
    (monitor_of(device) / "temp1_input").unlink()
    assert source.read_gauges() == []
