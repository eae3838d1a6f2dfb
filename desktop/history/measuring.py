"""Measuring a stored query again: its prompt is run until the energy is known well enough."""

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.dots import RunDots
from desktop.theme import runs
from desktop.theme.numbers import WholeField
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.bill_words import total_words
from monitor.compare.contrast import again_lines
from monitor.energy.comparison import Comparison
from monitor.energy.difference import Verdict
from monitor.energy.precision import Mean
from monitor.engine.gguf import ModelFileError
from monitor.meter import Ask, Finished
from monitor.repeat import CannotRepeat, repeat
from monitor.repeating import MOST, Plan, Repeated, earlier_runs, percent
from monitor.store.history import History
from monitor.store.machine import this_machine
from monitor.store.records import QueryRecord

USUAL_TIMES, MOST_TIMES = 5, 200
USUAL_PERCENT, WIDEST_PERCENT = 5, 50


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a stored query is run again with, or why it cannot be.

    :param is_same_machine: whether it ran on this one
    """

    request: Ask | None
    problem: str
    is_same_machine: bool


class MeasureAgainDialog(QDialog):
    """Asks how often, shows each run as it ends, and says how the mean compares.

    :param bridge: runs it; see :meth:`Bridge.measure`
    :param record: the stored query
    """

    changed = Signal()
    """A run was added to the history."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        record: QueryRecord,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._record = bridge, history, record
        self._prepared: _Prepared | None = None
        self._found: Repeated | None = None
        self._is_running = self._is_closing = False
        before = record.bill.total()
        self.setWindowTitle(self.tr("Measure again"))
        self.resize(560, 560)
        self.dots = RunDots(theme, before.joules)
        self.progress = label("", "muted", wrap=True)
        self.mean = label("", "title")
        self.doubt = label("", "muted", wrap=True)
        self.verdict = label("", wrap=True)
        self.notes = label("", "muted", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(8)
        layout.addWidget(label(_one_line(record.prompt), "figure", wrap=True))
        text = self.tr("Stored: %1 %2 – the dashed line").replace("%1", total_words(record.bill))
        layout.addWidget(label(text.replace("%2", figures.bounds(before.energy)), "muted"))
        layout.addLayout(self._choices())
        layout.addWidget(self.dots, 1)
        for each in (self.progress, self.mean, self.doubt, self.verdict, self.notes):
            layout.addWidget(each)
        layout.addLayout(self._buttons())
        bridge.measured.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        bridge.idle.connect(self._on_idle)
        self._show_state()
        bridge.work(lambda: _prepare(history, record), self._on_prepared)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.dots.set_theme(theme)

    # --- what is asked -------------------------------------------------------------------

    def _choices(self) -> QGridLayout:
        self.by_times = QRadioButton(self.tr("So many runs"))
        self.by_precision = QRadioButton(self.tr("Until the mean is known within"))
        self.times = _box(1, MOST_TIMES, USUAL_TIMES, self.tr("Runs"))
        self.precision = _box(1, WIDEST_PERCENT, USUAL_PERCENT, self.tr("Precision in percent"))
        self.precision.setPrefix("± ")
        self.precision.setSuffix(" %")
        self.most = _box(2, MOST_TIMES, MOST, self.tr("Runs at most"))
        self.by_times.setChecked(True)
        self.by_times.toggled.connect(self._show_state)
        explained = self.tr(
            "Prompt, model, settings and seed are those of the stored query; each run begins with "
            "an empty context. A run that has to load the model first warms up, is no part of the "
            "mean, and is tagged warm-up."
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.addWidget(label(explained, "muted", wrap=True), 0, 0, 1, 4)
        grid.addWidget(self.by_times, 1, 0)
        grid.addWidget(self.times, 1, 1)
        grid.addWidget(self.by_precision, 2, 0)
        grid.addWidget(self.precision, 2, 1)
        grid.addWidget(label(self.tr("in at most"), "muted"), 2, 2)
        grid.addWidget(self.most, 2, 3)
        grid.setColumnStretch(4, 1)
        return grid

    def _buttons(self) -> QHBoxLayout:
        self.start = named(QPushButton(self.tr("Measure")), "primary")
        self.start.clicked.connect(self._start)
        self.start.setDefault(True)
        self.stop = QPushButton(self.tr("Stop"))
        self.stop.clicked.connect(self._bridge.cancel)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        for button in (self.start, self.stop, self.close_button):
            row.addWidget(button)
        return row

    def plan(self) -> Plan:
        """Return what is asked for."""
        if self.by_times.isChecked():
            return Plan(times=self.times.value())
        return Plan(precision=self.precision.value() / 100, most=self.most.value())

    def _on_prepared(self, prepared: _Prepared) -> None:
        self._prepared = prepared
        self.progress.setText(prepared.problem)
        self._show_state()

    def _show_state(self) -> None:
        """Enable what can be done now."""
        running = self._is_running
        for choice in (self.by_times, self.by_precision):
            choice.setEnabled(not running)
        self.times.setEnabled(not running and self.by_times.isChecked())
        for box in (self.precision, self.most):
            box.setEnabled(not running and self.by_precision.isChecked())
        can_start = self._prepared is not None and self._prepared.request is not None
        self.start.setEnabled(can_start and not running)
        self.start.setVisible(not running)
        self.stop.setVisible(running)
        self.close_button.setVisible(not running)

    # --- while it runs -------------------------------------------------------------------

    def _start(self) -> None:
        if self._prepared is None or self._prepared.request is None:
            return
        if self._bridge.busy:
            self.progress.setText(self.tr("Stop what is running first; then it can be measured."))
            return
        self._is_running = True
        self._found = None
        self.dots.show_mean(None)
        for each in (self.mean, self.doubt, self.verdict, self.notes):
            each.setText("")
        self.progress.setText(self.tr("Getting ready …"))
        self._bridge.measure(self._prepared.request, self.plan())
        self._show_state()

    def _on_event(self, event: object) -> None:
        if isinstance(event, Finished):
            self.changed.emit()
        if not isinstance(event, Repeated) or not self._is_running:
            return
        self._found = event
        self._show_progress(event)
        if event.mean:
            self._show_mean(event.mean)
        if event.ended:
            self.notes.setText("\n".join(event.notes(self.tr)))
            self._bridge.read(lambda: self._compared(event), self._show_verdict)

    def _compared(self, found: Repeated) -> Comparison | None:
        assert self._prepared
        earlier = earlier_runs(self._history, self._record, found.id)
        return found.against(earlier, self._prepared.is_same_machine)

    def _show_progress(self, found: Repeated) -> None:
        done = len(found.records)
        if found.ended:
            text = self.tr("Stopped after %1 runs.") if found.stopped else self.tr("%1 runs.")
            if found.broken and found.broken.error:
                text = found.broken.error
        elif not done:
            text = self.tr("Warmed up; the first run that counts is under way …")
        elif found.plan.times:
            text = self.tr("%1 of %2 runs …").replace("%2", str(found.plan.times))
        else:
            text = self.tr("%1 runs; about %2 are needed …").replace(
                "%2", str(found.needed or figures.UNKNOWN)
            )
        self.progress.setText(text.replace("%1", str(done)))

    def _show_mean(self, mean: Mean) -> None:
        self.dots.show_mean(mean)
        energy = figures.marked(mean.kind, figures.energy(mean.energy.joules))
        energy = figures.at_least(energy, bool(mean.unread))
        self.mean.setText(f"{energy} {figures.bounds(mean.energy)}")
        if mean.spread_j is None:
            self.doubt.setText(self.tr("Of one run it is not known how much it scatters."))
            return
        text = self.tr(
            "What scatters from run to run is known to ± %1, the band. The sensors may be off by "
            "± %2, the same each time. From run to run: %3."
        )
        self.doubt.setText(
            text.replace("%1", percent(mean.scatter))
            .replace("%2", percent(mean.systematic))
            .replace("%3", figures.energy(mean.spread_j))
        )

    def _show_verdict(self, compared: Comparison | None) -> None:
        if compared is None:
            self.verdict.setText(self.tr("This cannot be compared with the stored query."))
            return
        before = compared.counts[0]
        stored = self.tr("the stored query")
        if before > 1:
            stored = self.tr("the mean of its %1 stored runs").replace("%1", str(before))
        text = {
            Verdict.LOWER: self.tr("It took less than %1"),
            Verdict.HIGHER: self.tr("It took more than %1"),
            Verdict.CANNOT_TELL: self.tr("Whether it took less or more than %1 cannot be told"),
            None: self.tr(
                "How much single runs scatter is not known, so that no verdict is given; measured"
            ),
        }[compared.verdict]
        text = text.replace("%1", stored)
        if share := compared.difference.relative:
            shown = f"{share.value:+.1f} % ({share.low:+.1f} … {share.high:+.1f})"
            text += f": {shown.replace('-', '−')}"
        self.verdict.setText(" ".join((f"{text}.", *again_lines(compared, runs.translate))))

    def _on_failed(self, problem: str) -> None:
        if self._is_running:
            self.progress.setText(problem)

    def _on_idle(self) -> None:
        if self._is_running:
            self._is_running = False
            self._show_state()
            if self._is_closing:
                self.accept()

    def reject(self) -> None:
        """Escape stops what runs, and closes the dialog when that has ended."""
        if self._is_running:
            self._is_closing = True
            self._bridge.cancel()
        else:
            super().reject()


def _prepare(history: History, record: QueryRecord) -> _Prepared:
    machines = history.standings.machines_of([record.id])
    is_here = machines.get(record.id) == this_machine()["id"]
    try:
        return _Prepared(repeat(history, record), "", is_here)
    except (CannotRepeat, ModelFileError) as problem:
        return _Prepared(None, str(problem), is_here)


def _box(least: int, most: int, value: int, name: str) -> WholeField:
    box = WholeField()
    box.setRange(least, most)
    box.setValue(value)
    box.setAccessibleName(name)
    return box


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
