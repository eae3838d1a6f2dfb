"""The choice of gauges that the live dock shows, and their present values beneath the plot."""

import time
from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from desktop.live.gauges import LiveGauges
from desktop.theme.gauges import gauge_name
from monitor import figures
from monitor.power.gauge import Gauge

SETTING = "live/gauges"


class _StayingMenu(QMenu):
    """A menu that stays open while its boxes are ticked."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tick what is clicked."""
        if not self._tick(self.actionAt(event.position().toPoint())):
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tick with the space bar; Enter ticks and closes, as in every menu."""
        if event.key() != Qt.Key.Key_Space or not self._tick(self.activeAction()):
            super().keyPressEvent(event)

    def _tick(self, action: QAction | None) -> bool:
        if action is None or not action.isCheckable() or not action.isEnabled():
            return False
        action.trigger()
        return True


class GaugeButton(QToolButton):
    """Opens the menu of gauges; what is chosen is remembered."""

    changed = Signal()
    """Other gauges are chosen now."""

    def __init__(self, gauges: LiveGauges, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gauges = gauges
        self.setText(self.tr("Gauges"))
        self.setAccessibleName(self.tr("Gauges"))
        self.setToolTip(self.tr("Show load, temperature, clock and memory beneath the power"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = _StayingMenu(self)
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        gauges.chosen = _remembered()

    def _fill(self) -> None:
        """List what can be read now, device by device, each with its value."""
        self._menu.clear()
        choosable, now_s = self._gauges.choosable(), time.monotonic()
        if not choosable:
            self._menu.addAction(self.tr("No gauge can be read here")).setEnabled(False)
            return
        before: Gauge | None = None
        for gauge in choosable:
            if before and (before.domain, before.device) != (gauge.domain, gauge.device):
                self._menu.addSeparator()
            value = figures.reading(gauge.quantity, self._gauges.present(gauge, now_s))
            action = self._menu.addAction(f"{gauge_name(gauge)}\t{value}")
            action.setCheckable(True)
            action.setChecked(gauge.key in self._gauges.chosen)
            action.toggled.connect(self._chooser(gauge.key))
            before = gauge
        self._menu.addSeparator()
        none = self._menu.addAction(self.tr("Show none"))
        none.setEnabled(bool(self._gauges.chosen))
        none.triggered.connect(lambda: self._choose(frozenset()))

    def _chooser(self, key: str) -> Callable[[bool], None]:
        return lambda on: self._choose(
            self._gauges.chosen | {key} if on else self._gauges.chosen - {key}
        )

    def _choose(self, keys: frozenset[str]) -> None:
        self._gauges.chosen = keys
        QSettings().setValue(SETTING, "\n".join(sorted(keys)))
        self.changed.emit()


def _remembered() -> frozenset[str]:
    return frozenset(filter(None, str(QSettings().value(SETTING, "")).split("\n")))
