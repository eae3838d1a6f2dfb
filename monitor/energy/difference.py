"""Two energies laid side by side: which took less, and whether that can be told at all."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitor.energy.interval import Z95, Interval, add


class Verdict(StrEnum):
    """What a difference says of the second as against the first."""

    LOWER = "lower"
    HIGHER = "higher"
    CANNOT_TELL = "cannot tell"

    @property
    def turned(self) -> "Verdict":
        """The verdict with first and second changed over."""
        return {Verdict.LOWER: Verdict.HIGHER, Verdict.HIGHER: Verdict.LOWER}.get(self, self)


def verdict_of(low: float, high: float) -> Verdict:
    """Say which side of zero an interval lies on: touching zero is "cannot tell"."""
    if high < 0:
        return Verdict.LOWER
    return Verdict.HIGHER if low > 0 else Verdict.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Percent:
    """A share in percent with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The second energy less the first, in joules; unlike an energy it may be negative.

    :param joules: the best estimate
    :param below_j: systematic: it may be this much too high, at 95 %
    :param above_j: systematic: it may be this much too low, at 95 %
    :param random_j: standard deviation of what sampling adds
    :param base: the first energy, which percentages are of
    :param ratios: the least and the most the second may be over the first as far as the sensors'
      errors go; ``None`` where the first may be nothing at all
    """

    joules: float
    below_j: float
    above_j: float
    random_j: float
    base: Interval
    ratios: tuple[float, float] | None

    @property
    def low_j(self) -> float:
        """Lower end of the 95 % interval."""
        return self.joules - self.below_j - Z95 * self.random_j

    @property
    def high_j(self) -> float:
        """Upper end of the 95 % interval."""
        return self.joules + self.above_j + Z95 * self.random_j

    @property
    def verdict(self) -> Verdict:
        """Whether the second took less, or more, or whether that cannot be told."""
        return verdict_of(self.low_j, self.high_j)

    @property
    def relative(self) -> Percent | None:
        """The difference in percent of the first; ``None`` where that may be nothing at all.

        Errors are taken to both energies at once, so that one they share cancels: a sensor that
        reads a third of what is there still tells well by how many percent two energies differ.
        What scatters is added as for a ratio (JCGM 100:2008, 5.1.6). The ends never contradict
        :attr:`verdict`.
        """
        if self.ratios is None:
            return None
        ratio = 1 + self.joules / self.base.joules
        # Of the difference's scatter, what a change of the base adds is within it already.
        scatter = 100 * Z95 * self.random_j * max(ratio, 1.0) / self.base.joules
        low = max(100 * (self.ratios[0] - 1) - scatter, -100.0)
        high = 100 * (self.ratios[1] - 1) + scatter
        if self.verdict is not Verdict.HIGHER:
            low = min(low, 0.0)
        if self.verdict is not Verdict.LOWER:
            high = max(high, 0.0)
        return Percent(
            value=100 * (ratio - 1),
            low=max(low, 0.0) if self.verdict is Verdict.HIGHER else low,
            high=min(high, 0.0) if self.verdict is Verdict.LOWER else high,
        )


def difference(a: Interval, b: Interval, shared: bool) -> Difference:
    """Return ``b - a``.

    Random parts add in quadrature. Systematic parts of different sensors add linearly: one may
    read high while the other reads low. The *same* sensor errs alike in both: with a relative
    error ``e`` it shows ``a (1 + e)`` and ``b (1 + e)``, so that of the systematic parts only
    what they differ by remains: ``e (b - a)``. A sensor 5 % high makes the difference 5 % too
    large, no more (JCGM 100:2008, 5.2: fully correlated inputs).

    Its limits: readings that were missed in both are taken for a shared error although they are
    not; and a modelled channel is wrong alike in both only as far as both loaded the processor
    alike. It is for one sensor; of several use :func:`difference_by_channel`, as an error of one
    says nothing of another's.

    :param shared: whether the same sensor of the same machine measured both
    """
    random_j = math.hypot(a.random_j, b.random_j)
    if shared:
        # Where the one error of the sensor moves the difference at its two extremes.
        shifts = (0.0, a.below_j - b.below_j, b.above_j - a.above_j)
        below_j, above_j = -min(shifts), max(shifts)
    else:
        below_j, above_j = b.below_j + a.above_j, b.above_j + a.below_j
    ratios = _ratios({"": a}, {"": b}, shared)
    return Difference(b.joules - a.joules, below_j, above_j, random_j, a, ratios)


def difference_by_channel(
    a: Mapping[str, Interval], b: Mapping[str, Interval], shared: bool
) -> Difference | None:
    """Return the difference of two totals, channel by channel where the sensors are shared.

    What remains of each channel's systematic part adds up linearly.

    :param a: energies by the key of the channel that measured them
    :param b: likewise
    :param shared: whether a key means the same sensor in both
    :return: ``None`` if either is empty: nothing was measured
    """
    if not a or not b:
        return None
    if not shared:
        return difference(total(a.values()), total(b.values()), shared=False)
    nothing = Interval(0.0, 0.0, 0.0, 0.0)
    parts = [
        difference(a.get(key, nothing), b.get(key, nothing), shared=True)
        for key in a.keys() | b.keys()
    ]
    return Difference(
        joules=math.fsum(part.joules for part in parts),
        below_j=math.fsum(part.below_j for part in parts),
        above_j=math.fsum(part.above_j for part in parts),
        random_j=math.hypot(*(part.random_j for part in parts)),
        base=total(a.values()),
        ratios=_ratios(a, b, shared),
    )


def _ratios(
    a: Mapping[str, Interval], b: Mapping[str, Interval], shared: bool
) -> tuple[float, float] | None:
    """Return the least and the most ``b`` over ``a`` may be, each sensor at an end of its error.

    In the error of any one sensor the ratio only rises or only falls, so that its extremes are
    where every error is at one of its ends.
    """
    if not shared:
        one, other = total(a.values()), total(b.values())
        least_j = one.joules - one.below_j
        if least_j <= 0:
            return None
        low = max(other.joules - other.below_j, 0.0) / (one.joules + one.above_j)
        return low, (other.joules + other.above_j) / least_j
    choices = [
        [(_at(a, key, end), _at(b, key, end)) for end in (-1, 1)] for key in a.keys() | b.keys()
    ]
    if math.fsum(min(ends)[0] for ends in choices) <= 0:
        return None
    return _extreme(choices, -1), _extreme(choices, 1)


def _extreme(choices: list[list[tuple[float, float]]], sign: int) -> float:
    """Return the least (-1) or the most (1) a ratio of two sums may be, one choice of each part.

    Each step takes the choices that are best for the ratio found so far, which only gets better
    (W. Dinkelbach, Management Science 13, 1967).
    """
    ratio = math.fsum(ends[0][1] for ends in choices) / math.fsum(ends[0][0] for ends in choices)
    while True:
        best = [max(ends, key=lambda end: sign * (end[1] - ratio * end[0])) for ends in choices]
        found = math.fsum(end[1] for end in best) / math.fsum(end[0] for end in best)
        if sign * (found - ratio) <= 1e-12 * abs(ratio):
            return found
        ratio = found


def _at(energies: Mapping[str, Interval], key: str, end: int) -> float:
    """Return what a sensor measured if it reads too high (-1), or too low (1), by all it may."""
    energy = energies.get(key)
    if energy is None:
        return 0.0
    return energy.joules + (energy.above_j if end > 0 else -energy.below_j)


def total(intervals: Iterable[Interval]) -> Interval:
    """Add at least one energy, as :func:`monitor.energy.interval.add` does."""
    found = add(intervals)
    assert found is not None
    return found


def per(interval: Interval, count: float) -> Interval:
    """Divide an energy by a count that is known exactly: joules an item, a token.

    :param count: above zero
    """
    return Interval(
        interval.joules / count,
        interval.below_j / count,
        interval.above_j / count,
        interval.random_j / count,
    )
