"""The history's file: how large it is, how long curves are kept, its backups, other machines'."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.storage.backups import BackupsTab
from desktop.storage.curves import CurvesTab
from desktop.storage.size import SizeTab
from desktop.storage.work import LongWork
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.store.copies import copy_database
from monitor.store.history import History
from monitor.store.merge import Merged, merge


class StorageDialog(QDialog):
    """What a person can see and do about ``history.db``."""

    changed = Signal()
    """Queries were added or removed."""
    restore_wanted = Signal(object)
    """A backup that is to take the history's place."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._path = history.store.path
        self.work = LongWork(bridge, self)
        self.setWindowTitle(self.tr("The history's file"))
        self.resize(620, 520)
        where = label(str(self._path), "muted", wrap=True)
        where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.size_tab = SizeTab(bridge, history, self.work)
        self.curves_tab = CurvesTab(bridge, history, self.work)
        self.backups_tab = BackupsTab(bridge, history, self.work)
        self.backups_tab.restore_wanted.connect(self.restore_wanted)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.size_tab, self.tr("Size"))
        self.tabs.addTab(self.curves_tab, self.tr("Power curves"))
        self.tabs.addTab(self.backups_tab, self.tr("Backups"))
        self.tabs.addTab(self._exchange_tab(), self.tr("Other machines"))
        layout = QVBoxLayout(self)
        layout.addWidget(where)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(self._bottom())
        self.work.began.connect(self._on_began)
        self.work.progressed.connect(lambda share: self._bar.setValue(round(1000 * share)))
        self.work.ended.connect(self._on_ended)
        self._on_ended("")

    def _exchange_tab(self) -> QWidget:
        tab = QWidget()
        layout = QVBoxLayout(tab)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        for text, button_text, does in (
            (
                self.tr(
                    "Take in the queries, conversations and benchmarks of another machine's "
                    "history. Machines are kept apart; what is here already stays as it is. While "
                    "it runs, nothing else can be stored."
                ),
                self.tr("Merge a history …"),
                self._ask_merge,
            ),
            (
                self.tr(
                    "Copy the whole history into another file, to take it elsewhere. Nothing "
                    "needs to be closed for it."
                ),
                self.tr("Save a copy …"),
                self._ask_copy,
            ),
        ):
            layout.addWidget(label(text, wrap=True))
            button = tool_button(button_text)
            button.clicked.connect(does)
            layout.addWidget(button)
        layout.addStretch(1)
        return tab

    def _bottom(self) -> QHBoxLayout:
        self._told = label("", "muted", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(160)
        self._bar.setAccessibleName(self.tr("Progress"))
        self._cancel = tool_button(self.tr("Cancel"))
        self._cancel.clicked.connect(self.work.cancel)
        self._close = tool_button(self.tr("Close"))
        self._close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self._told, 1)
        for widget in (self._bar, self._cancel, self._close):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        return row

    def _on_began(self, words: str) -> None:
        self._told.setText(words)
        self._bar.setValue(0)
        self._set_busy(True)

    def _on_ended(self, words: str) -> None:
        self._told.setText(words)
        self._set_busy(False)
        self.size_tab.refresh()
        self.curves_tab.refresh()
        self.backups_tab.refresh()

    def _set_busy(self, busy: bool) -> None:
        self.tabs.setEnabled(not busy)
        self._bar.setVisible(busy)
        self._cancel.setVisible(busy)
        self._close.setVisible(not busy)

    def reject(self) -> None:
        """Escape stops what runs, or closes."""
        if self.work.is_busy:
            self.work.cancel()
        else:
            super().reject()

    # --- other machines ------------------------------------------------------------------

    def _ask_merge(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, self.tr("Merge a history"), "", self.tr("Histories (*.db);;All files (*)")
        )
        if name:
            self.merge(Path(name))

    def merge(self, path: Path) -> None:
        """Take in another history."""
        store = self._history.store
        self.work.run(
            self.tr("Merging %1 …").replace("%1", path.name),
            lambda progress, cancelled: merge(store, path, progress, cancelled),
            self._tell_merged,
        )

    def _tell_merged(self, merged: Merged) -> str:
        self.changed.emit()
        text = self.tr(
            "%1 queries, %2 benchmarks and %4 recordings were added; %3 queries were here already."
        )
        for place, count in (
            ("%1", merged.queries),
            ("%2", merged.benchmarks),
            ("%4", merged.recordings),
        ):
            text = text.replace(place, f"{count:,}")
        if merged.gone_on:
            more = self.tr("%1 that were not over have gone on there and are up to date now.")
            text += " " + more.replace("%1", f"{merged.gone_on:,}")
        if merged.running:
            more = self.tr("%1 still run over there: merge again when they have ended.")
            text += " " + more.replace("%1", f"{merged.running:,}")
        return text.replace("%3", f"{merged.known:,}")

    def _ask_copy(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save a copy"), "history-copy.db", self.tr("Histories (*.db)")
        )
        if name:
            self.copy(Path(name))

    def copy(self, path: Path) -> None:
        """Copy the history; the person was asked before whether to replace a file."""
        self.work.run(
            self.tr("Copying …"),
            lambda progress, cancelled: copy_database(self._path, path, True, progress, cancelled),
            lambda size: (
                self.tr("Saved %1 as %2.")
                .replace("%1", figures.size(size))
                .replace("%2", str(path))
            ),
        )
