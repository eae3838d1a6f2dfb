"""Reads every source, each in a thread of its own, into one trace."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.power.channel import Channel, Probe, ProbeState, counted
from monitor.power.gauge import PERIOD_S as GAUGE_PERIOD_S
from monitor.power.gauge import Gauge, GaugeTrace
from monitor.power.sources import SOURCES, Gauged, Source
from monitor.power.trace import Gap, Trace

log = logging.getLogger(__name__)

MIN_HZ, DEFAULT_HZ, MAX_HZ = 1.0, 10.0, 50.0

STALLED_INTERVALS = 10
"""A source not read for this many intervals hangs, and what is told of the rest waits no more."""

RETRY_S = 1.0
"""A source that raised is asked again after this long, so that a fault costs no time."""


def _asleep_s() -> float:
    """Seconds this machine has been suspended since it started; 0 where that is not told."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


@dataclass(slots=True)
class _Feed:
    """One source, the thread that reads it, and what is known of it."""

    source: Source
    thread: threading.Thread | None = None
    probe: Probe | None = None
    channels: tuple[Channel, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    gauges_read_s: float = -math.inf
    failing: str = ""
    tried_s: float = -math.inf
    """When the last attempt to read began that has ended, whether it succeeded or not."""


class Sampler:
    """The one machine-wide sampler of a process.

    Sources are probed and opened in their own threads, so that a driver that hangs delays
    nobody; :meth:`wait_ready` waits for those that answer in time.

    :param hz: readings a second, 1 to 50; a source is read no faster than its own refresh
    :param sources: which sources to use; the registered ones unless given
    :raises ValueError: for a rate out of range
    """

    def __init__(self, hz: float = DEFAULT_HZ, sources: Sequence[Source] | None = None) -> None:
        if not MIN_HZ <= hz <= MAX_HZ:
            raise ValueError(f"The sampling rate must lie between {MIN_HZ:g} and {MAX_HZ:g} Hz.")
        self.hz = hz
        self.trace = Trace()
        self.gauge_trace = GaugeTrace()
        self._feeds = [
            _Feed(source)
            for source in ([make() for make in SOURCES] if sources is None else sources)
        ]
        self._stop = threading.Event()
        self._wakes = [threading.Event() for _ in self._feeds]
        self._opened = threading.Condition()

    def start(self) -> None:
        """Begin to sample; returns at once."""
        for feed, wake in zip(self._feeds, self._wakes, strict=True):
            feed.thread = threading.Thread(
                target=self._run, args=(feed, wake), name=f"power-{feed.source.name}", daemon=True
            )
            feed.thread.start()

    def stop(self) -> None:
        """Stop and close every source; a thread stuck in a driver is left behind."""
        self._stop.set()
        self.mark()
        for feed in self._feeds:
            if feed.thread:
                feed.thread.join(timeout=1.0)

    def __enter__(self) -> "Sampler":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def mark(self) -> None:
        """Ask for a reading now: something begins or ends, and a sample there sharpens both."""
        for wake in self._wakes:
            wake.set()

    def wait_ready(self, timeout_s: float = 5.0) -> bool:
        """Wait until every source has answered its probe and given a first reading.

        :return: whether all did within the time
        """
        return self._wait(
            lambda: all(
                feed.probe
                and (not feed.channels or self.trace.latest(feed.channels[0].key) or feed.failing)
                for feed in self._feeds
            ),
            timeout_s,
        )

    def wait_until(self, time_s: float, timeout_s: float = 0.5) -> bool:
        """Wait until every source has been read later than a monotonic time.

        A window can only be billed to its end once a reading beyond the end is there.

        :return: whether all were; a source that hangs is not waited for any longer
        """
        self.mark()
        return self._wait(
            lambda: all(not feed.channels or feed.tried_s >= time_s for feed in self._feeds),
            timeout_s,
        )

    def read_until_s(self) -> float:
        """Return the monotonic time up to which every source that does not hang was read."""
        now_s = time.monotonic()
        stalled_s = now_s - STALLED_INTERVALS / self.hz
        tried_s = [feed.tried_s for feed in self._feeds if feed.channels]
        return min((at_s for at_s in tried_s if at_s > stalled_s), default=now_s)

    def _wait(self, met: Callable[[], bool], timeout_s: float) -> bool:
        with self._opened:
            return self._opened.wait_for(met, timeout_s)

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels in use: modelled ones give way to measured ones."""
        return counted(tuple(channel for feed in self._feeds for channel in feed.channels))

    def gauges(self) -> tuple[Gauge, ...]:
        """Return the gauges that can be read; their readings are in :attr:`gauge_trace`."""
        return tuple(gauge for feed in self._feeds for gauge in feed.gauges)

    def probes(self) -> tuple[Probe, ...]:
        """Return each source's probe, with what has gone wrong since."""
        answers = []
        for feed in self._feeds:
            probe = feed.probe or Probe(
                feed.source.name, ProbeState.ABSENT, "It has not answered yet."
            )
            if feed.failing:
                probe = Probe(
                    probe.source, probe.state, f"{probe.reason} Now failing: {feed.failing}"
                )
            answers.append(probe)
        return tuple(answers)

    def _run(self, feed: _Feed, wake: threading.Event) -> None:
        try:
            self._open(feed)
            if feed.channels or feed.gauges:
                self._read_until_stopped(feed, wake)
        finally:
            feed.source.close()

    def _open(self, feed: _Feed) -> None:
        try:
            probe = feed.source.probe()
            if probe.state is ProbeState.AVAILABLE:
                channels = feed.source.open()
                for channel in channels:
                    self.trace.add(channel)
                feed.channels = channels
                if isinstance(feed.source, Gauged):
                    feed.gauges = feed.source.gauges()
        except Exception as error:  # a third-party driver may raise anything
            log.exception("Opening %s failed", feed.source.name)
            probe = Probe(feed.source.name, ProbeState.ABSENT, f"It failed to open: {error}")
        with self._opened:
            feed.probe = probe
            self._opened.notify_all()
        log.info("%s: %s. %s", probe.source, probe.state, probe.reason)

    def _read_until_stopped(self, feed: _Feed, wake: threading.Event) -> None:
        fastest_s = min((channel.period_s for channel in feed.channels), default=GAUGE_PERIOD_S)
        interval_s = max(1 / self.hz, fastest_s)
        asleep_s = _asleep_s()
        due_s = last_s = time.monotonic()
        while not self._stop.is_set():
            if _asleep_s() - asleep_s > 0.5:
                asleep_s = _asleep_s()
                self.trace.miss([channel.key for channel in feed.channels], Gap.ASLEEP)
            self._read(feed)
            self._read_gauges(feed)
            last_s = time.monotonic()
            # Due times keep their rhythm, whatever is marked in between; after a stall the
            # missed ones are not made up.
            if feed.failing:
                due_s = last_s + RETRY_S
            elif due_s <= last_s:
                due_s = max(due_s + interval_s, last_s)
            if wake.wait(max(0.0, due_s - time.monotonic())):
                wake.clear()
                self._stop.wait(max(0.0, last_s + fastest_s - time.monotonic()))

    def _read(self, feed: _Feed) -> None:
        began_s = time.monotonic()
        try:
            readings = feed.source.read()
        except Exception as error:
            if not feed.failing:
                log.warning("Reading %s failed: %s", feed.source.name, error)
            feed.failing = str(error) or type(error).__name__
            self.trace.miss([channel.key for channel in feed.channels])
        else:
            feed.failing = ""
            self.trace.record(readings)
            silent = {channel.key for channel in feed.channels} - {r.key for r in readings}
            self.trace.miss(sorted(silent))
        feed.tried_s = began_s
        with self._opened:
            self._opened.notify_all()

    def _read_gauges(self, feed: _Feed) -> None:
        """Read a source's gauges if they are due; what they say is worth no gap and no retry."""
        now_s = time.monotonic()
        if not feed.gauges or now_s - feed.gauges_read_s < GAUGE_PERIOD_S:
            return
        feed.gauges_read_s = now_s
        assert isinstance(feed.source, Gauged)
        try:
            self.gauge_trace.record(feed.source.read_gauges())
        except Exception as error:
            log.debug("The gauges of %s cannot be read: %s", feed.source.name, error)
