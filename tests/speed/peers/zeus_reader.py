"""Zeus as its documentation uses it: ``zeus_reader.py TASK.json``, by the peers' interpreter.

`ZeusMonitor.begin_window` and `end_window`. Its RAPL folder is a constant of its module, which
is pointed at the fake one; which GPU it sees is told by ``CUDA_VISIBLE_DEVICES``. Its processes
that count wraps and read watts are started by it, before the first window.
"""

from __future__ import annotations

import sys

import zeus.device.cpu.rapl as rapl
from schedule import Task, walk
from zeus.monitor import ZeusMonitor


def main(path: str) -> None:
    """Measure every window of a task."""
    task = Task.load(path)
    rapl.RAPL_DIR = f"{task.rapl}/intel-rapl"
    monitor = ZeusMonitor(
        gpu_indices=list(range(len(task.gpus))), cpu_indices=[] if task.gpus else None
    )
    # The processes that count wraps are started by the first reading.
    monitor.begin_window("first", sync_execution=False)
    monitor.end_window("first", sync_execution=False)

    def begin(name: str) -> None:
        monitor.begin_window(name, sync_execution=False)

    def end(name: str, start_s: float, end_s: float) -> dict[str, float]:
        found = monitor.end_window(name, sync_execution=False)
        # A zone that is no package is told of as a processor too.
        joules = {f"cpu{index}": energy_j for index, energy_j in (found.cpu_energy or {}).items()}
        joules |= {
            f"dram{index}": energy_j for index, energy_j in (found.dram_energy or {}).items()
        }
        gpus = zip(task.gpus, found.gpu_energy.values(), strict=True)
        return joules | {f"gpu{gpu}": energy_j for gpu, energy_j in gpus}

    walk(task, begin, end)


if __name__ == "__main__":
    main(sys.argv[1])
