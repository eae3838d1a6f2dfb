"""Waiting for what the threads of the sources do."""

import threading
from collections.abc import Callable


class News:
    """Lets any thread wait for something that others bring about and tell of.

    Telling costs next to nothing while nobody waits, which is nearly always.
    """

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._waiting = 0

    def tell(self) -> None:
        """Have all who wait look again; called after what they may wait for was brought about."""
        # Who begins to wait after this look has not looked for the thing itself yet, and will.
        if self._waiting:
            with self._told:
                self._told.notify_all()

    def wait_for(self, met: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition is met, but no longer than so long.

        :param met: must not tell any news itself
        :return: whether it was met
        """
        with self._told:
            self._waiting += 1
            try:
                return self._told.wait_for(met, timeout_s)
            finally:
                self._waiting -= 1
