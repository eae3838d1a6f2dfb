"""A known power curve: the truth that the fake sensors report and the tests compare with.

Times are seconds since the curve's start, power is in watts, energy in joules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True)
class PowerCurve:
    """A piecewise constant power curve.

    Attributes:
        steps: (time_s, power_w) pairs in rising time, the first at 0.0. Each power holds from
            its time until the next step; the first also holds before 0, the last for ever.
    """

    steps: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse steps that do not start at 0 or do not rise in time."""
        if not self.steps or self.steps[0][0] != 0.0:
            raise ValueError("the first step must be at 0.0 s")
        if any(later_s <= earlier_s for (earlier_s, _), (later_s, _) in pairwise(self.steps)):
            raise ValueError("steps must rise in time")

    @classmethod
    def constant(cls, power_w: float) -> PowerCurve:
        """Return the curve that draws `power_w` watts at all times."""
        return cls(((0.0, power_w),))

    @classmethod
    def from_list(cls, steps: Sequence[Sequence[float]]) -> PowerCurve:
        """Return the curve that `to_list` described."""
        return cls(tuple((float(time_s), float(power_w)) for time_s, power_w in steps))

    def to_list(self) -> list[list[float]]:
        """Return the [time_s, power_w] steps as plain lists, fit for JSON."""
        return [[time_s, power_w] for time_s, power_w in self.steps]

    def power_w(self, time_s: float) -> float:
        """Return the power in watts at `time_s`."""
        return self.steps[self._index(time_s)][1]

    def energy_j(self, start_s: float, end_s: float) -> float:
        """Return the exact energy in joules between two times (negative if they are swapped)."""
        return self._energy_since_0_j(end_s) - self._energy_since_0_j(start_s)

    @cached_property
    def _times_s(self) -> list[float]:
        return [time_s for time_s, _ in self.steps]

    @cached_property
    def _energies_j(self) -> list[float]:
        """Energy from 0 up to each step, so that a query costs no walk over the steps."""
        energies_j = [0.0]
        for (time_s, power_w), (next_s, _) in pairwise(self.steps):
            energies_j.append(energies_j[-1] + (next_s - time_s) * power_w)
        return energies_j

    def _index(self, time_s: float) -> int:
        return max(bisect_right(self._times_s, time_s) - 1, 0)

    def _energy_since_0_j(self, time_s: float) -> float:
        index = self._index(time_s)
        step_s, power_w = self.steps[index]
        return self._energies_j[index] + (time_s - step_s) * power_w
