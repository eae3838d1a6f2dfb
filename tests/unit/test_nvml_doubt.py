"""What explains an NVIDIA GPU's watts, and whether its energy counter can be believed."""

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.power import reader
from monitor.power.channel import Kind, OpenAnew
from monitor.power.gauge import Quantity
from monitor.power.nvml.gauges import throttled_by
from monitor.power.sampler import Sampler
from monitor.power.sources.nvml import Nvml
from monitor.power.trace import Trace
from monitor.tally import Tally
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu, init_calls
from tests.unit.conftest import Eventually, FakeGpus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

SECOND = FakeGpu(uuid="GPU-second", curve=PowerCurve.constant(90.0))


@pytest.fixture(autouse=True)
def _no_gpu_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own GPUs out."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))


# Whether the counter can be believed.


def read_on(nvml: Nvml) -> None:
    for _ in range(200):
        nvml.read()
        time.sleep(0.02)


def test_a_counter_at_odds_with_the_watts_is_billed_and_said_to_be_doubtful(
    fake_gpus: FakeGpus, eventually: Eventually
) -> None:
    steady = PowerCurve.constant(400.0)
    fake_gpus([FakeGpu(uuid="GPU-odd", curve=steady, energy_scale=0.5), SECOND])
    with Sampler(hz=50, sources=[Nvml(check_s=0.4)]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        eventually(lambda: sampler.probes()[0].doubts)
        (probe,) = sampler.probes()
        latest = sampler.trace.curve("nvml:GPU-odd")
    (doubt,) = probe.doubts
    assert doubt.key == "nvml:GPU-odd"
    assert "GPU 0: its energy counter and its watts disagree" in probe.doubt
    assert "The counter is billed" in probe.doubt
    assert "disagree" not in probe.reason
    span_s = latest.time_s[-1] - latest.time_s[0]
    assert latest.energy_j[-1] == pytest.approx(200.0 * span_s, rel=0.2)


def test_a_counter_that_stops_is_given_up_for_the_watts(fake_gpus: FakeGpus) -> None:
    steady = PowerCurve.constant(400.0)
    fake_gpus([FakeGpu(curve=steady, frozen_from_s=0.6), replace(SECOND, curve=steady)])

    with closing(Nvml(check_s=0.3)) as nvml:
        nvml.probe()
        nvml.open()
        with pytest.raises(OpenAnew, match="GPU 0 does not follow its watts"):
            read_on(nvml)
        nvml.probe()
        stopped, other = nvml.open()
        nvml.read()
    assert (stopped.kind, other.kind) == (Kind.POWER, Kind.COUNTER)
    assert (stopped.key, other.key) == (f"nvml:{stopped.device}:watts", "nvml:GPU-second")


@pytest.mark.parametrize(
    ("gpu", "withdrawn"),
    [
        # It moves on, but not as the watts say.
        (
            FakeGpu(
                uuid="GPU-odd",
                curve=PowerCurve(((0.0, 400.0), (10.5, 400.0), (10.51, 10.0))),
                average_s=60.0,
                has_instant=False,
            ),
            {"nvml:GPU-odd"},
        ),
        (FakeGpu(curve=PowerCurve.constant(400.0), frozen_from_s=10.5), set()),
    ],
    ids=["wrong", "stopped"],
)
def test_only_a_counter_that_counted_wrongly_is_withdrawn(
    fake_gpus: FakeGpus, gpu: FakeGpu, withdrawn: set[str]
) -> None:
    fake_gpus([gpu], elapsed_s=10.0)
    with closing(Nvml(check_s=0.3)) as nvml:
        nvml.probe()
        (channel,) = nvml.open()
        assert channel.kind is Kind.COUNTER
        with pytest.raises(OpenAnew, match="does not follow") as change:
            read_on(nvml)
    assert change.value.withdrawn == withdrawn


def test_what_was_counted_stays_counted_when_the_counter_is_given_up(
    fake_gpus: FakeGpus, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RETRY_S", 0.02)
    fake_gpus([FakeGpu(uuid="GPU-odd", curve=PowerCurve.constant(400.0), frozen_from_s=1.0)])

    def make() -> Nvml:
        return Nvml(check_s=0.4)

    sampler = Sampler(20, sources=[])
    sampler.add(make(), make)
    with sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        start_s = time.monotonic()
        tally = Tally(sampler, start_s)
        tally.bill(start_s)
        eventually(lambda: sampler.trace.latest("nvml:GPU-odd:watts"))
        began_s = sampler.trace.latest("nvml:GPU-odd:watts")[0]
        eventually(lambda: sampler.trace.latest("nvml:GPU-odd:watts")[0] > began_s + 0.5)
        end_s = sampler.trace.latest("nvml:GPU-odd:watts")[0]
        bill = tally.bill(end_s)
        assert "failing" not in sampler.probes()[0].reason
    lines = {line.channel.key: line for line in bill.lines}
    assert {key: line.channel.kind for key, line in lines.items()} == {
        "nvml:GPU-odd": Kind.COUNTER,
        "nvml:GPU-odd:watts": Kind.POWER,
    }
    assert all(line.joules > 0.0 for line in lines.values())
    assert bill.total().kind is Kind.POWER
    assert bill.total().joules < 400.0 * (end_s - start_s)


@pytest.mark.parametrize("has_watts", [True, False], ids=["tells watts", "tells joules only"])
def test_a_counter_that_stands_still_is_missing_and_not_nothing(
    fake_gpus: FakeGpus, has_watts: bool
) -> None:
    gpu = FakeGpu(has_power=has_watts, has_instant=has_watts, curve=PowerCurve.constant(400.0))
    trace = Trace()
    with ExitStack() as stack:
        # It is to stop once it has been read, however long that takes.
        for frozen_from_s in (1.0, 4.0, 10.0):
            epoch_s = fake_gpus([replace(gpu, frozen_from_s=frozen_from_s)])
            nvml = stack.enter_context(closing(Nvml()))
            nvml.probe()
            (channel,) = nvml.open()
            first = nvml.read()
            if time.monotonic() < epoch_s + frozen_from_s:
                break
        trace.add(channel)
        trace.record(first)
        time.sleep(max(epoch_s + frozen_from_s - time.monotonic(), 0.0))
        trace.record(nvml.read())
        stopped_s = time.monotonic()
        for _ in range(3):
            time.sleep(0.2)
            (reading,) = nvml.read()
            trace.record([reading])
            assert reading.counter_j is None
            assert reading.power_w == (400.0 if has_watts else None)
    assert channel.kind is Kind.COUNTER
    window = trace.window(channel.key, stopped_s, time.monotonic())
    assert (window.joules, window.coverage) == (None, 0.0)


def test_a_counter_that_goes_on_after_a_stand_has_lost_nothing(fake_gpus: FakeGpus) -> None:
    gpu = FakeGpu(curve=PowerCurve.constant(400.0), energy_step_s=0.5)
    fake_gpus([replace(gpu, has_power=False, has_instant=False)], elapsed_s=10.0)
    trace, readings = Trace(), []
    with closing(Nvml()) as nvml:
        nvml.probe()
        (channel,) = nvml.open()
        trace.add(channel)
        while len({reading.counter_j for reading in readings} - {None}) < 4:
            readings += nvml.read()
            time.sleep(0.05)
    trace.record(readings)
    first, last = readings[0], readings[-1]
    window = trace.window(channel.key, first.time_s, last.time_s)
    assert any(reading.counter_j is None for reading in readings)
    assert window.coverage == 1.0
    # It was refreshed somewhere between two readings: a stand that was lost would be 200 J.
    apart_s = max(later.time_s - earlier.time_s for earlier, later in pairwise(readings))
    counted_j = last.counter_j - first.counter_j
    assert window.joules == pytest.approx(counted_j, abs=400.0 * min(apart_s, 0.4))


@pytest.mark.parametrize("energy_scale", [0.0, 50.0])
def test_a_counter_that_never_worked_gives_way_to_the_watts(
    fake_gpus: FakeGpus, energy_scale: float
) -> None:
    fake_gpus([FakeGpu(energy_scale=energy_scale)])
    with closing(Nvml()) as nvml:
        probe = nvml.probe()
        (channel,) = nvml.open()
        (reading,) = nvml.read()
    assert channel.kind is Kind.POWER
    assert channel.key == f"nvml:{channel.device}:watts" == reading.key
    assert reading.counter_j is None
    assert "does not follow its watts" in probe.reason


def test_a_reading_that_is_not_there_for_a_moment_restarts_nothing(fake_gpus: FakeGpus) -> None:
    # NVML_ERROR_NO_DATA
    epoch_s = fake_gpus(
        [FakeGpu(lost_from_s=10.5, lost_until_s=11.2, lost_error=21)], elapsed_s=10.0
    )
    with closing(Nvml(revive_s=0.0)) as nvml:
        nvml.probe()
        nvml.open()
        before = init_calls()
        time.sleep(max(epoch_s + 10.52 - time.monotonic(), 0.0))
        for _ in range(2):
            with pytest.raises(OSError, match="No data"):
                nvml.read()
        time.sleep(max(epoch_s + 11.22 - time.monotonic(), 0.0))
        assert len(nvml.read()) == 1
        assert init_calls() == before
        assert nvml.remarks() == ()


# Gauges.


def test_gauges_tell_what_explains_the_watts(fake_gpus: FakeGpus) -> None:
    hot = FakeGpu(
        uuid="GPU-hot",
        utilization_percent=97,
        temperature_c=83,
        sm_clock_mhz=1410,
        memory_used_bytes=7 * 1024**3,
        event_reasons=0x4 | 0x20,
    )
    fake_gpus([hot, FakeGpu(has_gauges=False)])
    with closing(Nvml()) as nvml:
        nvml.probe()
        channels = nvml.open()
        gauges = nvml.gauges()
        readings = {reading.key: reading for reading in nvml.read_gauges()}
    assert {gauge.device for gauge in gauges} == {channels[0].device}
    told = {gauge.quantity: readings[gauge.key] for gauge in gauges}
    assert {quantity: reading.value for quantity, reading in told.items()} == {
        Quantity.UTILISATION: 97.0,
        Quantity.TEMPERATURE: 83.0,
        Quantity.CLOCK: 1410.0,
        Quantity.MEMORY: 7 * 1024**3,
        Quantity.THROTTLE: 1.0,
    }
    assert told[Quantity.THROTTLE].note == "power cap, temperature"
    (memory,) = [gauge for gauge in gauges if gauge.quantity is Quantity.MEMORY]
    assert memory.capacity == 24 * 1024**3
    assert memory.label == "GPU 0 memory in use"


def test_a_driver_with_the_older_name_for_throttling_tells_it_too(fake_gpus: FakeGpus) -> None:
    fake_gpus([FakeGpu(event_reasons=0x80 | 0x8, has_event_reasons=False)])
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        nvml.gauges()
        notes = [reading.note for reading in nvml.read_gauges()]
    assert "power brake of the supply" in notes


@pytest.mark.parametrize("reasons", [0x0, 0x1, 0x2, 0x100], ids=["none", "idle", "set", "display"])
def test_clocks_that_are_low_for_no_want_are_not_throttled(reasons: int) -> None:
    assert throttled_by(reasons) == ""


def test_a_lost_gpu_tells_no_gauges_and_the_others_do(fake_gpus: FakeGpus) -> None:
    epoch_s = fake_gpus([FakeGpu(uuid="GPU-lost", lost_from_s=100.0), SECOND], elapsed_s=99.4)
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        time.sleep(max(epoch_s + 100.02 - time.monotonic(), 0.0))
        nvml.read()
        assert {reading.key.split(":")[1] for reading in nvml.read_gauges()} == {"GPU-second"}
        assert nvml.remarks()[0].startswith("GPU 0 does not answer (GPU is lost)")
