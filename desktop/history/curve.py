"""The stored power curve of one query."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from desktop.live.plot import nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.power.channel import Channel, Kind, Role
from monitor.power.trace import Gap
from monitor.store.curves import StoredTrace

MOST_POINTS = 400

DASHES: dict[Kind, list[float]] = {Kind.COUNTER: [], Kind.POWER: [8, 3], Kind.MODELLED: [3, 2]}
"""Pixels drawn and left out in turn: unbroken, dashed, dotted."""


class CurvePlot(pg.PlotWidget):
    """Draws a :class:`StoredTrace` with its phases behind it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface)
        self._theme = theme
        hold_still(self, 52)
        color_axes(self, theme)
        # Seconds are written as such, however short a query was.
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setFixedHeight(170)
        self.setAccessibleName(self.tr("Power curve of the query"))
        self.getAxis("bottom").setLabel(self.tr("seconds"), color=theme.muted)

    def show_trace(self, trace: StoredTrace, channels: list[Channel]) -> None:
        """Draw the parts of a trace."""
        self.clear()
        start_s = min((phase.start_s for phase in trace.phases), default=0.0)
        end_s = max((phase.end_s for phase in trace.phases), default=1.0)
        margin_s = max((end_s - start_s) * 0.04, 0.05)
        highest_w, indices = 0.0, dict[object, int]()
        for channel in channels:
            curve = trace.curves.get(channel.key)
            if curve is None or channel.role is not Role.PART or len(curve.time_s) < 2:
                continue
            index = indices[channel.domain] = indices.get(channel.domain, -1) + 1
            color = QColor(self._theme.color_of(channel, index))
            power_w = np.where(curve.gap == Gap.NONE, curve.power_w, np.nan)
            pen = QPen(color, 1)
            pen.setCosmetic(True)
            if dashes := DASHES[channel.kind]:
                pen.setDashPattern(dashes)
            # An hour of readings is reduced to what the width can show, peaks kept.
            curve_item = self.plot(curve.time_s, power_w, pen=pen, connect="finite")
            curve_item.setDownsampling(ds=max(len(power_w) // MOST_POINTS, 1), method="peak")
            inside = (curve.time_s >= start_s - margin_s) & (curve.time_s <= end_s + margin_s)
            known_w = power_w[inside & np.isfinite(power_w)]
            highest_w = max(highest_w, float(known_w.max(initial=0.0)))
        top_w = nice_ceiling(highest_w)
        self._shade(trace, top_w)
        self.plotItem.vb.setRange(
            xRange=(start_s - margin_s, end_s + margin_s), yRange=(0, top_w), padding=0
        )
        self.getAxis("left").setTicks([[(w, f"{w:g} W") for w in (0, top_w / 2, top_w)]])

    def _shade(self, trace: StoredTrace, top_w: float) -> None:
        colors = {
            LOAD: self._theme.load,
            PREFILL: self._theme.prefill,
            DECODE: self._theme.decode,
        }
        for phase in trace.phases:
            shade = QGraphicsRectItem(QRectF(phase.start_s, 0, phase.end_s - phase.start_s, top_w))
            shade.setPen(QPen(Qt.PenStyle.NoPen))
            shade.setBrush(QColor(colors[phase.name]))
            shade.setZValue(-10)
            self.addItem(shade)
