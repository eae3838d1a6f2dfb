"""Energies that know how far off they may be."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Z95 = 1.96
"""Half-width of a 95 % interval in standard deviations of a normal distribution."""


def t95(freedom: int) -> float:
    """Return the half-width of a 95 % interval in standard deviations estimated from data.

    The 97.5 % quantile of Student's t: exact for one and two degrees of freedom, else the
    expansion of Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5, which
    is right to two thousandths from three on.

    :param freedom: degrees of freedom, 1 or more
    """
    if freedom == 1:
        return math.tan(0.475 * math.pi)
    if freedom == 2:
        return 0.95 * math.sqrt(2 / (1 - 0.95**2))
    z = 1.959964
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


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
