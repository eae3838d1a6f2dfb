"""The names and present values of the gauges that are drawn."""

from desktop.live.gauges import LiveGauges, colors_of
from desktop.live.legend import Entry, LegendRow
from desktop.theme.gauges import gauge_name
from desktop.theme.palette import Theme
from monitor import figures
from monitor.power.gauge import Gauge


class GaugeLegend(LegendRow):
    """An entry for each chosen gauge, hidden while no gauge is chosen.

    :param theme: colours
    """

    def __init__(self, gauges: LiveGauges, theme: Theme) -> None:
        super().__init__()
        self._gauges, self._theme = gauges, theme
        self._entries: dict[Gauge, Entry] = {}

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self._lay_out([])

    def show_values(self, now_s: float) -> None:
        """Bring names and values up to date.

        :param now_s: monotonic
        """
        shown = [gauge for lane in self._gauges.lanes().values() for gauge in lane]
        if shown != list(self._entries):
            self._lay_out(shown)
        for gauge, entry in self._entries.items():
            value = figures.reading(gauge.quantity, self._gauges.present(gauge, now_s))
            entry.show_text(f"{gauge_name(gauge)} {value}")

    def _lay_out(self, shown: list[Gauge]) -> None:
        for entry in self._entries.values():
            self.drop(entry)
        colors = colors_of(self._gauges.lanes(), self._theme)
        self._entries = {gauge: Entry(colors[gauge.key]) for gauge in shown}
        for entry in self._entries.values():
            self.add(entry)
        self.setVisible(bool(shown))
