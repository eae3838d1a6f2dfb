"""A year as a field of days, each as strong in colour as the energy it took."""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from PySide6.QtCore import QDate, QEvent, QLocale, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from desktop.history.bars import is_least, value_of, words_of
from desktop.history.state import Measure
from desktop.theme.palette import Theme
from monitor import figures
from monitor.power.channel import Kind
from monitor.store.charts import Bar

WEEKS, DAYS = 53, 7
LEFT, TOP, GAP = 34, 22, 2
LEVELS = 4
"""Strengths of colour: quarters of the days with energy, so that one long night does not
make all other days pale."""


class Calendar(QWidget):
    """The 53 weeks up to a last day; a click or Enter chooses a day."""

    chosen = Signal(object)
    """A day."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._last = date.today()
        self._values: Mapping[date, float] = {}
        self._kinds: Mapping[date, Kind | None] = {}
        self._lacking: frozenset[date] = frozenset()
        self._measure = Measure.ENERGY
        self._limits: list[float] = []
        self._cursor: date | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(560, 150)
        self.setAccessibleName(self.tr("Calendar of a year"))

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.update()

    @property
    def first(self) -> date:
        """The Monday it begins with."""
        return self._last - timedelta(days=self._last.weekday() + DAYS * (WEEKS - 1))

    def show_days(self, bars: tuple[Bar, ...], last: date, measure: Measure) -> None:
        """Show days up to a last one."""
        self._last, self._measure = last, measure
        found = {bar.start: value_of(bar.totals, measure) for bar in bars}
        self._values = {day: value for day, value in found.items() if value is not None}
        self._kinds = {bar.start: bar.totals.kind for bar in bars}
        self._lacking = frozenset(bar.start for bar in bars if is_least(bar.totals, measure))
        known = [value for day, value in self._values.items() if day >= self.first and value > 0]
        shares = np.arange(1, LEVELS) / LEVELS
        self._limits = [float(x) for x in np.quantile(known, shares)] if known else []
        if self._cursor:
            self._move_to(self._cursor)
        self.update()

    def level_of(self, day: date) -> int:
        """Return how strong a day's colour is: 0 for nothing known, 1 to 4."""
        value = self._values.get(day)
        if value is None or value <= 0:
            return 0
        return 1 + sum(value > limit for limit in self._limits)

    def colors(self) -> list[QColor]:
        """Return the colours of the strengths."""
        ground, full = QColor(self._theme.raised), QColor(self._theme.accent)
        return [_mix(ground, full, share) for share in (0.0, 0.3, 0.53, 0.76, 1.0)]

    def tip(self, day: date) -> str:
        """Say what a day came to."""
        shown = words_of(self._values.get(day), self._measure)
        shown = figures.at_least(figures.marked(self._kinds.get(day), shown), day in self._lacking)
        written = QLocale().toString(QDate(day.year, day.month, day.day))
        return f"{written}: {shown}"

    # --- drawing -------------------------------------------------------------------------

    def _cell(self) -> float:
        wide = (self.width() - LEFT - 4) / WEEKS
        return max(min(wide, (self.height() - TOP - 4) / DAYS), 4.0)

    def _rect(self, day: date) -> QRectF:
        week, weekday = divmod((day - self.first).days, DAYS)
        cell = self._cell()
        return QRectF(LEFT + week * cell, TOP + weekday * cell, cell - GAP, cell - GAP)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw every day, the months above and the weekdays beside them."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self.colors()
        self._draw_names(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        day = self.first
        while day <= self._last:
            painter.setBrush(colors[self.level_of(day)])
            painter.drawRoundedRect(self._rect(day), 2, 2)
            day += timedelta(days=1)
        if self._cursor and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(self._theme.text), 1.5))
            painter.drawRoundedRect(self._rect(self._cursor), 2, 2)

    def _draw_names(self, painter: QPainter) -> None:
        painter.setPen(QColor(self._theme.muted))
        cell, metrics, free = self._cell(), painter.fontMetrics(), 0.0
        for weekday in (0, 2, 4):
            name = QLocale().dayName(weekday + 1, QLocale.FormatType.ShortFormat)
            height = TOP + weekday * cell + (cell - GAP + metrics.ascent()) / 2 - 1
            painter.drawText(0, round(height), name)
        for week in range(WEEKS):
            monday = self.first + timedelta(days=week * DAYS)
            x = LEFT + week * cell
            if monday.day <= DAYS and x >= free:
                name = QLocale().monthName(monday.month, QLocale.FormatType.ShortFormat)
                if monday.month == 1:
                    name += f" {monday.year}"
                painter.drawText(round(x), TOP - 8, name)
                free = x + metrics.horizontalAdvance(name) + 6

    # --- pointing ------------------------------------------------------------------------

    def day_at(self, x: float, y: float) -> date | None:
        """Return the day under a point."""
        cell = self._cell()
        week, weekday = int((x - LEFT) // cell), int((y - TOP) // cell)
        if not (0 <= week < WEEKS and 0 <= weekday < DAYS):
            return None
        day = self.first + timedelta(days=week * DAYS + weekday)
        return day if day <= self._last else None

    def event(self, event: QEvent) -> bool:
        """Answer for the tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            day = self.day_at(event.pos().x(), event.pos().y())
            if day:
                QToolTip.showText(event.globalPos(), self.tip(day), self)
            return True
        return super().event(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose the day that was clicked."""
        day = self.day_at(event.position().x(), event.position().y())
        if day and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(day)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the arrows begin to someone who came here by keys."""
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._move_to(self._cursor or self._last)

    def _move_to(self, day: date) -> None:
        """Lead the keys to a day, or to the nearest that is shown."""
        self._cursor = min(max(day, self.first), self._last)
        self.setAccessibleDescription(self.tip(self._cursor))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move over the days, and choose one."""
        steps = {
            Qt.Key.Key_Left: -DAYS,
            Qt.Key.Key_Right: DAYS,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
        }
        if event.key() in steps:
            start = self._cursor or self._last
            moved = start + timedelta(days=steps[Qt.Key(event.key())] if self._cursor else 0)
            self._move_to(moved)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._cursor:
            self.chosen.emit(self._cursor)
        else:
            super().keyPressEvent(event)


def _mix(one: QColor, other: QColor, share: float) -> QColor:
    return QColor.fromRgbF(
        one.redF() + (other.redF() - one.redF()) * share,
        one.greenF() + (other.greenF() - one.greenF()) * share,
        one.blueF() + (other.blueF() - one.blueF()) * share,
    )
