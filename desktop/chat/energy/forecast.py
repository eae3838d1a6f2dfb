"""What the next answer is likely to take, in one quiet line."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel

from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import named
from monitor import figures
from monitor.energy.forecast import FEWEST, Forecast
from monitor.store.forecasts import Score

ICON_SIZE = 16


class ForecastLabel(QLabel):
    """Shows a :class:`Forecast`; a quiet word until there is one."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        named(self, "muted")
        self.setContentsMargins(ICON_SIZE + 4, 0, 0, 0)
        self.setAccessibleName(self.tr("Forecast of the next answer"))
        self.set_theme(theme)
        self.show_forecast(None, None)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._icon = icon("forecast", theme.muted)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the icon before the line."""
        super().paintEvent(event)
        painter = QPainter(self)
        top = (self.height() - ICON_SIZE) // 2
        self._icon.paint(painter, QRect(0, top, ICON_SIZE, ICON_SIZE))
        painter.end()

    def show_forecast(self, forecast: Forecast | None, score: Score | None, known: int = 0) -> None:
        """Show what was foretold.

        :param score: how earlier forecasts turned out
        :param known: how many answers there are to tell from, where there is no forecast
        """
        if forecast is None:
            self.setText(self.tr("no forecast yet"))
            self.setToolTip(self._lacking(known))
        else:
            joules = figures.marked(forecast.kind, figures.energy(forecast.energy_j))
            self.setText(
                self.tr("about %1 %2")
                .replace("%1", joules)
                .replace("%2", figures.bounds(forecast.interval))
            )
            self.setToolTip(self._basis(forecast, score))
        self.setAccessibleDescription(self.toolTip())

    def _lacking(self, known: int) -> str:
        if known == FEWEST - 1:
            return self.tr(
                "What an answer takes can be foretold after 1 more answer of this model, with "
                "these threads and GPU layers."
            )
        if known < FEWEST:
            return self.tr(
                "What an answer takes can be foretold after %1 more answers of this model, with "
                "these threads and GPU layers."
            ).replace("%1", str(FEWEST - known))
        return self.tr(
            "Too many of the earlier answers were cut short, so that it is not known how long they "
            "would have become."
        )

    def _basis(self, forecast: Forecast, score: Score | None) -> str:
        told = self.tr(
            "From %1 answers of this model on this machine, with these threads and GPU layers. "
            "Four answers in five are to fall between the ends."
        ).replace("%1", str(forecast.basis))
        if forecast.tokens is not None:
            length = self.tr("Middle length: %1 tokens.")
            told += " " + length.replace("%1", str(forecast.tokens))
        if forecast.left_out:
            busy = self.tr("%1 answers beside which other programs computed are left out.")
            told += " " + busy.replace("%1", str(forecast.left_out))
        if score and score.made:
            held = self.tr("%1 of the last %2 held.")
            told += " " + held.replace("%1", str(score.held)).replace("%2", str(score.made))
        return told
