"""The samples of one channel: what its readings come to, and why one comes to nothing."""

import math
import sys

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Domain, Kind, Reading
from monitor.power.curve import Curve, Gap

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

SKETCHED_APART = 0.9
"""Watts that are no count are kept if they lie so many refreshes of the counter from all others. A
count is as old as its last refresh, and of two readings that lie closer it would seem to tell when
that was (:mod:`monitor.power.refreshes`)."""

LONGEST_BRIDGE_S = 2.5
"""Watts further apart than this (or 25 refresh periods) are not joined by a trapezium."""

LIKELY_SHARE = 0.25
"""Of the most a device may draw: what it may well have drawn throughout a silence. A counter that
could have turned a whole time by it is not known to have turned less than once."""

REFRESHES_PER_SLOPE, LONGEST_SLOPE_S = 50, 0.5
"""Watts of a counter are its slope over this many refreshes (an error of 2 %), if not too long."""

# Each use of ``Gap.NONE`` costs 0.2 microseconds (Python 3.11), and a reading needs several.
_NONE, _MISSED, _RESET = Gap.NONE, Gap.MISSED, Gap.RESET
_AMBIGUOUS, _IMPLAUSIBLE, _LEFT = Gap.AMBIGUOUS, Gap.IMPLAUSIBLE, Gap.LEFT
_LOSING = (Gap.ASLEEP, _IMPLAUSIBLE, _RESET)
"""After these a counter's next value says nothing of what was drawn meanwhile."""


def _floats(column: npt.NDArray[np.float64]) -> "memoryview[float]":
    return column.data.cast("B").cast("d")


