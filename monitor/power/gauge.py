"""Readings that are no energy: what explains a power curve, and never part of a bill."""

import bisect
import itertools
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Domain

CAPACITY = 8_400
"""Samples kept a gauge: 70 minutes at two a second."""

PERIOD_S = 0.5
"""Gauges are read this often: temperatures, clocks and loads tell nothing more sooner."""

GAP_S = 2.0
"""A gauge that was not read for longer than this has a gap, and no present value."""


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

    @property
    def unit(self) -> str:
        """The unit of the values; "" for a throttle."""
        return {"utilisation": "%", "temperature": "°C", "clock": "MHz", "memory": "B"}.get(
            self.value, ""
        )


PLAUSIBLE: dict[str, tuple[float, float]] = {
    Quantity.UTILISATION: (0.0, 100.0),
    Quantity.TEMPERATURE: (-60.0, 150.0),
    Quantity.CLOCK: (0.0, 10_000.0),
    Quantity.MEMORY: (0.0, 2.0**52),
    Quantity.THROTTLE: (0.0, 1.0),
}
"""The least and the greatest value of each quantity that is believed, both included.

What is outside is a fault of the sensor or its driver. Chosen so that only nonsense is refused.
Silicon is specified from -55 °C (the military range of MIL-PRF-38535) to a junction of 150 °C. No
processor has run at 10 GHz: the record is 9.13 GHz (HWBOT, Core i9-14900KS). Physical addresses of
x86-64 have 52 bits (AMD64 Architecture Programmer's Manual, volume 2). A clock of 0 is a device
whose power is off.
"""

FINITE = (-sys.float_info.max, sys.float_info.max)
"""What is believed of any other."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One stream of readings.

    :param key: unique on this machine, ``source:device:quantity``; ``nvml:GPU-1f0c:clock``. The
      trace knows by its end what values are possible
    :param label: what a person reads; begins with the device's name: ``GPU 0 temperature``
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

    def joined(self, later: "GaugeSummary") -> "GaugeSummary":
        """Return the summary of two spans that share no reading."""
        samples = self.samples + later.samples
        return GaugeSummary(
            mean=(self.mean * self.samples + later.mean * later.samples) / samples,
            low=min(self.low, later.low),
            high=max(self.high, later.high),
            samples=samples,
            notes=tuple(dict.fromkeys((*self.notes, *later.notes))),
        )


@dataclass(frozen=True, slots=True)
class GaugeLine:
    """What one gauge told while something ran: it stands beside the lines of the bill."""

    gauge: Gauge
    summary: GaugeSummary


@dataclass(frozen=True, slots=True)
class GaugeCurve:
    """Readings of one gauge, oldest first. Both arrays have shape (n,)."""

    time_s: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a device was throttled.

    :param start_s: monotonic, as ``end_s``; a reading stands for half a period before and after
    :param reason: what by, "" if that is not told
    """

    start_s: float
    end_s: float
    reason: str


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
        size = len(self.time_s)
        kept = range(max(0, self.written - size), self.written)

        def time_of(number: int) -> float:
            return float(self.time_s[number % size])

        first = bisect.bisect_left(kept, start_s, key=time_of)
        last = bisect.bisect_right(kept, end_s, key=time_of)
        return np.arange(kept.start + first, kept.start + max(first, last))


class GaugeTrace:
    """Every gauge's recent readings. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, _Ring] = {}
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    def record(self, readings: Iterable[GaugeReading]) -> None:
        """Append readings; each gauge's must come in the order of their times.

        Those that are not possible are left out, and told of by :meth:`refused`.
        """
        with self._lock:
            for reading in readings:
                low, high = PLAUSIBLE.get(reading.key.rpartition(":")[2], FINITE)
                if low <= reading.value <= high:
                    ring = self._rings.setdefault(reading.key, _Ring(self._capacity))
                    ring.append(reading)
                    self._refused.discard(reading.key)
                else:
                    self._refused.add(reading.key)

    def refused(self, gauges: Iterable[Gauge]) -> tuple[Gauge, ...]:
        """Return those gauges whose last reading was not possible."""
        with self._lock:
            return tuple(gauge for gauge in gauges if gauge.key in self._refused)

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

    def lines(self, gauges: Iterable[Gauge], start_s: float, end_s: float) -> tuple[GaugeLine, ...]:
        """Return what gauges told in a span; those that were not read in it are left out."""
        found = ((gauge, self.summary(gauge.key, start_s, end_s)) for gauge in gauges)
        return tuple(GaugeLine(gauge, summary) for gauge, summary in found if summary)

    def throttled(
        self, key: str, start_s: float, end_s: float, join_s: float = 0.0
    ) -> tuple[Stretch, ...]:
        """Return when a throttle's device was held back in a span, the earliest first.

        :param join_s: stretches that lie no further apart are returned as one
        """
        with self._lock:
            ring = self._rings.get(key)
            if ring is None:
                return ()
            numbers = ring.within(start_s, end_s)
            numbers = numbers[ring.value[numbers % len(ring.value)] > 0]
            time_s = ring.time_s[numbers % len(ring.time_s)]
            reasons = [ring.notes.get(number, "") for number in numbers.tolist()]
        # A new stretch begins where the reading before said otherwise, or lies long back.
        apart_s = np.diff(time_s)
        is_new = ((np.diff(numbers) > 1) | (apart_s > GAP_S)) & (apart_s > PERIOD_S + join_s)
        breaks = np.flatnonzero(is_new) + 1
        edges = [0, *breaks.tolist(), len(numbers)] if len(numbers) else []
        return tuple(
            Stretch(
                float(time_s[first]) - PERIOD_S / 2,
                float(time_s[after - 1]) + PERIOD_S / 2,
                ", ".join(filter(None, dict.fromkeys(reasons[first:after]))),
            )
            for first, after in itertools.pairwise(edges)
        )


def join_lines(earlier: Iterable[GaugeLine], later: Iterable[GaugeLine]) -> tuple[GaugeLine, ...]:
    """Return what gauges told in two spans that share no reading."""
    joined = {line.gauge: line.summary for line in earlier}
    for line in later:
        known = joined.get(line.gauge)
        joined[line.gauge] = known.joined(line.summary) if known else line.summary
    return tuple(GaugeLine(gauge, summary) for gauge, summary in joined.items())


def was_throttled(lines: Iterable[GaugeLine]) -> bool | None:
    """Say whether anything was held back; ``None`` if nothing here tells that."""
    told = [line.summary.high for line in lines if line.gauge.quantity is Quantity.THROTTLE]
    return any(high > 0 for high in told) if told else None


def by_device(lines: Iterable[GaugeLine]) -> list[tuple[str, list[GaugeLine]]]:
    """Group lines by their device, with its name: the words its gauges' labels begin with."""
    groups: dict[tuple[Domain, str], list[GaugeLine]] = {}
    for line in lines:
        groups.setdefault((line.gauge.domain, line.gauge.device), []).append(line)
    return [(_device_name([line.gauge for line in group]), group) for group in groups.values()]


def _device_name(gauges: Sequence[Gauge]) -> str:
    columns = zip(*(gauge.label.split() for gauge in gauges), strict=False)
    common = itertools.takewhile(lambda words: len(set(words)) == 1, columns)
    return " ".join(words[0] for words in common) or gauges[0].label
