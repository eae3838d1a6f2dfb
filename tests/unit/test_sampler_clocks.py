"""The sampler in a process whose wall clock is set back, and whose machine is suspended."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from monitor.power.curve import Gap
from tests.hardware.clock import FakeClock
from tests.hardware.nvml import find_compiler

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the clocks are Linux's"),
    pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler"),
]

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
import json, sys, time
from monitor.power.channel import *
from monitor.power.sampler import Sampler

class Steady:
    name = "steady"
    def probe(self):
        return Probe(self.name, ProbeState.AVAILABLE, "Steady.")
    def open(self):
        exact = Accuracy(0.0, 0.0, 0.0, "a test")
        return tuple(
            Channel(kind, kind, Domain.CPU, kind, kind, Role.PART, 0.01, 0.0, exact)
            for kind in (Kind.COUNTER, Kind.POWER)
        )
    def read(self):
        now_s = time.monotonic()
        return [Reading("counter", now_s, counter_j=100 * now_s),
                Reading("power", now_s, power_w=100.0)]
    def close(self):
        pass

with Sampler(50, [Steady()]) as sampler:
    for line in sys.stdin:
        began_s = time.monotonic()
        ready = sampler.wait_until(began_s + 0.2, timeout_s=5)
        end_s = time.monotonic()
        curves = {key: sampler.trace.curve(key) for key in ("counter", "power")}
        print(json.dumps({
            "wall_s": time.time(), "ready": ready, "waited_s": end_s - began_s,
            "gaps": {key: curve.gap[1:].tolist() for key, curve in curves.items()},
            "joules": {key: float(curve.energy_j[-1]) for key, curve in curves.items()},
            "seconds": {key: float(c.time_s[-1] - c.time_s[0]) for key, c in curves.items()},
        }), flush=True)
"""


class Watched:
    """A process that samples, and says what it has when it is asked."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin, self._stdout = stdin, stdout

    def look(self) -> dict[str, Any]:
        print(file=self._stdin, flush=True)
        return dict(json.loads(self._stdout.readline()))


@pytest.fixture(name="clock")
def _clock(tmp_path: Path) -> FakeClock:
    return FakeClock(tmp_path)


@pytest.fixture(name="watched")
def _watched(clock: FakeClock) -> Iterator[Watched]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        env=os.environ | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Watched(process.stdin, process.stdout)
        process.stdin.close()


def test_neither_a_wall_clock_set_back_nor_a_suspend_makes_or_loses_a_joule(
    clock: FakeClock, watched: Watched
) -> None:
    before = watched.look()

    clock.set(wall_s=-3600)
    after = watched.look()
    assert after["wall_s"] < before["wall_s"] - 3500
    assert after["ready"]
    assert after["waited_s"] < 5.0
    for kind in ("counter", "power"):
        assert set(after["gaps"][kind]) == {Gap.NONE}
        assert after["joules"][kind] == pytest.approx(100 * after["seconds"][kind])

    clock.set(wall_s=-3600, asleep_s=3600)
    woken = watched.look()
    for kind in ("counter", "power"):
        assert woken["gaps"][kind].count(Gap.ASLEEP) == 1
        assert woken["gaps"][kind].count(Gap.NONE) == len(woken["gaps"][kind]) - 1
        # The one interval in which it slept is not told of; the rest is.
        lost_j = 100 * woken["seconds"][kind] - woken["joules"][kind]
        assert 0 < lost_j < 100.0
