"""The stored power curve of one query, and a moment pointed at on it."""

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from desktop.live.plot import nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, frame_axes, hold_still
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.power.channel import Channel, Kind, Role
from monitor.power.curve import Curve, Gap
from monitor.power.silences import levelled
from monitor.store.curves import StoredTrace

MOST_POINTS = 400

DASHES: dict[Kind, list[float]] = {Kind.COUNTER: [], Kind.POWER: [8, 3], Kind.MODELLED: [3, 2]}
"""Pixels drawn and left out in turn: unbroken, dashed, dotted."""

EVEN_STOPS = 101
"""Where arrow keys stop on a curve of which no words are known."""

FAR = 10
"""Stops that an arrow key passes with Shift."""

Times = npt.NDArray[np.float64]


def peaks(time_s: Times, power_w: Times) -> tuple[Times, Times]:
    """Reduce a curve to what a plot's width can show, its least and greatest watts kept.

    pyqtgraph can do that, but goes through all readings several times for it.

    :param power_w: NaN where nothing was read; a run with such a reading stays a gap
    :return: times and watts, two of each run of readings
    """
    size = len(time_s) // MOST_POINTS
    if size < 2:
        return time_s, power_w
    firsts = np.arange(0, len(time_s), size)
    ends_w = [extreme.reduceat(power_w, firsts) for extreme in (np.maximum, np.minimum)]
    return np.repeat(time_s[firsts], 2), np.column_stack(ends_w).ravel()


class CurvePlot(pg.PlotWidget):
    """Draws a :class:`StoredTrace` with its phases behind it.

    The mouse points at a moment, and so do Left and Right (with Shift farther), Home and End.
    """

    pointed = Signal(float)
    """The moment pointed at, in seconds on the curve's clock."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self.parts: list[tuple[Channel, Curve]] = []
        self.moment_s: float | None = None
        self._stops_s: Times = np.zeros(1)
        self._line = pg.InfiniteLine(angle=90, pen=QPen(QColor(theme.text), 0))
        self._line.setZValue(10)
        hold_still(self, 52)
        color_axes(self, theme)
        # Seconds are written as such, however short a query was.
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setFixedHeight(170)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Power curve of the query"))
        self._frame(theme.line)

    def show_trace(
        self, trace: StoredTrace, channels: list[Channel], stops_s: Times | None = None
    ) -> None:
        """Draw the parts of a trace.

        :param stops_s: where arrow keys stop; at even steps unless given
        """
        self.clear()
        start_s = min((phase.start_s for phase in trace.phases), default=0.0)
        end_s = max((phase.end_s for phase in trace.phases), default=1.0)
        margin_s = max((end_s - start_s) * 0.04, 0.05)
        if stops_s is None or not len(stops_s):
            stops_s = np.linspace(start_s, end_s, EVEN_STOPS)
        self._stops_s = stops_s
        self.parts = [
            (channel, levelled(channel, trace.curves[channel.key]))
            for channel in channels
            if channel.role is Role.PART
            and channel.key in trace.curves
            and len(trace.curves[channel.key].time_s) > 1
        ]
        top_w = nice_ceiling(self._draw_parts(start_s - margin_s, end_s + margin_s))
        self._shade(trace, top_w)
        self._line.hide()
        self.addItem(self._line)
        self.plotItem.vb.setRange(
            xRange=(start_s - margin_s, end_s + margin_s), yRange=(0, top_w), padding=0
        )
        self.getAxis("left").setTicks([[(w, f"{w:g} W") for w in (0, top_w / 2, top_w)]])

    def _draw_parts(self, start_s: float, end_s: float) -> float:
        """Draw a line for each part; return the greatest watts between two moments."""
        highest_w, indices = 0.0, dict[object, int]()
        for channel, curve in self.parts:
            index = indices[channel.domain] = indices.get(channel.domain, -1) + 1
            color = QColor(self._theme.color_of(channel, index))
            power_w = np.where(curve.gap == Gap.NONE, curve.power_w, np.nan)
            pen = QPen(color, 1)
            pen.setCosmetic(True)
            if dashes := DASHES[channel.kind]:
                pen.setDashPattern(dashes)
            self.plot(*peaks(curve.time_s, power_w), pen=pen, connect="finite")
            inside = (curve.time_s >= start_s) & (curve.time_s <= end_s)
            known_w = power_w[inside & np.isfinite(power_w)]
            highest_w = max(highest_w, float(known_w.max(initial=0.0)))
        return highest_w

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

    # --- pointing ------------------------------------------------------------------------

    def show_moment(self, moment_s: float) -> None:
        """Draw the line at a moment."""
        self.moment_s = moment_s
        self._line.setValue(moment_s)
        self._line.show()

    def power_at(self, moment_s: float) -> list[tuple[Channel, float | None]]:
        """Return each part's watts as they are drawn at a moment, ``None`` where not read."""
        return [(channel, _power_at(curve, moment_s)) for channel, curve in self.parts]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at where the mouse is."""
        super().mouseMoveEvent(event)
        at = self.plotItem.vb.mapSceneToView(self.mapToScene(event.position().toPoint()))
        (low_s, high_s), _ = self.plotItem.vb.viewRange()
        self.pointed.emit(min(max(at.x(), low_s), high_s))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Point at the stop before or behind, the first or the last."""
        last = len(self._stops_s) - 1
        moment_s = -np.inf if self.moment_s is None else self.moment_s
        steps = FAR if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        match event.key():
            case Qt.Key.Key_Right:
                stop = int(np.searchsorted(self._stops_s, moment_s, side="right")) + steps - 1
            case Qt.Key.Key_Left:
                stop = int(np.searchsorted(self._stops_s, moment_s, side="left")) - steps
            case Qt.Key.Key_Home:
                stop = 0
            case Qt.Key.Key_End:
                stop = last
            case _:
                event.ignore()
                return
        self.pointed.emit(float(self._stops_s[min(max(stop, 0), last)]))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show by the axes' colour that arrow keys are heeded."""
        super().focusInEvent(event)
        self._frame(self._theme.accent)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the colour back."""
        super().focusOutEvent(event)
        self._frame(self._theme.line)

    def _frame(self, color: str) -> None:
        frame_axes(self, color)
        # An axis gives its label its own colour.
        self.getAxis("bottom").setLabel(self.tr("seconds"), color=self._theme.muted)


def _power_at(curve: Curve, moment_s: float) -> float | None:
    right = int(np.searchsorted(curve.time_s, moment_s))
    if not 0 < right < len(curve.time_s) or curve.gap[right] != Gap.NONE:
        return None
    share = (moment_s - curve.time_s[right - 1]) / (curve.time_s[right] - curve.time_s[right - 1])
    before_w, after_w = curve.power_w[right - 1], curve.power_w[right]
    if not np.isfinite(before_w):
        before_w = after_w
    power_w = float(before_w + share * (after_w - before_w))
    return power_w if np.isfinite(power_w) else None
