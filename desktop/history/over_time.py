"""The history over time: what to measure, by which period, split by what; and its chart."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop.history.bars import OTHERS, BarChart, Columns, arrange
from desktop.history.state import HistoryState, Measure, Place
from desktop.theme.palette import Theme
from desktop.theme.widgets import ChoiceBox, label, named
from monitor import figures
from monitor.store.browse import Browse
from monitor.store.charts import Period, Stack

MOST_DAYS, MOST_WEEKS = 62, 400
"""Days a chart of days and one of weeks span unless a person asks for more."""

SHARPNESS, MARGIN = 2, 12
"""Of a picture: pixels for a pixel of the window, and those of the window at either side."""


def period_of(place: Place, first: date | None) -> Period:
    """Return the period of a place's bars.

    :param first: the first day there is anything of, if the filter has none
    """
    if place.period:
        return place.period
    since = place.chosen.since or first or date.today()
    days = ((place.chosen.until or date.today()) - since).days
    if days <= MOST_DAYS:
        return Period.DAY
    return Period.WEEK if days <= MOST_WEEKS else Period.MONTH


@dataclass(frozen=True, slots=True)
class TimeChart:
    """A chart with how it is to be drawn."""

    place: Place
    period: Period
    columns: Columns
    limited_to: int | None


def read_time_chart(browse: Browse, place: Place) -> TimeChart:
    """Read what a place's chart shows."""
    first = None
    if place.period is None and place.chosen.since is None:
        months = browse.chart(place.chosen, Period.MONTH, Stack.NOTHING).bars
        first = months[0].start if months else None
    period = period_of(place, first)
    stack = place.stack if place.measure is Measure.ENERGY else _told(place.stack)
    found = browse.chart(place.chosen, period, stack)
    # Thousands of bars are put in columns here, not in the window's thread.
    columns = arrange(found.bars, period, place.measure)
    return TimeChart(replace(place, stack=stack), period, columns, found.limited_to)


def _told(stack: Stack) -> Stack:
    """Of a component only the joules are known."""
    return Stack.NOTHING if stack is Stack.COMPONENT else stack


