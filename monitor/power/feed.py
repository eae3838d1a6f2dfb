"""One source as the sampler keeps it: its readers, one after the other, and how it fares in words.

A source object is touched by one thread only. One that raises again and again is opened anew by
its own thread (:mod:`monitor.power.reader`). One that hangs cannot be: its thread is left behind,
and another takes over with another object, where there is a factory to make one.
"""

import math
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import replace

from monitor.power.channel import Channel, Doubt, Probe, ProbeState, Role
from monitor.power.following import told_after_s
from monitor.power.gauge import Gauge
from monitor.power.known import Desk, Known, Rest, Use
from monitor.power.reader import Reader, delay_s, spacing_s
from monitor.power.sources import Source

SILENT_S = 3.0
"""A call that takes longer than this is told of."""

UNREAD_S = 10.0
"""A channel that has told nothing for longer than this beside others of its source is named: more
than an Apple chip's counters rest for, and as long as a model waits before it stands in."""

HUNG_READING_S, HUNG_OPENING_S = 10.0, 30.0
"""A call that takes longer than this is given up. Drivers are loaded while a source is opened:
NVML's may take seconds for each GPU where its persistence mode is off."""

ADVICE = (
    "It is asked again by itself, and nothing else waits for it. If it stays silent, look whether "
    "the device is still there and connected."
)
"""The ``mend`` of a source that is silent, where its probe has no better one."""

HANGS = "The system's log may say why its driver hangs; restarting the computer frees it."
"""The same of one that does not return."""

MISSING = (
    "What it draws is missing from the totals, which say so until it is read again or LlamaWatt "
    "is started anew."
)
"""What follows from a channel that is not opened again, though nothing said that it has left."""

MOST_LEFT = 3
"""So many threads of one source are left hanging; then none is started until one of them ends."""


