"""Remembers which loads ended in a crash, so that they are not repeated unasked.

What a load is to be is written before it begins and taken back when it has ended in any orderly
way. What is still there afterwards took the engine, the program or the machine down with it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from monitor.engine.client import EngineDied
from monitor.engine.messages import Load
from monitor.store.database import StoreError
from monitor.store.history import History
from monitor.store.processes import is_alive, this_process

PREFERENCE = "unfinished_loads"

REMEMBERED = 20
"""Loads at most: a file that crashes in more ways than that needs no further proof."""

log = logging.getLogger(__name__)


class LoadGuard:
    """Watches loads; what it knows is kept in the preference ``unfinished_loads``.

    :param history: keeps the preference
    """

    def __init__(self, history: History) -> None:
        self._history = history

    def has_crashed(self, request: Load) -> bool:
        """Whether just this load, of just this file, crashed when it was last tried."""
        wanted = asdict(request)
        return any(
            entry["request"] == wanted and not is_alive(entry["process_id"], entry["started"])
            for entry in self._history.preference(PREFERENCE, [])
        )

    @contextmanager
    def watching(self, request: Load, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        """Watch a load for the length of a block.

        :param is_cancelled: asked when the engine dies: to end it may have been the way to cancel
        """
        wanted, process = asdict(request), this_process()
        self._replace(
            wanted,
            {
                "request": wanted,
                "process_id": process["process_id"],
                "started": process["process_started"],
            },
        )
        crash = None
        try:
            yield
        except EngineDied:
            if not is_cancelled():
                # This program lives on, and the load is to count as crashed all the same.
                crash = {"request": wanted, "process_id": None, "started": None}
            raise
        finally:
            self._replace(wanted, crash)

    def _replace(self, request: dict[str, Any], entry: dict[str, Any] | None) -> None:
        """Put an entry in the place of what is known of a load; ``None`` forgets it."""
        try:
            known = self._history.preference(PREFERENCE, [])
            others = [each for each in known if each["request"] != request]
            kept = [*others, entry][-REMEMBERED:] if entry else others
            self._history.set_preference(PREFERENCE, kept)
        except StoreError as error:
            # Better an unwatched load than none.
            log.warning("Whether this load ends well will not be remembered: %s", error)
