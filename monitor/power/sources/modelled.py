"""The CPU without a sensor: watts from what its cores do and its rated power.

Always there, and used only for packages nothing measures. The model is
:mod:`monitor.power.cpu_model`. The energy between two readings is the modelled power at the mean
loads between them, so short bursts are not missed as a sampled load would miss them.
"""

import math
import time

import psutil

from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.cpu import core_clock_ghz, this_processor
from monitor.power.cpu_model import Activity, activity, nominal_power, package_w

PERIOD_S = 0.1
"""Linux and Windows account processor time in ticks of 10 to 16 ms; below 0.1 s the load would
be mostly rounding."""

LAGS_S = 0.5
"""What the system accounts for may be late by ticks, but not by so much: it was suspended then."""

CLOCK_PERIOD_S = 1.0
"""Some kernels wake every core to read its clock: not ten times a second."""


class ModelledCpu:
    """The ``model`` source: one part channel a package."""

    name = "model"

    def __init__(self) -> None:
        self._processor = this_processor()
        self._nominal = nominal_power(self._processor)
        self._cores = self._processor.physical_cores / len(self._processor.packages)
        self._clock_ghz = self._nominal.clock_ghz
        self._clock_read_s = -math.inf
        self._last_s = 0.0
        self._last_times: list[tuple[float, float]] = []
        self._energy_j = dict.fromkeys(self._processor.packages, 0.0)

    def probe(self) -> Probe:
        """Always available; the reason names the model's inputs."""
        nominal = self._nominal
        idle, full = (Activity(load, load, nominal.clock_ghz) for load in (0.0, 1.0))
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            "Where nothing measures the CPU, its power is modelled from its load and clock, as "
            f"measured processors behave. This one: {nominal.reason}, so "
            f"{package_w(idle, nominal.power_w):.3g} W idle and "
            f"{package_w(full, nominal.power_w):.3g} W at full load and "
            f"{nominal.clock_ghz:.2g} GHz.",
        )

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each package."""
        self._last_s, self._last_times = time.monotonic(), _cpu_times()
        several = len(self._processor.packages) > 1
        return tuple(
            Channel(
                key=f"model:package-{index}",
                label=f"CPU {index} (modelled)" if several else "CPU (modelled)",
                domain=Domain.CPU,
                device=f"package-{index}",
                kind=Kind.MODELLED,
                role=Role.PART,
                period_s=PERIOD_S,
                step_j=0.0,
                accuracy=self._nominal.accuracy,
            )
            for index in self._processor.packages
        )

    def read(self) -> list[Reading]:
        """Return each package's modelled energy so far, in joules."""
        now_s, times = time.monotonic(), _cpu_times()
        elapsed_s = self._awake_s(now_s - self._last_s, times)
        clock_ghz = self._clock_at(now_s)
        readings = []
        for index, threads in self._processor.packages.items():
            loads = _loads(
                [self._last_times[i] for i in threads if i < len(times)],
                [times[i] for i in threads if i < len(times)],
            )
            power_w = package_w(activity(loads, self._cores, clock_ghz), self._nominal.power_w)
            self._energy_j[index] += power_w * elapsed_s
            readings.append(
                Reading(f"model:package-{index}", now_s, counter_j=self._energy_j[index])
            )
        self._last_s, self._last_times = now_s, times
        return readings

    def _awake_s(self, elapsed_s: float, times: list[tuple[float, float]]) -> float:
        """Return what of a time the machine was awake for, by what its processors account for.

        Windows' clock goes on while it is suspended. Where nothing at all is accounted for, as in
        some containers, it is all of it.
        """
        passed_s = _passed_s(self._last_times, times)
        return passed_s if 0 < passed_s < elapsed_s - LAGS_S else elapsed_s

    def _clock_at(self, now_s: float) -> float:
        """The clock in GHz, read anew once it is a second old; held where it is not live."""
        if self._processor.clock_is_live and now_s - self._clock_read_s >= CLOCK_PERIOD_S:
            self._clock_ghz = core_clock_ghz() or self._nominal.clock_ghz
            self._clock_read_s = now_s
        return self._clock_ghz

    def close(self) -> None:
        """Nothing is held open."""


def _cpu_times() -> list[tuple[float, float]]:
    """Busy and total seconds of each logical processor since the machine started."""
    result = []
    for times in psutil.cpu_times(percpu=True):
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts guest time within user time already.
        total_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        result.append((total_s - idle_s - getattr(times, "steal", 0.0), total_s))
    return result


def _passed_s(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> float:
    """Return the longest time that any of some threads accounts for: idle ones may lag."""
    pairs = zip(before, after, strict=False)
    return max((new[1] - old[1] for old, new in pairs), default=0.0)


def _loads(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> list[float]:
    """Load, 0 to 1, of each of some threads between two accounts of their times."""
    pairs = list(zip(before, after, strict=False))
    passed_s = _passed_s(before, after)
    if passed_s <= 0:
        return [0.0] * len(pairs)
    return [min(max((new[0] - old[0]) / passed_s, 0.0), 1.0) for old, new in pairs]
