"""Who has a GPU that this build leaves idle is told the exact command that changes it."""

import platform
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.engine.backends import gpus_present, offload_advice
from monitor.engine.messages import Device, Hello
from tests.hardware.sysfs import PciDevice, build_tree

CPU_ONLY = Hello("0.3.36", False, (Device("CPU", "AMD EPYC", "cpu", 1 << 34),))
CAN_OFFLOAD = Hello("0.3.36", True, CPU_ONLY.devices)

NVIDIA = PciDevice()
NVIDIA_3D = PciDevice("0000:03:00.0", "0x10de", "0x2330", "0x030200")
NVIDIA_AUDIO = PciDevice("0000:01:00.1", "0x10de", "0x22ba", "0x040300")
AMD = PciDevice("0000:c4:00.0", "0x1002", "0x15bf")
AMD_COMPUTE = PciDevice("0000:c5:00.0", "0x1002", "0x740f", "0x038000")
INTEL = PciDevice("0000:00:02.0", "0x8086", "0x56a0")
INTEL_BRIDGE = PciDevice("0000:00:00.0", "0x8086", "0x4660", "0x060000")
VIRTIO = PciDevice("0000:00:01.0", "0x1af4", "0x1050")
VMWARE = PciDevice("0000:00:0f.0", "0x15ad", "0x0405")
BOCHS = PciDevice("0000:00:02.0", "0x1234", "0x1111")

PutPci = Callable[..., None]


@pytest.fixture
def pci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutPci:
    """Return a function that puts PCI devices into this machine; a Linux one."""
    monkeypatch.setattr(sys, "platform", "linux")

    def put(*devices: PciDevice) -> None:
        build_tree(tmp_path / "sys", [], devices)
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))

    return put


def commands(advice: str) -> tuple[list[str], list[str]]:
    """Return the words of the command that builds and of the one that fetches a ready build."""
    build, ready = (shlex.split(row) for row in advice.splitlines() if "pip install" in row)
    return build, ready


@pytest.mark.parametrize(
    ("device", "vendor", "flag", "wheel"),
    [
        (NVIDIA, "NVIDIA", "GGML_CUDA", "cu124"),
        (NVIDIA_3D, "NVIDIA", "GGML_CUDA", "cu124"),
        (AMD, "AMD", "GGML_VULKAN", "vulkan"),
        (AMD_COMPUTE, "AMD", "GGML_VULKAN", "vulkan"),
        (INTEL, "Intel", "GGML_VULKAN", "vulkan"),
    ],
)
@pytest.mark.parametrize("python", [sys.executable, "/home/Jane Doe/venv/bin/python"])
def test_a_gpu_left_idle_comes_with_the_exact_command(
    pci: PutPci,
    monkeypatch: pytest.MonkeyPatch,
    device: PciDevice,
    vendor: str,
    flag: str,
    wheel: str,
    python: str,
) -> None:
    pci(device, INTEL_BRIDGE)
    monkeypatch.setattr(sys, "executable", python)
    advice = offload_advice(CPU_ONLY, has_nvidia=False)
    assert advice is not None
    assert f"{vendor} GPU" in advice
    assert "models run on the CPU" in advice
    pip = [
        "-m",
        "pip",
        "install",
        "--force-reinstall",
        "--no-cache-dir",
        "--no-deps",
        "llama-cpp-python",
    ]
    wheel_only = [*pip[:-1], "--only-binary", "llama-cpp-python", pip[-1]]
    build, ready = commands(advice)
    assert build == [f"CMAKE_ARGS=-D{flag}=on", python, *pip]
    index = f"https://abetlen.github.io/llama-cpp-python/whl/{wheel}"
    assert ready == [python, *wheel_only, "--extra-index-url", index]


def test_a_build_that_can_offload_needs_no_advice(pci: PutPci) -> None:
    pci(NVIDIA)
    assert offload_advice(CAN_OFFLOAD, has_nvidia=True) is None


@pytest.mark.parametrize(
    "devices",
    [(), (VIRTIO,), (VMWARE, BOCHS), (NVIDIA_AUDIO, INTEL_BRIDGE)],
    ids=["nothing", "virtio", "other virtual adapters", "what is no display"],
)
def test_where_there_is_no_gpu_there_is_no_advice(
    pci: PutPci, devices: tuple[PciDevice, ...]
) -> None:
    pci(*devices)
    assert gpus_present() == []
    assert offload_advice(CPU_ONLY, has_nvidia=False) is None


def test_nvidia_comes_before_what_is_built_into_the_processor(pci: PutPci) -> None:
    pci(INTEL, AMD, VIRTIO, NVIDIA)
    assert gpus_present() == ["0x10de", "0x1002", "0x8086"]
    assert "GGML_CUDA" in str(offload_advice(CPU_ONLY, has_nvidia=False))


def test_a_gpu_only_the_driver_shows_counts(pci: PutPci) -> None:
    pci()
    assert "GGML_CUDA" in str(offload_advice(CPU_ONLY, has_nvidia=True))


def test_a_machine_without_sysfs_has_no_gpu_to_advise_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "gone"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert offload_advice(CPU_ONLY, has_nvidia=False) is None


def test_apple_silicon_is_pointed_to_metal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "gone"))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    build, ready = commands(str(offload_advice(CPU_ONLY, has_nvidia=False)))
    assert build[0] == "CMAKE_ARGS=-DGGML_METAL=on"
    assert ready[-1].endswith("/whl/metal")
