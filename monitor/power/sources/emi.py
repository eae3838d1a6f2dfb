"""Windows' Energy Metering Interface: the energy counters of Intel and AMD processors.

A meter describes its channels (``IOCTL_EMI_GET_METADATA``) and tells each one's energy in
picowatt-hours with the time it is of, in 100 ns (``IOCTL_EMI_GET_MEASUREMENT``), without
administrator rights and without a driver of our own. Structures and codes are those of ``emi.h``
in the Windows SDK; all are little-endian, and the characters are UTF-16.

Channels are told by the whole of their names, as they are on processors with RAPL:
``RAPL_Package0_PKG`` is a package, with its ``_PP0`` (cores) and ``_PP1`` (graphics) inside and
its ``_DRAM`` beside it, and ``_PSYS`` is the machine. Others are not read: what contains them is
not known. Two meters may show one counter; see :func:`mirrors`.

Tested from bytes laid out as ``emi.h`` has them; not yet met on hardware.
"""

import re
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Protocol

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role

GET_VERSION, GET_METADATA_SIZE = 0x224000, 0x224004
GET_METADATA, GET_MEASUREMENT = 0x224008, 0x22400C
"""``CTL_CODE(FILE_DEVICE_UNKNOWN, 0 to 3, METHOD_BUFFERED, FILE_READ_ACCESS)`` (emi.h)."""

J_PER_PWH = 3.6e-9
"""A picowatt-hour, the only unit there is (emi.h, EMI_MEASUREMENT_UNIT)."""

STEP_J = 61e-6
"""The usual step of the RAPL counter behind it, 2^-14 J; the interface names none."""

PERIOD_S = 0.1
"""How often a meter is renewed is written nowhere; what has not been is told by its time."""

PICOWATT_HOURS = 0
"""``EmiMeasurementUnitPicowattHours``."""

MOST_BYTES = 1 << 16
"""No meter describes itself at greater length."""

LOOKS, LOOK_S = 3, 0.06
"""So often, and so far apart, the counters are read to find mirrors."""

MOST_W = 2_000.0
"""No processor draws more; see :data:`monitor.power.trace.PLAUSIBLE_W`."""

NAME = re.compile(r"(?:RAPL_)?Package(\d+)_(PKG|DRAM|PP0|PP1|PSYS)", re.IGNORECASE)

PARTS = {
    "pkg": (Domain.CPU, Role.PART, "rapl.package", "CPU {}"),
    "dram": (Domain.DRAM, Role.PART, "rapl.dram", "DRAM {}"),
    "pp0": (Domain.CPU, Role.INSIDE, "rapl.package", "CPU {} core"),
    "pp1": (Domain.CPU, Role.INSIDE, "rapl.package", "CPU {} uncore"),
    "psys": (Domain.SYSTEM, Role.WHOLE, "rapl.psys", "Platform (psys)"),
}
"""What the end of a channel's name says it is: domain, role, accuracy and label."""


class EmiError(OSError):
    """A meter answered what it should not."""


class Meter(Protocol):
    """An opened energy meter."""

    def ask(self, code: int, most_bytes: int) -> bytes:
        """Send a control code without input and return what comes back.

        :raises OSError: if the system refuses
        """

    def close(self) -> None:
        """Let it go."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a channel said.

    :param energy_pwh: since some moment of the past
    :param time_100ns: when that was measured, in units of 100 ns
    """

    energy_pwh: int
    time_100ns: int


def parse_version(told: bytes) -> int:
    """Read an ``EMI_VERSION``."""
    return int(_unpack("<H", told, 0)[0])


def parse_size(told: bytes) -> int:
    """Read an ``EMI_METADATA_SIZE``: bytes, at most :data:`MOST_BYTES`."""
    return min(int(_unpack("<I", told, 0)[0]), MOST_BYTES)


def parse_names(version: int, told: bytes) -> tuple[str, ...]:
    """Return the names of a meter's channels, in the order of its measurements.

    :param told: an ``EMI_METADATA_V1`` or ``EMI_METADATA_V2``
    :return: "" for a channel in a unit that is not known
    :raises EmiError: if it is neither, or cut short
    """
    # Both hold 16 characters of the maker, 16 of the model and a revision before what matters.
    if version == 1:
        (unit,), (size,) = _unpack("<i", told, 0), _unpack("<H", told, 70)
        return (_name(told, 72, size, unit),)
    if version != 2:
        raise EmiError(f"The meter speaks version {version} of its interface, which is not known.")
    (count,) = _unpack("<H", told, 66)
    names, at = [], 68
    for _ in range(count):
        unit, size = _unpack("<iH", told, at)
        names.append(_name(told, at + 6, size, unit))
        at += 6 + size  # EMI_CHANNEL_V2_NEXT_CHANNEL: not aligned
    return tuple(names)


