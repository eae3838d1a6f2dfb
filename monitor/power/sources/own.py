"""What LlamaWatt itself costs: the watts of its own processes, modelled from their processor time.

Three channels of role ``inside``: they lie within what the processor draws, are shown, and are
never added. No sensor tells one program from another. What is told is by how much a package would
draw less without this program and its engine, if nothing else ran: :func:`package_w` of the model
in :mod:`monitor.power.cpu_model` at their load, less that of an idle package. The three divide it
as they divide the processor time, so that together they are never more than the model's package. On
a machine that is busy with other things this is too much, for those keep the package awake as well.

The threads that read the sensors and the rest, which is the window or a command, are one process;
they are told apart by what each of these threads says it has used (:mod:`monitor.power.own_time`).
The engine is another process, and draws 0 W while there is none. It is looked for once a second:
what it used before it was found is not told.
"""

import math
import sys
import time
from collections.abc import Sequence

import psutil

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.cpu import this_processor
from monitor.power.cpu_model import Activity, nominal_power, package_w
from monitor.power.engine_process import EngineSearch, used_s
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.own_time import sampling_s

PERIOD_S = 0.1
"""A process's time is told in ticks of 10 to 16 ms; below 0.1 s it would be mostly rounding."""

APP, PROGRAM, SAMPLER, ENGINE = "own:app", "own:program", "own:sampler", "own:engine"
PARTS = (PROGRAM, SAMPLER, ENGINE)

WINDOW = "PySide6.QtWidgets"
"""The module that is loaded in a process with a window, and in no other."""


class OwnCost:
    """The ``own`` source: ``inside`` channels for the program, its sampler, and its engine."""

    name = "own"

    def __init__(self) -> None:
        processor = this_processor()
        self._packages, self._threads = len(processor.packages), processor.threads
        self._cores = processor.physical_cores / self._packages
        self._nominal = nominal_power(processor)
        self._search = EngineSearch()
        self._engine: psutil.Process | None = None
        self._last_s = 0.0
        self._used_s = [0.0, 0.0, 0.0]
        self._energy_j = [0.0, 0.0, 0.0]
        self._gauged = (0.0, 0.0)

    def probe(self) -> Probe:
        """Always available; the reason says what the figures mean."""
        return Probe(
            self.name,
            ProbeState.AVAILABLE,
            "What LlamaWatt and its engine add to the processor's power, modelled from the "
            "processor time they use as if nothing else ran. It lies within the CPU's watts and is "
            "never added.",
        )

    def open(self) -> tuple[Channel, ...]:
        """Return the three channels; their time begins now."""
        self._last_s, self._used_s = time.monotonic(), [*_used_s(), 0.0]
        self._gauged = self._last_s, time.process_time()
        labels = (f"LlamaWatt's {_program()}", "LlamaWatt's sampler", "Engine (llama.cpp)")
        return tuple(
            Channel(
                key=key,
                label=label,
                domain=Domain.CPU,
                # Not a package's: what is modelled of one gives way to what is measured of it.
                device="own",
                kind=Kind.MODELLED,
                role=Role.INSIDE,
                period_s=PERIOD_S,
                step_j=0.0,
                accuracy=accuracy_of("own"),
            )
            for key, label in zip(PARTS, labels, strict=True)
        )

    def read(self) -> list[Reading]:
        """Return the modelled energy of each so far, in joules."""
        now_s = time.monotonic()
        used = [*_used_s(), self._engine_used_s()]
        elapsed_s = now_s - self._last_s
        if elapsed_s > 0:
            spent_s = [max(new - old, 0.0) for new, old in zip(used, self._used_s, strict=True)]
            self._add(spent_s, elapsed_s)
        self._last_s, self._used_s = now_s, used
        return [
            Reading(key, now_s, counter_j=energy_j)
            for key, energy_j in zip(PARTS, self._energy_j, strict=True)
        ]

    def _add(self, spent_s: Sequence[float], elapsed_s: float) -> None:
        """Divide what all have added to the package's energy as they divide its time."""
        all_s = sum(spent_s)
        if all_s:
            added_j = self._increment_w(all_s / elapsed_s) * elapsed_s
            for index, own_s in enumerate(spent_s):
                self._energy_j[index] += added_j * own_s / all_s

    def _increment_w(self, load: float) -> float:
        """Watts by which so many busy threads raise the power of otherwise idle packages.

        One package is filled before the next is woken, and a thread before its neighbour.
        """
        awake = min(self._packages, math.ceil(load / self._cores))
        busy = load / awake
        clock_ghz, rated_w = self._nominal.clock_ghz, self._nominal.power_w
        doing = Activity(min(busy, 1.0), min(busy / self._cores, 1.0), clock_ghz)
        idle = Activity(0.0, 0.0, clock_ghz)
        return awake * (package_w(doing, rated_w) - package_w(idle, rated_w))

    def _engine_used_s(self) -> float:
        """Processor seconds of the engine's process; those of the last one while there is none."""
        engine = self._search.process()
        told_s = used_s(engine)
        if engine is not None and engine is not self._engine:
            self._engine, self._used_s[-1] = engine, told_s or 0.0
        return self._used_s[-1] if told_s is None else told_s

    def remarks(self) -> tuple[str, ...]:
        """Tell the processor time each has used. From any thread."""
        program_s, sampler_s, engine_s = self._used_s
        engine = f", {engine_s:.1f} s by the engine that runs" if self._engine else ""
        return (
            f"Processor time: {program_s:.1f} s by the {_program()}, {sampler_s:.1f} s by the "
            f"sampler{engine}.",
        )

    def gauges(self) -> tuple[Gauge, ...]:
        """Return the share of the machine's processor time that this process uses."""
        key = f"{APP}:{Quantity.UTILISATION}"
        return (Gauge(key, "LlamaWatt CPU use", Quantity.UTILISATION, Domain.SYSTEM, "own"),)

    def read_gauges(self) -> list[GaugeReading]:
        """Return the mean since the reading before, in percent of all logical processors."""
        (last_s, last_used_s), now = self._gauged, (time.monotonic(), time.process_time())
        if now[0] - last_s < PERIOD_S:
            return []
        self._gauged = now
        share = (now[1] - last_used_s) / (now[0] - last_s) / self._threads
        return [GaugeReading(f"{APP}:{Quantity.UTILISATION}", now[0], 100 * min(share, 1.0))]

    def close(self) -> None:
        """Nothing is held open."""


def _program() -> str:
    """What the process is, apart from its sampler."""
    return "window" if WINDOW in sys.modules else "command"


def _used_s() -> tuple[float, float]:
    """Processor seconds of this process: without the threads that read sensors, and of these."""
    sampler_s = sampling_s()
    return max(time.process_time() - sampler_s, 0.0), sampler_s
