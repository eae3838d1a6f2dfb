"""NVIDIA's Jetson boards, by the current sensors on their supply rails.

Which rail contains which is told for two kinds of boards (NVIDIA Jetson Linux Developer Guide,
"Software-Based Power Consumption Modeling", as energymon/energymon and others cite it; the labels
are those of the kernel's device trees, tegra234-p3767.dtsi and -p3701.dtsi):

* Orin NX, Orin Nano and Xavier NX measure the whole module as ``VDD_IN``, memory and all: the part.
  ``VDD_CPU_GPU_CV`` and ``VDD_SOC`` lie inside it (forums.developer.nvidia.com/t/200883), and so
  does what they leave of it: memory and interfaces.
* AGX Orin measures no whole. ``VDD_GPU_SOC``, ``VDD_CPU_CV`` and ``VIN_SYS_5V0``, which feeds
  memory and interfaces, lie beside each other and are added. ``VDDQ_VDD2_1V8AO`` is memory inside
  the last.

Of other boards (AGX Xavier, Thor) each rail is shown and none added: nobody says that they lie
beside each other. NVML tells no power on these boards (HazyResearch/intelligence-per-watt#40), so
that none is in two channels.

Not yet met on hardware: tested on constructed trees.
"""

import time
from dataclasses import dataclass

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.hwmon.rails import Rail, is_jetson, rails
from monitor.power.sysfs import has_sysfs

PROCESSOR = "package-0"
"""As in the model of the processor, which a measured one replaces."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a rail feeds, and how it is counted."""

    words: str
    domain: Domain
    device: str
    role: Role


WHOLE_MODULE = "VDD_IN"

MODULE_RAILS = {
    WHOLE_MODULE: _Kind("Jetson module", Domain.SOC, PROCESSOR, Role.PART),
    "VDD_CPU_GPU_CV": _Kind("Processor and GPU", Domain.SOC, PROCESSOR, Role.INSIDE),
    "VDD_SOC": _Kind("SoC", Domain.SOC, PROCESSOR, Role.INSIDE),
}

AGX_ORIN_RAILS = {
    "VDD_GPU_SOC": _Kind("GPU and SoC", Domain.GPU, "jetson-gpu", Role.PART),
    "VDD_CPU_CV": _Kind("Processor", Domain.CPU, PROCESSOR, Role.PART),
    "VIN_SYS_5V0": _Kind("Memory and interfaces", Domain.DRAM, PROCESSOR, Role.PART),
    "VDDQ_VDD2_1V8AO": _Kind("Memory", Domain.DRAM, PROCESSOR, Role.INSIDE),
}

REST = "rest"
"""What is left of a module's input without its rails."""

REST_KIND = _Kind("Memory and interfaces", Domain.DRAM, PROCESSOR, Role.INSIDE)


class Jetson:
    """The ``jetson`` source: the rails of one board."""

    name = "jetson"

    def __init__(self) -> None:
        self._rails: dict[str, Rail] = {}
        self._channels: dict[str, Channel] = {}

    def probe(self) -> Probe:
        """Look for the rails of a Jetson board."""
        self._rails = rails()
        kinds = _kinds(self._rails)
        self._rails = {label: rail for label, rail in self._rails.items() if label in kinds}
        if not self._rails:
            reason = "This is no Jetson board."
            if is_jetson():
                reason = (
                    "This board shows no supply rails. Kernels of JetPack 5 and later do, of the "
                    "boards that have sensors on them."
                )
            elif not has_sysfs():
                reason = "Jetson boards are read on Linux only."
            return Probe(self.name, ProbeState.ABSENT, reason)
        labels = ", ".join(label for label in self._rails if kinds[label].role is Role.PART)
        reason = f"Reading {labels}: all that the module draws."
        if not labels:
            reason = (
                f"This board shows what {', '.join(self._rails)} draw, but not which of them "
                "contains which: they are shown, and not added. A wall plug tells what the board "
                "draws."
            )
        return Probe(self.name, ProbeState.AVAILABLE, reason)

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each rail found by :meth:`probe`, and for what is left."""
        kinds = _kinds(self._rails)
        self._channels = {
            label: _channel(label, kinds[label], rail.interval_s)
            for label, rail in self._rails.items()
        }
        if self._rails.keys() == MODULE_RAILS.keys():
            interval_s = self._rails[WHOLE_MODULE].interval_s
            self._channels[REST] = _channel(REST, REST_KIND, interval_s)
        return tuple(self._channels.values())

    def read(self) -> list[Reading]:
        """Read every rail, in watts; one that does not answer is left out.

        :raises OSError: if none answers
        """
        told_w: dict[str, float] = {}
        for label, rail in self._rails.items():
            if (power_w := rail.power_w()) is not None:
                told_w[label] = power_w
        if not told_w:
            raise OSError("no supply rail of the board can be read")
        if REST in self._channels and told_w.keys() == MODULE_RAILS.keys():
            rest_w = 2 * told_w[WHOLE_MODULE] - sum(told_w.values())
            if rest_w >= 0:
                told_w[REST] = rest_w
        now_s = time.monotonic()
        return [
            Reading(self._channels[label].key, now_s, power_w=power_w)
            for label, power_w in told_w.items()
        ]

    def close(self) -> None:
        """Nothing is held open."""


def _kinds(found: dict[str, Rail]) -> dict[str, _Kind]:
    """Return what each rail of a board feeds; those that no document places are left out."""
    if WHOLE_MODULE in found:
        return MODULE_RAILS
    parts = {label for label, kind in AGX_ORIN_RAILS.items() if kind.role is Role.PART}
    if parts <= found.keys():
        return AGX_ORIN_RAILS
    return {label: _Kind("Rail", Domain.SOC, f"jetson-{label}", Role.INSIDE) for label in found}


def _channel(label: str, kind: _Kind, interval_s: float) -> Channel:
    is_rest = label == REST
    return Channel(
        key=f"jetson:{label}",
        label=kind.words if is_rest else f"{kind.words} ({label})",
        domain=kind.domain,
        device=kind.device,
        kind=Kind.POWER,
        role=kind.role,
        period_s=interval_s,
        least_period_s=interval_s,
        step_j=0.0,
        accuracy=accuracy_of("jetson.rest" if is_rest else "jetson"),
    )
