"""A fake NVML: builds a `libnvidia-ml.so.1` that pynvml loads, and scripts its GPUs.

Times are seconds since the curves' start, which is `epoch_s` of `time.monotonic()`. Power is in
watts, energy in joules unless a name says millijoules (`*_mj`).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .curve import PowerCurve

_SONAME = "libnvidia-ml.so.1"
_FOLDER = Path(__file__).parent
_SOURCES = (_FOLDER / "fake_nvml.c", _FOLDER / "fake_nvml_gpu.c", _FOLDER / "fake_nvml_gpu.h")
_SCRIPT_VARIABLE = "FAKE_NVML_SCRIPT"
_IDLE = PowerCurve.constant(20.0)
# Limits of the C arrays.
_MAX_GPUS = 16
_MAX_STEPS = 12288


@dataclass(frozen=True)
class FakeGpu:
    """One GPU; by default an idle RTX 4090 that supports everything.

    Attributes:
        name: Marketing name.
        uuid: NVML's identifier; give each GPU its own.
        pci_bus_id: NVML's form of the address, with eight digits of domain.
        curve: The true power.
        has_energy: Whether the energy counter is supported.
        has_power: Whether the (averaged) power is supported.
        has_instant: Whether NVML_FI_DEV_POWER_INSTANT is supported.
        zero_instant: That field of the GPU answers, but with nothing (0 W).
        memory_w: Average power of the memory scope; None: the scope is not supported.
        module_extra_w: What the module draws beyond the GPU; None: the scope is not supported.
        has_fields: Whether the driver can be asked for fields.
        fields_until_s: From this time on it passes over them, though the call succeeds.
        one_scope: The driver looks at no scope: each of them answers as the GPU does.
        average_s: `nvmlDeviceGetPowerUsage` is the mean of this long before now; 0: no mean.
        power_step_s: Instantaneous power is that of the last multiple of this; 0: of the moment.
        energy_step_s: The energy counter moves only at multiples of this; 0: at all times.
        energy_cost_s: Each time it is asked for, a processor is busy for so long.
        energy_scale: The energy counter advances by this times the true energy.
        energy_field_scale: That field tells so many times what the counter does; 0: it is none.
        frozen_from_s: From this time on the energy counter stands still.
        limit_w: Enforced power limit.
        memory_total_bytes: Size of the GPU's memory.
        memory_used_bytes: Used part of it.
        lost_from_s: From this time on every call for the GPU says that it is lost.
        lost_until_s: The end of that, if it ends.
        lost_until_init: It ends only with the first `nvmlInit` after that, NVML being unused.
        lost_by_field: A call for several fields says so of each of them, and succeeds.
        lost_error: The NVML_ERROR_* number such a call returns.
        energy_start_mj: The energy counter at time 0.
        architecture: A NVML_DEVICE_ARCH_* number.
        compute_capability: Major and minor CUDA version.
        temperature_c: Temperature in degrees Celsius.
        utilization_percent: Busy share of the GPU.
        sm_clock_mhz: Clock of the multiprocessors.
        event_reasons: The nvmlClocksEventReason* bits that hold the clock down.
        has_event_reasons: Whether the driver knows these reasons by their present name.
        has_gauges: Whether load, temperature, clock, memory and reasons are supported.
        mig_mode: 0 or 1 where the GPU can be divided by MIG; None where it cannot.
    """

    name: str = "NVIDIA GeForce RTX 4090"
    uuid: str = "GPU-6f1b2c3d-0000-4000-8000-000000000001"
    pci_bus_id: str = "00000000:01:00.0"
    curve: PowerCurve = _IDLE
    has_energy: bool = True
    has_power: bool = True
    has_instant: bool = True
    zero_instant: bool = False
    memory_w: float | None = None
    module_extra_w: float | None = None
    has_fields: bool = True
    fields_until_s: float | None = None
    one_scope: bool = False
    average_s: float = 0.0
    power_step_s: float = 0.0
    energy_step_s: float = 0.02
    energy_cost_s: float = 0.0
    energy_scale: float = 1.0
    energy_field_scale: float = 1.0
    frozen_from_s: float | None = None
    limit_w: float = 450.0
    memory_total_bytes: int = 24 * 1024**3
    memory_used_bytes: int = 1024**3
    lost_from_s: float | None = None
    lost_until_s: float | None = None
    lost_until_init: bool = False
    lost_by_field: bool = False
    lost_error: int = 15
    energy_start_mj: int = 0
    architecture: int = 8
    compute_capability: tuple[int, int] = (8, 9)
    temperature_c: int = 40
    utilization_percent: int = 0
    sm_clock_mhz: int = 2520
    event_reasons: int = 0
    has_event_reasons: bool = True
    has_gauges: bool = True
    mig_mode: int | None = None


def find_compiler() -> str | None:
    """Return the system's C compiler, or None."""
    return shutil.which("cc")


def build_library(folder: Path) -> Path:
    """Compile the library into `folder`, unless one newer than its sources is there.

    Raises:
        RuntimeError: There is no C compiler.
        subprocess.CalledProcessError: Compiling failed.
    """
    library = folder / _SONAME
    newest_s = max(source.stat().st_mtime for source in _SOURCES)
    if library.exists() and library.stat().st_mtime >= newest_s:
        return library
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("no C compiler (cc) to build the fake NVML with")
    folder.mkdir(parents=True, exist_ok=True)
    # Another test process may be loading the library at this moment.
    fresh = folder / f"{_SONAME}.{os.getpid()}"
    flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"]
    sources = [str(source) for source in _SOURCES if source.suffix == ".c"]
    command = [compiler, *flags, f"-Wl,-soname,{_SONAME}", "-o", str(fresh), *sources, "-lm"]
    subprocess.run(command, check=True)
    return fresh.replace(library)


