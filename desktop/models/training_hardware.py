"""Reckoning a training from the hardware it ran on; see :mod:`monitor.carbon.training`."""

from contextlib import suppress

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QFormLayout,
    QHBoxLayout,
    QWidget,
)

from desktop.models.every_digit import show_every_digit
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
from monitor.carbon.intensity import WORLD, UnknownZone, find_zone, zones
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
    """Hardware, its number and hours, and where it stood; the result follows every change.

    Watts and intensity follow what is named. Of a name that is not in the list they have to be
    entered: what another one left in their fields is never taken for it.
    """

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.hardware = _searchable([each.name for each in accelerators()])
        self.hardware.setCurrentText("H100 SXM")
        self.watts = _number(MOST_WATTS, 0, self.tr("Watts of one"), " W")
        self.count = WholeField()
        self.count.setRange(1, 10_000_000)
        self.hours = _number(1e10, 1, self.tr("Hours of each"), " h")
        self.hours.setSpecialValueText(self.tr("not entered"))
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
        self.setFocusProxy(self.hardware)
        self._is_own_watts = self._is_own_intensity = False
        """Whether it was entered since a name of the list set it."""
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
        self.watts.valueChanged.connect(self._take_watts)
        self.intensity.valueChanged.connect(self._take_intensity)
        for field in (self.count, self.hours, self.pue):
            field.valueChanged.connect(self._reckon)
        for box in (self.hardware, self.zone):
            if line := box.lineEdit():
                line.editingFinished.connect(self.settle)

    def _follow_hardware(self) -> None:
        """Take the watts of what is named."""
        if found := self._listed():
            with QSignalBlocker(self.watts):
                self.watts.setValue(found.tdp_w)
            self._is_own_watts = False
        self._reckon()

    def _follow_zone(self) -> None:
        """Take the intensity of where it stood."""
        if found := self._listed_place():
            with QSignalBlocker(self.intensity):
                self.intensity.setValue(found.g_per_kwh)
            self._is_own_intensity = False
        self._reckon()

    def _take_watts(self) -> None:
        self._is_own_watts = True
        self._reckon()

    def _take_intensity(self) -> None:
        self._is_own_intensity = True
        self._reckon()

    def settle(self) -> None:
        """Write out what stands for a name of the list, such as *H100*, *DE* or *us-east-1*."""
        listed = self._listed()
        if listed and not self._is_own_watts:
            self.hardware.setCurrentText(listed.name)
        if self._listed_place() is None and not self._is_own_intensity:
            at = self._place_meant(self.zone.currentText())
            if at is not None:
                self.zone.setCurrentText(self.zone.itemText(at))

    def _place_meant(self, text: str) -> int | None:
        """Return which place a code stands for: a country's, or a region's of one provider."""
        with suppress(UnknownZone):
            found = zone_place(find_zone(text))
            return self._places.index(found)
        code = text.strip().casefold()
        called = [region_place(each) for each in cloud_regions() if each.code == code]
        return self._places.index(called[0]) if len(called) == 1 else None

    def _listed_place(self) -> Place | None:
        text = " ".join(self.zone.currentText().split())
        index = self.zone.findText(text, Qt.MatchFlag.MatchFixedString)
        return self._places[index] if index >= 0 else None

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
        return computed(
            self._accelerator(name),
            self.count.value(),
            self.hours.value(),
            self._place(),
            self.pue.value(),
        )

    def _accelerator(self, name: str) -> Accelerator:
        """Return what is named, with the watts a person gave it if these are others.

        :raises TrainingError: if the watts are of another one than is named
        """
        watts = self.watts.value()
        try:
            listed = find_accelerator(name)
        except UnknownAccelerator as unknown:
            if not self._is_own_watts:
                raise TrainingError(str(unknown)) from unknown
        else:
            if listed.tdp_w == watts:
                return listed
        return Accelerator(name, "", watts, OWN)

    def _place(self) -> Place:
        """Return the zone or region, or what a person calls a place of another intensity.

        :raises TrainingError: if the intensity is of another place than the one that is named
        """
        text, known = " ".join(self.zone.currentText().split()), self._listed_place()
        if known and round(known.g_per_kwh, self.intensity.decimals()) == self.intensity.value():
            return known
        if not known and not self._is_own_intensity:
            words = self.tr(
                "There is no zone or region “%1” in the list. Choose one of it, or enter the "
                "carbon intensity of its electricity."
            )
            if not text:
                words = self.tr("Say where it stood, or enter the electricity's carbon intensity.")
            raise TrainingError(words.replace("%1", text))
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
            self.count.setValue(int(details["count"]))
            for field, name in (
                (self.watts, "tdp_w"),
                (self.hours, "hours"),
                (self.intensity, "g_per_kwh"),
                (self.pue, "pue"),
            ):
                show_every_digit(field, float(details[name]))
            # They were taken once, and are of what is named, also where that is in no list.
            listed = self._listed()
            self._is_own_watts = listed is None or listed.tdp_w != self.watts.value()
            self._is_own_intensity = self._listed_place() is None
        except (KeyError, ValueError):
            return False
        return True


def _searchable(names: list[str]) -> QComboBox:
    made = ChoiceBox()
    made.setEditable(True)
    made.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    made.addItems(names)
    if completer := made.completer():
        # Qt would write on in the field, where the rest of a name fits its beginning alone.
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
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
