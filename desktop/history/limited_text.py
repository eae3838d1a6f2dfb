"""Plain text that is as tall as it needs to be, up to a limit beyond which it scrolls."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QMouseEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QPlainTextEdit

MOST_LINES = 14
"""Shown at once; a longer text scrolls by itself."""

LONG = 5_000
"""Characters that fill them at any width."""


class LimitedText(QPlainTextEdit):
    """Shows a text that can be selected, by keys as well, and not changed.

    Nothing in it acts: it is plain text. The wheel scrolls it while there is more of it that way
    and the mouse was moved over it; else it scrolls the page around it.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._is_pointed_at = False
        self.setMouseTracking(True)
        self.setReadOnly(True)
        self.setPlainText(text)
        self.setTextInteractionFlags(
            self.textInteractionFlags().TextSelectableByMouse
            | self.textInteractionFlags().TextSelectableByKeyboard
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Take the wheel from now on."""
        super().mouseMoveEvent(event)
        self._is_pointed_at = True

    def leaveEvent(self, event: QEvent) -> None:
        """Leave the wheel to the page."""
        super().leaveEvent(event)
        self._is_pointed_at = False

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll, or leave that to the page, which may have brought this below a still mouse."""
        bar, turned = self.verticalScrollBar(), event.angleDelta().y()
        has_more = bar.value() < bar.maximum() if turned < 0 else bar.value() > bar.minimum()
        is_whole = self.verticalScrollBarPolicy() is Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._is_pointed_at = self._is_pointed_at and has_more and not is_whole
        if self._is_pointed_at:
            super().wheelEvent(event)
        else:
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as tall as the text is at the new width, if that is not too much."""
        super().resizeEvent(event)
        lines = MOST_LINES + 1
        # Asking for the size lays out all of a text; one that long fills the lines anyway.
        if self.document().characterCount() < LONG:
            lines = max(int(self.document().size().height()), 1)
        # A text that is shown whole has no bar, though its height is off by a fraction of a line.
        policy = Qt.ScrollBarPolicy
        is_long = lines > MOST_LINES
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if is_long else policy.ScrollBarAlwaysOff
        )
        lines = min(lines, MOST_LINES)
        # Not what is around the viewport: a page that is being put together has no room for it.
        frame = 2 * self.frameWidth()
        margins = 2 * int(self.document().documentMargin())
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + margins + frame)
