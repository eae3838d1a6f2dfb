"""The live plot: curves of watts over the last minute, ten minutes or hour.

Drawn for little: opaque one-pixel pens, ranges set by hand, at most two points a pixel, a capped
rate, and nothing at all while hidden or paused.
"""

import bisect
import math
import time

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QPen, QShowEvent
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from desktop.live.model import LAG_S, LiveModel, Series
from desktop.live.throttle_marks import ThrottleMarks
from desktop.theme.palette import Theme
from desktop.theme.plots import freeze
from monitor.energy.account import DECODE, LOAD, PREFILL, Phase
from monitor.power.channel import Kind
from monitor.round_numbers import NICE

BUSY_MS, IDLE_MS = 200, 400
"""Time between frames while a query runs, and while there is little to see."""

AXIS_WIDTH, RIGHT_MARGIN = 52, 22
"""Pixels beside the plot: other plots over the same time stand below it with the same."""

STEP_PX = 1.0
"""No frame is drawn before the curves have moved by this much: an hour's hardly move."""

PIXELS_PER_BUCKET = 2

DASHES = {Kind.COUNTER: (1, 0), Kind.POWER: (5, 2), Kind.MODELLED: (3, 2)}
"""For each kind the buckets drawn and left out in turn: unbroken, dashed, dotted."""


def nice_ceiling(power_w: float) -> float:
    """Return a round number of watts a little above one that is to be shown."""
    if not power_w > 0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(power_w))
    return next((step * decade for step in NICE if step * decade >= power_w * 1.08), 15 * decade)


def phase_colors(theme: Theme) -> dict[str, str]:
    """Return the ground behind each phase, in the order in which they come."""
    return {LOAD: theme.load, PREFILL: theme.prefill, DECODE: theme.decode}


MARK_JOIN_PX = 3
"""Throttled stretches no further apart are marked as one."""

PIXELS_PER_TICK, TICK_HEIGHT = 4, 0.08
"""Strokes at the ends of items: not closer than this, and this share of the plot's height."""


