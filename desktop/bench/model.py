"""The state of the benchmark page: what may be run, what is running, what was run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.bench.events import (
    AwaitingSensors,
    BenchEvent,
    Left,
    Planned,
    Progressed,
    Resting,
    RunBegan,
    RunEnded,
    Spent,
    Step,
    SuiteEnded,
    WarmUp,
)
from monitor.bench.plan import Entrant, Plan, make_plan
from monitor.bench.results import Accuracy
from monitor.bench.suites import Suite, SuiteError
from monitor.bench.summary import SuiteResult, summarise
from monitor.bench.task import DatasetError
from monitor.energy.account import weakest
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import LoadProgress
from monitor.loading import Identifying, LoadProblem
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRate
from monitor.store.history import History

LISTED = 50

SPENT_EVERY_S = 0.5
"""What a running benchmark has cost is reckoned this often at most."""


@dataclass(slots=True)
class StepState:
    """One run of the suite that is under way.

    :param joules: of its items that are done
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
    :param doing_until_s: when that is over, monotonic; ``None`` where nobody knows
    :param is_warming_up: whether the model is exercised before the first item
    :param spent: what all has cost up to now, as it was reckoned last
    """

    suite_id: str
    title: str
    steps: list[StepState]
    left: Left | None
    current: int = 0
    doing: str = ""
    doing_until_s: float | None = None
    is_paused: bool = False
    is_warming_up: bool = False
    spent: Spent | None = None

    def do(self, doing: str, seconds: float | None = None) -> None:
        """Take in what happens besides items, and how long it takes where that is known."""
        self.doing = doing
        self.doing_until_s = None if seconds is None else time.monotonic() + seconds

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
        """What it has cost so far; ``None`` if nothing is measured yet."""
        if self.spent and self.spent.joules is not None:
            return self.spent.joules
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
    :param kind: the weakest kind of the measurements that is reckoned from
    :param unknown: parts that were never run with these models
    """

    problem: str = ""
    notices: tuple[str, ...] = ()
    items: int = 0
    seconds: float | None = None
    joules: float | None = None
    kind: Kind | None = None
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
        self.preparing = ""
        """What is waited for before there is something to run."""
        self._is_asking, self._next_s = False, 0.0
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
            self._is_mine, self.preparing = True, ""
            self._bridge.bench(suite, entrants, budget_j)
            self.began.emit()

    def resume(self, suite_id: str) -> None:
        """Go on with a suite that was left; does nothing while something else is under way."""
        if not self.busy:
            self._is_mine, self.preparing = True, ""
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
        except (DatasetError, SuiteError, ModelFileError, LoadProblem, OSError) as error:
            return Outlook(problem=str(error))
        seconds = joules = 0.0
        kinds: list[Kind] = []
        unknown: dict[str, None] = {}
        for step in plan.steps:
            rate = self._past_rate(plan, step)
            if rate is None:
                unknown[step.part] = None
            else:
                seconds += rate.seconds * step.planned
                joules += rate.joules * step.planned
                kinds += [rate.kind] if rate.kind else []
        return Outlook(
            notices=plan.notices,
            items=sum(step.planned for step in plan.steps),
            seconds=None if unknown else seconds,
            joules=None if unknown else joules,
            kind=None if unknown else weakest(kinds),
            unknown=tuple(unknown),
        )

    def _past_rate(self, plan: Plan, step: Step) -> ItemRate | None:
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

    def ask_spent(self) -> None:
        """Find out what the benchmark has cost up to now; :attr:`changed` follows."""
        running = self.running
        if running is None or self._is_asking or time.monotonic() < self._next_s:
            return
        self._is_asking, self._next_s = True, time.monotonic() + SPENT_EVERY_S

        def take(spent: Spent | None) -> None:
            self._is_asking = False
            if spent:
                running.spent = spent
                self.changed.emit()

        self._bridge.read(self._bridge.bench_spent, take)

    def _on_event(self, event: BenchEvent) -> None:
        if isinstance(event, Planned):
            steps = [StepState(step) for step in event.steps]
            self.running = Running(event.suite_id, event.title, steps, event.left)
            suite_id = event.suite_id
            self._bridge.read(lambda: summarise(self._history, suite_id), self._take_in)
        running = self.running
        if running is None:
            self._prepare(event)
            return
        match event:
            case LoadProgress():
                words = self.tr("loading the model, %1 % …")
                running.do(words.replace("%1", f"{100 * event.fraction:.0f}"))
            case Resting(reason="idle"):
                running.do(self.tr("measuring the idle machine"), event.seconds)
            case Resting():
                running.do(self.tr("cooling down"), event.seconds)
            case WarmUp():
                running.is_warming_up = not event.is_over
                words = self.tr("warming the model up: it costs energy and counts as no item …")
                running.do("" if event.is_over else words)
            case RunBegan():
                running.current = event.step.number
                running.do("")
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

    def _prepare(self, event: BenchEvent) -> None:
        """Tell what is waited for before the suite begins."""
        match event:
            case AwaitingSensors():
                words = self.tr("waiting for the sensors' first readings, %1 s at most …")
                self.preparing = words.replace("%1", f"{event.seconds:g}")
            case Identifying():
                words = self.tr("reading the model file to tell it from others, once: %1 % …")
                self.preparing = words.replace("%1", f"{100 * event.fraction:.0f}")
            case _:
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
                state.joules = run.counted.bill.total().joules
        self.changed.emit()

    def _on_progress(self, running: Running, event: Progressed) -> None:
        state = running.steps[event.step.number]
        state.done, state.accuracy, state.joules = event.done, event.accuracy, event.joules
        running.left = event.left
        running.do("")
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
