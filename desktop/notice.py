"""A line above the page for what a person should know, until they have read it."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button


class Notice(QFrame):
    """Hidden unless there is something to say."""

    closed = Signal(str)
    """A person has read this text and closed it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._action = tool_button("")
        self._action.clicked.connect(self._on_action)
        self._does: Callable[[], None] | None = None
        self._close = tool_button(self.tr("Close"))
        self._close.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._close.clicked.connect(self._on_close)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 8, 8)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._action, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.set_theme(theme)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._close.setIcon(icon("close", theme.text))

    def say(self, text: str, action: str = "", does: Callable[[], None] | None = None) -> None:
        """Show a text in place of the one before.

        :param action: text of a button beside it, "" for none
        :param does: what pressing the button does
        """
        self._text.setText(text)
        self._action.setText(action)
        self._does = does
        self._action.setVisible(bool(action))
        self.show()

    def _on_action(self) -> None:
        if self._does:
            self._does()

    def _on_close(self) -> None:
        self.hide()
        self.closed.emit(self._text.text())

    def text(self) -> str:
        """Return what is said now, "" if nothing."""
        return "" if self.isHidden() else self._text.text()
