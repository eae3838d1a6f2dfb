"""The plot of what a calibration misses."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from monitor.energy.calibration import Residuals

SYMBOLS = ("o", "s", "t1", "d", "t", "p")
"""A shape for each step, in the order of the staircase."""

LEFT_WIDTH = 52


class ResidualPlot(pg.PlotWidget):
    """Draws :class:`Residuals`: read less told, over what was told; a good fit lies about zero."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self._shown: Residuals | None = None
        hold_still(self, LEFT_WIDTH)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.setAccessibleName(self.tr("What the calibration misses, over the watts it tells"))
        self._legend = self.addLegend(offset=(8, 2), colCount=3, labelTextSize="8pt")
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        self._legend.setLabelTextColor(theme.muted)
        self._draw()

    def show_residuals(self, shown: Residuals | None) -> None:
        """Draw others; nothing of ``None``."""
        self._shown = shown
        self._draw()

    @property
    def is_filled(self) -> bool:
        """Whether there is anything to see."""
        return self._shown is not None and bool(len(self._shown.told_w))

    def _draw(self) -> None:
        self.clear()
        shown, theme = self._shown, self._theme
        if shown is None or not self.is_filled:
            return
        missed_w = shown.read_w - shown.told_w
        self.addItem(pg.InfiniteLine(0.0, angle=0, pen=pg.mkPen(theme.muted)))
        steps = np.array(shown.steps)
        for at, step in enumerate(dict.fromkeys(shown.steps)):
            color = theme.sequence[at % len(theme.sequence)]
            self.plot(
                shown.told_w[steps == step],
                missed_w[steps == step],
                pen=None,
                symbol=SYMBOLS[at % len(SYMBOLS)],
                symbolSize=7,
                symbolPen=pg.mkPen(theme.surface, width=0.5),
                symbolBrush=color,
                name=step_words(step),
            )
        self._fit(shown.told_w, missed_w)

    def _fit(self, told_w: np.ndarray, missed_w: np.ndarray) -> None:
        span_w = max(float(np.ptp(told_w)), 1.0)
        reach_w = max(float(np.abs(missed_w).max()) * 1.25, 0.1)
        ends = (float(told_w.min()) - 0.05 * span_w, float(told_w.max()) + 0.05 * span_w)
        # Room at the top for the legend.
        self.plotItem.vb.setRange(xRange=ends, yRange=(-reach_w, 2.2 * reach_w), padding=0)
        color = self._theme.muted
        self.getAxis("bottom").setLabel(self.tr("Told (W)"), color=color)
        self.getAxis("left").setLabel(self.tr("Read − told (W)"), color=color)


def step_words(step: str) -> str:
    """Name a step of the staircase for a person."""
    words = {
        "idle": QCoreApplication.translate("Staircase", "Idle"),
        "one core": QCoreApplication.translate("Staircase", "One core"),
        "all cores": QCoreApplication.translate("Staircase", "All cores"),
        "decode": QCoreApplication.translate("Staircase", "Model writes"),
        "prefill": QCoreApplication.translate("Staircase", "Model reads"),
        "gpu": QCoreApplication.translate("Staircase", "GPU"),
    }
    return words.get(step, step)
