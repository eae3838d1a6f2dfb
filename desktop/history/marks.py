"""A person's own marks on a query: its tags and a note."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from desktop.theme.flow import FlowLayout
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import named, tool_button
from monitor.store.records import QueryRow


class _NoteField(QLineEdit):
    """Says when it is left: Qt's own signal of that keeps silent if nothing was typed since."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class Marks(QWidget):
    """Tags to be removed, and a note to be written; Enter or leaving the field keeps it.

    :param typed: a note that was written before and could not be stored
    """

    noted = Signal(str)
    untagged = Signal(str)

    def __init__(
        self,
        row: QueryRow,
        theme: Theme,
        typed: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._kept, self._is_waiting = row.note, typed is not None
        self.note = _NoteField(row.note if typed is None else typed)
        self.note.setPlaceholderText(self.tr("Add a note"))
        self.note.setAccessibleName(self.tr("Note"))
        self.note.returnPressed.connect(self.keep)
        self.note.left.connect(self.keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        if row.tags:
            holder = QWidget()
            chips = FlowLayout(holder)
            for tag in row.tags:
                chip = named(tool_button(tag), "chip")
                chip.setIcon(icon("close", theme.muted))
                chip.setToolButtonStyle(chip.toolButtonStyle().ToolButtonTextBesideIcon)
                chip.setToolTip(self.tr("Remove this tag"))
                chip.clicked.connect(lambda _checked=False, tag=tag: self.untagged.emit(tag))
                chips.addWidget(chip)
            layout.addWidget(holder)
        layout.addWidget(self.note)

    @property
    def is_typing(self) -> bool:
        """Whether something was typed that is not stored yet."""
        return self.note.text().strip() != self._kept

    def learn(self, kept: str) -> None:
        """Take in which note is stored by now."""
        self._kept, self._is_waiting = kept, self._is_waiting and self.is_typing

    def keep(self) -> None:
        """Have the note stored; until it is, this is asked again whenever the field is left.

        One that was taken back meanwhile is not to come back.
        """
        if self.is_typing or self._is_waiting:
            self._is_waiting = True
            self.noted.emit(self.note.text().strip())
