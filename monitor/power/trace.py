"""The memory of the last hour: what every channel read, and the energy of any window of it."""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.power.bridge import LONGEST_WHOLE_S
from monitor.power.channel import Channel, Reading
from monitor.power.curve import Curve, Gap
from monitor.power.ring import Ring
from monitor.power.window import EMPTY as EMPTY
from monitor.power.window import Window as Window
from monitor.power.window import window_of as window_of

CAPACITY = 84_000
"""Samples kept a channel: 70 minutes at 20 Hz."""

AROUND = 40
"""So many readings before and after a window tell what was at its ends, and how doubtful that is:
enough for two refreshes of a counter on either side, however closely it was read. Of the same
readings every window makes the same of a moment, so that windows add up to their union."""

AROUND_PERIODS = 4
"""And those of so many refreshes."""

AROUND_COUNTS = 4
"""And so many counts of a counter that is asked now and then: enough to learn from them how far
the watts stray that are read between (:mod:`monitor.power.bridge`), however closely."""

ASLEEP_S = 0.5
"""A suspend is longer than this; less is what two clocks read one after the other differ by."""


def around_s(channel: Channel, is_sketched: bool) -> float:
    """Return how many seconds before and after a window its readings are wanted of.

    :param is_sketched: whether some of them are watts that were read between two counts
    """
    counts_s = AROUND_COUNTS * LONGEST_WHOLE_S if is_sketched else 0.0
    return max(AROUND_PERIODS * channel.period_s, counts_s)


@dataclass(frozen=True, slots=True)
class Suspend:
    """A time in which the machine was suspended, and the monotonic clock stood still.

    :param woken_s: monotonic; what is read from here on was read after the machine woke
    :param length_s: seconds it slept
    """

    woken_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Unread:
    """A time in which a part was at work that nothing reads.

    :param channel: what it would be
    :param from_s: monotonic, as ``until_s``, which is infinite while it goes on
    """

    channel: Channel
    from_s: float
    until_s: float


class Trace:
    """Every channel's recent readings. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, Ring] = {}
        self._suspends: list[Suspend] = []
        self._unread: list[Unread] = []
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
                self._rings[channel.key] = Ring(channel, self._capacity)

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
                self._rings[key] = Ring(self._rings[key].channel, self._capacity)
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

    def sketch(self, readings: Iterable[Reading]) -> list[str]:
        """Append watts that were read while counters were not asked: they tell the shape only.

        What a counter has counted when it is read next is shared out by them. Until then their
        integral stands for it, and windows that reach beyond the last count may still change.

        :return: as :meth:`record`
        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            return [r.key for r in readings if not self._rings[r.key].sketch(r)]

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

    def note_unread(self, part: Channel | None, from_s: float) -> None:
        """Note which part nobody reads from a moment on; it goes on until another is noted.

        What was noted of the time from then on is forgotten: when a load began is known only once
        it is done. A part that goes on stays as it is, unless it began sooner than was known.

        :param part: ``None`` for no part
        :param from_s: monotonic
        """
        with self._lock:
            noted = self._unread
            if noted and noted[-1].until_s == math.inf and noted[-1].channel == part:
                from_s = min(from_s, noted[-1].from_s)
            while noted and noted[-1].from_s >= from_s:
                noted.pop()
            if noted and noted[-1].until_s >= from_s:
                if noted[-1].channel == part:
                    from_s = noted.pop().from_s
                else:
                    noted[-1] = replace(noted[-1], until_s=from_s)
            if part:
                noted.append(Unread(part, from_s, math.inf))

    def unread(self) -> tuple[Unread, ...]:
        """Return the times in which a part was not read by anyone, in their order."""
        with self._lock:
            return tuple(self._unread)

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
            return ring.latest if ring else None

    def settled_s(self, key: str) -> float:
        """Return up to which monotonic time windows of a channel change no more.

        That is its last reading, or the last count if only watts were read since. Minus infinity
        of what was never read.

        :raises KeyError: for a channel that was never added
        """
        with self._lock:
            return self._rings[key].settled_s

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
            ring = self._rings.get(key)
            if ring is None:
                return EMPTY
            channel, context_s = ring.channel, around_s(ring.channel, ring.is_sketched)
        curve = self.curve(key, start_s - context_s, end_s + context_s, AROUND)
        return window_of(channel, curve, start_s, end_s)
