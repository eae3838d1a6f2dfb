"""The hall a machine stands in, and the share of its making."""

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.numbers import DecimalField, WholeField
from desktop.theme.widgets import add_field, label
from monitor import figures
from monitor.carbon.choice import choose_embodied, choose_pue
from monitor.carbon.embodied import MOST_KG, MOST_YEARS, Embodied
from monitor.carbon.footprint import MOST_PUE


class DeviceTab(QWidget):
    """Power usage effectiveness, and embodied emissions as SCI has them."""

    wanted = Signal(object)
    """A change of what is chosen; called with where choices are kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pue = DecimalField(decimals=2, minimum=1, maximum=MOST_PUE, singleStep=0.05)
        self.counts = QCheckBox(self.tr("Reckon with the device's making"))
        self.kg = DecimalField(decimals=1, maximum=MOST_KG, singleStep=10)
        self.kg.setSuffix(self.tr(" kg CO₂e"))
        self.kg.setSpecialValueText(self.tr("not entered"))
        self.years = DecimalField(decimals=1, minimum=0.5, maximum=MOST_YEARS, value=4)
        self.years.setSuffix(self.tr(" years"))
        self.share = WholeField(minimum=1, maximum=100, value=100)
        self.share.setSuffix(self.tr(" %"))
        for field in (self.pue, self.kg, self.years, self.share):
            field.setKeyboardTracking(False)  # a figure is taken when it is whole
        self.pue.valueChanged.connect(self._change_pue)
        self.counts.toggled.connect(self._change_device)
        for field in (self.kg, self.years, self.share):
            field.valueChanged.connect(self._change_device)
        self.told = label("", "muted", wrap=True)
        self._lay_out()

    def _lay_out(self) -> None:
        hall, device = QFormLayout(), QFormLayout()
        add_field(hall, self.tr("Power usage effectiveness (PUE)"), self.pue)
        add_field(device, self.tr("Emitted for making it"), self.kg)
        add_field(device, self.tr("Expected life"), self.years)
        add_field(device, self.tr("Share that is in use"), self.share)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        hall_note = self.tr(
            "What a data centre draws for each watt of its computers. A machine at home has 1."
        )
        device_note = self.tr(
            "From the maker's report. Each answer then also has its share, by the time it took "
            "(SCI, ISO/IEC 21031). It stands beside the grams of electricity, never among them."
        )
        layout.addWidget(label(hall_note, "muted", wrap=True))
        layout.addLayout(hall)
        layout.addSpacing(10)
        layout.addWidget(self.counts)
        layout.addWidget(label(device_note, "muted", wrap=True))
        layout.addLayout(device)
        layout.addWidget(self.told)
        layout.addStretch(1)

    def show_device(self, pue: float, embodied: Embodied | None) -> None:
        """Show what is chosen; a device that is being entered stays as far as it is."""
        blocked = [
            QSignalBlocker(field)
            for field in (self.pue, self.counts, self.kg, self.years, self.share)
        ]
        self.pue.setValue(pue)
        if embodied:
            self.counts.setChecked(True)
            self.kg.setValue(embodied.device_kg)
            self.years.setValue(embodied.life_years)
            self.share.setValue(round(100 * embodied.share))
        del blocked
        self._mind_fields()

    def _embodied(self) -> Embodied | None:
        """The device as it is entered, ``None`` while it is not counted or not known."""
        if not self.counts.isChecked() or not self.kg.value():
            return None
        return Embodied(self.kg.value(), self.years.value(), self.share.value() / 100)

    def _mind_fields(self) -> None:
        is_on = self.counts.isChecked()
        for field in (self.kg, self.years, self.share):
            field.setEnabled(is_on)
        if device := self._embodied():
            hour = figures.mass(device.grams(3600))
            self.told.setText(self.tr("%1 CO₂e for each hour of work.").replace("%1", hour))
        else:
            self.told.setText(self.tr("Enter the kilograms to begin.") if is_on else "")

    def _change_pue(self) -> None:
        pue = self.pue.value()
        self.wanted.emit(lambda kept: choose_pue(kept, pue))

    def _change_device(self) -> None:
        self._mind_fields()
        embodied = self._embodied()
        self.wanted.emit(lambda kept: choose_embodied(kept, embodied))
