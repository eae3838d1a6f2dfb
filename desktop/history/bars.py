"""Energy, CO2, tokens or joules a token over time, as bars stacked by what they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QDate, QLocale, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip, QWidget

from desktop.history.state import Measure
from desktop.live.plot import nice_ceiling
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, frame_axes, hold_still
from monitor import figures
from monitor.energy.account import weakest
from monitor.power.channel import Domain, Kind
from monitor.store.charts import Bar, Period, Stack, Totals

MOST_PIECES = 7
"""What is beyond so many is drawn as one piece, “others”."""

OTHERS = "…"

MOST_DOTS = 62
"""Points of a row that are marked each: of days, as many as a chart of days spans by itself. More
of them run into one another, and a thousand take longer to draw than the window may stand still."""


def value_of(totals: Totals, measure: Measure) -> float | None:
    """Return the figure a bar's height stands for."""
    match measure:
        case Measure.ENERGY:
            return totals.energy_j
        case Measure.CO2:
            return totals.grams
        case Measure.TOKENS:
            return float(totals.completion_tokens)
        case Measure.PER_TOKEN:
            return totals.joules_per_token


def is_least(totals: Totals, measure: Measure) -> bool:
    """Whether such a figure is the least it can be, as not all was read that belongs to it."""
    match measure:
        case Measure.TOKENS:
            return False
        case Measure.CO2:
            return totals.is_lower_bound or totals.uncosted > 0
        case Measure.PER_TOKEN:
            return totals.has_least_means
        case Measure.ENERGY:
            return totals.is_lower_bound


def words_of(value: float | None, measure: Measure) -> str:
    """Write such a figure with its unit."""
    if value is None:
        return figures.UNKNOWN
    match measure:
        case Measure.CO2:
            return figures.mass(value)
        case Measure.TOKENS:
            return figures.count(value)
        case _:
            return figures.energy(value)


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart's figures as they are drawn.

    :param starts: first days of the periods, without a gap
    :param heights: for each piece its height in every period; NaN where nothing is known
    :param kinds: the weakest kind among a piece's energies
    :param lacking: for each piece in which periods it was more, as not all was read
    """

    starts: tuple[date, ...]
    heights: Mapping[str, np.ndarray]
    kinds: Mapping[str, Kind | None]
    lacking: Mapping[str, frozenset[date]] = field(default_factory=dict)


def arrange(bars: Sequence[Bar], period: Period, measure: Measure) -> Columns:
    """Put a chart's bars in columns: every period between the first and the last has one."""
    if not bars:
        return Columns((), {}, {})
    starts, day, last = [], bars[0].start, bars[-1].start
    while day <= last:
        starts.append(day)
        day = period.next(day)
    at = {start: index for index, start in enumerate(starts)}
    known = [(bar, value) for bar in bars if (value := value_of(bar.totals, measure)) is not None]
    heights = {key: np.full(len(starts), np.nan) for key in {bar.key: None for bar, _ in known}}
    for bar, value in known:
        heights[bar.key][at[bar.start]] = value
    ordered = sorted(heights, key=lambda key: -float(np.nansum(heights[key])))
    if len(ordered) > MOST_PIECES and measure is not Measure.PER_TOKEN:
        rest = np.array([heights.pop(key) for key in ordered[MOST_PIECES - 1 :]])
        is_known = ~np.isnan(rest).all(axis=0)
        heights[OTHERS] = np.where(is_known, np.nansum(rest, axis=0), np.nan)
        ordered = [*ordered[: MOST_PIECES - 1], OTHERS]
    kinds: dict[str, set[Kind]] = {key: set() for key in ordered}
    lacking: dict[str, set[date]] = {key: set() for key in ordered}
    for bar, _ in known:
        key = bar.key if bar.key in kinds else OTHERS
        if bar.totals.kind:
            kinds[key].add(bar.totals.kind)
        if is_least(bar.totals, measure):
            lacking[key].add(bar.start)
    return Columns(
        tuple(starts),
        {key: heights[key] for key in ordered},
        {key: weakest(found) for key, found in kinds.items()},
        {key: frozenset(found) for key, found in lacking.items()},
    )


