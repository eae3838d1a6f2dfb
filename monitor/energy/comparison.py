"""Several runs of one thing beside several of another: which took less, as far as runs scatter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitor.energy.difference import Difference, Verdict, difference_by_channel, per, total
from monitor.energy.interval import Z95, Interval, t95
from monitor.energy.parts import fullest

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
"""Drawn by the bootstrap, always the same ones."""

MOST_REPEATS = 10_000
"""A difference that takes more repeats to tell is not told by repeating."""

Run = Mapping[str, Interval]
"""The energy of one run, by the key of the channel that measured it; see
:func:`monitor.energy.parts.run_of`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several runs of one thing took as against several runs of another.

    :param difference: of the means, the second less the first; its scatter is the runs' own
    :param counts: how many runs of each that is of; pairs, if they are paired
    :param left_out: runs of either that are not among them, as other parts were read in them than
      in the others
    :param paired: whether prompt was compared with prompt
    :param parts: the keys of the channels that the runs of each are compared by
    :param repeats_needed: further runs of each that would tell them apart, if they go on as
      they did; 0 if they are told apart, ``None`` if repeating would not do it, or it is not
      known how runs scatter
    """

    difference: Difference
    counts: tuple[int, int]
    left_out: int
    paired: bool
    parts: tuple[frozenset[str], frozenset[str]]
    repeats_needed: int | None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the second took less, or more, or whether that cannot be told.

        ``None`` of two single runs: nothing tells how runs like them scatter.
        """
        return self.difference.verdict if max(self.counts) > 1 else None


def compare(
    a: Sequence[Run],
    b: Sequence[Run],
    *,
    shared: bool,
    paired: bool = False,
    only_second: bool = False,
) -> Comparison | None:
    """Say which of two things took less, and how many more repeats would settle it.

    Runs of the same prompts are compared prompt by prompt: how unlike the prompts are then makes
    no difference, and the scatter is that of the pairs' differences, with Student's t. Otherwise
    both sides are drawn anew, with replacement, and the interval is that of the differences so
    found, at the level that makes up for how narrow a bootstrap of a few runs is (T. C.
    Hesterberg, The American Statistician 69, 2015), and no narrower than Welch's. Of two single
    runs nothing but what sampling adds is known, which is no verdict; a single one against several
    is taken to scatter as they do. The scatter is never taken for less than what sampling adds.
    What the sensors are off by is added as in :func:`difference_by_channel`: repeating does not
    lessen it.

    Runs that were not measured of all that the others were are left out (see
    :func:`monitor.energy.parts.fullest`), never counted as if what is missing had drawn nothing.

    :param a: runs of the first; one without energies was not measured
    :param b: runs of the second; of the same length as ``a`` if they are paired
    :param shared: whether the same machine measured both, so that a key means the same sensor;
      only runs with the same keys are compared then
    :param paired: whether each run of ``b`` answers the same prompt as that of ``a`` in its place
    :param only_second: whether the first cannot be repeated any more, in ``repeats_needed``
    :return: ``None`` if nothing was measured of one of them, or nothing alike of both
    :raises ValueError: if pairs are asked for and one has more runs than the other
    """
    if paired and len(a) != len(b):
        raise ValueError(f"Pairs need as many runs of both; these are {len(a)} and {len(b)}.")
    kept = _alike(a, b, shared, paired)
    found = difference_by_channel(_mean(kept[0]), _mean(kept[1]), shared) if kept else None
    if kept is None or found is None:
        return None
    a_j, b_j = (np.array([total(run.values()).joules for run in runs]) for runs in kept)
    found = replace(found, random_j=max(found.random_j, _scatter_j(a_j, b_j, paired)))
    counts = len(a_j), len(b_j)
    return Comparison(
        difference=found,
        counts=counts,
        left_out=len(a) + len(b) - sum(counts),
        paired=paired,
        parts=(frozenset(kept[0][0]), frozenset(kept[1][0])),
        repeats_needed=_repeats_needed(found, a_j, b_j, paired, only_second),
    )


def _alike(
    a: Sequence[Run], b: Sequence[Run], shared: bool, paired: bool
) -> tuple[Sequence[Run], Sequence[Run]] | None:
    """Return the runs of each that were measured alike; ``None`` if there are none of one."""
    one, other = ([frozenset(run) for run in runs if run] for runs in (a, b))
    if shared:
        common = set(one) & set(other)
        one, other = ([parts for parts in side if parts in common] for side in (one, other))
    if not one or not other:
        return None
    wanted = fullest(one), fullest(other)
    if shared:
        wanted = (fullest([*one, *other]),) * 2
    if paired:
        pairs = [
            pair
            for pair in zip(a, b, strict=True)
            if (frozenset(pair[0]), frozenset(pair[1])) == wanted
        ]
        return ([one for one, _ in pairs], [other for _, other in pairs]) if pairs else None
    first, second = (
        [run for run in runs if run.keys() == parts]
        for runs, parts in zip((a, b), wanted, strict=True)
    )
    return first, second


def _mean(runs: Sequence[Run]) -> Run:
    """Return the mean of runs that all have the same channels."""
    return {key: per(total(run[key] for run in runs), len(runs)) for key in runs[0]}


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


def _repeats_needed(
    found: Difference, a_j: Floats, b_j: Floats, paired: bool, only_second: bool
) -> int | None:
    """Return how many runs more would tell two means apart."""
    if max(len(a_j), len(b_j)) == 1:
        return None
    if found.verdict is not Verdict.CANNOT_TELL:
        return 0
    systematic_j = found.above_j if found.joules < 0 else found.below_j
    margin_j = abs(found.joules) - systematic_j
    now = _width(a_j, b_j, paired, 0, 0)

    def is_told(more: int) -> bool:
        width = _width(a_j, b_j, paired, 0 if only_second else more, more)
        return Z95 * found.random_j * width / now < margin_j

    if not is_told(MOST_REPEATS):
        return None
    low, high = 0, MOST_REPEATS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_told(middle) else (middle, high)
    return high


def _width(a_j: Floats, b_j: Floats, paired: bool, more_a: int, more_b: int) -> float:
    """Return what the interval of a difference grows with, if there were so many runs more."""
    a, b = len(a_j) + more_a, len(b_j) + more_b
    if paired:
        return t95(b - 1) / math.sqrt(b)
    squares = [float(side_j.var(ddof=1)) if len(side_j) > 1 else None for side_j in (a_j, b_j)]
    known = [square for square in squares if square is not None]
    # Where runs agree to the last digit, what is left is sampling, alike on both sides.
    one, other = (max(known) if s is None else s for s in squares) if any(known) else (1.0, 1.0)
    return t95(a + b - 2) * math.sqrt(one / a + other / b)
