"""One RAPL energy counter, whichever way it is read, and the channel it makes.

Domains are told by the name that powercap gives them, for both ways: ``core`` and ``uncore`` lie
inside their package; ``dram`` is its neighbour in spite of standing below it in the tree;
``psys`` contains the packages (Intel SDM vol. 3B, section 16.10, and the kernel's
drivers/powercap/intel_rapl_common.c).
"""

import errno
from typing import Protocol

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Role

PERIOD_S = 0.001
"""The counter is updated about every millisecond (Intel SDM vol. 3B, section 16.10)."""

STEP_J = 61e-6
"""The usual energy unit, 2^-14 J (Intel SDM vol. 3B, MSR_RAPL_POWER_UNIT)."""


DENIED = (errno.EACCES, errno.EPERM)
"""What the kernel says of a counter that this user may not read."""

DEAD_S = 0.1
"""A counter that stands still for so long is not told of, or what stopped would be 0 W, counted.

1 W would have moved it by 1,600 steps. Should it go on after all, the trace joins the readings.
"""

STOPPED_S = 5.0
"""One that stands still for so long has stopped. All are looked at anew: a model may stand in."""


class Counter(Protocol):
    """An energy counter that is open for reading."""

    @property
    def channel(self) -> Channel:
        """What it counts."""
        ...

    @property
    def package(self) -> str:
        """Which package it counts on, or its own name if it stands on none."""
        ...

    def read_j(self) -> float | None:
        """Return the counter in joules, wraps included; ``None`` if it does not answer."""
        ...

    def close(self) -> None:
        """Release it; harmless if that was done."""
        ...


def should_move(channel: Channel) -> bool:
    """Say whether a counter that stands still is dead: a graphics unit asleep stands rightly."""
    return channel.role is not Role.INSIDE


class Pulse:
    """Finds out for how long a counter has stood still."""

    def __init__(self) -> None:
        self._last_j: float | None = None
        self._moved_s = 0.0

    def still_s(self, counter_j: float, time_s: float) -> float:
        """Take a reading; return for how many seconds it has been the same.

        :param time_s: ``time.monotonic()`` of it
        """
        if counter_j != self._last_j:
            self._last_j, self._moved_s = counter_j, time_s
        return time_s - self._moved_s


def is_package(counter: Counter) -> bool:
    """Say whether this counts a whole package, or a whole die of one."""
    return counter.channel.role is Role.PART and counter.channel.domain is Domain.CPU


def channel_of(name: str, package: str, range_j: float | None) -> Channel:
    """Return the channel of a domain.

    :param name: as powercap calls it: ``package-0``, ``package-0-die-1``, ``core``, ``dram`` ...
    :param package: the package it stands below; the same as ``name`` for an outermost one
    :param range_j: where the counter returns to zero; ``None`` if that is not known
    """
    # A processor of several dies has a zone for each: package-0-die-1 is of package-0.
    device = package.partition("-die-")[0]
    number = package.removeprefix("package-").replace("-die-", ".")
    sensor = "rapl.package"
    if name == "dram":
        domain, role, sensor, label = Domain.DRAM, Role.PART, "rapl.dram", f"DRAM {number}"
    elif name == "psys" or name.startswith("psys-"):
        # Boards of several sockets may have one for each: psys, psys-1.
        domain, role, sensor, device = Domain.SYSTEM, Role.WHOLE, "rapl.psys", name
        label = f"Platform ({name})"
    elif name.startswith("package"):
        domain, role, label = Domain.CPU, Role.PART, f"CPU {number}"
    else:
        # core, uncore, and zones of a later kernel: of those nothing is known of what contains
        # them, so that they are shown and never added.
        domain, role, label = Domain.CPU, Role.INSIDE, f"CPU {number} {name}"
    return Channel(
        key=f"rapl:{name}" if name == package else f"rapl:{package}:{name}",
        label=label,
        domain=domain,
        device=device,
        kind=Kind.COUNTER,
        role=role,
        period_s=PERIOD_S,
        step_j=STEP_J,
        accuracy=accuracy_of(sensor),
        range_j=range_j,
    )
