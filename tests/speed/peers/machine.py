"""The machine that three readers watch, and the truth about it: an hour's work, compressed.

Two processors with memory and a platform counter, and three GPUs, follow a script of idle
stretches, steps, ramps and bursts of 50 to 300 ms. Counters return to zero as often as an hour's
would; for a while a processor's counters are gone, and for a while a GPU is lost.

Times are seconds since the script's start unless a name says otherwise; power is in watts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu
from tests.hardware.sysfs import RaplZone
from tests.speed.peers.schedule import Window

SECONDS = 78.0
LEAD_S = 80.0
"""The machine idles before the script for so long, while the readers start."""

HOUR = Window("hour", 0.0, SECONDS - 1)

SPANS = {
    "first": ((-6.0, -4.0), (-3.0, -1.0)),
    "short": (
        (1.0, 2.0), (2.7, 4.2), (4.9, 6.9), (7.6, 8.6), (9.3, 10.9), (11.6, 13.6), (14.2, 15.2)
    ),
    "long": (
        (16.0, 18.5), (19.2, 23.2), (23.9, 30.9), (31.6, 39.6), (40.3, 44.3), (45.0, 48.0)
    ),
    "gone": ((49.0, 56.0),),
    "begun": ((58.5, 63.5),),
    "lost": ((65.0, 74.0),),
}  # fmt: skip
"""From when to when the windows are, by what happens in them; no two overlap. The first do not
count: a reader may have to catch up on what it has gathered since it was started."""

LATER_S = 0.2
"""An end of a window is up to so much later, by chance: no sensor's rhythm is that of the windows.
"""

ZONES_GONE = ((50.5, 53.5, "intel-rapl:1"), (57.0, 60.0, "intel-rapl:0"))
"""From when to when a zone is gone, with all below it: inside a window, and as one begins."""

GPU_LOST_S = (67.0, 71.0)
"""From when to when the second GPU says that it is lost; it answers again by itself."""

PACKAGE_RANGE_UJ, DRAM_RANGE_UJ = 3_500_000_000, 600_000_000
"""The counters return to zero two to four times, as a package at 200 W does in an hour. Not even
a reader that looks every 15 s can miss a whole turn."""

JITTER_S, JITTER = 0.05, 0.02
"""A GPU's watts change this often, by this fraction: real ones are never the same twice."""

WATTS_STEP_S = 0.02
"""The GPU without an energy counter refreshes its watts this often, the least that is known of any
(20 to 100 ms by card, arXiv 2312.02741, table 2), and they are another each time."""


