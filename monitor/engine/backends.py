"""Whether this llama.cpp build uses the GPUs that are here, and how to get one that does."""

import platform
import shlex
import sys
from dataclasses import dataclass

from monitor.engine.messages import Hello
from monitor.power.sysfs import read_text, sysfs_root

DISPLAY_CLASS = "0x03"
"""PCI class of display controllers (PCI code and ID assignment specification)."""

WHEELS = "https://abetlen.github.io/llama-cpp-python/whl"
"""llama-cpp-python's own index of ready-built packages."""


@dataclass(frozen=True, slots=True)
class _Vendor:
    name: str
    flag: str
    needs: str
    wheel: str


VENDORS = {
    "0x10de": _Vendor("NVIDIA", "GGML_CUDA", "the CUDA toolkit", "cu124"),
    "0x1002": _Vendor("AMD", "GGML_VULKAN", "the Vulkan SDK", "vulkan"),
    "0x8086": _Vendor("Intel", "GGML_VULKAN", "the Vulkan SDK", "vulkan"),
}
METAL = _Vendor("Apple", "GGML_METAL", "Xcode's command line tools", "metal")


def gpus_present() -> list[str]:
    """Return the PCI vendor identifiers of the GPUs the kernel shows, NVIDIA's first.

    Only Linux tells; elsewhere the list is empty. Virtual display adapters are not GPUs.
    """
    found = set()
    for folder in (sysfs_root() / "bus/pci/devices").glob("*"):
        if (read_text(folder / "class") or "").startswith(DISPLAY_CLASS):
            found.add(read_text(folder / "vendor"))
    return [vendor for vendor in VENDORS if vendor in found]


def offload_advice(hello: Hello, has_nvidia: bool) -> str | None:
    """Say which GPU this build leaves idle and the exact command that would change it.

    The first line says what is, the others what to do.

    :param hello: what the engine said of its build
    :param has_nvidia: whether NVML shows a GPU, for systems without PCI in sysfs
    :return: ``None`` when the build can offload, or there is nothing to offload to
    """
    if hello.offload:
        return None
    vendors = [VENDORS[vendor] for vendor in gpus_present()]
    if not vendors and has_nvidia:
        vendors = [VENDORS["0x10de"]]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        vendors = [METAL]
    if not vendors:
        return None
    vendor = vendors[0]
    pip = f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-cache-dir --no-deps"
    return (
        f"This computer has an {vendor.name} GPU, but the installed llama-cpp-python cannot use "
        f"it, so models run on the CPU.\nWith {vendor.needs} installed:\n"
        f'CMAKE_ARGS="-D{vendor.flag}=on" {pip} llama-cpp-python\nOr, without a compiler:\n'
        f"{pip} --only-binary llama-cpp-python llama-cpp-python "
        f"--extra-index-url {WHEELS}/{vendor.wheel}"
    )
