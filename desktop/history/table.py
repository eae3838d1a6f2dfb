"""The table of queries: several can be selected, the current one is shown in full."""

from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from desktop.history.model import HistoryModel
from monitor.store.records import QueryRow

NAMED_WIDTHS = {0: 104, 1: 132}
WIDEST = {3: "≥ ● 88.8 mWh", 4: "≥ 88.8 mg", 5: "88888", 6: "≥ ● 0.00888 J", 7: "8888 t/s"}
"""Columns of figures are as wide as one of these, the widest there are, so that none is cut."""

CELL_PADDING = 20
MODEL, PROMPT, PROMPT_WIDTH = 1, 2, 130
DISPENSABLE = (7, 4, 5, 6)
"""Columns that make room for the prompt where the table is narrow, the first of them first."""


class _MiddleElided(QStyledItemDelegate):
    """Cuts a text in its middle: a model's name ends with its quantisation."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Any) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class QueryTable(QTableView):
    """Shows a :class:`HistoryModel`."""

    chosen = Signal(object)
    """The row that is to be shown in full."""
    selected = Signal(object)
    """All selected rows."""
    fitted = Signal()
    """Columns were shown or hidden, as there is room."""

    def __init__(self, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setMinimumWidth(320)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(32)
        self.setAccessibleName(self.tr("Queries"))
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        # Nothing is ever selected in the header's own: of the table's it would ask, whenever it is
        # drawn, for each column whether it is selected in every single row.
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setSectionResizeMode(PROMPT, QHeaderView.ResizeMode.Stretch)
        self.ensurePolished()  # its font is the style's from here on
        self._widths = NAMED_WIDTHS | {at: self._width_of(at, text) for at, text in WIDEST.items()}
        for column, width in self._widths.items():
            self.setColumnWidth(column, width)
        self.setItemDelegateForColumn(MODEL, _MiddleElided(self))
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.selectionModel().selectionChanged.connect(
            lambda: self.selected.emit(self.rows_selected())
        )
        model.modelAboutToBeReset.connect(self._remember)
        self._selected_before: list[int] = []

    def _width_of(self, column: int, widest: str) -> int:
        title = self._model.headerData(column, Qt.Orientation.Horizontal)
        measured = self.fontMetrics().horizontalAdvance
        return max(measured(widest), measured(title)) + CELL_PADDING

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many columns as leave the prompt legible."""
        super().resizeEvent(event)
        room = self.viewport().width() - PROMPT_WIDTH - sum(self._widths.values())
        for column in DISPENSABLE:
            self.setColumnHidden(column, room < 0)
            room += self._widths[column] if room < 0 else 0
        self.fitted.emit()

    def hidden_titles(self) -> list[str]:
        """Return the titles of the columns there is no room for."""
        columns = [column for column in sorted(self._widths) if self.isColumnHidden(column)]
        return [str(self._model.headerData(at, Qt.Orientation.Horizontal)) for at in columns]

    def rows_selected(self) -> list[QueryRow]:
        """Return the selected rows from the top."""
        # By blocks: an index for each of some thousand rows takes a tenth of a second.
        blocks = self.selectionModel().selection().toList()
        places = {at for block in blocks for at in range(block.top(), block.bottom() + 1)}
        return [self._model.row(place) for place in sorted(places)]

    def select_again(self, current: int | None) -> None:
        """Select after a reset what was selected before, as far as it is still there.

        :param current: number of the query that is to be the current one; else the newest is
        """
        if not self._model.rowCount():
            self.selected.emit([])
            return
        row = self._model.row_of(current) or 0
        self.selectRow(row)
        if len(self._selected_before) > 1 and current in self._selected_before:
            flags, again = QItemSelectionModel.SelectionFlag, QItemSelection()
            before = set(self._selected_before)
            for place in range(self._model.rowCount()):
                if self._model.row(place).number in before:
                    index = self._model.index(place, 0)
                    again.select(index, index)
            self.selectionModel().select(again, flags.Select | flags.Rows)

    def _remember(self) -> None:
        self._selected_before = [row.number for row in self.rows_selected()]

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(self._model.row(current.row()))
