"""What an energy is like in everyday life, small beside it, and the switch that turns it off."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Signal
from PySide6.QtWidgets import QCheckBox, QLabel, QWidget

from desktop.bridge import Bridge
from desktop.theme.widgets import label, named
from monitor.carbon.equivalents import (
    PREFERENCE,
    Equivalent,
    equivalent_words,
    equivalents,
    interval_words,
)
from monitor.energy.interval import Interval
from monitor.store.history import History

TEXTS = (
    QT_TRANSLATE_NOOP("Equivalents", "an LED bulb for %1"),
    QT_TRANSLATE_NOOP("Equivalents", "%1 phone charges"),
    QT_TRANSLATE_NOOP("Equivalents", "%1 by electric car"),
    QT_TRANSLATE_NOOP("Equivalents", "%1 years of a home's electricity"),
    QT_TRANSLATE_NOOP("Equivalents", "%1 by petrol car"),
    QT_TRANSLATE_NOOP("Equivalents", "%1 years of driving a petrol car"),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.carbon.equivalents` in the window's language."""
    return QCoreApplication.translate("Equivalents", text)


class EquivalentLine(QLabel):
    """One muted line: *≈ an LED bulb for 1.4 s · 40 cm by petrol car*.

    It takes no room where nothing reads naturally, or while it is switched off.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "muted")
        self.setTextFormat(label().textFormat())
        self.setWordWrap(True)
        self._is_wanted = True
        self.hide()

    def set_wanted(self, wanted: bool) -> None:
        """Switch the line on or off."""
        self._is_wanted = wanted
        self.setVisible(wanted and bool(self.text()))

    def show_amounts(self, energy: Interval | None, grams: float | None) -> None:
        """Show what an energy and its emissions are like.

        :param energy: ``None`` if it is not known
        :param grams: CO2-equivalent
        """
        found = equivalents(energy, grams)
        words = " · ".join(equivalent_words(each, translate) for each in found)
        self.setText(f"≈ {words}" if words else "")
        sources = "\n".join(self._source(each) for each in found)
        self.setToolTip(sources)
        self.setAccessibleDescription(sources)
        self.set_wanted(self._is_wanted)

    def _source(self, found: Equivalent) -> str:
        measure = found.measure
        interval = interval_words(found)
        told = f"{equivalent_words(found, translate)} ({interval})"
        if not interval:
            told = equivalent_words(found, translate)
        return f"{told}\n    {measure.source}, {measure.year}\n    {measure.link}"


class EquivalentSwitch(QCheckBox):
    """Switches the lines on and off, and remembers it."""

    switched = Signal(bool)
    """Whether they are wanted; also once after it was read."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.setText(self.tr("Show everyday equivalents"))
        self.setToolTip(self.tr("Such as phone charges or metres by car, beside energies"))
        self.setChecked(True)
        self.clicked.connect(self._keep)
        bridge.read(lambda: bool(history.preference(PREFERENCE, True)), self._show)

    def _show(self, wanted: bool) -> None:
        self.setChecked(wanted)
        self.switched.emit(wanted)

    def _keep(self, wanted: bool) -> None:
        self._bridge.change(lambda: self._history.set_preference(PREFERENCE, wanted))
        self.switched.emit(wanted)
