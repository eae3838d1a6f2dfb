"""Processor time of the threads that read the sensors.

Each tells its own: asking for another's by its number reads memory that is gone once that thread
has ended (``pthread_getcpuclockid``), and the files of ``/proc/self/task`` are slow, coarse, and on
Linux only.
"""

import threading
import time

_lock = threading.Lock()
_running: list["ThreadTime"] = []
_ended_s = [0.0]


class ThreadTime:
    """What one thread has used. A context manager, to be entered, and left, in that thread."""

    def __init__(self) -> None:
        self.used_s = 0.0

    def __enter__(self) -> "ThreadTime":
        self.note()
        with _lock:
            _running.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.note()
        with _lock:
            _running.remove(self)
            _ended_s[0] += self.used_s

    def note(self) -> None:
        """Take down what has been used until now."""
        self.used_s = time.thread_time()


def sampling_s() -> float:
    """Return the processor seconds of all such threads so far, those that have ended included."""
    with _lock:
        return _ended_s[0] + sum(each.used_s for each in _running)
