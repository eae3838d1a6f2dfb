"""RAPL: the energy counters of Intel and AMD processors, through Linux powercap or perf events.

Both ways lead to the same registers, so that only one is ever used: powercap where this user may
read it, perf events otherwise. See :mod:`monitor.power.rapl` for each.
"""

import time
from collections.abc import Sequence

from monitor.power.board_meters import board_meters
from monitor.power.channel import Channel, Domain, OpenAnew, Probe, ProbeState, Reading, Role
from monitor.power.cpu_name import is_arm
from monitor.power.mend import BY_HAND
from monitor.power.rapl.counter import (
    DEAD_S,
    PERIOD_S,
    STOPPED_S,
    Counter,
    Pulse,
    is_package,
    should_move,
)
from monitor.power.rapl.look import Look, look_at
from monitor.power.rapl.perf import Events, find_events
from monitor.power.rapl.powercap import Zones, find_zones
from monitor.power.refreshes import REPEATED
from monitor.power.sysfs import has_sysfs

MEND_HIDDEN = (
    "Run LlamaWatt outside the container, or have the container show them: Docker does with "
    "`--security-opt systempaths=unconfined`. Others in the container could then read them as "
    "well, and work out what other programs compute (CVE-2020-8694)."
)

RETRY_STILL_S = 60.0
"""How often counters are looked at again that all stand still: they may be of a guest whose host
counts for it only now."""

MEND_PERF = (
    "Load powercap's driver with `sudo modprobe intel_rapl_msr`, and then run `llamawatt sensors "
    "mend`; or give the program that runs LlamaWatt the capability CAP_PERFMON."
)


