"""NVIDIA GPUs as the bus shows them: those that sleep are not woken."""

import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.models.fit import free_memory
from monitor.power.asleep import BusGpu, nvidia_gpus
from monitor.power.channel import OpenAnew, ProbeState
from monitor.power.sampler import Sampler
from monitor.power.sources import Parting
from monitor.power.sources import nvml as nvml_source
from monitor.power.sources.nvml import Nvml
from tests.hardware.nvml import FakeGpu, handles_given, init_calls
from tests.hardware.sysfs import PciDevice, build_tree
from tests.unit.conftest import Eventually, FakeGpus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

Bus = Callable[..., None]

FIRST = FakeGpu(uuid="GPU-first")
SECOND = FakeGpu(uuid="GPU-second", name="NVIDIA A100-SXM4-80GB", pci_bus_id="00000000:02:00.0")


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bus:
    """Put GPUs on the bus, in place of those that were there."""
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))

    def put(*devices: PciDevice) -> None:
        shutil.rmtree(root, ignore_errors=True)
        build_tree(root, [], devices)

    return put


def test_the_bus_tells_nvidia_display_devices_and_nothing_else(bus: Bus) -> None:
    bus(
        PciDevice("0000:03:00.0", class_code="0x030200", runtime_status="suspending"),
        PciDevice("0000:01:00.0"),
        PciDevice("0000:01:00.1", class_code="0x040300", runtime_status="suspended"),
        PciDevice("0000:02:00.0", vendor="0x1002", runtime_status="suspended"),
    )
    awake, asleep = nvidia_gpus()
    assert awake == BusGpu("0000:01:00.0", asleep=False, may_sleep=False)
    assert asleep == BusGpu("0000:03:00.0", asleep=True, may_sleep=False)


def test_a_gpu_that_could_sleep_is_said_to_be_kept_awake(
    fake_gpus: FakeGpus, bus: Bus, tmp_path: Path
) -> None:
    fake_gpus([FIRST])
    bus(PciDevice())
    (tmp_path / "sys/bus/pci/devices/0000:01:00.0/power/control").write_text("auto\n")
    with closing(Nvml()) as nvml:
        assert "0000:01:00.0 cannot fall asleep while it is read" in nvml.probe().reason


def test_looking_at_models_wakes_no_gpu(fake_gpus: FakeGpus, bus: Bus) -> None:
    fake_gpus([FIRST, SECOND])
    second = PciDevice("0000:02:00.0")
    bus(PciDevice(runtime_status="active"), second)
    awake = free_memory()
    assert not awake.gpu_sleeps

    bus(PciDevice(runtime_status="suspended"), second)
    one_sleeps = free_memory()
    assert one_sleeps.gpu_sleeps
    assert one_sleeps.vram_bytes
    assert awake.vram_bytes
    assert one_sleeps.vram_bytes < awake.vram_bytes
    assert (handles_given(0), handles_given(1)) == (0, 1)

    bus(PciDevice(runtime_status="suspended"))
    started, all_sleep = init_calls(), free_memory()
    assert (all_sleep.vram_bytes, all_sleep.gpu_sleeps) == (None, True)
    assert all_sleep.total_bytes == all_sleep.ram_bytes
    assert init_calls() == started


def test_a_sleeping_gpu_is_not_woken_and_read_once_it_is_awake(
    fake_gpus: FakeGpus, bus: Bus
) -> None:
    fake_gpus([FIRST])
    bus(PciDevice(runtime_status="suspended"))
    before = init_calls()
    with closing(Nvml()) as nvml:
        probe = nvml.probe()
        assert probe.state is ProbeState.ABSENT
        assert "asleep" in probe.reason
        assert probe.retry_s is not None
        assert init_calls() == before
        bus(PciDevice(runtime_status="active"))
        assert nvml.probe().state is ProbeState.AVAILABLE


def test_the_sampler_takes_a_gpu_up_when_it_wakes(
    fake_gpus: FakeGpus,
    bus: Bus,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_gpus([FIRST])
    bus(PciDevice(runtime_status="suspended"))
    monkeypatch.setattr(nvml_source, "RETRY_ASLEEP_S", 0.05)
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert sampler.channels() == ()
        bus(PciDevice(runtime_status="active"))
        eventually(lambda: sampler.trace.latest("nvml:GPU-first"))
        assert sampler.probes()[0].state is ProbeState.AVAILABLE


def test_a_sleeping_gpu_beside_one_at_work_is_left_alone_until_it_wakes(
    fake_gpus: FakeGpus, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus([FIRST, SECOND])
    sleeping, awake = PciDevice("0000:01:00.0"), PciDevice("0000:02:00.0")
    bus(replace(sleeping, runtime_status="suspended"), awake)
    monkeypatch.setattr(nvml_source, "RETRY_ASLEEP_S", 0.0)
    with closing(Nvml()) as nvml:
        probe = nvml.probe()
        assert [channel.label for channel in nvml.open()] == ["GPU 1 A100-SXM4-80GB"]
        assert "0000:01:00.0 is asleep" in probe.reason
        assert len(nvml.read()) == 1
        assert (handles_given(0), handles_given(1)) == (0, 1)
        bus(sleeping, awake)
        with pytest.raises(OpenAnew, match="woken"):
            nvml.read()
        nvml.probe()
        assert len(nvml.open()) == 2


def test_a_driver_that_is_not_loaded_is_tried_again_and_loaded_if_there_is_a_gpu(
    fake_gpus: FakeGpus, bus: Bus
) -> None:
    bus(PciDevice())
    fake_gpus([FIRST], 9)
    probe = Nvml().probe()
    assert "modprobe" in probe.mend
    assert probe.retry_s is not None


def test_a_gpu_without_its_drivers_library_is_not_said_to_be_absent(
    fake_gpus: FakeGpus, bus: Bus
) -> None:
    bus(PciDevice())
    fake_gpus([FIRST], 12)
    probe = Nvml().probe()
    assert probe.reason.startswith("There is an NVIDIA GPU")
    assert "Install NVIDIA's own driver" in probe.mend


def test_a_gpu_has_left_when_it_sleeps_or_is_off_the_bus_and_not_when_it_is_lost(
    fake_gpus: FakeGpus, bus: Bus
) -> None:
    fake_gpus([FIRST, SECOND])
    first, second = PciDevice("0000:01:00.0"), PciDevice("0000:02:00.0")
    bus(first, second)
    with closing(Nvml()) as nvml:
        nvml.probe()
        channel = next(c for c in nvml.open() if c.device == "GPU-second")
    # Another object looks, as after a failure.
    nvml = Nvml()
    assert isinstance(nvml, Parting)
    assert not nvml.has_left(channel)
    bus(first, replace(second, runtime_status="suspended"))
    assert nvml.has_left(channel)
    bus(first)
    assert nvml.has_left(channel)
    assert not nvml.has_left(replace(channel, device="GPU-that-no-bus-has-shown"))
