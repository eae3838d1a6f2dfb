"""The one place where threads meet Qt signals."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, SignalInstance

from desktop.services import Services
from monitor.bench.events import Spent
from monitor.bench.plan import Entrant
from monitor.bench.suites import Suite
from monitor.loading import LoadOptions, LoadProblem, Remedy
from monitor.meter import Ask
from monitor.problem import Problem
from monitor.repeating import Plan, Repeater
from monitor.store.errors import told
from monitor.store.upkeep import look_after

MOST_TRANSFERS = 4
"""A download, a search beside it, the repository that is looked at, and upkeep."""

log = logging.getLogger(__name__)


class Bridge(QObject):
    """Runs what takes time beside the window's thread and tells of it by signals.

    Signals arrive in the window's thread, in the order in which things happened.
    """

    happened = Signal(object)
    """An event of the running query or load; see :mod:`monitor.meter`."""
    benched = Signal(object)
    """An event of the running benchmark; see :mod:`monitor.bench.events`."""
    measured = Signal(object)
    """An event of a query that is run several times; see :mod:`monitor.repeating`."""
    repeated = Signal(object)
    """An event of a query that is run again; see :mod:`monitor.meter`."""
    failed = Signal(str)
    """The query or load ended without a record; the text says why and what to do."""
    stuck = Signal(str, object)
    """After :attr:`failed`, if a model could not be loaded: why, and the ways out."""
    idle = Signal()
    """The query or load is over, however it ended."""
    read_failed = Signal(str)
    """Something asked with :meth:`read` or :meth:`work` could not be told; the text says why."""
    _answered = Signal(object, object)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._thread: threading.Thread | None = None
        self._cancel = services.meter.cancel
        self._closed = False
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="window-reads")
        self._works = ThreadPoolExecutor(1, thread_name_prefix="window-works")
        self._transfers = ThreadPoolExecutor(MOST_TRANSFERS, thread_name_prefix="window-transfers")
        self._changes = ThreadPoolExecutor(1, thread_name_prefix="window-changes")
        self._answered.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether a query or load is under way."""
        return self._thread is not None

    def ask(self, request: Ask) -> None:
        """Run a query; its events follow."""
        self._run(self._services.meter.run(request))

    def repeat(self, request: Ask) -> None:
        """Run a stored query again; :attr:`repeated` follows."""
        self._run(self._services.meter.run(request), self.repeated)

    def measure(self, request: Ask, plan: Plan) -> None:
        """Run a stored query several times; :attr:`measured` follows."""
        repeater = Repeater(self._services.meter, self._services.history)
        self._run(repeater.run(request, plan), self.measured, repeater.cancel)

    def load(self, model: Path, options: LoadOptions, *, insist: bool = True) -> None:
        """Load a model ahead of the first question; its events follow.

        :param insist: load it even if that crashed the last time
        """
        self._run(self._services.meter.load(model, options, insist=insist))

    @property
    def has_model(self) -> bool:
        """Whether the engine holds a model."""
        return self._services.engine.model is not None

    def bench(self, suite: Suite, entrants: Sequence[Entrant], budget_j: float | None) -> None:
        """Run a suite of benchmarks; :attr:`benched` follows."""
        runner = self._services.runner
        self._run(runner.run(suite, entrants, budget_j), self.benched, runner.cancel)

    def resume_bench(self, suite_id: str) -> None:
        """Go on with a suite that was left; :attr:`benched` follows."""
        runner = self._services.runner
        self._run(runner.resume(suite_id), self.benched, runner.cancel)

    def pause_bench(self, paused: bool) -> None:
        """Hold the running benchmark, or go on."""
        (self._services.runner.pause if paused else self._services.runner.go_on)()

    def bench_spent(self) -> Spent | None:
        """Return what the running benchmark has cost up to now; to be asked with :meth:`read`."""
        return self._services.runner.spent()

    def unload(self) -> None:
        """End the engine, and with it the memory of its model; :attr:`idle` follows."""

        def nothing_happens() -> Iterator[Any]:
            self._services.engine.stop()
            yield from ()

        self._run(nothing_happens())

    def cancel(self) -> None:
        """Stop the query, load or benchmark."""
        self._cancel()

    def _run(
        self,
        events: Iterator[Any],
        told: SignalInstance | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> None:
        assert self._thread is None, "one query, load or benchmark at a time"
        self._cancel = cancel or self._services.meter.cancel
        signal = told or self.happened
        self._thread = threading.Thread(target=self._follow, args=(events, signal), name="meter")
        self._thread.start()

    def _follow(self, events: Iterator[Any], told: SignalInstance) -> None:
        problem = ""
        remedies: tuple[Remedy, ...] = ()
        try:
            for event in events:
                told.emit(event)
        except LoadProblem as error:
            problem, remedies = str(error), error.remedies
        except (Problem, OSError) as error:
            problem = str(error)
        except KeyError as error:
            problem = str(error.args[0])
        except Exception as error:
            log.exception("A query failed unexpectedly")
            problem = (
                self.tr("Unexpected %1: %2. The log has the details.")
                .replace("%1", type(error).__name__)
                .replace("%2", str(error))
            )
        self._answered.emit(lambda ways: self._end(problem, ways), remedies)

    def _end(self, problem: str, remedies: tuple[Remedy, ...]) -> None:
        if self._thread:
            self._thread.join()
            self._thread = None
        if problem:
            self.failed.emit(problem)
        if remedies:
            self.stuck.emit(problem, remedies)
        self.idle.emit()

    def read(self, question: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        """Ask the history something beside the window's thread.

        :param question: called on another thread
        :param answer: called with its result in the window's thread; not at all if it raised
        """
        if not self._closed:
            self._reads.submit(self._answer, question, answer)

    def change(
        self, change: Callable[[], Any], answer: Callable[[Any], None] = lambda _done: None
    ) -> None:
        """Like :meth:`read`, for what a person changed: it is done before the window is gone."""
        if not self._closed:
            self._changes.submit(self._answer, change, answer)

    @property
    def is_closed(self) -> bool:
        """Whether the window is closing: what takes long is to stop."""
        return self._closed

    @property
    def history_path(self) -> Path:
        """The history's file."""
        return self._services.history.store.path

    def work(self, question: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        """Like :meth:`read`, for what may take long: folders, drivers, the engine's start."""
        if not self._closed:
            self._works.submit(self._answer, question, answer)

    def transfer(self, question: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        """Like :meth:`work`, for what waits for others and may take minutes: downloads, questions
        to the network, upkeep. Several go on at once; they have to end when :attr:`is_closed`."""
        if not self._closed:
            self._transfers.submit(self._answer, question, answer)

    def look_after(self) -> None:
        """Back the history up and thin what is old, if it is due, beside everything else."""
        store = self._services.history.store

        def attempt() -> None:
            try:
                look_after(store, lambda: self._closed)
            except Problem as error:
                log.warning("The history was not looked after: %s", error)

        self.transfer(attempt, lambda _done: None)

    def _answer(self, question: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        try:
            result = question()
        except Exception as error:
            log.exception("A question of the window failed")
            self._answered.emit(self.read_failed.emit, told(self.history_path, error))
        else:
            self._answered.emit(answer, result)

    def _hand_over(self, receiver: Callable[[Any], None], value: object) -> None:
        owner = getattr(receiver, "__self__", None)
        if isinstance(owner, QObject) and not shiboken6.isValid(owner):
            return  # a dialog that was closed meanwhile
        receiver(value)

    def close(self) -> None:
        """Stop what is running and wait for it; nothing is asked any more."""
        self._closed = True
        if self._thread:
            self.cancel()
            self._thread.join(timeout=1)
        # Where llama.cpp cannot be cancelled its end is; the query is stored as stopped.
        self._services.engine.close()
        if self._thread:
            self._thread.join(timeout=5)
            self._thread = None
        self._changes.shutdown(wait=True)
        self._reads.shutdown(wait=True, cancel_futures=True)
        self._works.shutdown(wait=True, cancel_futures=True)
        self._transfers.shutdown(wait=True, cancel_futures=True)
