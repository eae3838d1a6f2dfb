"""The memory of the last hour: what every channel read, and the energy of any window of it."""

import math
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Domain, Kind, Reading
from monitor.power.curve import Curve, Gap
from monitor.power.window import EMPTY as EMPTY
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


AROUND = 40
"""So many readings before and after a window tell what was at its ends, and how doubtful that is:
enough for two refreshes of a counter on either side, however closely it was read. Of the same
readings every window makes the same of a moment, so that windows add up to their union."""

AROUND_PERIODS = 4
"""And those of so many refreshes."""

ASLEEP_S = 0.5
"""A suspend is longer than this; less is what two clocks read one after the other differ by."""

# Each use of ``Gap.NONE`` costs 0.2 microseconds (Python 3.11), and a reading needs several.
_NONE, _MISSED, _RESET = Gap.NONE, Gap.MISSED, Gap.RESET
_AMBIGUOUS, _IMPLAUSIBLE, _LEFT = Gap.AMBIGUOUS, Gap.IMPLAUSIBLE, Gap.LEFT
_LOSING = (Gap.ASLEEP, _IMPLAUSIBLE, _RESET)
"""After these a counter's next value says nothing of what was drawn meanwhile."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """A time in which the machine was suspended, and the monotonic clock stood still.

    :param woken_s: monotonic; what is read from here on was read after the machine woke
    :param length_s: seconds it slept
    """

    woken_s: float
    length_s: float


def _floats(column: npt.NDArray[np.float64]) -> "memoryview[float]":
    return column.data.cast("B").cast("d")


class _Ring:
    """The samples of one channel. Not locked: :class:`Trace` does that."""

    def __init__(self, channel: Channel, capacity: int) -> None:
        self._time_s = np.empty(capacity)
        self._energy_j = np.empty(capacity)
        self._power_w = np.empty(capacity)
        self._gap = np.empty(capacity, np.uint8)
        # Single samples are read and written through these, at a tenth of the cost.
        self._time_at, self._energy_at = _floats(self._time_s), _floats(self._energy_j)
        self._power_at, self._gap_at = _floats(self._power_w), self._gap.data
        self._capacity = capacity
        self.written = 0
        self._last_s, self._last_j, self._last_w = -math.inf, 0.0, math.nan
        self._counter_j: float | None = None
        self._pending = _NONE
        self._set_channel(channel)

    def _set_channel(self, channel: Channel) -> None:
        self.channel = channel
        self._is_power = channel.kind is Kind.POWER
        self._limit_w = PLAUSIBLE_W[channel.domain]
        self._greatest = self._limit_w if self._is_power else channel.range_j or sys.float_info.max
        self._slope_s = 0.0
        if channel.kind is Kind.COUNTER:
            self._slope_s = min(REFRESHES_PER_SLOPE * channel.period_s, LONGEST_SLOPE_S)

    def reopen(self, channel: Channel) -> None:
        """Go on with a source that was closed meanwhile: its counter may have started again."""
        self._set_channel(channel)
        self.miss(_RESET)
        last = self._time_at[(self.written - 1) % self._capacity] if self.written else -math.inf
        self._last_s = last

    def leave(self, now_s: float) -> None:
        """Note that it is not there from now on: readings are passed over until it is reopened."""
        if self._last_s == math.inf:
            return
        if self.written:
            at_s = max(now_s, math.nextafter(self._last_s, math.inf))
            self._write(at_s, self._last_j, math.nan, _LEFT)
        self._last_s = math.inf

    @property
    def counted(self) -> tuple[float, float | None]:
        """When it was read last, and what the counter said then."""
        return self._last_s, self._counter_j

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
        power_w = reading.power_w
        if self._counter_j is None:
            delta_j, gap, self._pending = 0.0, _RESET, _NONE
            power_w = math.nan if power_w is None else power_w
        else:
            delta_j, gap = self._advance(counter_j, dt_s)
            if gap is not _NONE:
                power_w = math.nan
            elif power_w is None:
                power_w = self._slope_w(reading.time_s, self._last_j + delta_j)
            if not 0 <= power_w <= self._limit_w:
                power_w = math.nan
        self._counter_j = counter_j
        self._write(reading.time_s, self._last_j + delta_j, power_w, gap)
        return gap is not _IMPLAUSIBLE

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
            last_w = self._last_w
            likely_w = max(3 * last_w, 100.0) if math.isfinite(last_w) else self._limit_w / 4
            if dt_s * likely_w > range_j:
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
        self._last_s, self._last_j, self._last_w = time_s, energy_j, power_w
        self.written += 1

    def curve(self, first: int, stop: int) -> Curve:
        """Copy the samples numbered from ``first`` to before ``stop`` that are still kept."""
        capacity = self._capacity
        first = max(first, self.written - capacity, 0)
        rows = np.arange(first, min(stop, self.written)) % capacity
        return Curve(self._time_s[rows], self._energy_j[rows], self._power_w[rows], self._gap[rows])

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


class Trace:
    """Every channel's recent readings. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, _Ring] = {}
        self._suspends: list[Suspend] = []
        self._asleep_s: float | None = None
        self._withdrawn: set[str] = set()
        self._lock = threading.Lock()

    def add(self, channel: Channel) -> None:
        """Begin to keep a channel; one that is kept already goes on after a gap.

        One whose kind is another now begins anew: no window may pass joules of one kind for the
        other. Sources therefore give the watts of a counter that is given up a key of their own.
        """
        with self._lock:
            ring = self._rings.get(channel.key)
            self._withdrawn.discard(channel.key)
            if ring and ring.channel.kind is channel.kind:
                ring.reopen(channel)
            else:
                self._rings[channel.key] = _Ring(channel, self._capacity)

    def channels(self) -> tuple[Channel, ...]:
        """Return every channel that was ever added, in that order, read or not."""
        with self._lock:
            return tuple(ring.channel for ring in self._rings.values())

    def withdraw(self, keys: Iterable[str]) -> None:
        """Forget what some channels read: it was not what they seemed to tell.

        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            for key in keys:
                self._rings[key] = _Ring(self._rings[key].channel, self._capacity)
                self._withdrawn.add(key)

    @property
    def withdrawn(self) -> frozenset[str]:
        """Keys of the channels that were withdrawn and not added again: sums are to drop them."""
        with self._lock:
            return frozenset(self._withdrawn)

    def record(self, readings: Iterable[Reading]) -> list[str]:
        """Append readings; one that is not later than its channel's last is passed over.

        :return: keys of the channels whose reading was impossible, and so makes a gap
        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            return [r.key for r in readings if not self._rings[r.key].append(r)]

    def miss(self, keys: list[str], reason: Gap = Gap.MISSED) -> None:
        """Note that these channels could not be read, and why."""
        with self._lock:
            for key in keys:
                self._rings[key].miss(reason)

    def leave(self, keys: Iterable[str], now_s: float) -> None:
        """Note that channels are not there any more, by the word of the machine or of a person.

        A card that was unplugged or sleeps, a source that was removed: from now on they are no
        part of anything, until they are added again. What only does not answer has not left.

        :param now_s: monotonic
        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            for key in keys:
                self._rings[key].leave(now_s)

    def note_asleep(self, asleep_s: float, now_s: float) -> None:
        """Note how long the machine has been suspended by now; if for longer, it has just woken.

        The thread of each source tells of the same suspend, one after the other: the first is
        nearest to the waking.

        :param asleep_s: seconds since the machine was started
        :param now_s: monotonic
        """
        with self._lock:
            if self._asleep_s is not None and asleep_s - self._asleep_s <= ASLEEP_S:
                return
            if self._asleep_s is not None:
                self._suspends.append(Suspend(now_s, asleep_s - self._asleep_s))
            self._asleep_s = asleep_s

    def suspends(self) -> tuple[Suspend, ...]:
        """Return the times the machine was suspended while it was read, in their order."""
        with self._lock:
            return tuple(self._suspends)

    def curve(
        self, key: str, start_s: float = -math.inf, end_s: float = math.inf, beside: int = 1
    ) -> Curve:
        """Copy the readings of a channel between two monotonic times, both included.

        :param beside: so many readings before and after are added, where there are any; with one
          either end can be interpolated
        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            ring = self._rings[key]
            stop = ring.written if end_s == math.inf else ring.first_after(end_s) + beside
            first = 0 if start_s == -math.inf else ring.first_after(start_s) - beside
            return ring.curve(first, stop)

    def latest(self, key: str) -> tuple[float, float] | None:
        """Return the last reading's monotonic time and watts (NaN in a gap), if there is one.

        :return: ``None`` as well of a channel that has left
        """
        with self._lock:
            ring = self._rings.get(key)
            curve = ring.curve(ring.written - 1, ring.written) if ring and ring.written else None
        if curve is None or curve.gap[-1] == Gap.LEFT:
            return None
        return float(curve.time_s[-1]), float(curve.power_w[-1])

    def counted(self, key: str) -> tuple[float, float | None]:
        """Return when a channel was read last, and what its counter said then, in joules.

        :return: minus infinity and ``None`` of what was never read
        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            return self._rings[key].counted

    def window(self, key: str, start_s: float, end_s: float) -> Window:
        """Return the energy of a channel between two monotonic times.

        A counter's cumulative curve is interpolated at both ends; watts are integrated by the
        trapezium rule. Outside what was read nothing is assumed: that part is not covered.
        """
        with self._lock:
            channel = self._rings[key].channel if key in self._rings else None
        if channel is None:
            return EMPTY
        around_s = AROUND_PERIODS * channel.period_s
        curve = self.curve(key, start_s - around_s, end_s + around_s, AROUND)
        return window_of(channel, curve, start_s, end_s)
