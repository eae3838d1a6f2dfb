"""Windows' Energy Metering Interface: the energy counters of Intel and AMD processors.

A meter describes its channels (``IOCTL_EMI_GET_METADATA``) and tells each one's energy in
picowatt-hours with the time it is of, in 100 ns (``IOCTL_EMI_GET_MEASUREMENT``), without
administrator rights and without a driver of our own; see :mod:`monitor.power.emi.meter`.

Channels are told by the whole of their names, as they are on processors with RAPL:
``RAPL_Package0_PKG`` is a package, with its ``_PP0`` (cores) and ``_PP1`` (graphics) inside and
its ``_DRAM`` beside it, and ``_PSYS`` is the machine. Where no package is told, as on some laptops
by AMD, the socket is: the processor with its graphics. Others are not read: what contains them is
not known. Two meters may show one counter; see :mod:`monitor.power.emi.look`.

Tested from bytes laid out as ``emi.h`` has them; not yet met on hardware.
"""

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, OpenAnew, Probe, ProbeState, Reading, Role
from monitor.power.emi.look import STEP_J, Samples, is_dead, look, mirrors, renewal_s
from monitor.power.emi.meter import (
    GET_MEASUREMENT,
    GET_METADATA,
    GET_METADATA_SIZE,
    GET_VERSION,
    J_PER_PWH,
    Meter,
    parse_names,
    parse_samples,
    parse_size,
    parse_version,
)
from monitor.power.rapl.counter import STOPPED_S, Pulse, should_move

PERIOD_S = 0.1
"""How often a meter is renewed is written nowhere; what has not been is told by its time. This is
the least, where it was seen to be renewed as often as it was looked at."""

LATER_S = 30.0
"""Meters of which none was renewed while they were looked at are looked at again so much later."""

STOPPED_RENEWALS = 3
"""What stands still for so many renewals has stopped, however seldom they are."""

NAME = re.compile(r"(?:RAPL_)?Package(\d+)_(PKG|DRAM|PP0|PP1|PSYS)", re.IGNORECASE)

SOCKETS = ("current socket power", "apu power")
"""What AMD's laptops call the socket, in this order: it is there by both names on some."""

PARTS = {
    "pkg": (Domain.CPU, Role.PART, "rapl.package", "CPU {}"),
    "dram": (Domain.DRAM, Role.PART, "rapl.dram", "DRAM {}"),
    "pp0": (Domain.CPU, Role.INSIDE, "rapl.package", "CPU {} core"),
    "pp1": (Domain.CPU, Role.INSIDE, "rapl.package", "CPU {} uncore"),
    "socket": (Domain.SOC, Role.PART, "amdgpu.apu", "CPU {} with its graphics"),
    "psys": (Domain.SYSTEM, Role.WHOLE, "rapl.psys", "Platform (psys)"),
}
"""What the end of a channel's name says it is: domain, role, accuracy and label."""


def _windows_meters() -> Sequence[Meter]:
    if sys.platform == "win32":
        from monitor.power.windows_meters import windows_meters

        return windows_meters()
    return ()


@dataclass(frozen=True, slots=True)
class _Reader:
    """A meter, how many channels it has, and which of them are read."""

    meter: Meter
    count: int
    channels: dict[int, Channel]

    def moving(self) -> list[int]:
        """Return the numbers of the channels that move unless they are dead."""
        return [number for number, channel in self.channels.items() if should_move(channel)]

    def drop(self, number: int) -> Channel:
        """Read a channel no more, and nothing inside it if it is a package; return it."""
        gone = self.channels.pop(number)
        if gone.role is Role.PART and gone.domain is Domain.CPU:
            for inner, channel in list(self.channels.items()):
                if channel.role is Role.INSIDE and channel.device == gone.device:
                    del self.channels[inner]
        return gone


