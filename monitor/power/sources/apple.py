"""Apple Silicon, through ``zeus-apple-silicon``: the energy counters of IOReport, without sudo.

The library names the counters of macOS' "Energy Model"; of them the one of the whole processor,
the GPU, the memory and the neural engine are taken by the exact names of its fields, in
millijoules since the machine started. They lie beside each other on the chip and are added. The
cores are inside the processor; whether the memory of the GPU (``gpu_sram_mj``) is inside the GPU
is written nowhere, so it is shown and never added: that may miss a little, but counts nothing
twice.

Most counters are published in batches: 2.03 to 2.23 s apart on an M5 Max (lablup/all-smi#412), at
uneven intervals of 0.3 to 1.7 s on an M1 Ultra (lablup/all-smi#424); the GPU's is of the moment it
is asked on both. Between two batches a counter says what it said before, which is no reading:
taken for one, all of a batch would seem to be spent in its last moment. So the chip is asked more
often, and what has not moved is left out; the curve is then straight from one batch to the next.
What has not moved for longer than any batch has spent nothing, and that is a reading.

The library takes the memory and the neural engine to be whatever has DRAM or ANE in its name. On
chips that show parts of these under such names too, they may be too high.

Built against the library's documented attributes; not yet met on hardware.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role

STEP_J = 0.001
"""The library gives whole millijoules."""

POLL_S = 0.2
"""So often the chip is asked. Each time took 4 ms on an M1 Ultra (lablup/all-smi#424)."""

LOOK_S = 0.02
"""So often it is asked while its rhythm is found out."""

LOOKS = 10
"""A counter that has moved at each of these has no rhythm."""

LOOK_FOR_S = 4.5
"""Two batches of the slowest chip known."""

QUIET_S = 5.0
"""A counter that has not moved for longer than this was not waiting for a batch."""

OF_PROCESSOR = "package-0"
"""As in the model of the processor, which a measured one replaces."""


class Monitor(Protocol):
    """What is used of ``zeus_apple_silicon.AppleEnergyMonitor``."""

    def get_cumulative_energy(self) -> Any:
        """Return the counters: an attribute each, ``None`` where the chip has none."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One counter of the library, and what it is.

    :param name: the attribute; a list of cores is summed
    """

    name: str
    label: str
    domain: Domain
    device: str
    role: Role


FIELDS = (
    _Field("cpu_total_mj", "Apple CPU", Domain.CPU, OF_PROCESSOR, Role.PART),
    _Field("gpu_mj", "Apple GPU", Domain.GPU, "apple-gpu", Role.PART),
    _Field("dram_mj", "Apple memory", Domain.DRAM, OF_PROCESSOR, Role.PART),
    _Field("ane_mj", "Apple Neural Engine", Domain.SOC, "apple-ane", Role.PART),
    _Field("performance_cores_mj", "Performance cores", Domain.CPU, OF_PROCESSOR, Role.INSIDE),
    _Field("efficiency_cores_mj", "Efficiency cores", Domain.CPU, OF_PROCESSOR, Role.INSIDE),
    _Field("gpu_sram_mj", "Apple GPU memory", Domain.GPU, "apple-gpu", Role.INSIDE),
)


def _new_monitor() -> Monitor:
    """Return the library's own.

    :raises ImportError: if it is not installed
    :raises RuntimeError: if IOReport refuses
    """
    import zeus_apple_silicon

    made: Monitor = zeus_apple_silicon.AppleEnergyMonitor()
    return made


class Apple:
    """The ``apple`` source: a counter for each part of the chip.

    :param make: makes what is asked; the library's monitor unless given
    """

    name = "apple"

    def __init__(self, make: Callable[[], Monitor] = _new_monitor) -> None:
        self._make = make
        self._monitor: Monitor | None = None
        self._said: dict[str, tuple[float, float]] = {}
        """Of each field, the counter that was last a reading, in joules, and when."""

    def probe(self) -> Probe:
        """Open the library and look for a counter."""
        if self._make is _new_monitor and sys.platform != "darwin":
            return self._absent("This is not a Mac.")
        try:
            self._monitor = self._make()
            counters = self._counters()
        except ImportError:
            return Probe(
                self.name,
                ProbeState.ABSENT,
                "The package zeus-apple-silicon is not installed; it reads Macs with Apple "
                "Silicon, none with an Intel processor.",
                "On a Mac with Apple Silicon: `pip install zeus-apple-silicon`",
            )
        except Exception as error:  # what a compiled library raises is its own affair
            return self._absent(
                f"macOS does not let its energy counters be read ({error}). Its program "
                "powermetrics would need an administrator; it is not run, and the processor is "
                "modelled."
            )
        parts = [f.label for f in FIELDS if f.name in counters and f.role is Role.PART]
        if not parts:
            return self._absent("This Mac shows no energy counters, as in a virtual machine.")
        return Probe(self.name, ProbeState.AVAILABLE, f"Reading {', '.join(parts)}.")

    def _absent(self, reason: str) -> Probe:
        return Probe(self.name, ProbeState.ABSENT, reason)

    def open(self) -> tuple[Channel, ...]:
        """Find out how often the processor is published, and return a channel a counter."""
        counters = self._counters()
        batch_s = self._batch_s()
        return tuple(_channel(f, batch_s) for f in FIELDS if f.name in counters)

    def _batch_s(self) -> float:
        """Longest time between two publications of the processor, which always draws something."""
        began_s = time.monotonic()
        moved_s = [began_s]
        before, looks = self._processor_j(), 0
        while (now_s := time.monotonic()) - began_s < LOOK_FOR_S:
            time.sleep(LOOK_S)
            looks += 1
            if (now := self._processor_j()) != before:
                moved_s.append(now_s)
                before = now
            if len(moved_s) > looks >= LOOKS:
                return POLL_S
        between_s = [later - earlier for earlier, later in pairwise(moved_s)]
        return max(POLL_S, *between_s) if between_s else LOOK_FOR_S / 2

    def _processor_j(self) -> float | None:
        return self._counters().get(FIELDS[0].name)

    def read(self) -> list[Reading]:
        """Return the counters that have moved, and those that rest.

        :raises RuntimeError: (the library's own) if nothing could be read
        """
        readings = []
        counters, now_s = self._counters(), time.monotonic()
        for name, counter_j in counters.items():
            before_j, before_s = self._said.get(name, (-1.0, 0.0))
            if counter_j != before_j or now_s - before_s >= QUIET_S:
                self._said[name] = counter_j, now_s
                readings.append(Reading(f"{self.name}:{name}", now_s, counter_j=counter_j))
        return readings

    def _counters(self) -> dict[str, float]:
        """Return every counter there is, in joules."""
        assert self._monitor
        told = self._monitor.get_cumulative_energy()
        found = {field.name: _joules(getattr(told, field.name, None)) for field in FIELDS}
        return {name: counter_j for name, counter_j in found.items() if counter_j is not None}

    def close(self) -> None:
        """Let the library go."""
        self._monitor = None


def _joules(told_mj: int | list[int] | None) -> float | None:
    if isinstance(told_mj, list):
        return sum(told_mj) / 1e3 if told_mj else None
    return None if told_mj is None else told_mj / 1e3


def _channel(field: _Field, batch_s: float) -> Channel:
    # The GPU's is of the moment, and its short period has all of them asked for as often.
    period_s = POLL_S if field.name == "gpu_mj" else batch_s
    return Channel(
        key=f"{Apple.name}:{field.name}",
        label=field.label,
        domain=field.domain,
        device=field.device,
        kind=Kind.COUNTER,
        role=field.role,
        period_s=period_s,
        # A test finds the mean time between batches, which may be uneven: the longest counts.
        least_period_s=period_s if period_s > POLL_S else 0.0,
        step_j=STEP_J,
        accuracy=accuracy_of("apple"),
    )
