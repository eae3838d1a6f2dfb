"""Which GPUs are asleep, told without waking them.

A laptop's GPU is powered down while nobody uses it. Any call to NVIDIA's driver, even opening its
library, wakes it, and an open handle keeps it awake; the kernel's own record of its state does
neither. See the kernel's Documentation/ABI/testing/sysfs-devices-power (``runtime_status``) and
"PCI-Express Runtime D3 Power Management" in the README of NVIDIA's driver.
"""

from dataclasses import dataclass
from pathlib import Path

from monitor.power.sysfs import read_text, sysfs_root

NVIDIA = "0x10de"
DISPLAY_CLASS = "0x03"
"""PCI class of display controllers (PCI code and ID assignment specification)."""

ASLEEP = ("suspended", "suspending", "resuming")
"""What ``power/runtime_status`` says of a device that cannot be asked: at rest, about to be, or
not up yet (ABI file sysfs-devices-power). While it resumes, newer kernels refuse to read it."""


def is_asleep(device: Path) -> bool:
    """Return whether a device is powered down, on its way there, or not back yet.

    :param device: its folder in sysfs
    """
    return read_text(device / "power/runtime_status") in ASLEEP


def has_left(address: str) -> bool:
    """Return whether the kernel says that a PCI device sleeps, or is not in the machine any more.

    A driver that was unloaded leaves the device on the bus; unplugging takes it off (``remove`` in
    the kernel's ABI file sysfs-bus-pci).

    :param address: PCI address, ``0000:03:00.0``
    """
    bus = sysfs_root() / "bus/pci/devices"
    return bus.is_dir() and (not (bus / address).exists() or is_asleep(bus / address))


@dataclass(frozen=True, slots=True)
class BusGpu:
    """A GPU as the bus shows it.

    :param address: PCI address, ``0000:01:00.0``
    :param asleep: see :func:`is_asleep`
    :param may_sleep: whether the kernel powers it down when nobody uses it
    """

    address: str
    asleep: bool
    may_sleep: bool


def nvidia_gpus() -> tuple[BusGpu, ...]:
    """Return the NVIDIA GPUs of the PCI bus, in the order of their addresses.

    Only Linux tells; elsewhere, in WSL and in some containers there are none.
    """
    found = []
    for folder in sorted((sysfs_root() / "bus/pci/devices").glob("*")):
        if read_text(folder / "vendor") != NVIDIA:
            continue
        if not (read_text(folder / "class") or "").startswith(DISPLAY_CLASS):
            continue
        may_sleep = read_text(folder / "power/control") == "auto"
        found.append(BusGpu(folder.name, is_asleep(folder), may_sleep))
    return tuple(found)
