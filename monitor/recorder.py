"""Records the machine without a model: its bill, the moments a person marks, and its curve."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.carbon.choice import chosen_pue
from monitor.carbon.late import late_figure
from monitor.energy.account import WATCH, Bill, Phase, account
from monitor.energy.standing import OPENING_S, billed_curves
from monitor.meter import chosen_zone
from monitor.power.clock import asleep_s
from monitor.power.curve import Curve, Gap
from monitor.power.sampler import Sampler
from monitor.power.trace import ASLEEP_S
from monitor.quiet import present_conditions
from monitor.recorded import (
    Mark,
    Recorded,
    Recording,
    Sleep,
    State,
    recorded_of,
    stored_phases,
    unread_within,
)
from monitor.store.baselines import Baselines
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.database import StoreError
from monitor.store.history import History
from monitor.store.identifiers import utc_now
from monitor.store.recordings import Idle, Progress, Recordings
from monitor.tally import Tally, settled_s
from monitor.watch_notes import notes_of

log = logging.getLogger(__name__)

WRITE_S = 5.0
"""A crash or a power cut takes so many seconds of a recording at most."""

PIECE_S = 60.0
"""Seconds of curve packed at once: small enough to be written again every few seconds until it is
full, and large enough to be compressed well."""


JUST_BEFORE_S = 0.001
"""Between a sleep and the first reading after it: stored times are rounded by less."""


class Recorder:
    """One recording, from :meth:`start` to :meth:`stop`. Safe to use from several threads.

    It has a thread of its own that takes the curve off the trace and stores it every few seconds.
    What cannot be stored is kept in memory and stored as soon as that is possible. The curve is
    kept in memory as well: about 1 MB an hour for each channel at 10 Hz.

    :param sampler: running
    :param write_s: seconds between writes
    :param piece_s: seconds of curve in a piece
    """

    def __init__(
        self,
        sampler: Sampler,
        history: History,
        write_s: float = WRITE_S,
        piece_s: float = PIECE_S,
    ) -> None:
        self._sampler, self._history = sampler, history
        self._recordings = Recordings(history.store)
        self._write_s, self._piece_s = write_s, piece_s
        self._recording: Recording | None = None
        self._start_s = self._piece_from_s = 0.0
        self._end_s: float | None = None
        self._ended_at = ""
        self._slept_s = self._looked_s = 0.0
        self._sleeps: tuple[Sleep, ...] = ()
        self._pieces: list[dict[str, Curve]] = []
        self._stored = 0
        self._taken_until_s: dict[str, float] = {}
        self._lock, self._naming = threading.RLock(), threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.problem = ""
        """Why the last attempt to store it failed, "" if it did not."""

    def start(self, name: str = "") -> Recording:
        """Begin to record.

        :param name: what it is called; "" for nothing
        :raises StoreError: if it cannot be stored; then nothing is recorded
        :raises sqlite3.Error: if what it is reckoned with cannot be read; then nothing is, either
        :raises CarbonError: if the zone a person chose cannot be read, likewise
        """
        zone, pue = chosen_zone(self._history), chosen_pue(self._history)
        idle = fitting_idle(self._history)
        self._sampler.mark()
        self._start_s = self._piece_from_s = time.monotonic()
        self._slept_s = asleep_s()
        self._tally = Tally(self._sampler, self._start_s)
        # Last, so that nothing which fails leaves a recording behind that never ends.
        self._recording = self._recordings.begin(name, utc_now(), zone, pue)
        self._lay_beside(idle)
        self._thread.start()
        return self._begun()

    @property
    def has_begun(self) -> bool:
        """Whether it could be started."""
        return self._recording is not None

    @property
    def id(self) -> str:
        """The recording's identifier."""
        return self._begun().id

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start; up to the stop, after that."""
        return (self._end_s or time.monotonic()) - self._start_s

    def mark(self, name: str = "") -> Mark:
        """Mark this moment; it is stored with the next write."""
        made = Mark(self.elapsed_s, name.strip())
        self._sampler.mark()
        self._alter(lambda recording: replace(recording, marks=(*recording.marks, made)))
        return made

    def name_mark(self, number: int, name: str) -> None:
        """Give a mark another name.

        :param number: from 0, in the order of time
        """

        def rename(recording: Recording) -> Recording:
            marks = list(recording.marks)
            marks[number] = replace(marks[number], name=name.strip())
            return replace(recording, marks=tuple(marks))

        self._alter(rename)

    def rename(self, name: str) -> None:
        """Give the recording another name.

        :raises StoreError: if it cannot be stored
        """
        self._alter(lambda recording: replace(recording, name=name.strip()))
        self._recordings.rename(self._begun().id, name)

    def note(self, text: str) -> None:
        """Keep a note with the recording.

        :raises StoreError: if it cannot be stored
        """
        self._alter(lambda recording: replace(recording, note=text.strip()))
        self._recordings.note(self._begun().id, text)

    def now(self) -> Recording:
        """Return the recording up to what was read for certain."""
        with self._lock:
            until_s = self._read_until_s()
            return self._until(until_s, self._tally.bill(until_s))

    def recorded(self) -> Recorded:
        """Return the same with its curves."""
        with self._lock:
            recording = self.now()
            last = self._open_piece(recording, self._start_s + recording.duration_s)
            phases = self._phases(self._start_s + recording.duration_s)
            return recorded_of(recording, [*self._pieces, last], phases)

    def stop(self) -> Recording:
        """End the recording and store the last of it.

        :raises StoreError: if it cannot be stored: nothing is lost, and it can be called again
        """
        if self._end_s is None:
            self._end_s, self._ended_at = time.monotonic(), utc_now()
            self._stopping.set()
            if self._thread.ident is not None:
                self._thread.join()
            self._sampler.wait_until(self._end_s)
            self._lay_beside(fitting_idle(self._history))
        with self._lock:
            if zone := late_figure(self._history, datetime.fromisoformat(self._begun().started_at)):
                self._recordings.reckon_with(self.id, zone)
                self._alter(lambda recording: replace(recording, zone=zone))
            self._write(self._end_s, self._ended_at)
            self._alter(lambda recording: replace(recording, state=State.DONE))
            return self.now()

    # --- inside, on its own thread -------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(self._write_s):
            try:
                self._write(self._read_until_s())
            except StoreError as error:
                if not self.problem:
                    log.warning("A recording cannot be stored now: %s", error)
                self.problem = str(error)
            except Exception as error:  # none of ours is to end it: what is read is not lost yet
                if not self.problem:
                    log.exception("A recording cannot be stored now")
                self.problem = f"The recording cannot be stored now: {error}"

    def _write(self, until_s: float, ended_at: str | None = None) -> None:
        """Store what is new up to a moment, and begin a new piece when this one is full."""
        with self._lock:
            recording = self._until(until_s, self._tally.bill(until_s))
            self._drop_withdrawn()
            self._pieces.append(self._open_piece(recording, until_s))
            phases = self._phases(until_s)
            pieces = {
                number: encode_trace(StoredTrace(self._pieces[number], phases), 0.0)
                for number in range(self._stored, len(self._pieces))
            }
            is_full = ended_at is None and until_s - self._piece_from_s >= self._piece_s
            if is_full:
                self._close_piece(until_s)
            else:
                self._pieces.pop()
            baseline = recording.baseline
            idle = (baseline, recording.stale) if baseline else None
            self._recordings.write(
                recording.id,
                Progress(recording.duration_s, recording.bill, recording.marks, pieces, idle,
                         ended_at, recording.notes),
            )  # fmt: skip
            # One that was just closed has what comes after it until the next has that.
            self._stored = len(self._pieces) - is_full
            self.problem = ""

    def _drop_withdrawn(self) -> None:
        """Forget the curves of what was withdrawn, stored or not."""
        for key in self._sampler.trace.withdrawn & self._taken_until_s.keys():
            del self._taken_until_s[key]
            self._stored = 0
            for piece in self._pieces:
                piece.pop(key, None)

    def _open_piece(self, recording: Recording, until_s: float) -> dict[str, Curve]:
        """Return the curves since the last full piece, beginning with its last readings.

        :param recording: of what is billed; a source that has gone meanwhile has readings too, and
            a part that nobody reads has none
        """
        has_curve = {channel.key for channel in self._sampler.trace.channels()}
        for channel in recording.channels:
            if channel.key in has_curve:
                self._taken_until_s.setdefault(channel.key, self._start_s - OPENING_S)
        found = {}
        for key, from_s in self._taken_until_s.items():
            curve = self._sampler.trace.curve(key, from_s, until_s)
            found[key] = replace(curve, time_s=curve.time_s - self._start_s)
        self._note_sleep(found)
        return found

    def _phases(self, until_s: float) -> tuple[Phase, ...]:
        """Return what there was beside the curves up to a moment."""
        unread = unread_within(self._sampler.trace.unread(), self._start_s, until_s)
        return stored_phases(self._sleeps, unread)

    def _note_sleep(self, piece: Mapping[str, Curve]) -> None:
        """Note how long the machine has slept, and where: before the first reading after it."""
        read_s = max((float(c.time_s[-1]) for c in piece.values() if len(c.time_s)), default=0.0)
        slept_s = asleep_s() - self._slept_s
        if slept_s <= ASLEEP_S:
            self._looked_s = read_s
            return
        woken_s = [
            float(at_s)
            for curve in piece.values()
            for at_s in curve.time_s[curve.gap == Gap.ASLEEP]
            if at_s > self._looked_s  # what had been read before does not come after this sleep
        ]
        if woken_s:
            self._sleeps += (Sleep(min(woken_s) - JUST_BEFORE_S, slept_s),)
            self._slept_s, self._looked_s = self._slept_s + slept_s, read_s

    def _close_piece(self, until_s: float) -> None:
        self._piece_from_s = until_s
        last = self._pieces[-1]
        for key, curve in last.items():
            # The reading after may still change: the next piece has it.
            whole = int(np.searchsorted(curve.time_s, until_s - self._start_s, side="right"))
            if whole:
                last[key] = curve.first(whole)
                self._taken_until_s[key] = self._start_s + float(curve.time_s[whole - 1])

    def _read_until_s(self) -> float:
        return max(self._end_s or settled_s(self._sampler), self._start_s)

    def _until(self, until_s: float, bill: Bill) -> Recording:
        begun = self._begun()
        notes = notes_of(self._sampler, bill, self._start_s, until_s).with_earlier(begun.notes)
        self._alter(lambda recording: replace(recording, notes=notes))
        duration_s, ended_at = until_s - self._start_s, self._ended_at
        return replace(self._begun(), duration_s=duration_s, bill=bill, ended_at=ended_at)

    def _alter(self, change: Callable[[Recording], Recording]) -> None:
        """Change what is told of the recording; waits for no write."""
        with self._naming:
            self._recording = change(self._begun())

    def _begun(self) -> Recording:
        assert self._recording, "it was not started"
        return self._recording

    def _lay_beside(self, idle: Idle | None) -> None:
        """Compare the recording with an idle baseline; without one what it has had stays."""
        if idle:
            baseline, stale = idle
            self._alter(lambda recording: replace(recording, baseline=baseline, stale=stale))


def fitting_idle(history: History) -> Idle | None:
    """Return the idle baseline that fits best now, and why it is stale.

    :return: ``None`` if none was measured; nor does a recording want it if it cannot be read
    """
    try:
        return Baselines(history.store).fitting(present_conditions(), datetime.now(UTC))
    except sqlite3.Error as problem:
        log.warning("The idle baseline cannot be read: %s", problem)
        return None


def keep(history: History, recorded: Recorded, name: str = "") -> Recording:
    """Store what was not recorded as a recording: the last minutes, or a part of another.

    :raises StoreError: if it cannot be stored
    """
    recordings, found = Recordings(history.store), recorded.recording
    made = recordings.begin(name, found.started_at, found.zone, found.pue)
    phases = stored_phases(recorded.sleeps, recorded.unread)
    progress = Progress(
        found.duration_s,
        found.bill,
        found.marks,
        {0: encode_trace(StoredTrace(recorded.curves, phases), 0.0)},
        (found.baseline, found.stale) if found.baseline else None,
        recorded.moment(found.duration_s).isoformat(timespec="milliseconds"),
        found.notes,
    )
    recordings.write(made.id, progress)
    return recordings.get(made.id)


def lately(sampler: Sampler, history: History, seconds: float) -> Recorded:
    """Return what the trace remembers of the last seconds, as if it had been recorded.

    :raises CarbonError: if the zone a person chose cannot be read
    """
    end_s, trace, channels = settled_s(sampler), sampler.trace, sampler.channels()
    span = (end_s - seconds, end_s)
    found = billed_curves(trace, channels, [span], span)
    read = [curve.time_s for curve in found.values() if len(curve.time_s)]
    start_s = max(span[0], min((float(time_s[0]) for time_s in read), default=end_s))
    whole = {key: trace.curve(key, start_s - OPENING_S, end_s) for key in found}
    curves = {key: replace(curve, time_s=curve.time_s - start_s) for key, curve in whole.items()}
    baseline, stale = fitting_idle(history) or (None, ())
    sleeps = [
        Sleep(each.woken_s - start_s - JUST_BEFORE_S, each.length_s)
        for each in trace.suspends()
        if each.woken_s > start_s
    ]
    slept_s = sum(sleep.length_s for sleep in sleeps)
    began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - start_s + slept_s)
    bill = account(trace, channels, [Phase(WATCH, start_s, end_s)])
    recording = Recording(
        id="",
        name="",
        note="",
        started_at=began.isoformat(timespec="milliseconds"),
        duration_s=end_s - start_s,
        state=State.RUNNING,
        bill=bill,
        zone=chosen_zone(history),
        pue=chosen_pue(history),
        baseline=baseline,
        stale=stale,
        notes=notes_of(sampler, bill, start_s, end_s),
    )
    unread = unread_within(trace.unread(), start_s, end_s)
    return Recorded(recording, curves, tuple(sleeps), unread)
