"""What is known of a source, and what the threads of all sources work with."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from monitor.power.channel import Channel, Doubt, Probe, Role
from monitor.power.gauge import Gauge, GaugeTrace
from monitor.power.news import News
from monitor.power.trace import Trace

MOST_RESTS = 100
"""More than there are in the time of a trace: a charger is not put in and out once a minute."""


class Use(Enum):
    """What rests on a source's readings; its value is how many seconds may lie between them.

    Each reading wakes a thread, which costs more than most readings. Whatever is in use is read
    at each moment that is marked as well.
    """

    TOTAL = 0.0
    SHOWN = 0.5
    """None of it is added: it lies inside other channels or around them, or is no energy."""
    NONE = 5.0
    """A model of what is measured: read so that it can go on at once where a sensor is gone."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the threads of all sources work with.

    :param hz: readings a second
    :param refine: what is known better of a channel on this machine, applied as it is opened
    :param news: told after each attempt to open or to read
    """

    hz: float
    refine: Callable[[Channel], Channel]
    trace: Trace = field(default_factory=Trace)
    gauge_trace: GaugeTrace = field(default_factory=GaugeTrace)
    news: News = field(default_factory=News)


@dataclass(frozen=True, slots=True)
class Rest:
    """A time in which a source had nothing to tell, and nothing was wrong with it.

    :param from_s: monotonic, as ``until_s``, which is infinite while it goes on
    :param reason: why, half a sentence
    """

    from_s: float
    until_s: float
    reason: str

    def covers(self, start_s: float, end_s: float) -> bool:
        """Whether it was so throughout a span."""
        return self.from_s <= start_s and end_s <= self.until_s

    def touches(self, start_s: float, end_s: float) -> bool:
        """Whether it was so at any time of a span."""
        return self.from_s < end_s and start_s < self.until_s


@dataclass(slots=True)
class Known:
    """What is known of a source. Written by its thread, read by all.

    :param probe: its last answer; ``None`` before the first
    :param channels: those it opened, now or before; one that is not opened again is kept, as a
      part that is not read, until it is said to have left
    :param missing: those of them that were not opened again
    :param has_left: whether all that it read has left; it may come back
    :param failing: why it cannot be read at present
    :param refused: the labels of channels whose last reading was impossible
    :param doubts: the last of each channel, kept to the end: what was billed meanwhile stands
    :param rests: when it had nothing to tell, the last at the end; see :data:`MOST_RESTS`
    :param restarts: how often it was opened anew because it had failed
    :param failed: how often in a row it failed without having been read well for long
    :param is_read: whether it is open, and asked for readings
    :param tried_s: when the last attempt to read it whole began that has ended, well or not
    :param whole_s: so many seconds may lie between two such attempts, as each costs so much
    :param asked_s: when the call began that has not returned yet
    :param next_s: when it will be opened anew
    :param use: what rests on it at present
    """

    probe: Probe | None = None
    channels: tuple[Channel, ...] = ()
    missing: tuple[Channel, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    has_left: bool = False
    failing: str = ""
    refused: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    rests: tuple[Rest, ...] = ()
    restarts: int = 0
    failed: int = 0
    is_read: bool = False
    tried_s: float = -math.inf
    whole_s: float = 0.0
    asked_s: float | None = None
    next_s: float | None = None
    use: Use = Use.TOTAL

    def left(self, opened: Sequence[Channel], has_left: Callable[[Channel], bool]) -> list[Channel]:
        """Return the channels that were there before and have left, or are read by others now.

        :param opened: those that are there now
        :param has_left: what the source says of the devices of others
        """
        keys = {channel.key for channel in opened}
        before = [channel for channel in self.channels if channel.key not in keys]
        left = [c for c in before if any(_stands_for(new, c) for new in opened) or has_left(c)]
        # What lies inside a part has left with it.
        devices = {channel.device for channel in left if channel.role is Role.PART}
        inside = [c for c in before if c.role is Role.INSIDE and c.device in devices]
        return [*left, *inside]

    def note_rest(self, reason: str, now_s: float) -> None:
        """Take in why it has nothing to tell now; "" if it has, or does not answer.

        :param now_s: monotonic
        """
        last = self.rests[-1] if self.rests else None
        goes_on = last is not None and last.until_s == math.inf
        if reason and not goes_on:
            self.rests = (*self.rests, Rest(now_s, math.inf, reason))[-MOST_RESTS:]
        elif last and goes_on and not reason:
            self.rests = (*self.rests[:-1], replace(last, until_s=now_s))

    def keep(self, opened: tuple[Channel, ...], left: Sequence[Channel]) -> None:
        """Take in which channels are read now, and keep those that are not and have not left."""
        gone = {channel.key for channel in (*left, *opened)}
        self.missing = tuple(channel for channel in self.channels if channel.key not in gone)
        self.channels = (*opened, *self.missing)
        self.has_left = not self.channels and (self.has_left or bool(left))
        if self.has_left:
            self.gauges = ()


def _stands_for(new: Channel, before: Channel) -> bool:
    """Whether a part is read by another channel now, as watts where a counter was given up."""
    return (
        new.role is before.role is Role.PART
        and (new.domain, new.device) == (before.domain, before.device)
    )  # fmt: skip
