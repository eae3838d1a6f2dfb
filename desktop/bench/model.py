"""The state of the benchmark page: what may be run, what is running, what was run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.bench.events import (
    BenchEvent,
    Left,
    Planned,
    Progressed,
    Resting,
    RunBegan,
    RunEnded,
    Step,
    SuiteEnded,
)
from monitor.bench.plan import Entrant, Plan, make_plan
from monitor.bench.results import Accuracy
from monitor.bench.suites import Suite, SuiteError
from monitor.bench.summary import SuiteResult, summarise
from monitor.bench.task import DatasetError
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import LoadProgress
from monitor.loading import Identifying
from monitor.store.history import History

LISTED = 50


@dataclass(slots=True)
class StepState:
    """One run of the suite that is under way.

    :param curve: after how many items the score was what, with its interval
    """

    step: Step
    done: int = 0
    accuracy: Accuracy | None = None
    joules: float | None = None
    is_ended: bool = False
    curve: list[tuple[int, Accuracy]] = field(default_factory=list)

    @property
    def joules_per_correct(self) -> float | None:
        """What each right answer has cost so far."""
        if self.joules is None or not self.accuracy or not self.accuracy.value:
            return None
        return self.joules / (self.accuracy.value * self.accuracy.items)


@dataclass(slots=True)
class Running:
    """The suite that is under way.

    :param current: number of the step that is run
    :param doing: what happens besides: loading, resting; "" while items are run
    """

    suite_id: str
    title: str
    steps: list[StepState]
    left: Left | None
    current: int = 0
    doing: str = ""
    is_paused: bool = False

    @property
    def done(self) -> int:
        """Items done in all steps."""
        return sum(state.done for state in self.steps)

    @property
    def planned(self) -> int:
        """Items of all steps."""
        return sum(state.step.planned for state in self.steps)

    @property
    def joules(self) -> float | None:
        """What the items have cost so far; ``None`` if nothing is measured yet."""
        known = [state.joules for state in self.steps if state.joules is not None]
        return sum(known) if known else None

    @property
    def models(self) -> dict[int, list[StepState]]:
        """The steps of each model, by its number."""
        found: dict[int, list[StepState]] = {}
        for state in sorted(self.steps, key=lambda state: state.step.model_number):
            found.setdefault(state.step.model_number, []).append(state)
        return found


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a suite before it begins.

    :param problem: why it cannot begin; "" if it can
    :param seconds: time it should take by earlier runs alike, ``None`` if any part was never run
    :param unknown: parts that were never run with these models
    """

    problem: str = ""
    notices: tuple[str, ...] = ()
    items: int = 0
    seconds: float | None = None
    joules: float | None = None
    unknown: tuple[str, ...] = ()


