"""The field a person types into."""

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit


class PromptEdit(QPlainTextEdit):
    """The prompt: Enter sends, Shift+Enter breaks the line; grows with its text, to a limit."""

    submitted = Signal()
    last_wanted = Signal()
    """The up key in an empty field: the last question is to be asked otherwise."""
    files_dropped = Signal(object)
    """Paths of files that were dropped or pasted."""

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.textChanged.connect(self._fit)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Send on Enter; up in an empty field goes back to the last question."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.submitted.emit()
        elif event.key() == Qt.Key.Key_Up and not self.toPlainText():
            self.last_wanted.emit()
        else:
            super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Take files besides text."""
        return bool(_files(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Hand files on; put text into the field."""
        if files := _files(source):
            self.files_dropped.emit(files)
        else:
            super().insertFromMimeData(source)

    def _fit(self) -> None:
        lines = min(max(self.document().blockCount(), 3), 8)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 18)


def _files(source: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in source.urls() if url.isLocalFile()]
