"""The power meters of a Grace processor, as ACPI tells them.

Each is a monitor of its own, named ``power_meter``, with one ``power1_average`` and, in
``power1_oem_info``, what it measures: "Grace Power Socket 0" (the tables of NVIDIA's firmware,
edk2-nvidia, BpmpSsdtSocket*.asl). Before Linux 6.15 the driver had its files in the monitor's
``device`` folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from monitor.power.sysfs import read_int, read_text, sysfs_root

NAME = "power_meter"

TELLS = re.compile(r"(Grace|CPU|SysIO|Module) Power Socket (\d+)", re.IGNORECASE)
"""What a meter measures, and of which socket."""

SOCKET, CORES, IO, MODULE = "grace", "cpu", "sysio", "module"

LEAST_INTERVAL_S = 0.1
"""The firmware looks every 50 ms at the soonest; each reading calls it, four meters a socket."""


@dataclass(frozen=True, slots=True)
class GraceMeter:
    """One power meter.

    :param measures: :data:`SOCKET`, :data:`CORES`, :data:`IO` or :data:`MODULE`
    :param socket: which, as the firmware counts
    :param folder: where its files are
    """

    measures: str
    socket: int
    folder: Path

    @property
    def interval_s(self) -> float:
        """Over how long it averages, after which it tells something else."""
        told_ms = read_int(self.folder / "power1_average_interval") or 0
        return max(told_ms / 1e3, LEAST_INTERVAL_S)

    def power_w(self) -> float | None:
        """Return its watts, ``None`` if it tells none: 0 is what nobody has measured yet."""
        power_uw = read_int(self.folder / "power1_average")
        return power_uw / 1e6 if power_uw and power_uw > 0 else None


def grace_meters() -> list[GraceMeter]:
    """Return the meters of this machine's Grace processors; of two alike, the first."""
    found: dict[tuple[int, str], GraceMeter] = {}
    for monitor in sorted((sysfs_root() / "class/hwmon").glob("hwmon*")):
        if meter := grace_meter(monitor):
            found.setdefault((meter.socket, meter.measures), meter)
    return [found[key] for key in sorted(found)]


def grace_meter(monitor: Path) -> GraceMeter | None:
    """Return what a monitor is of a Grace processor; ``None`` if it is something else."""
    if read_text(monitor / "name") != NAME:
        return None
    for folder in (monitor, monitor / "device"):
        if told := TELLS.fullmatch(read_text(folder / "power1_oem_info") or ""):
            return GraceMeter(told[1].lower(), int(told[2]), folder)
    return None
