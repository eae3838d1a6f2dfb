"""What grams are reckoned with: a zone, one's own figure, the device, figures of the hour."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import shiboken6
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.settings.carbon_device import DeviceTab
from desktop.settings.carbon_live import LiveTab, TurnOn
from desktop.settings.carbon_own import OwnTab
from desktop.settings.zones import ZoneList
from desktop.theme.equivalents import EquivalentSwitch
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.carbon.choice import Choice, choose_live, choose_zone, read_choice, zone_at
from monitor.carbon.intensity import SOURCE, CarbonError, Zone
from monitor.carbon.live import LiveError, live_for
from monitor.carbon.own import CODE
from monitor.carbon.state import LiveState, Preferences, read_state, refresh
from monitor.carbon.token import keep_token, read_token
from monitor.store.errors import StoreError
from monitor.store.history import History


@dataclass(frozen=True, slots=True)
class Situation:
    """What is chosen, and what follows from it now.

    :param zone: what a query that begins now is reckoned with
    :param state: how it stands with live figures, ``None`` if they are off
    """

    choice: Choice
    zone: Zone
    state: LiveState | None


def read_situation(kept: Preferences) -> Situation:
    """Read all the dialog shows."""
    choice = read_choice(kept)
    state = read_state(kept, choice.live) if choice.live else None
    return Situation(choice, zone_at(kept, datetime.now(UTC)), state)


class CarbonDialog(QDialog):
    """What a person can choose about grams; each change is kept at once.

    Choosing a zone ends it, unless there is something to be read.

    :param bridge: runs what takes time
    :param history: where choices are kept
    """

    changed = Signal(object)
    """The zone that queries are reckoned with from now on."""
    live_changed = Signal()
    """Live figures were turned on or off."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._situation: Situation | None = None
        self._is_done = False
        """Whether the dialog is to end once the zone that was chosen is kept."""
        self.setWindowTitle(self.tr("What CO₂ is reckoned with"))
        self.resize(560, 560)
        self.zones = ZoneList()
        self.own_tab, self.device_tab, self.live_tab = OwnTab(), DeviceTab(), LiveTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self._zone_tab(), self.tr("Zone"))
        self.tabs.addTab(self.own_tab, self.tr("Your own figure"))
        self.tabs.addTab(self.device_tab, self.tr("Device"))
        self.tabs.addTab(self.live_tab, self.tr("Live"))
        self.own_tab.wanted.connect(self._change)
        self.device_tab.wanted.connect(self._change)
        self.live_tab.on_wanted.connect(self._turn_on)
        self.live_tab.off_wanted.connect(self._turn_off)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(self._bottom())
        self.zones.setFocus()
        self._bridge.read(self._read, self._show)

    def _zone_tab(self) -> QWidget:
        tab = QWidget()
        self.use = named(QPushButton(self.tr("Use this zone")), "primary")
        self.use.setAutoDefault(False)
        self.use.setEnabled(False)
        self.use.clicked.connect(self._choose_marked)
        self.zones.activated.connect(self._choose_marked)
        self.zones.list.selectionModel().currentChanged.connect(self._mind_button)
        told = self.tr("Figures: %1. Every answer keeps the one it was reckoned with.")
        row = QHBoxLayout()
        row.addWidget(label(told.replace("%1", SOURCE), "muted", wrap=True), 1)
        row.addWidget(self.use)
        layout = QVBoxLayout(tab)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        layout.addWidget(self.zones, 1)
        layout.addLayout(row)
        return tab

    def _bottom(self) -> QHBoxLayout:
        self.problem = label("", "warning", wrap=True)
        self.problem.hide()
        self.told = label("", wrap=True)
        close = tool_button(self.tr("Close"))
        close.clicked.connect(self.accept)
        texts = QVBoxLayout()
        texts.addWidget(self.problem)
        texts.addWidget(self.told)
        texts.addWidget(EquivalentSwitch(self._bridge, self._history))
        row = QHBoxLayout()
        row.addLayout(texts, 1)
        row.addWidget(close)
        return row

    # --- what is chosen ------------------------------------------------------------------

    def _read(self) -> Situation | str:
        try:
            return read_situation(self._history)
        except (CarbonError, StoreError) as error:
            return str(error)

    def _show(self, found: Situation | str) -> None:
        if isinstance(found, str):
            self._tell(found)
            return
        self._situation = found
        choice, zone = found.choice, found.zone
        self.zones.show_zones(choice.own.zone if choice.own else None, choice.yearly)
        self.own_tab.show_own(choice.own)
        self.device_tab.show_device(choice.pue, choice.embodied)
        self.live_tab.show_state(choice.yearly, found.state)
        now = self.tr("Reckoned with now: %1, %2 g/kWh (%3, %4)")
        if choice.pue != 1:
            now = self.tr("Reckoned with now: %1, %2 g/kWh (%3, %4), PUE %5")
        for place, text in (
            ("%1", zone.name),
            ("%2", figures.intensity(zone.g_per_kwh)),
            ("%3", str(zone.year)),
            ("%4", zone.source),
            ("%5", f"{choice.pue:g}"),
        ):
            now = now.replace(place, text)
        self.told.setText(now)
        self._mind_button()

    def _tell(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    def _mind_button(self) -> None:
        marked, known = self.zones.zone, self._situation
        self.use.setEnabled(bool(marked and known and marked != known.choice.yearly))

    def _choose_marked(self) -> None:
        marked, known = self.zones.zone, self._situation
        if marked is None or known is None:
            return
        if marked == known.choice.yearly:
            self.accept()
            return
        code = "own" if marked.code.startswith(CODE) else marked.code
        self._is_done = True
        self._change(lambda kept: choose_zone(kept, code))

    def _change(self, change: Callable[[Preferences], Any]) -> None:
        """Keep a choice beside the window's thread, then show what follows from it."""

        def attempt() -> Situation | str:
            try:
                change(self._history)
            except (CarbonError, StoreError) as error:
                return str(error)
            return self._read()

        self._tell("")
        self._bridge.change(attempt, self._on_changed)

    def _on_changed(self, found: Situation | str) -> None:
        before, is_done = self._situation, self._is_done
        self._is_done = False
        self._show(found)
        if isinstance(found, Situation):
            if before and before.state and not found.state:
                self._say_live_is_off(before.choice.yearly, found.choice.yearly)
            self.changed.emit(found.zone)
            self.live_changed.emit()
            if is_done and self.problem.isHidden():
                self.accept()

    def _say_live_is_off(self, before: Zone, now: Zone) -> None:
        if before != now:  # else it was turned off as such
            text = self.tr("Live figures are off now: they were of %1.")
            self._tell(text.replace("%1", before.name))

    # --- live figures --------------------------------------------------------------------

    def _turn_on(self, wanted: TurnOn) -> None:
        """Turn live figures on and fetch the first, which tells whether they can be had."""
        if self._situation is None:
            return
        yearly, history = self._situation.choice.yearly, self._history

        def attempt() -> Situation | str:
            try:
                live = live_for(yearly, wanted.provider, wanted.grid)
                if live.provider.needs_token:
                    if wanted.token:
                        keep_token(wanted.token)
                    read_token()
                choose_live(history, live)
                refresh(history, live, self._tick)
            except (CarbonError, StoreError) as error:
                return str(error)
            return self._read()

        self._tell("")
        self.live_tab.set_busy(True)
        self._bridge.work(attempt, self._on_tested)

    def _tick(self) -> None:
        if self._bridge.is_closed or not shiboken6.isValid(self):
            raise LiveError(self.tr("Stopped."))

    def _on_tested(self, found: Situation | str) -> None:
        self.live_tab.set_busy(False)
        if isinstance(found, str):
            self.live_tab.tell(found)
            return
        self.live_tab.forget_token()
        self._on_changed(found)

    def _turn_off(self) -> None:
        self._change(lambda kept: choose_live(kept, None))
