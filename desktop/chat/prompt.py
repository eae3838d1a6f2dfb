"""The field a person types into."""

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit

from monitor.prompts import find_blank

FEWEST_LINES, MOST_LINES = 3, 9


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
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
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

    def event(self, event: QEvent) -> bool:
        """Take Tab for oneself while there is a blank to go to; else it leaves the field."""
        is_tab = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Tab
        if is_tab and event.type() == QEvent.Type.KeyPress and self._select_blank():
            return True
        return super().event(event)

    def _select_blank(self) -> bool:
        """Select the next blank behind the cursor; return whether there is one."""
        cursor = self.textCursor()
        blank = find_blank(self.toPlainText(), cursor.selectionEnd())
        if blank is None:
            return False
        cursor.setPosition(blank[0])
        cursor.setPosition(blank[1], QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)
        return True

    def _fit(self) -> None:
        # The size of a plain text's document is in lines, wrapped ones counted.
        lines = min(max(int(self.document().size().height()), FEWEST_LINES), MOST_LINES)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 18)


def _files(source: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in source.urls() if url.isLocalFile()]
