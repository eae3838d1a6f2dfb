"""What was recorded of the machine without a model, and the bill of any span of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from monitor.carbon.footprint import Footprint, known_footprint
from monitor.carbon.intensity import Zone
from monitor.energy.account import WATCH, Bill, Phase, account
from monitor.energy.baseline import AboveIdle, Baseline, Stale, above_idle
from monitor.energy.notes import NO_NOTES, Notes
from monitor.energy.standing import OPENING_S, billed_curves
from monitor.power.channel import Channel, Role
from monitor.power.curve import Curve, Gap
from monitor.power.present import total_w
from monitor.power.trace import AROUND, Trace, Unread, around_s
from monitor.power.window import EMPTY, Window, window_of

WELL_READ = 0.995
"""With less of the time read, joules are not of all of it: it is said how much was."""


class State(StrEnum):
    """How far a recording came."""

    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"
    """The program ended before it was stopped; there is what had been written until then."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that a person marked.

    :param at_s: seconds since the recording began
    :param name: "" if it was given none
    """

    at_s: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a span of a recording cost.

    :param start_s: seconds since the recording began, as ``end_s``
    :param above: what the parts drew above idle, ``None`` if no baseline fitted
    :param footprint: ``None`` if nothing was read
    """

    start_s: float
    end_s: float
    bill: Bill
    above: AboveIdle | None
    footprint: Footprint | None

    @property
    def mean_w(self) -> float | None:
        """Mean watts of the total over the time that was read, which may be less than the span.

        ``None`` if parts were read for unlike times, or one not at all: they have no common mean.
        """
        parts = [line for line in self.bill.by_channel() if line.channel.role is Role.PART]
        read = [line.coverage for line in parts]
        if not read or max(read) - min(read) > 1 - WELL_READ:
            return None
        return total_w(line.mean_w for line in parts)


