"""The plot of a recording, in which a span is chosen with the mouse or by keys."""

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop.history.curve import DASHES
from desktop.live.plot import nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from desktop.watch.clock import clock
from desktop.watch.outline import Outline
from monitor.power.channel import Kind
from monitor.recorded import Recorded

GRIP_PX = 7
"""So near an end of the span takes hold of it."""

LEAST_PX = 4
"""A shorter pull is a click, and chooses everything again."""

STEPS, FAR = 200, 10
"""Arrow keys move an end by this part of the whole; with Control ten times as far."""

MOST_NAMES, LONGEST_NAME = 40, 16
"""More marks have lines alone."""

NAME_ROWS, NAME_GAP_PX = 3, 6
"""Names that would lie over each other stand in rows; one that fits in none is not shown."""

TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
           28800, 86400)  # fmt: skip
MOST_TICKS = 9


def time_ticks(duration_s: float) -> list[tuple[float, str]]:
    """Return where an axis of so many seconds has its figures."""
    step_s = next((each for each in TICKS_S if duration_s / each <= MOST_TICKS), TICKS_S[-1])
    count = math.floor(duration_s / step_s) + 1
    return [(number * step_s, clock(number * step_s, step_s)) for number in range(count)]


class RecordingPlot(pg.PlotWidget):
    """Draws a :class:`Recorded` with its marks and the chosen span.

    A pull with the mouse chooses a span, or moves one of its ends; a click, or a double one,
    chooses everything. Left and Right move its end, with Shift its beginning; Home and End put
    them to the ends of the recording.
    """

    selected = Signal(float, float)
    """Beginning and end of the span, in seconds on the recording's clock, in their order."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self._recorded: Recorded | None = None
        self._outlines: Sequence[Outline] = ()
        self.names: list[tuple[float, pg.TextItem]] = []
        self.span_s = (0.0, 0.0)
        self._pulled_s: float | None = None
        self._pressed_px = 0.0
        hold_still(self, 56)
        # The names stay as wide as they are.
        self.plotItem.vb.sigResized.connect(self._place_names)
        self.setMinimumHeight(90)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Power curve of the recording"))
        self.setAccessibleDescription(
            self.tr("Left and Right move the end of the span, with Shift its beginning.")
        )
        self._region = pg.LinearRegionItem(movable=False)
        self._region.setZValue(-5)
        self._has_focus = False
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        accent = QColor(theme.accent)
        for line in self._region.lines:
            line.setPen(QPen(accent, 0))
        accent.setAlpha(46)
        self._region.setBrush(accent)
        self._frame()
        if self._recorded:
            self.show_recorded(self._recorded, self._outlines)

    @property
    def duration_s(self) -> float:
        """Length of what is drawn."""
        return self._recorded.recording.duration_s if self._recorded else 0.0

    @property
    def is_whole(self) -> bool:
        """Whether the span is all that is drawn."""
        return self.span_s[0] <= 0 and self.span_s[1] >= self.duration_s

    # --- drawing -------------------------------------------------------------------------

    def show_recorded(self, recorded: Recorded, outlines: Sequence[Outline]) -> None:
        """Draw a recording; the span stays, and one that was all of it grows with it."""
        was_whole = self._recorded is None or self.is_whole
        self._recorded, self._outlines = recorded, outlines
        self.clear()
        duration_s = max(self.duration_s, 0.1)
        top_w = nice_ceiling(self._draw_curves())
        self._draw_marks()
        self.addItem(self._region)
        self.plotItem.vb.setRange(xRange=(0, duration_s), yRange=(0, top_w), padding=0)
        self.getAxis("left").setTicks([[(w, f"{w:g} W") for w in (0, top_w / 2, top_w)]])
        self.getAxis("bottom").setTicks([time_ticks(duration_s)])
        self._place_names()
        self._put((0.0, self.duration_s) if was_whole else self.span_s)

    def _draw_curves(self) -> float:
        """Draw every outline; return the greatest watts."""
        highest_w, indices = 0.0, dict[object, int]()
        for line in self._outlines:
            if line.channel is None:
                color, dashes = self._theme.text, DASHES[Kind.COUNTER]
            else:
                domain = line.channel.domain
                index = indices[domain] = indices.get(domain, -1) + 1
                color = self._theme.color_of(line.channel, index)
                dashes = DASHES[line.channel.kind]
            pen = QPen(QColor(color), 1)
            pen.setCosmetic(True)
            if dashes:
                pen.setDashPattern(dashes)
            self.plot(line.time_s, line.power_w, pen=pen, connect="finite")
            known_w = line.power_w[np.isfinite(line.power_w)]
            highest_w = max(highest_w, float(known_w.max(initial=0.0)))
        return highest_w

    def _draw_marks(self) -> None:
        assert self._recorded
        marks = self._recorded.recording.marks
        pen = QPen(QColor(self._theme.muted), 0, Qt.PenStyle.DashLine)
        self.names = []
        for number, mark in enumerate(marks, start=1):
            self.addItem(pg.InfiniteLine(mark.at_s, angle=90, pen=pen))
            if len(marks) > MOST_NAMES:
                continue
            name = mark.name or str(number)
            if len(name) > LONGEST_NAME:
                name = name[: LONGEST_NAME - 1].rstrip() + "…"
            text = pg.TextItem(name, color=self._theme.muted, anchor=(0, 0))
            self.addItem(text)
            self.names.append((mark.at_s, text))

    def _place_names(self) -> None:
        """Put each name beside its line, in the highest row where it covers no other."""
        (low_s, high_s), (_, top_w) = self.plotItem.vb.viewRange()
        width_px, height_px = self.plotItem.vb.width(), self.plotItem.vb.height()
        if high_s <= low_s or not width_px or not height_px:
            return
        ends_px = [-math.inf] * NAME_ROWS
        for at_s, text in self.names:
            box = text.textItem.boundingRect()
            left_px = (at_s - low_s) / (high_s - low_s) * width_px
            if left_px + box.width() > width_px:
                left_px -= box.width()
            rows = ends_px[: max(int(height_px / box.height()), 1)]
            row = next((n for n, end_px in enumerate(rows) if left_px >= end_px), None)
            text.setVisible(row is not None)
            if row is not None:
                ends_px[row] = left_px + box.width() + NAME_GAP_PX
                x_s = low_s + left_px / width_px * (high_s - low_s)
                text.setPos(x_s, top_w * (1 - row * box.height() / height_px))

    # --- the span ------------------------------------------------------------------------

    def select(self, start_s: float, end_s: float) -> None:
        """Choose a span, put inside what is drawn; tell of it if it is another."""
        before = self.span_s
        self._put((start_s, end_s))
        if self.span_s != before:
            self.selected.emit(*self.span_s)

    def select_all(self) -> None:
        """Choose everything."""
        self.select(0.0, self.duration_s)

    def _put(self, span_s: tuple[float, float]) -> None:
        low_s, high_s = sorted(min(max(at_s, 0.0), self.duration_s) for at_s in span_s)
        self.span_s = (low_s, high_s)
        self._region.setRegion(self.span_s)
        self._region.setVisible(not self.is_whole)

    def _time_at(self, event: QMouseEvent) -> float:
        at = self.plotItem.vb.mapSceneToView(self.mapToScene(event.position().toPoint()))
        return min(max(float(at.x()), 0.0), self.duration_s)

    def _grip(self, event: QMouseEvent) -> float | None:
        """Return the other end than the one the mouse is near, ``None`` if it is near none."""
        if self.is_whole:
            return None
        width_s = self.plotItem.vb.viewPixelSize()[0] * GRIP_PX
        at_s = self._time_at(event)
        if abs(at_s - self.span_s[0]) <= width_s:
            return self.span_s[1]
        return self.span_s[0] if abs(at_s - self.span_s[1]) <= width_s else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a span, or take hold of one of its ends."""
        if event.button() != Qt.MouseButton.LeftButton or not self.duration_s:
            return
        grip_s = self._grip(event)
        self._pulled_s = self._time_at(event) if grip_s is None else grip_s
        # Whoever takes hold of an end does not mean a click, however little it is moved.
        self._pressed_px = event.position().x() if grip_s is None else -math.inf

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pull; show where an end can be taken hold of."""
        if self._pulled_s is None:
            near = self._grip(event) is not None
            shape = Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
        elif abs(event.position().x() - self._pressed_px) >= LEAST_PX:
            self.select(self._pulled_s, self._time_at(event))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the pull; a click chooses everything."""
        if self._pulled_s is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if abs(event.position().x() - self._pressed_px) < LEAST_PX:
            self.select_all()
        self._pulled_s = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move an end of the span."""
        low_s, high_s = self.span_s
        is_far = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        step_s = self.duration_s / STEPS * (FAR if is_far else 1)
        moves_start = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Right:
                step_s = step_s if event.key() == Qt.Key.Key_Right else -step_s
                if moves_start:
                    low_s = min(low_s + step_s, high_s)
                else:
                    high_s = max(high_s + step_s, low_s)
            case Qt.Key.Key_Home:
                low_s = 0.0
            case Qt.Key.Key_End:
                high_s = self.duration_s
            case _:
                event.ignore()
                return
        self.select(low_s, high_s)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show by the axes' colour that arrow keys are heeded."""
        super().focusInEvent(event)
        self._has_focus = True
        self._frame()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the colour back."""
        super().focusOutEvent(event)
        self._has_focus = False
        self._frame()

    def _frame(self) -> None:
        color = self._theme.accent if self._has_focus else self._theme.line
        for side in ("left", "bottom"):
            self.getAxis(side).setPen(pg.mkPen(color))
