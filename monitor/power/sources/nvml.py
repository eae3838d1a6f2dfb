"""NVIDIA GPUs through NVML (``nvidia-ml-py``).

A card of the Volta generation or later counts its energy (millijoules since the driver was
loaded); older ones only give watts, which are integrated. For the curve the instantaneous power
field is used where it answers, since ``nvmlDeviceGetPowerUsage`` is a one-second average on
Ampere and later. Every call may fail on its own and is then a missing reading. See the NVML API
reference, nvmlDeviceQueries and nvmlFieldValueEnums. Built and tested against a compiled fake
library (tests/hardware), not yet against a real driver.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

import pynvml

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role

PERIOD_S = 0.1
"""Power and energy are refreshed every 20 to 100 ms, by card (arXiv 2312.02741, table 2)."""

STEP_J = 0.001
"""The energy counter is in whole millijoules."""

SAMPLED_QUARTER = ("A100", "A800", "H100", "H800", "H200", "GH200")
"""Cards whose power sensor looks at a quarter of the time (arXiv 2312.02741, section 4.3).

The study covers A100 and H100; the others carry the same chips.
"""


@dataclass(frozen=True, slots=True)
class _Gpu:
    handle: Any
    channel: Channel
    has_instant: bool


class Nvml:
    """The ``nvml`` source: one part channel a GPU."""

    name = "nvml"

    def __init__(self) -> None:
        self._gpus: tuple[_Gpu, ...] = ()
        self._started = False

    def probe(self) -> Probe:
        """Load NVML and look for GPUs that tell their power."""
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            return self._cannot_start(error)
        self._started = True
        count = pynvml.nvmlDeviceGetCount()
        if not count:
            return Probe(
                self.name, ProbeState.ABSENT, "The NVIDIA driver is loaded but shows no GPU."
            )
        self._gpus = tuple(gpu for gpu in map(_open_gpu, range(count)) if gpu)
        if not self._gpus:
            return Probe(
                self.name, ProbeState.ABSENT, f"None of {count} NVIDIA GPUs tells its power."
            )
        labels = ", ".join(gpu.channel.label for gpu in self._gpus)
        return Probe(self.name, ProbeState.AVAILABLE, f"Reading {labels}.")

    def _cannot_start(self, error: pynvml.NVMLError) -> Probe:
        if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return Probe(self.name, ProbeState.ABSENT, "No NVIDIA driver is installed.")
        if error.value == pynvml.NVML_ERROR_NO_PERMISSION:
            return Probe(
                self.name,
                ProbeState.DENIED,
                "The NVIDIA driver refuses this user.",
                "Give this user access to /dev/nvidiactl and /dev/nvidia0, usually by adding "
                "it to the group that owns them: ls -l /dev/nvidia*",
            )
        return Probe(self.name, ProbeState.ABSENT, f"The NVIDIA driver does not start: {error}.")

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each GPU found by :meth:`probe`."""
        return tuple(gpu.channel for gpu in self._gpus)

    def read(self) -> list[Reading]:
        """Read every GPU: joules where it counts them, watts where it tells them."""
        readings, error = [], None
        for gpu in self._gpus:
            try:
                readings.append(_read_gpu(gpu))
            except pynvml.NVMLError as failed:
                error = failed
        if not readings and error:
            raise OSError(str(error))
        return readings

    def close(self) -> None:
        """Shut NVML down."""
        if self._started:
            self._started = False
            pynvml.nvmlShutdown()


def _open_gpu(index: int) -> _Gpu | None:
    """Find out what one GPU tells; ``None`` if neither energy nor power, or it is lost."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid = str(pynvml.nvmlDeviceGetUUID(handle))
        model = str(pynvml.nvmlDeviceGetName(handle))
    except pynvml.NVMLError:
        return None
    counts_energy = _energy_j(handle) is not None
    has_instant = _instant_w(handle) is not None
    if not counts_energy and not has_instant and _average_w(handle) is None:
        return None
    quarter = re.search(rf"\b({'|'.join(SAMPLED_QUARTER)})\b", model) is not None
    channel = Channel(
        key=f"nvml:{uuid}",
        label=f"GPU {index} {model.removeprefix('NVIDIA ')}",
        domain=Domain.GPU,
        device=uuid,
        kind=Kind.COUNTER if counts_energy else Kind.POWER,
        role=Role.PART,
        period_s=PERIOD_S,
        step_j=STEP_J if counts_energy else 0.0,
        accuracy=accuracy_of("nvml.sampled_quarter" if quarter else "nvml"),
    )
    return _Gpu(handle, channel, has_instant)


def _read_gpu(gpu: _Gpu) -> Reading:
    power_w = _instant_w(gpu.handle) if gpu.has_instant else _average_w(gpu.handle)
    energy_j = None
    if gpu.channel.kind is Kind.COUNTER:
        energy_j = pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle) / 1e3
    elif power_w is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_DATA)
    return Reading(gpu.channel.key, time.monotonic(), counter_j=energy_j, power_w=power_w)


def _energy_j(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except pynvml.NVMLError:
        return None


def _average_w(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetPowerUsage(handle)) / 1e3
    except pynvml.NVMLError:
        return None


def _instant_w(handle: Any) -> float | None:
    try:
        (field,) = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_POWER_INSTANT])
    except pynvml.NVMLError:
        return None
    if field.nvmlReturn != pynvml.NVML_SUCCESS or not field.value.uiVal:
        return None
    return float(field.value.uiVal) / 1e3
