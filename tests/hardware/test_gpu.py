"""The NVIDIA source against a real driver and a real load: `pytest tests/hardware -m gpu -n 0 -s`.

Prints what it finds: how far counter and integrated power lie apart, how often each is refreshed,
and by what step. Left out of the usual run, and skipped where there is no driver.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pynvml
import pytest

from monitor.power.asleep import nvidia_gpus
from monitor.power.channel import Kind, ProbeState
from monitor.power.gauge import Quantity
from monitor.power.nvml.fields import ENERGY, Fields
from monitor.power.sampler import Sampler
from monitor.power.sources.nvml import Nvml

from .gpu_load import CANNOT

T = TypeVar("T")

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(120)]

REPOSITORY = Path(__file__).resolve().parents[2]
IDLE_S, LOAD_S, POLLED_S = 4.0, 12.0, 1.5
SETTLED_S = 2.0
"""After so long a load has begun, and averaged watts show it."""


@pytest.fixture(autouse=True)
def _driver() -> Iterator[None]:
    if any(gpu.asleep for gpu in nvidia_gpus()):
        pytest.skip("the NVIDIA GPU is asleep, and a test is no reason to wake it")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        pytest.skip(f"no NVIDIA driver: {error}")
    yield
    pynvml.nvmlShutdown()


def load(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hardware.gpu_load", str(seconds)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    said, _ = process.communicate(timeout=60)
    if process.returncode == CANNOT:
        pytest.skip(f"no load can be made: {said.strip()}")
    assert process.returncode == 0
    print(f"\nload: {said.strip()}")


def test_counter_and_integrated_power_agree_under_a_load() -> None:
    with Sampler(hz=10, sources=[Nvml(check_s=5.0)]) as sampler:
        assert sampler.wait_ready(timeout_s=30.0)
        (probe,) = sampler.probes()
        assert probe.state is ProbeState.AVAILABLE, probe.reason
        print(f"\n{probe.reason}")
        idle_s = time.monotonic()
        time.sleep(IDLE_S)
        start_s = time.monotonic()
        process = load(LOAD_S)
        finish(process)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=5.0)
        (probe,) = sampler.probes()
        trace, channels = sampler.trace, sampler.channels()
        gauges = {g.quantity: g for g in sampler.gauges() if g.device == channels[0].device}
        told = {
            quantity: sampler.gauge_trace.summary(gauge.key, start_s + SETTLED_S, end_s)
            for quantity, gauge in gauges.items()
        }
    for channel in channels:
        window = trace.window(channel.key, start_s + SETTLED_S, end_s)
        idle = trace.window(channel.key, idle_s, start_s)
        curve = trace.curve(channel.key, start_s + SETTLED_S, end_s)
        between_w = (curve.power_w[1:] + curve.power_w[:-1]) / 2
        integrated_j = float(np.nansum(between_w * np.diff(curve.time_s)))
        assert window.joules is not None
        print(
            f"{channel.label} ({channel.kind}, {channel.role}): idle {idle.mean_w:.1f} W, "
            f"load {window.mean_w:.1f} W, {window.joules:.0f} J, watts integrated "
            f"{integrated_j:.0f} J ({integrated_j / window.joules - 1:+.1%}), {window.samples} "
            f"samples, coverage {window.coverage:.3f}"
        )
        assert window.coverage > 0.95
        if channel.kind is Kind.COUNTER:
            assert 0.5 < integrated_j / window.joules < 2.0
    # CUDA's first GPU may be another than NVML's: some of them worked.
    parts = [channel for channel in channels if channel.key.count(":") == 1]
    rises_w = [
        (trace.window(c.key, start_s + SETTLED_S, end_s).mean_w or 0.0)
        - (trace.window(c.key, idle_s, start_s).mean_w or 0.0)
        for c in parts
    ]
    assert max(rises_w) > 5.0
    for quantity, summary in told.items():
        print(f"{quantity}: {summary}")
    temperature = told.get(Quantity.TEMPERATURE)
    assert temperature is None or 0.0 < temperature.mean < 120.0
    print(f"afterwards: {probe.reason}")


def changes(read: Callable[[], float], seconds: float) -> list[tuple[float, float]]:
    """Time and value of each change of a figure that is asked for without a pause."""
    seen: list[tuple[float, float]] = []
    until_s = time.monotonic() + seconds
    while (now_s := time.monotonic()) < until_s:
        value = read()
        if not seen or value != seen[-1][1]:
            seen.append((now_s, value))
        time.sleep(0.0005)
    return seen[1:]


def test_refresh_period_and_step_are_no_longer_than_stated() -> None:
    count = pynvml.nvmlDeviceGetCount()
    process = load(SETTLED_S + 3 * POLLED_S * count)
    time.sleep(SETTLED_S)
    for index in range(count):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        readers: dict[str, Callable[[], float]] = {
            "counter, mJ": lambda h=handle: pynvml.nvmlDeviceGetTotalEnergyConsumption(h),
            "usage, mW": lambda h=handle: pynvml.nvmlDeviceGetPowerUsage(h),
            "instant, mW": lambda h=handle: (
                pynvml.nvmlDeviceGetFieldValues(h, [pynvml.NVML_FI_DEV_POWER_INSTANT])[
                    0
                ].value.uiVal
            ),
        }
        for name, read in readers.items():
            try:
                seen = changes(read, POLLED_S)
            except pynvml.NVMLError as error:
                print(f"\nGPU {index} {name}: {error}")
                continue
            if len(seen) < 3:
                print(f"\nGPU {index} {name}: changed {len(seen)} times in {POLLED_S:g} s")
                continue
            spacing_s = [after - before for (before, _), (after, _) in pairwise(seen)]
            steps = [abs(after - before) for (_, before), (_, after) in pairwise(seen)]
            print(
                f"\nGPU {index} {name}: refreshed every {median(spacing_s) * 1e3:.1f} ms "
                f"({min(spacing_s) * 1e3:.1f} to {max(spacing_s) * 1e3:.1f}), least step "
                f"{min(steps):.0f}"
            )
            if name.startswith("counter"):
                assert median(spacing_s) < 0.15
                assert min(steps) >= 1
    finish(process)


def timed(taken_us: list[float], ask: Callable[[Any], T], handle: Any) -> T:
    began_s = time.monotonic()
    told = ask(handle)
    taken_us.append(1e6 * (time.monotonic() - began_s))
    return told


def test_the_counter_is_the_same_by_field_and_by_call() -> None:
    """What the source relies on where the driver tells both; and what each way costs."""
    energy = pynvml.nvmlDeviceGetTotalEnergyConsumption
    instant = (pynvml.NVML_FI_DEV_POWER_INSTANT, pynvml.NVML_POWER_SCOPE_GPU)
    watts, both = Fields([instant]), Fields([instant, ENERGY])
    for index in range(pynvml.nvmlDeviceGetCount()):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        call_us, both_us, watts_us = [], [], []
        for _ in range(200):
            before_j = timed(call_us, energy, handle) / 1e3
            told = timed(both_us, both.ask, handle)
            after_j = timed(call_us, energy, handle) / 1e3
            timed(watts_us, watts.ask, handle)
            assert before_j <= told.get(ENERGY, before_j) <= after_j
            time.sleep(0.01)
        print(
            f"\nGPU {index}: energy is {'' if ENERGY in told else 'not '}a field; energy by call "
            f"{median(call_us):.0f} us, watts by field {median(watts_us):.0f} us, both by field "
            f"{median(both_us):.0f} us, at most {max(both_us):.0f} us"
        )
