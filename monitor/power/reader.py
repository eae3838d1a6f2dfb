"""The thread that reads one source, opens it anew when it fails, and says how it fares."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from monitor.power import clock
from monitor.power.alarm import Alarm
from monitor.power.bridge import LONGEST_WHOLE_S
from monitor.power.channel import Channel, Kind, OpenAnew, Probe, ProbeState, Reading, Role
from monitor.power.curve import Gap
from monitor.power.following import Following, is_followed, told_after_s
from monitor.power.gauge import PERIOD_S as GAUGE_PERIOD_S
from monitor.power.known import Desk, Known
from monitor.power.own_time import ThreadTime
from monitor.power.sources import (
    Doubting,
    Gauged,
    Glancing,
    Parting,
    Remarking,
    Resting,
    Source,
)
from monitor.power.trace import ASLEEP_S

log = logging.getLogger(__name__)

FASTEST_WATTS_S = 0.02
"""Watts that are integrated into a total are read twice in each refresh of their sensor, so that
none is missed, but no more often than this: what a burst draws between two readings is seen by
nobody. The quickest sensors known are refreshed as often (NVIDIA's, every 20 ms): over the scripted
hour of tests/speed/peers one is then off by 0.085 % on average, and by 0.077 % if it is read 2,000
times a second (computed, 3 scripts, 60 phases each)."""

RETRY_S = 1.0
"""A source that raised is asked again after this long, so that a fault costs no time."""

DEAD_S = 2.0
"""A source that has raised for so long, whenever it was asked, is closed and opened anew."""

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0
"""Before a source is opened anew; doubled each time until it was read well for a while."""

HEALTHY_S = 60.0
"""A source that was read for so long before it failed begins with the shortest wait again."""

COSTLY_S = 1e-3
"""Counters that cost more of a processor's time are not asked with each reading of the watts."""

WHOLE_SHARE = 0.0075
"""They are asked so seldom that they take this share of a processor, or after
:data:`~monitor.power.bridge.LONGEST_WHOLE_S`. At a mark they are asked all the same: bills rest on
them."""


def delay_s(failed: int) -> float:
    """Seconds until a source is opened anew that failed so often in a row: 1, 2, 4 … 60."""
    return min(FIRST_DELAY_S * 2.0 ** min(failed, 10), LONGEST_DELAY_S)


class Reader:
    """A thread and the source object that it alone touches.

    :param source: the object to begin with; ``None`` to have one made
    :param make: makes another object when one has failed; ``None``: it is opened again itself
    :param known: what is known of the source already
    :param wait_s: how long to wait before it is opened
    """

    def __init__(
        self,
        name: str,
        source: Source | None,
        make: Callable[[], Source] | None,
        desk: Desk,
        known: Known,
        wait_s: float = 0.0,
    ) -> None:
        self.name, self.known = name, known
        self._source, self._make, self._desk, self._wait_s = source, make, desk, wait_s
        self._labels: dict[str, str] = {}
        self._doubting: Doubting | None = None
        self._glancing: Glancing | None = None
        self._resting: Resting | None = None
        self._cost_s = math.inf
        self._gauges_due_s = -math.inf
        self._alarm, self._ended = Alarm(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"power-{name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def mark(self) -> None:
        """Read as soon as the source's own refresh allows."""
        self._alarm.ring()

    def end(self) -> None:
        """Close the source as soon as it lets go; returns at once."""
        self._ended.set()
        self._alarm.ring()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, at most so long."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs, or hangs."""
        return self._thread.is_alive()

    def remarks(self) -> tuple[str, ...]:
        """What the source has found while it was read, a sentence each."""
        source = self._source
        return source.remarks() if self.known.is_read and isinstance(source, Remarking) else ()

    def silent_s(self, now_s: float) -> float:
        """Seconds for which the source has not returned from the present call; 0 without one."""
        asked_s = self.known.asked_s
        return 0.0 if asked_s is None else now_s - asked_s

    def _run(self) -> None:
        wait_s = self._wait_s
        with ThreadTime() as time_used:
            while not self._ended.wait(wait_s):
                if self.known.next_s is not None:
                    self.known.restarts += 1
                wait_s = self._attempt(time_used)
                time_used.note()
                if wait_s == math.inf:
                    break

    def _attempt(self, time_used: ThreadTime) -> float:
        """Open the source and read it until it fails; return when to try again, in seconds."""
        known, began_s, is_changed = self.known, math.inf, False
        try:
            probe = self._open()
            self._tell(probe)
            if known.is_read:
                began_s = time.monotonic()
                self._read_until_dead(time_used)
            elif probe.retry_s is not None:
                return probe.retry_s
            elif not known.channels:
                if not known.has_left:
                    return math.inf
                known.failed += 1
                return delay_s(known.failed - 1)
        except OpenAnew as change:
            log.info("%s is opened anew: %s", self.name, change)
            is_changed = True
            known.channels = tuple(c for c in known.channels if c.key not in change.withdrawn)
            known.has_left = not known.channels
            self._desk.trace.withdraw(change.withdrawn)
        except Exception as error:  # a third-party driver may raise anything
            log.warning("Opening %s failed", self.name, exc_info=not known.failed)
            self._tell(Probe(self.name, ProbeState.ABSENT, f"It failed to open: {error}."))
        finally:
            known.is_read = False
            self._close()
        read_s = time.monotonic() - began_s
        if read_s > HEALTHY_S:
            known.failed = 0
        if is_changed:
            # One that finds so again and again is not opened without a pause.
            return 0.0 if read_s > DEAD_S else RETRY_S
        wait_s = delay_s(known.failed)
        known.failed += 1
        known.next_s = time.monotonic() + wait_s
        return wait_s

    def _open(self) -> Probe:
        """Probe the source and, if it is available, begin to keep its channels."""
        known, desk = self.known, self._desk
        known.asked_s, known.next_s = time.monotonic(), None
        if self._source is None:
            assert self._make
            self._source = self._make()
        probe = self._source.probe()
        channels: tuple[Channel, ...] = ()
        if is_there := probe.state is ProbeState.AVAILABLE:
            channels = tuple(map(desk.refine, self._source.open()))
            gauges = self._source.gauges() if isinstance(self._source, Gauged) else ()
            self._doubting = self._source if isinstance(self._source, Doubting) else None
            self._glancing = self._source if isinstance(self._source, Glancing) else None
            self._resting = self._source if isinstance(self._source, Resting) else None
        has_left = self._source.has_left if isinstance(self._source, Parting) else _stays
        left = known.left(channels, has_left)
        if not self._ended.is_set():
            for channel in channels:
                desk.trace.add(channel)
            self._part_from(left, channels)
            if is_there:
                known.gauges, known.is_read = gauges, bool(channels or gauges)
        known.asked_s = None
        return probe

    def _part_from(self, left: Sequence[Channel], opened: tuple[Channel, ...]) -> None:
        """Keep the channels that are read, and those that are not and have not left."""
        self.known.keep(opened, left)
        self._labels = {channel.key: channel.label for channel in self.known.channels}
        self._desk.trace.leave([channel.key for channel in left], time.monotonic())

    def _tell(self, probe: Probe) -> None:
        """Say what the source answered."""
        self.known.probe, self.known.asked_s = probe, None
        self._desk.news.tell()
        log.info("%s: %s. %s", probe.source, probe.state, probe.reason)

    def _close(self) -> None:
        """Close the source; where another can be made, it is not used again."""
        if self._source is None:
            return
        self.known.asked_s = time.monotonic()
        try:
            self._source.close()
        except Exception:
            log.exception("Closing %s failed", self.name)
        self.known.asked_s = None
        if self._make:
            self._source = None

    def _read_until_dead(self, time_used: ThreadTime) -> None:
        """Read in time, until the end or until the source has failed too often in a row."""
        known = self.known
        fastest_s = min(map(spacing_s, known.channels), default=GAUGE_PERIOD_S)
        integrated = (max(spacing_s(c), FASTEST_WATTS_S) for c in known.channels if _is_summed(c))
        watts_s = min(integrated, default=math.inf)
        slept_s, began_s = clock.suspended_s(), time.monotonic()
        # One in which no source was open is told of as well.
        self._desk.trace.note_asleep(clock.asleep_s(), began_s)
        # After a reading between two beats the next may be too near to tell anything new.
        anew_s = began_s + fastest_s
        failing_s: float | None = None
        there = [channel for channel in known.channels if channel not in known.missing]
        followed = [channel for channel in there if is_followed(channel)]
        told_after = told_after_s(there)
        following: Following | None = None
        marked_s, is_owed, known.whole_s = began_s, True, 0.0
        while not self._ended.is_set():
            if clock.suspended_s() - slept_s > ASLEEP_S:
                slept_s = clock.suspended_s()
                self._desk.trace.note_asleep(clock.asleep_s(), time.monotonic())
                self._desk.trace.miss([channel.key for channel in known.channels], Gap.ASLEEP)
            is_well = self._read(is_whole=is_owed or following is not None)
            if following and is_well:
                following.note(known.tried_s)
            self._read_gauges()
            time_used.note()
            last_s = time.monotonic()
            if is_well:
                failing_s = None
            elif failing_s is None:
                failing_s = last_s
            elif last_s - failing_s >= DEAD_S:
                return
            interval_s = max(min(1 / self._desk.hz, watts_s), fastest_s, known.use.value)
            due_s = (
                clock.beat_after(max(last_s, anew_s), interval_s) if is_well else last_s + RETRY_S
            )
            # Until all of the marked moment is told.
            is_owed = known.tried_s < marked_s + told_after
            if is_well and is_owed and not followed and last_s + fastest_s < due_s:
                due_s = last_s + fastest_s
                anew_s = due_s + fastest_s
            wait_s = max(0.0, due_s - time.monotonic())
            if following and (soon_s := following.wait_s(last_s)) and is_well:
                wait_s = min(wait_s, soon_s)
            else:
                following = None
            if self._alarm.wait(wait_s) and not self._ended.is_set():
                marked_s, is_owed = time.monotonic(), True
                if followed:
                    following = Following(followed, self._desk.trace)
                else:
                    self._ended.wait(max(0.0, last_s + fastest_s - time.monotonic()))
                    anew_s = time.monotonic() + fastest_s

    def _read(self, is_whole: bool) -> bool:
        """Read once, and say whether the source answered.

        :param is_whole: whether a glance will not do
        """
        assert self._source
        known, desk = self.known, self._desk
        known.asked_s = began_s = time.monotonic()
        is_whole = is_whole or not self._glancing or began_s - known.tried_s >= known.whole_s
        try:
            if is_whole:
                readings = self._read_whole()
            else:
                assert self._glancing
                readings = self._glancing.glance()
            if not self._ended.is_set():
                self._record(readings, is_whole)
        except OpenAnew:
            known.failing, known.asked_s = "", None
            raise
        except Exception as error:
            if not known.failing:
                log.warning("Reading %s failed: %s", self.name, error)
            known.failing = str(error).rstrip(".") or type(error).__name__
            known.note_rest("", began_s)
            desk.trace.miss([channel.key for channel in known.channels])
        else:
            known.failing = ""
            if self._resting:
                known.note_rest(self._resting.rests(), began_s)
        if is_whole:
            known.tried_s = began_s
        known.asked_s = None
        desk.news.tell()
        return not known.failing

    def _read_whole(self) -> list[Reading]:
        """Read every channel, and find out how seldom to do so from what that cost."""
        assert self._source
        if not self._glancing:
            return self._source.read()
        began_s = time.thread_time()
        try:
            readings = self._source.read()
        except Exception:
            self.known.whole_s = 0.0  # no glance is to hide that it fails
            raise
        cost_s, before_s = time.thread_time() - began_s, self._cost_s
        self._cost_s = cost_s
        # The lesser of two: where the clock of a thread ticks, a cheap one may meet a tick.
        least_s = min(cost_s, before_s)
        spared_s = min(least_s / WHOLE_SHARE, LONGEST_WHOLE_S)
        self.known.whole_s = spared_s if least_s > COSTLY_S else 0.0
        return readings

    def _record(self, readings: list[Reading], is_whole: bool) -> None:
        """Keep what was read of this source's own channels, unless it is of the future."""
        known, trace = self.known, self._desk.trace
        now_s = time.monotonic()
        own = [r for r in readings if r.key in self._labels and r.time_s <= now_s]
        refused = trace.record(own) if is_whole else trace.sketch(own)
        known.refused = tuple(self._labels[key] for key in refused)
        answered = {reading.key for reading in own}
        if is_whole and len(answered) < len(self._labels):
            trace.miss([key for key in self._labels if key not in answered])
        if self._doubting and (found := self._doubting.doubts()):
            known.doubts = tuple({each.key: each for each in (*known.doubts, *found)}.values())

    def _read_gauges(self) -> None:
        """Read a source's gauges if they are due; what they say is worth no gap and no retry."""
        known, now_s = self.known, time.monotonic()
        if not known.gauges or now_s < self._gauges_due_s:
            return
        self._gauges_due_s, known.asked_s = clock.beat_after(now_s, GAUGE_PERIOD_S), now_s
        assert isinstance(self._source, Gauged)
        try:
            readings = self._source.read_gauges()
            if not self._ended.is_set():
                self._desk.gauge_trace.record(readings)
        except Exception as error:
            log.debug("The gauges of %s cannot be read: %s", self.name, error)
        known.asked_s = None


def _stays(_: Channel) -> bool:
    """What is said of the devices of a source that cannot tell whether they have left."""
    return False


def _is_summed(channel: Channel) -> bool:
    """Whether a total rests on the integral of this channel's watts."""
    return channel.kind is Kind.POWER and channel.role is Role.PART


def spacing_s(channel: Channel) -> float:
    """Time after which another reading of a channel may tell something."""
    return channel.period_s / 2 if _is_summed(channel) else channel.period_s