@dataclass(frozen=True)
class Machine:
    """The fake devices, whose every curve begins `LEAD_S` before the script, and the windows.

    Attributes:
        zones: What powercap shows.
        gpus: What NVML shows: with an energy counter; with one that moves every 0.1 s, of a
            GPU that is lost for a while; of an older kind that tells its watts only, every 20 ms.
        windows: What is measured, by what happens in it.
    """

    zones: tuple[RaplZone, ...]
    gpus: tuple[FakeGpu, ...]
    windows: dict[str, tuple[Window, ...]]

    def curves(self, part: str) -> list[PowerCurve]:
        """Return what a part draws: cpu, dram, gpu0 to gpu2, or all of them for total."""
        names = {"cpu": "package", "dram": "dram"}
        curves = {
            name: [zone.curve for zone in self.zones if zone.name.startswith(begins)]
            for name, begins in names.items()
        }
        curves |= {f"gpu{index}": [gpu.curve] for index, gpu in enumerate(self.gpus)}
        if part == "total":
            return [curve for those in curves.values() for curve in those]
        return curves[part]

    def energy_j(self, part: str, start_s: float, end_s: float) -> float:
        """Return what a part truly used."""
        return sum(curve.energy_j(LEAD_S + start_s, LEAD_S + end_s) for curve in self.curves(part))

    def wraps(self, window: Window) -> int:
        """Return how often a package's counter returned to zero in a window."""
        turns = 0
        for zone in self.zones:
            if zone.name.startswith("package"):
                ends_uj = [
                    zone.start_uj + 1e6 * zone.curve.energy_j(0.0, LEAD_S + at_s)
                    for at_s in (window.start_s, window.end_s)
                ]
                turns += int(ends_uj[1] // zone.range_uj - ends_uj[0] // zone.range_uj)
        return turns


def windows(chance: random.Random) -> dict[str, tuple[Window, ...]]:
    """Return the windows by what happens in them."""

    def later(at_s: float) -> float:
        return at_s + chance.uniform(0.0, LATER_S)

    return {
        kind: tuple(
            Window(f"{kind}-{start_s:g}", later(start_s), later(end_s)) for start_s, end_s in spans
        )
        for kind, spans in SPANS.items()
    }


def machine(seed: int) -> Machine:
    """Return the machine whose script this number chooses."""
    chance = random.Random(seed)
    packages = [scripted(chance, 35.0, 210.0), scripted(chance, 40.0, 190.0)]
    drams = [scripted(chance, 6.0, 14.0), scripted(chance, 5.0, 12.0)]
    zones: list[RaplZone] = []
    for socket, (package, dram) in enumerate(zip(packages, drams, strict=True)):
        folder, start_uj = f"intel-rapl:{socket}", chance.randrange(PACKAGE_RANGE_UJ)
        zones += [
            RaplZone(folder, f"package-{socket}", package, start_uj, PACKAGE_RANGE_UJ),
            RaplZone(f"{folder}:0", "core", scaled(package, 0.8)),
            RaplZone(f"{folder}:1", "dram", dram, chance.randrange(DRAM_RANGE_UJ), DRAM_RANGE_UJ),
        ]
    zones.append(RaplZone("intel-rapl:2", "psys", summed([*packages, *drams], 30.0)))
    gpus = [
        FakeGpu(
            uuid="GPU-00000000-0000-4000-8000-000000000000",
            pci_bus_id="00000000:01:00.0",
            curve=jittered(chance, scripted(chance, 22.0, 420.0)),
            average_s=1.0,
        ),
        FakeGpu(
            name="NVIDIA A100-SXM4-80GB",
            uuid="GPU-00000000-0000-4000-8000-000000000001",
            pci_bus_id="00000000:02:00.0",
            curve=jittered(chance, scripted(chance, 55.0, 380.0)),
            average_s=1.0,
            energy_step_s=0.1,
            energy_start_mj=7_200_000_000,
            architecture=7,
            compute_capability=(8, 0),
            lost_from_s=LEAD_S + GPU_LOST_S[0],
            lost_until_s=LEAD_S + GPU_LOST_S[1],
        ),
        FakeGpu(
            name="NVIDIA GeForce GTX 1080 Ti",
            uuid="GPU-00000000-0000-4000-8000-000000000002",
            pci_bus_id="00000000:03:00.0",
            curve=jittered(chance, scripted(chance, 12.0, 250.0), WATTS_STEP_S),
            power_step_s=WATTS_STEP_S,
            has_energy=False,
            architecture=4,
            compute_capability=(6, 1),
        ),
    ]
    return Machine(tuple(zones), tuple(gpus), windows(chance))


def scripted(chance: random.Random, idle_w: float, load_w: float) -> PowerCurve:
    """Return an hour's work in so many seconds: idle, steps, ramps and bursts by chance."""
    steps, now_s = [(0.0, idle_w)], LEAD_S + 0.3
    while now_s < LEAD_S + SECONDS:
        high_w = idle_w + (load_w - idle_w) * chance.uniform(0.3, 1.0)
        match chance.choice(("idle", "step", "step", "ramp", "bursts")):
            case "idle":
                steps.append((now_s, idle_w))
                now_s += chance.uniform(0.4, 2.5)
            case "step":
                steps.append((now_s, high_w))
                now_s += chance.uniform(0.5, 4.0)
            case "ramp":
                low_w, seconds = steps[-1][1], chance.uniform(0.8, 2.5)
                for share in range(1, 21):
                    steps.append((now_s, low_w + (high_w - low_w) * share / 20))
                    now_s += seconds / 20
            case "bursts":
                for _ in range(chance.randrange(2, 6)):
                    steps.append((now_s, high_w))
                    now_s += chance.uniform(0.05, 0.3)
                    steps.append((now_s, idle_w))
                    now_s += chance.uniform(0.1, 0.6)
    return PowerCurve((*steps, (now_s, idle_w)))


def jittered(chance: random.Random, curve: PowerCurve, every_s: float = JITTER_S) -> PowerCurve:
    """Return a curve that is never quite still."""
    steps = [*curve.steps, (LEAD_S + SECONDS + 5.0, curve.steps[-1][1])]
    fine = []
    for (start_s, power_w), (end_s, _) in pairwise(steps):
        at_s = start_s
        while at_s < end_s:
            fine.append((at_s, power_w * (1 + chance.uniform(-JITTER, JITTER))))
            at_s += every_s
    return PowerCurve(tuple(fine))


def scaled(curve: PowerCurve, factor: float) -> PowerCurve:
    """Return a share of a curve."""
    return replace(curve, steps=tuple((at_s, factor * watts) for at_s, watts in curve.steps))


def summed(curves: list[PowerCurve], more_w: float) -> PowerCurve:
    """Return the sum of curves and a constant."""
    times_s = sorted({at_s for curve in curves for at_s, _ in curve.steps})
    return PowerCurve(
        tuple((at_s, more_w + sum(curve.power_w(at_s) for curve in curves)) for at_s in times_s)
    )
