"""The process that moves the counters of a `FakeSysfs`: `sysfs_writer SCRIPT.json`.

It answers a line when it is ready, then for every line it is sent: first the epoch (seconds of
`time.monotonic()`), then folders of zones whose counters are to stop. It ends when its input
closes or its parent dies.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .curve import PowerCurve

_ENERGY = "energy_uj"
_WIDTH = 20
"""Digits: a number that is as long as the one before is written over it in one go."""


class _Counter:
    """One zone's `energy_uj`, in microjoules."""

    def __init__(self, zone: dict[str, Any]) -> None:
        self._curve = PowerCurve.from_list(zone["steps"])
        self._start_uj = int(zone["start_uj"])
        self._range_uj = int(zone["range_uj"])
        self._folder = os.open(zone["path"], os.O_RDONLY)
        self._last_uj = -1

    def write(self, time_s: float) -> None:
        """Show the counter of `time_s` seconds after the epoch."""
        energy_uj = self._start_uj + int(1e6 * self._curve.energy_j(0.0, time_s))
        energy_uj %= self._range_uj
        if energy_uj == self._last_uj:
            return
        self._last_uj = energy_uj
        # Opened each time: it may have been put into the place of one that a reader holds. Bare
        # system calls, as pathlib and buffered files would triple the cost.
        file = os.open(_ENERGY, os.O_WRONLY, dir_fd=self._folder)
        os.pwrite(file, b"%0*d\n" % (_WIDTH, energy_uj), 0)
        os.close(file)


def main(script: Path) -> None:
    """Move the counters that `script` describes until there is nobody left to see them."""
    setup = json.loads(script.read_text(encoding="utf-8"))
    counters = {zone["folder"]: _Counter(zone) for zone in setup["zones"]}
    update_s = float(setup["update_s"])
    if setup["goes_first"]:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print("ready", flush=True)
    epoch_s = float(sys.stdin.readline())
    print("running", flush=True)
    due_s = epoch_s
    # The parent is asked for as well: a child it forked may hold the input open after its death.
    while os.getppid() == setup["parent_pid"]:
        now_s = time.monotonic()
        for counter in counters.values():
            counter.write(now_s - epoch_s)
        # Moves missed on a busy machine are skipped, not made up for.
        due_s = max(due_s + update_s, now_s)
        # Every line is answered before the next is sent, so none can wait in Python's buffer.
        if select.select([sys.stdin], [], [], max(due_s - time.monotonic(), 0.0))[0]:
            folder = sys.stdin.readline()
            if not folder:
                return
            counters.pop(folder.strip(), None)
            print("stopped", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
