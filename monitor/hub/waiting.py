"""Waiting for the network without being held by it."""

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

Tick = Callable[[], object]
"""Called ten times a second while nothing comes; what it raises ends the waiting."""

TICK_S = 0.1

AHEAD = 16
"""Items read before they are wanted: a megabyte of blocks."""


def idly() -> None:
    """Wait, whatever it takes."""


def beside(items: Iterable[T], tick: Tick = idly) -> Generator[T, None, None]:
    """Yield items that are produced on a thread of their own.

    Whoever takes them may leave at any time. The thread then ends by itself: at its next item, or
    when the server it listens to has been silent for too long.
    """
    ready: Queue[tuple[T | None, BaseException | None]] = Queue(AHEAD)
    is_left = threading.Event()

    def put(item: T | None, end: BaseException | None = None) -> bool:
        while not is_left.is_set():
            try:
                ready.put((item, end), timeout=TICK_S)
            except Full:
                continue
            return True
        return False

    def produce() -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:
            end = error
        put(None, end)

    threading.Thread(target=produce, name="hub", daemon=True).start()
    try:
        while True:
            try:
                item, end = ready.get(timeout=TICK_S)
            except Empty:
                tick()
                continue
            if isinstance(end, StopIteration):
                return
            if end is not None:
                raise end
            yield item  # type: ignore[misc]
    finally:
        is_left.set()
