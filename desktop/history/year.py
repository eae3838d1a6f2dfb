"""The calendar with a way to earlier years, and what its colours mean."""

from datetime import date, timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.history.calendar import DAYS, WEEKS, Calendar
from desktop.history.filter_bar import day_words
from desktop.history.state import Measure
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor.store.charts import Bar


class YearView(QWidget):
    """A :class:`Calendar` of the energy of each day."""

    chosen = Signal(object)
    """A day."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: tuple[Bar, ...] = ()
        self._last = self._latest = date.today()
        self.calendar = Calendar(theme)
        self.calendar.chosen.connect(self.chosen)
        self._earlier = tool_button(self.tr("The year before"))
        self._later = tool_button(self.tr("The year after"))
        for button, text, years in ((self._earlier, "‹", -1), (self._later, "›", 1)):
            button.setToolTip(button.text())
            button.setText(text)
            button.clicked.connect(lambda _checked=False, years=years: self._move(years))
        self._span = label()
        self._legend = label("", "legend")
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        row = QHBoxLayout()
        for widget in (self._earlier, self._later, self._span):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 8)
        layout.addLayout(row)
        layout.addWidget(self.calendar, 1)
        self._show()

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.calendar.set_theme(theme)
        self._show()

    def show_days(self, bars: tuple[Bar, ...], last: date) -> None:
        """Show the year up to a day."""
        self._bars, self._last, self._latest = bars, last, last
        self._show()

    def _move(self, years: int) -> None:
        moved = self._last + years * timedelta(days=DAYS * (WEEKS - 1))
        self._last = min(moved, self._latest)
        self._show()

    def _show(self) -> None:
        self.calendar.show_days(self._bars, self._last, Measure.ENERGY)
        self._later.setEnabled(self._last < self._latest)
        first = self._bars[0].start if self._bars else self._latest
        self._earlier.setEnabled(first < self.calendar.first)
        self._span.setText(f"{day_words(self.calendar.first)} – {day_words(self._last)}")
        squares = "&nbsp;".join(
            f'<span style="color:{color.name()}">■</span>' for color in self.calendar.colors()
        )
        words = self.tr("less energy %1 more: each shade is a quarter of the days")
        words = words.replace("%1", squares)
        self._legend.setText(words)