class OverTime(QWidget):
    """Controls, chart and legend."""

    day_chosen = Signal(object, object)
    """First and last day of a bar that was clicked."""

    def __init__(self, state: HistoryState, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._shown: TimeChart | None = None
        self.chart = BarChart(theme)
        self.chart.chosen.connect(self._on_chosen)
        self.measure = _box(self.tr("What is measured"), {
            Measure.ENERGY: self.tr("Energy"),
            Measure.CO2: self.tr("CO₂e"),
            Measure.TOKENS: self.tr("Answer tokens"),
            Measure.PER_TOKEN: self.tr("Decode energy a token"),
        })  # fmt: skip
        self.period = _box(self.tr("Period"), {
            None: self.tr("fitting periods"),
            Period.DAY: self.tr("by day"),
            Period.WEEK: self.tr("by week"),
            Period.MONTH: self.tr("by month"),
        })  # fmt: skip
        self.stack = _box(self.tr("Split by"), {
            Stack.NOTHING: self.tr("not split"),
            Stack.MODEL: self.tr("split by model"),
            Stack.KIND: self.tr("split by kind of use"),
            Stack.MACHINE: self.tr("split by machine"),
            Stack.COMPONENT: self.tr("split by component"),
        })  # fmt: skip
        for box in (self.measure, self.period, self.stack):
            box.activated.connect(self._on_activated)
        row = QHBoxLayout()
        for box in (self.measure, self.period, self.stack):
            row.addWidget(box)
        self._pointed = label("", "muted")
        self._pointed.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._pointed.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.chart.pointed.connect(self._tell_pointed)
        row.addWidget(self._pointed, 1)
        self._legend = label("", "legend", wrap=True)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._caveats = label("", "muted", wrap=True)
        self._nothing = label(self.tr("Nothing to draw for this choice."), "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._card = named(QWidget(), "plain")
        inner = QVBoxLayout(self._card)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.chart, 1)
        inner.addWidget(self._nothing, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 12, 8)
        layout.addLayout(row)
        layout.addWidget(self._card, 1)
        layout.addWidget(self._legend)
        layout.addWidget(self._caveats)
        # Neither a chart nor that there is none is known before it is read.
        for each in (self.chart, self._nothing, self._caveats):
            each.hide()
        self.show_place(state.place)

    def _tell_pointed(self, told: str) -> None:
        """Say what a period came to, as far as there is room beside the boxes."""
        text, end = told.replace("\n", " · "), Qt.TextElideMode.ElideRight
        room = self._pointed.width()
        self._pointed.setText(self._pointed.fontMetrics().elidedText(text, end, room))
        self._pointed.setToolTip(told)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.chart.set_theme(theme)
        self._show_legend()

    def show_place(self, place: Place) -> None:
        """Show a place's choices."""
        for box, value in (
            (self.measure, place.measure),
            (self.period, place.period),
            (self.stack, place.stack),
        ):
            box.setCurrentIndex(box.findData(value))

    def show_chart(self, found: TimeChart) -> None:
        """Show a chart that was read."""
        self._shown = found
        self.chart.show_columns(found.columns, found.period, found.place.measure, found.place.stack)
        has_bars = bool(self.chart.colors())
        self.chart.setVisible(has_bars)
        self._nothing.setVisible(not has_bars)
        caveats = []
        if self._state.place.stack is not found.place.stack:
            caveats.append(self.tr("Of components only the energy is known."))
        if limited := found.limited_to:
            only = self.tr("Only the newest %1 queries that match are added up.")
            caveats.append(only.replace("%1", f"{limited:,}"))
        self._caveats.setText(" ".join(caveats))
        self._caveats.setVisible(bool(caveats))
        self._pointed.setText("")
        self._show_legend()

    def save_picture(self, path: Path) -> bool:
        """Save the chart with all that is said of it, twice its size; return whether it worked."""
        picture = QPixmap((self.size() + QSize(2 * MARGIN, 0)) * SHARPNESS)
        picture.setDevicePixelRatio(SHARPNESS)
        picture.fill(self.palette().window().color())
        painter = QPainter(picture)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self.palette().windowText().color())
        room = QRect(MARGIN, 0, self.width(), self._card.y())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, self._title())
        for part in (self._card, self._legend, self._caveats):
            if not part.isHidden():
                part.render(painter, part.pos() + QPoint(MARGIN, 0))
        painter.end()
        return picture.save(str(path))

    def _title(self) -> str:
        """Say what is drawn: Energy by month, split by model."""
        if self._shown is None:
            return ""
        place = self._shown.place
        period = self.period.itemText(self.period.findData(self._shown.period))
        title = f"{self.measure.itemText(self.measure.findData(place.measure))} {period}"
        if place.stack is Stack.NOTHING:
            return title
        return f"{title}, {self.stack.itemText(self.stack.findData(place.stack))}"

    def _show_legend(self) -> None:
        names = {OTHERS: self.tr("others"), "": self.tr("all queries")}
        if self._shown and self._shown.place.stack is Stack.MODEL:
            names[""] = self.tr("no model")
        if self._shown and self._shown.place.stack is Stack.COMPONENT:
            names |= {"cpu": "CPU", "gpu": "GPU", "dram": "DRAM", "soc": "SoC", "system": "system"}
        parts = [
            f'<span style="color:{color}">■</span>&nbsp;'
            + _plain(figures.marked(self.chart.mark_of(key), names.get(key, key)))
            for key, color in self.chart.colors().items()
        ]
        self._legend.setText("&nbsp;&nbsp; ".join(parts))
        self._legend.setVisible(bool(parts))

    def _on_activated(self) -> None:
        period = self.period.currentData()
        # Qt hands the values back as plain texts.
        place = replace(
            self._state.place,
            measure=Measure(self.measure.currentData()),
            period=Period(period) if period else None,
            stack=Stack(self.stack.currentData()),
        )
        self._state.go(place)

    def _on_chosen(self, start: date) -> None:
        if self._shown:
            last = self._shown.period.next(start) - timedelta(days=1)
            self.day_chosen.emit(start, last)


def _box(name: str, texts: dict[StrEnum | None, str]) -> QComboBox:
    box = ChoiceBox()
    box.setAccessibleName(name)
    for value, text in texts.items():
        box.addItem(text, value)
    return box


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(" ", "&nbsp;")
