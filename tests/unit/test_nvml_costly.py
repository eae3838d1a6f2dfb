"""A GPU whose counter costs much to ask for, as that of every recent NVIDIA driver does."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from monitor.power.sampler import Sampler
from monitor.power.sources.nvml import Nvml
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu
from tests.unit.conftest import FakeGpus

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux"),
    pytest.mark.usefixtures("patient"),
]

KEY = "nvml:GPU-costly"
COST_S = 0.004
"""What the counter of an H200 costs each time (tests/recorded/h200.py)."""


@pytest.fixture(autouse=True)
def _no_gpu_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own GPUs out."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))


def test_its_counter_is_asked_seldom_and_at_marks_and_its_watts_always(
    fake_gpus: FakeGpus,
) -> None:
    power_w = PowerCurve(((0.0, 100.0), (101.2, 500.0), (101.9, 100.0)))
    epoch_s = fake_gpus(
        [FakeGpu(uuid="GPU-costly", curve=power_w, energy_cost_s=COST_S, energy_step_s=0.1)],
        elapsed_s=100.0,
    )
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        trace = sampler.trace
        time.sleep(0.3)
        start_s = time.monotonic()
        sampler.mark()
        time.sleep(max(epoch_s + 102.2 - time.monotonic(), 0.0))
        end_s = time.monotonic()
        assert sampler.wait_until(end_s)
        counted_s, _ = trace.counted(KEY)
        assert counted_s >= end_s
        curve = trace.curve(KEY, start_s + 0.3, end_s)
        window = trace.window(KEY, start_s, end_s)
    assert np.mean(curve.is_sketch) >= 0.5, "between two counts there are watts"
    assert curve.power_w.max() == pytest.approx(500.0)
    truth_j = power_w.energy_j(start_s - epoch_s, end_s - epoch_s)
    assert window.joules == pytest.approx(truth_j, rel=0.02)


def test_what_is_told_of_the_rest_waits_for_the_next_count(fake_gpus: FakeGpus) -> None:
    fake_gpus([FakeGpu(uuid="GPU-costly", energy_cost_s=COST_S)])
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        told: set[float] = set()
        until_s = time.monotonic() + 1.5
        while time.monotonic() < until_s:
            read_s = sampler.read_until_s()
            counted_s, _ = sampler.trace.counted(KEY)
            assert read_s <= counted_s
            told.add(read_s)
            time.sleep(0.02)
    # Its watts are read ten times a second.
    assert 1 <= len(told) <= 6


def test_a_mark_soon_after_another_is_told_to_its_end_as_well(fake_gpus: FakeGpus) -> None:
    fake_gpus([FakeGpu(uuid="GPU-costly", energy_cost_s=COST_S, energy_step_s=0.1)])
    with Sampler(hz=10, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        time.sleep(0.6)
        sampler.mark()
        time.sleep(0.15)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s)
        counted_s, _ = sampler.trace.counted(KEY)
    # Two refreshes after it tell when the one before was.
    assert counted_s >= end_s + 0.2
