"""Tests of the fake NVML, always with the real pynvml in a subprocess."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from .curve import PowerCurve
from .nvml import FakeGpu, build_library, environment, find_compiler, write_script

_REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux"),
    pytest.mark.skipif(find_compiler() is None, reason="no C compiler (cc)"),
]

Observe = Callable[..., Any]

_PRELUDE = """
import json, sys, time
import pynvml as nvml
def handle(index=0):
    return nvml.nvmlDeviceGetHandleByIndex(index)
def field(gpu, field_id):
    (value,) = nvml.nvmlDeviceGetFieldValues(gpu, [field_id])
    return value.nvmlReturn, value.valueType, value.value.uiVal
def error(call, *arguments):
    try:
        call(*arguments)
    except nvml.NVMLError as problem:
        return type(problem).__name__
    return None
"""


@pytest.fixture(name="observe")
def _observe(tmp_path_factory: pytest.TempPathFactory) -> Observe:
    """Run code with the real pynvml on the fake library; it prints JSON, which is returned."""
    folder = tmp_path_factory.getbasetemp() / "nvml"
    library = build_library(folder)
    script = folder / "script.txt"

    def run(code: str, gpus: Sequence[FakeGpu], epoch_s: float = 0.0, init_error: int = 0) -> Any:
        write_script(script, gpus, epoch_s, init_error)
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE + code, str(library), str(script)],
            cwd=_REPOSITORY,
            env=os.environ | environment(folder, script),
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    return run


def test_gpu_describes_itself(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
memory_v2 = nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2)
pci = nvml.nvmlDeviceGetPciInfo(gpu)
print(json.dumps([
    nvml.nvmlDeviceGetCount(), nvml.nvmlSystemGetDriverVersion()[:4],
    nvml.nvmlDeviceGetName(gpu), nvml.nvmlDeviceGetUUID(gpu), pci.busId, pci.busIdLegacy, pci.bus,
    nvml.nvmlDeviceGetEnforcedPowerLimit(gpu), memory.total - memory.used - memory.free,
    memory_v2.total, nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    nvml.nvmlDeviceGetTemperature(gpu, 0), nvml.nvmlDeviceGetTemperatureV(gpu, 0),
    nvml.nvmlDeviceGetArchitecture(gpu), nvml.nvmlDeviceGetCudaComputeCapability(gpu),
    error(nvml.nvmlDeviceGetMigMode, gpu), nvml.nvmlShutdown(), error(nvml.nvmlDeviceGetCount),
]))
"""
    gpu = FakeGpu(pci_bus_id="00000000:41:00.0", utilization_percent=30)
    assert observe(code, [gpu, FakeGpu()]) == [
        *[2, "580.", gpu.name, gpu.uuid, "00000000:41:00.0", "0000:41:00.0", 0x41],
        *[450_000, 0, gpu.memory_total_bytes, 30, 40, 40, 8, [8, 9]],
        *["NVMLError_NotSupported", None, "NVMLError_Uninitialized"],
    ]


