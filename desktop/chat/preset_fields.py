"""The figures of a sampling as fields, each explained in plain words."""

import re
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QWidget,
)

from desktop.theme.numbers import DecimalField
from desktop.theme.widgets import label, named
from monitor.presets import LARGEST_SEED, RANGES, checked

NEW_SEED = -1
"""Shown as words: below any seed."""

FIELD_WIDTH, DECIMALS = 132, 4

OF_CHANCE = ("top_k", "top_p", "min_p", "seed")
"""What has no effect at temperature 0, where nothing is left to chance."""

STEPS: Mapping[str, float] = {
    "temperature": 0.1,
    "top_k": 10,
    "top_p": 0.05,
    "min_p": 0.01,
    "repeat_penalty": 0.05,
    "max_tokens": 256,
    "seed": 1,
}


class FigureField(DecimalField):
    """A figure without needless zeros; the wheel turns it only when it has the focus."""

    def __init__(self, low: float, high: float, step: float, lowest_text: str) -> None:
        super().__init__()
        self.setDecimals(DECIMALS if step < 1 else 0)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setSpecialValueText(lowest_text)
        self.setFixedWidth(FIELD_WIDTH)
        self.setMinimumHeight(26)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.installEventFilter(self)

    def textFromValue(self, value: float) -> str:
        """Write the figure as short as it can be."""
        return self.locale().toString(value, "g", 10)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to the page that is scrolled."""
        if event.type() is QEvent.Type.Wheel and not self.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


class SamplingFields(QWidget):
    """Shows a sampling and lets it be changed."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "page")
        self._figures: dict[str, FigureField] = {}
        self._stop = QPlainTextEdit()
        self._stop.setTabChangesFocus(True)
        self._stop.setFixedSize(FIELD_WIDTH, 54)
        self._stop.setAccessibleName(self.tr("Stop texts"))
        self._stop.textChanged.connect(self.changed)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 4, 12, 4)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(10)
        self._grid.setColumnStretch(2, 1)
        for name, title, about in self._texts():
            field = self._stop if name == "stop" else self._figure(name, title, about)
            self._add(title, field, about)
        self._figures["temperature"].valueChanged.connect(self._follow_temperature)

    def _texts(self) -> list[tuple[str, str, str]]:
        """Name, title and explanation of each figure."""
        return [
            (
                "temperature",
                self.tr("Temperature"),
                self.tr(
                    "How daring the choice of words is. 0 always takes the likeliest; 0.7 varies; "
                    "above 1.2 sentences fall apart."
                ),
            ),
            (
                "top_k",
                self.tr("Top-k"),
                self.tr("Only so many of the likeliest words come into question."),
            ),
            (
                "top_p",
                self.tr("Top-p"),
                self.tr(
                    "Only the likeliest words that together have this share of the probability "
                    "come into question; 1 leaves all."
                ),
            ),
            (
                "min_p",
                self.tr("Min-p"),
                self.tr(
                    "Words less likely than this part of the likeliest one are left out; 0 leaves "
                    "all."
                ),
            ),
            (
                "repeat_penalty",
                self.tr("Repeat penalty"),
                self.tr(
                    "Above 1, words that were just used become less likely; 1 leaves them alone."
                ),
            ),
            (
                "max_tokens",
                self.tr("Longest answer"),
                self.tr(
                    "In tokens, about three quarters of an English word each. It limits what an "
                    "answer can cost."
                ),
            ),
            (
                "seed",
                self.tr("Seed"),
                self.tr(
                    "Of the random choice. The same seed, model and settings give the same answer "
                    "again."
                ),
            ),
            (
                "stop",
                self.tr("Stop texts"),
                self.tr(
                    "The answer ends before any of these. One a line; \\n stands for a line break."
                ),
            ),
        ]

    def _figure(self, name: str, title: str, about: str) -> FigureField:
        low, high = RANGES[name]
        lowest_text = ""
        if name == "top_k":
            lowest_text = self.tr("all")
        elif name == "max_tokens":
            low, lowest_text = 0, self.tr("as it fits")
        elif name == "seed":
            low, high, lowest_text = NEW_SEED, LARGEST_SEED, self.tr("always new")
        field = FigureField(low, high, STEPS[name], lowest_text)
        field.setAccessibleName(title)
        field.setAccessibleDescription(about)
        field.valueChanged.connect(lambda _value: self.changed.emit())
        self._figures[name] = field
        return field

    def _add(self, title: str, field: QWidget, about: str) -> None:
        row = self._grid.rowCount()
        name = label(title)
        name.setBuddy(field)
        explanation: QLabel = label(about, "muted", wrap=True)
        explanation.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for column, widget in enumerate((name, field, explanation)):
            self._grid.addWidget(widget, row, column, Qt.AlignmentFlag.AlignVCenter)
        self._grid.setAlignment(explanation, Qt.AlignmentFlag(0))

    def _follow_temperature(self, temperature: float) -> None:
        for name in OF_CHANCE:
            self._figures[name].setEnabled(temperature > 0)
            self._figures[name].setToolTip(
                "" if temperature > 0 else self.tr("At temperature 0 nothing is left to chance.")
            )

    def show_sampling(self, sampling: Mapping[str, Any]) -> None:
        """Show the figures of a sampling."""
        whole = checked(sampling)
        for name, field in self._figures.items():
            absent = NEW_SEED if name == "seed" else 0
            field.setValue(absent if whole[name] is None else whole[name])
        self._stop.setPlainText("\n".join(_escaped(text) for text in whole["stop"]))

    def sampling(self) -> dict[str, Any]:
        """Return what the fields say.

        :raises PresetError: if there are too many stop texts
        """
        figures: dict[str, Any] = {
            name: round(field.value(), DECIMALS) for name, field in self._figures.items()
        }
        if figures["seed"] == NEW_SEED:
            figures["seed"] = None
        if figures["max_tokens"] == 0:
            figures["max_tokens"] = None
        lines = self._stop.toPlainText().split("\n")
        return checked(figures | {"stop": [_unescaped(line) for line in lines]})


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _unescaped(line: str) -> str:
    letters = {"n": "\n", "t": "\t", "\\": "\\"}
    return re.sub(r"\\([nt\\])", lambda found: letters[found[1]], line)
