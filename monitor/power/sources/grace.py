"""NVIDIA's Grace processors, by the power meters of their sockets.

What a meter measures its name tells (NVIDIA Grace Performance Tuning Guide, "Power Telemetry", as
alumet-dev/alumet cites it in its plugin for them; :mod:`monitor.power.hwmon.grace_meters`):

* "Grace Power Socket" is the processor with the memory soldered beside it and their regulators:
  the part. NVIDIA's own tools count it alone as what a socket draws (NVIDIA/srt-slurm#481: 98 to
  109 W of a socket, where its other two meters say 51 to 56 W and 6 W).
* "CPU Power Socket" (the cores) and "SysIO Power Socket" lie inside it. So does what they leave of
  it, which is its memory and the regulators, told as their difference.
* "Module Power Socket" is the board with the GPU beside the processor, whose own driver tells what
  that draws: around both, a cross-check.

Watts, a mean over 50 ms or over a second. Not yet met on hardware: tested on constructed trees.
"""

import time
from collections.abc import Sequence

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.cpu import this_processor
from monitor.power.hwmon.grace_meters import (
    CORES,
    IO,
    MODULE,
    SOCKET,
    GraceMeter,
    grace_meters,
)
from monitor.power.sysfs import has_sysfs

REST = "rest"
"""What is left of a socket."""

CHANNELS = {
    SOCKET: ("", " with its memory", Domain.CPU, Role.PART),
    CORES: (":cores", " cores", Domain.CPU, Role.INSIDE),
    IO: (":io", " input and output", Domain.CPU, Role.INSIDE),
    MODULE: (":module", " module, with its GPU", Domain.CPU, Role.WHOLE),
    REST: (":memory", " memory and regulators", Domain.DRAM, Role.INSIDE),
}
"""Of each meter: the end of its channel's key and label, what draws, and how it is counted."""


class Grace:
    """The ``grace`` source: one part channel a socket, what lies inside it, and the module."""

    name = "grace"

    def __init__(self) -> None:
        self._meters: tuple[GraceMeter, ...] = ()
        self._channels: dict[tuple[int, str], Channel] = {}

    def probe(self) -> Probe:
        """Look for the power meters of Grace sockets."""
        self._meters = tuple(grace_meters())
        sockets = [meter.socket for meter in self._meters if meter.measures == SOCKET]
        if not sockets:
            reason = "This is no Grace processor, or Linux shows no power meters of it."
            if not has_sysfs():
                reason = "Grace processors are read on Linux only."
            return Probe(self.name, ProbeState.ABSENT, reason)
        labels = ", ".join(f"Grace {socket}" for socket in sockets)
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            f"Reading {labels}: the processor with the memory beside it, in watts. A GPU on the "
            "same module is read by its own driver.",
        )

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each meter found by :meth:`probe`, and for what is left."""
        found = {(meter.socket, meter.measures): meter for meter in self._meters}
        self._channels = {}
        for socket in [socket for socket, measures in found if measures == SOCKET]:
            if all((socket, measures) in found for measures in (CORES, IO)):
                found[socket, REST] = found[socket, SOCKET]
            for measures in CHANNELS:
                if meter := found.get((socket, measures)):
                    self._channels[socket, measures] = _channel(meter, measures)
        return tuple(self._channels.values())

    def read(self) -> list[Reading]:
        """Read every meter, in watts; one that does not answer is left out.

        :raises OSError: if none answers
        """
        told_w: dict[tuple[int, str], float] = {}
        for meter in self._meters:
            power_w = meter.power_w()
            if power_w is not None:
                told_w[meter.socket, meter.measures] = power_w
        if not told_w:
            raise OSError("no power meter of a Grace socket can be read")
        now_s = time.monotonic()
        for socket, measures in list(self._channels):
            rest_w = _rest_w([told_w.get((socket, of)) for of in (SOCKET, CORES, IO)])
            if measures == REST and rest_w is not None:
                told_w[socket, REST] = rest_w
        return [
            Reading(channel.key, now_s, power_w=told_w[key])
            for key, channel in self._channels.items()
            if key in told_w
        ]

    def close(self) -> None:
        """Nothing is held open."""


def _rest_w(told_w: Sequence[float | None]) -> float | None:
    """Return what is left of the first watts without the others; ``None`` if that is unknown."""
    known_w = [power_w for power_w in told_w if power_w is not None]
    if len(known_w) < len(told_w):
        return None
    rest_w = known_w[0] - sum(known_w[1:])
    return rest_w if rest_w >= 0 else None


def _channel(meter: GraceMeter, measures: str) -> Channel:
    key, label, domain, role = CHANNELS[measures]
    return Channel(
        key=f"grace:{meter.socket}{key}",
        label=f"Grace {meter.socket}{label}",
        domain=domain,
        device=f"package-{_package_of(meter.socket)}",
        kind=Kind.POWER,
        role=role,
        period_s=meter.interval_s,
        least_period_s=meter.interval_s,
        step_j=0.0,
        accuracy=accuracy_of("grace.rest" if measures == REST else "grace"),
    )


def _package_of(socket: int) -> int:
    """Return the kernel's number of a socket's package: both count in the same order."""
    packages = list(this_processor().packages)
    return packages[socket] if socket < len(packages) else socket
