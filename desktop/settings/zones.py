"""Choosing where the electricity comes from."""

from contextlib import suppress

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.widgets import label
from monitor import figures
from monitor.carbon.countries import folded, letters_of, other_names
from monitor.carbon.intensity import WORLD, UnknownZone, Zone, find_zone, without_figure, zones

SOUGHT, SORTED = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ZoneList(QWidget):
    """A searchable table of zones with their figures and years."""

    activated = Signal()
    """The marked zone was double-clicked, or Enter was pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._zones: list[Zone] = []
        self._model = QStandardItemModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setFilterRole(SOUGHT)
        self._proxy.setSortRole(SORTED)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search a country or region"))
        self.search.setAccessibleName(self.tr("Search a country or region"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self.activated)
        self.list = _Table()
        self.list.setModel(self._proxy)
        self.list.setAccessibleName(self.tr("Zones"))
        self.list.doubleClicked.connect(self.activated)
        self.list.entered_key.connect(self.activated)
        self.nothing = label("", "muted", wrap=True)
        self.nothing.hide()
        self.setFocusProxy(self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.nothing)
        layout.addWidget(self.list, 1)

    @property
    def zone(self) -> Zone | None:
        """The marked zone, ``None`` if the search finds none."""
        index = self._proxy.mapToSource(self.list.currentIndex())
        return self._zones[index.row()] if index.isValid() else None

    def show_zones(self, own: Zone | None, current: Zone) -> None:
        """Fill the table and mark a zone.

        :param own: the person's own figure, which comes first, if there is one
        """
        listed = sorted(zones(), key=lambda zone: (zone.code != WORLD, zone.name))
        shown = [own, *listed] if own else listed
        if shown != self._zones:
            self._zones = shown
            self._model.clear()
            self._model.setHorizontalHeaderLabels(
                [self.tr("Zone"), self.tr("g CO₂e/kWh"), self.tr("Year")]
            )
            for column in (1, 2):
                # By role: of a header's item that the model made, Python would keep an object
                # after the model was cleared, and take for it what lies there later.
                across, role = Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole
                self._model.setHeaderData(column, across, RIGHT, role)
            for place, zone in enumerate(shown):
                self._model.appendRow(_row(place, zone, zone is own))
            self.list.fit_columns()
        codes = [zone.code for zone in shown]
        if current.code in codes:
            index = self._proxy.mapFromSource(self._model.index(codes.index(current.code), 0))
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)

    def _filter(self, text: str) -> None:
        self._proxy.setFilterFixedString(folded(text))
        self.list.setCurrentIndex(self._likeliest(text))
        self.nothing.setText(self._why_nothing(folded(text)))
        self.nothing.setVisible(self._proxy.rowCount() == 0)

    def _likeliest(self, text: str) -> QModelIndex:
        """Return the zone whose code or name is typed, or else the first that is left."""
        with suppress(UnknownZone):
            named = find_zone(text)
            if named in self._zones:
                row = self._model.index(self._zones.index(named), 0)
                return self._proxy.mapFromSource(row)
        return self._proxy.index(0, 0)

    def _why_nothing(self, sought: str) -> str:
        for zone in without_figure():
            if sought in _sought(zone):
                text = self.tr(
                    "%1: there is no usable figure. %2 has %3 g/kWh, which no grid emits. Choose "
                    "a region it lies in, or enter a figure of your own."
                )
                for place, told in (("%1", zone.name), ("%2", zone.source)):
                    text = text.replace(place, told)
                return text.replace("%3", f"{zone.g_per_kwh:g}")
        return self.tr("No country or region is called so.")


class _Table(QTableView):
    entered_key = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(28)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setSortingEnabled(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)

    def fit_columns(self) -> None:
        """Give the names what the figures leave."""
        header = self.horizontalHeader()
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter takes the marked zone."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered_key.emit()
            return
        super().keyPressEvent(event)


def _sought(zone: Zone) -> str:
    """Return the words a zone is found by, folded."""
    return folded(" ".join([zone.name, zone.code, *letters_of(zone.code), *other_names(zone.code)]))


def _row(place: int, zone: Zone, is_own: bool) -> list[QStandardItem]:
    """Make a zone's cells; sorted by its place, its figure, or its year."""
    texts = (zone.name, figures.intensity(zone.g_per_kwh), str(zone.year))
    cells = [QStandardItem(text) for text in texts]
    sought = _sought(zone)
    for cell, key in zip(cells, (float(place), zone.g_per_kwh, float(zone.year)), strict=True):
        cell.setData(sought, SOUGHT)
        cell.setData(key, SORTED)
        cell.setToolTip(zone.source)
    for cell in cells[1:]:
        cell.setTextAlignment(RIGHT)
    if is_own:
        font = cells[0].font()
        font.setBold(True)
        cells[0].setFont(font)
    return cells
