"""Samples what the environment shows, for so many seconds, and prints what it cost as JSON.

A process of its own (``python -m tests.speed.sampled_machine SECONDS``), so that its processor
time is the sampler's alone. Started by ``test_sampler.py``.
"""

import json
import sys
import threading
import time

from monitor.power.channel import Role
from monitor.power.sampler import Sampler

SETTLE_S = 2.0


def main(seconds: float) -> None:
    """Sample for so long; beside it nothing is done."""
    with Sampler() as sampler:
        sampler.wait_ready()
        time.sleep(SETTLE_S)
        start_s, used_s = time.monotonic(), time.process_time()
        threading.Event().wait(seconds)
        used_s, end_s = time.process_time() - used_s, time.monotonic()
        sampler.wait_until(end_s)
        channels = sampler.channels()
        curves = {c.key: sampler.trace.curve(c.key, start_s, end_s) for c in channels}
        windows = {c.key: sampler.trace.window(c.key, start_s, end_s) for c in channels}
        parts = [c.key for c in channels if c.role is Role.PART]
    found = {
        "start_s": start_s,
        "end_s": end_s,
        "share": used_s / (end_s - start_s),
        "parts": parts,
        "read_s": {key: curve.time_s.tolist() for key, curve in curves.items()},
        "joules": {key: window.joules for key, window in windows.items()},
        "coverage": {key: window.coverage for key, window in windows.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(float(sys.argv[1]))
