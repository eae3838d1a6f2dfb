"""Plain text that is as tall as it needs to be, up to a limit beyond which it scrolls."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit

MOST_LINES = 14
"""Shown at once; a longer text scrolls by itself."""

LONG = 5_000
"""Characters that fill them at any width."""


class LimitedText(QPlainTextEdit):
    """Shows a text that can be selected, by keys as well, and not changed.

    Nothing in it acts: it is plain text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setPlainText(text)
        self.setTextInteractionFlags(
            self.textInteractionFlags().TextSelectableByMouse
            | self.textInteractionFlags().TextSelectableByKeyboard
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as tall as the text is at the new width, if that is not too much."""
        super().resizeEvent(event)
        lines = MOST_LINES
        # Asking for the size lays out all of a text; one that long fills the lines anyway.
        if self.document().characterCount() < LONG:
            lines = min(max(int(self.document().size().height()), 1), MOST_LINES)
        frame = self.height() - self.viewport().height()
        margins = 2 * int(self.document().documentMargin())
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + margins + frame)
