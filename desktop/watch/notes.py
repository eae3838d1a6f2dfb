"""What is to be said beside a bill: as high as its text, and scrolled where there is no room."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

from desktop.theme.widgets import label

LEAST_LINES = 2


class NotesArea(QScrollArea):
    """Text below a table, which it leaves the rest of the height to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, widgetResizable=True)
        self._label = label("", "muted", wrap=True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setWidget(self._label)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setAccessibleName(self.tr("Notes on the bill"))
        self.verticalScrollBar().rangeChanged.connect(self._mind_focus)
        self._mind_focus(0, 0)

    def text(self) -> str:
        """Return what it says."""
        return self._label.text()

    def set_text(self, text: str) -> None:
        """Say something else, "" for nothing."""
        if text != self._label.text():
            self._label.setText(text)
            self.setAccessibleDescription(text)
            self.updateGeometry()

    def _mind_focus(self, _least: int, most: int) -> None:
        """Take the keys where there is something to scroll."""
        policy = Qt.FocusPolicy.StrongFocus if most else Qt.FocusPolicy.NoFocus
        self.setFocusPolicy(policy)

    def sizeHint(self) -> QSize:
        """As high as the text is at its width."""
        return QSize(0, self._label.heightForWidth(max(self.width(), 1)))

    def minimumSizeHint(self) -> QSize:
        """Room for a few lines, if there are as many."""
        least_px = LEAST_LINES * self._label.fontMetrics().lineSpacing()
        return QSize(0, min(least_px, self.sizeHint().height()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be higher where it is narrower."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()
