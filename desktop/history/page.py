"""The history page: every query, newest first, and the one that is chosen in full."""

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSplitter,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.model import HistoryModel
from desktop.history.query_view import QueryView
from desktop.theme.palette import Theme
from desktop.theme.widgets import label
from monitor.store.curves import StoredTrace
from monitor.store.history import History
from monitor.store.records import QueryRecord


class HistoryPage(QWidget):
    """Table and detail side by side."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.model = HistoryModel(bridge, history, self)
        self.model.loaded.connect(self._on_loaded)
        self.view = QueryView(theme)
        self.view.setMinimumWidth(430)
        self._wanted: str | None = None
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self._table())
        splitter.addWidget(self.view)
        splitter.setChildrenCollapsible(False)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([600, 430])
        full = QWidget()
        row = QVBoxLayout(full)
        row.setContentsMargins(12, 12, 0, 0)
        row.addWidget(splitter)
        empty = label(
            self.tr(
                "Nothing is stored yet.\n\nEach answer on the chat page is kept here with its "
                "bill, its power curve and everything needed to have it again."
            ),
            "muted",
            wrap=True,
        )
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(full)
        self._stack.addWidget(empty)

    def _table(self) -> QTableView:
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setMinimumWidth(320)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(32)
        self.table.setAccessibleName(self.tr("Queries"))
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        for column, width in ((0, 96), (1, 140), (3, 84), (4, 76), (5, 62), (6, 80)):
            self.table.setColumnWidth(column, width)
        self.table.selectionModel().currentRowChanged.connect(self._on_chosen)
        return self.table

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.view.set_theme(theme)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the newest rows whenever the page comes up."""
        super().showEvent(event)
        self.model.refresh()

    def _on_loaded(self) -> None:
        has_rows = self.model.rowCount() > 0
        self._stack.setCurrentIndex(0 if has_rows else 1)
        if has_rows:
            self.table.selectRow(self.model.row_of(self._wanted) or 0)

    def _on_chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if not current.isValid():
            return
        query_id = self._wanted = self.model.row(current.row()).id
        self._bridge.read(
            lambda: (self._history.record(query_id), self._history.trace(query_id)), self._show
        )

    def _show(self, found: tuple[QueryRecord, StoredTrace | None]) -> None:
        if found[0].id == self._wanted:
            self.view.show_record(*found)