class BenchModel(QObject):
    """Runs one benchmark at a time through the bridge.

    :param bridge: runs benchmarks, and reads beside the window's thread
    :param history: read on the bridge's thread
    """

    changed = Signal()
    """:attr:`running` has changed."""
    began = Signal()
    ended = Signal(object)
    """What came of it, a :class:`SuiteResult`."""
    refused = Signal(str)
    """It could not begin; the text says why."""
    listed = Signal(object)
    """Earlier benchmarks, a list of :class:`SuiteResult`, newest first."""
    looked = Signal(object)
    """The :class:`Outlook` that was asked for last."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.running: Running | None = None
        self._is_mine = False
        self._asked = 0
        bridge.benched.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        bridge.idle.connect(self._on_idle)

    @property
    def busy(self) -> bool:
        """Whether a query, a load or a benchmark is under way."""
        return self._bridge.busy

    @property
    def is_running(self) -> bool:
        """Whether what is under way is a benchmark of this page."""
        return self._is_mine

    def start(self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None) -> None:
        """Begin a suite; does nothing while something else is under way."""
        if not self.busy:
            self._is_mine = True
            self._bridge.bench(suite, entrants, budget_j)
            self.began.emit()

    def resume(self, suite_id: str) -> None:
        """Go on with a suite that was left; does nothing while something else is under way."""
        if not self.busy:
            self._is_mine = True
            self._bridge.resume_bench(suite_id)
            self.began.emit()

    def stop(self) -> None:
        """End the benchmark; what is done is kept and can be gone on with."""
        if self._is_mine:
            self._bridge.cancel()

    def set_paused(self, paused: bool) -> None:
        """Hold the benchmark, or go on."""
        if self.running:
            self.running.is_paused = paused
            self._bridge.pause_bench(paused)
            self.changed.emit()

    def look(self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None) -> None:
        """Find out what a suite would take; :attr:`looked` follows."""
        self._asked += 1
        number = self._asked

        def question() -> Outlook | None:
            # Files of thousands of items are read for the last choice only.
            is_last = number == self._asked
            return self._outlook(suite, entrants, budget_j) if is_last else None

        def answer(outlook: Outlook | None) -> None:
            if outlook and number == self._asked:
                self.looked.emit(outlook)

        self._bridge.work(question, answer)

    def _outlook(
        self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None
    ) -> Outlook:
        try:
            plan = make_plan(suite, entrants, budget_j)
        except (DatasetError, SuiteError, ModelFileError, OSError) as error:
            return Outlook(problem=str(error))
        seconds = joules = 0.0
        unknown: dict[str, None] = {}
        for step in plan.steps:
            rate = self._past_rate(plan, step)
            if rate is None:
                unknown[step.part] = None
            else:
                seconds += rate[0] * step.planned
                joules += rate[1] * step.planned
        return Outlook(
            notices=plan.notices,
            items=sum(step.planned for step in plan.steps),
            seconds=None if unknown else seconds,
            joules=None if unknown else joules,
            unknown=tuple(unknown),
        )

    def _past_rate(self, plan: Plan, step: Step) -> tuple[float, float] | None:
        info = plan.infos[step.model_number]
        modified_ns = info.path.stat().st_mtime_ns
        sha256 = self._history.known_sha256(info.path, info.size_bytes, modified_ns)
        if sha256 is None:
            return None
        shots = plan.prepared_of(step).shots
        return self._history.benchmarks.past_rate(sha256, step.kind, step.task, shots)

    def list_earlier(self) -> None:
        """Read the earlier benchmarks; :attr:`listed` follows."""

        def read() -> list[SuiteResult]:
            suites = self._history.benchmarks.suites(LISTED)
            return [summarise(self._history, suite.id) for suite in suites]

        self._bridge.read(read, self.listed.emit)

    def _on_event(self, event: BenchEvent) -> None:
        if isinstance(event, Planned):
            steps = [StepState(step) for step in event.steps]
            self.running = Running(event.suite_id, event.title, steps, event.left)
            suite_id = event.suite_id
            self._bridge.read(lambda: summarise(self._history, suite_id), self._take_in)
        running = self.running
        if running is None:
            return
        match event:
            case Identifying():
                running.doing = self.tr("reading the model, once …")
            case LoadProgress():
                running.doing = self.tr("loading the model …")
            case Resting(reason="idle"):
                words = self.tr("measuring the idle machine for %1 s …")
                running.doing = words.replace("%1", f"{event.seconds:g}")
            case Resting():
                running.doing = self.tr("cooling down …")
            case RunBegan():
                running.current, running.doing = event.step.number, ""
                running.steps[running.current].done = event.done
            case Progressed():
                self._on_progress(running, event)
            case RunEnded():
                running.steps[event.step.number].is_ended = True
            case SuiteEnded():
                self._finish(event.suite_id)
                return
            case Planned():
                pass
            case _:
                # Paused as well: the person's own press has said it, and may be taken back by now.
                return
        self.changed.emit()

    def _take_in(self, stored: SuiteResult) -> None:
        """Show what was done before a suite was gone on with; of a new one there is nothing."""
        running = self.running
        if running is None or running.suite_id != stored.suite.id:
            return
        for run in stored.runs:
            state = running.steps[run.row.start.step]
            if state.joules is None and not state.curve:
                state.done = max(state.done, run.row.sums.done)
                state.accuracy = run.printed
                state.joules = run.record.bill.total().joules
        self.changed.emit()

    def _on_progress(self, running: Running, event: Progressed) -> None:
        state = running.steps[event.step.number]
        state.done, state.accuracy, state.joules = event.done, event.accuracy, event.joules
        running.left = event.left
        running.doing = ""
        if event.accuracy:
            state.curve.append((event.done, event.accuracy))

    def _finish(self, suite_id: str) -> None:
        self._bridge.read(lambda: summarise(self._history, suite_id), self._show)

    def _show(self, result: SuiteResult) -> None:
        self.running = None
        self.ended.emit(result)

    def _on_failed(self, problem: str) -> None:
        if self._is_mine:
            self.running = None
            self.refused.emit(problem)

    def _on_idle(self) -> None:
        self._is_mine = False
        self.changed.emit()
