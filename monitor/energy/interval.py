"""Energies that know how far off they may be."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Z95 = 1.96
"""Half-width of a 95 % interval in standard deviations of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An energy in joules with the two kinds of doubt about it kept apart.

    :param joules: the best estimate
    :param below_j: systematic: the sensor may read this much too high, at 95 %
    :param above_j: systematic: the sensor may read this much too low, at 95 %
    :param random_j: standard deviation of what sampling adds
    """

    joules: float
    below_j: float
    above_j: float
    random_j: float

    @property
    def low_j(self) -> float:
        """Lower end of the 95 % interval, never below zero."""
        return max(0.0, self.joules - self.below_j - Z95 * self.random_j)

    @property
    def high_j(self) -> float:
        """Upper end of the 95 % interval."""
        return self.joules + self.above_j + Z95 * self.random_j


def add(intervals: Iterable[Interval]) -> Interval | None:
    """Add energies: systematic doubts linearly, random ones in quadrature.

    Sensors of one make err alike, so their systematic parts cannot be hoped to cancel.

    :return: the sum, ``None`` of nothing
    """
    parts = list(intervals)
    if not parts:
        return None
    return Interval(
        joules=math.fsum(part.joules for part in parts),
        below_j=math.fsum(part.below_j for part in parts),
        above_j=math.fsum(part.above_j for part in parts),
        random_j=math.hypot(*(part.random_j for part in parts)),
    )