class Rapl:
    """The ``rapl`` source. Tested on constructed sysfs trees; see tests/hardware."""

    name = "rapl"

    def __init__(self) -> None:
        self._opened: Sequence[Counter] = ()
        self._look: Look | None = None
        self._unread: tuple[Channel, ...] = ()
        self._outdated = ""
        self._mirrors: tuple[Counter, ...] = ()
        self._pulses: dict[str, Pulse] = {}

    def probe(self) -> Probe:
        """Look for counters, read them, and find out which of them to believe."""
        self.close()
        zones = find_zones()
        # Where a package is closed, memory or the machine alone would be read for want of it.
        events = Events() if any(map(is_package, zones.readable)) else find_events()
        if zones.readable and not any(map(is_package, events.opened)):
            for event in events.opened:
                event.close()
            events = Events()
        self._opened = events.opened or zones.readable
        if not self._opened:
            return self._none(zones, events)
        self._look = look_at(self._opened)
        self._pulses = {
            counter.channel.key: Pulse()
            for counter in self._look.believed
            if should_move(counter.channel)
        }
        if not self._look.believed:
            return self._absent(
                "The processor's energy counters all stand still: they are not connected to "
                "anything here, as in many virtual machines. The processor is modelled instead.",
                retry_s=RETRY_STILL_S,
            )
        self._unread = _unread_dies(zones.closed, self.open()) if not events.opened else ()
        if events.opened:
            return self._available("Energy counters are readable, through perf events.")
        if zones.closed:
            closed = ", ".join(channel.label for channel in zones.closed)
            return self._available(
                f"Energy counters are readable, except for {closed}: only root may read those.",
                BY_HAND,
            )
        return self._available("Energy counters are readable.")

    def _none(self, zones: Zones, events: Events) -> Probe:
        """Say why there is no counter to read."""
        if not has_sysfs():
            return self._absent("RAPL is read on Linux only.")
        if zones.closed:
            return self._denied(
                "The processor has energy counters, but only root may read them.", BY_HAND
            )
        if zones.hidden:
            return self._denied(
                "The processor has energy counters, but this container hides them.", MEND_HIDDEN
            )
        if events.is_denied:
            return self._denied(
                "The kernel offers the processor's energy counters through perf events only, "
                "and not to this user.",
                MEND_PERF,
            )
        if problem := zones.problem or (events.error and events.error.strerror):
            return self._absent(f"The energy counters cannot be read ({problem}).")
        if meters := ", ".join(board_meters()):
            return self._absent(
                "There are no energy counters of the processor. This machine has other power "
                f"monitors, which LlamaWatt does not read: {meters}. Which of them contains which "
                "differs from board to board; a wall plug tells what the machine draws."
            )
        if is_arm():
            return self._absent("Arm processors have no energy counters of this kind.")
        return self._absent(
            "Linux shows no energy counters of the processor: this is a virtual machine or a "
            "container, the processor has none, or their driver is not loaded (try `sudo modprobe "
            "intel_rapl_msr`, which serves AMD as well)."
        )

    def _available(self, reason: str, mend: str = "") -> Probe:
        assert self._look
        notes = [
            f"{mirror.channel.label} shows the same counter as {shown.channel.label} and is "
            "counted once."
            for mirror, shown in self._look.mirrors
        ]
        if dead := ", ".join(counter.channel.label for counter in self._look.dead):
            notes.append(f"Left out, because it stands still: {dead}.")
        if self._look.period_s > PERIOD_S:
            notes.append(
                f"They are renewed once in {self._look.period_s:.1f} s only, as in a virtual "
                "machine: short answers are not resolved."
            )
        return Probe(self.name, ProbeState.AVAILABLE, " ".join([reason, *notes]), mend)

    def _denied(self, reason: str, mend: str) -> Probe:
        return Probe(self.name, ProbeState.DENIED, reason, mend)

    def _absent(self, reason: str, retry_s: float | None = None) -> Probe:
        return Probe(self.name, ProbeState.ABSENT, reason, retry_s=retry_s)

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each counter to believe: no mirror, and none that is dead.

        Beside them one for each die that is closed, of a package of which another is read: no
        model stands in for what it draws, so that it is a part that is not read.
        """
        if self._look is None:
            self.probe()
        return (*map(self._look.channel, self._believed()), *self._unread) if self._look else ()

    def _believed(self) -> Sequence[Counter]:
        return self._look.believed if self._look else ()

    def read(self) -> list[Reading]:
        """Read every counter, in joules; one that stands still is left out.

        :raises OSError: when none answers; and from then on until the source is opened anew, if
            two packages turn out to be one after all, or what seemed to be one to be two, or if a
            counter has stopped
        """
        if self._look and self._look.has_changed():
            self._outdated = "which packages are one was found to be otherwise than at the start"
            self._mirrors = self._look.found_mirrors()
        readings, answered = [], False
        period_s = self._look.period_s if self._look else 0.0
        dead_s = max(DEAD_S, REPEATED * period_s)
        for counter in self._believed():
            counter_j, now_s = counter.read_j(), time.monotonic()
            if counter_j is None:
                continue
            answered, key = True, counter.channel.key
            pulse = self._pulses.get(key)
            still_s = pulse.still_s(counter_j, now_s) if pulse else 0.0
            if still_s < dead_s:
                readings.append(Reading(key, now_s, counter_j))
            elif still_s >= STOPPED_S:
                self._outdated = f"the energy counter of {counter.channel.label} has stopped"
        if self._outdated:
            raise OpenAnew(self._outdated, [mirror.channel.key for mirror in self._mirrors])
        if not answered:
            raise OSError("no energy counter could be read")
        return readings

    def has_left(self, channel: Channel) -> bool:
        """Say whether a counter stands still by now, and the processor's model stands in for it.

        Memory has no model: what was counted before is missing from a total from then on.
        """
        dead = self._look.dead if self._look else ()
        return channel.domain is not Domain.DRAM and any(
            counter.channel.key == channel.key for counter in dead
        )

    def close(self) -> None:
        """Close what is open."""
        for counter in self._opened:
            counter.close()
        self._opened, self._look, self._outdated, self._mirrors = (), None, "", ()
        self._unread = ()


def _unread_dies(closed: Sequence[Channel], read: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return the closed channels of packages of which another die is read."""
    parts = {(channel.domain, channel.device) for channel in read if channel.role is Role.PART}
    return tuple(
        channel
        for channel in closed
        if channel.role is Role.PART
        and channel.domain is Domain.CPU
        and (channel.domain, channel.device) in parts
    )
