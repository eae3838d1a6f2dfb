"""Plots set up the same way everywhere."""

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject

from desktop.theme.palette import Theme

SIDES = ("left", "bottom")


class _WheelIgnored(QObject):
    """Leaves the wheel to the page a plot stands in: a plot takes it and does nothing with it."""

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Keep the wheel from a plot, so that Qt goes on to what holds it."""
        if event.type() is not QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


def freeze(plot: pg.PlotWidget) -> None:
    """Make a plot a picture: nothing of it is dragged, its ranges are set by hand, and the wheel
    scrolls the page."""
    plot.hideButtons()
    plot.setMouseEnabled(False, False)
    plot.viewport().installEventFilter(_WheelIgnored(plot))
    plot.plotItem.vb.disableAutoRange()


def hold_still(plot: pg.PlotWidget, left_width: int) -> None:
    """Make a plot a picture, see :func:`freeze`, with room for the labels of its axes.

    :param left_width: pixels for the figures of the left axis
    """
    freeze(plot)
    # Room for the labels at the ends of both axes.
    plot.plotItem.layout.setContentsMargins(4, 10, 16, 2)
    plot.getAxis("left").setWidth(left_width)


def color_axes(plot: pg.PlotWidget, theme: Theme) -> None:
    """Give ground and axes of a plot a theme's colours."""
    plot.setBackground(theme.surface)
    frame_axes(plot, theme.line)
    for side in SIDES:
        plot.getAxis(side).setTextPen(pg.mkPen(theme.muted))


def frame_axes(plot: pg.PlotWidget, color: str) -> None:
    """Draw the axes of a plot in a colour: the accent's while it heeds the keys."""
    for side in SIDES:
        plot.getAxis(side).setPen(pg.mkPen(color))
