"""CodeCarbon as its documentation uses it: ``codecarbon_reader.py TASK.json``.

Run by the peers' interpreter. Windows are tasks of an offline tracker (`start_task`,
`stop_task`); with `every_s` the windows are whole runs (`start`, `stop`) of trackers that read
that often. Its folder of RAPL is a parameter of its CPU, and of the look whether there is RAPL,
that a tracker does not hand on: both are given it here, and nothing else is touched. It is told
to count memory.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import codecarbon.core.cpu
from codecarbon import OfflineEmissionsTracker
from codecarbon.core import resource_tracker
from codecarbon.external import hardware
from schedule import Task, walk

JOULES_PER_KWH = 3.6e6


def point_at(rapl: str) -> None:
    """Have trackers look for RAPL in this folder."""

    # It is told by its class's name what it is.
    class CPU(hardware.CPU):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, rapl_dir=rapl, **named)

    resource_tracker.CPU = CPU
    looked = functools.partial(codecarbon.core.cpu.is_rapl_available, rapl)
    codecarbon.core.cpu.is_rapl_available = looked


def tracker_of(gpu: int, every_s: float) -> OfflineEmissionsTracker:
    """Return a tracker of the processors and one GPU, ready to measure."""
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA",
        measure_power_secs=every_s or 15,
        gpu_ids=[gpu],
        rapl_include_dram=True,
        save_to_file=False,
        allow_multiple_runs=True,
        log_level="error",
    )
    if not every_s:
        # What it finds out about the machine is found out by the first task.
        tracker.start_task("first")
        tracker.stop_task("first")
    return tracker


def main(path: str) -> None:
    """Measure every window of a task."""
    task = Task.load(path)
    point_at(task.rapl)
    trackers = {gpu: tracker_of(gpu, task.every_s) for gpu in task.gpus}

    def begin(name: str) -> None:
        for tracker in trackers.values():
            if task.every_s:
                tracker.start()
            else:
                tracker.start_task(name)

    def end(name: str, start_s: float, end_s: float) -> dict[str, float]:
        joules: dict[str, float] = {}
        for gpu, tracker in trackers.items():
            if task.every_s:
                tracker.stop()
                found = tracker.final_emissions_data
            else:
                found = tracker.stop_task(name)
            joules["cpu"] = JOULES_PER_KWH * found.cpu_energy
            joules["ram"] = JOULES_PER_KWH * found.ram_energy
            joules[f"gpu{gpu}"] = JOULES_PER_KWH * found.gpu_energy
        return joules

    walk(task, begin, end)


if __name__ == "__main__":
    main(sys.argv[1])
