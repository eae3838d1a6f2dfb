"""Watts and gauges as of now: the one place that knows how old a reading may be to be that."""

import math
from collections.abc import Iterable

from monitor.power.channel import Channel, Kind
from monitor.power.gauge import GAP_S, Gauge, GaugeReading, GaugeTrace
from monitor.power.trace import Trace

MEAN_S = 1.0
"""Watts now are the mean of the last second that was told: a figure that can be read."""

SLOW_S = 0.5
"""A channel that refreshes no oftener than this has its own last watts shown: plugs, batteries,
averages of a driver, counters that are published in batches."""

FRESH_S, FRESH_PERIODS = 2.0, 4
"""A reading is of now for this long, or for so many refreshes where those take longer. At the
slowest rate of the sampler it reads once a second."""


def fresh_s(channel: Channel) -> float:
    """Return how old a channel's last reading may be to be told as of now."""
    return max(FRESH_S, FRESH_PERIODS * channel.period_s)


def present_w(trace: Trace, channel: Channel, now_s: float) -> float | None:
    """Return a channel's watts now, ``None`` if it was not read of late.

    Up to its own last reading, however long its refresh takes: a fixed second up to now would
    hold no reading of a slow channel most of the time. Of a counter that is dear to ask up to the
    last count: watts that were read since are of another kind than what is told of a counter.

    :param now_s: monotonic
    """
    latest = trace.latest(channel.key)
    if latest is None:
        return None
    told_s, last_w = trace.settled_s(channel.key), latest[1]
    if now_s - told_s > fresh_s(channel):
        return None
    if channel.period_s < SLOW_S:
        mean_w = trace.window(channel.key, told_s - MEAN_S, told_s).mean_w
        # The first reading, and one after a gap, has no time before it to take the mean of; of a
        # counter it tells no joules either.
        if mean_w is not None or channel.kind is Kind.COUNTER:
            return mean_w
    return last_w if math.isfinite(last_w) else None


def total_w(parts_w: Iterable[float | None]) -> float | None:
    """Add the watts of parts. One that is not known makes the total unknown, not smaller."""
    listed = list(parts_w)
    known_w = [power_w for power_w in listed if power_w is not None]
    return math.fsum(known_w) if known_w and len(known_w) == len(listed) else None


def present_reading(trace: GaugeTrace, gauge: Gauge, now_s: float) -> GaugeReading | None:
    """Return a gauge's last reading, ``None`` if it is not of now.

    :param now_s: monotonic
    """
    latest = trace.latest(gauge.key)
    return latest if latest and now_s - latest.time_s <= GAP_S else None
