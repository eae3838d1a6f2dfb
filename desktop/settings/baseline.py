"""The idle baseline: what there is of it, measured anew on demand or by itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.cards import card, grid
from desktop.theme.bill import when_words
from desktop.theme.idle import translate
from desktop.theme.roles import role_note
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.energy.account import weakest
from monitor.energy.baseline import Baseline, Conditions, Stale, is_stale, stale_words
from monitor.gpu_rest import present_gpu_percent, silent_gpus
from monitor.power.channel import Role
from monitor.power.sampler import Sampler
from monitor.quiet import (
    QUIET_S,
    REFRESH_S,
    IdleMeasurement,
    LoadMeter,
    NotQuiet,
    NotSure,
    QuietWatch,
    present_conditions,
    take_baseline,
)
from monitor.store.baselines import LOOKED_AT, Baselines
from monitor.store.errors import StoreError
from monitor.store.history import History

LOOK_MS = 500
"""So often a measurement on demand looks at the machine."""

WATCH_MS = 2000
"""So often it is looked whether the machine is quiet; a thousandth of a core."""

REST_S = 600.0
"""Between two attempts to take a baseline by itself."""

SECONDS = 60.0

Found = tuple[Baseline, tuple[Stale, ...]]


class IdleKeeper(QObject):
    """Takes a baseline by itself when the machine has been quiet for a minute.

    Nothing more is computed for it: what was read in that minute is looked at again.

    :param is_working: whether a model is asked, loaded or tested
    """

    kept = Signal()
    """There is a new baseline."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        sampler: Sampler,
        is_working: Callable[[], bool],
        parent: QObject | None = None,
        quiet_s: float = QUIET_S,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._sampler, self._is_working = bridge, sampler, is_working
        self._baselines = Baselines(history.store)
        self._watch, self._load = QuietWatch(quiet_s), LoadMeter()
        self._conditions = present_conditions()
        self._rests_until_s = 0.0
        self._timer = QTimer(self, interval=WATCH_MS)
        self._timer.timeout.connect(self.look)
        if not history.store.is_read_only:
            self._timer.start()

    def look(self) -> None:
        """Look at the machine; take a baseline if it has been quiet and none is fresh."""
        now_s, busy_cores = time.monotonic(), self._load.busy_cores()
        gpu_percent = present_gpu_percent(self._sampler)
        start_s = self._watch.look(now_s, busy_cores, self._is_working(), gpu_percent)
        if start_s is None or now_s < self._rests_until_s:
            return
        self._watch.forget()
        self._rests_until_s = now_s + REST_S
        before, self._conditions = self._conditions, present_conditions()
        self._bridge.change(lambda: self._take(start_s, now_s, before), self._tell)

    def _take(self, start_s: float, end_s: float, before: Conditions) -> bool:
        found = self._baselines.fitting(present_conditions(), datetime.now(UTC))
        if found and not is_stale(found[1]) and found[0].age_s(datetime.now(UTC)) < REFRESH_S:
            return False
        try:
            earlier = self._baselines.newest(LOOKED_AT)
            made = take_baseline(self._sampler, start_s, end_s, before, earlier)
            self._baselines.keep(made)
        except (NotQuiet, StoreError):
            return False  # nobody asked for it; the next quiet minute will do
        return True

    def _tell(self, is_kept: bool) -> None:
        if is_kept:
            self.kept.emit()


