"""The sensors page: what is measured, what of it is added, and how to mend what is denied."""

import time
from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.live.moments import Moments
from desktop.sensors.boxes import Boxes
from desktop.sensors.channels import ChannelTable
from desktop.sensors.gauges import GaugeTable
from desktop.sensors.mending import MendDialog, translate
from desktop.sensors.probes import ProbeList
from desktop.sensors.scheme import scheme_of
from desktop.sensors.testing import SelfTestRow
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from monitor.engine.messages import Hello
from monitor.power.channel import Channel, Probe
from monitor.power.gauge import Gauge
from monitor.power.mend import mend_for, rapl_mend
from monitor.power.sampler import Sampler
from monitor.power.selftest import SECONDS, Traits
from monitor.store.history import History

DRAWN_S = 1.5
"""A minute drawn as wide as a finger moves two pixels a second: every other refresh will do."""


class SensorsPage(QWidget):
    """Shows a sampler's channels, gauges and probes while it is visible.

    :param sampler: need not have started
    :param moments: its present watts
    :param theme: colours
    :param bridge: for what takes time; without it and the history nothing is tested or mended
    :param history: where what was learned of the sensors is kept
    :param test_s: how long a test of the sensors takes
    """

    engine_wanted = Signal()
    """The page is seen for the first time; :meth:`set_engine` should follow."""
    baseline_wanted = Signal()
    calibration_wanted = Signal()
    plugs_wanted = Signal()

    def __init__(
        self,
        sampler: Sampler,
        moments: Moments,
        theme: Theme,
        bridge: Bridge | None = None,
        history: History | None = None,
        parent: QWidget | None = None,
        test_s: float = SECONDS,
    ) -> None:
        super().__init__(parent)
        self._sampler, self._moments, self._theme, self._bridge = sampler, moments, theme, bridge
        self._has_engine = False
        self._traits: Mapping[str, Traits] = {}
        self._shown: object = None
        self._drawn_s = 0.0
        self._boxes: Boxes | None = None
        self._table: ChannelTable | None = None
        self._gauges: GaugeTable | None = None
        self.test_row: SelfTestRow | None = None
        if bridge and history:
            self.test_row = SelfTestRow(bridge, history, sampler, self, test_s)
            self.test_row.learned.connect(self._show_traits)
        self._build()
        moments.passed.connect(self.refresh)

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        self.probe_list = ProbeList()
        self.probe_list.mend_wanted.connect(self._mend)
        self._measured, self._explained, self._engine = (_column() for _ in range(3))
        page = named(QWidget(), "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addLayout(self._head())
        column.addWidget(self.probe_list.urgent)
        column.addLayout(self._measured)
        column.addLayout(self._explained)
        column.addWidget(label(self.tr("Where it could come from"), "title"))
        column.addWidget(self.probe_list)
        column.addLayout(self._engine)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)

    def _head(self) -> QVBoxLayout:
        head, row = QVBoxLayout(), QHBoxLayout()
        head.setSpacing(4)
        row.setSpacing(10)
        head.addLayout(row)
        if self.test_row:
            head.addWidget(self.test_row)
        row.addWidget(label(self.tr("What is measured"), "title"), 1, Qt.AlignmentFlag.AlignTop)
        if self.test_row:
            row.addWidget(self.test_row.begin)
        buttons = (
            (
                self.tr("Idle baseline …"),
                self.tr("What this machine draws when it does nothing"),
                self.baseline_wanted.emit,
            ),
            (
                self.tr("Wall calibration …"),
                self.tr("How the wall's watts follow from the sensors'"),
                self.calibration_wanted.emit,
            ),
            (
                self.tr("Wall plugs …"),
                self.tr("Plugs that tell what the whole machine draws"),
                self.plugs_wanted.emit,
            ),
        )
        for text, tip, deed in buttons:
            button: QToolButton = tool_button(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _checked=False, deed=deed: deed())
            row.addWidget(button)
        return head

    # --- what is told ---------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme, self._shown = theme, None
        self.refresh()

    def set_engine(self, hello: Hello, advice: str | None) -> None:
        """Show what llama.cpp computes on, and how to have it use an idle GPU."""
        devices = ", ".join(f"{device.name} ({device.description})" for device in hello.devices)
        computes = (
            self.tr("llama-cpp-python %1 computes on %2.")
            .replace("%1", hello.llama_cpp)
            .replace("%2", devices)
        )
        self._has_engine = True
        _empty(self._engine)
        self._engine.addWidget(label(self.tr("What models run on"), "title"))
        self._engine.addWidget(_selectable_card(computes, advice or ""))

    def _show_traits(self, traits: Mapping[str, Traits]) -> None:
        if traits != self._traits:
            self._traits, self._shown = traits, None
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the sampler while visible."""
        super().showEvent(event)
        self.refresh()
        if self.test_row:
            self.test_row.read()
        if not self._has_engine:
            self.engine_wanted.emit()

    def refresh(self) -> None:
        """Show what has changed: the figures always, the rest only if it is new."""
        if not self.isVisible():
            return
        now, gauges = self._moments.now, self._sampler.gauges()
        channels = tuple(channel for channel, _ in now.listed)
        used = tuple(channel for channel, _ in now.billed)
        if (channels, used, gauges) != self._shown:
            self._shown = (channels, used, gauges)
            if self.test_row:
                self.test_row.show_channels(channels)
            self._rebuild(channels, used, gauges)
        trace, now_s = self._sampler.trace, time.monotonic()
        watts = {channel.key: power_w for channel, power_w in now.listed}
        probes = self._sampler.probes()
        if self._boxes and self._table:
            self._boxes.show_watts(watts)
            self._table.show_watts(watts)
            self._table.show_doubts(probes)
            if now_s - self._drawn_s > DRAWN_S:
                self._drawn_s = now_s
                self._table.draw(trace)
        if self._gauges:
            self._gauges.show_values(self._sampler.gauge_trace)
        self.probe_list.show_probes(probes, channels, watts)

    def _rebuild(
        self, channels: tuple[Channel, ...], used: tuple[Channel, ...], gauges: tuple[Gauge, ...]
    ) -> None:
        """Lay the page out anew.

        :param used: what the total is of; a sensor that a model stands in for is not
        """
        self._drawn_s = 0.0
        for column in (self._measured, self._explained):
            _empty(column)
        self._boxes = Boxes(scheme_of(used), self._theme)
        self._table = ChannelTable(scheme_of(channels), self._traits, self._theme)
        self._measured.addWidget(self._boxes)
        self._measured.addWidget(self._table)
        self._gauges = GaugeTable(gauges, channels) if gauges else None
        if self._gauges:
            self._explained.addWidget(label(self.tr("What explains the watts"), "muted"))
            self._explained.addWidget(self._gauges)

    # --- deeds ----------------------------------------------------------------------------

    def _mend(self, probe: Probe) -> None:
        """Open what can be done about a source, or taken back."""
        if self._bridge is None:
            return
        mend = mend_for(probe, translate)
        is_denied = mend is not None
        mend = mend or rapl_mend(translate=translate)
        dialog = MendDialog(self._bridge, mend, self.window(), is_denied)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(lambda: self._sampler.reopen(probe.source))
        dialog.open()


def _column() -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(10)
    return column


def _empty(column: QVBoxLayout) -> None:
    while item := column.takeAt(0):
        if widget := item.widget():
            widget.hide()
            widget.deleteLater()


def _selectable_card(*texts: str) -> QFrame:
    card = named(QFrame(), "card")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(14, 10, 14, 10)
    for text in filter(None, texts):
        made = label(text, wrap=True)
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(made)
    return card
