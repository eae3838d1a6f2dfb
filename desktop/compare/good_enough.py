"""Good enough: how many points below the best, and what that saves."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSlider, QWidget

from desktop.compare.choice import MOST_POINTS
from desktop.compare.standing import Standing
from desktop.theme.widgets import label, named

STEPS = 2
"""Steps a point."""


class GoodEnough(QFrame):
    """A slider with the sentence it makes."""

    points_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "card")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(MOST_POINTS * STEPS))
        self.slider.setPageStep(STEPS)
        self.slider.setFixedWidth(150)
        self.slider.setAccessibleName(self.tr("Points a score may lie below the best"))
        self.slider.valueChanged.connect(self._on_moved)
        self._value = label()
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("10.5 points"))
        self.sentence = label("", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 12, 6)
        row.setSpacing(10)
        row.addWidget(label(self.tr("Good enough within"), "muted"))
        row.addWidget(self.slider)
        row.addWidget(self._value)
        row.addWidget(self.sentence, 1)
        self.setMinimumHeight(self.sentence.fontMetrics().lineSpacing() * 2 + 16)
        self.show_points(0.0)

    def show_points(self, points: float) -> None:
        """Put the slider where it was left."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(points * STEPS))
        self.slider.blockSignals(False)
        self._write()

    def show_standing(self, standing: Standing) -> None:
        """Show what is good enough, muted where that cannot be told."""
        pick, is_possible = standing.pick, standing.measured > 1
        self.slider.setEnabled(is_possible)
        if is_possible and pick:
            self.sentence.setText(pick.sentence)
        else:
            self.sentence.setText(
                self.tr("Two models with a measured energy are needed to tell what is good enough.")
            )
        is_told = is_possible and pick is not None and pick.is_sure
        named(self.sentence, "" if is_told else "muted")
        self.sentence.style().polish(self.sentence)

    def _on_moved(self, value: int) -> None:
        self._write()
        self.points_chosen.emit(value / STEPS)

    def _write(self) -> None:
        points = self.slider.value() / STEPS
        text = self.tr("1 point") if points == 1 else self.tr("%1 points")
        self._value.setText(text.replace("%1", f"{points:g}"))
        self.slider.setAccessibleDescription(self._value.text())
