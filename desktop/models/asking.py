"""Questions to the hub, asked beside the window's thread: a newer one replaces the one before."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6.QtCore import QObject

from desktop.bridge import Bridge
from monitor.hub.access import HubError
from monitor.hub.waiting import Tick

log = logging.getLogger(__name__)


class _Outdated(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class _Answer:
    number: int
    result: Any
    problem: str = ""


class Asking(QObject):
    """Asks one question at a time.

    :param answered: called in the window's thread with the newest question's answer
    :param refused: called there with why there is none and what to do
    """

    def __init__(
        self,
        bridge: Bridge,
        answered: Callable[[Any], None],
        refused: Callable[[str], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._answered, self._refused = bridge, answered, refused
        self._number = 0

    def ask(self, question: Callable[[Tick], Any]) -> None:
        """Ask a question in place of the one before.

        :param question: called on another thread with what it is to call while it waits
        """
        self._number += 1
        number = self._number

        def tick() -> None:
            if number != self._number or self._bridge.is_closed or not shiboken6.isValid(self):
                raise _Outdated

        def attempt() -> _Answer:
            try:
                tick()
                return _Answer(number, question(tick))
            except _Outdated:
                return _Answer(0, None)
            except HubError as error:
                return _Answer(number, None, str(error))
            except Exception as error:
                log.exception("The hub could not be asked")
                return _Answer(number, None, unexpected(error))

        self._bridge.transfer(attempt, self._hand_over)

    def _hand_over(self, answer: _Answer) -> None:
        if answer.number != self._number:
            return
        if answer.problem:
            self._refused(answer.problem)
        else:
            self._answered(answer.result)


def unexpected(error: Exception) -> str:
    """Say that something happened that should not have."""
    return (
        QObject()
        .tr("Unexpected %1: %2. The log has the details.")
        .replace("%1", type(error).__name__)
        .replace("%2", str(error))
    )
