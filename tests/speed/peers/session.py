"""One run: the machine, its faults, and every reader at work on it in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.hardware.nvml import build_library, environment, write_script
from tests.hardware.sysfs import FakeSysfs, let_go
from tests.speed.peers.machine import HOUR, LEAD_S, SECONDS, ZONES_GONE, Machine
from tests.speed.peers.schedule import Measured, Task, Window, read_answer

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[2]
EARLY_S = 2.0
"""All readers are to be ready so long before the script begins."""

OURS_S = {"ours": 0.1, "ours at 50 Hz": 0.02}
"""How often LlamaWatt reads: its default, and its fastest."""

CODECARBON_S = (15.0, 1.0)
"""How often CodeCarbon reads in the course of the hour: its default, and as often as it advises."""


@dataclass(frozen=True)
class Job:
    """One process of a reader: its script, its task and what it is told by the environment."""

    reader: str
    script: str
    task: Task
    variables: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What a run brought.

    Attributes:
        found: What each reader found; times are since the script's start.
        cores: Processors that each reader kept busy, all of its processes together.
    """

    found: dict[str, list[Measured]]
    cores: dict[str, float]


def watch(machine: Machine, peers: str, folder: Path) -> Outcome:
    """Let every reader watch the machine, and return what each found.

    Args:
        machine: What is watched.
        peers: Python interpreter of the environment the peers are installed in.
        folder: For the library, the script of the GPUs, tasks, answers and logs.

    Raises:
        RuntimeError: A reader was not ready in time, or ended badly.
    """
    library, script = build_library(folder / "nvml"), folder / "gpus.txt"
    with FakeSysfs(folder / "sys", machine.zones, goes_first=True) as sysfs:
        write_script(script, machine.gpus, sysfs.epoch_s)
        start_s = sysfs.epoch_s + LEAD_S
        shown = os.environ | environment(library.parent, script)
        shown |= {"LLAMAWATT_SYSFS": str(sysfs.root), "HOME": str(folder)}
        shown["PATH"] = f"{nvidia_smi(folder).parent}{os.pathsep}{shown['PATH']}"
        rapl = sysfs.root / "class/powercap"
        found: dict[str, list[Measured]] = {}
        with running(jobs(machine, rapl, start_s, folder), peers, shown, folder) as processes:
            early_s = start_s - time.monotonic()
            if early_s < EARLY_S:
                raise RuntimeError(f"the readers were ready {early_s:.1f} s before the start")
            print(f"{len(processes)} processes ready {early_s:.0f} s before the start", flush=True)
            wait_until(start_s)
            used_s = [used_by(process) for _, process in processes]
            lose_zones(sysfs.root, start_s)
            wait_until(start_s + HOUR.end_s - EARLY_S)
            cores: dict[str, float] = {}
            for (job, process), before_s in zip(processes, used_s, strict=True):
                share = (used_by(process) - before_s) / (HOUR.end_s - EARLY_S)
                cores[job.reader] = cores.get(job.reader, 0.0) + share
            for job, process in processes:
                if process.wait(timeout=start_s + SECONDS + 60 - time.monotonic()):
                    raise RuntimeError(f"{job.script} failed; see {log_of(folder, job)}")
                found.setdefault(job.reader, []).extend(
                    since(one, start_s) for one in read_answer(job.task.answer)
                )
    return Outcome(found, cores)


def used_by(process: subprocess.Popen[str]) -> float:
    """Return processor seconds of a process and those it started that have not ended."""
    tree, used_s = [psutil.Process(process.pid)], 0.0
    tree += tree[0].children(recursive=True)
    for one in tree:
        # Some readers start programs that end at once.
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            used_s += times.user + times.system
    return used_s


