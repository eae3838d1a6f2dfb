"""The CPU without a sensor: watts from the load of its threads and its rated power.

Always there, and used only for packages nothing measures. The curve, its fit and its error are
in ``resources/cpu_model.toml``. The energy between two readings is the modelled power at the
mean load between them, so short bursts are not missed as a sampled load would miss them.
"""

import math
import time
import tomllib
from dataclasses import dataclass

import psutil

from monitor.power.channel import Accuracy, Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.cpu import Processor, this_processor
from resources import resource_text

PERIOD_S = 0.1
"""Linux and Windows account processor time in ticks of 10 to 16 ms; below 0.1 s the load would
be mostly rounding."""

MODEL = tomllib.loads(resource_text("cpu_model.toml"))


@dataclass(frozen=True, slots=True)
class NominalPower:
    """What the model takes a package's full power from.

    :param power_w: rated or typical watts of a package
    :param reason: how that figure came about, for a person
    :param accuracy: the interval that follows
    """

    power_w: float
    reason: str
    accuracy: Accuracy


def load_power_w(load: float, nominal_w: float) -> float:
    """Return the modelled watts of a package.

    :param load: mean load of its threads, 0 to 1
    :param nominal_w: its rated power in watts
    """
    curve = MODEL["curve"]
    rise = (1 - math.exp(-load / curve["bend"])) / (1 - math.exp(-1 / curve["bend"]))
    return float(nominal_w * (curve["idle"] + curve["span"] * rise))


def nominal_power(processor: Processor) -> NominalPower:
    """Choose a package's full power: rated, or typical where the model is unknown."""
    typical = MODEL["typical"]
    threads = processor.threads / len(processor.packages)
    if processor.virtual:
        share_w = threads * typical["virtual_w_per_thread"]
        power_w = min(share_w, processor.tdp_w or math.inf)
        reason = (
            f"a virtual machine with {processor.threads} of its host's threads, at a typical "
            f"{typical['virtual_w_per_thread']:g} W a thread"
        )
        return NominalPower(power_w, reason, _accuracy("typical"))
    if processor.tdp_w:
        reason = f"{processor.name}, rated {processor.tdp_w:g} W"
        return NominalPower(processor.tdp_w, reason, _accuracy("rated"))
    reason = f"{processor.name}, whose rated power is unknown; {typical['tdp_w']:g} W assumed"
    return NominalPower(typical["tdp_w"], reason, _accuracy("typical"))


def _accuracy(name: str) -> Accuracy:
    entry = MODEL["accuracy"][name]
    return Accuracy(entry["below"], entry["above"], 0.0, entry["source"])


class ModelledCpu:
    """The ``model`` source: one part channel a package."""

    name = "model"

    def __init__(self) -> None:
        self._processor = this_processor()
        self._nominal = nominal_power(self._processor)
        self._last_s = 0.0
        self._last_times: list[tuple[float, float]] = []
        self._energy_j = dict.fromkeys(self._processor.packages, 0.0)

    def probe(self) -> Probe:
        """Always available; the reason names the model's inputs."""
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            f"CPU power can be modelled from its load: {self._nominal.reason}. A package is taken "
            f"to draw {load_power_w(0, self._nominal.power_w):.3g} W idle and "
            f"{load_power_w(1, self._nominal.power_w):.3g} W at full load, as measured ones do. "
            "Used only where nothing measures it.",
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
        elapsed_s = now_s - self._last_s
        readings = []
        for index, threads in self._processor.packages.items():
            load = _load(
                [self._last_times[i] for i in threads if i < len(times)],
                [times[i] for i in threads if i < len(times)],
            )
            self._energy_j[index] += load_power_w(load, self._nominal.power_w) * elapsed_s
            readings.append(
                Reading(f"model:package-{index}", now_s, counter_j=self._energy_j[index])
            )
        self._last_s, self._last_times = now_s, times
        return readings

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


def _load(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> float:
    """Mean load, 0 to 1, of some processors between two accounts of their times."""
    busy_s = sum(b[0] for b in after) - sum(b[0] for b in before)
    total_s = sum(b[1] for b in after) - sum(b[1] for b in before)
    return min(max(busy_s / total_s, 0.0), 1.0) if total_s > 0 else 0.0
