"""The battery: what the whole machine draws, while it runs on it.

``power_now`` in microwatts, or ``current_now`` in microamperes times ``voltage_now`` in
microvolts; where a gauge tells neither, its mean over a while, ``power_avg`` or ``current_avg``
(ABI file sysfs-class-power). All batteries of the machine are one channel. It is the machine's draw
only while a battery is discharged and no charger is connected; at other times there is no reading,
and on mains that is as it should be (:class:`monitor.power.sources.Resting`). A cross-check, never
added: the parts are inside it.

Not yet met on hardware: built from the kernel's documentation, tested on constructed trees
(tests/hardware/hwmon.py).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.sysfs import has_sysfs, own_supplies, read_int, read_text

PERIOD_S = 1.0
"""The kernel asks the battery's controller at most once a second (cache_time in
drivers/acpi/battery.c). Many controllers measure more seldom still: no document says how often."""

KEY = "battery:machine"

POWERS, CURRENTS = ("power_now", "power_avg"), ("current_now", "current_avg")
"""What is drawn now, before a mean over a while."""

OWN_GAUGE = ("energy_now", "energy_full", "charge_now", "charge_full")
"""Any battery that drives a machine tells one of these. One of a mouse or a headset tells percents
alone, and not always that it is a device's (``scope``)."""

DISCHARGING = "Discharging"

IDLE = ("Full", "Not charging")
"""Neither charged nor discharged: a second battery that waits its turn."""

UNTOLD = {"Unknown", ""}
"""Nobody knows which way its watts flow."""

ON_MAINS = "on mains it does not tell what the machine draws"

UNCLEAR = "It does not say at present whether it is charged or discharged."
SILENT = "It tells no watts at present."


class NotTheDraw(Exception):
    """What the battery says is not what the machine draws now."""


class OnMains(NotTheDraw):
    """Nor is it meant to be: no battery is discharged, or a charger is connected."""


@dataclass(frozen=True, slots=True)
class _Battery:
    name: str
    folder: Path

    def status(self) -> str:
        return read_text(self.folder / "status") or ""

    def power_w(self) -> float | None:
        """Watts, whichever way they flow; ``None`` where the controller says nothing or 0.

        Drivers differ in the sign of a current. Zero is what some controllers answer before
        they have measured: a machine that runs draws something.
        """
        if power_uw := self._first(POWERS):
            return abs(power_uw) / 1e6
        voltage_uv = read_int(self.folder / "voltage_now")
        if voltage_uv and (current_ua := self._first(CURRENTS)):
            return abs(current_ua) / 1e6 * voltage_uv / 1e6
        return None

    def tells_power(self) -> bool:
        """Whether it has files for its power, whatever they say now."""
        by_current = self._has("voltage_now") and self._has(*CURRENTS)
        return self._has(*POWERS) or by_current

    def tells_amount(self) -> bool:
        """Whether it tells how much is in it, and not its percents alone."""
        return self._has(*OWN_GAUGE)

    def _first(self, names: Sequence[str]) -> int:
        """Return the first of some figures that is told and not 0; 0 if none is."""
        told = (read_int(self.folder / name) for name in names)
        return next(filter(None, told), 0)

    def _has(self, *names: str) -> bool:
        return any((self.folder / name).exists() for name in names)


class Battery:
    """The ``battery`` source: one channel for the whole machine."""

    name = "battery"

    def __init__(self) -> None:
        self._batteries: tuple[_Battery, ...] = ()
        self._rests, self._remark = "", ""

    def probe(self) -> Probe:
        """Look for batteries of the machine that tell their power."""
        here = _batteries()
        self._batteries = tuple(battery for battery in here if battery.tells_power())
        if self._batteries:
            here = [each for each in here if each in self._batteries or each.tells_amount()]
        if not here:
            reason = "This machine has no battery."
            if not has_sysfs():
                reason = "Batteries are read on Linux only."
            return Probe(self.name, ProbeState.ABSENT, reason)
        if len(self._batteries) < len(here):
            silent = ", ".join(each.name for each in here if each not in self._batteries)
            self._batteries = ()
            return Probe(
                self.name,
                ProbeState.ABSENT,
                f"{silent}: the battery tells its charge, but neither its power nor its current.",
            )
        self._draw_w()
        names = " and ".join(battery.name for battery in self._batteries)
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            f"{names}: what the whole machine draws while the charger is unplugged, to compare "
            "the sum with.",
        )

    def open(self) -> tuple[Channel, ...]:
        """Return the one channel, also on mains: the charger may be unplugged later."""
        return (
            Channel(
                key=KEY,
                label="Battery",
                domain=Domain.SYSTEM,
                device="battery",
                kind=Kind.POWER,
                role=Role.WHOLE,
                period_s=PERIOD_S,
                step_j=0.0,
                accuracy=accuracy_of("battery"),
            ),
        )

    def read(self) -> list[Reading]:
        """Read what all batteries give together; nothing on mains.

        :raises OSError: if no battery is there any more
        """
        if not any(battery.folder.exists() for battery in self._batteries):
            raise OSError("the battery is gone")
        power_w = self._draw_w()
        return [] if power_w is None else [Reading(KEY, time.monotonic(), power_w=power_w)]

    def rests(self) -> str:
        """Say that it was on mains when it was read last."""
        return self._rests

    def remarks(self) -> tuple[str, ...]:
        """Say why there is no reading where there ought to be one. From any thread."""
        return (self._remark,) if self._remark else ()

    def _draw_w(self) -> float | None:
        """Return what the batteries give together, and keep why that is not known."""
        power_w, rests, remark = None, "", ""
        try:
            power_w = _draw_w(self._batteries)
            remark = "" if power_w else SILENT
        except OnMains:
            rests = ON_MAINS
        except NotTheDraw:
            remark = UNCLEAR
        self._rests, self._remark = rests, remark
        return power_w

    def close(self) -> None:
        """Nothing is held open."""


def _batteries() -> list[_Battery]:
    return [
        _Battery(folder.name, folder)
        for folder in own_supplies()
        if read_text(folder / "type") == "Battery" and read_int(folder / "present") != 0
    ]


def _is_charger_connected() -> bool:
    return any(
        read_int(folder / "online")
        for folder in own_supplies()
        if read_text(folder / "type") != "Battery"
    )


def _draw_w(batteries: tuple[_Battery, ...]) -> float | None:
    """Return the watts that all batteries give together.

    ``None`` if one of them does not say what it gives: the others would be too little.

    :raises OnMains: if none is discharged, or a charger is connected
    :raises NotTheDraw: if they do not say which way their watts flow
    """
    states = {battery: battery.status() for battery in batteries}
    if _is_charger_connected():
        raise OnMains
    if DISCHARGING not in states.values():
        raise NotTheDraw if UNTOLD & set(states.values()) else OnMains
    total_w = 0.0
    for battery, state in states.items():
        power_w = battery.power_w()
        if state == DISCHARGING:
            if power_w is None:
                return None
            total_w += power_w
        elif state not in IDLE and (state == "Charging" or power_w is not None):
            # Charged by the other, or in a state nobody knows: the way of its watts is unclear.
            return None
    return total_w
