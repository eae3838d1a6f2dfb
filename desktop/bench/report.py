"""The page after a benchmark: its report, every item, and what flipped between two runs."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMarginsF, Qt, Signal
from PySide6.QtGui import (
    QFontDatabase,
    QPageLayout,
    QPageSize,
    QPdfWriter,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QTableView,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from desktop.bench.items import FlipsModel, ItemsModel, TextTable, flip_words, item_words
from desktop.bench.report_html import report_html
from desktop.bridge import Bridge
from desktop.theme.palette import LIGHT, Theme
from desktop.theme.widgets import ChoiceBox, label
from monitor.bench.comparison import Comparison, compare_runs
from monitor.bench.markdown import markdown_report
from monitor.bench.suites import SuiteError
from monitor.bench.summary import RunResult, SuiteResult
from monitor.bench.tables import model_name, part_name
from monitor.store.history import History


class ReportView(QWidget):
    """Shows a :class:`SuiteResult`."""

    left = Signal()
    """A person wants to go back."""
    failed = Signal(str)
    """A file could not be written."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._theme = bridge, history, theme
        self._result: SuiteResult | None = None
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.setAccessibleName(self.tr("Report"))
        self.browser.setFrameShape(QFrame.Shape.NoFrame)
        self.browser.document().setDocumentMargin(14)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.browser, self.tr("Report"))
        self.tabs.addTab(self._items_tab(), self.tr("Items"))
        self.tabs.addTab(self._flips_tab(), self.tr("Flips"))
        back = QPushButton(self.tr("Back"))
        back.clicked.connect(self.left)
        pdf = QPushButton(self.tr("Save as PDF …"))
        pdf.clicked.connect(lambda: self._ask_file("pdf", self.save_pdf))
        markdown = QPushButton(self.tr("Save as Markdown …"))
        markdown.clicked.connect(lambda: self._ask_file("md", self.save_markdown))
        top = QHBoxLayout()
        top.addWidget(back)
        top.addStretch(1)
        top.addWidget(markdown)
        top.addWidget(pdf)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.addLayout(top)
        layout.addWidget(self.tabs, 1)

    def _items_tab(self) -> QWidget:
        self.items = ItemsModel(self)
        self.run = ChoiceBox()
        self.run.setAccessibleName(self.tr("Run"))
        self.run.currentIndexChanged.connect(self._read_items)
        self.wrong = QCheckBox(self.tr("wrong only"))
        self.wrong.toggled.connect(self.items.set_wrong_only)
        row = QHBoxLayout()
        row.addWidget(self.run, 1)
        row.addWidget(self.wrong)
        return _table_tab(row, self.items, self.tr("Items"), item_words)

    def _flips_tab(self) -> QWidget:
        self.flips = FlipsModel(self)
        self.first, self.second = ChoiceBox(), ChoiceBox()
        self.first.setAccessibleName(self.tr("Run before"))
        self.second.setAccessibleName(self.tr("Run after"))
        self.sentence = label("", "muted", wrap=True)
        for box in (self.first, self.second):
            box.currentIndexChanged.connect(self._read_flips)
        row = QHBoxLayout()
        row.addWidget(self.first, 1)
        row.addWidget(label("→"))
        row.addWidget(self.second, 1)
        tab = _table_tab(row, self.flips, self.tr("Flips"), flip_words)
        layout = tab.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(1, self.sentence)
        return tab

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        if self._result:
            self.browser.setHtml(report_html(self._result, theme))

    def show_result(self, result: SuiteResult) -> None:
        """Show what came of a suite."""
        self._result = result
        self.browser.setHtml(report_html(result, self._theme))
        names = [f"{model_name(run)} – {part_name(run)}" for run in result.runs]
        for box in (self.run, self.first, self.second):
            box.blockSignals(True)
            box.clear()
            box.addItems(names)
            box.blockSignals(False)
        judged = [n for n, run in enumerate(result.runs) if run.row.start.kind != "speed"]
        self.run.setCurrentIndex(judged[0] if judged else 0)
        pair = _comparable(result)
        self.tabs.setTabVisible(2, pair is not None)
        if pair:
            self.first.setCurrentIndex(pair[0])
            self.second.setCurrentIndex(pair[1])
        self._read_items()
        self._read_flips()
        self.browser.moveCursor(QTextCursor.MoveOperation.Start)
        self.browser.verticalScrollBar().setValue(0)  # the first line's own is below the margin
        self.tabs.setCurrentIndex(0)

    def _run(self, box: QComboBox) -> RunResult | None:
        runs = self._result.runs if self._result else ()
        return runs[box.currentIndex()] if 0 <= box.currentIndex() < len(runs) else None

    def _read_items(self) -> None:
        run = self._run(self.run)
        if run is None:
            self.items.show_items((), False, None)
            return
        kind = run.record.bill.total().kind
        self._bridge.read(
            lambda: self._history.benchmarks.items(run.record.id),
            lambda found: self.items.show_items(found, run.by_length, kind),
        )

    def _read_flips(self) -> None:
        first, second = self._run(self.first), self._run(self.second)
        if first is None or second is None:
            return

        def read() -> Comparison | str:
            try:
                return compare_runs(self._history, first, second)
            except SuiteError as error:
                return str(error)

        self._bridge.read(read, self._show_flips)

    def _show_flips(self, found: Comparison | str) -> None:
        is_refused = isinstance(found, str)
        self.sentence.setText(found if isinstance(found, str) else found.sentence)
        self.flips.show_rows(() if is_refused or isinstance(found, str) else found.flips)

    # --- files -----------------------------------------------------------------------------

    def _ask_file(self, suffix: str, save: Callable[[Path], None]) -> None:
        if not self._result:
            return
        suggestion = f"{self._result.suite.name}-{self._result.suite.id[-8:]}.{suffix}"
        name, _ = QFileDialog.getSaveFileName(self, self.tr("Save the report"), suggestion)
        if name:
            try:
                save(Path(name))
            except OSError as error:
                text = self.tr("%1 could not be written: %2.").replace("%1", name)
                self.failed.emit(text.replace("%2", error.strerror or str(error)))

    def save_pdf(self, path: Path) -> None:
        """Print the report.

        :raises OSError: if it cannot be written
        """
        assert self._result
        path.touch()  # QPdfWriter says nothing of a file it cannot write
        writer = QPdfWriter(str(path))
        writer.setTitle(self._result.suite.title)
        writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
        writer.setPageOrientation(QPageLayout.Orientation.Landscape)
        writer.setPageMargins(QMarginsF(15, 15, 15, 15))
        document = QTextDocument()
        document.setDefaultStyleSheet("body, td, th, p { font-size: 9pt; }")
        document.setHtml(report_html(self._result, LIGHT))
        document.print_(writer)

    def save_markdown(self, path: Path) -> None:
        """Write the report as Markdown.

        :raises OSError: if it cannot be written
        """
        assert self._result
        path.write_text(markdown_report(self._result), encoding="utf-8")


