"""What is known of a source, and what the threads of all sources work with."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from monitor.power.channel import Channel, Doubt, Probe
from monitor.power.gauge import Gauge, GaugeTrace
from monitor.power.news import News
from monitor.power.trace import Trace


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
    restarts: int = 0
    failed: int = 0
    is_read: bool = False
    tried_s: float = -math.inf
    whole_s: float = 0.0
    asked_s: float | None = None
    next_s: float | None = None
    use: Use = Use.TOTAL
