"""Plots set up the same way everywhere."""

import pyqtgraph as pg

from desktop.theme.palette import Theme


def hold_still(plot: pg.PlotWidget, left_width: int) -> None:
    """Make a plot a picture: nothing of it is dragged, and its ranges are set by hand.

    :param left_width: pixels for the figures of the left axis
    """
    plot.hideButtons()
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(False, False)
    plot.plotItem.vb.disableAutoRange()
    # Room for the labels at the ends of both axes.
    plot.plotItem.layout.setContentsMargins(4, 10, 16, 2)
    plot.getAxis("left").setWidth(left_width)


def color_axes(plot: pg.PlotWidget, theme: Theme) -> None:
    """Give ground and axes of a plot a theme's colours."""
    plot.setBackground(theme.surface)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(theme.line))
        axis.setTextPen(pg.mkPen(theme.muted))
