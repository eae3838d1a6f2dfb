"""Counters that are read on at a mark, until it is known when they were refreshed."""

import time
from collections.abc import Iterable, Sequence

from monitor.power.channel import Channel, Kind, Reading, Role
from monitor.power.refreshes import REPEATED
from monitor.power.trace import Trace

FOLLOWED_S = (0.004, 0.25)
"""Counters that refresh so often are read on at a mark until two refreshes are seen, which tells
when they and the one before were (:mod:`monitor.power.refreshes`). Quicker ones are told well by
one reading, and slower ones would keep the sensor busy for long."""

REFRESHES = 2
"""The two after a mark tell the rhythm, and with it the one before."""

READS_A_REFRESH = 10
"""While a counter is followed it is read so often in each of its refreshes."""

LONGEST_FOLLOWED = 2.5
"""So many periods hold two refreshes of a counter that moves."""


def is_followed(channel: Channel) -> bool:
    """Whether a total rests on this counter, and it is worth being read on at a mark."""
    is_counted = channel.kind is Kind.COUNTER and channel.role is Role.PART
    return is_counted and FOLLOWED_S[0] <= channel.period_s <= FOLLOWED_S[1]


def told_after_s(channels: Iterable[Channel]) -> float:
    """Return how long it takes at most until counters have told all of a moment.

    Two refreshes of one that is followed, one of any other.

    :param channels: of which those count that a total rests on
    :return: seconds; 0 without a counter
    """
    counters = [c for c in channels if c.kind is Kind.COUNTER and c.role is Role.PART]
    told_s = (c.period_s * (REFRESHES if is_followed(c) else 1) for c in counters)
    return max(told_s, default=0.0)


class Following:
    """What is still to be seen of some counters.

    :param channels: theirs
    :param trace: where they are recorded
    """

    def __init__(self, channels: Sequence[Channel], trace: Trace) -> None:
        self._trace = trace
        self._period_s = {channel.key: channel.period_s for channel in channels}
        self._left = dict.fromkeys(self._period_s, REFRESHES)
        self._moved: dict[str, tuple[float, float | None]] = {}
        """When each was first read as it is, and what it said; empty before the mark's reading."""
        self._until_s = time.monotonic() + LONGEST_FOLLOWED * max(self._period_s.values())

    def wait_s(self, now_s: float) -> float:
        """Return after how long to read again, 0 for no more.

        :param now_s: monotonic
        """
        wait_s = min((self._period_s[key] for key in self._left), default=0.0) / READS_A_REFRESH
        return wait_s if now_s + wait_s <= self._until_s else 0.0

    def note(self, began_s: float) -> None:
        """Take in a reading of the source that has just been recorded.

        Many sources leave out what was not refreshed since. That it was not tells when the next
        refresh is, and is recorded for them.

        :param began_s: monotonic; when the source was asked
        """
        if not self._moved:
            self._moved = {key: self._trace.counted(key) for key in self._period_s}
            return
        repeats = []
        for key, period_s in self._period_s.items():
            read_s, counter_j = self._trace.counted(key)
            moved_s, moved_j = self._moved[key]
            if counter_j != moved_j:
                self._moved[key] = read_s, counter_j
                self._left[key] = self._left.get(key, 0) - 1
                if self._left[key] <= 0:
                    del self._left[key]
            elif read_s < began_s < moved_s + REPEATED * period_s:
                repeats.append(Reading(key, began_s, counter_j=counter_j))
        self._trace.record(repeats)
