"""A slider over a few values worth choosing, beside a field for any other."""

from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from desktop.theme.numbers import WholeField

FIELD_WIDTH = 190


class SteppedNumber(QWidget):
    """A whole number; the first step stands for something of its own.

    :param name: for screen readers
    :param steps: what the slider stops at, rising; the first and last are the field's bounds
    :param least: of what is typed, but for the first step
    """

    changed = Signal(int)

    def __init__(
        self, name: str, steps: Sequence[int], least: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._steps, self._least = tuple(steps), least
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(steps) - 1)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName(name)
        self.field = WholeField(minimum=steps[0], maximum=max(steps[-1], least))
        self.field.setAccessibleName(name)
        self.field.setKeyboardTracking(False)
        self.field.setFixedWidth(FIELD_WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        self.setFocusProxy(self.slider)
        self.slider.valueChanged.connect(lambda at: self.field.setValue(self._steps[at]))
        self.field.valueChanged.connect(self._on_value)

    @property
    def value(self) -> int:
        """The number."""
        return self.field.value()

    def set_value(self, value: int) -> None:
        """Set the number."""
        self.field.setValue(value)

    def set_automatic(self, text: str) -> None:
        """Say what the first step stands for."""
        self.field.setSpecialValueText(text)

    def _on_value(self, value: int) -> None:
        allowed = value if value <= self._steps[0] else max(value, self._least)
        if allowed != value:
            self.field.setValue(allowed)
            return
        # What is not the first step is not shown as it, however little it is.
        at = max(bisect_right(self._steps, value) - 1, int(value > self._steps[0]))
        with QSignalBlocker(self.slider):
            self.slider.setValue(at)
        self.changed.emit(value)
