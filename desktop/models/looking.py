"""Looks for models beside the window's thread, and tells how far it is."""

import threading
from contextlib import suppress

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.models.overview import Overview, overview
from monitor.store.history import History

TELL_EACH = 20
"""Files between two reports of progress."""


class Looking(QObject):
    """One look at a time; what is asked for meanwhile is looked for afterwards."""

    began = Signal()
    counted = Signal(int)
    """How many were found so far."""
    found = Signal(object)
    """The :class:`monitor.models.overview.Overview`."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._stopped = threading.Event()
        self._again = False
        self.is_busy = False

    def look(self) -> None:
        """Look for models."""
        if self.is_busy:
            self._again = True
            return
        self.is_busy = True
        self._stopped.clear()
        self.began.emit()
        self._bridge.work(self._overview, self._end)

    def stop(self) -> None:
        """Leave off with what was found."""
        self._again = False
        self._stopped.set()

    def _overview(self) -> Overview:
        return overview(self._history, None, self._count, self._is_stopped)

    def _count(self, number: int) -> None:
        if number % TELL_EACH == 0 and not self._stopped.is_set():
            with suppress(RuntimeError):  # of a dialog that is deleted in this very moment
                self.counted.emit(number)

    def _is_stopped(self) -> bool:
        return self._stopped.is_set() or self._bridge.is_closed

    def _end(self, found: Overview) -> None:
        self.is_busy = False
        self.found.emit(found)
        if self._again:
            self._again = False
            self.look()