class Feed:
    """A source among those that are sampled.

    :param source: the object to begin with
    :param make: makes another one when this one has failed or hangs
    """

    def __init__(self, source: Source, make: Callable[[], Source] | None, desk: Desk) -> None:
        self.name = source.name
        self._make, self._desk = make, desk
        self._reader = Reader(self.name, source, make, desk, Known())
        self._left: list[Reader] = []

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._reader.start()

    def end(self) -> None:
        """Have the source closed as soon as it lets go; returns at once."""
        self._reader.end()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, at most so long."""
        self._reader.join(timeout_s)

    def mark(self) -> None:
        """Read as soon as the source's own refresh allows."""
        self._reader.mark()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels it opened, also while it is dead."""
        return self._reader.known.channels

    @property
    def gauges(self) -> tuple[Gauge, ...]:
        """The gauges it opened."""
        return self._reader.known.gauges

    @property
    def is_ready(self) -> bool:
        """Whether it has answered its probe, and has been asked for readings if it has any."""
        known = self._reader.known
        return known.probe is not None and (not known.is_read or known.tried_s > -math.inf)

    @property
    def read_s(self) -> float | None:
        """When all it tells was last asked for; ``None`` for one that tells no watts."""
        known = self._reader.known
        return known.tried_s if known.is_read and known.channels else None

    @property
    def whole_s(self) -> float:
        """How many seconds may lie between two such moments, beside its intervals."""
        return self._reader.known.whole_s

    @property
    def use(self) -> Use:
        """What rests on it at present."""
        return self._reader.known.use

    def set_use(self, roles: Set[Role | None]) -> None:
        """Find out what rests on it.

        :param roles: those of its channels; ``None`` for what others measure
        """
        known, before = self._reader.known, self._reader.known.use
        if not known.is_read:
            return  # what it will open is not known yet
        if roles == {None}:
            known.use = Use.NONE
        elif Role.PART in roles:
            known.use = Use.TOTAL
        else:
            known.use = Use.SHOWN
        if known.use.value < before.value:
            self.mark()

    @property
    def fastest_s(self) -> float:
        """The shortest time between two readings of it that may tell something."""
        return min(map(spacing_s, self.channels), default=0.0)

    @property
    def told_after_s(self) -> float:
        """How long it takes at most until what a total rests on has told all of a moment."""
        return told_after_s(self.channels)

    @property
    def rests(self) -> tuple[Rest, ...]:
        """When it had nothing to tell, and nothing was wrong."""
        return self._reader.known.rests

    def silent_s(self) -> float:
        """Seconds for which it has not returned from the present call; 0 without one."""
        return self._reader.silent_s(time.monotonic())

    def watch(self) -> None:
        """Put another reader in the place of one that hangs, if another object can be made."""
        known = self._reader.known
        longest_s = HUNG_READING_S if known.is_read else HUNG_OPENING_S
        if self._make is None or self.silent_s() <= longest_s:
            return
        wait_s = delay_s(known.failed)
        self._replace_reader(
            replace(
                known,
                failing=f"it did not answer for {longest_s:.0f} s",
                failed=known.failed + 1,
                next_s=time.monotonic() + wait_s,
            ),
            wait_s,
        )

    def reopen(self) -> None:
        """Put another reader in the place of the present one at once, if another can be made."""
        if self._make is not None:
            known = self._reader.known
            after = replace(known, probe=None, failing="", failed=0, next_s=None, tried_s=-math.inf)
            self._replace_reader(after, wait_s=0.0)

    def doubt(self, found: Iterable[Doubt]) -> None:
        """Keep what was found of its channels beside others."""
        known = self._reader.known
        keys = {channel.key for channel in known.channels}
        if own := [each for each in found if each.key in keys]:
            known.doubts = tuple({each.key: each for each in (*known.doubts, *own)}.values())

    def _replace_reader(self, known: Known, wait_s: float) -> None:
        """Let the present reader go, unless too many hang already, and begin with another."""
        self._left = [left for left in self._left if left.is_alive]
        if len(self._left) >= MOST_LEFT:
            return
        self._reader.end()
        self._left.append(self._reader)
        known = replace(known, is_read=False, asked_s=None, rests=())
        self._reader = Reader(self.name, None, self._make, self._desk, known, wait_s)
        self._reader.start()

    def told(self, is_kept: bool = False) -> Probe:
        """Return the source's own answer, with what has gone wrong since.

        :param is_kept: whether it will be read later: without what is true for a moment only
        """
        known, now_s = self._reader.known, time.monotonic()
        probe = known.probe or Probe(self.name, ProbeState.ABSENT, "It has not answered yet.")
        remarks, read_s = self._reader.remarks(), self._last_read_s()
        words = [probe.reason, *remarks]
        if self._is_silent(probe, now_s, read_s):
            if read_s > -math.inf and not is_kept:
                words.append(f"It was last read {now_s - read_s:.0f} s ago.")
            is_left = any(left.is_alive for left in self._left)
            hangs = is_left or self.silent_s() >= SILENT_S
            advice = f"{ADVICE} {HANGS}" if hangs else ADVICE
            probe = replace(probe, state=ProbeState.SILENT, mend=probe.mend or advice)
        if known.failing and probe.state is not ProbeState.ABSENT:
            words.append(f"{'Failing' if is_kept else 'Now failing'}: {known.failing}.")
        if refused := self._desk.gauge_trace.refused(known.gauges):
            labels = ", ".join(gauge.label for gauge in refused)
            words.append(f"Refused as impossible: the last reading of {labels}.")
        if known.refused:
            words.append(f"Refused as impossible: the last reading of {', '.join(known.refused)}.")
        if known.missing and known.is_read:
            labels = ", ".join(channel.label for channel in known.missing)
            words.append(f"{labels}: not found any more. {MISSING}")
        if not (remarks or is_kept) and (unread := self._unread_beside_others()):
            words.append(f"Not read at present: {', '.join(unread)}.")
        if (silent_s := self.silent_s()) >= SILENT_S:
            since = "did not answer" if is_kept else f"has not answered for {silent_s:.0f} s"
            words.append(f"It {since}.")
        if known.restarts and not is_kept:
            words.append(f"Restarted {known.restarts} time{'s' if known.restarts > 1 else ''}.")
        if known.next_s is not None and not is_kept:
            words.append(f"Next attempt in {math.ceil(max(known.next_s - now_s, 0.0))} s.")
        return replace(probe, reason=" ".join(words), doubts=known.doubts)

    def _unread_beside_others(self) -> list[str]:
        """Return the labels of channels that have fallen silent while others are read."""
        known = self._reader.known
        there = [channel for channel in known.channels if channel not in known.missing]
        told = [(channel, self._desk.trace.latest(channel.key)) for channel in there]
        read_s = [(channel.label, latest[0]) for channel, latest in told if latest]
        newest_s = max((at_s for _, at_s in read_s), default=-math.inf)
        return [label for label, at_s in read_s if newest_s - at_s > UNREAD_S]

    def _last_read_s(self) -> float:
        """Monotonic time of the last reading it gave; minus infinity if it never gave one."""
        known, desk = self._reader.known, self._desk
        watts = (desk.trace.latest(channel.key) for channel in known.channels)
        gauges = (desk.gauge_trace.latest(gauge.key) for gauge in known.gauges)
        read_s = [latest[0] for latest in watts if latest]
        return max((*read_s, *(latest.time_s for latest in gauges if latest)), default=-math.inf)

    def _is_silent(self, probe: Probe, now_s: float, read_s: float) -> bool:
        """Whether it ought to answer and does not.

        One that was read a moment ago is not: a single question that fails is no loss.
        """
        known = self._reader.known
        if probe.state is ProbeState.DENIED or known.has_left or now_s - read_s < SILENT_S:
            return False
        if self.silent_s() >= SILENT_S:
            return True
        if probe.state is ProbeState.AVAILABLE:
            return bool(known.failing)
        # Absent by its own word, unless it failed or was read before. An attempt to open it anew
        # is under way or waited for; one that only sleeps is asked again without one.
        is_tried = known.next_s is not None or (known.failed and known.asked_s is not None)
        return bool(known.channels) or bool(is_tried and probe.retry_s is None)