def test_energy_advances_in_steps(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
readings = []
for _ in range(20):
    before_s = time.monotonic()
    energy_mj = nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    readings.append([before_s, energy_mj, time.monotonic()])
    time.sleep(0.01)
print(json.dumps([readings, nvml.nvmlDeviceGetPowerUsage(gpu)]))
"""
    gpu = FakeGpu(curve=PowerCurve.constant(300.0), energy_step_s=0.05, energy_start_mj=4_000)
    epoch_s = time.monotonic() - 100.0
    readings, power_mw = observe(code, [gpu], epoch_s)

    def steps(now_s: float) -> int:
        return math.floor((now_s - epoch_s) / gpu.energy_step_s)

    for before_s, energy_mj, after_s in readings:
        seen = (energy_mj - gpu.energy_start_mj) / 15_000  # 300 W for 0.05 s
        assert steps(before_s) <= round(seen) <= steps(after_s)
        assert seen == pytest.approx(round(seen), abs=1e-3)
    assert len({energy_mj for _, energy_mj, _ in readings}) >= 3
    assert power_mw == 300_000


def test_watts_are_those_of_their_last_refresh(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
print(json.dumps([nvml.nvmlDeviceGetPowerUsage(gpu), field(gpu, 186)]))
"""
    gpu = FakeGpu(curve=PowerCurve(((0.0, 50.0), (1000.0, 250.0))), power_step_s=900.0)
    assert observe(code, [gpu], time.monotonic() - 1010.0) == [50_000, [0, 1, 50_000]]


def test_average_lags_behind_instant(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
average_mw = nvml.nvmlDeviceGetPowerUsage(gpu)
print(json.dumps([average_mw, field(gpu, 185), field(gpu, 186)]))
"""
    gpu = FakeGpu(curve=PowerCurve(((0.0, 50.0), (1000.0, 250.0))), average_s=100.0)
    average_mw, average, instant = observe(code, [gpu], time.monotonic() - 1010.0)
    assert instant == [0, 1, 250_000]
    # A tenth of the mean's window at 250 W, and up to 30 s for the subprocess to start.
    assert 70_000 <= average_mw <= 130_000
    assert average[:2] == [0, 1]
    assert average[2] == pytest.approx(average_mw, abs=1_000)


def test_unsupported_sensors(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
print(json.dumps([
    error(nvml.nvmlDeviceGetTotalEnergyConsumption, gpu), error(nvml.nvmlDeviceGetPowerUsage, gpu),
    field(gpu, nvml.NVML_FI_DEV_POWER_INSTANT)[0], field(gpu, nvml.NVML_FI_DEV_POWER_AVERAGE)[0],
    field(gpu, (nvml.NVML_FI_DEV_POWER_AVERAGE, 1))[0],
]))
"""
    gpu = FakeGpu(has_energy=False, has_power=False, has_instant=False)
    assert observe(code, [gpu]) == ["NVMLError_NotSupported"] * 2 + [3, 3, 3]


def test_scopes_are_told_apart(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
def scopes(gpu):
    return [field(gpu, (number, scope)) for scope in (1, 2) for number in (185, 186)]
gpu, old, zero = handle(0), handle(1), handle(2)
print(json.dumps([scopes(gpu), scopes(old), field(zero, 186), field(zero, 185)]))
"""
    gpu = FakeGpu(curve=PowerCurve.constant(300.0), memory_w=60.0, module_extra_w=150.0)
    old = FakeGpu(curve=PowerCurve.constant(300.0), one_scope=True)
    told = observe(code, [gpu, old, FakeGpu(zero_instant=True)])
    assert told == [
        [[0, 1, 450_000], [0, 1, 450_000], [0, 1, 60_000], [3, 1, 0]],
        [[0, 1, 300_000]] * 4,
        *[[0, 1, 0], [0, 1, 20_000]],
    ]


def test_a_driver_without_fields(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu = handle()
print(json.dumps([error(field, gpu, 186), nvml.nvmlDeviceGetPowerUsage(gpu)]))
"""
    told = observe(code, [FakeGpu(has_fields=False)])
    assert told == ["NVMLError_FunctionNotFound", 20_000]


def test_a_gpu_is_found_by_its_address_and_counted(observe: Observe) -> None:
    code = """
from tests.hardware.nvml import handles_given, init_calls
nvml.nvmlInit()
gpu = nvml.nvmlDeviceGetHandleByPciBusId("0000:41:00.0")
missing = error(nvml.nvmlDeviceGetHandleByPciBusId, "0000:42:00.0")
print(json.dumps([nvml.nvmlDeviceGetIndex(gpu), missing, init_calls(),
    handles_given(0), handles_given(1)]))
"""
    told = observe(code, [FakeGpu(), FakeGpu(pci_bus_id="00000000:41:00.0")])
    assert told == [1, "NVMLError_NotFound", 1, 0, 1]


def test_a_counter_that_is_slow_and_then_stops(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
slow, stopped = handle(0), handle(1)
print(json.dumps([nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) for gpu in (slow, stopped)]))
"""
    curve = PowerCurve.constant(100.0)
    gpus = [FakeGpu(curve=curve, energy_scale=0.5), FakeGpu(curve=curve, frozen_from_s=10.0)]
    slow_mj, stopped_mj = observe(code, gpus, time.monotonic() - 1000.0)
    assert slow_mj == pytest.approx(50_000_000, rel=0.05)
    assert stopped_mj == pytest.approx(1_000_000, rel=0.01)


def test_what_explains_the_power(observe: Observe) -> None:
    code = """
nvml.nvmlInit()
gpu, old, bare = handle(0), handle(1), handle(2)
print(json.dumps([
    nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu), nvml.nvmlDeviceGetMigMode(gpu),
    error(nvml.nvmlDeviceGetCurrentClocksEventReasons, old),
    nvml.nvmlDeviceGetCurrentClocksThrottleReasons(old),
    error(nvml.nvmlDeviceGetUtilizationRates, bare), error(nvml.nvmlDeviceGetMemoryInfo, bare),
]))
"""
    gpu = FakeGpu(sm_clock_mhz=1410, event_reasons=0x24, mig_mode=1)
    old = FakeGpu(event_reasons=0x4, has_event_reasons=False)
    assert observe(code, [gpu, old, FakeGpu(has_gauges=False)]) == [
        *[1410, 0x24, [1, 1], "NVMLError_FunctionNotFound", 0x4],
        *["NVMLError_NotSupported"] * 2,
    ]


def test_a_gpu_that_needs_a_fresh_init_is_lost_until_then(observe: Observe) -> None:
    code = """
from pathlib import Path
from tests.hardware.nvml import FakeGpu, write_script
epoch_s = time.monotonic()
back = FakeGpu(lost_from_s=0.5, lost_until_s=0.6, lost_until_init=True, lost_error=1)
write_script(Path(sys.argv[2]), [back], epoch_s)
nvml.nvmlInit()
gpu = handle()
seen = [error(nvml.nvmlDeviceGetPowerUsage, gpu)]
time.sleep(0.65)
seen.append(error(nvml.nvmlDeviceGetPowerUsage, gpu))
nvml.nvmlInit()
seen.append(error(nvml.nvmlDeviceGetPowerUsage, gpu))
nvml.nvmlShutdown()
nvml.nvmlShutdown()
nvml.nvmlInit()
print(json.dumps([*seen, error(nvml.nvmlDeviceGetPowerUsage, handle()),
    error(nvml.nvmlDeviceGetPowerUsage, gpu)]))
"""
    lost, stale = "NVMLError_Uninitialized", "NVMLError_InvalidArgument"
    assert observe(code, []) == [None, lost, lost, None, stale]


def test_fields_may_each_say_that_a_gpu_is_lost(observe: Observe) -> None:
    code = """
from pathlib import Path
from tests.hardware.nvml import FakeGpu, write_script
lost = FakeGpu(lost_from_s=0.5, lost_by_field=True)
write_script(Path(sys.argv[2]), [lost], time.monotonic())
nvml.nvmlInit()
gpu = handle()
time.sleep(0.52)
print(json.dumps([field(gpu, 186)[0], error(nvml.nvmlDeviceGetPowerUsage, gpu)]))
"""
    assert observe(code, []) == [15, "NVMLError_GpuIsLost"]


def test_lost_gpu_comes_back_in_process(observe: Observe) -> None:
    code = """
from pathlib import Path
from tests.hardware.nvml import FakeGpu, load_in_process, write_script
library, script = map(Path, sys.argv[1:])
load_in_process(library, script)
write_script(script, [FakeGpu(lost_from_s=0.5, lost_until_s=0.8), FakeGpu()], time.monotonic())
nvml.nvmlInit()
gpu, other = handle(0), handle(1)
seen = []
while len(seen) < 3:
    problem = error(nvml.nvmlDeviceGetPowerUsage, gpu)
    if not seen or seen[-1] != problem:
        seen.append(problem)
        if problem:
            calls = [error(handle, 0), error(field, gpu, 186), error(field, other, 186)]
    time.sleep(0.01)
write_script(script, [], time.monotonic())
nvml.nvmlInit()
print(json.dumps([seen, calls, nvml.nvmlDeviceGetCount()]))
"""
    lost = "NVMLError_GpuIsLost"
    assert observe(code, []) == [[None, lost, None], [lost, lost, None], 0]


@pytest.mark.parametrize(
    ("init_error", "name"), [(9, "NVMLError_DriverNotLoaded"), (4, "NVMLError_NoPermission")]
)
def test_init_error(observe: Observe, init_error: int, name: str) -> None:
    code = "print(json.dumps([error(nvml.nvmlInit), error(nvml.nvmlDeviceGetCount)]))"
    assert observe(code, [], init_error=init_error) == [name, "NVMLError_Uninitialized"]
