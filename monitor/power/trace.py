"""The memory of the last hour: what every channel read, and the energy of any window of it."""

import math
import sys
import threading

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Domain, Kind, Reading
from monitor.power.window import EMPTY as EMPTY
from monitor.power.window import Curve as Curve
from monitor.power.window import Gap as Gap
from monitor.power.window import Window as Window
from monitor.power.window import window_of as window_of

CAPACITY = 84_000
"""Samples kept a channel: 70 minutes at 20 Hz."""

PLAUSIBLE_W = {
    Domain.CPU: 2_000.0,
    Domain.DRAM: 1_000.0,
    Domain.GPU: 3_000.0,
    Domain.SOC: 2_000.0,
    Domain.SYSTEM: 20_000.0,
}
"""No single device of the domain draws more; a reading above is a fault of the sensor.

Chosen at least twice the largest rated power on sale in 2025 (a 1,400 W accelerator board, a
500 W server CPU), so that only nonsense is refused.
"""

LONGEST_BRIDGE_S = 2.5
"""Watts further apart than this (or 25 refresh periods) are not joined by a trapezium."""

REFRESHES_PER_SLOPE, LONGEST_SLOPE_S = 50, 0.5
"""Watts of a counter are its slope over this many refreshes (an error of 2 %), if not too long."""


AROUND_S = 0.5
"""Readings so long before and after a window tell how doubtful its ends are."""


class _Ring:
    """The samples of one channel. Not locked: :class:`Trace` does that."""

    def __init__(self, channel: Channel, capacity: int) -> None:
        self.channel = channel
        self._time_s = np.empty(capacity)
        self._energy_j = np.empty(capacity)
        self._power_w = np.empty(capacity)
        self._gap = np.empty(capacity, np.uint8)
        self.written = 0
        self._counter_j: float | None = None
        self._pending = Gap.NONE

    def miss(self, reason: Gap) -> None:
        """Note that the time since the last sample was not observed."""
        self._pending = max(self._pending, reason)

    def append(self, reading: Reading) -> None:
        last_s = float(self._at(self._time_s)) if self.written else -math.inf
        if reading.time_s <= last_s:
            return
        dt_s = reading.time_s - last_s
        is_power = self.channel.kind is Kind.POWER
        value = reading.power_w if is_power else reading.counter_j
        if value is None:
            self.miss(Gap.MISSED)
        elif not 0 <= value <= self._greatest():
            self.miss(Gap.IMPLAUSIBLE)
        elif is_power:
            self._append_power(reading.time_s, value, dt_s)
        else:
            self._append_counter(reading, value, dt_s)

    def _greatest(self) -> float:
        """The greatest value a reading of this channel can have."""
        if self.channel.kind is Kind.POWER:
            return PLAUSIBLE_W[self.channel.domain]
        return self.channel.range_j or sys.float_info.max

    def _append_counter(self, reading: Reading, counter_j: float, dt_s: float) -> None:
        if self._counter_j is None:
            first_w = math.nan if reading.power_w is None else reading.power_w
            self._write(reading.time_s, 0.0, first_w, Gap.RESET)
            self._counter_j = counter_j
            return
        delta_j, gap = self._advance(counter_j, dt_s)
        self._counter_j = counter_j
        energy_j = float(self._at(self._energy_j)) + delta_j
        power_w = reading.power_w
        if power_w is None:
            power_w = self._slope_w(reading.time_s, energy_j)
        if gap is not Gap.NONE or not 0 <= power_w <= PLAUSIBLE_W[self.channel.domain]:
            power_w = math.nan
        self._write(reading.time_s, energy_j, power_w, gap)

    def _slope_w(self, time_s: float, energy_j: float) -> float:
        """Watts up to a new sample, over long enough that the sensor's rhythm does not show.

        Two readings a moment apart may lie on either side of a refresh: their difference says
        little of the power. The slope is taken from the latest sample far enough back.
        """
        span_s = 0.0
        if self.channel.kind is Kind.COUNTER:
            span_s = min(REFRESHES_PER_SLOPE * self.channel.period_s, LONGEST_SLOPE_S)
        oldest = max(0, self.written - len(self._time_s))
        base = self.written - 1
        while base > oldest:
            at = base % len(self._time_s)
            if self._gap[at] != Gap.NONE or time_s - self._time_s[at] >= span_s:
                break
            base -= 1
        at = base % len(self._time_s)
        return float((energy_j - self._energy_j[at]) / (time_s - self._time_s[at]))

    def _advance(self, counter_j: float, dt_s: float) -> tuple[float, Gap]:
        """Return the joules since the last counter value, or 0 and why they are unknown."""
        assert self._counter_j is not None
        pending, self._pending = self._pending, Gap.NONE
        if pending in (Gap.ASLEEP, Gap.IMPLAUSIBLE):
            return 0.0, pending
        delta_j = counter_j - self._counter_j
        limit_w = PLAUSIBLE_W[self.channel.domain]
        if self.channel.range_j:
            recent_w = float(self._at(self._power_w))
            likely_w = max(3 * recent_w, 100.0) if math.isfinite(recent_w) else limit_w / 4
            if dt_s * likely_w > self.channel.range_j:
                return 0.0, Gap.AMBIGUOUS
            if delta_j < 0:
                delta_j += self.channel.range_j
                return (delta_j, Gap.NONE) if delta_j <= limit_w * dt_s else (0.0, Gap.RESET)
        if delta_j < 0:
            return 0.0, Gap.RESET
        # A counter that publishes in batches may release many periods at once, so the bound
        # allows for a whole refresh period more than has passed.
        if delta_j > limit_w * (dt_s + self.channel.period_s):
            return 0.0, Gap.IMPLAUSIBLE
        return delta_j, Gap.NONE

    def _append_power(self, time_s: float, power_w: float, dt_s: float) -> None:
        gap, self._pending = self._pending, Gap.NONE
        if not self.written:
            self._write(time_s, 0.0, power_w, Gap.RESET)
            return
        if dt_s > max(LONGEST_BRIDGE_S, 25 * self.channel.period_s):
            gap = max(gap, Gap.MISSED)
        energy_j = float(self._at(self._energy_j))
        if gap is Gap.NONE:
            energy_j += (float(self._at(self._power_w)) + power_w) / 2 * dt_s
        self._write(time_s, energy_j, power_w, gap)

    def _write(self, time_s: float, energy_j: float, power_w: float, gap: Gap) -> None:
        at = self.written % len(self._time_s)
        self._time_s[at], self._energy_j[at] = time_s, energy_j
        self._power_w[at], self._gap[at] = power_w, gap
        self.written += 1

    def _at(self, column: npt.NDArray[np.float64]) -> np.float64:
        return np.float64(column[(self.written - 1) % len(column)])

    def curve(self, first: int) -> Curve:
        """Copy the samples numbered ``first`` and on, as far as they are still kept."""
        capacity = len(self._time_s)
        first = max(first, self.written - capacity, 0)
        rows = np.arange(first, self.written) % capacity
        return Curve(self._time_s[rows], self._energy_j[rows], self._power_w[rows], self._gap[rows])

    def first_after(self, time_s: float) -> int:
        """Number of the first sample later than ``time_s``, by bisection over the ring."""
        low, high = max(0, self.written - len(self._time_s)), self.written
        while low < high:
            middle = (low + high) // 2
            if self._time_s[middle % len(self._time_s)] > time_s:
                high = middle
            else:
                low = middle + 1
        return low