def parse_samples(told: bytes, channels: int) -> tuple[Sample, ...]:
    """Read an ``EMI_CHANNEL_MEASUREMENT_DATA`` for each of so many channels.

    :raises EmiError: if it is cut short
    """
    return tuple(Sample(*_unpack("<QQ", told, 16 * number)) for number in range(channels))


def _unpack(form: str, told: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, told, at)
    except struct.error:
        raise EmiError("The meter's answer is cut short.") from None


def _name(told: bytes, at: int, size: int, unit: int) -> str:
    """Return a name of so many bytes, its terminator among them."""
    if len(told) < at + size:
        raise EmiError("The meter's answer is cut short.")
    text = told[at : at + size].decode("utf-16-le", errors="replace").partition("\0")[0]
    return text if unit == PICOWATT_HOURS else ""


def mirrors(looks: Sequence[Sequence[Sample]]) -> set[int]:
    """Find the channels that show a counter which an earlier one shows too.

    Those of two processors differ: each has counted since it was started, and draws power of its
    own. Two are one counter if they stand at the same energy, within what was spent between the
    two times, or advance by the very same steps; both of them each time, and never at rest.

    :param looks: at least three times the samples of the same channels
    :return: numbers of the later one of each pair
    """
    found: set[int] = set()
    for first, second in combinations(range(len(looks[0])), 2):
        if first not in found and _is_same([(look[first], look[second]) for look in looks]):
            found.add(second)
    return found


def _is_same(pairs: Sequence[tuple[Sample, Sample]]) -> bool:
    steps = [
        (later[0].energy_pwh - earlier[0].energy_pwh, later[1].energy_pwh - earlier[1].energy_pwh)
        for earlier, later in pairwise(pairs)
    ]
    if any(0 in step for step in steps):
        return False
    is_level = all(
        abs(one.energy_pwh - other.energy_pwh) * J_PER_PWH
        <= abs(one.time_100ns - other.time_100ns) * 1e-7 * MOST_W + STEP_J
        for one, other in pairs
    )
    return is_level or all(one == other for one, other in steps)


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

    def probe(self) -> Probe:
        """Open the meters and look for a processor's channels."""
        if self._open_meters is _windows_meters and sys.platform != "win32":
            return self._absent("This is no Windows.")
        try:
            self._meters = list(self._open_meters())
        except OSError as error:
            return self._absent(f"Windows does not give its energy meters: {error}.")
        described = []
        for meter in self._meters:
            with suppress(OSError):
                names = _describe(meter)
                parse_samples(meter.ask(GET_MEASUREMENT, 16 * len(names)), len(names))
                described.append((meter, names))
        seen = [name for _, names in described for name in names if name]
        self._readers = [
            _Reader(
                meter, len(names), {n: c for n, name in enumerate(names) if (c := _channel(name))}
            )
            for meter, names in described
        ]
        if not any(reader.channels for reader in self._readers):
            if not seen:
                return self._absent(
                    "Windows shows no energy meter: a virtual machine, an older processor, or "
                    "Windows 10."
                )
            return self._absent(f"No meter is of a processor: {', '.join(seen)[:200]}.")
        return Probe(self.name, ProbeState.AVAILABLE, "Energy meters are readable.")

    def _absent(self, reason: str) -> Probe:
        return Probe(self.name, ProbeState.ABSENT, reason)

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each counter, mirrors left out."""
        self._drop_mirrors()
        return tuple(c for reader in self._readers for c in reader.channels.values())

    def _drop_mirrors(self) -> None:
        """Leave out what shows another's counter, and tell namesakes that do not apart."""
        looks = []
        for _ in range(LOOKS):
            looks.append([parse_samples(_measure(r), r.count) for r in self._readers])
            time.sleep(LOOK_S)
        keys: set[str] = set()
        for part in PARTS:
            places = [
                (meter, number)
                for meter, reader in enumerate(self._readers)
                for number, channel in reader.channels.items()
                if channel.key.endswith(f":{part}")
            ]
            alike = [[look[meter][number] for meter, number in places] for look in looks]
            for at in mirrors(alike):
                meter, number = places[at]
                del self._readers[meter].channels[number]
        for reader in self._readers:
            for number, channel in reader.channels.items():
                reader.channels[number] = free = _numbered_freely(channel, keys)
                keys.add(free.key)

    def read(self) -> list[Reading]:
        """Read every counter, in joules; one not renewed since is left out.

        :raises OSError: if no meter could be read
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
                sample = samples[number]
                if self._times.get(channel.key) != sample.time_100ns:
                    self._times[channel.key] = sample.time_100ns
                    counter_j = sample.energy_pwh * J_PER_PWH
                    readings.append(Reading(channel.key, now_s, counter_j=counter_j))
        if error and not is_told:
            raise error
        return readings

    def close(self) -> None:
        """Close every meter."""
        for meter in self._meters:
            meter.close()
        self._meters, self._readers = [], []


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
