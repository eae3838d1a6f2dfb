"""Power monitors of boards that are there and are not read: so much is said of them.

Boards of Arm processors have no RAPL. Some have current sensors on their supply rails instead, and
servers a power meter told by ACPI. Which contains which differs from board to board, so that adding
them up unseen would count some watts twice: those of Grace processors and of Jetson boards are read
(:mod:`monitor.power.sources.grace`, :mod:`monitor.power.sources.jetson`), others are named. See the
kernel's Documentation/hwmon/ina3221.rst, ina2xx.rst and acpi_power_meter.rst, and its ABI file
sysfs-class-hwmon.
"""

from pathlib import Path

from monitor.power.hwmon import rails
from monitor.power.hwmon.grace_meters import grace_meter
from monitor.power.sysfs import read_text, sysfs_root

METERS = ("power_meter", "ina219", "ina220", "ina226", "ina230", "ina231", "ina238", "ina3221")
"""What such a monitor's ``name`` begins with."""

NAMES = ("in*_label", "power*_label", "power*_oem_info", "device/power*_oem_info")
"""Files that name a rail, below the monitor's folder."""


def board_meters() -> tuple[str, ...]:
    """Return each monitor as a person may know it: ``ina3221 (VDD_IN, VDD_CPU_GPU_CV)``."""
    found = []
    for folder in sorted((sysfs_root() / "class/hwmon").glob("hwmon*")):
        name = read_text(folder / "name") or ""
        if name.startswith(METERS) and not _is_read(name, folder):
            labels = ", ".join(_rails(folder))
            found.append(f"{name} ({labels})" if labels else name)
    return tuple(found)


def _is_read(name: str, folder: Path) -> bool:
    return grace_meter(folder) is not None or (name == rails.NAME and rails.is_jetson())


def _rails(folder: Path) -> list[str]:
    files = sorted(path for pattern in NAMES for path in folder.glob(pattern))
    # An ina3221 labels what it adds up as well, and what is not connected "NC".
    return [label for path in files if (label := read_text(path)) and label != "NC"]
