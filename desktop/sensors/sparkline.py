"""A minute of watts as a small line."""

import time

import numpy as np
from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.live.model import LAG_S, resample
from desktop.live.pyramid import Floats
from monitor.power.channel import Channel
from monitor.power.trace import Trace

SPAN_S = 60.0

POINTS = 121
"""Two a second: as many as the line has pixels."""

SIZE = QSize(120, 20)


def last_minute(trace: Trace, channel: Channel) -> Floats:
    """Return a channel's watts of the last minute, NaN where there were none. Shape (POINTS,)."""
    end_s = time.monotonic() - LAG_S
    return resample(trace, channel, np.linspace(end_s - SPAN_S, end_s, POINTS))


class Sparkline(QWidget):
    """Draws watts from zero up to their greatest; what was not read is left open."""

    def __init__(self, color: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = QColor(color)
        self._power_w: Floats = np.full(POINTS, np.nan)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As wide as it has points."""
        return SIZE

    def show_watts(self, power_w: Floats) -> None:
        """Draw others. Shape (POINTS,)."""
        self._power_w = power_w
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a line for each stretch that was read."""
        known = np.flatnonzero(np.isfinite(self._power_w))
        if len(known) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._color, 1.4))
        top_w = max(float(self._power_w[known].max()), 1e-3)
        x = np.linspace(1, self.width() - 1, POINTS)
        y = self.height() - 2 - self._power_w / top_w * (self.height() - 4)
        for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            points = map(QPointF, x[run].tolist(), y[run].tolist())
            painter.drawPolyline(QPolygonF(list(points)))
        painter.end()
