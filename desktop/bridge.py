"""The one place where threads meet Qt signals."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from desktop.services import Services
from monitor.engine.client import EngineError
from monitor.engine.gguf import ModelFileError
from monitor.meter import Ask, LoadOptions
from monitor.store.database import StoreError

log = logging.getLogger(__name__)


class Bridge(QObject):
    """Runs what takes time beside the window's thread and tells of it by signals.

    Signals arrive in the window's thread, in the order in which things happened.
    """

    happened = Signal(object)
    """An event of the running query or load; see :mod:`monitor.meter`."""
    failed = Signal(str)
    """The query or load ended without a record; the text says why and what to do."""
    idle = Signal()
    """The query or load is over, however it ended."""
    _answered = Signal(object, object)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="window-reads")
        self._answered.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether a query or load is under way."""
        return self._thread is not None

    def ask(self, request: Ask) -> None:
        """Run a query; its events follow."""
        self._run(self._services.meter.run(request))

    def load(self, model: Path, options: LoadOptions) -> None:
        """Load a model ahead of the first question; its events follow."""
        self._run(self._services.meter.load(model, options))

    def unload(self, done: Callable[[], None]) -> None:
        """End the engine; ``done`` is called in the window's thread when its memory is free."""
        self.read(self._services.engine.stop, lambda _nothing: done())

    def cancel(self) -> None:
        """Stop the query or load."""
        self._services.meter.cancel()

    def _run(self, events: Iterator[Any]) -> None:
        assert self._thread is None, "one query or load at a time"
        self._thread = threading.Thread(target=self._follow, args=(events,), name="meter")
        self._thread.start()

    def _follow(self, events: Iterator[Any]) -> None:
        problem = ""
        try:
            for event in events:
                self.happened.emit(event)
        except (ModelFileError, EngineError, StoreError, OSError) as error:
            problem = str(error)
        except Exception as error:
            log.exception("A query failed unexpectedly")
            problem = f"Unexpected {type(error).__name__}: {error}. The log has the details."
        self._answered.emit(self._end, problem)

    def _end(self, problem: str) -> None:
        if self._thread:
            self._thread.join()
            self._thread = None
        if problem:
            self.failed.emit(problem)
        self.idle.emit()

    def read(self, question: Callable[[], Any], answer: Callable[[Any], None]) -> None:
        """Ask the history something beside the window's thread.

        :param question: called on another thread
        :param answer: called with its result in the window's thread; not at all if it raised
        """

        def work() -> None:
            try:
                result = question()
            except Exception:
                log.exception("A read for the window failed")
            else:
                self._answered.emit(answer, result)

        self._pool.submit(work)

    def _hand_over(self, receiver: Callable[[Any], None], value: object) -> None:
        receiver(value)

    def close(self) -> None:
        """Stop what is running and wait for it."""
        if self._thread:
            self.cancel()
            self._thread.join(timeout=1)
            if self._thread.is_alive():
                # llama.cpp is where it cannot be cancelled; the query is stored as failed.
                self._services.engine.stop()
                self._thread.join(timeout=5)
            self._thread = None
        self._pool.shutdown(wait=True, cancel_futures=True)
