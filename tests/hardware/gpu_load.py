"""A load for an NVIDIA GPU that needs nothing but its driver: `python -m tests.hardware.gpu_load`.

Copies one half of a buffer over the other through the CUDA driver's own library, which keeps the
card's memory as busy as it can be. Exits with 3, and says why, where that cannot be done.
"""

from __future__ import annotations

import ctypes
import sys
import time

_BYTES = 256 * 1024**2
_COPIES_A_TURN = 50
CANNOT = 3


class _Driver:
    """The calls of libcuda that are needed; each raises OSError if it fails."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")

    def call(self, name: str, *arguments: object) -> None:
        result = getattr(self._library, name)(*arguments)
        if result:
            raise OSError(f"{name} returned {result}")


def copy_for(seconds: float, device: int = 0) -> float:
    """Copy within the memory of a GPU, numbered as CUDA does, for so long.

    Returns:
        Bytes copied a second.

    Raises:
        OSError: There is no CUDA driver, or it refuses.
    """
    driver = _Driver()
    handle, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    driver.call("cuInit", 0)
    driver.call("cuDeviceGet", ctypes.byref(handle), device)
    driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    driver.call("cuCtxSetCurrent", context)
    driver.call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(2 * _BYTES))
    source, target = ctypes.c_uint64(memory.value), ctypes.c_uint64(memory.value + _BYTES)
    copies = 0
    began_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for _ in range(_COPIES_A_TURN):
            driver.call("cuMemcpyDtoDAsync_v2", target, source, ctypes.c_size_t(_BYTES), None)
        driver.call("cuCtxSynchronize")
        copies += _COPIES_A_TURN
    took_s = time.monotonic() - began_s
    driver.call("cuMemFree_v2", memory)
    driver.call("cuDevicePrimaryCtxRelease_v2", handle)
    return copies * _BYTES / took_s


if __name__ == "__main__":
    try:
        rate = copy_for(float(sys.argv[1]))
    except OSError as problem:
        print(problem)
        raise SystemExit(CANNOT) from None
    print(f"{rate / 1e9:.0f} GB/s copied")
