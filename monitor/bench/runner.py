"""Runs suites, on request and after a crash from where they were left."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.bench.course import Course
from monitor.bench.events import AwaitingSensors, BenchEvent, Spent
from monitor.bench.examiner import Examiner
from monitor.bench.plan import Entrant, Plan, check_same, make_plan, plan_from_json, versions
from monitor.bench.suites import Suite, SuiteError
from monitor.engine.client import Engine
from monitor.loading import Identifying, Loader
from monitor.power.channel import Role
from monitor.power.sampler import Sampler
from monitor.store.bench_records import RunRow
from monitor.store.history import History
from monitor.store.records import Status

SENSORS_S = 5.0
"""How long first readings are waited for at most: :meth:`Sampler.wait_ready`."""


class Runner:
    """Runs suites on one engine, one at a time.

    :param sampler: running
    :param engine: started when first needed
    :param history: where suites, runs and items go
    """

    def __init__(self, sampler: Sampler, engine: Engine, history: History) -> None:
        self._sampler, self._engine, self._history = sampler, engine, history
        self._loader = Loader(sampler, engine, history)
        self._examiner = Examiner(engine, self._loader, sampler)
        self._under_way: Course | None = None

    def cancel(self) -> None:
        """End the benchmark, from any thread; what is done is kept and can be gone on with."""
        self._loader.cancel()
        self._examiner.go_on()

    def pause(self) -> None:
        """Compute nothing until :meth:`go_on`, from any thread."""
        self._examiner.pause()

    def go_on(self) -> None:
        """Compute again after :meth:`pause`."""
        self._examiner.go_on()

    def spent(self) -> Spent | None:
        """Return what the suite under way has cost up to now; ``None`` if there is none. From any
        thread."""
        course = self._under_way
        return course.spent(self._examiner.held_s) if course else None

    def run(
        self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None = None
    ) -> Iterator[BenchEvent]:
        """Run a suite. The events end with :class:`SuiteEnded`, whatever happens after ``Planned``.

        :param budget_j: end when so many joules are spent, or before, when every two models are
          told apart; the models then take turns item block by item block
        :raises ModelFileError: before anything is stored, if a model cannot be used
        :raises DatasetError: likewise, for a file of items; :class:`SuiteError` for the suite
        :raises EngineError: likewise, if the engine does not start; :class:`Stopped` if cancelled
        """
        self._begin()
        return self._run(suite, entrants, budget_j)

    def resume(self, suite_id: str) -> Iterator[BenchEvent]:
        """Go on with a suite that was stopped, failed or interrupted, from its last finished item.

        :raises KeyError: if there is no such suite
        :raises SuiteError: if it is complete, runs of it were deleted, or a model or file is not
          what it was
        """
        self._begin()
        return self._resume(suite_id)

    def _begin(self) -> None:
        # Here, not when the first event is asked for: a cancel may come in between.
        self._loader.begin()
        self._examiner.go_on()

    def _run(
        self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None
    ) -> Iterator[BenchEvent]:
        plan = make_plan(suite, entrants, budget_j)
        yield AwaitingSensors(SENSORS_S)
        self._loader.wait_for_sensors()
        if budget_j and not any(c.role is Role.PART for c in self._sampler.channels()):
            raise SuiteError("A budget of energy needs a power reading, and there is none here.")
        plan = yield from self._identify(plan)
        suite_id = self._history.benchmarks.begin_suite(
            suite.name, suite.title, plan.to_json(), versions(self._engine.hello().llama_cpp)
        )
        yield from self._go(plan, suite_id, {})

    def _resume(self, suite_id: str) -> Iterator[BenchEvent]:
        benchmarks = self._history.benchmarks
        stored = benchmarks.suite(suite_id)
        if stored.status is Status.DONE:
            raise SuiteError("That benchmark is complete; there is nothing left to do in it.")
        if stored.status is Status.RUNNING:
            raise SuiteError("That benchmark is running, in this program or another window of it.")
        rows = {row.start.step: row for row in benchmarks.runs(stored.id)}
        if deleted := [row.id for row in rows.values() if row.is_deleted]:
            raise SuiteError(
                "Runs of that benchmark were deleted. Bring them back before you go on with it: "
                f"llamawatt history delete --undo {' '.join(deleted)}"
            )
        plan = yield from self._identify(plan_from_json(stored.plan))
        check_same(plan, stored, rows.values())
        benchmarks.go_on(stored.id)
        yield from self._go(plan, stored.id, rows)

    def _identify(self, plan: Plan) -> Generator[Identifying, None, Plan]:
        found = []
        for info in plan.infos:
            found.append((yield from self._loader.identify(info)))
        return replace(plan, sha256s=tuple(found))

    def _go(self, plan: Plan, suite_id: str, rows: Mapping[int, RunRow]) -> Iterator[BenchEvent]:
        course = Course(
            plan,
            suite_id,
            rows,
            self._sampler,
            self._engine,
            self._history,
            self._loader,
            self._examiner,
        )
        self._under_way = course
        try:
            yield from course.go()
        finally:
            self._under_way = None
