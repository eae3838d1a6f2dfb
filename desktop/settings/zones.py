"""Choosing where the electricity comes from."""

from PySide6.QtCore import QSortFilterProxyModel, QStringListModel, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QListView,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.widgets import label
from monitor.carbon.intensity import SOURCE, Zone, zones


class ZoneDialog(QDialog):
    """A searchable list of zones; :attr:`zone` is the chosen one once it is accepted."""

    def __init__(self, current: Zone, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Where your electricity is from"))
        self.resize(440, 480)
        self.zone = current
        self._zones = sorted(zones(), key=lambda zone: (zone.code != "WORLD", zone.name))
        texts = [f"{zone.name} — {zone.g_per_kwh:g} g/kWh, {zone.year}" for zone in self._zones]
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(QStringListModel(texts, self))
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search a country or region"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListView()
        self.list.setModel(self._proxy)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setAccessibleName(self.tr("Zones"))
        self.list.doubleClicked.connect(self.accept)
        self.list.setCurrentIndex(self._proxy.index(self._zones.index(current), 0))
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        for button in buttons.buttons():
            button.setIcon(QIcon())  # the style's own match nothing else here
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        source = self.tr("Yearly means of %1. Every answer keeps the figure it was reckoned with.")
        layout.addWidget(label(source.replace("%1", SOURCE), "muted", wrap=True))
        layout.addWidget(buttons)

    def _filter(self, text: str) -> None:
        self._proxy.setFilterFixedString(text.strip())
        self.list.setCurrentIndex(self._proxy.index(0, 0))

    def accept(self) -> None:
        """Take the zone that is marked."""
        index = self._proxy.mapToSource(self.list.currentIndex())
        if index.isValid():
            self.zone = self._zones[index.row()]
            super().accept()
