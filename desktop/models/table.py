"""The table of the library: one model is chosen, a click on a header sorts."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from desktop.models.rows import KEYS, LibraryRows
from desktop.theme.palette import Theme
from monitor.models.overview import Entry

WIDTHS = {
    "quantisation": 96, "parameters": 92, "size": 76, "context": 76, "fit": 120, "token": 92,
    "speed": 64, "origin": 136,
}  # fmt: skip
MODEL_WIDTH = 170
DISPENSABLE = ("parameters", "context", "origin", "speed", "quantisation")
"""Columns that make room for the model where the table is narrow, the first of them first."""


class LibraryTable(QTableView):
    """Shows :class:`LibraryRows`; what was chosen stays so while rows come, go and are sorted."""

    chosen = Signal(object)
    """The entry that is chosen now, ``None`` if there is none."""
    load_wanted = Signal(object)
    """An entry that was double-clicked, or on which Enter was pressed."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = LibraryRows(theme, self)
        self._path: Path | None = None
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName(self.tr("Models on this machine"))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(32)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSortIndicator(0, Qt.SortOrder.AscendingOrder)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for key, width in WIDTHS.items():
            self.setColumnWidth(KEYS.index(key), width)
        self.setSortingEnabled(True)
        self.rows.modelReset.connect(self._select_again)
        self.selectionModel().currentRowChanged.connect(self._on_current)
        self.activated.connect(lambda index: self.load_wanted.emit(self.rows.entry(index.row())))

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.rows.set_theme(theme)
        self.viewport().update()

    def current(self) -> Entry | None:
        """Return the entry that is chosen."""
        index = self.currentIndex()
        return self.rows.entry(index.row()) if index.isValid() else None

    def _select_again(self) -> None:
        if not self.rows.rowCount():
            self.chosen.emit(None)
            return
        row = self.rows.row_of(self._path)
        self.selectRow(row or 0)

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            entry = self.rows.entry(current.row())
            self._path = entry.model.path
            self.chosen.emit(entry)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as many columns as leave the model legible."""
        super().resizeEvent(event)
        room = self.viewport().width() - MODEL_WIDTH - sum(WIDTHS.values())
        for key in DISPENSABLE:
            self.setColumnHidden(KEYS.index(key), room < 0)
            room += WIDTHS[key] if room < 0 else 0
