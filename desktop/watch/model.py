"""What the Monitor page works on: the running recording, those that are kept, and one of them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.services import Services
from desktop.watch.outline import Outline, outlines_of
from monitor.carbon.intensity import CarbonError
from monitor.problem import Problem
from monitor.recorded import Cost, Mark, Recorded, Recording, Span, State, spans
from monitor.recorder import Recorder, keep, lately
from monitor.recording_forms import write_recording
from monitor.store import errors
from monitor.store.database import StoreError
from monitor.store.identifiers import utc_now
from monitor.store.recordings import Recordings

log = logging.getLogger(__name__)

FOLLOW_MS = 1000
"""So often the figures of the running recording are brought up to date."""

LATELY_S = 600.0
"""What is shown while nothing is recorded and nothing opened: the last ten minutes."""

LATELY, RUNNING = "", "running"
"""Stand for an identifier: of the last minutes, and of the recording that goes on."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A recording to be drawn.

    :param name: its identifier, :data:`LATELY` or :data:`RUNNING`
    :param outlines: its curves as they are drawn
    :param parts: what each part between two marks cost
    """

    name: str
    recorded: Recorded
    outlines: tuple[Outline, ...]
    parts: tuple[tuple[Span, Cost], ...]


class WatchModel(QObject):
    """Records, and reads what was recorded, beside the window's thread."""

    changed = Signal()
    """A recording began or ended."""
    progressed = Signal(object)
    """The running :class:`Recording` up to now."""
    listed = Signal(object)
    """The recordings that are kept, the newest first."""
    opened = Signal(object)
    """A :class:`Shown`, anew each time it has changed."""
    priced = Signal(object)
    """The :class:`Cost` of the span asked for last."""
    deleted = Signal(object)
    """A recording that was deleted and can be restored."""
    said = Signal(str)

    def __init__(self, bridge: Bridge, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._services = bridge, services
        self._recordings = Recordings(services.history.store)
        self._recorder: Recorder | None = None
        self._beginning: Recorder | None = None
        self._is_changing = self._is_reading = self._is_pricing = False
        self._price_number = 0
        self._wanted = LATELY
        self._span: tuple[Recorded, float, float] | None = None
        self._told = ""
        self._marked = 0
        self._timer = QTimer(self, interval=FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        bridge.read_failed.connect(self._on_read_failed)

    # --- the recording that goes on ------------------------------------------------------

    @property
    def is_recording(self) -> bool:
        """Whether a recording goes on; one that could not be stored yet does as well."""
        return self._recorder is not None

    @property
    def is_changing(self) -> bool:
        """Whether a recording is just about to begin or end."""
        return self._is_changing

    @property
    def elapsed_s(self) -> float:
        """Seconds since the running recording began; 0 if there is none."""
        return self._recorder.elapsed_s if self._recorder else 0.0

    def start(self, name: str = "") -> None:
        """Begin to record, unless that is so already."""
        if self._recorder or self._is_changing:
            return
        recorder = Recorder(self._services.sampler, self._services.history)
        self._beginning = recorder
        self._set_changing(True)
        self._bridge.change(lambda: self._problem(partial(recorder.start, name)),
                            lambda problem: self._began(recorder, problem))  # fmt: skip

    def _began(self, recorder: Recorder, problem: str) -> None:
        self._is_changing, self._beginning = False, None
        if problem:
            self.said.emit(problem)
        else:
            self._recorder, self._told, self._marked = recorder, "", 0
            self._timer.start()
            self.open(RUNNING)
            self.list()
        self.changed.emit()

    def mark(self, name: str = "") -> Mark | None:
        """Mark this moment of the running recording; ``None`` if there is none."""
        if self._recorder is None or self._is_changing:
            return None
        mark = self._recorder.mark(name)
        self._marked += 1
        self.refresh()
        return mark

    def name_last_mark(self, name: str) -> None:
        """Give the last mark of the running recording a name, if there is one."""
        if self._recorder and self._marked:
            self._recorder.name_mark(self._marked - 1, name)
            self.refresh()

    def stop(self) -> None:
        """End the running recording and keep it."""
        recorder = self._recorder
        if recorder is None or self._is_changing:
            return
        self._set_changing(True)
        self._bridge.change(lambda: self._problem(recorder.stop), self._ended)

    def _ended(self, problem: str) -> None:
        self._is_changing = False
        if problem:
            kept = self.tr("Nothing is lost yet: the recording is kept in memory. Press Stop again "
                           "when it can be written.")  # fmt: skip
            self.said.emit(f"{problem} {kept}")
        elif self._recorder:
            ended = self._recorder.id
            self._recorder = None
            self._timer.stop()
            self.list()
            if self._wanted == RUNNING:
                self.open(ended)
        self.changed.emit()

    def close(self) -> None:
        """Keep what is being recorded, as the window closes; the bridge waits for it."""
        self._timer.stop()
        if recorder := self._recorder or self._beginning:
            # After its start, if that is still to come.
            self._bridge.change(partial(self._end, recorder))

    def _set_changing(self, changing: bool) -> None:
        self._is_changing = changing
        self.changed.emit()

    def _follow(self) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        if recorder.problem != self._told:
            self._told = recorder.problem
            if recorder.problem:
                kept = self.tr("The recording goes on in memory, and is stored once that works.")
                self.said.emit(f"{recorder.problem} {kept}")
        self._bridge.read(recorder.now, self.progressed.emit)

    # --- what is shown -------------------------------------------------------------------

    def list(self) -> None:
        """Read what is kept; :attr:`listed` follows."""
        self._bridge.read(self._recordings.listed, self.listed.emit)

    def open(self, name: str) -> None:
        """Read a recording with its curves; :attr:`opened` follows.

        :param name: its identifier, :data:`LATELY` or :data:`RUNNING`
        """
        self._wanted = name
        self._is_reading = False  # what is being read is of another, and will not be shown
        self.refresh()

    @property
    def wanted(self) -> str:
        """What was asked for last; see :meth:`open`."""
        return self._wanted

    def refresh(self) -> None:
        """Read it again, unless it is being read."""
        if self._is_reading:
            return
        name, recorder = self._wanted, self._recorder
        self._is_reading = True
        self._bridge.read(lambda: _told(partial(self._load, name, recorder)),
                          partial(self._show, name))  # fmt: skip

    def _load(self, name: str, recorder: Recorder | None) -> Shown:
        if name == RUNNING and recorder:
            recorded = recorder.recorded()
        elif name in (LATELY, RUNNING):
            recorded = lately(self._services.sampler, self._services.history, LATELY_S)
        else:
            recorded = self._recordings.load(name)
        parts = [(span, recorded.cost(span.start_s, span.end_s))
                 for span in spans(recorded.recording)]  # fmt: skip
        return Shown(name, recorded, outlines_of(recorded), tuple(parts))

    def _show(self, name: str, found: Shown | str) -> None:
        if name != self._wanted:
            return
        self._is_reading = False
        if isinstance(found, str):
            self.said.emit(found)
        else:
            self.opened.emit(found)

    def price(self, recorded: Recorded, start_s: float, end_s: float) -> None:
        """Reckon what a span costs; :attr:`priced` follows, for the span asked for last."""
        self._span = (recorded, start_s, end_s)
        if not self._is_pricing:
            self._price()

    def _price(self) -> None:
        if self._span is None:
            return
        recorded, start_s, end_s = self._span
        self._span, self._is_pricing = None, True
        self._price_number += 1
        self._bridge.read(lambda: recorded.cost(start_s, end_s),
                          partial(self._on_priced, self._price_number))  # fmt: skip

    def _on_priced(self, number: int, cost: Cost) -> None:
        if number != self._price_number:
            return  # of an earlier span, which was not waited for: see _on_read_failed
        self._is_pricing = False
        if self._span is None:
            self.priced.emit(cost)
        else:
            self._price()

    def _on_read_failed(self, _problem: str) -> None:
        """Wait for no answer any more, as one will not come; whose it was is not told."""
        self._is_reading = self._is_pricing = False
        self._price()

    # --- what a person changes -----------------------------------------------------------

    def keep(self, recorded: Recorded, start_s: float, end_s: float) -> None:
        """Keep a span of what is shown as a recording of its own, and show it."""
        history = self._services.history

        def attempt() -> Recording | str:
            try:
                return keep(history, recorded.part(start_s, end_s))
            except StoreError as problem:
                return str(problem)

        self._bridge.change(attempt, self._on_kept)

    def _on_kept(self, kept: Recording | str) -> None:
        if isinstance(kept, str):
            self.said.emit(kept)
        else:
            self.list()
            self.open(kept.id)

    def rename(self, recording: Recording, name: str) -> None:
        """Give a recording another name."""
        running = self._running(recording)
        rename = running.rename if running else partial(self._recordings.rename, recording.id)
        self._change(partial(rename, name))

    def note(self, recording: Recording, text: str) -> None:
        """Keep a note with a recording."""
        running = self._running(recording)
        note = running.note if running else partial(self._recordings.note, recording.id)
        self._change(partial(note, text))

    def name_mark(self, recording: Recording, number: int, name: str) -> None:
        """Give a mark another name.

        :param number: from 0, in the order of time
        """
        if running := self._running(recording):
            running.name_mark(number, name)
            self.refresh()
            return
        marks = list(recording.marks)
        marks[number] = Mark(marks[number].at_s, name.strip())
        self._change(partial(self._recordings.set_marks, recording.id, marks))

    def delete(self, recording: Recording) -> None:
        """Delete a recording; :attr:`deleted` follows."""
        if recording.state is State.RUNNING:  # here, or by another program
            self.said.emit(self.tr("It is still being recorded: stop it, then delete it."))
            return

        def attempt() -> str:
            return self._problem(partial(self._recordings.delete, recording.id, utc_now()))

        self._bridge.change(attempt, partial(self._on_deleted, recording))

    def _on_deleted(self, recording: Recording, problem: str) -> None:
        if problem:
            self.said.emit(problem)
            return
        if self._wanted == recording.id:
            self.open(RUNNING if self._recorder else LATELY)
        self.list()
        self.deleted.emit(recording)

    def restore(self, recording: Recording) -> None:
        """Bring a deleted recording back."""
        self._change(partial(self._recordings.restore, recording.id))
        self.open(recording.id)

    def export(self, recording: Recording, path: Path) -> None:
        """Write a recording to a file: bills where it ends in .json, else its curve as CSV."""

        def write() -> str:
            recorded = self._recordings.load(recording.id)
            return self._problem(partial(write_recording, recorded, path, force=True))

        done = self.tr("Written: %1").replace("%1", str(path))
        self._bridge.work(write, lambda problem: self.said.emit(problem or done))

    def _running(self, recording: Recording) -> Recorder | None:
        """The recorder, if it is this recording that goes on."""
        recorder = self._recorder
        return recorder if recorder and recorder.id == recording.id else None

    def _change(self, change: Callable[[], object]) -> None:
        def done(problem: str) -> None:
            if problem:
                self.said.emit(problem)
            self.list()
            self.refresh()

        self._bridge.change(lambda: self._problem(change), done)

    def _end(self, recorder: Recorder) -> None:
        """End a recording of which nobody can be told any more."""
        if recorder.has_begun and (problem := self._problem(recorder.stop)):
            log.warning("The last seconds of a recording could not be stored: %s", problem)

    def _problem(self, attempt: Callable[[], object]) -> str:
        """Do something; return why it could not be done, "" if it was.

        Whatever it fails by is returned: the buttons wait for the answer.
        """
        try:
            attempt()
        except Exception as problem:
            if not isinstance(problem, Problem):
                log.exception("What a person asked of a recording failed")
            return errors.told(self._bridge.history_path, problem)
        return ""


def _told(read: Callable[[], Shown]) -> Shown | str:
    """Read something, or say why it cannot be."""
    try:
        return read()
    except KeyError as problem:
        return str(problem.args[0])
    except (ValueError, StoreError, CarbonError) as problem:
        return str(problem)