def _comparable(result: SuiteResult) -> tuple[int, int] | None:
    """Return the first two runs that were asked the same, ``None`` if there are none."""
    for one, first in enumerate(result.runs):
        for other, second in enumerate(result.runs[one + 1 :], start=one + 1):
            is_same = first.row.start.prompts_sha256 == second.row.start.prompts_sha256
            if is_same and first.accuracy and second.accuracy:
                return one, other
    return None


def _table_tab(row: QHBoxLayout, model: TextTable, name: str, words: Callable[..., str]) -> QWidget:
    """A table below its choices, and the chosen row in full."""
    table = QTableView()
    table.setModel(model)
    table.setAccessibleName(name)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(28)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    table.setColumnWidth(0, 52)
    for column in range(2, model.columnCount()):
        table.setColumnWidth(column, 150 if column < 4 and model.columnCount() > 5 else 108)
    full = QPlainTextEdit(readOnly=True)
    full.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    full.setAccessibleName(name)
    splitter = QSplitter(Qt.Orientation.Vertical)
    splitter.addWidget(table)
    splitter.addWidget(full)
    splitter.setChildrenCollapsible(False)
    splitter.setSizes([230, 190])

    def show(current: int) -> None:
        full.setPlainText(words(model.rows[current]) if 0 <= current < len(model.rows) else "")

    table.selectionModel().currentRowChanged.connect(lambda now, _before: show(now.row()))
    model.modelReset.connect(lambda: table.selectRow(0) if model.rows else show(-1))
    tab = QWidget()
    layout = QVBoxLayout(tab)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.addLayout(row)
    layout.addWidget(splitter, 1)
    return tab
