"""Lengths of time as a clock writes them, and moments on the clock of this machine."""

import re
import time
from collections.abc import Iterable
from datetime import datetime

_CLOCK = re.compile(
    r"(?:(?P<hours>\d+):(?=[0-5]?\d:))?(?P<minutes>\d+):(?P<seconds>[0-5]?\d(?:[.,]\d*)?)"
)


def clock_seconds(text: str) -> float | None:
    """Return the seconds of "1:02" or "1:02:30", with tenths after a comma or point.

    :return: ``None`` if it is no such length
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    seconds = float(found["seconds"].replace(",", "."))
    return int(found["hours"] or 0) * 3600 + int(found["minutes"]) * 60 + seconds


def unix_s(monotonic_s: float) -> float:
    """Return a moment of ``time.monotonic()`` in seconds since 1970, which processes share."""
    return monotonic_s + time.time() - time.monotonic()


def local_minute(moment: str) -> str:
    """Write a stored moment on the clock of this machine: 2026-11-24 18:05.

    :param moment: UTC, ISO 8601
    """
    return f"{_local(moment):%Y-%m-%d %H:%M}"


def local_second(moment: str) -> str:
    """Write a stored moment on the clock of this machine, to the second and with its zone."""
    return f"{_local(moment):%Y-%m-%d %H:%M:%S} ({zone_words([moment])})"


def zone_words(moments: Iterable[str]) -> str:
    """Say which zone's clock moments are written on: UTC+01:00; two where summer time began.

    The names of zones are long on some systems and mean several zones on others.

    :param moments: UTC, ISO 8601
    """
    zones = dict.fromkeys(_local(moment).isoformat()[-6:] for moment in moments)
    return " or ".join("UTC" if zone == "+00:00" else f"UTC{zone}" for zone in zones)


def _local(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone()
