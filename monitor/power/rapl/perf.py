"""RAPL through Linux perf events, where powercap is closed and ``CAP_PERFMON`` opens this way.

The driver ``power`` (kernel arch/x86/events/rapl.c) describes itself below
``/sys/bus/event_source/devices/power``: ``type``, ``cpumask`` (one processor of each package or
die), and for each event ``events/NAME`` with its ``.scale`` and ``.unit`` (ABI file
sysfs-bus-event_source-devices-events). An event counts for a whole processor, not for a process:
perf_event_open(2) allows that with ``CAP_PERFMON``, or for everyone where
``kernel.perf_event_paranoid`` is below 1. Counts start from zero when an event is opened.

Not yet met on hardware whose counters move: the parsing is tested on constructed trees, and
opening, reading and closing on a software event and on a virtual machine whose only event,
``energy-psys``, stands still.
"""

import ctypes
import errno
import os
import platform
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.power.channel import Channel
from monitor.power.rapl.counter import DENIED, channel_of
from monitor.power.sysfs import read_int, read_text, sysfs_root

ZONE_NAMES = {
    "energy-pkg": "package",
    "energy-ram": "dram",
    "energy-cores": "core",
    "energy-gpu": "uncore",
    "energy-psys": "psys",
}
"""The events, and what powercap calls the same counter: a channel is the same either way."""

COUNT_RANGE = 2.0**64
"""Counts are unsigned 64-bit numbers (perf_event_open(2), "Reading results")."""

SYSCALL_NUMBERS = {"x86_64": 298, "aarch64": 241}
"""perf_event_open by machine (kernel arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h)."""

ATTR_SIZE = 64
"""PERF_ATTR_SIZE_VER0 of include/uapi/linux/perf_event.h, which every kernel takes."""

CLOSE_ON_EXEC = 8
"""PERF_FLAG_FD_CLOEXEC."""


@dataclass(frozen=True, slots=True)
class EventPlan:
    """An event as sysfs describes it, not opened.

    :param type_number: the driver's number
    :param config: which of its events
    :param cpu: the processor to count on
    :param scale_j: joules a count
    """

    type_number: int
    config: int
    cpu: int
    scale_j: float
    package: str
    channel: Channel


class Event:
    """An open event."""

    def __init__(self, plan: EventPlan) -> None:
        """Open it.

        :raises OSError: if the kernel refuses
        """
        self.channel, self.package = plan.channel, plan.package
        self._scale_j = plan.scale_j
        self._file = open_event(plan.type_number, plan.config, plan.cpu)

    def read_j(self) -> float | None:
        """Return the joules since it was opened."""
        count = read_count(self._file) if self._file >= 0 else None
        return None if count is None else count * self._scale_j

    def close(self) -> None:
        """Close the event."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@dataclass(frozen=True, slots=True)
class Events:
    """What the driver offers.

    :param opened: a counter for each event that could be opened
    :param error: what the kernel said to the first that could not; ``None`` if all could
    """

    opened: tuple[Event, ...] = ()
    error: OSError | None = None

    @property
    def is_denied(self) -> bool:
        """Whether nothing is open because this user may not."""
        return not self.opened and self.error is not None and self.error.errno in DENIED


def find_events() -> Events:
    """Open every energy event of this machine."""
    opened = []
    error = None
    for plan in planned_events():
        try:
            opened.append(Event(plan))
        except OSError as failed:
            error = error or failed
    return Events(tuple(opened), error)


def planned_events() -> Iterator[EventPlan]:
    """Read from sysfs which energy events there are, one a package; none where it is unclear."""
    driver = sysfs_root() / "bus/event_source/devices/power"
    type_number = read_int(driver / "type")
    cpus = parse_cpus(read_text(driver / "cpumask") or "")
    if type_number is None or not cpus:
        return
    packages = _package_names(cpus)
    seen = set()
    for event, zone in ZONE_NAMES.items():
        config = _config(driver, event)
        scale_j = _scale_j(driver / "events", event)
        if config is None or scale_j is None:
            continue
        for cpu in cpus:
            name, package = _names(zone, packages[cpu], is_first=cpu == cpus[0])
            channel = channel_of(name, package, COUNT_RANGE * scale_j)
            # Where the topology cannot be read, two packages cannot be told apart.
            if channel.key not in seen:
                seen.add(channel.key)
                yield EventPlan(type_number, config, cpu, scale_j, package, channel)


def parse_cpus(mask: str) -> list[int]:
    """Return the processors of a list such as ``0,18`` or ``0-3``; empty if it is none."""
    cpus: list[int] = []
    for part in mask.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not found:
            return []
        first = int(found[1])
        cpus.extend(range(first, int(found[2] or first) + 1))
    return cpus


def _package_names(cpus: list[int]) -> dict[int, str]:
    """Name each processor's package as powercap does: ``package-0``, ``package-0-die-1``."""
    places = {cpu: _place(cpu) for cpu in cpus}
    packages = [package for package, _ in places.values()]
    return {
        cpu: f"package-{package}" + (f"-die-{die}" if packages.count(package) > 1 else "")
        for cpu, (package, die) in places.items()
    }


def _place(cpu: int) -> tuple[int, int]:
    topology = sysfs_root() / f"devices/system/cpu/cpu{cpu}/topology"
    return read_int(topology / "physical_package_id") or 0, read_int(topology / "die_id") or 0


def _names(zone: str, package: str, is_first: bool) -> tuple[str, str]:
    """Return the names of a domain and of what it stands below, as powercap has them."""
    if zone == "package":
        return package, package
    if zone == "psys":
        name = "psys" if is_first else f"psys-{package.removeprefix('package-')}"
        return name, name
    return zone, package


def _config(driver: Path, event: str) -> int | None:
    """Return the number an event is asked for by: ``event=0x02``, placed as ``format`` says."""
    value = re.fullmatch(r"event=(0x[0-9a-fA-F]+|\d+)", read_text(driver / "events" / event) or "")
    place = re.match(r"config:(\d+)", read_text(driver / "format/event") or "config:0-7")
    if not value or not place:
        return None
    return int(value[1], 0) << int(place[1])


def _scale_j(events: Path, event: str) -> float | None:
    if read_text(events / f"{event}.unit") != "Joules":
        return None
    try:
        scale_j = float(read_text(events / f"{event}.scale") or "")
    except ValueError:
        return None
    return scale_j if 0 < scale_j < 1 else None


def open_event(type_number: int, config: int, cpu: int) -> int:
    """Open a counting event on one processor, for all processes, and return its descriptor.

    :raises OSError: with what the kernel says, or ENOSYS where there is no such call
    """
    number = SYSCALL_NUMBERS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    attr = struct.pack("=IIQ", type_number, ATTR_SIZE, config).ljust(ATTR_SIZE, b"\0")
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    everyone, no_group = ctypes.c_long(-1), ctypes.c_long(-1)
    file = call(
        ctypes.c_long(number),
        ctypes.c_char_p(attr),
        everyone,
        ctypes.c_long(cpu),
        no_group,
        ctypes.c_long(CLOSE_ON_EXEC),
    )
    if file < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(file)


def read_count(file: int) -> int | None:
    """Return an event's count; ``None`` where the kernel has none, as after a fault."""
    try:
        answer = os.read(file, 8)
    except OSError:
        return None
    return int.from_bytes(answer, sys.byteorder) if len(answer) == 8 else None
