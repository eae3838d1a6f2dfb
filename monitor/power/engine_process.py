"""The engine's process, found among the children of this one.

A power source knows nothing of the engine: what starts it and what reads it meet in the list of
processes alone.
"""

import math
import os
import sys
import time
from pathlib import Path

import psutil

WORKER = "monitor.engine.worker"
"""The module the engine's process runs; its command line names it."""

LOOK_S = 1.0
"""So often the engine's process is looked for while there is none."""


class EngineSearch:
    """The engine's process, kept while it runs and looked for while there is none."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None
        self._looked_s = -math.inf

    def process(self) -> psutil.Process | None:
        """Return it; the same object as before while it is the same process."""
        now_s = time.monotonic()
        if self._process is not None and not self._process.is_running():
            self._process = None
        if self._process is None and now_s - self._looked_s >= LOOK_S:
            self._process, self._looked_s = engine_process(), now_s
        return self._process


def used_s(process: psutil.Process | None) -> float | None:
    """Return the processor seconds a process has used; ``None`` if that is not told."""
    try:
        times = process.cpu_times() if process else None
    except psutil.Error:
        return None
    return times.user + times.system if times else None


def engine_process() -> psutil.Process | None:
    """Return the engine's process, the newest where one is just ending; ``None`` without one.

    Costs a few file reads on Linux; elsewhere a look at every process of the machine.
    """
    for pid in sorted(_children(), reverse=True):
        try:
            process = psutil.Process(pid)
            if WORKER in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            continue
    return None


def _children() -> list[int]:
    """Identifiers of this process's children.

    ``/proc/PID/task/TID/children`` lists those that one thread has begun (proc_pid_task(5); kernels
    built without CONFIG_PROC_CHILDREN lack it).
    """
    if sys.platform == "linux":
        if not _has_children():
            return []
        try:
            tasks = [task / "children" for task in Path(f"/proc/{os.getpid()}/task").iterdir()]
            return [int(pid) for task in tasks for pid in _text(task).split()]
        except FileNotFoundError:
            pass
    return [child.pid for child in psutil.Process().children()]


def _has_children() -> bool:
    """Whether this process has any child: asked once, where there is a file for each thread."""
    try:
        # Only looks: whoever began a child that has ended is still to be told so (waitid(2)).
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        if path.parent.exists():
            raise  # this kernel has no such files
        return ""  # a thread that has just ended