def write_script(path: Path, gpus: Sequence[FakeGpu], epoch_s: float, init_error: int = 0) -> None:
    """Write what the library is to do from its next `nvmlInit` on.

    Args:
        path: The script file; its folder must exist.
        gpus: The GPUs in NVML's order; none is a machine with a driver but no GPU.
        epoch_s: The monotonic time at which the curves are at 0.
        init_error: If not 0, the NVML_ERROR_* number that `nvmlInit` fails with.
    """
    if len(gpus) > _MAX_GPUS or any(len(gpu.curve.steps) > _MAX_STEPS for gpu in gpus):
        raise ValueError(f"at most {_MAX_GPUS} GPUs of {_MAX_STEPS} steps each")
    lines = [f"epoch_ns {_nano(epoch_s)}", f"init_error {init_error}"]
    for gpu in gpus:
        lines += _describe(gpu)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fresh.replace(path)


def environment(folder: Path, script: Path) -> dict[str, str]:
    """Return the variables that make a subprocess use the library in `folder` and `script`."""
    others = os.environ.get("LD_LIBRARY_PATH")
    path = f"{folder}{os.pathsep}{others}" if others else str(folder)
    return {"LD_LIBRARY_PATH": path, _SCRIPT_VARIABLE: str(script)}


def load_in_process(library: Path, script: Path) -> None:
    """Make pynvml in this process use `library` and `script` from its next `nvmlInit` on.

    pynvml's own CDLL("libnvidia-ml.so.1") then finds the loaded library by its soname. This
    cannot be undone, and comes too late if pynvml has already loaded a real NVML.
    """
    os.environ[_SCRIPT_VARIABLE] = str(script)
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def init_calls() -> int:
    """Return how often this process has asked the library to initialise, in vain or not."""
    return int(ctypes.CDLL(_SONAME).fakeInits())


def handles_given(index: int) -> int:
    """Return how often a GPU's handle was asked for since the library was initialised last."""
    return int(ctypes.CDLL(_SONAME).fakeHandlesGiven(index))


def _nano(value: float) -> int:
    return round(value * 1e9)


def _describe(gpu: FakeGpu) -> list[str]:
    """Return a GPU's lines of the script; fake_nvml.c says why they hold integers only."""
    lines = [
        "gpu",
        f"name {gpu.name}",
        f"uuid {gpu.uuid}",
        f"pci_bus_id {gpu.pci_bus_id}",
        f"has_energy {gpu.has_energy:d}",
        f"has_power {gpu.has_power:d}",
        f"has_instant {gpu.has_instant:d}",
        f"average_ns {_nano(gpu.average_s)}",
        f"power_step_ns {_nano(gpu.power_step_s)}",
        f"energy_step_ns {_nano(gpu.energy_step_s)}",
        f"limit_mw {round(gpu.limit_w * 1e3)}",
        f"energy_start_mj {gpu.energy_start_mj}",
        f"memory_total_bytes {gpu.memory_total_bytes}",
        f"memory_used_bytes {gpu.memory_used_bytes}",
        f"architecture {gpu.architecture}",
        f"compute_major {gpu.compute_capability[0]}",
        f"compute_minor {gpu.compute_capability[1]}",
        f"temperature_c {gpu.temperature_c}",
        f"utilization_percent {gpu.utilization_percent}",
        f"zero_instant {gpu.zero_instant:d}",
        f"has_fields {gpu.has_fields:d}",
        f"one_scope {gpu.one_scope:d}",
        f"energy_cost_ns {_nano(gpu.energy_cost_s)}",
        f"energy_scale_e9 {_nano(gpu.energy_scale)}",
        f"energy_field_scale_e9 {_nano(gpu.energy_field_scale)}",
        f"lost_until_init {gpu.lost_until_init:d}",
        f"lost_by_field {gpu.lost_by_field:d}",
        f"lost_error {gpu.lost_error}",
        f"sm_clock_mhz {gpu.sm_clock_mhz}",
        f"event_reasons {gpu.event_reasons}",
        f"has_event_reasons {gpu.has_event_reasons:d}",
        f"has_gauges {gpu.has_gauges:d}",
    ]
    times_s = {
        "fields_until_ns": gpu.fields_until_s,
        "frozen_from_ns": gpu.frozen_from_s,
        "lost_from_ns": gpu.lost_from_s,
        "lost_until_ns": gpu.lost_until_s,
    }
    lines += [f"{key} {_nano(at_s)}" for key, at_s in times_s.items() if at_s is not None]
    watts = {"memory_mw": gpu.memory_w, "module_extra_mw": gpu.module_extra_w}
    lines += [f"{key} {round(power_w * 1e3)}" for key, power_w in watts.items() if power_w]
    if gpu.mig_mode is not None:
        lines.append(f"mig_mode {gpu.mig_mode}")
    lines += [f"step {_nano(at_s)} {round(power_w * 1e6)}" for at_s, power_w in gpu.curve.steps]
    return lines
