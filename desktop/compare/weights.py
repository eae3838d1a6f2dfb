"""The weights of the efficiency figure, with the formula they make."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSlider, QVBoxLayout, QWidget

from desktop.theme.widgets import label, named, tool_button
from monitor.compare.efficiency import DEFAULT_WEIGHTS, WEIGHABLE, UnknownWeight, formula

STEPS, MOST = 2, 5
"""Steps of a slider for a weight of one, and the greatest weight."""


class WeightsPanel(QFrame):
    """Opens below a button; gone with a click elsewhere or Escape."""

    weights_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        named(self, "card")
        self.setAccessibleName(self.tr("Weights"))
        self.setFixedWidth(430)
        names = {
            "score": self.tr("Score"),
            "energy": self.tr("Energy an item"),
            "speed": self.tr("Speed"),
            "size": self.tr("Size of the file"),
        }
        self.sliders: dict[str, QSlider] = {}
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        for row, key in enumerate(WEIGHABLE):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, MOST * STEPS)
            slider.setPageStep(STEPS)
            slider.setAccessibleName(names[key])
            slider.valueChanged.connect(self._on_moved)
            value = label()
            value.setMinimumWidth(28)
            self.sliders[key], self._values[key] = slider, value
            for column, widget in enumerate((label(names[key]), slider, value)):
                grid.addWidget(widget, row, column)
        self.formula = label("", "muted", wrap=True)
        self.formula.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        again = tool_button(self.tr("As at first"))
        again.clicked.connect(self._reset)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(
            label(self.tr("What counts for efficiency, and how much of it:"), wrap=True)
        )
        layout.addLayout(grid)
        layout.addWidget(self.formula)
        layout.addWidget(again, 0, Qt.AlignmentFlag.AlignLeft)

    @property
    def weights(self) -> dict[str, float]:
        """The weights as they are set."""
        return {key: slider.value() / STEPS for key, slider in self.sliders.items()}

    def show_weights(self, weights: Mapping[str, float]) -> None:
        """Put the sliders where they were left."""
        for key, slider in self.sliders.items():
            slider.blockSignals(True)
            slider.setValue(round(weights.get(key, 0.0) * STEPS))
            slider.blockSignals(False)
        self._write()

    def open_below(self, widget: QWidget) -> None:
        """Open under a widget, within its window's width."""
        self.adjustSize()
        corner = widget.mapToGlobal(widget.rect().bottomLeft())
        window = widget.window()
        right = window.mapToGlobal(window.rect().topRight()).x()
        corner.setX(min(corner.x(), right - self.width() - 8))
        self.move(corner)
        self.show()
        self.sliders[WEIGHABLE[0]].setFocus()

    def _on_moved(self) -> None:
        if self._write():
            used = {key: weight for key, weight in self.weights.items() if weight}
            self.weights_chosen.emit(used)

    def _reset(self) -> None:
        self.show_weights(DEFAULT_WEIGHTS)
        self._on_moved()

    def _write(self) -> bool:
        """Show the numbers and what they make; return whether they can be used."""
        for key, value in self._values.items():
            value.setText(f"{self.weights[key]:g}")
        try:
            text, is_usable = formula(self.weights), True
        except UnknownWeight as problem:
            text, is_usable = str(problem), False
        named(self.formula, "muted" if is_usable else "warning").setText(text)
        self.formula.style().polish(self.formula)
        return is_usable
