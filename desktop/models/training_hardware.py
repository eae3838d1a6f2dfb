"""Reckoning a training from the hardware it ran on; see :mod:`monitor.carbon.training`."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QWidget,
)

from desktop.theme.numbers import DecimalField, WholeField
from desktop.theme.widgets import ChoiceBox, add_field, label
from monitor import figures
from monitor.carbon.accelerators import (
    Accelerator,
    UnknownAccelerator,
    accelerators,
    find_accelerator,
)
from monitor.carbon.clouds import cloud_regions
from monitor.carbon.intensity import WORLD, zones
from monitor.carbon.training import (
    MOST_G_PER_KWH,
    MOST_PUE,
    MOST_WATTS,
    Place,
    Training,
    TrainingError,
    computed,
    region_place,
    zone_place,
)

OWN = "as entered"
"""Source of watts that are not the list's."""


class HardwareTab(QWidget):
    """Hardware, its number and hours, and where it stood; the result follows every change."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hardware = _searchable([each.name for each in accelerators()])
        self.hardware.setCurrentText("H100 SXM")
        self.watts = _number(MOST_WATTS, 0, self.tr("Watts of one"), " W")
        self.count = WholeField()
        self.count.setRange(1, 10_000_000)
        self.hours = _number(1e10, 1, self.tr("Hours of each"), " h")
        listed = sorted(zones(), key=lambda zone: (zone.code != WORLD, zone.name))
        self._places = [
            *(zone_place(zone) for zone in listed),
            *(region_place(region) for region in cloud_regions()),
        ]
        self.zone = _searchable(
            [zone.name for zone in listed] + [region.name for region in cloud_regions()]
        )
        self.zone.setToolTip(self.tr("A country, or a cloud provider's region: us-east-1"))
        self.intensity = _number(MOST_G_PER_KWH, 2, self.tr("Carbon intensity"), " g/kWh")
        self.pue = _number(MOST_PUE, 2, self.tr("PUE"), "")
        self.pue.setMinimum(1.0)
        self.pue.setToolTip(self.tr("What the whole data centre draws for each watt of computers"))
        self.result = label("", wrap=True)
        self._build()
        self._connect()
        self._follow_hardware()
        self._follow_zone()

    def _build(self) -> None:
        for name, widget in (
            (self.tr("Hardware"), self.hardware),
            (self.tr("Number"), self.count),
            (self.tr("Zone"), self.zone),
        ):
            widget.setAccessibleName(name)
        form = QFormLayout(self)
        form.setContentsMargins(14, 14, 14, 14)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_field(form, self.tr("Hardware"), _row(self.hardware, self.watts))
        add_field(form, self.tr("How many"), self.count)
        add_field(form, self.tr("Hours of each"), self.hours)
        add_field(form, self.tr("Where it stood"), _row(self.zone, self.intensity))
        add_field(form, self.tr("PUE"), self.pue)
        hint = self.tr("If a report gives accelerator hours in all, leave the number at 1.")
        form.addRow(label(hint, "muted", wrap=True))
        form.addRow(self.result)

    def _connect(self) -> None:
        self.hardware.currentTextChanged.connect(self._follow_hardware)
        self.zone.currentTextChanged.connect(self._follow_zone)
        for field in (self.watts, self.count, self.hours, self.intensity, self.pue):
            field.valueChanged.connect(self._reckon)

    def _follow_hardware(self) -> None:
        """Take the watts of what is named; those of a name unknown stay for a person to set."""
        if found := self._listed():
            with QSignalBlocker(self.watts):
                self.watts.setValue(found.tdp_w)
        self._reckon()

    def _follow_zone(self) -> None:
        index = self.zone.findText(self.zone.currentText(), Qt.MatchFlag.MatchFixedString)
        if index >= 0:
            with QSignalBlocker(self.intensity):
                self.intensity.setValue(self._places[index].g_per_kwh)
        self._reckon()

    def _listed(self) -> Accelerator | None:
        try:
            return find_accelerator(self.hardware.currentText())
        except UnknownAccelerator:
            return None

    def _reckon(self) -> None:
        self.edited.emit()
        try:
            training = self.training()
        except TrainingError:
            self.result.setText("")
            return
        words = self.tr("%1 CO₂e, %2: %3")
        for place, text in (
            ("%1", figures.mass(training.grams)),
            ("%2", figures.energy(training.energy_j)),
            ("%3", self.tr(training.note)),
        ):
            words = words.replace(place, text)
        self.result.setText(words)

    def training(self) -> Training:
        """Return what is reckoned.

        :raises TrainingError: if a field makes no sense
        """
        name = " ".join(self.hardware.currentText().split())
        if not name:
            raise TrainingError(self.tr("Name the hardware."))
        listed = self._listed()
        if listed is None or listed.tdp_w != self.watts.value():
            listed = Accelerator(name, "", self.watts.value(), OWN)
        return computed(
            listed, self.count.value(), self.hours.value(), self._place(), self.pue.value()
        )

    def _place(self) -> Place:
        """Return the zone or region, or what a person calls a place of another intensity."""
        text = " ".join(self.zone.currentText().split())
        index = self.zone.findText(text, Qt.MatchFlag.MatchFixedString)
        known = self._places[index] if index >= 0 else None
        if known and round(known.g_per_kwh, self.intensity.decimals()) == self.intensity.value():
            return known
        name = self.tr("own figure") if known or not text else text
        provider, region = (known.provider, known.region) if known else ("", "")
        return Place(name, self.intensity.value(), provider=provider, region=region)

    def show_training(self, training: Training) -> bool:
        """Show what one was reckoned from; return whether that is known."""
        details = dict(training.details)
        try:
            names = [place.name for place in self._places]
            at = names.index(details["place"]) if details["place"] in names else -1
            self.hardware.setCurrentText(str(details["hardware"]))
            self.zone.setCurrentText(self.zone.itemText(at) or str(details["place"]))
            self.watts.setValue(float(details["tdp_w"]))
            self.count.setValue(int(details["count"]))
            self.hours.setValue(float(details["hours"]))
            self.intensity.setValue(float(details["g_per_kwh"]))
            self.pue.setValue(float(details["pue"]))
        except (KeyError, ValueError):
            return False
        return True


def _searchable(names: list[str]) -> QComboBox:
    made = ChoiceBox()
    made.setEditable(True)
    made.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    made.addItems(names)
    if completer := made.completer():
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
    return made


def _number(most: float, decimals: int, name: str, suffix: str) -> DecimalField:
    made = DecimalField()
    made.setRange(0, most)
    made.setDecimals(decimals)
    made.setSuffix(suffix)
    made.setAccessibleName(name)
    return made


def _row(wide: QWidget, narrow: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(wide, 1)
    row.addWidget(narrow)
    return row
