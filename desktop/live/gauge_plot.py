"""Curves of gauges below the plot of power: a lane for each unit, over the same time."""

import pyqtgraph as pg
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from desktop.live.gauges import LiveGauges, colors_of
from desktop.live.plot import AXIS_WIDTH, PIXELS_PER_BUCKET, RIGHT_MARGIN, nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import freeze
from monitor import figures
from monitor.power.gauge import Gauge, Quantity

LEAST_LANE_PX, LANE_PX, MARGIN_PX = 20, 44, 8
"""Height of a lane: what its figures need, and the most that is of use; and of what lies above and
below all of them."""

LANE_SHARE = 0.8
"""Of a lane's height, what its scale takes; the rest sets it off from the lane above."""

LEAST_TOP = {Quantity.UTILISATION: 100.0, Quantity.TEMPERATURE: 100.0, Quantity.CLOCK: 1000.0}
"""No lane's scale ends below this, so that noise does not look like a load."""

IN_UNIT = {Quantity.CLOCK: 1000.0, Quantity.MEMORY: 2.0**30}
"""Scales end on round numbers of GHz and GiB."""


class GaugePlot(pg.PlotWidget):
    """Draws the chosen of :class:`LiveGauges`; hidden while none is.

    :param theme: colours, for which :meth:`set_theme` is called once it stands in its place
    """

    def __init__(self, gauges: LiveGauges, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._gauges, self._theme = gauges, theme
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self._lines: list[pg.PlotCurveItem] = []
        self._tops: dict[Quantity, float] = {}
        self._span_s = 0.0
        self.setAccessibleName(self.tr("Live gauges plot"))
        freeze(self)
        self.plotItem.layout.setContentsMargins(4, MARGIN_PX - 2, RIGHT_MARGIN, 2)
        self.hideAxis("bottom")
        self.getAxis("left").setWidth(AXIS_WIDTH)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.setBackground(theme.surface)
        axis = self.getAxis("left")
        axis.setPen(pg.mkPen(theme.line))
        axis.setTextPen(pg.mkPen(theme.muted))
        self.lay_out()

    def lay_out(self) -> None:
        """Make a lane for each unit among what is chosen now."""
        lanes = self._gauges.lanes()
        for item in (*self._curves.values(), *self._lines):
            self.removeItem(item)
        colors = colors_of(lanes, self._theme)
        self._curves = {key: self._curve(color, 5) for key, color in colors.items()}
        self._lines = [self._curve(self._theme.line, 0) for _ in lanes]
        self.setMinimumHeight(len(lanes) * LEAST_LANE_PX + MARGIN_PX)
        self.setMaximumHeight(len(lanes) * LANE_PX + MARGIN_PX)
        self.plotItem.vb.setRange(yRange=(0, max(len(lanes), 1)), padding=0)
        self._tops = {quantity: self._tops.get(quantity, 0.0) for quantity in lanes}
        self._show_scale()
        self.setVisible(bool(lanes))

    def _curve(self, color: str, z_value: int) -> pg.PlotCurveItem:
        curve = pg.PlotCurveItem(pen=QPen(QColor(color), 0), antialias=False)
        curve.setZValue(z_value)
        self.addItem(curve)
        return curve

    def draw_at(self, end_s: float, span_s: float) -> None:
        """Draw the span that ends at a monotonic time."""
        lanes = self._gauges.lanes()
        if {g.key for gauges in lanes.values() for g in gauges} != self._curves.keys():
            self.lay_out()
        if not self.isVisible():
            return
        if span_s != self._span_s:
            self._span_s = span_s
            self.plotItem.vb.setRange(xRange=(-span_s, 0), padding=0)
        for lane, (quantity, gauges) in enumerate(lanes.items()):
            floor = len(lanes) - 1 - lane
            self._lines[lane].setData([-span_s, 0], [floor, floor])
            self._draw_lane(quantity, gauges, floor, end_s, span_s)

    def _draw_lane(
        self, quantity: Quantity, gauges: list[Gauge], floor: int, end_s: float, span_s: float
    ) -> None:
        most = max(self.width() // PIXELS_PER_BUCKET, 50)
        drawn = [(g, self._gauges.strokes(g, end_s - span_s, end_s, most)) for g in gauges]
        highest = max((float(s.value.max()) for _, s in drawn if len(s.value)), default=0.0)
        self._fit_top(quantity, highest)
        scale = LANE_SHARE / self._tops[quantity]
        for gauge, strokes in drawn:
            self._curves[gauge.key].setData(
                strokes.time_s - end_s,
                floor + strokes.value * scale,
                connect=strokes.joined,
                skipFiniteCheck=True,
            )

    def _fit_top(self, quantity: Quantity, highest: float) -> None:
        """Grow at once, shrink only when half of the lane is empty."""
        unit, top = IN_UNIT.get(quantity, 1.0), self._tops[quantity]
        wanted = LEAST_TOP.get(quantity, 0.0)
        if highest > wanted:
            wanted = nice_ceiling(highest / unit) * unit
        if not top or highest > top or wanted <= top * 0.5:
            self._tops[quantity] = wanted or unit
            self._show_scale()

    def _show_scale(self) -> None:
        """Write the upper end of each lane; all of them begin at zero."""
        lanes = len(self._tops)
        self.getAxis("left").setTicks(
            [
                [
                    (lanes - 1 - lane + LANE_SHARE, scale_end(quantity, top))
                    for lane, (quantity, top) in enumerate(self._tops.items())
                    if top
                ]
            ]
        )


def scale_end(quantity: Quantity, top: float) -> str:
    """Write the upper end of a scale, a round number of its unit: 100 %, 4 GHz, 8 GiB."""
    number, _, unit = figures.reading(quantity, top).partition(" ")
    return f"{float(number):g} {unit}"