def jobs(machine: Machine, rapl: Path, start_s: float, folder: Path) -> list[Job]:
    """Return the processes: each reader is given what it needs to be at its best.

    Zeus's windows fail altogether when one device does, so it has a process for each. CodeCarbon
    tells the sum of its GPUs only, so it has one for each as well; the hour is measured by whole
    runs, at two rates.
    """
    spans = [span for kind in machine.windows.values() for span in kind]
    gpus = range(len(machine.gpus))

    def job(
        reader: str, script: str, gpus: Sequence[int], spans: Sequence[Window], every_s: float = 0
    ) -> Job:
        shifted = tuple(
            replace(span, start_s=span.start_s + start_s, end_s=span.end_s + start_s)
            for span in spans
        )
        name = "-".join([reader, *map(str, gpus)]).replace(" ", "-")
        answer = str(folder / f"{name}.json")
        visible = ",".join(map(str, gpus))
        return Job(
            reader,
            script,
            Task(shifted, tuple(gpus), every_s, str(rapl), answer),
            {"CUDA_VISIBLE_DEVICES": visible} if reader == "zeus" and gpus else {},
        )

    zeus = [job("zeus", "zeus_reader.py", [gpu], [*spans, HOUR]) for gpu in reversed(gpus)]
    processors = job("zeus", "zeus_reader.py", [], [*spans, HOUR])
    tasks = [job("codecarbon", "codecarbon_reader.py", [gpu], spans) for gpu in gpus]
    runs = [
        job(f"codecarbon every {every_s:g} s", "codecarbon_reader.py", gpus, [HOUR], every_s)
        for every_s in CODECARBON_S
    ]
    ours = [
        job(reader, "our_reader.py", [], [*spans, HOUR], every_s)
        for reader, every_s in OURS_S.items()
    ]
    return [*zeus, processors, *tasks, *runs, *ours]


@contextmanager
def running(
    jobs: list[Job], peers: str, shown: dict[str, str], folder: Path
) -> Iterator[list[tuple[Job, subprocess.Popen[str]]]]:
    """Start every process, each once the one before is ready; end those that are left.

    Raises:
        RuntimeError: A process ended before it was ready.
    """
    processes: list[tuple[Job, subprocess.Popen[str]]] = []
    try:
        for job in jobs:
            process = launch(job, peers, shown, folder)
            processes.append((job, process))
            assert process.stdout
            if not any(line.strip() == "ready" for line in process.stdout):
                raise RuntimeError(f"{job.script} was not ready; see {log_of(folder, job)}")
        yield processes
    finally:
        for _, process in processes:
            # With the processes that it started, which a signal to it alone would leave behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def launch(job: Job, peers: str, shown: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a process, ours by this interpreter and a peer's by its own."""
    is_ours = job.reader in OURS_S
    task = Path(job.task.answer).with_suffix(".task")
    job.task.save(task)
    with log_of(folder, job).open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable if is_ours else peers, str(FOLDER / job.script), str(task)],
            env=shown | job.variables | ({"PYTHONPATH": str(REPOSITORY)} if is_ours else {}),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def nvidia_smi(folder: Path) -> Path:
    """Make the program that comes with the driver: CodeCarbon asks whether it is there."""
    program = folder / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    return program


def lose_zones(root: Path, start_s: float) -> None:
    """Take zones away for a while, each in its time; returns when the last is back."""
    for from_s, until_s, folder in ZONES_GONE:
        zone = root / "devices/virtual/powercap/intel-rapl" / folder
        away = root / "away"
        wait_until(start_s + from_s)
        # The counters go on meanwhile: their writer holds the folder, whatever its name.
        zone.rename(away)
        for counter in away.rglob("energy_uj"):
            let_go(counter)
        wait_until(start_s + until_s)
        away.rename(zone)


def wait_until(at_s: float) -> None:
    """Wait until a monotonic time."""
    threading.Event().wait(max(at_s - time.monotonic(), 0.0))


def log_of(folder: Path, job: Job) -> Path:
    """Return where a process's complaints go."""
    return folder / f"{Path(job.task.answer).stem}.log"


def since(one: Measured, start_s: float) -> Measured:
    """Return what was found with times since the script's start."""
    return replace(one, start_s=one.start_s - start_s, end_s=one.end_s - start_s)
