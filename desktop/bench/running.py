"""The page while a benchmark runs."""

import math
import time

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.bench.lanes import Lanes
from desktop.bench.model import BenchModel, Running
from desktop.live.model import LiveModel
from desktop.theme.palette import Theme
from desktop.theme.widgets import label
from monitor import figures

REFRESH_MS = 250
"""The lanes follow at most four times a second, however fast items come."""


class RunningView(QWidget):
    """Title, progress, what it has cost and should still take, and the models' lanes."""

    def __init__(
        self, model: BenchModel, live: LiveModel, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._model, self._live = model, live
        self._title = label("", "title")
        self._doing = label("", "muted", wrap=True)
        self._cost = label("", "muted", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the benchmark"))
        self.pause = QPushButton(self.tr("Pause"))
        self.pause.setCheckable(True)
        self.pause.toggled.connect(model.set_paused)
        self.stop = QPushButton(self.tr("Stop"))
        self.stop.setToolTip(self.tr("What is done is kept and can be gone on with (Esc)"))
        self.stop.clicked.connect(model.stop)
        self.lanes = Lanes(theme)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.lanes)
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self.pause)
        top.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self._doing)
        layout.addWidget(self._cost)
        layout.addWidget(scroll, 1)
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self._refresh)
        self._is_stale = True
        model.began.connect(self._on_began)
        model.changed.connect(self._on_changed)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.lanes.set_theme(theme)

    def showEvent(self, event: QShowEvent) -> None:
        """Follow while visible."""
        super().showEvent(event)
        self._is_stale = True
        self._timer.start()
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def _on_began(self) -> None:
        self.lanes.clear()
        self.pause.setChecked(False)
        self.pause.setEnabled(False)
        self._title.setText(self.tr("Preparing …"))
        self._doing.setText("")
        self._cost.setText("")
        self.bar.setRange(0, 0)

    def _on_changed(self) -> None:
        self._is_stale = True

    def _refresh(self) -> None:
        running = self._model.running
        if running is None:
            self._doing.setText(self._model.preparing)
            return
        self._model.ask_spent()
        self._doing.setText(self._doing_words(running))
        if not self._is_stale:
            return
        self._is_stale = False
        self._title.setText(running.title)
        self.bar.setRange(0, max(running.planned, 1))
        self.bar.setValue(running.done)
        self._cost.setText(self._cost_words(running))
        text = self.tr("Go on") if running.is_paused else self.tr("Pause")
        self.pause.setText(text)
        self.pause.setEnabled(True)
        under_way = self._under_way(running)
        self.lanes.show_models(running.models, running.current, self._live.kind, under_way)

    def _doing_words(self, running: Running) -> str:
        step = running.steps[running.current].step
        if running.is_paused:
            return self.tr("Paused; nothing is computed or billed until you go on.")
        if running.doing and running.doing_until_s is not None:
            left_s = max(math.ceil(running.doing_until_s - time.monotonic()), 0)
            words = self.tr("%1, %2 s left …").replace("%1", running.doing)
            return words.replace("%2", str(left_s))
        if running.doing:
            return running.doing
        text = self.tr("%1 of %2 items · %3: %4")
        return (
            text.replace("%1", str(running.done))
            .replace("%2", str(running.planned))
            .replace("%3", step.model)
            .replace("%4", step.part)
        )

    def _under_way(self, running: Running) -> str:
        """Say of the present part what it has cost before its first item is complete."""
        words = self.tr("warms up") if running.is_warming_up else self.tr("is under way")
        spent = running.spent
        if spent is None or spent.step != running.current or spent.step_j is None:
            return words
        energy = figures.marked(spent.kind, figures.energy(spent.step_j))
        energy = figures.at_least(energy, spent.is_least)
        return f"{words} · {self.tr('%1 so far').replace('%1', energy)}"

    def _cost_words(self, running: Running) -> str:
        kind = (running.spent and running.spent.kind) or self._live.kind
        spent = figures.marked(kind, figures.energy(running.joules))
        spent = figures.at_least(spent, running.spent is not None and running.spent.is_least)
        text = self.tr("%1 so far").replace("%1", spent)
        left = running.left
        if running.done >= running.planned:
            return text
        if left is None:
            return f"{text} · {self.tr('how long it still takes is not known yet')}"
        words = (
            self.tr("roughly %1 and %2 left") if left.is_rough else self.tr("about %1 and %2 left")
        )
        words = words.replace("%1", figures.duration(left.seconds))
        energy = figures.marked(left.kind or self._live.kind, figures.energy(left.joules))
        return f"{text} · {words.replace('%2', energy)}"