class LivePlot(pg.PlotWidget):
    """Draws a :class:`LiveModel`.

    :param model: asked for news before each frame
    :param theme: colours
    """

    drawn = Signal(float, float)
    """A frame: the monotonic time of its end, and the seconds it spans."""

    def __init__(self, model: LiveModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._model, self._theme = model, theme
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self._shades: list[QGraphicsRectItem] = []
        self.phases_shown: set[str] = set()
        self._ticks = pg.PlotCurveItem(antialias=False)
        self._ticks.setZValue(3)
        self.addItem(self._ticks)
        self._throttles = ThrottleMarks(self, theme.warning)
        self._timer = QTimer(self, interval=IDLE_MS)
        self._timer.timeout.connect(self.draw)
        self.setAccessibleName(self.tr("Live power plot"))
        self.setMinimumHeight(88)
        freeze(self)
        # Room for the labels at the ends of both axes.
        self.plotItem.layout.setContentsMargins(4, 10, RIGHT_MARGIN, 2)
        self._span_s, self._top_w = 60.0, 1.0
        self._frozen_s: float | None = None
        self.set_theme(theme)
        self.set_span(60.0)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.setBackground(theme.surface)
        self._ticks.setPen(QPen(QColor(theme.muted), 0))
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
        self.getAxis("left").setWidth(AXIS_WIDTH)
        self._throttles.set_color(theme.warning)
        for curve in self._curves.values():
            self.removeItem(curve)
        self._curves.clear()
        for shade in self._shades:
            self.removeItem(shade)
        self._shades.clear()
        self.draw_now()

    def set_span(self, span_s: float) -> None:
        """Show the last so many seconds."""
        self._span_s = span_s
        self.plotItem.vb.setRange(xRange=(-span_s, 0), padding=0)
        self.getAxis("bottom").setTicks([_time_ticks(span_s)])
        self._set_top(self._top_w)
        self.draw_now()

    def set_paused(self, paused: bool) -> None:
        """Hold the picture still, or go on."""
        self._frozen_s = time.monotonic() if paused else None

    def showEvent(self, event: QShowEvent) -> None:
        """Draw while visible."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw nothing while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def draw(self) -> None:
        """Draw one frame, and decide when the next is due."""
        self._model.update()
        step_ms = 1000 * STEP_PX * self._span_s / max(self.width(), 1)
        self._timer.setInterval(round(max(BUSY_MS if self._model.busy else IDLE_MS, step_ms)))
        if self._frozen_s is None:
            self.draw_now()

    def draw_now(self) -> None:
        """Draw the present, or where it was held still."""
        self.draw_at((self._frozen_s or time.monotonic()) - LAG_S)

    def draw_at(self, end_s: float) -> None:
        """Draw the span that ends at a monotonic time."""
        keys = set()
        highest_w = 0.0
        indices: dict[object, int] = {}
        for series in self._model.series:
            domain = series.channel and series.channel.domain
            index = indices[domain] = indices.get(domain, -1) + 1
            key = series.channel.key if series.channel else ""
            keys.add(key)
            if key not in self._curves:
                self._curves[key] = self._new_curve(series, index)
            highest_w = max(highest_w, self._draw_series(self._curves[key], series, end_s))
        for gone in self._curves.keys() - keys:
            self.removeItem(self._curves.pop(gone))
        self._fit_top(highest_w)
        self._shade(end_s)
        self._mark_items(end_s)
        self._mark_throttled(end_s)
        self.drawn.emit(end_s, self._span_s)

    def _mark_throttled(self, end_s: float) -> None:
        """Mark on the upper edge when something was held back, and say so to screen readers."""
        join_s = MARK_JOIN_PX * self._span_s / max(self.width(), 1)
        found = self._model.gauges.throttled(end_s - self._span_s, end_s, join_s)
        self._throttles.show(found, end_s, self._span_s, self._top_w)
        reasons = dict.fromkeys(line for one in found for line in one.reason.split("\n"))
        told = self.tr("Throttled in this time: %1").replace("%1", "; ".join(reasons))
        described = told if reasons else ""
        if described != self.accessibleDescription():
            self.setAccessibleDescription(described)

    def _new_curve(self, series: Series, index: int) -> pg.PlotCurveItem:
        color = self._theme.color_of(series.channel, index) if series.channel else self._theme.text
        curve = pg.PlotCurveItem(pen=QPen(QColor(color), 0), antialias=False)
        curve.setZValue(5 if series.channel else 10)
        self.addItem(curve)
        return curve

    def _draw_series(self, curve: pg.PlotCurveItem, series: Series, end_s: float) -> float:
        """Put the visible part of a series on its curve; return its greatest watts."""
        model = self._model
        first, last = model.sample_at(end_s - self._span_s) - 1, model.sample_at(end_s)
        view = series.pyramid.view(first, last, max(self.width() // PIXELS_PER_BUCKET, 50))
        if not len(view.buckets) or not np.isfinite(view.high).any():
            curve.setData([], [])
            return 0.0
        middle = view.buckets * view.width + (view.width - 1) / 2
        x_s = model.time_of(0) + middle * model.step_s - end_s
        kind = series.channel.kind if series.channel else model.kind or Kind.COUNTER
        known = np.isfinite(view.high)
        joined = _dashes(view.buckets, kind)
        joined[:-1] &= known[1:]
        # A path that holds a NaN is not drawn at all: gaps are left out and jumped over.
        x_s, low_w, high_w, joined = x_s[known], view.low[known], view.high[known], joined[known]
        if view.width > 1:
            # A bucket is a stroke from its least to its greatest watts, then joined to the next.
            x_s = np.repeat(x_s, 2)
            high_w = np.stack([low_w, high_w], axis=1).reshape(-1)
            joined = np.stack([np.ones_like(joined), joined], axis=1).reshape(-1)
        curve.setData(x_s, high_w, connect=joined.astype(np.int32), skipFiniteCheck=True)
        return float(high_w.max())

    def _fit_top(self, highest_w: float) -> None:
        """Grow at once, shrink only when half of the height is empty."""
        wanted_w = nice_ceiling(highest_w)
        if wanted_w > self._top_w or wanted_w < self._top_w * 0.5:
            self._set_top(wanted_w)

    def _set_top(self, top_w: float) -> None:
        self._top_w = top_w
        self.plotItem.vb.setRange(yRange=(0, top_w), padding=0)
        self.getAxis("left").setTicks([[(w, f"{w:g} W") for w in (0, top_w / 2, top_w)]])

    def _mark_items(self, end_s: float) -> None:
        """Draw a short stroke where a benchmark's items ended; too many would only be a smear."""
        ends = self._model.boundaries_s
        first = bisect.bisect_left(ends, end_s - self._span_s)
        shown = np.array(ends[first : bisect.bisect_right(ends, end_s)])
        if not len(shown) or len(shown) * PIXELS_PER_TICK > self.width():
            self._ticks.setData([], [])
            return
        x_s = np.repeat(shown - end_s, 2)
        height_w = np.tile([0.0, self._top_w * TICK_HEIGHT], len(shown))
        self._ticks.setData(x_s, height_w, connect="pairs")

    def _shade(self, end_s: float) -> None:
        """Put coloured ground behind the phases."""
        colors = phase_colors(self._theme)
        shown = [
            phase
            for phase in self._model.phases
            if phase.end_s > end_s - self._span_s and phase.start_s < end_s
        ]
        while len(self._shades) < len(shown):
            shade = QGraphicsRectItem()
            shade.setPen(QPen(Qt.PenStyle.NoPen))
            shade.setZValue(-10)
            self.addItem(shade)
            self._shades.append(shade)
        for shade, phase in zip(self._shades, shown, strict=False):
            shade.setRect(self._shade_rect(phase, end_s))
            shade.setBrush(QColor(colors[phase.name]))
        for index, shade in enumerate(self._shades):
            shade.setVisible(index < len(shown))
        self.phases_shown = {phase.name for phase in shown}

    def _shade_rect(self, phase: Phase, end_s: float) -> QRectF:
        left_s = max(phase.start_s - end_s, -self._span_s)
        right_s = min(phase.end_s - end_s, 0.0)
        return QRectF(left_s, 0, max(right_s - left_s, 0.0), self._top_w)


def _dashes(buckets: np.ndarray, kind: Kind) -> np.ndarray:
    """Which buckets are joined to the next; tied to their numbers, so that dashes travel along."""
    drawn, left_out = DASHES[kind]
    return buckets % (drawn + left_out) < drawn


def _time_ticks(span_s: float) -> list[tuple[float, str]]:
    unit_s, unit = (60.0, "min") if span_s > 60 else (1.0, "s")
    marks = [-span_s * part / 6 for part in range(6, 0, -1)]
    return [(mark, f"−{-mark / unit_s:g} {unit}") for mark in marks]
