"""Keeping the live figure fresh beside everything else, so that no query ever waits for it."""

import logging
import sqlite3
import threading
from datetime import UTC, datetime

from monitor.carbon.choice import read_choice
from monitor.carbon.intensity import CarbonError
from monitor.carbon.state import Preferences, give_up, read_state, refresh
from monitor.store.errors import StoreError

log = logging.getLogger(__name__)

LOOK_S = 60.0
"""How often it looks whether something was turned on by another program."""

CLOSE_S = 1.0


class _Closed(Exception):
    """The feed is closed while it waits for an answer."""


class LiveFeed:
    """Asks for live figures on a thread of its own while they are turned on; none is made before.

    :param kept: the history; it must stay open until :meth:`close`
    """

    def __init__(self, kept: Preferences) -> None:
        self._kept = kept
        self._woken, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-carbon", daemon=True)

    def __enter__(self) -> "LiveFeed":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to look; nothing is asked unless live figures are on."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was turned on or changed."""
        self._woken.set()

    def close(self) -> None:
        """End; an answer that is waited for is given up."""
        self._closed.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            self._woken.clear()
            # Behind the line above: what closes it in between has woken it for good.
            if self._closed.is_set():
                return
            try:
                wait_s = self._look()
            except _Closed:
                return
            except (CarbonError, StoreError, sqlite3.Error) as problem:
                log.warning("No live carbon intensity: %s", problem)
                wait_s = LOOK_S
            self._woken.wait(wait_s)

    def _look(self) -> float:
        """Ask if it is time; return for how long to rest."""
        live = read_choice(self._kept).live
        if live is None:
            return LOOK_S
        wait_s = read_state(self._kept, live).wait(datetime.now(UTC)).total_seconds()
        if wait_s <= 0:
            try:
                state = refresh(self._kept, live, self._tick)
            except _Closed:
                give_up(self._kept, live)
                raise
            if state.problem:
                log.warning("No live carbon intensity: %s", state.problem)
            wait_s = state.wait(datetime.now(UTC)).total_seconds()
        return min(wait_s, LOOK_S)

    def _tick(self) -> None:
        if self._closed.is_set():
            raise _Closed
