"""Marks along the top of the live plot where something was held back."""

from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from monitor.power.gauge import Stretch

BAND_PX = 5
"""Height of a mark."""

LEAST_PX = 2
"""Width of a mark at least: over an hour a reading is narrower than a pixel."""


class _Mark(QGraphicsRectItem):
    """Coloured along its top, and telling its reason to who points anywhere below."""

    def __init__(self) -> None:
        super().__init__()
        self.band = 0.0
        """Height of the coloured part, in the plot's own measure."""
        self.setPen(Qt.PenStyle.NoPen)
        self.setZValue(8)

    def paint(
        self,
        painter: QPainter,
        _option: QStyleOptionGraphicsItem,
        _widget: QWidget | None = None,
    ) -> None:
        """Draw the band: the plot's measure grows upwards, so its top is a rectangle's bottom."""
        rect = self.rect()
        band = QRectF(rect.left(), rect.bottom() - self.band, rect.width(), self.band)
        painter.fillRect(band, self.brush())


class ThrottleMarks:
    """The marks of one plot.

    :param plot: to add them to
    :param color: of their bands
    """

    def __init__(self, plot: pg.PlotWidget, color: str) -> None:
        self._plot, self._color = plot, color
        self._marks: list[_Mark] = []

    def show(self, stretches: Sequence[Stretch], end_s: float, span_s: float, top_w: float) -> None:
        """Mark some stretches.

        :param end_s: monotonic time of the plot's right end
        :param top_w: watts at its upper end
        """
        view = self._plot.plotItem.vb
        while len(self._marks) < len(stretches):
            self._marks.append(_Mark())
            self._marks[-1].setBrush(QColor(self._color))
            self._plot.addItem(self._marks[-1])
        least_s = LEAST_PX * span_s / max(view.width(), 1)
        for mark, stretch in zip(self._marks, stretches, strict=False):
            left_s = max(stretch.start_s - end_s, -span_s)
            right_s = min(max(stretch.end_s - end_s, left_s + least_s), 0.0)
            mark.setRect(QRectF(left_s, 0.0, max(right_s - left_s, 0.0), top_w))
            mark.band = BAND_PX * top_w / max(view.height(), 1)
            mark.setToolTip(self._plot.tr("Throttled:") + f"\n{stretch.reason}")
        for index, mark in enumerate(self._marks):
            mark.setVisible(index < len(stretches))

    def set_color(self, color: str) -> None:
        """Take a theme's colour."""
        self._color = color
        for mark in self._marks:
            mark.setBrush(QColor(color))
