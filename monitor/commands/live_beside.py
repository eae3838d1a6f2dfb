"""Live carbon intensity beside a command that computes or watches."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from monitor.carbon.choice import live_at, read_choice
from monitor.carbon.feed import LiveFeed
from monitor.carbon.forms import stand_in_note
from monitor.carbon.intensity import CarbonError
from monitor.carbon.state import read_state
from monitor.commands.terminal import stderr
from monitor.store.history import History


@contextmanager
def live_beside(history: History) -> Iterator[None]:
    """Keep the live figure fresh for the length of a block, if it is on; nothing waits for it.

    At the end of the block a figure that had to stand in is told on stderr.
    """
    with LiveFeed(history):
        yield
        if note := _note(history):
            stderr.print(note, style="yellow", markup=False)


def _note(history: History) -> str:
    try:
        choice, now = read_choice(history), datetime.now(UTC)
        if choice.missing or (choice.live and live_at(history, now) is None):
            state = read_state(history, choice.live) if choice.live else None
            return stand_in_note(choice, state)
    except (CarbonError, sqlite3.Error):
        pass  # a note is not worth failing what has been computed
    return ""
