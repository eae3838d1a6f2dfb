"""The benchmarks that were run before."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.bench.model import BenchModel
from desktop.theme.bill import full_time, status_words, when_words
from desktop.theme.widgets import label, named
from monitor.bench.sentences import gist
from monitor.bench.summary import SuiteResult
from monitor.store.records import Status

LEFT = (Status.STOPPED, Status.FAILED, Status.INTERRUPTED)
"""A suite so ended can be gone on with."""


class EarlierList(QFrame):
    """A table of stored suites; a double click, Enter or the button opens one."""

    opened = Signal(str)

    def __init__(self, model: BenchModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "card")
        self._model = model
        self._results: list[SuiteResult] = []
        self.table = QTableWidget(0, 5)
        headers = (self.tr("When"), self.tr("Benchmark"), self.tr("Models"), self.tr("State"))
        self.table.setHorizontalHeaderLabels([*headers, self.tr("Result")])
        self.table.setAccessibleName(self.tr("Earlier benchmarks"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setMinimumHeight(110)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate((110, 110, 220, 90)):
            self.table.setColumnWidth(column, width)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.itemSelectionChanged.connect(self._update_buttons)
        self.table.itemActivated.connect(lambda _item: self._open())
        self._empty = label(
            self.tr(
                "Nothing was run yet. “Quick” takes a minute or two with a small model and shows "
                "what a right answer costs."
            ),
            "muted",
            wrap=True,
        )
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.open = QPushButton(self.tr("Open report"))
        self.open.clicked.connect(self._open)
        self.go_on = QPushButton(self.tr("Go on"))
        self.go_on.setToolTip(self.tr("From the last finished item"))
        self.go_on.clicked.connect(self._go_on)
        top = QHBoxLayout()
        top.addWidget(label(self.tr("Earlier benchmarks")))
        top.addStretch(1)
        top.addWidget(self.go_on)
        top.addWidget(self.open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 12)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._empty, 1)
        model.listed.connect(self._show)
        model.changed.connect(self._update_buttons)
        self._show([])

    def _show(self, results: list[SuiteResult]) -> None:
        self._results = results
        self.table.setVisible(bool(results))
        self._empty.setVisible(not results)
        self.table.setRowCount(len(results))
        for row, result in enumerate(results):
            suite = result.suite
            is_done = suite.status is Status.DONE
            texts = (
                when_words(suite.started_at),
                suite.title,
                ", ".join(result.models),
                "" if is_done else status_words(suite.status),
                gist(result),
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(full_time(suite.started_at) if column == 0 else text)
                self.table.setItem(row, column, item)
        if results:
            self.table.selectRow(0)
        self._update_buttons()

    def _selected(self) -> SuiteResult | None:
        row = self.table.currentRow()
        return self._results[row] if 0 <= row < len(self._results) else None

    def _update_buttons(self) -> None:
        result = self._selected()
        self.open.setEnabled(result is not None)
        self.go_on.setVisible(result is not None and result.suite.status in LEFT)
        self.go_on.setEnabled(not self._model.busy)

    def _open(self) -> None:
        if result := self._selected():
            self.opened.emit(result.suite.id)

    def _go_on(self) -> None:
        if result := self._selected():
            self._model.resume(result.suite.id)
