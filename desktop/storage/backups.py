"""The dated backups: which there are, making one, going back to one."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.filter_bar import day_words
from desktop.storage.work import LongWork
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.store.backups import KEEP, Backup, back_up, list_backups
from monitor.store.history import History


class BackupsTab(QWidget):
    """A list of backups."""

    restore_wanted = Signal(object)
    """A backup that is to take the history's place."""

    def __init__(
        self, bridge: Bridge, history: History, work: LongWork, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._path, self._work = bridge, history.store.path, work
        self._backups: list[Backup] = []
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Backups"))
        self.list.currentRowChanged.connect(self._on_row)
        self.none = label(self.tr("There is no backup yet."), "muted")
        self.none.hide()
        self.make = tool_button(self.tr("Back up now"))
        self.make.clicked.connect(self._back_up)
        self.restore = tool_button(self.tr("Restore …"))
        self.restore.setEnabled(False)
        self.restore.clicked.connect(self._ask_restore)
        rule = self.tr(
            "A backup is made once a day when LlamaWatt is opened, unless the history is larger "
            "than %1. The newest %2 are kept, and one a week of %3 weeks before."
        )
        for place, text in (
            ("%1", figures.size(KEEP.largest_bytes)),
            ("%2", str(KEEP.daily)),
            ("%3", str(KEEP.weekly)),
        ):
            rule = rule.replace(place, text)
        row = QHBoxLayout()
        row.addWidget(self.make)
        row.addWidget(self.restore)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        layout.addWidget(label(rule, "muted", wrap=True))
        layout.addWidget(self.none)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)

    def _on_row(self, row: int) -> None:
        self.restore.setEnabled(row >= 0)

    def refresh(self) -> None:
        """List the backups again."""
        self._bridge.read(lambda: list_backups(self._path), self._show)

    def _show(self, backups: list[Backup]) -> None:
        self._backups = backups
        self.none.setVisible(not backups)
        self.list.clear()
        for backup in backups:
            text = f"{day_words(backup.made)} · {figures.size(backup.size_bytes)}"
            if backup.before_schema is not None:
                text += " · " + self.tr("before an update of LlamaWatt")
            self.list.addItem(QListWidgetItem(text))
        self.restore.setEnabled(False)

    def _back_up(self) -> None:
        self._work.run(
            self.tr("Backing up …"),
            lambda progress, cancelled: back_up(self._path, progress=progress, cancelled=cancelled),
            lambda backup: self.tr("Backed up as %1.").replace("%1", backup.path.name),
        )

    def _ask_restore(self) -> None:
        backup = self._backups[self.list.currentRow()]
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        text = self.tr("Go back to the history of %1?").replace("%1", day_words(backup.made))
        box.setText(text)
        box.setInformativeText(
            self.tr(
                "LlamaWatt closes and opens again. The history as it is now is kept beside it as "
                "a file of its own."
            )
        )
        go = box.addButton(self.tr("Restore"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(
            lambda button: self.restore_wanted.emit(backup) if button is go else None
        )
        box.open()
