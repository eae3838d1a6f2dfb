"""Fields of one GPU, asked for in one call: watts of a scope, and the energy counter.

See the NVML API reference, nvmlFieldValueQueries and nvmlFieldValueEnums. Fields that the driver
finds out by one call of its own cost one (nvmlDeviceGetFieldValues).
"""

import ctypes
import struct
from collections.abc import Sequence
from typing import Any

import pynvml

Field = tuple[int, int]
"""A field, and the scope it is asked for."""

ENERGY: Field = (pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, pynvml.NVML_POWER_SCOPE_GPU)
"""What nvmlDeviceGetTotalEnergyConsumption tells: energy since the driver was loaded."""

GONE = (
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_RESET_REQUIRED,
    pynvml.NVML_ERROR_GPU_NOT_FOUND,
    pynvml.NVML_ERROR_UNKNOWN,
)
"""Errors after which a handle answers no more, and only a fresh start of NVML brings it back."""


VALUE = struct.Struct("IIqqIIQ")
"""nvmlFieldValue_t: field, scope, time, latency, type of the value, error, and the value itself, of
which 32 or 64 bits are used."""


class Fields:
    """Some fields of a GPU, in the order in which they are asked for.

    Asked and told in one piece of memory: ``pynvml.nvmlDeviceGetFieldValues`` makes an object of
    each value at each call, which costs more than the call.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        # The driver may pass over a field: then this is what is left of it.
        untold = pynvml.NVML_ERROR_NO_DATA
        self._question = b"".join(VALUE.pack(*field, 0, 0, 0, untold, 0) for field in fields)
        self._memory = ctypes.create_string_buffer(len(self._question))

    def ask(self, handle: Any) -> dict[Field, float]:
        """Return watts and joules; what is not told is left out.

        A GPU that answers draws something: drivers say 0 where they know nothing.

        :param handle: NVML's, of a GPU
        :raises pynvml.NVMLError: if the call fails, or a field because the GPU is gone
        """
        if not self._fields:
            return {}
        try:
            call = pynvml.nvmlLib.nvmlDeviceGetFieldValues
        except AttributeError:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND) from None
        self._memory.raw = self._question
        if error := call(handle, len(self._fields), self._memory):
            raise pynvml.NVMLError(error)
        told = {}
        for number, scope, _, _, kind, error, amount in VALUE.iter_unpack(self._memory):
            if error in GONE:
                raise pynvml.NVMLError(error)
            if kind != pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
                amount &= 0xFFFFFFFF
            if amount and not error:
                told[number, scope] = amount / 1e3  # from mW and mJ
        return told
