"""Readings that are no energy: what explains a power curve, and never part of a bill."""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Domain

CAPACITY = 8_400
"""Samples kept a gauge: 70 minutes at two a second."""

PERIOD_S = 0.5
"""Gauges are read this often: temperatures, clocks and loads tell nothing more sooner."""


class Quantity(StrEnum):
    """What a gauge tells, and in which unit its values are."""

    UTILISATION = "utilisation"
    """Percent, 0 to 100."""
    TEMPERATURE = "temperature"
    """Degrees Celsius."""
    CLOCK = "clock"
    """Megahertz."""
    MEMORY = "memory"
    """Bytes in use."""
    THROTTLE = "throttle"
    """1 while something keeps the device below the clock it would choose, 0 otherwise."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One stream of readings.

    :param key: unique on this machine, ``source:device:quantity``; ``nvml:GPU-1f0c:clock``
    :param label: what a person reads
    :param quantity: what is told, and with it the unit
    :param domain: what it is a reading of; ``SYSTEM`` for the engine's process
    :param device: which one of the domain, as in the channel it explains
    :param capacity: the most the value can be, in its unit (bytes of memory); ``None`` if unknown
    """

    key: str
    label: str
    quantity: Quantity
    domain: Domain
    device: str
    capacity: float | None = None


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """What a gauge said at one moment.

    :param key: the gauge's key
    :param time_s: ``time.monotonic()`` of the reading
    :param value: in the unit of its quantity
    :param note: why, where there is a reason: what a device is throttled by
    """

    key: str
    time_s: float
    value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class GaugeSummary:
    """A gauge over a span of time.

    :param mean: in the unit of its quantity; of a throttle the share of the readings
    :param low: the least value read
    :param high: the greatest
    :param samples: readings inside, at least one
    :param notes: each reason given, once, in the order they came
    """

    mean: float
    low: float
    high: float
    samples: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GaugeCurve:
    """Readings of one gauge, oldest first. Both arrays have shape (n,)."""

    time_s: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]


class _Ring:
    """The last readings of one gauge. Not locked: :class:`GaugeTrace` does that."""

    def __init__(self, capacity: int) -> None:
        self.time_s = np.empty(capacity)
        self.value = np.empty(capacity)
        self.written = 0
        self.notes: dict[int, str] = {}

    def append(self, reading: GaugeReading) -> None:
        at = self.written % len(self.time_s)
        self.time_s[at], self.value[at] = reading.time_s, reading.value
        self.notes.pop(self.written - len(self.time_s), None)
        if reading.note:
            self.notes[self.written] = reading.note
        self.written += 1

    def within(self, start_s: float, end_s: float) -> npt.NDArray[np.int64]:
        """Numbers of the readings between two times, both included."""
        kept = np.arange(max(0, self.written - len(self.time_s)), self.written)
        time_s = self.time_s[kept % len(self.time_s)]
        return kept[(time_s >= start_s) & (time_s <= end_s)]


class GaugeTrace:
    """Every gauge's recent readings. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, _Ring] = {}
        self._lock = threading.Lock()

    def record(self, readings: Iterable[GaugeReading]) -> None:
        """Append readings; each gauge's must come in the order of their times."""
        with self._lock:
            for reading in readings:
                if math.isfinite(reading.value):
                    ring = self._rings.setdefault(reading.key, _Ring(self._capacity))
                    ring.append(reading)

    def latest(self, key: str) -> GaugeReading | None:
        """Return the last reading, if there is one."""
        with self._lock:
            ring = self._rings.get(key)
            if ring is None:
                return None
            last = ring.written - 1
            at = last % len(ring.time_s)
            time_s, value = float(ring.time_s[at]), float(ring.value[at])
            return GaugeReading(key, time_s, value, ring.notes.get(last, ""))

    def curve(self, key: str, start_s: float, end_s: float) -> GaugeCurve:
        """Copy the readings between two monotonic times, both included; empty if there is none."""
        with self._lock:
            ring = self._rings.get(key)
            if ring is None:
                return GaugeCurve(np.empty(0), np.empty(0))
            rows = ring.within(start_s, end_s) % len(ring.time_s)
            return GaugeCurve(ring.time_s[rows], ring.value[rows])

    def summary(self, key: str, start_s: float, end_s: float) -> GaugeSummary | None:
        """Return mean, least and greatest of a span; ``None`` if nothing was read in it."""
        with self._lock:
            ring = self._rings.get(key)
            numbers = ring.within(start_s, end_s) if ring else np.empty(0, np.int64)
            if ring is None or not len(numbers):
                return None
            value = ring.value[numbers % len(ring.value)]
            noted = (ring.notes[n] for n in map(int, numbers) if n in ring.notes)
            notes = tuple(dict.fromkeys(noted))
        return GaugeSummary(
            float(value.mean()), float(value.min()), float(value.max()), len(value), notes
        )
