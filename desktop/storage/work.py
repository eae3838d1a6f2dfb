"""Long work on the history's file: one task at a time, with its progress, to be cancelled."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.store.errors import StoreError, StoreStopped

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
            return
        self.is_busy = True
        self._cancel.clear()
        self.began.emit(words)

        def attempt() -> Any:
            try:
                return task(self.progressed.emit, self._cancel.is_set)
            except StoreStopped:
                return Problem(self.tr("Stopped; nothing was changed."))
            except (StoreError, OSError, ValueError) as error:
                return Problem(str(error))

        def end(result: Any) -> None:
            self.is_busy = False
            self.ended.emit(result.text if isinstance(result, Problem) else tell(result))

        self._bridge.work(attempt, end)

    def cancel(self) -> None:
        """Ask the running task to stop."""
        self._cancel.set()
