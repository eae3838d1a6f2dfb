"""Handles of the GPUs that are awake: NVML wakes a GPU as its handle is asked for.

See the NVML API reference, nvmlInit_v2. Where every GPU sleeps, not even the library is to be
opened (:mod:`monitor.power.asleep`).
"""

from collections.abc import Sequence, Set
from contextlib import suppress
from typing import Any

import pynvml

from monitor.power.asleep import BusGpu, nvidia_gpus


def none_to_ask(on_bus: Sequence[BusGpu]) -> bool:
    """Whether every GPU of the bus sleeps; where the bus shows none, NVML may still know some."""
    return bool(on_bus) and all(gpu.asleep for gpu in on_bus)


def awake_handles(asleep: Set[str]) -> list[tuple[int, Any]]:
    """Return number and handle of each GPU that is awake, or the error in the handle's place.

    :param asleep: the addresses of those that slept when NVML was started
    :raises pynvml.NVMLError: if NVML tells no number of GPUs
    """
    if not asleep:
        return [(index, _handle(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    handles = []
    for gpu in nvidia_gpus():
        if gpu.address in asleep:
            continue
        # One that another driver has, or that a container hides, is no error.
        with suppress(pynvml.NVMLError):
            handle = pynvml.nvmlDeviceGetHandleByPciBusId(gpu.address)
            handles.append((int(pynvml.nvmlDeviceGetIndex(handle)), handle))
    return handles


def _handle(index: int) -> Any:
    """Return the handle of a GPU, or why there is none."""
    try:
        return pynvml.nvmlDeviceGetHandleByIndex(index)
    except pynvml.NVMLError as error:
        return error
