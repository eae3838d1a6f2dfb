"""Asking something that may never answer, as a driver that hangs, for no longer than so long."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


def within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """Return what a function returns, if it does within so many seconds.

    It runs in a thread of its own, which is left behind where it hangs: a read that waits in the
    kernel cannot be ended, and does not keep the program from ending.

    :raises TimeoutError: if it has not returned by then
    :raises Exception: whatever it raises
    """
    return Asker(ask, seconds)()


class Asker(Generic[Answer]):
    """Asks the same again and again, but not while an earlier question still hangs.

    :param ask: what is asked
    :param seconds: for how long at most
    """

    def __init__(self, ask: Callable[[], Answer], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._thread: threading.Thread | None = None

    def __call__(self) -> Answer:
        """Return what is answered.

        :raises TimeoutError: if nothing is in time; at once while an earlier question hangs
        :raises Exception: whatever it raises
        """
        answers: list[Answer] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                answers.append(self._ask())
            except Exception as error:  # raised again in the thread that asked
                errors.append(error)

        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=run, name="power-deadline", daemon=True)
            self._thread.start()
            self._thread.join(self._seconds)
        if errors:
            raise errors[0]
        if not answers:
            raise TimeoutError(f"There was no answer within {self._seconds:g} s.")
        return answers[0]