class BaselineDialog(QDialog):
    """What the idle machine draws, channel by channel, and the button that measures it."""

    kept = Signal()
    """There is a new baseline."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        sampler: Sampler,
        parent: QWidget | None = None,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._sampler, self._seconds = bridge, sampler, seconds
        self._baselines = Baselines(history.store)
        self._measuring: IdleMeasurement | None = None
        self._asked: IdleMeasurement | None = None
        """What was measured, but waits for a person's word on a GPU."""
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self._look)
        self.setWindowTitle(self.tr("Idle baseline"))
        self.resize(520, 420)
        promise = self.tr(
            "What this machine draws while nothing is computed. Beside the energy of each answer "
            "stands then how much of it was above idle. It is measured by itself when the machine "
            "has been quiet for a minute, or now."
        )
        self._holder = QScrollArea(widgetResizable=True)
        self._holder.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(label(promise, "muted", wrap=True))
        layout.addWidget(self._holder, 1)
        self.told = label("", "muted", wrap=True)
        layout.addWidget(self.told)
        layout.addLayout(self._bottom())
        self._set_measuring(None)
        self.refresh()

    def _bottom(self) -> QHBoxLayout:
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(140)
        self.bar.setAccessibleName(self.tr("Progress of the measurement"))
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.clicked.connect(self._stop)
        self.keep = QPushButton(self.tr("Nothing computes on it: keep"))
        self.keep.clicked.connect(self._keep_on_word)
        self.measure = named(QPushButton(self.tr("Measure now")), "primary")
        self.measure.clicked.connect(self.start)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        for button in (self.cancel, self.keep, self.measure, self.close_button):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        return row

    # --- what there is -------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the baseline in use, beside the window's thread."""
        self._bridge.read(
            lambda: self._baselines.fitting(present_conditions(), datetime.now(UTC)), self._show
        )

    def _show(self, found: Found | None) -> None:
        page = named(QWidget(), "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        if found is None:
            empty = self.tr(
                "Nothing was measured yet. It takes a minute: close what computes, press Measure "
                "now, and leave the machine alone meanwhile."
            )
            column.addWidget(label(empty, wrap=True))
        else:
            column.addWidget(card(self.tr("Idle"), self._table(found[0])))
            column.addWidget(self._state(*found))
        if silent := ", ".join(silent_gpus(self._sampler)):
            words = self.tr(
                "%1 does not tell how busy it is. Only its watts say whether it rests: measure "
                "idle once with Measure now, to which they are compared from then on."
            )
            column.addWidget(label(words.replace("%1", silent), "muted", wrap=True))
        column.addStretch(1)
        self._holder.setWidget(page)

    def _table(self, baseline: Baseline) -> QWidget:
        rows = [(self.tr("Channel"), self.tr("Median"), self.tr("Spread"))]
        for line in baseline.lines:
            median = figures.marked(line.channel.kind, figures.power(line.median_w))
            name = line.channel.label + role_note(line.channel.role)
            rows.append((name, median, f"± {figures.power(line.spread_w)}"))
        if total := baseline.total():
            kind = weakest(
                line.channel.kind for line in baseline.lines if line.channel.role is Role.PART
            )
            median = figures.marked(kind, figures.power(total[0]))
            rows.append((self.tr("Total of the parts"), median, f"± {figures.power(total[1])}"))
        return grid(rows, bold_last=bool(total))

    def _state(self, baseline: Baseline, stale: tuple[Stale, ...]) -> QWidget:
        age_s = max(baseline.age_s(datetime.now(UTC)), 0.0)
        words = self.tr("Measured %1, %2 ago, for %3.")
        words = words.replace("%1", when_words(baseline.measured_at))
        words = words.replace("%2", figures.duration(age_s))
        words = words.replace("%3", figures.duration(baseline.duration_s))
        conditions = baseline.conditions
        if conditions.on_mains is not None:
            words += " " + (self.tr("On mains.") if conditions.on_mains else self.tr("On battery."))
        if conditions.profile:
            words += " " + self.tr("Power profile: %1.").replace("%1", conditions.profile)
        if conditions.on_word:
            on_word = self.tr("At rest by a person's word only: %1.")
            words += " " + on_word.replace("%1", conditions.on_word)
        if not stale:
            return label(words, "muted", wrap=True)
        because = self.tr("Uncertain, as %1. What is above it is said to be uncertain.")
        if is_stale(stale):
            because = self.tr(
                "Stale, as %1. It is used until a new one is measured, and said to be stale."
            )
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(label(words, "muted", wrap=True))
        column.addWidget(
            label(because.replace("%1", stale_words(stale, translate)), "warning", wrap=True)
        )
        return holder

    # --- measuring -----------------------------------------------------------------------

    def start(self) -> None:
        """Begin to measure, unless a model is at work."""
        if self._bridge.busy:
            self.told.setText(self.tr("A model is at work. Wait until it has ended."))
            return
        self.told.setText(self.tr("Leave the machine alone …"))
        self._set_measuring(IdleMeasurement(self._sampler, self._seconds))

    def _set_measuring(self, measuring: IdleMeasurement | None) -> None:
        self._measuring = measuring
        self._ask(None)
        is_on = measuring is not None
        self.bar.setValue(0)
        self.bar.setVisible(is_on)
        self.cancel.setVisible(is_on)
        for button in (self.measure, self.close_button):
            button.setVisible(not is_on)
        self.cancel.setEnabled(is_on)
        (self._timer.start if is_on else self._timer.stop)()

    def _look(self) -> None:
        measuring = self._measuring
        if measuring is None:
            return
        if self._bridge.busy:
            self._end(self.tr("A model was asked meanwhile, so nothing was kept. Try again."))
            return
        share = measuring.look()
        self.bar.setValue(round(1000 * share))
        if share >= 1:
            self._timer.stop()
            self.cancel.setEnabled(False)
            self._bridge.change(lambda: self._finish(measuring), self._end)

    def _finish(self, measuring: IdleMeasurement, is_sure: bool = False) -> str | NotSure:
        """Keep what was measured; return what to say of it, or to ask."""
        try:
            self._baselines.keep(measuring.finish(self._baselines.newest(LOOKED_AT), is_sure))
        except NotSure as question:
            return question
        except (NotQuiet, StoreError) as problem:
            return str(problem)
        return ""

    def _ask(self, measured: IdleMeasurement | None) -> None:
        """Offer to keep what was measured on a person's word, or offer it no more."""
        self._asked = measured
        self.keep.setVisible(measured is not None)

    def _keep_on_word(self) -> None:
        if measured := self._asked:
            self._ask(None)
            self._bridge.change(lambda: self._finish(measured, is_sure=True), self._end)

    def _end(self, problem: str | NotSure) -> None:
        measured = self._measuring
        self._set_measuring(None)
        if isinstance(problem, NotSure):
            self._ask(measured)
        self.told.setText(str(problem) or self.tr("Measured."))
        if not problem:
            self.refresh()
            self.kept.emit()

    def _stop(self) -> None:
        self._end(self.tr("Stopped; nothing was kept."))

    def reject(self) -> None:
        """Escape stops a measurement, or closes."""
        if self._measuring is None:
            super().reject()
        elif self.cancel.isEnabled():
            self._stop()
