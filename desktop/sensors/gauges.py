"""What explains the watts: a row a device, a column a quantity."""

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from desktop.sensors.words import quantity_name
from desktop.theme.devices import short_name
from desktop.theme.gauges import device_name, gauge_name, note_words
from desktop.theme.widgets import label
from monitor import figures
from monitor.power.channel import Channel, Domain, Kind, Role
from monitor.power.gauge import Gauge, GaugeTrace, Quantity
from monitor.power.present import present_reading

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class GaugeTable(QFrame):
    """The gauges' present values. They are no energy and no part of any bill.

    :param gauges: at least one
    :param channels: what they explain, for the devices' names
    """

    def __init__(
        self,
        gauges: Sequence[Gauge],
        channels: Sequence[Channel],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._cells: list[tuple[Gauge, QLabel]] = []
        self._names = {
            (channel.domain, channel.device): short_name(channel)
            for channel in reversed(channels)
            if channel.role is Role.PART and channel.kind is not Kind.MODELLED
        }
        self._names |= {
            (Domain.DRAM, "machine"): self.tr("Machine"),
            (Domain.SYSTEM, "engine"): self.tr("Engine (llama.cpp)"),
            (Domain.SYSTEM, "own"): self.tr("LlamaWatt itself"),
        }
        self.setObjectName("card")
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 10, 14, 10)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(3)
        told = {gauge.quantity for gauge in gauges}
        columns = [quantity for quantity in Quantity if quantity in told]
        for at, quantity in enumerate(columns, 1):
            title = label(quantity_name(quantity), "muted")
            title.setAlignment(RIGHT)
            grid.addWidget(title, 0, at)
        for row, (device, group) in enumerate(_by_device(gauges).items(), 1):
            name = self._names.get(device) or device_name(group[0])
            grid.addWidget(label(name, "muted"), row, 0)
            for at, quantity in enumerate(columns, 1):
                # A device has one gauge of a quantity; of several the first speaks for it.
                for gauge in [each for each in group if each.quantity is quantity][:1]:
                    grid.addWidget(self._cell(gauge), row, at)
        grid.setColumnStretch(len(columns) + 1, 1)

    def _cell(self, gauge: Gauge) -> QLabel:
        cell = label(figures.UNKNOWN, "muted")
        cell.setAlignment(RIGHT)
        cell.setToolTip(gauge_name(gauge))
        cell.setAccessibleName(gauge_name(gauge))
        self._cells.append((gauge, cell))
        return cell

    def show_values(self, trace: GaugeTrace) -> None:
        """Write the present values."""
        now_s = time.monotonic()
        for gauge, cell in self._cells:
            reading = present_reading(trace, gauge, now_s)
            if reading is None:
                cell.setText(figures.UNKNOWN)
            elif gauge.quantity is Quantity.THROTTLE:
                why = note_words(reading.note) or self.tr("yes")
                cell.setText(why if reading.value > 0 else self.tr("no"))
            else:
                text = figures.reading(gauge.quantity, reading.value)
                if gauge.capacity and gauge.quantity is Quantity.MEMORY:
                    text += " / " + figures.reading(gauge.quantity, gauge.capacity)
                cell.setText(text)


def _by_device(gauges: Sequence[Gauge]) -> dict[tuple[Domain, str], list[Gauge]]:
    """Return the gauges of each device in the order of the sum, the program's own last.

    An APU's package is two devices: the processor, and all of it as its graphics tell.
    """
    found: dict[tuple[Domain, str], list[Gauge]] = {}
    for domain in Domain:
        for gauge in gauges:
            if gauge.domain is domain:
                found.setdefault((domain, gauge.device), []).append(gauge)
    return found
