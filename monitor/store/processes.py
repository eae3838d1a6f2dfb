"""Which process a row belongs to, so that what died running can be told from what still runs."""

import os

import psutil


def this_process() -> dict[str, float]:
    """Return the columns by which :func:`is_alive` knows this process again."""
    process = psutil.Process()
    return {"process_id": os.getpid(), "process_started": process.create_time()}


def is_alive(process_id: int | None, started: float | None) -> bool:
    """Whether the process that began something still runs (and is not another of its number)."""
    try:
        process = psutil.Process(process_id)
        same = abs(process.create_time() - (started or 0)) < 2
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