class BarChart(pg.PlotWidget):
    """Draws :class:`Columns`."""

    chosen = Signal(object)
    """The first day of a period that was clicked."""
    pointed = Signal(str)
    """What the period came to that the arrows have led to."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self._columns = Columns((), {}, {})
        self._period, self._measure, self._stack = Period.DAY, Measure.ENERGY, Stack.NOTHING
        hold_still(self, 68)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._cursor: int | None = None
        self._mark = pg.InfiniteLine(angle=90)
        self._mark.setZValue(5)
        self.setAccessibleName(self.tr("Chart over time"))
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        if self.hasFocus():
            frame_axes(self, theme.accent)
        self._draw()

    def show_columns(
        self, columns: Columns, period: Period, measure: Measure, stack: Stack
    ) -> None:
        """Show a chart."""
        self._period, self._measure, self._stack = period, measure, stack
        self._columns, self._cursor = columns, None
        self._draw()

    def colors(self) -> dict[str, str]:
        """Return the colour of each piece, the largest first."""
        sequence = self._theme.sequence
        found = {}
        for index, key in enumerate(self._columns.heights):
            color = sequence[index % len(sequence)]
            if self._stack is Stack.COMPONENT:
                color = self._theme.series[Domain(key)][0]
            found[key] = self._theme.muted if key == OTHERS else color
        return found

    def mark_of(self, key: str) -> Kind | None:
        """Return the kind that marks a piece's figures; masses and tokens have none."""
        is_energy = self._measure in (Measure.ENERGY, Measure.PER_TOKEN)
        return self._columns.kinds.get(key) if is_energy else None

    def _draw(self) -> None:
        self.clear()
        starts = self._columns.starts
        if not starts:
            return
        top = self._draw_rates() if self._measure is Measure.PER_TOKEN else self._draw_stack()
        margin = 0.6
        self.plotItem.vb.setRange(
            xRange=(-margin, len(starts) - 1 + margin), yRange=(0, top), padding=0
        )
        size, unit = figures.unit_for(top, _units(self._measure))
        ticks = [(v, f"{figures.significant(v / size)} {unit}".strip()) for v in (top / 2, top)]
        self.getAxis("left").setTicks([[(0, "0"), *ticks]])
        self.getAxis("bottom").setTicks([self._day_ticks(starts)])

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show by the axes' colour that arrow keys are heeded."""
        super().focusInEvent(event)
        frame_axes(self, self._theme.accent)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the colour back."""
        super().focusOutEvent(event)
        frame_axes(self, self._theme.line)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move over the periods with the arrows, and choose one with Enter."""
        starts = self._columns.starts
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps and starts:
            last = len(starts) - 1
            now = last if self._cursor is None else self._cursor + steps[Qt.Key(event.key())]
            self._cursor = min(max(now, 0), last)
            self._mark.setPen(pg.mkPen(self._theme.text))
            self._mark.setPos(self._cursor)
            if self._mark.scene() is None:
                self.addItem(self._mark)
            told = self.tip(starts[self._cursor])
            self.setAccessibleDescription(told)
            self.pointed.emit(told)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cursor is not None:
            self.chosen.emit(starts[self._cursor])
        else:
            super().keyPressEvent(event)

    def _draw_stack(self) -> float:
        x = np.arange(len(self._columns.starts))
        base = np.zeros(len(x))
        for key, color in self.colors().items():
            height = np.nan_to_num(self._columns.heights[key])
            # Thin bars without an edge, or the edge is all one sees of a thousand of them.
            self.addItem(
                pg.BarGraphItem(x=x, y0=base, height=height, width=0.82, pen=None, brush=color)
            )
            base = base + height
        return self._ceiling(float(base.max(initial=0.0)))

    def _draw_rates(self) -> float:
        """Joules a token cannot be stacked: each piece is a line, its points marked if few."""
        top = 0.0
        for key, color in self.colors().items():
            height = self._columns.heights[key]
            x = np.flatnonzero(~np.isnan(height))
            # Apart rather than by plot(), which lays every point out several times.
            self.addItem(pg.PlotCurveItem(x, height[x], pen=pg.mkPen(color)))
            if len(x) <= MOST_DOTS:
                brush = QColor(color)
                self.addItem(pg.ScatterPlotItem(x, height[x], size=5, brush=brush, pen=None))
            top = max(top, float(np.nanmax(height)))
        return self._ceiling(top)

    def _ceiling(self, value: float) -> float:
        """Return a figure above the highest that is round in the unit it is written in."""
        if value <= 0:
            return 1.0
        size, _ = figures.unit_for(value, _units(self._measure))
        return nice_ceiling(value / size) * size

    def _day_ticks(self, starts: Sequence[date]) -> list[tuple[float, str]]:
        room = max(int(self.width() / 90), 2)
        every = max(-(-len(starts) // room), 1)
        return [(i, self.span_words(starts[i])) for i in range(0, len(starts), every)]

    def span_words(self, start: date) -> str:
        """Write which period begins on a day."""
        day = QDate(start.year, start.month, start.day)
        if self._period is Period.MONTH:
            return QLocale().toString(day, "MMM yyyy")
        form = "d MMM" if start.year == date.today().year else "d MMM yyyy"
        return QLocale().toString(day, form)

    def resizeEvent(self, event: object) -> None:
        """Label as many days as there is room for."""
        super().resizeEvent(event)
        # pyqtgraph calls this while it is still being made.
        if event is not None and self._columns.starts:
            self.getAxis("bottom").setTicks([self._day_ticks(self._columns.starts)])

    def period_at(self, position: QPointF) -> date | None:
        """Return the first day of the period under a point of the widget."""
        at = round(self.plotItem.vb.mapSceneToView(self.mapToScene(position.toPoint())).x())
        inside = 0 <= at < len(self._columns.starts)
        return self._columns.starts[at] if inside else None

    def tip(self, start: date) -> str:
        """Say what a period came to, piece by piece."""
        at = self._columns.starts.index(start)
        lines = [self.span_words(start)]
        for key, heights in self._columns.heights.items():
            if not np.isnan(heights[at]):
                name = f"{key}: " if key else ""
                shown = words_of(float(heights[at]), self._measure)
                marked = figures.marked(self.mark_of(key), shown)
                lacks = start in self._columns.lacking.get(key, ())
                lines.append(f"{name}{figures.at_least(marked, lacks)}")
        return "\n".join(lines)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the pointer."""
        super().mouseMoveEvent(event)
        start = self.period_at(event.position())
        if start is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.tip(start), self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell which period was clicked."""
        super().mouseReleaseEvent(event)
        start = self.period_at(event.position())
        if start is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(start)


def _units(measure: Measure) -> figures.Units:
    match measure:
        case Measure.CO2:
            return figures.MASS
        case Measure.TOKENS:
            return figures.COUNTS
        case _:
            return figures.ENERGY
