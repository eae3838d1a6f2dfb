"""RAPL: the energy counters of Intel and AMD processors, through Linux powercap.

Zones are told by their ``name`` file, never by their index. ``core`` and ``uncore`` lie inside
their package; ``dram`` is its neighbour in spite of standing below it in the tree; ``psys``
contains the packages. Zones of ``intel-rapl-mmio`` mirror those of ``intel-rapl``. See the
kernel's Documentation/power/powercap/powercap.rst and the ABI file
sysfs-class-powercap; counters are in microjoules.
"""

import errno
import time
from dataclasses import dataclass
from pathlib import Path

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.sysfs import read_int, read_text, sysfs_root

PERIOD_S = 0.001
"""The counter is updated about every millisecond (Intel SDM vol. 3B, section 16.10)."""

STEP_J = 61e-6
"""The usual energy unit, 2^-14 J (Intel SDM vol. 3B, MSR_RAPL_POWER_UNIT)."""

DENIED = (errno.EACCES, errno.EPERM)

MEND = (
    "Let one group read them, after each start. In a terminal:\n"
    'sudo groupadd -f power && sudo usermod -aG power "$USER" && '
    'printf \'%s\\n\' \'SUBSYSTEM=="powercap", ACTION=="add", '
    'RUN+="/bin/chgrp -R power /sys%p", RUN+="/bin/chmod -R g+r /sys%p"\' | '
    "sudo tee /etc/udev/rules.d/70-llamawatt-rapl.rules && sudo udevadm control --reload && "
    "sudo udevadm trigger --action=add --subsystem-match=powercap\n"
    "Then log in again. They are closed by default because they can leak what other programs "
    "compute (CVE-2020-8694): do not open them to everyone."
)


@dataclass(frozen=True, slots=True)
class _Zone:
    channel: Channel
    counter: Path


class Rapl:
    """The ``rapl`` source. Tested on constructed sysfs trees; see tests/hardware."""

    name = "rapl"

    def __init__(self) -> None:
        self._zones: tuple[_Zone, ...] = ()

    def probe(self) -> Probe:
        """Look for zones and try to read one."""
        folders = _zone_folders()
        if not folders:
            return Probe(
                self.name,
                ProbeState.ABSENT,
                "The kernel shows no RAPL energy counters: a virtual machine, a container, "
                "another processor or another system.",
            )
        error = None
        for folder in folders:
            try:
                int((folder / "energy_uj").read_text())
            except (OSError, ValueError) as failed:
                error = failed
            else:
                return Probe(self.name, ProbeState.AVAILABLE, "Energy counters are readable.")
        if isinstance(error, OSError) and error.errno in DENIED:
            return Probe(
                self.name,
                ProbeState.DENIED,
                "The processor has energy counters, but only root may read them.",
                MEND,
            )
        return Probe(self.name, ProbeState.ABSENT, f"The energy counters cannot be read ({error}).")

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each readable zone, mirrors left out."""
        zones: dict[str, _Zone] = {}
        for folder in _zone_folders():
            zone = _zone(folder)
            if zone and read_int(zone.counter) is not None:
                zones.setdefault(zone.channel.key, zone)
        self._zones = tuple(zones.values())
        return tuple(zone.channel for zone in self._zones)

    def read(self) -> list[Reading]:
        """Read every counter, in joules."""
        readings = []
        for zone in self._zones:
            counter_uj = read_int(zone.counter)
            if counter_uj is not None:
                readings.append(
                    Reading(zone.channel.key, time.monotonic(), counter_j=counter_uj / 1e6)
                )
        if not readings:
            raise OSError("no energy counter could be read")
        return readings

    def close(self) -> None:
        """Nothing is held open."""


def _zone_folders() -> list[Path]:
    """Every zone, MSR zones before their MMIO mirrors, in the order of their indices.

    The class folder links to all zones; where it links to the outermost only, the others are
    found inside those.
    """
    powercap = sysfs_root() / "class/powercap"
    inner = {path.name: path for path in powercap.glob("intel-rapl*:*/intel-rapl*:*:*")}
    found = inner | {path.name: path for path in powercap.glob("intel-rapl*:*")}
    return sorted(
        found.values(),
        key=lambda path: ("mmio" in path.name, [*map(_number, path.name.split(":")[1:])]),
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _package_of(folder: Path) -> str:
    """Name of the package a child zone stands under: ``intel-rapl:0:1`` under ``intel-rapl:0``."""
    parent, _, _ = folder.name.rpartition(":")
    beside = folder.parent if folder.parent.name == parent else folder.parent / parent
    return read_text(beside / "name") or parent.replace(":", "-")


def _zone(folder: Path) -> _Zone | None:
    name = read_text(folder / "name")
    if not name:
        return None
    is_child = folder.name.count(":") > 1
    package = _package_of(folder) if is_child else name
    # A processor of several dies has a zone for each: package-0-die-1 is of package-0.
    number = package.removeprefix("package-").replace("-die-", ".")
    match name:
        case "dram":
            domain, role, sensor, label = Domain.DRAM, Role.PART, "rapl.dram", f"DRAM {number}"
        case "psys":
            domain, role, sensor = Domain.SYSTEM, Role.WHOLE, "rapl.psys"
            label = "Platform (psys)"
        case "core" | "uncore":
            domain, role, sensor = Domain.CPU, Role.INSIDE, "rapl.package"
            label = f"CPU {number} {name}"
        case _ if name.startswith("package"):
            domain, role, sensor, label = Domain.CPU, Role.PART, "rapl.package", f"CPU {number}"
        case _:
            # A zone of a later kernel: shown, but nothing is known of what contains it.
            domain, role, sensor = Domain.CPU, Role.INSIDE, "rapl.package"
            label = f"CPU {number} {name}"
    range_uj = read_int(folder / "max_energy_range_uj")
    channel = Channel(
        key=f"rapl:{package}:{name}" if is_child else f"rapl:{name}",
        label=label,
        domain=domain,
        device=package.partition("-die-")[0],
        kind=Kind.COUNTER,
        role=role,
        period_s=PERIOD_S,
        step_j=STEP_J,
        accuracy=accuracy_of(sensor),
        range_j=range_uj / 1e6 if range_uj else None,
    )
    return _Zone(channel, folder / "energy_uj")
