"""An energy meter of Windows, and what its answers say.

Structures and codes are those of ``emi.h`` in the Windows SDK; all are little-endian, and the
characters are UTF-16.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

GET_VERSION, GET_METADATA_SIZE = 0x224000, 0x224004
GET_METADATA, GET_MEASUREMENT = 0x224008, 0x22400C
"""``CTL_CODE(FILE_DEVICE_UNKNOWN, 0 to 3, METHOD_BUFFERED, FILE_READ_ACCESS)`` (emi.h)."""

J_PER_PWH = 3.6e-9
"""A picowatt-hour, the only unit there is (emi.h, EMI_MEASUREMENT_UNIT)."""

PICOWATT_HOURS = 0
"""``EmiMeasurementUnitPicowattHours``."""

MOST_BYTES = 1 << 16
"""No meter describes itself at greater length."""


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
