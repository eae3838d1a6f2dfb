"""Watts of a processor package from what its cores do: the model behind the ``model`` source.

A package draws a share of its rated power all the time, more while any of its cores is awake
(caches, memory controller and links run then), and more for each busy core. The last two switch
transistors, and so grow with the clock. The shares are fitted to measured CPUs; the figures, the
fit and its error are in ``resources/cpu_model.toml``.
"""

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.power.channel import Accuracy
from monitor.power.cpu import Processor
from resources import resource_text

MODEL = tomllib.loads(resource_text("cpu_model.toml"))


@dataclass(frozen=True, slots=True)
class Activity:
    """What the cores of a package do.

    :param busiest: load of its busiest thread, 0 to 1: the package is awake at least as long
    :param cores: share of its physical cores that are busy, 0 to 1
    :param clock_ghz: mean clock of its threads
    """

    busiest: float
    cores: float
    clock_ghz: float


@dataclass(frozen=True, slots=True)
class NominalPower:
    """What the model takes a package's rated power and clock from.

    :param power_w: rated or typical watts of a package
    :param clock_ghz: the clock taken wherever none is read while it runs
    :param reason: how these figures came about, for a person
    :param accuracy: the interval that follows
    """

    power_w: float
    clock_ghz: float
    reason: str
    accuracy: Accuracy


def activity(loads: Sequence[float], cores: float, clock_ghz: float) -> Activity:
    """Sum up the loads of a package's threads.

    Schedulers fill idle cores before they double up, and a second thread on a core adds little
    power (it adds none that the measurements could tell): each busy thread counts as a core, up
    to the number of cores.

    :param loads: of each thread, 0 to 1
    :param cores: physical cores of the package
    :param clock_ghz: mean clock of the threads
    """
    return Activity(max(loads, default=0.0), min(1.0, sum(loads) / cores), clock_ghz)


def terms(doing: Activity) -> tuple[float, float, float]:
    """Return what the shares ``idle``, ``awake`` and ``cores`` are multiplied by."""
    clock = doing.clock_ghz / MODEL["reference_ghz"]
    return 1.0, doing.busiest * clock, doing.cores * clock


def package_w(doing: Activity, rated_w: float) -> float:
    """Return the modelled watts of a package of that rated power."""
    shares = MODEL["shares"]
    idle, awake, cores = terms(doing)
    share = shares["idle"] * idle + shares["awake"] * awake + shares["cores"] * cores
    return float(rated_w * share)


def nominal_power(processor: Processor) -> NominalPower:
    """Choose a package's power and clock: its own, or typical ones where they are unknown."""
    typical = MODEL["typical"]
    clock_ghz = processor.clock_ghz or MODEL["reference_ghz"]
    thread_w = typical["arm_w_per_thread" if processor.arm else "virtual_w_per_thread"]
    share_w = processor.threads / len(processor.packages) * thread_w
    if processor.virtual:
        power_w = min(share_w, processor.tdp_w or math.inf)
        reason = (
            f"a virtual machine with {processor.threads} of its host's threads, at a typical "
            f"{thread_w:g} W a thread"
        )
        return NominalPower(power_w, clock_ghz, reason, _accuracy("typical"))
    if processor.tdp_w is None and processor.arm:
        reason = (
            f"{processor.name}, whose rated power is unknown; {thread_w:g} W a core assumed, as "
            "of others by Arm"
        )
        return NominalPower(share_w, clock_ghz, reason, _accuracy("typical"))
    if processor.tdp_w is None:
        reason = f"{processor.name}, whose rated power is unknown; {typical['tdp_w']:g} W assumed"
        return NominalPower(typical["tdp_w"], clock_ghz, reason, _accuracy("typical"))
    reason = f"{processor.name}, rated {processor.tdp_w:g} W"
    accuracy = _accuracy("live_clock" if processor.clock_is_live else "fixed_clock")
    return NominalPower(processor.tdp_w, clock_ghz, reason, accuracy)


def _accuracy(name: str) -> Accuracy:
    entry = MODEL["accuracy"][name]
    return Accuracy(1 - 1 / entry["factor"], entry["factor"] - 1, 0.0, entry["source"])
