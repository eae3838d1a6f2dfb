"""How long Windows has been suspended: by two counts that differ by that.

The interrupt time goes on in sleep and hibernation, the unbiased interrupt time does not (both in
realtimeapiset.h, and exported by kernelbase.dll). Windows 10 and later. Not yet met there.
"""

import ctypes
from functools import cache
from typing import Any

S_PER_TICK = 1e-7
"""Both count in 100 ns."""


def suspended_s(library: Any = None) -> float:
    """Return for how many seconds in all the machine has been suspended since it was started.

    :param library: has both functions, each of which writes its count through a pointer; the
      system's own unless given
    :raises OSError: if there is no such library
    :raises AttributeError: if it does not count so, as before Windows 10
    """
    times = library or _kernelbase()
    awake, all_ = ctypes.c_ulonglong(), ctypes.c_ulonglong()
    # In this order what passes between the two is no sleep that is taken back later.
    times.QueryUnbiasedInterruptTime(ctypes.byref(awake))
    times.QueryInterruptTime(ctypes.byref(all_))
    return max(all_.value - awake.value, 0) * S_PER_TICK


@cache
def _kernelbase() -> ctypes.CDLL:
    return ctypes.CDLL("kernelbase.dll")
