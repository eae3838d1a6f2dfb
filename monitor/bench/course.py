"""The course of one suite: its steps in turn, each to its end or to the next comparison."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from monitor.bench.contest import all_settled, blocks, pair_up, verdict_of
from monitor.bench.events import (
    BenchEvent,
    Left,
    Paused,
    Planned,
    Progressed,
    Resting,
    RunBegan,
    RunEnded,
    Spent,
    Step,
    SuiteEnded,
)
from monitor.bench.examiner import Examiner
from monitor.bench.idle import SETTLE_S, Idle, measure_idle, rest
from monitor.bench.left import reckon_left
from monitor.bench.plan import Plan
from monitor.bench.runlog import RunLog
from monitor.bench.suites import QUALITY
from monitor.bench.tasks import TASKS
from monitor.carbon.choice import chosen_pue
from monitor.energy.account import LOAD, weakest
from monitor.energy.parts import is_lower_bound
from monitor.engine.client import Engine, EngineError
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import Load
from monitor.loading import Loader, LoadOptions, Stopped
from monitor.meter import chosen_zone
from monitor.power.sampler import Sampler
from monitor.store.bench_records import BENCH, ItemRate, ItemRecord, RunRow, RunStart
from monitor.store.database import StoreError
from monitor.store.history import History, QueryStart
from monitor.store.records import Status
from monitor.store.verdicts import Ending, PairVerdict, SuiteVerdict

log = logging.getLogger(__name__)


class Course:
    """Runs a plan.

    :param suite_id: the suite's row in the history
    :param rows: runs it has already, by the number of their step
    """

    def __init__(
        self,
        plan: Plan,
        suite_id: str,
        rows: Mapping[int, RunRow],
        sampler: Sampler,
        engine: Engine,
        history: History,
        loader: Loader,
        examiner: Examiner,
    ) -> None:
        self._plan, self._suite_id = plan, suite_id
        self._sampler, self._engine, self._history = sampler, engine, history
        self._loader, self._examiner = loader, examiner
        self._logs: dict[int, RunLog] = {}
        self._is_ended: set[int] = set()
        self._verdicts: list[PairVerdict] = []
        for number, row in rows.items():
            self._logs[number] = self._log(plan.steps[number], row)
            if row.status is Status.DONE:
                self._is_ended.add(number)

    @property
    def spent_j(self) -> float:
        """What the suite has cost so far, loading included."""
        bills = [run.bill for run in self._logs.values()]
        return sum((b.total().joules or 0.0) + (b.total(LOAD).joules or 0.0) for b in bills)

    @property
    def is_spent(self) -> bool:
        """Whether the budget is used up."""
        return self._plan.budget_j is not None and self.spent_j >= self._plan.budget_j

    def spent(self, until_s: float) -> Spent:
        """What the suite has cost with what is not finished yet. From any thread.

        :param until_s: monotonic; nothing was computed later
        """
        runs = list(self._logs.items())
        bills = {number: run.spent(until_s) for number, run in runs}
        totals = {number: bill.total() for number, bill in bills.items()}
        computing = next((number for number, run in runs if run.begun_s < math.inf), None)
        known = [each.joules for each in totals.values() if each.joules is not None]
        return Spent(
            joules=math.fsum(known) if known else None,
            kind=weakest(each.kind for each in totals.values() if each.kind),
            step=computing,
            step_j=None if computing is None else totals[computing].joules,
            is_least=any(map(is_lower_bound, bills.values())),
        )

    def go(self) -> Iterator[BenchEvent]:
        """Tell the plan, then run the steps that are left; the last event is ``SuiteEnded``."""
        status, error = Status.FAILED, "The program ended unexpectedly."
        try:
            yield self._planned()
            yield from self._measure_idle("before")
            if self._plan.budget_j:
                yield from self._by_turns()
            else:
                yield from self._one_by_one()
            yield from self._measure_idle("after")
            status, error = (Status.STOPPED if self._loader.is_cancelled else Status.DONE), ""
        except Stopped:
            status, error = Status.STOPPED, ""
        except (EngineError, ModelFileError, StoreError, OSError) as problem:
            is_stopped = self._loader.is_cancelled
            status, error = (Status.STOPPED, "") if is_stopped else (Status.FAILED, str(problem))
        except GeneratorExit:
            status, error = Status.STOPPED, ""
            raise
        finally:
            self._end(status, error)
        yield SuiteEnded(self._suite_id)

    def _planned(self) -> Planned:
        plan = self._plan
        return Planned(self._suite_id, plan.suite.title, plan.steps, plan.notices, self.left())

    def _end(self, status: Status, error: str) -> None:
        for number, run in self._logs.items():
            if number not in self._is_ended:
                try:
                    run.end(status, error)
                except StoreError:
                    # The suite's own state is still to be tried; what is missing can be run again.
                    log.exception("A run's end was not stored")
        if status is Status.DONE:
            self._compare_all()
        verdict = None
        # A budget may be spent before there is anything to compare.
        if self._verdicts or (status is Status.DONE and self.is_spent):
            verdict = SuiteVerdict(tuple(self._verdicts), self._reason())
        self._history.benchmarks.finish_suite(self._suite_id, status, error, verdict)

    def _reason(self) -> Ending:
        """Why the comparison ended."""
        if self._plan.budget_j is None:
            return Ending.COMPLETE
        if all_settled(self._verdicts):
            return Ending.SETTLED
        return Ending.BUDGET if self.is_spent else Ending.COMPLETE

    def _measure_idle(self, when: str) -> Iterator[BenchEvent]:
        seconds = self._plan.suite.idle_s
        if seconds and not self._loader.is_cancelled:
            yield Resting("idle", SETTLE_S + seconds)
            idle = measure_idle(self._sampler, seconds, lambda: self._loader.is_cancelled)
            if isinstance(idle, Idle):
                self._history.benchmarks.note_idle(self._suite_id, when, idle.power_w, idle.kind)

    # --- the order of the steps ------------------------------------------------------------

    def _one_by_one(self) -> Iterator[BenchEvent]:
        for step in self._plan.steps:
            yield from self._advance(step, 0, step.planned)
            yield from self._finish(step)

    def _by_turns(self) -> Iterator[BenchEvent]:
        """Compare the models of each part early, and again with ever more items.

        In the first block each may spend an even share of the budget, so that none takes all of
        it and there is something to compare; what it could not do of the block comes with the next.
        """
        groups: dict[tuple[int, str], list[Step]] = {}
        for step in self._plan.steps:
            groups.setdefault((step.repeat, step.part), []).append(step)
        # A budget is for telling models apart: what is not judged has what is left of it.
        for steps in sorted(groups.values(), key=lambda steps: steps[0].kind != QUALITY):
            begin = 0
            planned = steps[0].planned
            for stop in (*blocks(planned), planned):
                for place, step in enumerate(steps):
                    share = 1.0 if begin else 1 / (len(steps) - place)
                    yield from self._advance(step, begin, stop, share)
                begin = stop
                if self.is_spent or self._is_settled(steps):
                    break
            for step in steps:
                yield from self._finish(step)

    def _is_settled(self, steps: list[Step]) -> bool:
        if len(steps) < 2 or steps[0].kind != QUALITY:
            return False
        return all_settled(self._verdict(steps))

    def _verdict(self, steps: list[Step]) -> list[PairVerdict]:
        benchmarks = self._history.benchmarks
        rows = {
            step.model_number: row
            for step in steps
            if (run := self._logs.get(step.number)) and (row := benchmarks.run(run.id))
        }
        return verdict_of(steps[0].part, pair_up(benchmarks, rows))

    def _compare_all(self) -> None:
        """Compare the models on every part of the first repeat: the others ask the same again."""
        parts: dict[str, list[Step]] = {}
        for step in self._plan.steps:
            if step.repeat == 0 and step.kind == QUALITY:
                parts.setdefault(step.part, []).append(step)
        for steps in parts.values():
            if len(steps) > 1:
                self._verdicts += self._verdict(steps)

    # --- one step --------------------------------------------------------------------------

    def _advance(
        self, step: Step, begin: int, stop: int, share: float = 1.0
    ) -> Iterator[BenchEvent]:
        """Run a step's items from one place to another, loading its model if need be.

        :param share: of what is left of a budget, how much this may spend
        """
        known = self._logs.get(step.number)
        if step.number in self._is_ended or (known and known.computed >= stop) or self.is_spent:
            return
        self._loader.stop_if_cancelled()
        if cool_down_s := self._plan.suite.cool_down_s:
            yield Resting("cool-down", cool_down_s)
            rest(cool_down_s, lambda: self._loader.is_cancelled)
        info = self._plan.infos[step.model_number]
        sequences = self._plan.sequences_of(step)
        request = self._loader.prepare(info, self._plan.options_of(step), sequences)
        is_fresh = not self._engine.has(request)
        if is_fresh:
            yield from self._loader.load(request)
        run = known or self._begin(step, request)
        if load := self._loader.take_load():
            run.note_load(load)
        yield RunBegan(step, run.id, run.computed)
        if is_fresh:
            yield from self._examiner.warm_up(self._plan.suite.warm_up, run)
        prepared, payable = self._plan.prepared_of(step), self._budget_of(run, share)
        with closing(self._examiner.examine(prepared, run, begin, stop, payable)) as events:
            for event in events:
                yield event
                if items := run.settle(finish=isinstance(event, Paused)):
                    yield self._progressed(step, run, items)
        if items := run.settle(finish=True):
            yield self._progressed(step, run, items)
        if (memory_bytes := self._engine.memory_bytes) is not None:
            self._history.benchmarks.note_memory(run.id, memory_bytes)
        self._loader.stop_if_cancelled()

    def _budget_of(self, run: RunLog, share: float) -> Callable[[int], int] | None:
        """Return what tells how many of so many items of a run a share of the budget pays for.

        Half of what is left is given out at a time, at least one item, so that in the end the
        budget is exceeded by no more than one.
        """
        if self._plan.budget_j is None:
            return None
        spent_j = self.spent_j
        budget_j = spent_j + share * (self._plan.budget_j - spent_j)

        def payable(count: int) -> int:
            waiting_j = run.unbilled_j
            # Sensors that lag behind are waited for only where the budget may be spent already.
            if waiting_j is None or self.spent_j + 2 * waiting_j >= budget_j:
                run.catch_up()
                waiting_j = 0.0
            if self.spent_j >= budget_j:
                return 0
            each_j = run.j_per_item
            if not each_j:
                return 1
            left_j = budget_j - self.spent_j - waiting_j
            return min(count, max(1, int(left_j / (2 * each_j))))

        return payable

    def _finish(self, step: Step) -> Iterator[BenchEvent]:
        run = self._logs.get(step.number)
        if run is None or step.number in self._is_ended:
            return
        run.end(Status.DONE)
        self._is_ended.add(step.number)
        yield RunEnded(step, run.id)

    def _begin(self, step: Step, request: Load) -> RunLog:
        plan, prepared = self._plan, self._plan.prepared_of(step)
        shots = f", {prepared.shots} worked examples" if prepared.shots else ""
        protocol = f", {prepared.part.protocol}" if step.kind == QUALITY else ""
        began = self._history.begin(
            QueryStart(
                kind=BENCH,
                model=plan.infos[step.model_number],
                sha256=plan.sha256s[step.model_number],
                modified_ns=request.modified_ns,
                settings={
                    "llama_cpp": self._engine.hello().llama_cpp,
                    **LoadOptions.stored(request),
                    "temperature": 0.0,
                    "stop": "[]",
                },
                seed=0,
                system="",
                prompt=f"{step.part}: {step.planned} items{shots}{protocol}",
                zone=chosen_zone(self._history),
                pue=chosen_pue(self._history),
                conversation_id=None,
            )
        )
        start = RunStart(
            suite_id=self._suite_id,
            step=step.number,
            part=step.part,
            repeat=step.repeat,
            kind=step.kind,
            task=step.task,
            protocol=prepared.part.protocol if step.kind == QUALITY else "",
            shots=prepared.shots,
            data_path=prepared.data_path,
            data_sha256=prepared.data_sha256,
            shots_sha256=prepared.shots_sha256,
            prompts_sha256=prepared.prompts_sha256,
            chance=prepared.chance,
            planned=step.planned,
        )
        row = self._history.benchmarks.begin_run(began.query_id, start)
        run = self._logs[step.number] = self._log(step, row)
        return run

    def _log(self, step: Step, row: RunRow) -> RunLog:
        task = TASKS.get(step.task)
        by_length = bool(task and task.headline_norm)
        record = self._history.record(row.id)
        return RunLog(self._sampler, self._history, row, record, by_length)

    def _progressed(self, step: Step, run: RunLog, items: tuple[ItemRecord, ...]) -> Progressed:
        return Progressed(
            step=step,
            items=items,
            done=run.sums.done,
            accuracy=run.accuracy,
            joules=run.counted.total().joules,
            left=self.left(),
        )

    def left(self) -> Left | None:
        """Return what the rest should take; see :func:`reckon_left`."""
        return reckon_left(self._plan, self._logs, self._is_ended, self._past_rate)

    def _past_rate(self, step: Step) -> ItemRate | None:
        prepared = self._plan.prepared_of(step)
        return self._history.benchmarks.past_rate(
            self._plan.sha256s[step.model_number], step.kind, step.task, prepared.shots
        )
