"""The colours of heat, and what they mean."""

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.theme.palette import Theme
from desktop.theme.widgets import label
from monitor import figures
from monitor.energy.heat import Heat, Warmth

LEVELS = 10
"""Shades from cool to warm; more cannot be told apart."""

WARMEST = {"light": "#f2a05c", "dark": "#8a4a1c"}
"""Of each theme: far from the ground, and the text on it above 4.5:1."""


def tint(theme: Theme, level: int) -> str:
    """Return the ground under text that is so warm, 0 to ``LEVELS - 1``; the coolest is none."""
    cool, warm, share = QColor(theme.surface), QColor(WARMEST[theme.name]), level / (LEVELS - 1)
    mixed = (
        round(a + share * (b - a))
        for a, b in zip(cool.getRgb()[:3], warm.getRgb()[:3], strict=True)  # type: ignore[index]
    )
    return QColor(*mixed).name()


class _Scale(QWidget):
    """All shades side by side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedSize(120, 14)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw them."""
        painter = QPainter(self)
        width = self.width() / LEVELS
        for level in range(LEVELS):
            shade = QRectF(level * width, 0, width + 1, self.height())
            painter.fillRect(shade, QColor(tint(self._theme, level)))
        painter.setPen(QColor(self._theme.line))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()


class HeatLegend(QWidget):
    """The scale of an answer's heat, and how it was come by."""

    def __init__(self, heat: Heat, warmth: Warmth, theme: Theme) -> None:
        super().__init__()
        scale = QWidget()
        line = QHBoxLayout(scale)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(label(figures.marked(heat.kind, figures.energy(warmth.low_j)), "muted"))
        line.addWidget(_Scale(theme))
        line.addWidget(
            label(
                self.tr("%1 a token").replace(
                    "%1", figures.marked(heat.kind, figures.energy(warmth.high_j))
                ),
                "muted",
            )
        )
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(scale)
        if words := self._words(heat, warmth):
            layout.addWidget(label(words, "muted", wrap=True))

    def _words(self, heat: Heat, warmth: Warmth) -> str:
        words = []
        if heat.is_fitted.any():
            text = self.tr("regressed: tokens are shorter than the %1 the sensor tells apart")
            if not heat.is_fitted.all():
                text = self.tr(
                    "regressed where tokens are shorter than the %1 a sensor tells apart"
                )
            words.append(text.replace("%1", figures.duration(heat.period_s)))
        if np.isnan(warmth.values).any():
            words.append(self.tr("in italics: not read"))
        return " · ".join(words)
