"""Runs of one prompt as dots, with the band in which their mean lies."""

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from desktop.compare.ticks import energy_ticks
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from monitor import figures
from monitor.energy.interval import Z95
from monitor.energy.precision import Mean
from monitor.power.channel import Kind

FEWEST_PLACES = 5
"""The dots of a few runs do not spread over the whole width."""


class RunDots(pg.PlotWidget):
    """A dot for each run from left to right; a line for their mean, a band for its scatter.

    :param before_j: the stored query the runs repeat, a dashed line; ``None`` if it was not
      measured
    """

    def __init__(self, theme: Theme, before_j: float | None, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme, self._before_j = theme, before_j
        self._mean: Mean | None = None
        hold_still(self, 64)
        self.setMinimumHeight(130)
        self.setAccessibleName(self.tr("The energy of each run"))
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        self._draw()

    def show_mean(self, mean: Mean | None) -> None:
        """Show the runs a mean is of."""
        self._mean = mean
        runs = [figures.marked(mean.kind, figures.energy(j)) for j in mean.joules] if mean else []
        self.setAccessibleDescription(", ".join(runs))
        self._draw()

    def _draw(self) -> None:
        self.clear()
        low_j, high_j = self._range_j()
        places = max(len(self._mean.joules) if self._mean else 0, FEWEST_PLACES)
        self.plotItem.vb.setRange(xRange=(0.5, places + 0.5), yRange=(low_j, high_j), padding=0)
        self.getAxis("left").setTicks([energy_ticks(low_j, high_j, is_log=False)])
        step = max(places // 10, 1)
        self.getAxis("bottom").setTicks([[(n, str(n)) for n in range(1, places + 1, step)]])
        self.getAxis("bottom").setLabel(self.tr("run"), color=self._theme.muted)
        if self._before_j is not None:
            pen = pg.mkPen(self._theme.muted, width=1.5, style=Qt.PenStyle.DashLine)
            self.addItem(pg.InfiniteLine(self._before_j, angle=0, pen=pen))
        if self._mean:
            self._draw_mean(self._mean)

    def _draw_mean(self, mean: Mean) -> None:
        accent = QColor(self._theme.accent)
        if band := self._band_j():
            tint = QColor(accent)
            tint.setAlpha(45)
            region = pg.LinearRegionItem(
                band, orientation="horizontal", movable=False, brush=tint, pen=pg.mkPen(None)
            )
            self.addItem(region)
        self.addItem(pg.InfiniteLine(mean.energy.joules, angle=0, pen=pg.mkPen(accent, width=1.5)))
        # Hollow for what no sensor counts, as the marks are.
        fill = self._theme.surface if mean.kind is Kind.MODELLED else self._theme.accent
        runs = range(1, mean.count + 1)
        pen = pg.mkPen(accent, width=1.5)
        self.addItem(pg.ScatterPlotItem(runs, mean.joules, size=9, pen=pen, brush=fill))

    def _band_j(self) -> tuple[float, float] | None:
        """Between which joules the mean lies as far as the runs scatter; not of a single one."""
        if self._mean is None or self._mean.count < 2:
            return None
        half_j = Z95 * self._mean.energy.random_j
        return max(self._mean.energy.joules - half_j, 0.0), self._mean.energy.joules + half_j

    def _range_j(self) -> tuple[float, float]:
        """Return the joules at the bottom and at the top."""
        shown = list(self._mean.joules) if self._mean else []
        if self._before_j is not None:
            shown.append(self._before_j)
        if not shown:
            return 0.0, 1.0
        low_j, high_j = min(shown), max(shown)
        reach_j = max(high_j - low_j, 0.05 * high_j, 1e-6)
        if band := self._band_j():
            # The band of two or three runs is wider than anybody needs to see.
            low_j = max(min(low_j, band[0]), low_j - reach_j)
            high_j = min(max(high_j, band[1]), high_j + reach_j)
        room_j = 0.1 * reach_j
        return max(low_j - room_j, 0.0), high_j + room_j
