"""What explains an NVIDIA GPU's watts, and whether its energy counter can be believed."""

import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.power.channel import Kind
from monitor.power.gauge import Quantity
from monitor.power.nvml.gauges import throttled_by
from monitor.power.sampler import Sampler
from monitor.power.sources.nvml import Nvml
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
    fake_gpus([FakeGpu(curve=steady, frozen_from_s=0.1), replace(SECOND, curve=steady)])

    def read_on(nvml: Nvml) -> None:
        for _ in range(100):
            nvml.read()
            time.sleep(0.02)

    with closing(Nvml(check_s=0.3)) as nvml:
        nvml.probe()
        nvml.open()
        with pytest.raises(OSError, match="GPU 0 does not follow its watts"):
            read_on(nvml)
        nvml.probe()
        stopped, other = nvml.open()
        nvml.read()
    assert (stopped.kind, other.kind) == (Kind.POWER, Kind.COUNTER)


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
    assert reading.counter_j is None
    assert "does not follow its watts" in probe.reason


def test_a_reading_that_is_not_there_for_a_moment_restarts_nothing(fake_gpus: FakeGpus) -> None:
    # NVML_ERROR_NO_DATA
    fake_gpus([FakeGpu(lost_from_s=10.1, lost_until_s=10.3, lost_error=21)], elapsed_s=10.0)
    with closing(Nvml(revive_s=0.0)) as nvml:
        nvml.probe()
        nvml.open()
        before = init_calls()
        time.sleep(0.15)
        for _ in range(2):
            with pytest.raises(OSError, match="No data"):
                nvml.read()
        time.sleep(0.2)
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
    fake_gpus([FakeGpu(uuid="GPU-lost", lost_from_s=100.0), SECOND], elapsed_s=99.8)
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        time.sleep(0.2)
        nvml.read()
        assert {reading.key.split(":")[1] for reading in nvml.read_gauges()} == {"GPU-second"}
        assert nvml.remarks()[0].startswith("GPU 0 does not answer (GPU is lost)")
