"""A fake description of the kernel's driver `power`, as in /sys/bus/event_source/devices/power.

The events it leads to are the kernel's own: driver 1 is "software", and its event 0 counts the
nanoseconds for which a processor's clock ran (PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK of
include/uapi/linux/perf_event.h). Taken for nanojoules, that is a counter of exactly 1 W.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOFTWARE, CPU_CLOCK = 1, 0
CLOCK_POWER_W = 1.0


@dataclass(frozen=True)
class PerfDriver:
    """The driver's files.

    Attributes:
        events: Contents of `events/NAME` by name; each gets a scale and a unit as well.
        type_number: What `type` says.
        cpumask: What `cpumask` says.
        scale: What each `.scale` says.
        unit: What each `.unit` says.
        packages: Package and die of each processor, by its number.
    """

    events: Mapping[str, str] = field(default_factory=lambda: {"energy-pkg": "event=0x00"})
    type_number: str = str(SOFTWARE)
    cpumask: str = "0"
    scale: str = "1e-9"
    unit: str = "Joules"
    packages: Mapping[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 0)})


def build_perf(root: Path, driver: PerfDriver) -> Path:
    """Lay the driver out below `root`, which stands in for /sys, and return its folder."""
    folder = root / "bus/event_source/devices/power"
    files = {"type": driver.type_number, "cpumask": driver.cpumask, "format/event": "config:0-7"}
    for name, event in driver.events.items():
        files[f"events/{name}"] = event
        files[f"events/{name}.scale"] = driver.scale
        files[f"events/{name}.unit"] = driver.unit
    for name, text in files.items():
        _put(folder / name, text)
    for cpu, (package, die) in driver.packages.items():
        topology = root / f"devices/system/cpu/cpu{cpu}/topology"
        _put(topology / "physical_package_id", str(package))
        _put(topology / "die_id", str(die))
    return folder


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="ascii")
