"""Reads every source, each in a thread of its own, into one trace."""

import math
import threading
import time
from collections.abc import Callable, Sequence

from monitor.power.channel import Channel, Kind, Probe, counted
from monitor.power.clock import beat_after
from monitor.power.containment import Containment
from monitor.power.feed import Feed
from monitor.power.gauge import Gauge, GaugeTrace
from monitor.power.known import Desk, Rest, Use
from monitor.power.own_time import ThreadTime
from monitor.power.sources import SOURCES, Source
from monitor.power.trace import Trace
from monitor.power.unread import ComputedOn, unread_part

MIN_HZ, DEFAULT_HZ, MAX_HZ = 1.0, 10.0, 50.0

STALLED_INTERVALS = 10
"""A source not read for this many intervals hangs, and what is told of the rest waits no more."""

STALLED_REFRESHES = 3
"""And at least for so many of its own refreshes."""

WAIT_S, LONGEST_WAIT_S = 0.5, 4.5
"""A bill waits so long for the last readings: quick sensors need a tenth of it, an Apple chip two
of its batches, which are up to 2.23 s apart (:mod:`monitor.power.sources.apple`)."""

LATE_S = 5.0
"""The model of what was not read for so long is read as often as a sensor: it may have to stand in.
Before that it is read so often (``Use.NONE``)."""

WATCH_S = 1.0
"""Sources that hang are looked for this often."""

CLOSING_S = 1.0
"""Sources that let go are waited for this long when the sampler stops."""


def _on_none() -> None:
    """What is said of the GPUs of a model before anyone can be asked."""


def _unchanged(channel: Channel) -> Channel:
    return channel