class Ring:
    """The samples of one channel. Not locked: :class:`monitor.power.trace.Trace` does that."""

    def __init__(self, channel: Channel, capacity: int) -> None:
        self._time_s = np.empty(capacity)
        self._energy_j = np.empty(capacity)
        self._power_w = np.empty(capacity)
        self._gap = np.empty(capacity, np.uint8)
        # Of most counters none ever is.
        self._is_sketch: npt.NDArray[np.bool_] | None = None
        # Single samples are read and written through these, at a tenth of the cost.
        self._time_at, self._energy_at = _floats(self._time_s), _floats(self._energy_j)
        self._power_at, self._gap_at = _floats(self._power_w), self._gap.data
        self._capacity = capacity
        self.written = 0
        self._last_s, self._last_j, self._last_w = -math.inf, 0.0, math.nan
        self._counter_j: float | None = None
        self._counted_s, self._counted_to_j = -math.inf, 0.0
        self._sketched = 0
        self._pending = _NONE
        self._set_channel(channel)

    def _set_channel(self, channel: Channel) -> None:
        self.channel = channel
        self._is_power = channel.kind is Kind.POWER
        self._limit_w = PLAUSIBLE_W[channel.domain]
        self._greatest = self._limit_w if self._is_power else channel.range_j or sys.float_info.max
        self._slope_s = 0.0
        self._apart_s = SKETCHED_APART * channel.period_s
        if channel.kind is Kind.COUNTER:
            self._slope_s = min(REFRESHES_PER_SLOPE * channel.period_s, LONGEST_SLOPE_S)

    def reopen(self, channel: Channel) -> None:
        """Go on with a source that was closed meanwhile: its counter may have started again."""
        self._set_channel(channel)
        self.miss(_RESET)
        last = self._time_at[self._newest] if self.written else -math.inf
        self._last_s = last

    def leave(self, now_s: float) -> None:
        """Note that it is not there from now on: readings are passed over until it is reopened."""
        if self._last_s == math.inf:
            return
        if self._sketched:
            # Nobody will say any more what was counted.
            self._draw(0.0, _MISSED, now_s, None)
            self._last_j = self._counted_to_j
        if self.written:
            at_s = max(now_s, math.nextafter(self._last_s, math.inf))
            self._write(at_s, self._last_j, math.nan, _LEFT)
        self._last_s = math.inf

    @property
    def _newest(self) -> int:
        """Where the last sample is."""
        return (self.written - 1) % self._capacity

    @property
    def counted(self) -> tuple[float, float | None]:
        """When it was read last, and what the counter said then."""
        return self._counted_s, self._counter_j

    @property
    def settled_s(self) -> float:
        """Up to when nothing changes any more; minus infinity before the first sample."""
        if self._sketched:
            return self._counted_s
        return self._time_at[self._newest] if self.written else -math.inf

    @property
    def latest(self) -> tuple[float, float] | None:
        """Time and watts of the last sample; ``None`` without one, or of what has left."""
        at = self._newest
        if not self.written or self._gap_at[at] == _LEFT:
            return None
        return self._time_at[at], self._power_at[at]

    @property
    def is_sketched(self) -> bool:
        """Whether its counter was not asked at some reading, and only the watts were."""
        return self._is_sketch is not None

    def miss(self, reason: Gap) -> None:
        """Note that the time since the last sample was not observed."""
        self._pending = max(self._pending, reason)

    def append(self, reading: Reading) -> bool:
        """Keep a reading later than the last; return whether it was physically possible."""
        dt_s = reading.time_s - self._last_s
        if not dt_s > 0 or reading.time_s == math.inf:
            return True
        value = reading.power_w if self._is_power else reading.counter_j
        if value is None:
            self.miss(_MISSED)
        elif not 0 <= value <= self._greatest:
            self.miss(_IMPLAUSIBLE)
            return False
        elif self._is_power:
            self._append_power(reading.time_s, value, dt_s)
        else:
            return self._append_counter(reading, value, dt_s)
        return True

    def _append_counter(self, reading: Reading, counter_j: float, dt_s: float) -> bool:
        time_s, power_w = reading.time_s, reading.power_w
        if self._counter_j is None:
            delta_j, gap, self._pending = 0.0, _RESET, _NONE
            power_w = math.nan if power_w is None else power_w
        else:
            since_s = time_s - self._counted_s if self._sketched else dt_s
            delta_j, gap = self._advance(counter_j, since_s)
            if self._sketched:
                self._draw(delta_j, gap, time_s, power_w)
            if gap is not _NONE:
                power_w = math.nan
            elif power_w is None:
                power_w = self._slope_w(time_s, self._counted_to_j + delta_j)
            if not 0 <= power_w <= self._limit_w:
                power_w = math.nan
        self._counter_j = counter_j
        self._write(time_s, self._counted_to_j + delta_j, power_w, gap)
        self._counted_s, self._counted_to_j = time_s, self._last_j
        return gap is not _IMPLAUSIBLE

    def sketch(self, reading: Reading) -> bool:
        """Keep watts that were read while the counter was not asked.

        Their integral stands for what it counts until it is asked again; then what it has counted
        is shared out by the watts. In a gap, and before there is a first count, nothing is kept.

        :return: whether they were physically possible
        """
        time_s, power_w = reading.time_s, reading.power_w
        if self._is_power:
            return self.append(reading)
        if power_w is None or self._counter_j is None or self._pending is not _NONE:
            return True
        if not 0 <= power_w <= self._limit_w:
            return False
        dt_s = time_s - self._last_s
        if not dt_s >= self._apart_s or time_s == math.inf:
            return True
        if self._is_sketch is None:
            self._is_sketch = np.zeros(self._capacity, np.bool_)
        self._write(time_s, self._last_j + self._between_w(power_w) * dt_s, power_w, _NONE)
        self._is_sketch[self._newest] = True
        self._sketched += 1
        return True

    def _between_w(self, power_w: float | None) -> float:
        """Mean watts since the last sample, of those of its two ends that are known."""
        known = [w for w in (self._last_w, power_w) if w is not None and math.isfinite(w)]
        return sum(known) / len(known) if known else 0.0

    def _draw(self, delta_j: float, gap: Gap, time_s: float, power_w: float | None) -> None:
        """Have the samples since the last count add up to what was counted by now.

        :param gap: why that is not known; then it is not of them either
        :param power_w: watts at the moment of the count
        """
        if time_s - self._time_at[self._newest] < self._apart_s:
            self.written -= 1
            self._sketched -= 1
        rows = np.arange(self.written - self._sketched, self.written) % self._capacity
        self._sketched = 0
        if gap is not _NONE:
            self._energy_j[rows], self._power_w[rows] = self._counted_to_j, math.nan
            self._gap[rows] = gap
            return
        end_j = self._last_j + self._between_w(power_w) * (time_s - self._last_s)
        drawn_j = end_j - self._counted_to_j
        if drawn_j > 0:
            share = (self._energy_j[rows] - self._counted_to_j) / drawn_j
        else:
            share = (self._time_s[rows] - self._counted_s) / (time_s - self._counted_s)
        self._energy_j[rows] = self._counted_to_j + share * delta_j

    def _slope_w(self, time_s: float, energy_j: float) -> float:
        """Watts up to a new sample, over long enough that the sensor's rhythm does not show.

        Two readings a moment apart may lie on either side of a refresh: their difference says
        little of the power. The slope is taken from the latest sample far enough back.
        """
        oldest = max(0, self.written - self._capacity)
        base = self.written - 1
        while base > oldest:
            at = base % self._capacity
            if self._gap_at[at] != _NONE or time_s - self._time_at[at] >= self._slope_s:
                break
            base -= 1
        at = base % self._capacity
        return (energy_j - self._energy_at[at]) / (time_s - self._time_at[at])

    def _advance(self, counter_j: float, dt_s: float) -> tuple[float, Gap]:
        """Return the joules since the last counter value, or 0 and why they are unknown."""
        assert self._counter_j is not None
        pending, self._pending = self._pending, _NONE
        if pending in _LOSING:
            return 0.0, pending
        delta_j = counter_j - self._counter_j
        if range_j := self.channel.range_j:
            # What was drawn before tells nothing of a silence: work may have begun in it.
            if dt_s * self._limit_w * LIKELY_SHARE > range_j:
                return 0.0, _AMBIGUOUS
            if delta_j < 0:
                delta_j += range_j
                return (delta_j, _NONE) if delta_j <= self._limit_w * dt_s else (0.0, _RESET)
        if delta_j < 0:
            return 0.0, _RESET
        # A counter that publishes in batches may release many periods at once, so the bound
        # allows for a whole refresh period more than has passed.
        if delta_j > self._limit_w * (dt_s + self.channel.period_s):
            return 0.0, _IMPLAUSIBLE
        return delta_j, _NONE

    def _append_power(self, time_s: float, power_w: float, dt_s: float) -> None:
        gap, self._pending = self._pending, _NONE
        if not self.written:
            self._write(time_s, 0.0, power_w, _RESET)
            return
        if dt_s > max(LONGEST_BRIDGE_S, 25 * self.channel.period_s):
            gap = max(gap, _MISSED)
        energy_j = self._last_j
        if gap is _NONE:
            energy_j += (self._last_w + power_w) / 2 * dt_s
        self._write(time_s, energy_j, power_w, gap)

    def _write(self, time_s: float, energy_j: float, power_w: float, gap: Gap) -> None:
        at = self.written % self._capacity
        self._time_at[at], self._energy_at[at] = time_s, energy_j
        self._power_at[at], self._gap_at[at] = power_w, gap
        if self._is_sketch is not None:
            self._is_sketch[at] = False
        self._last_s, self._last_j, self._last_w = time_s, energy_j, power_w
        self.written += 1

    def curve(self, first: int, stop: int) -> Curve:
        """Copy the samples numbered from ``first`` to before ``stop`` that are still kept."""
        capacity = self._capacity
        first = max(first, self.written - capacity, 0)
        rows = np.arange(first, min(stop, self.written)) % capacity
        sketched = None if self._is_sketch is None else self._is_sketch[rows]
        return Curve(
            self._time_s[rows], self._energy_j[rows], self._power_w[rows], self._gap[rows], sketched
        )

    def first_after(self, time_s: float) -> int:
        """Number of the first sample later than ``time_s``, by bisection over the ring."""
        low, high = max(0, self.written - self._capacity), self.written
        while low < high:
            middle = (low + high) // 2
            if self._time_at[middle % self._capacity] > time_s:
                high = middle
            else:
                low = middle + 1
        return low
