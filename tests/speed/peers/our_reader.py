"""LlamaWatt's sampler and trace: ``our_reader.py TASK.json``, by our own interpreter.

As the program does it: the sensors' self-test comes first, as at its first start, but shorter. A
reading is asked for at both ends of a window, and once every source has been read beyond the
end, the window's energy is taken from the trace.
"""

from __future__ import annotations

import sys

from schedule import Task, walk

from monitor.power.channel import Channel, Role
from monitor.power.sampler import DEFAULT_HZ, Sampler
from monitor.power.selftest import refined
from monitor.power.sources.nvml import Nvml
from monitor.power.sources.rapl import Rapl
from monitor.sensor_testing import SensorTest

TEST_S = 12.0


def main(path: str) -> None:
    """Measure every window of a task."""
    task = Task.load(path)
    findings = SensorTest(TEST_S, sources=(Rapl, Nvml)).run()
    traits = {finding.channel.key: finding.traits for finding in findings}
    for key, known in traits.items():
        print(f"{key}: {known.verdict}, {known.period_s} s", file=sys.stderr)

    def refine(channel: Channel) -> Channel:
        return refined(channel, traits[channel.key]) if channel.key in traits else channel

    with Sampler(1 / task.every_s if task.every_s else DEFAULT_HZ, refine=refine) as sampler:
        sampler.wait_ready(timeout_s=30.0)

        def begin(name: str) -> None:
            sampler.mark()

        def end(name: str, start_s: float, end_s: float) -> dict[str, float]:
            sampler.wait_until(end_s)
            joules = {}
            for channel in sampler.channels():
                window = sampler.trace.window(channel.key, start_s, end_s)
                if channel.role is Role.PART and window.joules is not None:
                    joules[channel.key] = window.joules
            return joules

        walk(task, begin, end)


if __name__ == "__main__":
    main(sys.argv[1])
