"""What takes how much room in the history's file."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QProgressBar, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.storage.work import LongWork
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.store.history import History
from monitor.store.upkeep import (
    BENCHMARKS,
    BILLS,
    INDEXES,
    OTHER,
    QUERIES,
    SUMS,
    TEXTS,
    TRACES,
    WORDS,
    Sizes,
    sizes,
    vacuum,
)


class SizeTab(QWidget):
    """The file's size by what it holds, and the button that gives unused room back."""

    def __init__(
        self, bridge: Bridge, history: History, work: LongWork, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._store, self._work = bridge, history.store, work
        self._total = label(self.tr("Measuring …"), "title")
        self._note = label("", "muted", wrap=True)
        self._rows = QWidget()
        self._titles = {
            QUERIES: self.tr("Queries"),
            BILLS: self.tr("Bills"),
            TRACES: self.tr("Power curves"),
            TEXTS: self.tr("Prompts and answers"),
            WORDS: self.tr("Words for searches"),
            SUMS: self.tr("Totals and charts"),
            BENCHMARKS: self.tr("Benchmarks"),
            INDEXES: self.tr("Indexes"),
            OTHER: self.tr("Other"),
        }
        self.tidy = tool_button(self.tr("Give unused room back"))
        self.tidy.clicked.connect(self._vacuum)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(14, 14, 14, 14)
        self._layout.setSpacing(8)
        for widget in (self._total, self._note, self._rows, self.tidy):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)

    def refresh(self) -> None:
        """Measure again, beside the window's thread."""
        self._bridge.work(lambda: sizes(self._store), self._show)

    def _show(self, found: Sizes) -> None:
        self._total.setText(figures.size(found.file_bytes))
        notes = [self.tr("%1 of it is unused.").replace("%1", figures.size(found.free_bytes))]
        if found.log_bytes:
            beside = self.tr("%1 lies beside it in the log of the latest changes.")
            notes.append(beside.replace("%1", figures.size(found.log_bytes)))
        if not found.is_exact:
            notes.append(self.tr("The parts are estimated."))
        self._note.setText(" ".join(notes))
        self.tidy.setEnabled(found.free_bytes > 0)
        rows = QWidget()
        grid = QGridLayout(rows)
        grid.setContentsMargins(0, 4, 0, 4)
        most = max(found.parts.values(), default=1) or 1
        for at, (name, size) in enumerate(found.parts.items()):
            bar = QProgressBar()
            bar.setRange(0, 1000)
            bar.setValue(round(1000 * size / most))
            bar.setTextVisible(False)
            bar.setAccessibleName(self._titles[name])
            bar.setAccessibleDescription(figures.size(size))
            grid.addWidget(label(self._titles[name]), at, 0)
            grid.addWidget(bar, at, 1)
            grid.addWidget(label(figures.size(size), "muted"), at, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)
        self._layout.replaceWidget(self._rows, rows)
        self._rows.deleteLater()
        self._rows = rows

    def _vacuum(self) -> None:
        self._work.run(
            self.tr("Writing the file anew …"),
            lambda _progress, cancelled: vacuum(self._store, cancelled),
            lambda freed: self.tr("The file is smaller by %1.").replace(
                "%1", figures.size(max(freed, 0))
            ),
        )
