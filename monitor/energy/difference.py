"""Two energies laid side by side: which took less, and whether that can be told at all."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from monitor.energy.interval import Z95, Interval, add, t95

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
"""Drawn by the bootstrap, always the same ones."""

MOST_REPEATS = 10_000
"""A difference that takes more repeats to tell is not told by repeating."""

Run = Mapping[str, Interval]
"""The energy of one run, by the key of the channel that measured it."""


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several runs of one thing took as against several runs of another.

    :param difference: of the means, the second less the first; its scatter is the runs' own
    :param repeats_needed: further runs of each that would tell them apart, if they go on as
      they did; 0 if they are told apart, ``None`` if repeating would not do it
    """

    difference: Difference
    repeats_needed: int | None

    @property
    def verdict(self) -> Verdict:
        """Whether the second took less, or more, or whether that cannot be told."""
        return self.difference.verdict


def compare(
    a: Sequence[Run], b: Sequence[Run], *, shared: bool, paired: bool = False
) -> Comparison | None:
    """Say which of two things took less, and how many more repeats would settle it.

    Runs of the same prompts are compared prompt by prompt: how unlike the prompts are then makes
    no difference, and the scatter is that of the pairs' differences, with Student's t. Otherwise
    both sides are drawn anew, with replacement, and the interval is that of the differences so
    found, at the level that makes up for how narrow a bootstrap of a few runs is (T. C.
    Hesterberg, The American Statistician 69, 2015), and no narrower than Welch's. Of two single
    runs nothing but what sampling adds is known; a single one against several is taken to
    scatter as they do. The scatter
    is never taken for less than what sampling adds. What the sensors are off by is added as in
    :func:`difference_by_channel`: repeating does not lessen it.

    :param a: runs of the first
    :param b: runs of the second; of the same length as ``a`` if they are paired
    :param shared: whether the same sensors of the same machine measured both
    :param paired: whether each run of ``b`` answers the same prompt as that of ``a`` in its place
    :return: ``None`` if nothing was measured of one of them
    :raises ValueError: if pairs are asked for and one has more runs than the other
    """
    if paired and len(a) != len(b):
        raise ValueError(f"Pairs need as many runs of both; these are {len(a)} and {len(b)}.")
    if not all(a) or not all(b):
        return None
    found = difference_by_channel(_mean(a), _mean(b), shared) if a and b else None
    if found is None:
        return None
    a_j, b_j = (np.array([total(run.values()).joules for run in runs]) for runs in (a, b))
    found = replace(found, random_j=max(found.random_j, _scatter_j(a_j, b_j, paired)))
    return Comparison(found, _repeats_needed(found, min(len(a), len(b)), paired))


def _mean(runs: Sequence[Run]) -> Run:
    keys = set().union(*runs)
    return {
        key: per(total(run[key] for run in runs if key in run), len(runs)) for key in sorted(keys)
    }


def _scatter_j(a_j: Floats, b_j: Floats, paired: bool) -> float:
    """Return a 1.96th of half the interval of the difference of two means, by their runs."""
    fewest, most = sorted((len(a_j), len(b_j)))
    if most == 1:
        return 0.0
    if fewest == 1:
        # A single run is taken to scatter as the others do.
        several_j = max(a_j, b_j, key=len)
        deviation_j = float(several_j.std(ddof=1)) * math.sqrt(1 + 1 / most)
        return t95(most - 1) * deviation_j / Z95
    if paired:
        deviation_j = float((b_j - a_j).std(ddof=1))
        return t95(most - 1) * deviation_j / math.sqrt(most) / Z95
    return max(_bootstrap_half_j(a_j, b_j), _welch_half_j(a_j, b_j)) / Z95


def _bootstrap_half_j(a_j: Floats, b_j: Floats) -> float:
    """Return the wider half of the bootstrap's interval of the difference of two means."""
    rng = np.random.default_rng(0)
    drawn_j = [
        side_j[rng.integers(0, len(side_j), (RESAMPLES, len(side_j)))].mean(axis=1)
        for side_j in (a_j, b_j)
    ]
    fewest = min(len(a_j), len(b_j))
    # The bootstrap's variance lacks the factor n/(n - 1), its quantiles the tails of Student's t.
    level = t95(fewest - 1) * math.sqrt(fewest / (fewest - 1))
    tail = math.erfc(level / math.sqrt(2)) / 2
    ends_j = np.quantile(drawn_j[1] - drawn_j[0], [tail, 1 - tail])
    return float(np.max(np.abs(ends_j - (b_j.mean() - a_j.mean()))))


def _welch_half_j(a_j: Floats, b_j: Floats) -> float:
    """Return half the interval of the difference of two means (B. L. Welch, Biometrika 34, 1947).

    Of two or three runs each the bootstrap can draw too few different means; this one can tell.
    """
    squares = [float(side_j.var(ddof=1)) / len(side_j) for side_j in (a_j, b_j)]
    if not any(squares):
        return 0.0
    parts = [s**2 / (len(side_j) - 1) for s, side_j in zip(squares, (a_j, b_j), strict=True)]
    freedom = math.floor(sum(squares) ** 2 / sum(parts) + 1e-9)
    return t95(freedom) * math.sqrt(sum(squares))


def _repeats_needed(found: Difference, count: int, paired: bool) -> int | None:
    """Return how many runs more of each side would tell two means apart."""
    if found.verdict is not Verdict.CANNOT_TELL:
        return 0
    systematic_j = found.above_j if found.joules < 0 else found.below_j
    margin_j = abs(found.joules) - systematic_j
    if margin_j <= 0:
        return None

    def half_width_j(runs: int) -> float:
        """Of the interval if there were so many runs, by what there is of them now."""
        narrower = math.sqrt(count / runs)
        if count > 1:
            freedom = 1 if paired else 2
            narrower *= t95(freedom * (runs - 1)) / t95(freedom * (count - 1))
        return Z95 * found.random_j * narrower

    if half_width_j(MOST_REPEATS) >= margin_j:
        return None
    low, high = count, MOST_REPEATS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width_j(middle) < margin_j else (middle, high)
    return high - count
