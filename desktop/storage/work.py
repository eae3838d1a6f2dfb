"""Long work on the history's file: one task at a time, with its progress, to be cancelled."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.store.errors import StoreError, StoreStopped, told

log = logging.getLogger(__name__)

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Problem:
    """A task came to nothing; the text says why and what to do."""

    text: str


class LongWork(QObject):
    """Runs tasks on the bridge's thread for what takes long."""

    began = Signal(str)
    """What is being done, in a few words."""
    progressed = Signal(float)
    """The share done, 0 to 1."""
    refused = Signal(str)
    """Why a task was not begun."""
    ended = Signal(str)
    """What came of it, or what went wrong."""

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cancel = threading.Event()
        self.is_busy = False

    def run(
        self,
        words: str,
        task: Callable[[Progress, Cancelled], Any],
        tell: Callable[[Any], str],
    ) -> None:
        """Begin a task; nothing happens while another one runs.

        :param words: what is done
        :param task: on another thread, with its progress and whether it is to stop
        :param tell: says in the window's thread what came of it
        """
        if self.is_busy:
            self.refused.emit(self.tr("Wait until what is under way has ended."))
            return
        self.is_busy = True
        self._cancel.clear()
        self.began.emit(words)

        def attempt() -> Any:
            try:
                return task(self.progressed.emit, self._is_cancelled)
            except StoreStopped:
                return Problem(self.tr("Stopped; nothing was changed."))
            except Exception as error:
                # Whatever it was: the person must get the buttons back.
                if not isinstance(error, StoreError | OSError | ValueError):
                    log.exception("Work on the history failed")
                return Problem(told(self._bridge.history_path, error))

        def end(result: Any) -> None:
            self.is_busy = False
            self.ended.emit(result.text if isinstance(result, Problem) else tell(result))

        self._bridge.work(attempt, end)

    def _is_cancelled(self) -> bool:
        return self._cancel.is_set() or self._bridge.is_closed

    def cancel(self) -> None:
        """Ask the running task to stop."""
        self._cancel.set()