class Trace:
    """Every channel's recent readings. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, _Ring] = {}
        self._lock = threading.Lock()

    def add(self, channel: Channel) -> None:
        """Begin to keep a channel; does nothing if it is kept already."""
        with self._lock:
            self._rings.setdefault(channel.key, _Ring(channel, self._capacity))

    def record(self, readings: list[Reading]) -> None:
        """Append readings; each channel's must come in the order of their times."""
        with self._lock:
            for reading in readings:
                self._rings[reading.key].append(reading)

    def miss(self, keys: list[str], reason: Gap = Gap.MISSED) -> None:
        """Note that these channels could not be read, and why."""
        with self._lock:
            for key in keys:
                self._rings[key].miss(reason)

    def curve(self, key: str, start_s: float = -math.inf, end_s: float = math.inf) -> Curve:
        """Copy the readings of a channel between two monotonic times, both included.

        One reading before and one after are added where there are any, so that a window can
        be interpolated at both ends.

        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            ring = self._rings[key]
            last = ring.written if end_s == math.inf else ring.first_after(end_s) + 1
            first = 0 if start_s == -math.inf else ring.first_after(start_s) - 1
            curve = ring.curve(max(first, 0))
            kept = ring.written - len(curve.time_s)
        stop = max(last - kept, 0)
        return Curve(
            curve.time_s[:stop], curve.energy_j[:stop], curve.power_w[:stop], curve.gap[:stop]
        )

    def latest(self, key: str) -> tuple[float, float] | None:
        """Return the last reading's monotonic time and watts (NaN in a gap), if there is one."""
        with self._lock:
            ring = self._rings.get(key)
            curve = ring.curve(ring.written - 1) if ring and ring.written else None
        return (float(curve.time_s[-1]), float(curve.power_w[-1])) if curve else None

    def window(self, key: str, start_s: float, end_s: float) -> Window:
        """Return the energy of a channel between two monotonic times.

        A counter's cumulative curve is interpolated at both ends; watts are integrated by the
        trapezium rule. Outside what was read nothing is assumed: that part is not covered.
        """
        with self._lock:
            channel = self._rings[key].channel if key in self._rings else None
        if channel is None:
            return EMPTY
        curve = self.curve(key, start_s - AROUND_S, end_s + AROUND_S)
        return window_of(channel, curve, start_s, end_s)
