"""What the queries shown would have emitted in another zone or year; nothing stored changes."""

from datetime import date

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.settings.zones import ZoneList
from desktop.theme.numbers import DecimalField, WholeField
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.carbon.choice import Choice, read_choice
from monitor.carbon.footprint import MOST_PUE
from monitor.carbon.intensity import Zone
from monitor.carbon.own import FIRST_YEAR, LAST_YEAR, MOST_G_PER_KWH
from monitor.carbon.recost import Recosted, figure_given, recost
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.totals_report import energy_words


class RecostDialog(QDialog):
    """A zone or a figure, and a PUE to choose, and the grams of some queries under them at once.

    :param chosen: which queries
    """

    def __init__(
        self, bridge: Bridge, history: History, chosen: Filter, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._chosen = bridge, history, chosen
        self._asked = 0
        self.setWindowTitle(self.tr("What it would emit elsewhere"))
        self.resize(520, 560)
        self.told = label(self.tr("Adding up …"), "muted", wrap=True)
        self.zones = ZoneList()
        self.pue = DecimalField(decimals=2, minimum=1, maximum=MOST_PUE, singleStep=0.05)
        self.pue.setAccessibleName(self.tr("Power usage effectiveness"))
        self.pue.setToolTip(
            self.tr("All the power of a building per watt of its computers; 1 at home")
        )
        self.own = DecimalField(decimals=1, maximum=MOST_G_PER_KWH, singleStep=10)
        self.own.setSuffix(self.tr(" g CO₂e/kWh"))
        self.own.setSpecialValueText(self.tr("the zone's"))
        self.own.setAccessibleName(self.tr("A figure of your own instead of the zone's"))
        self.own.setToolTip(self.tr("Of another year or table: the list has one year of each zone"))
        self.year = WholeField(minimum=FIRST_YEAR, maximum=LAST_YEAR, value=date.today().year)
        self.year.setAccessibleName(self.tr("Year of the figure"))
        self.year.setEnabled(False)
        self.stored, self.other, self.change = label(), named(label(), "figure"), label("", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        for name, fields in (
            (self.tr("Figure"), (self.own, self.year)),
            (self.tr("PUE"), (self.pue,)),
        ):
            row.addWidget(label(name, "muted"))
            for field in fields:
                row.addWidget(field)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(self.told)
        layout.addWidget(self.zones, 1)
        layout.addLayout(row)
        layout.addWidget(self._sums())
        layout.addWidget(buttons)
        self.zones.list.selectionModel().currentChanged.connect(self._reckon)
        for field in (self.pue, self.own, self.year):
            field.valueChanged.connect(self._reckon)
        bridge.read(lambda: read_choice(history), self._show_choice)

    def _sums(self) -> QFrame:
        card = named(QFrame(), "card")
        grid = QGridLayout(card)
        grid.setContentsMargins(14, 10, 14, 10)
        self.where = label("", "muted")
        for row, (name, value) in enumerate(
            ((label(self.tr("As it was reckoned"), "muted"), self.stored), (self.where, self.other))
        ):
            grid.addWidget(name, row, 0)
            grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.change, 2, 0, 1, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)
        return card

    def _show_choice(self, choice: Choice) -> None:
        self.pue.setValue(choice.pue)
        self.zones.show_zones(choice.own.zone if choice.own else None, choice.yearly)
        self._reckon()

    def _reckon(self) -> None:
        """Ask for the grams under the marked zone or the figure; what was asked is dropped."""
        given = self.own.value()
        self.year.setEnabled(given > 0)
        self.zones.setEnabled(given == 0)
        zone, pue = self.zones.zone, self.pue.value()
        if given:
            zone = figure_given(given, self.year.value(), self.tr("your figure"))
        if zone is None:
            return
        self._asked += 1
        asked, browse, chosen = self._asked, self._history.browse, self._chosen

        def show(found: Recosted) -> None:
            if asked == self._asked:
                self.show_recosted(found, zone)

        self._bridge.read(lambda: recost(browse, zone, chosen, pue), show)

    def show_recosted(self, found: Recosted, zone: Zone) -> None:
        """Show some queries' grams as they were reckoned and under a zone."""
        totals, new = found.totals, found.footprint
        energy = energy_words(totals)
        told = self.tr("%1 of %2 measured queries. Nothing that is stored changes.")
        if found.limited_to:
            told += " " + self.tr("Only the newest that match are added up.")
        self.told.setText(told.replace("%1", energy).replace("%2", f"{totals.measured:,}"))
        self.stored.setText(self._grams(found, totals.grams, totals.costed))
        self.where.setText(f"{zone.name}, {zone.year} · {zone.g_per_kwh:g} g CO₂e/kWh")
        self.where.setToolTip(zone.source)
        if new is None:
            self.other.setText(figures.mass(None))
            self.change.setText(self.tr("No energy was measured of these queries."))
            return
        self.other.setText(self._grams(found, new.grams, totals.measured))
        change = figures.mass_span(new.low_g, new.high_g, new.grams)
        if not found.is_alike:
            change += f" · {self.tr('not of the same queries: of the others there was no figure')}"
        elif totals.grams:
            times = new.grams / totals.grams
            change += f" · {self.tr('× %1 of what was reckoned')}"
            change = change.replace("%1", figures.significant(times))
        self.change.setText(change)

    def _grams(self, found: Recosted, grams: float | None, queries: int) -> str:
        """Write grams, and of how many queries they are where before and after differ in that."""
        shown = figures.at_least(figures.mass(grams), found.totals.is_lower_bound)
        if found.is_alike or grams is None:
            return shown
        words = self.tr("%1 of one query") if queries == 1 else self.tr("%1 of %2 queries")
        return words.replace("%1", shown).replace("%2", f"{queries:,}")
