"""What a processor is called, and whether a hypervisor shows it, as each system tells it.

Linux tells the name in ``/proc/cpuinfo``; on Arm there is none, and the board's own stands in (its
device tree, or the firmware's tables). Windows has it in the registry, where Python's own
``platform.processor`` tells but the family; macOS in ``machdep.cpu.brand_string`` (sysctl(3)).
"""

import platform
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from monitor.power.sysfs import read_text, sysfs_root

CPUINFO = Path("/proc/cpuinfo")

SYSCTL_S = 5.0
"""So long macOS may take to answer; it takes milliseconds."""

VIRTUAL = re.compile(
    r"virtual machine|virtualbox|virtual platform|vmware|\bqemu\b|\bkvm\b|\bbochs\b|\bhvm domu\b"
    r"|amazon ec2(?!.*\.metal)|google compute engine|openstack|parallels",
    re.IGNORECASE,
)
"""What the firmware of virtual machines gives as their maker and product: Hyper-V, VirtualBox,
VMware, QEMU, Xen, Parallels, and clouds. A hypervisor's mark in the processor would say more on
Linux; Windows shows it on its own desktops as well, whose isolation rests on one."""


def name_and_virtual() -> tuple[str, bool]:
    """Return the processor's name, the architecture's where none is told, and whether it is a
    share of another machine's."""
    if sys.platform == "win32":
        return _windows_name(), is_virtual(_windows_product())
    if sys.platform == "darwin":
        return _mac_name(), False
    try:
        info = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        info = ""
    found = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", info, re.MULTILINE)
    name = found[1] if found else _board() or platform.machine()
    return name, bool(flags) or is_virtual(_product())


def is_arm() -> bool:
    """Whether it is of Arm's architecture, Apple's and Qualcomm's among them."""
    return platform.machine().lower().startswith(("arm", "aarch"))


def has_device_tree() -> bool:
    """Whether the system was told its devices by a tree, as on boards, and not by ACPI tables."""
    return (sysfs_root() / "firmware/devicetree/base").is_dir()


def is_virtual(product: str) -> bool:
    """Return whether a machine of that maker and product is a virtual one."""
    return bool(VIRTUAL.search(product))


def _board() -> str:
    """Return the name of a board, "Raspberry Pi 5 Model B Rev 1.0"; "" if it has none."""
    told = read_text(sysfs_root() / "firmware/devicetree/base/model")
    return (told or _product()).strip("\0 ")


def _product() -> str:
    """Return maker and product as the firmware has them (SMBIOS); "" if it has none."""
    folder = sysfs_root() / "class/dmi/id"
    told = (read_text(folder / name) for name in ("sys_vendor", "product_name"))
    return " ".join(filter(None, told))


def _windows_name() -> str:
    key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    return _registry(key, "ProcessorNameString") or platform.processor() or platform.machine()


def _windows_product() -> str:
    key = r"HARDWARE\DESCRIPTION\System\BIOS"
    told = (_registry(key, name) for name in ("SystemManufacturer", "SystemProductName"))
    return " ".join(filter(None, told))


def _registry(key: str, name: str) -> str:
    """Return a text that Windows has written of the hardware as it started; "" if it has not."""
    winreg: Any = import_module("winreg")  # on Windows alone
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            value, _ = winreg.QueryValueEx(opened, name)
    except OSError:
        return ""
    return str(value).strip()


def _mac_name() -> str:
    try:
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            timeout=SYSCTL_S,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        told = ""
    return told or platform.processor() or platform.machine()
