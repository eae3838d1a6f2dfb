"""The table of the leaderboard: a click on a header ranks by that column."""

from PySide6.QtCore import QItemSelectionModel, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from desktop.compare.cells import HEIGHT, Cell, CellDelegate, width_of
from desktop.compare.choice import EFFICIENCY, Grouping
from desktop.compare.rows import KEYS, MODEL, RANK, Heading, LeaderboardRows
from desktop.compare.standing import Standing
from desktop.theme.palette import Theme
from monitor.compare.ranks import Ranked

WIDTHS = {
    RANK: 72, "score": 132, "energy": 132, "token": 92, "wh": 84, "correct": 92, "grams": 108,
    "speed": 76, "size": 72, "memory": 76, "training": 84,
    EFFICIENCY: 82,
}  # fmt: skip
MODEL_WIDTH = 190
WITH_ENDS = ("token", "wh", "correct", "grams")
"""Columns with an interval in figures, which may need more than their width."""

DISPENSABLE = ("training", "memory", "wh", "size", "grams", EFFICIENCY, "correct", "speed", "token")
"""Columns that make room for the model where the table is narrow, the first of them first."""

HEADING_HEIGHT = 28


class LeaderboardTable(QTableView):
    """Shows :class:`LeaderboardRows`."""

    sort_wanted = Signal(str)
    """Key of a column that was clicked."""
    rows_chosen = Signal(object)
    """Places in the board of the selected rows, in the order in which they are shown."""
    fitted = Signal()
    """Columns were shown or hidden, as there is room."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = LeaderboardRows(self)
        self._delegate = CellDelegate(theme)
        self.setModel(self.rows)
        self.setItemDelegate(self._delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(HEIGHT)
        self.setAccessibleName(self.tr("Leaderboard"))
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(KEYS.index(MODEL), QHeaderView.ResizeMode.Stretch)
        for key, width in WIDTHS.items():
            self.setColumnWidth(KEYS.index(key), width)
        header.sectionClicked.connect(self._on_header)
        self.selectionModel().selectionChanged.connect(
            lambda: self.rows_chosen.emit(self.selected_rows())
        )
        self._sort = "score"
        self._widths = dict(WIDTHS)
        self.standing: Standing | None = None

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._delegate.set_theme(theme)
        self.viewport().update()

    def show_standing(
        self, standing: Standing | None, grouping: Grouping, is_reversed: bool, sort: str
    ) -> None:
        """Show other rows; what was selected stays so, as far as it is still there."""
        selected, is_other = self.selected_ids(), sort != self._sort
        height = 0 if is_other else self.verticalScrollBar().value()
        self._sort = sort
        self.clearSpans()
        self.rows.show_standing(standing, grouping, is_reversed)
        for at, row in enumerate(self.rows.rows):
            is_heading = isinstance(row, Heading)
            self.setRowHeight(at, HEADING_HEIGHT if is_heading else HEIGHT)
            if is_heading:
                self.setSpan(at, 0, 1, len(KEYS))
        self._widths |= {key: self._needed(key) for key in WITH_ENDS}
        self._fit()
        self.standing = standing
        if standing:
            ids = [entry.id for entry in standing.entries]
            self.select_rows([ids.index(each) for each in selected if each in ids])
        self.verticalScrollBar().setValue(height)

    # --- selecting -----------------------------------------------------------------------

    def selected_rows(self) -> list[int]:
        """Return the places in the board of the selected rows, from the top."""
        indices = sorted(index.row() for index in self.selectionModel().selectedRows())
        found = [self.rows.rows[index] for index in indices]
        return [row.row for row in found if isinstance(row, Ranked)]

    def selected_ids(self) -> list[str]:
        """Return the identifiers of the selected entries."""
        if self.standing is None:
            return []
        return [self.standing.entries[row].id for row in self.selected_rows()]

    def select_rows(self, rows: list[int]) -> None:
        """Select rows of the board and no others."""
        flags = QItemSelectionModel.SelectionFlag
        self.clearSelection()
        for row in rows:
            at = self.rows.place_of(row)
            if at is not None:
                index = self.rows.index(at, KEYS.index(MODEL))
                self.selectionModel().select(index, flags.Select | flags.Rows)
                self.selectionModel().setCurrentIndex(index, flags.NoUpdate)

    def _on_header(self, section: int) -> None:
        if KEYS[section] not in (RANK, MODEL):
            self.sort_wanted.emit(KEYS[section])

    # --- room ----------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many columns as leave the model legible."""
        super().resizeEvent(event)
        self._fit()

    def _needed(self, key: str) -> int:
        """Return the width at which no interval of a column is cut."""
        ranked = [at for at, row in enumerate(self.rows.rows) if isinstance(row, Ranked)]
        cells = [self.rows.cell(at, key) for at in ranked]
        # Digits are of one width: the longest is the widest, and measuring all takes too long.
        longest = max(cells, key=lambda cell: len(cell.note), default=Cell(""))
        return max(WIDTHS[key], width_of(longest, self.font()))

    def _fit(self) -> None:
        room = self.viewport().width() - MODEL_WIDTH - sum(self._widths.values())
        for key in DISPENSABLE:
            is_hidden = room < 0 and key != self._sort
            self.setColumnHidden(KEYS.index(key), is_hidden)
            room += self._widths[key] if is_hidden else 0
        for key in WITH_ENDS:
            self.setColumnWidth(KEYS.index(key), self._widths[key])
        self.fitted.emit()

    def shown_keys(self) -> list[str]:
        """Return the columns there is room for."""
        return [key for at, key in enumerate(KEYS) if not self.isColumnHidden(at)]
