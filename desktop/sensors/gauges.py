"""What explains the watts: a row a device, a column a quantity."""

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from desktop.sensors.words import quantity_name, short_name
from desktop.theme.widgets import label
from monitor import figures
from monitor.power.channel import Channel, Kind, Role
from monitor.power.gauge import Gauge, GaugeTrace, Quantity

FRESH_S = 5.0
"""What was read longer ago is no present value."""

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
            channel.device: short_name(channel)
            for channel in reversed(channels)
            if channel.role is Role.PART and channel.kind is not Kind.MODELLED
        }
        self._names |= {
            "machine": self.tr("Machine"),
            "engine": self.tr("Engine (llama.cpp)"),
            "own": self.tr("LlamaWatt itself"),
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
        by_device: dict[str, list[Gauge]] = {}
        for gauge in gauges:
            by_device.setdefault(gauge.device, []).append(gauge)
        for row, (device, group) in enumerate(by_device.items(), 1):
            grid.addWidget(label(self._names.get(device, _common(group)), "muted"), row, 0)
            for at, quantity in enumerate(columns, 1):
                # A device has one gauge of a quantity; of several the first speaks for it.
                for gauge in [each for each in group if each.quantity is quantity][:1]:
                    grid.addWidget(self._cell(gauge), row, at)
        grid.setColumnStretch(len(columns) + 1, 1)

    def _cell(self, gauge: Gauge) -> QLabel:
        cell = label(figures.UNKNOWN, "muted")
        cell.setAlignment(RIGHT)
        cell.setToolTip(gauge.label)
        cell.setAccessibleName(gauge.label)
        self._cells.append((gauge, cell))
        return cell

    def show_values(self, trace: GaugeTrace) -> None:
        """Write the present values."""
        for gauge, cell in self._cells:
            reading = trace.latest(gauge.key)
            if reading is None or time.monotonic() - reading.time_s > FRESH_S:
                cell.setText(figures.UNKNOWN)
            elif gauge.quantity is Quantity.THROTTLE:
                is_held = reading.value > 0
                cell.setText(reading.note or self.tr("yes") if is_held else self.tr("no"))
            else:
                text = figures.reading(gauge.quantity, reading.value)
                if gauge.capacity and gauge.quantity is Quantity.MEMORY:
                    text += " / " + figures.reading(gauge.quantity, gauge.capacity)
                cell.setText(text)


def _common(gauges: Sequence[Gauge]) -> str:
    """Name a device no channel tells of: by the first words of its gauges' labels."""
    return " ".join(gauges[0].label.split()[:-1]) or gauges[0].label