class Sampler:
    """The one machine-wide sampler of a process. Its methods may be called from any thread.

    Sources are probed and opened in their own threads, so that a driver that hangs delays
    nobody; :meth:`wait_ready` waits for those that answer in time. A source that fails again and
    again is opened anew after 1, 2, 4 … 60 s, and so is one that hangs where another object of it
    can be made; its probe says so.

    :param hz: readings a second, 1 to 50; a source is read no faster than its own refresh
    :param sources: which sources to use; the registered ones unless given
    :param refine: given each channel as it is opened, returns it with what is known better of it
      on this machine (``period_s``, ``step_j``)
    :raises ValueError: for a rate out of range
    """

    def __init__(
        self,
        hz: float = DEFAULT_HZ,
        sources: Sequence[Source] | None = None,
        refine: Callable[[Channel], Channel] | None = None,
    ) -> None:
        if not MIN_HZ <= hz <= MAX_HZ:
            raise ValueError(f"The sampling rate must lie between {MIN_HZ:g} and {MAX_HZ:g} Hz.")
        self.hz = hz
        self._containment = Containment()
        known_better = refine or _unchanged
        self._desk = Desk(hz, lambda opened: self._containment.as_found(known_better(opened)))
        self._feeds: tuple[Feed, ...] = ()
        self._computed_on: Callable[[], ComputedOn | None] = _on_none
        self._asking = threading.RLock()
        self._changing = threading.Lock()
        self._running = False
        self._stopped = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="power-watchdog", daemon=True)
        if sources is None:
            for make in SOURCES:
                self.add(make(), make)
        else:
            for source in sources:
                self.add(source)

    @property
    def trace(self) -> Trace:
        """What every channel read."""
        return self._desk.trace

    @property
    def gauge_trace(self) -> GaugeTrace:
        """What every gauge read."""
        return self._desk.gauge_trace

    def add(self, source: Source, make: Callable[[], Source] | None = None) -> None:
        """Sample one more source, from now on if the sampler runs; returns at once.

        :param make: makes another object of it: one that hangs can then be replaced. Without it
          an object that fails is closed, probed and opened again, and one that hangs is waited for
        :raises ValueError: if a source of that name is sampled already
        """
        with self._changing:
            if any(feed.name == source.name for feed in self._feeds):
                raise ValueError(f"A source named {source.name} is sampled already.")
            feed = Feed(source, make, self._desk)
            self._feeds = (*self._feeds, feed)
            if self._running:
                feed.start()

    def remove(self, name: str) -> None:
        """Sample a source no more; its channels have left, what they read stays in the trace.

        Returns at once: its thread closes it as soon as the call it is in returns.

        :raises KeyError: if no source of that name is sampled
        """
        with self._changing:
            gone = next((feed for feed in self._feeds if feed.name == name), None)
            if gone is None:
                raise KeyError(f"No source named {name} is sampled.")
            self._feeds = tuple(feed for feed in self._feeds if feed is not gone)
        gone.end()
        self.trace.leave([channel.key for channel in gone.channels], time.monotonic())
        self._desk.news.tell()

    def reopen(self, name: str) -> None:
        """Have a source probed and opened anew, after what kept it from being read was mended.

        Returns at once; its channels stay listed meanwhile. Nothing happens for one that is not
        sampled, or of which no other object can be made.
        """
        with self._changing:
            for feed in self._feeds:
                if feed.name == name and self._running:
                    feed.reopen()

    def start(self) -> None:
        """Begin to sample; returns at once."""
        with self._changing:
            self._running = True
            for feed in self._feeds:
                feed.start()
        self._watchdog.start()

    def stop(self) -> None:
        """Stop and close every source; a thread stuck in a driver is left behind."""
        with self._changing:
            self._running = False
            feeds = self._feeds
        self._stopped.set()
        for feed in feeds:
            feed.end()
        until_s = time.monotonic() + CLOSING_S
        for feed in feeds:
            feed.join(max(until_s - time.monotonic(), 0.0))

    def __enter__(self) -> "Sampler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def mark(self) -> None:
        """Ask for a reading now: something begins or ends, and a sample there sharpens both."""
        for feed in self._feeds:
            if feed.use is not Use.NONE:
                feed.mark()
        self._note_unread()

    def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """Wait until every source has answered its probe and was asked for a first reading.

        :return: whether all did within the time
        """
        return self._wait(lambda: all(feed.is_ready for feed in self._feeds), timeout_s)

    def wait_until(self, time_s: float, timeout_s: float | None = None) -> bool:
        """Wait until every source has been read later than a monotonic time.

        A window can only be billed to its end once a reading beyond the end is there, and of a
        counter that is slow to refresh, one that is later by a refresh. Not waited for is what
        would not come in the time: a source that hangs already, one that is opened anew, and one
        that is read more seldom.

        :param timeout_s: :data:`WAIT_S` if not given, or twice as long as the slowest part of a
          total takes to be read and to have told all, but no longer than :data:`LONGEST_WAIT_S`
        :return: whether all the others were
        """
        used = [feed for feed in self._feeds if feed.use is not Use.NONE and self._answers(feed)]
        if timeout_s is None:
            parts_s = [feed.fastest_s for feed in used if feed.use is Use.TOTAL]
            slowest_s = max([feed.told_after_s for feed in used] + parts_s, default=0.0)
            timeout_s = min(max(WAIT_S, 2 * slowest_s), LONGEST_WAIT_S)
        until_s = {
            feed: time_s + (feed.told_after_s if feed.told_after_s <= timeout_s / 2 else 0.0)
            for feed in used
            if feed.fastest_s <= timeout_s
        }

        def is_read() -> bool:
            read_s = ((feed.read_s, at_s) for feed, at_s in until_s.items())
            return all(last_s is None or last_s >= at_s for last_s, at_s in read_s)

        self.mark()
        return self._wait(is_read, timeout_s)

    def read_until_s(self) -> float:
        """Return the monotonic time up to which every source tells that a total rests on.

        A counter tells of what was a refresh ago. Those that hang are left out.
        """
        now_s, told_s = time.monotonic(), []
        for feed in self._feeds:
            read_s = feed.read_s
            stalled_s = max(STALLED_INTERVALS / self.hz, STALLED_REFRESHES * feed.fastest_s)
            stalled_s += feed.whole_s
            if feed.use is Use.TOTAL and read_s and now_s - read_s < stalled_s:
                told_s.append(read_s - feed.told_after_s)
        return min(told_s, default=now_s)

    def _answers(self, feed: Feed) -> bool:
        return feed.silent_s() <= STALLED_INTERVALS / self.hz

    def _wait(self, met: Callable[[], bool], timeout_s: float) -> bool:
        return self._desk.news.wait_for(met, timeout_s)

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels in use: modelled ones give way to measured ones.

        Among them is the GPU that a model is on where nothing reads it, as the trace has it noted:
        what is billed by these channels is billed by that.
        """
        noted = [each.channel for each in self.trace.unread() if each.until_s == math.inf]
        return (*self._read_channels(), *noted)

    def _read_channels(self) -> tuple[Channel, ...]:
        opened: dict[str, Channel] = {}
        for channel in self._opened():
            opened.setdefault(channel.key, channel)
        return counted(tuple(opened.values()))

    def ask_computed_on(self, ask: Callable[[], ComputedOn | None], from_s: float) -> None:
        """Take in whom to ask on which GPUs a model is: they are parts of the totals, read or not.

        :param ask: answers at once, from any thread; ``None`` if a model is on none
        :param from_s: monotonic; since when one is being loaded
        """
        with self._asking:
            self._computed_on = ask
            self._note_unread(from_s)

    def _note_unread(self, from_s: float | None = None) -> None:
        """Note whether a model is on a GPU that nothing reads: at a load, at each mark, and by the
        watchdog, as a model may be gone and a card be read without anyone saying so.

        It is noted while it lasts: a bill that began then does not forget it once the model is
        unloaded, and one that begins after that (at a mark) knows nothing of it.

        :param from_s: monotonic, since when; since now if not given
        """
        # Nobody is to note what another has just found to be over, nor of an earlier moment.
        with self._asking:
            computed_on = self._computed_on()
            part = unread_part(computed_on, self._read_channels()) if computed_on else None
            self.trace.note_unread(part, time.monotonic() if from_s is None else from_s)

    def _opened(self) -> tuple[Channel, ...]:
        """Return every channel, as the sources opened them and as was found since."""
        return tuple(
            self._containment.as_found(channel) for feed in self._feeds for channel in feed.channels
        )

    def _in_use(self) -> tuple[Channel, ...]:
        """Return the channels in use, and the models of those that have not been read of late.

        They are read as often as a sensor before a total rests on them.
        """
        used, late_s = self.channels(), time.monotonic() - LATE_S
        opened = self._opened()
        latest = {channel.key: self.trace.latest(channel.key) for channel in opened}
        read = {key for key, told in latest.items() if told and told[0] >= late_s}
        models = [channel for channel in opened if channel.kind is Kind.MODELLED]
        stand_in = counted(tuple(c for c in opened if c.key in read or c in models))
        return (*stand_in, *used)

    def gauges(self) -> tuple[Gauge, ...]:
        """Return the gauges that can be read; their readings are in :attr:`gauge_trace`."""
        return tuple(gauge for feed in self._feeds for gauge in feed.gauges)

    def rests_of(self, channel: Channel) -> tuple[Rest, ...]:
        """Return when a channel's source had nothing to tell, though nothing was wrong."""
        keys = ((feed.rests, {each.key for each in feed.channels}) for feed in self._feeds)
        return next((rests for rests, own in keys if channel.key in own), ())

    def probes(self, are_kept: bool = False) -> tuple[Probe, ...]:
        """Return each source's probe, with what has gone wrong since.

        :param are_kept: whether they will be read later: without what is true for a moment only
        """
        return tuple(feed.told(are_kept) for feed in self._feeds)

    def _watch(self) -> None:
        with ThreadTime() as time_used:
            while not self._stopped.wait(beat_after(now_s := time.monotonic(), WATCH_S) - now_s):
                self._look()
                time_used.note()

    def _look(self) -> None:
        """Find out what rests on each source, and replace those that hang."""
        # Not beside a removal, which would end a reader that has just been replaced.
        with self._changing:
            self._containment.look(self.trace, self._opened(), time.monotonic())
            self._note_unread()
            # Before those in use are listed: what is opened meanwhile is judged next time.
            opened = [(feed, feed.channels) for feed in self._feeds if self._running]
            used = {channel.key: channel.role for channel in self._in_use()}
            for feed, channels in opened:
                feed.set_use({used.get(channel.key) for channel in channels})
                feed.watch()
                feed.doubt(self._containment.doubts)
