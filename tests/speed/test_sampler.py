"""What the sampler costs on a large machine, and how punctual it is while that machine is busy.

Run with ``pytest tests/speed -m speed -n 0 -s``. The machine is fake: two sockets with DRAM and
psys in a sysfs whose counters run, and four GPUs in a compiled NVML.
"""

import json
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
def every_core_busy() -> Iterator[None]:
    """Keep each core busy with a process of its own."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def lateness_s(read_s: list[float]) -> list[float]:
    """How long after their due times readings came, 0 to an interval.

    They are due in a steady rhythm. Its beat is that of the earliest few, which none precedes.
    """
    interval_s = 1 / HZ

    def after(beat_s: float) -> list[float]:
        return [(at_s - beat_s) % interval_s for at_s in read_s]

    # Seen from half an interval before the first reading, what is early or late does not wrap.
    around_s = read_s[0] - interval_s / 2
    early_s = statistics.quantiles(after(around_s), n=50)[0]
    # A millisecond of grace for the few that the beat was not taken from.
    return [late_s - 0.001 for late_s in after(around_s + early_s - 0.001)]


def test_a_large_machine_costs_at_most_a_hundredth_of_a_core(machine: Machine) -> None:
    found = machine.sample()
    assert len(found["parts"]) == 2 + 2 + 4
    for key in found["parts"]:
        assert len(found["read_s"][key]) >= 0.95 * HZ * SECONDS
    print(f"\n{len(found['read_s'])} channels at {HZ:g} Hz: {found['share']:.2%} of one core")
    assert found["share"] <= LARGEST_SHARE


def test_samples_come_in_time_while_every_core_is_busy(machine: Machine) -> None:
    with every_core_busy():
        found = machine.sample()
    shares = {}
    for key in found["parts"]:
        late_s = lateness_s(found["read_s"][key])
        assert len(late_s) >= 0.95 * HZ * SECONDS
        shares[key] = sum(abs(late) <= LATE_S for late in late_s) / len(late_s)
        worst_ms, p95_ms = 1e3 * max(late_s), 1e3 * statistics.quantiles(late_s, n=20)[-1]
        print(f"\n{key}: {shares[key]:.1%} in time, p95 {p95_ms:.1f} ms, worst {worst_ms:.1f} ms")
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
