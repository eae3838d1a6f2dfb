"""A benchmark under way: a lane for each model, and how its score settles."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from desktop.bench.model import StepState
from desktop.theme.palette import Theme
from desktop.theme.plots import freeze
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.bench.results import Accuracy
from monitor.power.channel import Kind

MOST_POINTS = 400


def score_words(accuracy: Accuracy | None) -> str:
    """Write a running score with Wilson's interval: 52.5 % (36–68)."""
    if accuracy is None:
        return figures.UNKNOWN
    low, high = round(100 * accuracy.low), round(100 * accuracy.high)
    return f"{100 * accuracy.value:.1f} % ({low}–{high})"


class Lane(QFrame):
    """One model: its parts with their progress, and the running score of the present one."""

    def __init__(self, states: list[StepState], theme: Theme, color: str) -> None:
        super().__init__()
        named(self, "card")
        self._states = states
        self._bars: list[QProgressBar] = []
        self._scores = [label("", "muted", wrap=True) for _ in states]
        self.plot = ScorePlot(theme, color)
        self._plot_title = label("", "muted", wrap=True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        for row, state in enumerate(states):
            bar = QProgressBar(maximum=max(state.step.planned, 1))
            bar.setTextVisible(False)
            bar.setAccessibleName(state.step.part)
            self._bars.append(bar)
            name = state.step.part
            if state.step.repeat:
                name += f" · {state.step.repeat + 1}"
            grid.addWidget(label(name, wrap=True), row, 0)
            grid.addWidget(bar, row, 1)
            grid.addWidget(self._scores[row], row, 2)
        for column, stretch in enumerate((3, 2, 4)):
            grid.setColumnStretch(column, stretch)
        left = QVBoxLayout()
        left.addWidget(label(states[0].step.model))
        left.addLayout(grid)
        left.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(16)
        layout.addLayout(left, 3)
        right = QVBoxLayout()
        right.setSpacing(2)
        right.addWidget(self._plot_title)
        right.addWidget(self.plot)
        right.addStretch(1)
        layout.addLayout(right, 2)
        self._plot_title.hide()
        self.plot.hide()

    def set_theme(self, theme: Theme, color: str) -> None:
        """Take a theme's colours."""
        self.plot.set_theme(theme, color)

    def show_states(
        self, states: list[StepState], current: int, kind: Kind | None, under_way: str = ""
    ) -> None:
        """Bring the lane up to date.

        :param current: number of the step that is run
        :param under_way: what is said of that one before it has an item; that it is, unless given
        """
        under_way = under_way or self.tr("is under way")
        for bar, text, state in zip(self._bars, self._scores, states, strict=True):
            bar.setValue(state.done)
            is_current = state.step.number == current
            text.setText(self._words(state, kind, under_way if is_current else ""))
        judged = [state for state in states if state.curve]
        shown = next((state for state in judged if state.step.number == current), None)
        shown = shown or (judged[-1] if judged else None)
        if shown:
            title = self.tr("Running score: %1").replace("%1", shown.step.part)
            self._plot_title.setText(title)
            self._plot_title.show()
            self.plot.show()
            self.plot.show_curve(shown)

    def _words(self, state: StepState, kind: Kind | None, under_way: str) -> str:
        if not state.done:
            return under_way or self.tr("waits")
        parts = [f"{state.done}/{state.step.planned}"]
        if state.accuracy:
            parts.append(score_words(state.accuracy))
        if state.joules is not None:
            each = figures.marked(kind, figures.energy(state.joules / state.done))
            parts.append(self.tr("%1 an item").replace("%1", each))
        if state.joules_per_correct is not None:
            right = figures.marked(kind, figures.energy(state.joules_per_correct))
            parts.append(self.tr("%1 a right one").replace("%1", right))
        return " · ".join(parts)


class ScorePlot(pg.PlotWidget):
    """The running score of one part against items done, between the ends of its interval."""

    def __init__(self, theme: Theme, color: str) -> None:
        super().__init__(background=theme.surface, enableMenu=False)
        self.setAccessibleName(self.tr("Running score"))
        self.setMinimumSize(200, 110)
        self.setMaximumHeight(170)
        freeze(self)
        self.plotItem.layout.setContentsMargins(2, 8, 24, 2)
        self._curves = [pg.PlotCurveItem(antialias=False) for _ in range(3)]
        for curve in self._curves:
            self.addItem(curve)
        self.setYRange(0, 1, padding=0.02)
        self.set_theme(theme, color)

    def set_theme(self, theme: Theme, color: str) -> None:
        """Take a theme's colours."""
        self.setBackground(theme.surface)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
        self.getAxis("left").setWidth(40)
        self.getAxis("left").setTicks([[(part, f"{part:.0%}") for part in (0, 0.25, 0.5, 0.75, 1)]])
        bound = QPen(QColor(theme.muted), 0, Qt.PenStyle.DotLine)
        for curve, pen in zip(self._curves, (QPen(QColor(color), 0), bound, bound), strict=True):
            curve.setPen(pen)

    def show_curve(self, state: StepState) -> None:
        """Draw a step's score so far."""
        points = state.curve[:: max(len(state.curve) // MOST_POINTS, 1)]
        if points[-1] is not state.curve[-1]:
            points.append(state.curve[-1])
        done = np.array([count for count, _ in points], dtype=float)
        for curve, values in zip(
            self._curves,
            (
                [accuracy.value for _, accuracy in points],
                [accuracy.low for _, accuracy in points],
                [accuracy.high for _, accuracy in points],
            ),
            strict=True,
        ):
            curve.setData(done, np.array(values, dtype=float))
        planned = state.step.planned
        self.setXRange(0, planned, padding=0)
        self.getAxis("bottom").setTicks([[(n, str(n)) for n in (0, planned // 2, planned)]])


class Lanes(QWidget):
    """All models of the running benchmark, one below the other."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._lanes: dict[int, Lane] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(10)
        self._layout.addStretch(1)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        for number, lane in self._lanes.items():
            lane.set_theme(theme, self._color(number))

    def _color(self, number: int) -> str:
        colors = [color for series in self._theme.series.values() for color in series]
        return colors[number % len(colors)]

    def clear(self) -> None:
        """Take all lanes away."""
        for lane in self._lanes.values():
            self._layout.removeWidget(lane)
            lane.hide()
            lane.deleteLater()
        self._lanes.clear()

    def show_models(
        self,
        models: dict[int, list[StepState]],
        current: int,
        kind: Kind | None,
        under_way: str = "",
    ) -> None:
        """Bring every lane up to date; lanes of other models give way.

        :param under_way: see :meth:`Lane.show_states`
        """
        if self._lanes.keys() != models.keys():
            self.clear()
            for number, states in models.items():
                lane = self._lanes[number] = Lane(states, self._theme, self._color(number))
                self._layout.insertWidget(self._layout.count() - 1, lane)
        for number, states in models.items():
            self._lanes[number].show_states(states, current, kind, under_way)
