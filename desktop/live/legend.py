"""The legends of the live plots: for each curve a sample of its line, its name and its value."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from desktop.theme.flow import FlowLayout
from desktop.theme.widgets import label

SOLID = Qt.PenStyle.SolidLine

BETWEEN_PX = 8
"""Added to the gap between two entries of a line."""


class LegendRow(QWidget):
    """Entries side by side, in as many lines as the width makes it take."""

    def __init__(self) -> None:
        super().__init__()
        self._flow = FlowLayout(self, gap=4)

    def add(self, entry: QWidget) -> None:
        """Add an entry at the end."""
        self._flow.addWidget(entry)

    def drop(self, entry: QWidget) -> None:
        """Take an entry out, and delete it."""
        self._flow.removeWidget(entry)
        entry.hide()
        entry.deleteLater()

    def event(self, event: QEvent) -> bool:
        """Fit the height when an entry comes, goes, or gets longer."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the height to the width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # No layout asks how high this is at its width once another layout lies between them.
        height = self._flow.heightForWidth(self.width())
        if height != self.height():
            self.setFixedHeight(height)


class Entry(QWidget):
    """A sample of a line, or of a coloured ground, and a text beside it.

    :param color: of the line
    :param style: of the line; ``None`` for a ground
    """

    def __init__(self, color: str, style: Qt.PenStyle | None = SOLID) -> None:
        super().__init__()
        self._label = label("", "legend")
        self._label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, BETWEEN_PX, 0)
        layout.setSpacing(6)
        layout.addWidget(_Ground(color) if style is None else _Line(color, style))
        layout.addWidget(self._label)

    @property
    def text(self) -> str:
        """What it says."""
        return self._label.text()

    def show_text(self, text: str) -> None:
        """Say something; nothing is laid out anew if it said so before."""
        if text != self._label.text():
            self._label.setText(text)


class _Line(QWidget):
    """A piece of a curve as the plot draws it."""

    def __init__(self, color: str, style: Qt.PenStyle) -> None:
        super().__init__()
        self._pen = QPen(QColor(color), 2, style)
        self.setFixedSize(22, 12)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the line across the middle."""
        painter = QPainter(self)
        painter.setPen(self._pen)
        painter.drawLine(1, 6, 21, 6)
        painter.end()


class _Ground(QWidget):
    """A piece of the ground that a plot puts behind its curves."""

    def __init__(self, color: str) -> None:
        super().__init__()
        self._color = QColor(color)
        self.setFixedSize(22, 12)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Fill it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._color)
        painter.end()
