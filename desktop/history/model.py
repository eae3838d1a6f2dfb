"""The table of queries, read a page at a time as it is scrolled."""

import html
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal

from desktop.bridge import Bridge
from desktop.theme.bill import full_time, kind_words, status_words, when_words
from monitor import figures
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.records import QueryRow, Status

PAGE = 200

NOWHERE = QModelIndex()


class HistoryModel(QAbstractTableModel):
    """The newest queries first. Rows are read beside the window's thread."""

    loaded = Signal()
    """Rows have arrived, or it is known that there are none."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._rows: list[QueryRow] = []
        self._complete, self._reading = False, False
        self._filter, self._asked = EVERYTHING, 0
        bridge.read_failed.connect(self._on_failed)
        self._headers = (
            self.tr("When"),
            self.tr("Model"),
            self.tr("Prompt"),
            self.tr("Energy"),
            self.tr("CO₂e"),
            self.tr("Tokens"),
            self.tr("J/token"),
            self.tr("Speed"),
        )

    def show_queries(self, chosen: Filter) -> None:
        """Show the queries a filter lets through."""
        self._filter = chosen
        self.refresh()

    def refresh(self) -> None:
        """Read the newest rows again."""
        self._reading = True
        self._asked += 1
        asked, chosen = self._asked, self._filter

        def read() -> list[QueryRow] | None:
            # A person types faster than some searches end: only the last one is worth its time.
            return self._history.browse.rows(chosen, PAGE) if asked == self._asked else None

        self._bridge.read(read, self._replace)

    def _on_failed(self, _problem: str) -> None:
        self._reading = False

    def _replace(self, rows: list[QueryRow] | None) -> None:
        if rows is None:
            return
        self.beginResetModel()
        self._rows, self._complete, self._reading = rows, len(rows) < PAGE, False
        self.endResetModel()
        self.loaded.emit()

    def row_of(self, number: int | None) -> int | None:
        """Return where a query stands among the rows read so far."""
        return next((i for i, row in enumerate(self._rows) if row.number == number), None)

    def row(self, index: int) -> QueryRow:
        """Return the query in a row."""
        return self._rows[index]

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:  # type: ignore[override]
        """Rows read so far."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:  # type: ignore[override]
        """Columns."""
        return 0 if parent.isValid() else len(self._headers)

    def canFetchMore(self, _parent: QModelIndex) -> bool:  # type: ignore[override]
        """Whether older queries are still to be read."""
        return not self._complete and not self._reading and bool(self._rows)

    def fetchMore(self, _parent: QModelIndex) -> None:  # type: ignore[override]
        """Read the next page of older queries."""
        self._reading = True
        oldest, chosen = self._rows[-1].number, self._filter
        browse = self._history.browse
        self._bridge.read(lambda: (oldest, browse.rows(chosen, PAGE, oldest)), self._append)

    def _append(self, page: tuple[int, list[QueryRow]]) -> None:
        oldest, rows = page
        self._reading = False
        if not self._rows or self._rows[-1].number != oldest:
            return
        self._complete = len(rows) < PAGE
        if rows:
            first = len(self._rows)
            self.beginInsertRows(NOWHERE, first, first + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Column titles."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headers[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Texts, their alignment, and what a tooltip adds."""
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, index.column())
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        return None

    def _text(self, row: QueryRow, column: int) -> str:
        match column:
            case 0:
                return when_words(row.started_at)
            case 1:
                return f"{row.model} {row.quantisation}"
            case 2:
                marks = [f"#{tag}" for tag in row.tags]
                if row.status is not Status.DONE:
                    marks.insert(0, f"[{status_words(row.status)}]")
                if row.beside:
                    marks.insert(0, self.tr("[busy]"))
                if row.throttled:
                    marks.insert(0, self.tr("[throttled]"))
                return " ".join([*marks, *row.prompt.split()])
            case 3:
                energy = figures.marked(row.energy_kind, figures.energy(row.energy_j))
                return figures.at_least(energy, row.partly_read)
            case 4:
                return figures.at_least(figures.mass(row.grams), row.partly_read)
            case 5:
                return str(row.completion_tokens)
            case 6:
                per_token = figures.joules(row.joules_per_token)
                return figures.at_least(figures.marked(row.energy_kind, per_token), row.partly_read)
            case _:
                seconds = row.decode_s
                return figures.rate(
                    row.completion_tokens / seconds if seconds and row.completion_tokens else None
                )

    def _tip(self, row: QueryRow, column: int) -> str | None:
        if column == 0:
            return full_time(row.started_at)
        low_j, high_j = row.energy_low_j, row.energy_high_j
        unread = ""
        if row.partly_read and row.energy_j is not None:
            unread = self.tr("≥ Not every part was read: it was at least this.")
        if column == 3 and row.energy_j is not None and low_j is not None and high_j is not None:
            bounds = figures.energy_span(low_j, high_j, row.energy_j)
            return "\n".join(filter(None, (bounds, kind_words(row.energy_kind), unread)))
        if column in (4, 6):
            return unread or None
        if column != 2:
            return None
        note = self.tr("Note: %1").replace("%1", row.note) if row.note else ""
        busy = self.tr("[busy] Others computed as well: a part of its joules is theirs.")
        told = (row.prompt[:2000], note, busy if row.beside else "")
        return "<br>".join(map(html.escape, filter(None, told)))


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column >= 3 else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
