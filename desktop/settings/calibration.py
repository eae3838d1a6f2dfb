"""Calibrating with a wall plug: the staircase, live, and what came of it."""

import math
import threading
import time
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.cards import card, grid
from desktop.settings.residuals import ResidualPlot, step_words
from desktop.theme.bill import when_words
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.energy.calibration import (
    Calibration,
    CannotCalibrate,
    Residuals,
    calibrate,
    residuals,
)
from monitor.engine.client import Engine, EngineError
from monitor.power.channel import Channel, Role
from monitor.power.present import present_w
from monitor.power.sampler import Sampler
from monitor.staircase import (
    FULL_S,
    QUICK_S,
    Climbing,
    Loads,
    Staircase,
    engine_loads,
    processor_loads,
    whole_channel,
)
from monitor.store.calibrations import Calibrations
from monitor.store.errors import StoreError
from monitor.store.history import History

WATTS_MS = 1000
PLOT_HEIGHT = 220

Made = tuple[Calibration, Residuals | None]


class CalibrationDialog(QDialog):
    """Guides through the staircase and shows factors, their ends and what they miss.

    :param engine: its loaded model takes the steps of llama.cpp; without one they are left out
    """

    made = Signal()
    """There is a new calibration."""
    _climbing = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        sampler: Sampler,
        theme: Theme,
        engine: Engine | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._sampler, self._engine = bridge, sampler, engine
        self._calibrations = Calibrations(history.store)
        self._cancelled = threading.Event()
        self._is_climbing = False
        self._steps: list[QLabel] = []
        self._works: tuple[str, ...] = ()
        self._total_s = FULL_S
        self.setWindowTitle(self.tr("Wall calibration"))
        self.resize(640, 600)
        self.plot = ResidualPlot(theme)
        self.plot.setFixedHeight(PLOT_HEIGHT)
        self._build()
        self._climbing.connect(self._on_climbing, Qt.ConnectionType.QueuedConnection)
        self._timer = QTimer(self, interval=WATTS_MS)
        self._timer.timeout.connect(self.show_watts)
        self._timer.start()
        self._set_climbing(False)
        self.show_watts()
        self._bridge.read(self._read_latest, self._show)

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        promise = self.tr(
            "A wall plug reads all of the machine, but slowly. While the machine climbs a "
            "staircase of loads and comes down again, LlamaWatt learns what the watts of each "
            "channel come to at the plug. Afterwards each answer shows that too, without the plug."
        )
        self.watts = label("", wrap=True)
        self._staircase = QWidget()
        self._stairs = QGridLayout(self._staircase)
        self._stairs.setContentsMargins(0, 0, 0, 0)
        self._stairs.setHorizontalSpacing(14)
        self._result = QWidget()
        self._results = QVBoxLayout(self._result)
        self._results.setContentsMargins(0, 0, 0, 0)
        page = named(QWidget(), "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(10)
        column.addWidget(label(promise, "muted", wrap=True))
        column.addWidget(self.watts)
        column.addWidget(self._staircase)
        column.addWidget(self._result)
        self._missed = card(self.tr("What the fit misses"), self.plot)
        column.addWidget(self._missed)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(scroll, 1)
        layout.addLayout(self._bottom())

    def _bottom(self) -> QVBoxLayout:
        self.told = label("", "muted", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the calibration"))
        self.quick = QCheckBox(self.tr("Quick: two minutes instead of ten"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.clicked.connect(self.stop)
        self.begin = named(QPushButton(self.tr("Start")), "primary")
        self.begin.clicked.connect(self.start)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self.quick)
        row.addStretch(1)
        for button in (self.cancel, self.begin, self.close_button):
            row.addWidget(button)
        column = QVBoxLayout()
        column.addWidget(self.told)
        column.addWidget(self.bar)
        column.addLayout(row)
        return column

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.plot.set_theme(theme)

    # --- live ----------------------------------------------------------------------------

    def show_watts(self) -> None:
        """Show what is read now, or what to connect."""
        channels = self._sampler.channels()
        whole = whole_channel(self._sampler)
        self.begin.setEnabled(whole is not None)
        if whole is None:
            self.watts.setText(
                self.tr(
                    "Nothing here reads the whole machine at present. Add a wall plug on the "
                    "Sensors page, or unplug a laptop's charger to have its battery read."
                )
            )
            return
        shown = [whole, *(c for c in channels if c.role is Role.PART)]
        self.watts.setText("   ".join(map(self._watts_of, shown)))

    def _watts_of(self, channel: Channel) -> str:
        watts = figures.power(present_w(self._sampler.trace, channel, time.monotonic()))
        return f"{channel.label} {figures.marked(channel.kind, watts)}"

    def _lay_stairs(self, works: Sequence[str]) -> None:
        """Show the steps: up in the first row, down again in the second."""
        while item := self._stairs.takeAt(0):
            if widget := item.widget():
                widget.deleteLater()
        self._steps = [label(step_words(work), "muted") for work in [*works, *reversed(works)]]
        for number, step in enumerate(self._steps):
            row, column = divmod(number, len(works))
            self._stairs.addWidget(step, row, column)

    def _on_climbing(self, at: Climbing) -> None:
        left_s = math.ceil(max(at.left_s, 0.0))
        self.bar.setValue(round(1000 * (1 - at.left_s / self._total_s)))
        self.told.setText(
            self.tr("Step %1 of %2: %3. %4 left. Leave the machine alone.")
            .replace("%1", str(at.number + 1))
            .replace("%2", str(at.count))
            .replace("%3", step_words(at.work))
            .replace("%4", f"{left_s} s" if left_s < 60 else figures.duration(left_s))
        )
        works = [*self._works, *reversed(self._works)]
        for number, step in enumerate(self._steps):
            work = step_words(works[number])
            mark = "✓ " if number < at.number else "▸ " if number == at.number else ""
            step.setText(mark + work)
            step.setObjectName("" if number <= at.number else "muted")
            step.style().polish(step)

    # --- climbing ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to climb, unless a model is at work."""
        whole = whole_channel(self._sampler)
        if whole is None:
            return
        if self._bridge.busy:
            self.told.setText(self.tr("A model is at work. Wait until it has ended."))
            return
        self._total_s = QUICK_S if self.quick.isChecked() else FULL_S
        try:
            loads = self.loads()
            staircase = Staircase(self._sampler, whole, loads, self._total_s)
        except (CannotCalibrate, EngineError) as problem:
            self.told.setText(str(problem))
            return
        self._cancelled.clear()
        self._works = tuple(loads)
        self._lay_stairs(self._works)
        self._set_climbing(True)
        self._bridge.transfer(lambda: self._climb(staircase), self._end)

    def loads(self) -> Loads:
        """Return the steps: those of the loaded model too, if there is one.

        :raises EngineError: if llama.cpp has gone meanwhile and does not start again
        """
        engine = self._engine
        if engine is None or engine.model is None:
            return processor_loads()
        of_engine = engine_loads(engine, engine.model, self._sampler.channels())
        return {**processor_loads(), **of_engine}

    def _climb(self, staircase: Staircase) -> Made | str:
        """Climb on another thread; return what came of it, or why nothing did."""
        try:
            for at in staircase.climb(self._must_stop):
                self._climbing.emit(at)
            if self._must_stop():
                return self.tr("Stopped; nothing was kept.")
            samples = staircase.samples()
            kept = self._calibrations.keep(calibrate(samples), samples)
        except (CannotCalibrate, EngineError, StoreError, OSError) as problem:
            stopped = self.tr("Stopped; nothing was kept.")
            return stopped if self._must_stop() else str(problem)
        return kept, residuals(samples, kept)

    def _must_stop(self) -> bool:
        return self._cancelled.is_set() or self._bridge.is_closed

    def stop(self) -> None:
        """End the climb; nothing is kept of it."""
        self._cancelled.set()
        self.cancel.setEnabled(False)

    def _end(self, result: Made | str) -> None:
        self._set_climbing(False)
        if isinstance(result, str):
            self.told.setText(result)
            return
        self.told.setText(self.tr("Calibrated."))
        self._show(result)
        self.made.emit()

    def _set_climbing(self, is_on: bool) -> None:
        self._is_climbing = is_on
        self.bar.setValue(0)
        self._staircase.setVisible(is_on)
        self._result.setVisible(not is_on)
        self._missed.setVisible(not is_on and self.plot.is_filled)
        self.bar.setVisible(is_on)
        self.cancel.setVisible(is_on)
        for button in (self.quick, self.begin, self.close_button):
            button.setVisible(not is_on)
        self.cancel.setEnabled(is_on)

    def reject(self) -> None:
        """Escape stops the climb, or closes."""
        if self._is_climbing:
            self.stop()
        else:
            super().reject()

    # --- what came of it -----------------------------------------------------------------

    def _read_latest(self) -> Made | None:
        latest = self._calibrations.latest()
        return (latest, self._calibrations.residuals(latest)) if latest else None

    def _show(self, made: Made | None) -> None:
        while item := self._results.takeAt(0):
            if widget := item.widget():
                widget.deleteLater()
        self.plot.show_residuals(made and made[1])
        self._missed.setVisible(not self._is_climbing and self.plot.is_filled)
        if made is None:
            self._results.addWidget(label(self._how_to_begin(), wrap=True))
            return
        calibration, _missed = made
        title = self.tr("Calibrated %1").replace("%1", when_words(calibration.made_at))
        self._results.addWidget(card(title, self._table(calibration), self._quality(calibration)))

    def _how_to_begin(self) -> str:
        words = self.tr(
            "This machine was not calibrated yet. Close what computes, press Start, and leave the "
            "machine alone meanwhile."
        )
        if self._engine is not None and self._engine.model is None:
            words += " " + self.tr(
                "No model is loaded: load one first, and its reading and writing are steps too."
            )
        return words

    def _table(self, made: Calibration) -> QWidget:
        rows = [(self.tr("At the plug"), self.tr("Value"), self.tr("95 %"), self.tr("Calibrated"))]
        ends = figures.power_span(made.base_low_w, made.base_high_w, made.base_w)
        rows.append((self.tr("Base"), figures.power(made.base_w), ends, ""))
        for factor in made.factors:
            spanned = figures.power_span(factor.least_w, factor.most_w, factor.most_w)
            value, ends = f"× {factor.value:.3f}", f"{factor.low:.3f}–{factor.high:.3f}"
            if factor.is_still:
                value, ends = self.tr("in the base"), ""
            rows.append((factor.label, value, ends, spanned))
        return grid(rows)

    def _quality(self, made: Calibration) -> QWidget:
        words = self.tr("The mean of each step is told within %1 of what %2 read.")
        words = words.replace("%1", figures.power(made.told_within_w))
        words = words.replace("%2", made.whole_label)
        if made.foretold_within is not None:
            more = self.tr("The way up and the way down foretell each other within %1.")
            words += " " + more.replace("%1", f"{100 * made.foretold_within:.1f} %")
        return label(words, "muted", wrap=True)
