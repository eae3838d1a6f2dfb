"""What the sampler costs on a large machine, and how punctual it is while that machine is busy.

Run with ``pytest tests/speed -m speed -n 0 -s``. The machine is fake: two sockets with DRAM and
psys in a sysfs whose counters run, and four GPUs in a compiled NVML.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.engine.client import Engine
from monitor.engine.messages import Load
from monitor.staircase import Work, engine_loads
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu, build_library, environment, find_compiler, write_script
from tests.hardware.sysfs import FakeSysfs, RaplZone

pytestmark = [pytest.mark.speed, pytest.mark.timeout(300)]

HZ, SECONDS = 10.0, 20.0
LARGEST_SHARE = 0.01
LATE_S = 0.010

CROWD = Path(__file__).resolve().parents[1] / "hardware/crowd.c"

# No two sockets alike: those would be taken for dies that show one counter.
SOCKETS = [
    PowerCurve(((0.0, 60.0), (3.0, 180.0), (8.0, 90.0), (12.0, 150.0))),
    PowerCurve(((0.0, 45.0), (2.0, 95.0), (9.0, 170.0), (14.0, 70.0))),
]

ZONES = [
    zone
    for socket, curve in enumerate(SOCKETS)
    for zone in (
        RaplZone(f"intel-rapl:{socket}", f"package-{socket}", curve),
        RaplZone(f"intel-rapl:{socket}:0", "core", PowerCurve.constant(30.0 + 7 * socket)),
        RaplZone(f"intel-rapl:{socket}:1", "dram", PowerCurve.constant(9.0 + 2 * socket)),
    )
] + [RaplZone("intel-rapl:2", "psys", PowerCurve.constant(420.0))]

GPUS = [
    FakeGpu(uuid=f"GPU-{index:08x}", pci_bus_id=f"00000000:{index + 1:02x}:00.0", curve=SOCKETS[0])
    for index in range(4)
]


@dataclass(frozen=True)
class Machine:
    """The fake machine: what it truly draws, and the variables that show it to a process."""

    sysfs: FakeSysfs
    environment: dict[str, str]

    def sample(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Have a process sample it; see :mod:`tests.speed.sampled_machine`."""
        command = [sys.executable, "-m", "tests.speed.sampled_machine", str(seconds)]
        done = subprocess.run(
            command, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return dict(json.loads(done.stdout))


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Iterator[Machine]:
    library = build_library(tmp_path / "nvml")
    script = tmp_path / "script.txt"
    # Its counters move ten times slower than real ones: their writer shares these processors.
    with FakeSysfs(tmp_path / "sys", ZONES, update_s=0.01) as sysfs:
        write_script(script, GPUS, time.monotonic())
        shown = environment(library.parent, script) | {"LLAMAWATT_SYSFS": str(sysfs.root)}
        yield Machine(sysfs, os.environ | shown)


@contextmanager
def crowd(folder: Path, threads: int) -> Iterator[None]:
    """Beside us a program of so many threads, each awake for a moment every 60 ms."""
    program = folder / "crowd"
    compiler = find_compiler()
    assert compiler, "no C compiler (cc) to build the crowd with"
    subprocess.run([compiler, "-O2", "-pthread", "-o", str(program), str(CROWD)], check=True)
    command = [str(program), str(threads), "60000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert int(process.stdout.readline()) == threads
            yield
        finally:
            process.kill()


@contextmanager
def engine_at_work(model: Path) -> Iterator[None]:
    """Have llama.cpp compute beside us, with a thread for each core, without a pause."""
    engine = Engine()
    request = Load(str(model), context=1024, threads=os.cpu_count() or 1)
    try:
        with engine_loads(engine, request, ())[Work.DECODE]():
            yield
    finally:
        engine.stop()


def lateness_s(read_s: list[float], start_s: float, end_s: float) -> list[float]:
    """How long after each due time between two moments its reading came; infinite where none did.

    Due are the multiples of the interval (:func:`monitor.power.clock.beat_after`). A reading
    belongs to the last due time before it: one that is late by an interval or more has missed its
    own, which it leaves empty.
    """
    late_s = dict.fromkeys(range(math.ceil(start_s * HZ), math.floor(end_s * HZ)), math.inf)
    for at_s in read_s:
        due = math.floor(at_s * HZ)
        if due in late_s:
            late_s[due] = min(late_s[due], at_s - due / HZ)
    return list(late_s.values())


@pytest.mark.parametrize(
    ("delays_s", "late"),
    [
        ({}, 0),
        ({20: 0.05}, 1),
        ({20: 0.1, 21: math.nan}, 1),
        ({20: 0.13, 21: math.nan}, 2),
        ({20: math.nan, 50: math.nan}, 2),
        (dict.fromkeys(range(100), 0.03), 100),
    ],
    ids=["none", "half", "whole", "more", "missed", "all"],
)
def test_lateness_is_told(delays_s: dict[int, float], late: int) -> None:
    """Of a hundred readings, by so many seconds each; NaN for one that never came."""
    read_s = [2.001 + n / HZ + delays_s.get(n, 0.0) for n in range(100)]
    told_s = lateness_s([at_s for at_s in read_s if not math.isnan(at_s)], 2.0, 12.05)
    assert len(told_s) == 100
    assert sum(late_s > LATE_S for late_s in told_s) == late


def test_a_large_machine_costs_at_most_a_hundredth_of_a_core(machine: Machine) -> None:
    found = machine.sample()
    assert len(found["parts"]) == 2 + 2 + 4
    for key in found["parts"]:
        assert len(found["read_s"][key]) >= 0.95 * HZ * SECONDS
    print(f"\n{len(found['read_s'])} channels at {HZ:g} Hz: {found['share']:.2%} of one core")
    assert found["share"] <= LARGEST_SHARE


def test_samples_come_in_time_while_the_engine_uses_every_core(
    machine: Machine, starter: Path
) -> None:
    with engine_at_work(starter):
        found = machine.sample()
    shares = {}
    for key in found["parts"]:
        late_s = lateness_s(found["read_s"][key], found["start_s"], found["end_s"])
        assert len(late_s) >= 0.95 * HZ * SECONDS
        shares[key] = sum(late <= LATE_S for late in late_s) / len(late_s)
        came_s = [late for late in late_s if late < math.inf]
        worst_ms, p95_ms = 1e3 * max(came_s), 1e3 * statistics.quantiles(came_s, n=20)[-1]
        print(
            f"\n{key}: {shares[key]:.1%} in time, p95 {p95_ms:.1f} ms, worst {worst_ms:.1f} ms, "
            f"{len(late_s) - len(came_s)} missed"
        )
    print(f"{found['share']:.2%} of one core")
    assert min(shares.values()) >= 0.95


def test_nothing_is_lost_beside_five_thousand_threads(machine: Machine, tmp_path: Path) -> None:
    with crowd(tmp_path, 5_000):
        found = machine.sample(10.0)
    start_s, end_s = found["start_s"], found["end_s"]
    print()
    for zone in ZONES[:1] + ZONES[3:4]:
        key = f"rapl:{zone.name}"
        truth_j = machine.sysfs.energy_j(zone, start_s, end_s)
        off = found["joules"][key] / truth_j - 1
        readings = len(found["read_s"][key])
        print(f"{key}: {readings} readings, {off:+.2%} off, {found['coverage'][key]:.1%} covered")
        assert found["coverage"][key] >= 0.999
        assert readings >= 0.9 * HZ * (end_s - start_s)
        assert abs(off) <= 0.005
    print(f"{found['share']:.2%} of one core")
