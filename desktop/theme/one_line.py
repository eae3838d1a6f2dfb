"""A sentence that never takes more than one line."""

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from desktop.theme.widgets import named


class OneLineLabel(QLabel):
    """A plain text that is as high whatever it says: where there is no room for it, it ends in an
    ellipsis, and its tooltip has the whole.

    :param name: what the style sheet knows it by
    """

    def __init__(self, name: str = "") -> None:
        super().__init__()
        named(self, name)
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show a text."""
        self._whole = " ".join(text.split())
        self.setAccessibleName(self._whole)
        self._fit()

    def text(self) -> str:
        """Return the whole text, however much of it is to be seen."""
        return self._whole

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show as much as there is room for now."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        room, end = self.contentsRect().width(), Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self._whole, end, room)
        super().setText(shown)
        # As rich text, since Qt breaks the lines of no other tooltip.
        is_cut = shown != self._whole
        self.setToolTip(f"<p>{html.escape(self._whole)}</p>" if is_cut else "")