class Emi:
    """The ``emi`` source.

    :param meters: opens the machine's meters; those of Windows unless given
    """

    name = "emi"

    def __init__(self, meters: Callable[[], Sequence[Meter]] = _windows_meters) -> None:
        self._open_meters = meters
        self._readers: list[_Reader] = []
        self._meters: list[Meter] = []
        self._times: dict[str, int] = {}
        self._pulses: dict[str, Pulse] = {}
        self._dead: frozenset[str] = frozenset()

    def probe(self) -> Probe:
        """Open the meters and look for a processor's channels."""
        if self._open_meters is _windows_meters and sys.platform != "win32":
            return self._absent("This machine does not run Windows.")
        try:
            self._meters = list(self._open_meters())
        except OSError as error:
            return self._refused(error)
        described, problem = [], None
        for meter in self._meters:
            try:
                names = _describe(meter)
                parse_samples(meter.ask(GET_MEASUREMENT, 16 * len(names)), len(names))
                described.append((meter, names))
            except OSError as error:
                problem = error
        seen = [name for _, names in described for name in names if name]
        self._readers = _readers(described)
        if not any(reader.channels for reader in self._readers):
            if not seen and problem:
                return self._refused(problem)
            if not seen:
                return self._absent(
                    "Windows shows no energy meter. Windows 11 does on recent processors, but not "
                    "in a virtual machine. Older versions would need a driver with an "
                    "administrator's rights, as the package HardwareMonitor brings one; it is not "
                    "used, and the processor is modelled."
                )
            return self._absent(
                f"Windows shows energy meters, but none of a processor: {', '.join(seen)[:200]}."
            )
        words = ["Energy meters are readable.", *self._choose()]
        if not any(reader.channels for reader in self._readers):
            return self._absent(
                "Windows shows energy meters of the processor, but they stand still: they are not "
                f"connected to anything here. They are looked at again every {LATER_S:.0f} s.",
                retry_s=LATER_S,
            )
        return Probe(self.name, ProbeState.AVAILABLE, " ".join(words))

    def _refused(self, error: OSError) -> Probe:
        return self._absent(f"Windows' energy meters cannot be read ({error.strerror or error}).")

    def _absent(self, reason: str, retry_s: float | None = None) -> Probe:
        return Probe(self.name, ProbeState.ABSENT, reason, retry_s=retry_s)

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each counter to believe: no mirror, and none that is dead."""
        return tuple(c for reader in self._readers for c in reader.channels.values())

    def _choose(self) -> list[str]:
        """Leave out what is dead or shows another's counter, and say so, a sentence each.

        Namesakes that are neither are told apart.
        """
        looks = look(self._samples, [reader.moving() for reader in self._readers])
        notes = self._drop_dead(looks)
        for part in PARTS:
            notes += self._drop_mirrors(part, looks)
        keys: set[str] = set()
        for meter, reader in enumerate(self._readers):
            for number, channel in reader.channels.items():
                seen_s = renewal_s([samples[meter][number] for samples in looks])
                free = _numbered_freely(channel, keys)
                reader.channels[number] = replace(
                    free,
                    period_s=max(PERIOD_S, seen_s),
                    least_period_s=seen_s if seen_s > PERIOD_S else 0.0,
                )
                keys.add(free.key)
        self._times = {}
        self._pulses = {
            channel.key: Pulse()
            for reader in self._readers
            for channel in reader.channels.values()
            if should_move(channel)
        }
        return notes

    def _samples(self) -> Samples:
        return [parse_samples(_measure(reader), reader.count) for reader in self._readers]

    def _drop_dead(self, looks: Sequence[Samples]) -> list[str]:
        dead = []
        for meter, reader in enumerate(self._readers):
            for number in reader.moving():
                if is_dead([samples[meter][number] for samples in looks]):
                    dead.append(reader.drop(number))
        self._dead = frozenset(channel.key for channel in dead)
        labels = ", ".join(channel.label for channel in dead)
        return [f"Left out, because it stands still: {labels}."] if dead else []

    def _drop_mirrors(self, part: str, looks: Sequence[Samples]) -> list[str]:
        """Drop the mirrors among the channels of one kind."""
        places = [
            (meter, number)
            for meter, reader in enumerate(self._readers)
            for number, channel in reader.channels.items()
            if channel.key.endswith(f":{part}")
        ]
        alike = [[samples[meter][number] for meter, number in places] for samples in looks]
        notes = []
        for later, shown in mirrors(alike).items() if places else ():
            (meter, number), (at, of) = places[later], places[shown]
            mirror, original = self._readers[meter].drop(number), self._readers[at].channels[of]
            if mirror.role is not Role.INSIDE:
                notes.append(
                    f"Another meter shows the same counter as {original.label}; it is counted once."
                )
        return notes

    def read(self) -> list[Reading]:
        """Read every counter, in joules; one that has not moved since is left out.

        :raises OSError: if no meter could be read, or a counter has stopped
        """
        readings, error, is_told = [], None, False
        for reader in self._readers:
            if not reader.channels:
                continue
            try:
                samples = parse_samples(_measure(reader), reader.count)
            except OSError as failed:
                error = failed
                continue
            is_told, now_s = True, time.monotonic()
            for number, channel in reader.channels.items():
                counter_j = samples[number].energy_pwh * J_PER_PWH
                is_renewed = self._times.get(channel.key) != samples[number].time_100ns
                self._times[channel.key] = samples[number].time_100ns
                still_s = 0.0
                if pulse := self._pulses.get(channel.key):
                    still_s = pulse.still_s(counter_j, now_s)
                if still_s >= max(STOPPED_S, STOPPED_RENEWALS * channel.period_s):
                    raise OpenAnew(f"the energy counter of {channel.label} has stopped")
                # One that stopped would be 0 W, counted; if it goes on, the trace joins the two.
                if is_renewed and not still_s:
                    readings.append(Reading(channel.key, now_s, counter_j=counter_j))
        if error and not is_told:
            raise error
        return readings

    def has_left(self, channel: Channel) -> bool:
        """Say whether a counter stands still by now, and the processor's model stands in for it.

        Memory has no model: what was counted before is missing from a total from then on.
        """
        return channel.domain is not Domain.DRAM and channel.key in self._dead

    def close(self) -> None:
        """Close every meter."""
        for meter in self._meters:
            meter.close()
        self._meters, self._readers = [], []


def _readers(described: Sequence[tuple[Meter, tuple[str, ...]]]) -> list[_Reader]:
    """Return the meters with the channels that are known by their names."""
    readers = [
        _Reader(meter, len(names), {n: c for n, name in enumerate(names) if (c := _channel(name))})
        for meter, names in described
    ]
    if not any(c.domain is Domain.CPU for reader in readers for c in reader.channels.values()):
        seen = {name.lower() for _, names in described for name in names}
        socket = next((name for name in SOCKETS if name in seen), None)
        for reader, (_, names) in zip(readers, described, strict=True):
            reader.channels.update(
                (number, _channel_of(0, "socket"))
                for number, name in enumerate(names)
                if name.lower() == socket
            )
    return readers


def _describe(meter: Meter) -> tuple[str, ...]:
    version = parse_version(meter.ask(GET_VERSION, 2))
    size = parse_size(meter.ask(GET_METADATA_SIZE, 4))
    return parse_names(version, meter.ask(GET_METADATA, size))


def _measure(reader: _Reader) -> bytes:
    return reader.meter.ask(GET_MEASUREMENT, 16 * reader.count)


def _numbered_freely(channel: Channel, keys: set[str]) -> Channel:
    """Return a channel under the first processor's number from its own on that is not taken."""
    package, part = channel.key.split(":")[1:]
    number = int(package.removeprefix("package-"))
    while channel.key in keys:
        number += 1
        channel = _channel_of(number, part)
    return channel


def _channel(name: str) -> Channel | None:
    """Return what a meter's channel is, ``None`` if that is not known."""
    match = NAME.fullmatch(name)
    return _channel_of(int(match[1]), match[2].lower()) if match else None


def _channel_of(number: int, part: str) -> Channel:
    domain, role, sensor, label = PARTS[part]
    return Channel(
        key=f"{Emi.name}:package-{number}:{part}",
        label=label.format(number),
        domain=domain,
        device=f"package-{number}",
        kind=Kind.COUNTER,
        role=role,
        period_s=PERIOD_S,
        step_j=STEP_J,
        accuracy=accuracy_of(sensor),
    )
