"""What the compare page knows, read and reckoned beside the window's thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.compare.choice import PREFERENCE, Choice, View
from desktop.compare.standing import Alike, Found, Standing, newest_alike, read_board, reckon
from monitor.compare.cascade import Cascade, cascades
from monitor.compare.entries import Entry
from monitor.compare.exams import Paper
from monitor.compare.side_by_side import CannotCompare, Side, lay_side_by_side
from monitor.store.curves import StoredTrace
from monitor.store.history import History

KEEP_MS = 600
"""A choice is stored when nothing more was chosen for so long."""


@dataclass(frozen=True, slots=True)
class Laid:
    """Queries side by side, each with its power curve if one is kept.

    :param entries: the rows of which they are runs; none where queries were named
    :param tests: what these rows may be compared by, by name
    :param test: which of them these are runs of
    """

    sides: tuple[Side, ...]
    traces: tuple[StoredTrace | None, ...]
    entries: tuple[Entry, ...] = ()
    tests: Mapping[Paper, str] = field(default_factory=dict)
    test: Paper | None = None


class CompareModel(QObject):
    """A :class:`Choice` and what came of it. What was asked before the last is dropped."""

    chosen = Signal()
    """The choice is another; what it asks for may still have to be read."""
    found = Signal()
    """:attr:`tests` and :attr:`standing` were read."""
    reckoned = Signal()
    """:attr:`standing` is another."""
    simulated = Signal()
    """:attr:`cascades` are another; ``None`` while they are reckoned or not wanted."""
    laid = Signal(object)
    """A :class:`Laid`."""
    refused = Signal(str)
    """Something could not be compared; the text says why."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.choice = self._kept = Choice()
        self.tests: Found | None = None
        self.standing: Standing | None = None
        self.cascades: tuple[Cascade, ...] | None = None
        self.wants_cascades = False
        self._is_restored = self._is_reading = False
        self._read_number = self._reckon_number = self._lay_number = 0
        self._keeping = QTimer(self, singleShot=True, interval=KEEP_MS)
        self._keeping.timeout.connect(self.keep)
        bridge.read_failed.connect(self._on_failed)

    # --- choosing ------------------------------------------------------------------------

    def choose(self, **changes: Any) -> None:
        """Choose otherwise, in the fields of a :class:`Choice` that are named."""
        before, self.choice = self.choice, replace(self.choice, **changes)
        if self.choice == before:
            return
        self._keeping.start()
        self.chosen.emit()
        if (self.choice.exam, self.choice.machine) != (before.exam, before.machine):
            self.refresh()
        elif _reckoned_by(self.choice) != _reckoned_by(before):
            self._reckon()

    def keep(self) -> None:
        """Store the choice, if it was not stored yet."""
        if self._is_restored and self.choice != self._kept:
            self._kept = self.choice
            kept = self.choice.to_json()
            self._bridge.change(lambda: self._history.set_preference(PREFERENCE, kept))

    # --- reading -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read again what is chosen."""
        self._read_number += 1
        self._is_reading = True
        number, choice, restores = self._read_number, self.choice, not self._is_restored

        def read() -> tuple[Choice, Found, Standing | None] | None:
            if number != self._read_number:
                return None
            kept = self._history.preference(PREFERENCE) if restores else None
            wanted = Choice.from_json(kept) if restores else choice
            wanted, found = read_board(self._history, wanted)
            return wanted, found, reckon(found.board, wanted) if found.board else None

        def show(answer: tuple[Choice, Found, Standing | None] | None) -> None:
            if answer and number == self._read_number:
                self._on_found(*answer)

        self._bridge.read(read, show)

    def _on_found(self, wanted: Choice, tests: Found, standing: Standing | None) -> None:
        self.tests, self._is_reading = tests, False
        # Meanwhile something else may have been chosen: another view, or more if it was there.
        if self._is_restored:
            self.choice = replace(self.choice, exam=wanted.exam, machine=wanted.machine)
        else:
            self._kept = wanted
            is_here = self.choice.view is View.BOARD
            self.choice = wanted if is_here else replace(wanted, view=self.choice.view)
        self._is_restored = True
        self.chosen.emit()
        self.found.emit()
        self._show(standing)
        if _reckoned_by(self.choice) != _reckoned_by(wanted):
            self._reckon()

    def _on_failed(self, _problem: str) -> None:
        self._is_reading = False

    def _reckon(self) -> None:
        """Rank again what was read; a slider is moved faster than that, so only the last counts."""
        if self._is_reading or not self.tests or not self.tests.board:
            return
        self._reckon_number += 1
        number, read_number = self._reckon_number, self._read_number
        board, choice = self.tests.board, self.choice

        def is_late() -> bool:
            return (number, read_number) != (self._reckon_number, self._read_number)

        def show(standing: Standing | None) -> None:
            if standing and not is_late():
                self._show(standing)

        self._bridge.read(lambda: None if is_late() else reckon(board, choice), show)

    def _show(self, standing: Standing | None) -> None:
        is_other = _keys(self.standing) != _keys(standing)
        self.standing = standing
        if is_other:
            self._simulate()
        self.reckoned.emit()

    # --- simulated routing ---------------------------------------------------------------

    def want_cascades(self, wanted: bool) -> None:
        """Reckon what routing between two models would have come to, or forget it."""
        self.wants_cascades = wanted
        self._simulate()

    def _simulate(self) -> None:
        self.cascades = None
        self.simulated.emit()
        standing = self.standing
        if not self.wants_cascades or standing is None:
            return

        def work() -> tuple[Cascade, ...] | None:
            is_wanted = self.wants_cascades and _is_of(self.standing, standing)
            return tuple(cascades(self._history, standing.board)) if is_wanted else None

        def show(found: tuple[Cascade, ...] | None) -> None:
            if found is not None and self.wants_cascades and _is_of(self.standing, standing):
                self.cascades = found
                self.simulated.emit()

        self._bridge.work(work, show)

    # --- side by side --------------------------------------------------------------------

    def lay_rows(self, rows: Sequence[int]) -> None:
        """Lay the newest runs of some rows side by side."""
        if self.standing:
            self.lay_entries([self.standing.entries[row] for row in rows])

    def lay_entries(self, entries: Sequence[Entry], test: Paper | None = None) -> None:
        """Lay the newest runs of some rows side by side.

        :param test: what they are runs of, of a suite's tests; the last of them unless given
        """
        self._lay(lambda: newest_alike(self._history, entries, test), tuple(entries))

    def lay_ids(self, ids: Sequence[str]) -> None:
        """Lay queries side by side; :attr:`laid` follows, or :attr:`refused`."""
        self._lay(lambda: Alike(tuple(ids), {}, None))

    def _lay(self, find: Callable[[], Alike], entries: tuple[Entry, ...] = ()) -> None:
        self._lay_number += 1
        number = self._lay_number

        def read() -> Laid | str:
            try:
                found = find()
                sides = lay_side_by_side(self._history, found.ids)
            except CannotCompare as problem:
                return str(problem)
            except KeyError as problem:
                return str(problem.args[0])
            traces = tuple(self._history.trace(side.record.id) for side in sides)
            return Laid(sides, traces, entries, found.tests, found.test)

        def show(found: Laid | str) -> None:
            if isinstance(found, str):
                self.refused.emit(found)
            elif number == self._lay_number:
                self.laid.emit(found)

        self._bridge.read(read, show)


def _reckoned_by(choice: Choice) -> tuple[object, ...]:
    return (choice.hidden, choice.sort, dict(choice.weights), choice.points)


def _keys(standing: Standing | None) -> tuple[object, ...] | None:
    """Name what simulated routing rests on."""
    if standing is None:
        return None
    return (standing.board.exam.key, *((each.id, each.run_ids) for each in standing.entries))


def _is_of(now: Standing | None, then: Standing) -> bool:
    return _keys(now) == _keys(then)
