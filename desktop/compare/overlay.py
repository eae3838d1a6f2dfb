"""The power curves of several queries over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget

from desktop.history.curve import DASHES, MOST_POINTS
from desktop.live.plot import nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from monitor.energy.account import DECODE, LOAD, Bill
from monitor.power.channel import Kind, Role
from monitor.power.curve import Curve, Gap
from monitor.power.silences import levelled
from monitor.store.curves import StoredTrace
from monitor.store.records import QueryRecord

Floats = NDArray[np.float64]

LETTERS = "ABCD"
"""Names of the queries in curves, bars and table."""


APART = 20
"""The letters of two curves of one length are this part of it apart."""


class Align(StrEnum):
    """What lies at zero seconds."""

    PREFILL = "prefill"
    FIRST_TOKEN = "first token"


def power_at(curve: Curve, time_s: Floats) -> Floats:
    """Return watts between a curve's readings, NaN in gaps and beyond its ends.

    :param time_s: shape (n,), on the curve's clock
    :return: shape (n,)
    """
    right = np.clip(np.searchsorted(curve.time_s, time_s), 1, len(curve.time_s) - 1)
    # A reading's own moment needs no neighbour: a gap before it hides nothing of it.
    exact = curve.time_s[right] == time_s
    power_w = np.interp(time_s, curve.time_s, curve.power_w)
    is_known = (curve.gap[right] == Gap.NONE) | exact | (curve.time_s[right - 1] == time_s)
    is_inside = (time_s >= curve.time_s[0]) & (time_s <= curve.time_s[-1])
    return np.where(is_known & is_inside, power_w, np.nan)


def total_power(trace: StoredTrace, bill: Bill) -> tuple[Floats, Floats] | None:
    """Return seconds and the sum of the parts' watts; NaN where one of them was not read.

    :return: two arrays of shape (n,); ``None`` if there is no curve of some part that was billed
    """
    billed = [
        line.channel
        for line in bill.by_channel()
        if line.channel.role is Role.PART and line.energy is not None
    ]
    curves = [(channel, trace.curves.get(channel.key)) for channel in billed]
    parts = [
        levelled(channel, curve)
        for channel, curve in curves
        if curve is not None and len(curve.time_s) > 1
    ]
    if not parts or len(parts) < len(billed):
        return None
    # The clock of the part that was read most often: the others are read off between readings.
    time_s = max(parts, key=lambda curve: len(curve.time_s)).time_s
    return time_s, np.sum([power_at(curve, time_s) for curve in parts], axis=0)


def origin_of(trace: StoredTrace, record: QueryRecord, align: Align) -> float | None:
    """Return when prefill began, or the first token came; ``None`` if that is not known."""
    began = [phase for phase in trace.phases if phase.name != LOAD]
    start_s = min((phase.start_s for phase in began), default=None)
    if align is Align.PREFILL or start_s is None:
        return start_s
    decode = [phase.start_s for phase in began if phase.name == DECODE]
    after_s = record.seconds.first_token
    return start_s + after_s if after_s is not None else min(decode, default=None)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One query's curve.

    :param number: of the query, from 0
    :param time_s: shape (n,), from what lies at zero
    :param power_w: shape (n,), NaN in gaps
    :param span_s: from where to where it ran
    """

    number: int
    time_s: Floats
    power_w: Floats
    span_s: tuple[float, float]
    kind: Kind


def curve_of(number: int, record: QueryRecord, trace: StoredTrace, align: Align) -> Drawn | None:
    """Return a query's curve as it is drawn; ``None`` if there is none to draw."""
    total, zero_s = total_power(trace, record.bill), origin_of(trace, record, align)
    kind = record.bill.total().kind
    if total is None or zero_s is None or kind is None:
        return None
    phases = [phase for phase in trace.phases if phase.name != LOAD]
    span_s = min(p.start_s for p in phases) - zero_s, max(p.end_s for p in phases) - zero_s
    return Drawn(number, total[0] - zero_s, total[1], span_s, kind)


class OverlayPlot(pg.PlotWidget):
    """Draws a curve for each query, in its colour, with its letter at the end."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self._curves: list[Drawn] = []
        self._align = Align.PREFILL
        hold_still(self, 52)
        self.setMinimumHeight(120)
        self.setAccessibleName(self.tr("Power curves"))
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        self._draw()

    def show_curves(self, curves: Sequence[Drawn], align: Align) -> None:
        """Show other curves."""
        self._curves, self._align = list(curves), align
        self._draw()

    def _draw(self) -> None:
        self.clear()
        if not self._curves:
            return
        start_s = min(curve.span_s[0] for curve in self._curves)
        end_s = max(curve.span_s[1] for curve in self._curves)
        margin_s = max((end_s - start_s) * 0.04, 0.05)
        highest_w = max(self._draw_curve(curve, margin_s) for curve in self._curves)
        top_w = nice_ceiling(highest_w)
        zero = pg.InfiniteLine(0.0, pen=pg.mkPen(self._theme.muted, style=Qt.PenStyle.DotLine))
        self.addItem(zero)
        self.plotItem.vb.setRange(
            xRange=(start_s - margin_s, end_s + margin_s), yRange=(0, top_w), padding=0
        )
        self.getAxis("left").setTicks([[(w, f"{w:g} W") for w in (0, top_w / 2, top_w)]])
        words = {
            Align.PREFILL: self.tr("seconds from the start of prefill"),
            Align.FIRST_TOKEN: self.tr("seconds from the first token"),
        }
        self.getAxis("bottom").setLabel(words[self._align], color=self._theme.muted)

    def _draw_curve(self, curve: Drawn, margin_s: float) -> float:
        """Draw one and its letter; return its greatest watts."""
        color = self._theme.sequence[curve.number % len(self._theme.sequence)]
        inside = (curve.time_s >= curve.span_s[0] - margin_s) & (
            curve.time_s <= curve.span_s[1] + margin_s
        )
        time_s, power_w = curve.time_s[inside], curve.power_w[inside]
        pen = QPen(QColor(color), 1)
        pen.setCosmetic(True)
        if dashes := DASHES[curve.kind]:
            pen.setDashPattern(dashes)
        item = self.plot(time_s, power_w, pen=pen, connect="finite")
        # An hour of readings is reduced to what the width can show, peaks kept.
        item.setDownsampling(ds=max(len(power_w) // MOST_POINTS, 1), method="peak")
        known = np.flatnonzero(np.isfinite(power_w) & (time_s <= curve.span_s[1]))
        if not len(known):
            return 0.0
        letter = pg.TextItem(LETTERS[curve.number], color=color, anchor=(0.5, 1))
        self.addItem(letter)
        # Curves that end together would have their letters on each other.
        at = known[-1 - min(curve.number * len(known) // APART, len(known) - 1)]
        letter.setPos(QPointF(float(time_s[at]), float(power_w[at])))
        return float(np.nanmax(power_w))
