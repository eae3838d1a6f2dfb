"""RAPL through Linux powercap: a folder a zone, below ``/sys/class/powercap``.

Zones are told by their ``name`` file, never by their index. Zones of ``intel-rapl-mmio`` show
the counters of ``intel-rapl`` a second time and stand in for them where those cannot be read.
``enabled`` is about the zone's power limit: the counter runs in either case. See the kernel's
Documentation/power/powercap/powercap.rst and the ABI file sysfs-class-powercap; counters are in
microjoules.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from monitor.power.channel import Channel
from monitor.power.rapl.counter import DENIED, channel_of
from monitor.power.sysfs import read_int, read_text, sysfs_root

LONGEST_NUMBER = 32
"""Bytes: a counter has up to 20 digits and a line feed."""


@dataclass(slots=True, eq=False)
class Zone:
    """The counter of one zone.

    Its file is kept open, which saves six sevenths of a reading: from its beginning it is told
    anew each time (the kernel's Documentation/filesystems/sysfs.rst, "Reading/Writing Attribute
    Data"). A zone that goes answers with an error, and is opened again should it come back.
    """

    channel: Channel
    package: str
    path: str
    _file: int | None = None

    def read_j(self) -> float | None:
        """Read the counter; ``None`` if it does not answer."""
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDONLY)
            return int(os.pread(self._file, LONGEST_NUMBER, 0)) / 1e6
        except (OSError, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Close the file; the next reading opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


@dataclass(frozen=True, slots=True)
class Zones:
    """What powercap shows.

    :param readable: a counter for each domain, none twice
    :param closed: channels of zones that this user may not read
    :param hidden: whether zones are there by name only, as in a container that masks them
    :param problem: why a zone that is neither could not be read; empty if all could
    """

    readable: tuple[Zone, ...] = ()
    closed: tuple[Channel, ...] = ()
    hidden: bool = False
    problem: str = ""


def find_zones() -> Zones:
    """Look at every zone and try to read its counter."""
    readable: dict[str, Zone] = {}
    closed: dict[str, Channel] = {}
    hidden, problem = False, ""
    for folder in _folders():
        if not folder.exists():
            hidden = True
            continue
        zone = _zone(folder)
        if zone is None:
            problem = problem or f"{folder.name} has no readable name"
            continue
        try:
            int(Path(zone.path).read_text(encoding="ascii"))
        except OSError as error:
            if error.errno in DENIED:
                closed.setdefault(zone.channel.key, zone.channel)
            problem = problem or f"{folder.name}: {error.strerror}"
        except ValueError as error:
            problem = problem or f"{folder.name}: {error}"
        else:
            readable.setdefault(zone.channel.key, zone)
    still_closed = tuple(channel for key, channel in closed.items() if key not in readable)
    return Zones(tuple(readable.values()), still_closed, hidden, problem)


def _folders() -> list[Path]:
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


def _zone(folder: Path) -> Zone | None:
    name = read_text(folder / "name")
    if not name:
        return None
    package = _package_of(folder) if folder.name.count(":") > 1 else name
    range_uj = read_int(folder / "max_energy_range_uj")
    channel = channel_of(name, package, range_uj / 1e6 if range_uj else None)
    return Zone(channel, package, str(folder / "energy_uj"))


def _package_of(folder: Path) -> str:
    """Name of the package a child zone stands under: ``intel-rapl:0:1`` under ``intel-rapl:0``."""
    parent, _, _ = folder.name.rpartition(":")
    beside = folder.parent if folder.parent.name == parent else folder.parent / parent
    return read_text(beside / "name") or parent.replace(":", "-")
