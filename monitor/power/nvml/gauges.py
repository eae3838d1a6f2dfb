"""The gauges of one NVIDIA GPU: load, temperature, clock, memory, and what holds the clock down.

See the NVML API reference, nvmlDeviceQueries and nvmlClocksEventReasons.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pynvml

from monitor.power.channel import Domain
from monitor.power.gauge import Gauge, GaugeReading, Quantity

HW_SLOWDOWN = pynvml.nvmlClocksThrottleReasonHwSlowdown

THROTTLED_BY = {
    pynvml.nvmlClocksThrottleReasonSwPowerCap: "power cap",
    pynvml.nvmlClocksThrottleReasonSwThermalSlowdown: "temperature",
    pynvml.nvmlClocksThrottleReasonHwThermalSlowdown: "temperature (emergency slowdown)",
    pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown: "power brake of the supply",
    pynvml.nvmlClocksThrottleReasonSyncBoost: "kept at the pace of other GPUs (sync boost)",
    HW_SLOWDOWN: "hardware slowdown",
}
"""Of the reasons NVML knows, those that hold a GPU back against its will. Idle clocks, and clocks
that a person has set for applications or a display, are not among them."""

HW_CAUSES = (
    pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    | pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
)
"""Each of these is a hardware slowdown as well, which then says nothing more."""


def _utilisation(handle: Any) -> tuple[float, str]:
    return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu), ""


def _temperature(handle: Any) -> tuple[float, str]:
    celsius = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    return float(celsius), ""


def _clock(handle: Any) -> tuple[float, str]:
    return float(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)), ""


def _memory(handle: Any) -> tuple[float, str]:
    return float(pynvml.nvmlDeviceGetMemoryInfo(handle).used), ""


def _throttle(handle: Any) -> tuple[float, str]:
    words = throttled_by(_event_reasons(handle))
    return float(bool(words)), words


def _event_reasons(handle: Any) -> int:
    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except pynvml.NVMLError as error:
        # Before driver 535 the call had its other name only.
        if error.value != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
            raise
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def throttled_by(reasons: int) -> str:
    """Say in words what holds a GPU back; empty if nothing does.

    :param reasons: NVML's bits of clock event reasons
    """
    if reasons & HW_CAUSES:
        reasons &= ~HW_SLOWDOWN
    return ", ".join(words for bit, words in THROTTLED_BY.items() if reasons & bit)


READERS: dict[Quantity, tuple[str, Callable[[Any], tuple[float, str]]]] = {
    Quantity.UTILISATION: ("load", _utilisation),
    Quantity.TEMPERATURE: ("temperature", _temperature),
    Quantity.CLOCK: ("clock", _clock),
    Quantity.MEMORY: ("memory in use", _memory),
    Quantity.THROTTLE: ("throttled", _throttle),
}


def gauges_of(handle: Any, name: str, uuid: str) -> tuple[Gauge, ...]:
    """Return a gauge for each quantity a GPU tells.

    :param name: what the GPU is called in labels, ``GPU 0``
    """
    return tuple(
        Gauge(
            key=f"nvml:{uuid}:{quantity}",
            label=f"{name} {words}",
            quantity=quantity,
            domain=Domain.GPU,
            device=uuid,
            capacity=_capacity(handle, quantity),
        )
        for quantity, (words, read) in READERS.items()
        if _tells(handle, read)
    )


def read_gauges(handle: Any, gauges: tuple[Gauge, ...]) -> list[GaugeReading]:
    """Read a GPU's gauges now; one that does not answer is left out."""
    readings = []
    for gauge in gauges:
        _, read = READERS[gauge.quantity]
        with suppress(pynvml.NVMLError):
            value, note = read(handle)
            readings.append(GaugeReading(gauge.key, time.monotonic(), value, note))
    return readings


def _tells(handle: Any, read: Callable[[Any], tuple[float, str]]) -> bool:
    try:
        read(handle)
    except pynvml.NVMLError:
        return False
    return True


def _capacity(handle: Any, quantity: Quantity) -> float | None:
    if quantity is Quantity.UTILISATION:
        return 100.0
    if quantity is Quantity.MEMORY:
        return float(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    return None
