"""What was asked, in two lines at most, whatever its length."""

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QSizePolicy

from desktop.theme.widgets import named

MOST_LINES = 2

SHORT = 50
"""Characters that fit there at any width the page may have."""

LAID_OUT = 1000
"""Characters that fill the lines at any width."""

TIP_LENGTH = 2000


class Headline(QLabel):
    """A title that is cut with an ellipsis at the end of its second line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        named(self, "title")
        self._whole = " ".join(text.split())
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self._whole[:TIP_LENGTH])
        self.setText(self._whole[:SHORT])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Break the lines at the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        width = self.contentsRect().width()
        text, starts = self._whole[:LAID_OUT], list[int]()
        layout = QTextLayout(text, self.font())
        layout.setTextOption(_anywhere())
        layout.beginLayout()
        while len(starts) < MOST_LINES and (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            starts.append(line.textStart())
        layout.endLayout()
        ends = [*starts[1:], len(text)]
        lines = [text[start:end].rstrip() for start, end in zip(starts, ends, strict=True)]
        if lines:
            lines[-1] = self.fontMetrics().elidedText(lines[-1], Qt.TextElideMode.ElideRight, width)
        self.setText("\n".join(lines))
        is_cut = bool(lines) and not self._whole.endswith(lines[-1])
        self.setToolTip(html.escape(self._whole[:TIP_LENGTH]) if is_cut else "")


def _anywhere() -> QTextOption:
    """Break between words, and a word that is longer than a line anywhere."""
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    return option