@dataclass(frozen=True, slots=True)
class Sleep:
    """A time in which the machine was suspended, and the recording's clock stood still.

    :param at_s: where on that clock: all from here on was read after the machine woke
    :param length_s: how long it slept
    """

    at_s: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording with its bill.

    :param name: what a person called it, "" if nothing
    :param started_at: UTC, ISO 8601
    :param duration_s: billed seconds; those in which the machine slept are not among them
    :param bill: of all of it, one line a channel
    :param zone: the intensity in force when it began
    :param pue: power usage effectiveness
    :param marks: in the order of time
    :param baseline: what the machine drew idle, ``None`` if that was not measured
    :param stale: why that was stale already
    :param ended_at: UTC, ISO 8601, of the end of what is billed; "" where that is not known
    :param notes: what is doubtful in the bill, and why something was not read
    """

    id: str
    name: str
    note: str
    started_at: str
    duration_s: float
    state: State
    bill: Bill
    zone: Zone
    pue: float
    marks: tuple[Mark, ...] = ()
    baseline: Baseline | None = None
    stale: tuple[Stale, ...] = ()
    ended_at: str = ""
    notes: Notes = NO_NOTES

    @property
    def ended(self) -> datetime:
        """When what is billed ended; where only its length is known, no sleep is reckoned with."""
        if self.ended_at:
            return datetime.fromisoformat(self.ended_at)
        return datetime.fromisoformat(self.started_at) + timedelta(seconds=self.duration_s)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that were recorded."""
        return tuple(line.channel for line in self.bill.lines)

    @property
    def cost(self) -> Cost:
        """What all of it cost."""
        return self.cost_of(0.0, self.duration_s, self.bill)

    def cost_of(self, start_s: float, end_s: float, bill: Bill) -> Cost:
        """Return a span's bill with what follows from it."""
        return Cost(
            start_s=start_s,
            end_s=end_s,
            bill=bill,
            above=above_idle(bill, self.baseline, self.stale) if self.baseline else None,
            footprint=known_footprint(bill.total().energy, self.zone, self.pue),
        )

    def notes_within(self, bill: Bill) -> Notes:
        """Return what of its notes is to be said of the bill of a span of it."""
        coverages = {line.channel.key: line.coverage for line in bill.by_channel()}
        return Notes(
            tuple(doubt for doubt in self.notes.doubts if doubt.key in coverages),
            tuple(
                replace(each, coverage=coverages[each.key])
                for each in self.notes.unread
                if coverages.get(each.key, 1.0) < WELL_READ
            ),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a recording between two marks, or a mark and an end.

    :param number: of the mark it begins with, from 1; 0 for what is before the first
    :param name: of that mark
    """

    number: int
    name: str
    start_s: float
    end_s: float


def _as_opened(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return each channel once: as a part if it was billed as one at any time."""
    parts = {channel.key: channel for channel in channels if channel.role is Role.PART}
    return tuple(({channel.key: channel for channel in channels} | parts).values())


class _StillTrace(Trace):
    """A trace to which nothing is added: the curves of a recording, on the recording's clock."""

    def __init__(
        self, channels: Sequence[Channel], curves: Mapping[str, Curve], unread: Sequence[Unread]
    ) -> None:
        super().__init__(capacity=0)
        self._channels = {channel.key: channel for channel in _as_opened(channels)}
        self._curves = curves
        for each in unread:
            self.note_unread(each.channel, each.from_s)
            self.note_unread(None, each.until_s)

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels that have a curve."""
        return tuple(each for key, each in self._channels.items() if key in self._curves)

    def curve(
        self, key: str, start_s: float = -math.inf, end_s: float = math.inf, beside: int = 1
    ) -> Curve:
        """Return the readings between two moments, with so many before and after."""
        return _cut(self._curves[key], start_s, end_s, beside)

    def window(self, key: str, start_s: float, end_s: float) -> Window:
        """Return the energy of a channel between two moments."""
        channel, curve = self._channels.get(key), self._curves.get(key)
        if channel is None or curve is None:
            return EMPTY
        beside_s = around_s(channel, curve.sketched is not None)
        around = _cut(curve, start_s - beside_s, end_s + beside_s, AROUND)
        return window_of(channel, around, start_s, end_s)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording with its power curves.

    :param curves: by channel key; their times are seconds since the recording began. All that was
        read, of a model also what a sensor had measured, and from :data:`OPENING_S` before the
        beginning on: whose a moment is, is told by these
    :param sleeps: in the order of time
    :param unread: times in which a part was at work that nobody read, on the recording's clock
    """

    recording: Recording
    curves: Mapping[str, Curve]
    sleeps: tuple[Sleep, ...] = ()
    unread: tuple[Unread, ...] = ()

    def moment(self, at_s: float) -> datetime:
        """Return the UTC time at which the recording's clock showed so many seconds."""
        slept_s = sum(sleep.length_s for sleep in self.sleeps if sleep.at_s <= at_s)
        began = datetime.fromisoformat(self.recording.started_at)
        return began + timedelta(seconds=at_s + slept_s)

    def cost(self, start_s: float, end_s: float) -> Cost:
        """Return what a span cost; its ends are put inside the recording, and in their order."""
        last_s = self.recording.duration_s
        low_s, high_s = sorted(min(max(at_s, 0.0), last_s) for at_s in (start_s, end_s))
        bill = account(self._trace, self._channels, [Phase(WATCH, low_s, high_s)])
        return self.recording.cost_of(low_s, high_s, bill)

    def billed(self) -> dict[str, Curve]:
        """Return the curves of what it is billed by, to be drawn, or added up as the bill is.

        One reading before its beginning and one after its end are among them.
        """
        whole = (0.0, self.recording.duration_s)
        return billed_curves(self._trace, self._channels, [whole], whole)

    @property
    def _channels(self) -> tuple[Channel, ...]:
        return _as_opened(self.recording.channels)

    @property
    def _trace(self) -> _StillTrace:
        return _StillTrace(self._channels, self.curves, self.unread)

    def part(self, start_s: float, end_s: float) -> "Recorded":
        """Return a span as if it alone had been recorded, on a clock of its own.

        Marks inside it stay; it has neither identifier, name nor note.
        """
        cost, whole = self.cost(start_s, end_s), self.recording
        recording = replace(
            whole,
            id="",
            name="",
            note="",
            started_at=self.moment(cost.start_s).isoformat(timespec="milliseconds"),
            duration_s=cost.end_s - cost.start_s,
            bill=cost.bill,
            marks=tuple(
                Mark(mark.at_s - cost.start_s, mark.name)
                for mark in whole.marks
                if cost.start_s <= mark.at_s < cost.end_s
            ),
            ended_at=self.moment(cost.end_s).isoformat(timespec="milliseconds"),
            notes=whole.notes_within(cost.bill),
        )
        sleeps = tuple(
            Sleep(sleep.at_s - cost.start_s, sleep.length_s)
            for sleep in self.sleeps
            if cost.start_s < sleep.at_s <= cost.end_s
        )
        curves = {}
        for channel in _as_opened(recording.channels):
            if channel.key in self.curves:
                read = _cut(self.curves[channel.key], cost.start_s - OPENING_S, cost.end_s)
                curves[channel.key] = replace(read, time_s=read.time_s - cost.start_s)
        unread = unread_within(self.unread, cost.start_s, cost.end_s)
        return Recorded(recording, curves, sleeps, unread)


def recorded_of(
    recording: Recording, pieces: Sequence[Mapping[str, Curve]], phases: Sequence[Phase]
) -> Recorded:
    """Return a recording with the curves of what it is billed by.

    :param pieces: of the curves, in their order
    :param phases: what is stored beside them; see :func:`stored_phases`
    """
    channels = _as_opened(recording.channels)
    sleeps = tuple(Sleep(p.start_s, p.end_s - p.start_s) for p in phases if p.name == SLEEP)
    known = {channel.key: channel for channel in channels}
    unread = tuple(Unread(known[p.name], p.start_s, p.end_s) for p in phases if p.name in known)
    curves = {key: curve for key, curve in joined_pieces(pieces).items() if key in known}
    return Recorded(recording, curves, sleeps, unread)


SLEEP = "asleep"
"""What a sleep is called among the phases that are stored with a curve."""


def stored_phases(sleeps: Iterable[Sleep], unread: Iterable[Unread]) -> tuple[Phase, ...]:
    """Return what is stored with the curves beside them: sleeps, and when a part was not read.

    The latter by the part's key.
    """
    return (
        *(Phase(SLEEP, each.at_s, each.at_s + each.length_s) for each in sleeps),
        *(Phase(each.channel.key, each.from_s, each.until_s) for each in unread),
    )


def unread_within(unread: Iterable[Unread], start_s: float, end_s: float) -> tuple[Unread, ...]:
    """Return the share of unread times in a span, on a clock that begins with it."""
    return tuple(
        Unread(
            each.channel, max(each.from_s, start_s) - start_s, min(each.until_s, end_s) - start_s
        )
        for each in unread
        if each.from_s < end_s and start_s < each.until_s
    )


def spans(recording: Recording) -> list[Span]:
    """Return the parts between the marks; none if nothing was marked."""
    if not recording.marks:
        return []
    starts = [Mark(0.0), *recording.marks]
    ends_s = [mark.at_s for mark in recording.marks] + [recording.duration_s]
    return [
        Span(number, mark.name, mark.at_s, end_s)
        for number, (mark, end_s) in enumerate(zip(starts, ends_s, strict=True))
        if end_s > mark.at_s
    ]


def _cut(curve: Curve, start_s: float, end_s: float, beside: int = 1) -> Curve:
    """Return the readings between two moments, with so many before and after."""
    first = max(int(np.searchsorted(curve.time_s, start_s)) - beside, 0)
    stop = int(np.searchsorted(curve.time_s, end_s, side="right")) + beside
    return curve.rows(slice(first, stop))


def join_curves(pieces: Sequence[Curve]) -> Curve:
    """Join pieces of one channel's curve, in their order.

    A piece begins with the last reading of the one before, by which their joules are joined. One
    that does not has a gap before it: what came in between was not read.
    """
    joined: list[Curve] = []
    for piece in pieces:
        if not len(piece.time_s):
            continue
        if not joined:
            joined.append(piece)
            continue
        last = joined[-1]
        new = int(np.searchsorted(piece.time_s, last.time_s[-1], side="right"))
        if new == len(piece.time_s):
            continue
        shift_j = last.energy_j[-1] - piece.energy_j[max(new - 1, 0)]
        rest = piece.rows(slice(new, None))
        gap = rest.gap.copy()
        if new == 0:
            gap[0] = max(gap[0], Gap.MISSED)
        joined.append(replace(rest, energy_j=rest.energy_j + shift_j, gap=gap))
    if not joined:
        return Curve(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.uint8))
    return Curve(
        np.concatenate([each.time_s for each in joined]),
        np.concatenate([each.energy_j for each in joined]),
        np.concatenate([each.power_w for each in joined]),
        np.concatenate([each.gap for each in joined]),
        np.concatenate([each.is_sketch for each in joined]),
    )


def joined_pieces(pieces: Sequence[Mapping[str, Curve]]) -> dict[str, Curve]:
    """Join the pieces of every channel."""
    keys = dict.fromkeys(key for piece in pieces for key in piece)
    return {key: join_curves([piece[key] for piece in pieces if key in piece]) for key in keys}
