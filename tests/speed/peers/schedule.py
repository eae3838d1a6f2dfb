"""When each reader measures: the windows all are told of, and the walk along them.

Run by the interpreter of the peers as well as by ours, as scripts of this folder: it imports
nothing but the standard library. Times are seconds of `time.monotonic()`, energy is in joules.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Window:
    """A stretch of time that a reader measures the energy of."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Measured:
    """What a reader found for one window.

    Attributes:
        window: The window's name.
        start_s: When beginning it had returned: the work to be measured starts here.
        end_s: When ending it was called: the work has ended.
        joules: Energy by part of the machine; a part it does not read is left out.
        error: What went wrong, if it raised.
    """

    window: str
    start_s: float
    end_s: float
    joules: dict[str, float]
    error: str = ""


@dataclass(frozen=True)
class Task:
    """What one reader's process is to do: one of these is its only argument, as a JSON file.

    Attributes:
        windows: What to measure.
        gpus: Numbers of the GPUs to measure.
        every_s: Seconds between the reader's own readings, where it can be told.
        rapl: Folder to read in place of /sys/class/powercap.
        answer: File to write the answer into.
    """

    windows: tuple[Window, ...]
    gpus: tuple[int, ...]
    every_s: float
    rapl: str
    answer: str

    @classmethod
    def load(cls, path: str) -> Task:
        """Read a task from the file that `save` wrote."""
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        fields["windows"] = tuple(Window(**window) for window in fields["windows"])
        fields["gpus"] = tuple(fields["gpus"])
        return cls(**fields)

    def save(self, path: Path) -> None:
        """Write the task into a file."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


Begin = Callable[[str], None]
End = Callable[[str, float, float], dict[str, float]]


def walk(task: Task, begin: Begin, end: End) -> None:
    """Begin and end each window in time, and write down what came of it.

    A begin or an end that raises loses its window and no other.

    Args:
        task: The windows, and where the answer goes.
        begin: Called with a window's name at its start.
        end: Called with its name and its true start and end; returns joules by part.
    """
    print("ready", flush=True)
    moments = sorted(
        [(window.start_s, False, window.name) for window in task.windows]
        + [(window.end_s, True, window.name) for window in task.windows]
    )
    began_s: dict[str, float] = {}
    found: list[Measured] = []
    for at_s, is_end, name in moments:
        time.sleep(max(at_s - time.monotonic(), 0.0))
        ended_s = time.monotonic()
        error, joules = "", {}
        try:
            if not is_end:
                begin(name)
                began_s[name] = time.monotonic()
            elif name in began_s:
                joules = end(name, began_s[name], ended_s)
        except Exception as raised:
            error = type(raised).__name__
            traceback.print_exc(file=sys.stderr)
        if error or (is_end and name in began_s):
            found.append(Measured(name, began_s.get(name, at_s), ended_s, joules, error))
    Path(task.answer).write_text(json.dumps([asdict(one) for one in found]), encoding="utf-8")


def read_answer(path: str) -> list[Measured]:
    """Return what a reader's process found."""
    return [Measured(**fields) for fields in json.loads(Path(path).read_text(encoding="utf-8"))]
