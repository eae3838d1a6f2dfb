"""Whether an energy counter and the integral of the same device's watts tell one story.

Both come from the same sensor, so that they may differ by its gain, by what sampling adds, and by
its offset once: it cannot push the two apart in opposite directions. A counter that differs by
more is doubtful (ml-energy/zeus#181: 187 J counted, 327 J integrated, in five idle seconds).

The counter is billed all the same: it adds up inside the device all that the sensor saw, while
watts read ten times a second miss what lies between. One that is off by more than ten times, or
stands still, is no counter, and the watts are integrated instead.
"""

import math
from dataclasses import dataclass, replace

from monitor.power.channel import Channel, Kind, Reading
from monitor.power.trace import Trace
from monitor.power.window import Window

WINDOW_S = 10.0
"""Compared at a time: a hundred refreshes, of which the ends are little."""

CAPACITY = 1_024
"""Readings kept: a window at the sampler's fastest rate, twice over."""

WHOLE = 0.95
"""A window of which less was read is not judged."""

SIGMAS = 4.0
"""What chance may add, in standard deviations. A window is judged every ten seconds: at two, one in
twenty would be called doubtful by chance; at four, one in two days."""

PLAUSIBLE = (0.1, 10.0)
"""Counted energy may be so many times the integrated, or the counter is broken."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A window over which counter and watts differ by more than their accuracies allow.

    :param counted_j: what the counter advanced by
    :param integrated_j: the integral of the watts
    :param seconds: length of the window
    """

    counted_j: float
    integrated_j: float
    seconds: float

    @property
    def broken(self) -> bool:
        """Whether the counter cannot be right, whatever the watts are off by."""
        return not is_plausible(self.counted_j, self.integrated_j)


def is_plausible(counted_j: float, integrated_j: float) -> bool:
    """Return whether a counter's joules are of the order of the integrated ones."""
    low, high = PLAUSIBLE
    return low * integrated_j <= counted_j <= high * integrated_j


class CrossCheck:
    """Compares one window of readings after the other.

    :param channel: the channel whose readings have joules and watts
    :param power_period_s: how often the watts are refreshed, or over how long they are averaged
    :param window_s: length of the windows
    """

    def __init__(self, channel: Channel, power_period_s: float, window_s: float = WINDOW_S) -> None:
        self.disagreement: Disagreement | None = None
        """What the last window said; ``None`` while the two agree."""
        self._window_s = window_s
        self._accuracy = channel.accuracy
        self._trace = Trace(CAPACITY)
        self._trace.add(replace(channel, key="counted"))
        self._trace.add(
            replace(channel, key="integrated", kind=Kind.POWER, period_s=power_period_s, step_j=0.0)
        )
        self._began_s: float | None = None
        self._told: list[Reading | None] = []
        """Of this window, ``None`` for a device that did not answer. Kept as they came until it is
        judged: each reading finds the processor's caches cold, where anything costs ten times as
        much as when many are taken in one after the other."""

    def add(self, reading: Reading) -> None:
        """Take a reading in; at the end of a window, judge it."""
        if reading.counter_j is None or reading.power_w is None:
            self.miss()
            return
        self._told.append(reading)
        at_s = reading.time_s
        if self._began_s is None:
            self._began_s = at_s
        elif at_s - self._began_s >= self._window_s:
            self._record()
            self._judge(self._began_s, at_s)
            self._began_s = at_s

    def glance(self, time_s: float, power_w: float | None) -> None:
        """Take in watts that were read while the counter was not asked."""
        is_counted = self._began_s is not None and self._told[-1:] != [None]
        if power_w is not None and is_counted:
            self._told.append(Reading("integrated", time_s, power_w=power_w))

    def miss(self) -> None:
        """Note that the device did not answer."""
        if self._told[-1:] != [None]:
            self._told.append(None)

    def _record(self) -> None:
        for told in self._told:
            if told is None:
                self._trace.miss(["counted", "integrated"])
                continue
            at_s, counter_j, power_w = told.time_s, told.counter_j, told.power_w
            readings = [Reading("integrated", at_s, power_w=power_w)]
            if counter_j is not None:
                readings.append(Reading("counted", at_s, counter_j, power_w))
            self._trace.record(readings)
        self._told.clear()

    def _judge(self, start_s: float, end_s: float) -> None:
        counted = self._trace.window("counted", start_s, end_s)
        integrated = self._trace.window("integrated", start_s, end_s)
        if counted.joules is None or integrated.joules is None:
            return
        if min(counted.coverage, integrated.coverage) < WHOLE:
            return
        seconds = end_s - start_s
        apart_j = abs(counted.joules - integrated.joules)
        if apart_j > self._allowed_j(counted, integrated, seconds):
            self.disagreement = Disagreement(counted.joules, integrated.joules, seconds)
        else:
            self.disagreement = None

    def _allowed_j(self, counted: Window, integrated: Window, seconds: float) -> float:
        gain = max(self._accuracy.below, self._accuracy.above)
        sum_j = (counted.joules or 0.0) + (integrated.joules or 0.0)
        random_j = math.hypot(counted.edge_j, integrated.edge_j, integrated.shape_j)
        return gain * sum_j + self._accuracy.offset_w * seconds + SIGMAS * random_j
