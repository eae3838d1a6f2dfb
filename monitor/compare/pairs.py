"""Two entries of the leaderboard: which scores better, which takes less, as far as can be told."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.compare.answers import Answers, shared, weights
from monitor.compare.entries import Entry, ItemEnergy
from monitor.energy.difference import Difference, Verdict, difference_by_channel, per, verdict_of
from monitor.energy.interval import Z95, Interval


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """The second score less the first, with its 95 % interval.

    :param items: both have done; 0 if there is none, and the scores were compared as a whole
    :param identical: whether every such item came out the same
    """

    value: float
    low: float
    high: float
    items: int
    identical: bool

    @property
    def verdict(self) -> Verdict:
        """Whether the second scores lower, or higher, or whether that cannot be told."""
        return verdict_of(self.low, self.high)


def score_difference(a: Entry, b: Entry) -> ScoreDifference:
    """Compare two scores item by item, by the items both have done.

    If the two were equal, which of them had the better of an item they differ on would be a coin
    toss, so that the variance of the mean difference is the sum of the weighted squares of the
    items' differences (R. A. Fisher's sign test by randomisation, The Design of Experiments,
    1935). For hits and misses that is McNemar's test (Psychometrika 12, 1947); as the normal
    distribution stands in for the exact one, the interval is widened by the largest single step,
    as A. L. Edwards did (Psychometrika 13, 1948), which keeps the error at or below 5 %: six
    items to none are told apart, five to none are not. The items of a suite's papers are weighed
    so that each paper counts alike.
    """
    first, second = shared(a.answers, b.answers)
    if not len(first):
        return _unpaired(a, b)
    steps = weights(first) * (second.scores - first.scores)
    value = float(steps.sum())
    half = Z95 * math.sqrt(float(steps @ steps)) + float(np.abs(steps).max())
    return ScoreDifference(value, value - half, value + half, len(first), not steps.any())


def _unpaired(a: Entry, b: Entry) -> ScoreDifference:
    """Newcombe's interval for two independent shares (Stat. Med. 17, 1998, method 10)."""
    one, other = a.score, b.score
    value = other.value - one.value
    low = value - math.hypot(other.value - other.low, one.high - one.value)
    high = value + math.hypot(other.high - other.value, one.value - one.low)
    return ScoreDifference(value, low, high, 0, identical=False)


def energy_difference(a: Entry, b: Entry) -> Difference | None:
    """Compare joules an item, by the items both have done; see :func:`difference_by_channel`.

    A single run beside several is taken to scatter as they do, as in
    :func:`monitor.energy.comparison.compare`.

    :return: ``None`` if the two cannot be compared: nothing measured, bills of different methods,
        or on the same machine other components measured
    """
    one, other = a.per_item, b.per_item
    if one is None or other is None or not measured_alike(a, b):
        return None
    first, second = shared(a.answers, b.answers)
    scales = _scale(a.answers, first), _scale(b.answers, second)
    if scales[0] is None or scales[1] is None:
        return None
    found = difference_by_channel(
        _scaled(one, scales[0]), _scaled(other, scales[1]), same_sensors(a, b)
    )
    scatter_j = math.hypot(_scatter_j(one, other) * scales[0], _scatter_j(other, one) * scales[1])
    return found and replace(found, random_j=math.hypot(found.random_j, scatter_j))


def are_single(a: Entry, b: Entry) -> bool:
    """Whether neither was measured more than once: how much such runs scatter is not known."""
    return all(e.per_item is None or e.per_item.runs < 2 for e in (a, b))


def _scatter_j(energy: ItemEnergy, other: ItemEnergy) -> float:
    return energy.scatter_j if energy.runs > 1 else other.scatter_j * math.sqrt(other.runs)


def measured_alike(a: Entry, b: Entry) -> bool:
    """Whether two energies mean the same: billed by one method, of the same components.

    Another machine has other components, and that is its energy all the same.
    """
    one, other = a.per_item, b.per_item
    if one is None or other is None or one.method != other.method:
        return False
    return a.setup.machine_id != b.setup.machine_id or one.domains == other.domains


def same_sensors(a: Entry, b: Entry) -> bool:
    """Whether the same sensors measured both."""
    one, other = a.per_item, b.per_item
    if one is None or other is None:
        return False
    is_here = a.setup.machine_id == b.setup.machine_id
    return is_here and one.channels.keys() == other.channels.keys()


def _scale(whole: Answers, some: Answers) -> float | None:
    """What an item of some costs as against one of all; ``None`` if their joules are unknown."""
    if len(whole) == len(some):
        return 1.0
    if not len(some):
        return None
    all_j, some_j = float(whole.joules.mean()), float(some.joules.mean())
    return some_j / all_j if some_j > 0 and all_j > 0 else None


def _scaled(energy: ItemEnergy, scale: float) -> Mapping[str, Interval]:
    return {key: per(part, 1 / scale) for key, part in energy.channels.items()}


class Pairs:
    """Every two entries, compared when first asked for.

    :param entries: the rows
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._scores: dict[tuple[int, int], ScoreDifference] = {}
        self._energies: dict[tuple[int, int], Difference | None] = {}

    def score(self, first: int, second: int) -> ScoreDifference:
        """Return how the second row's score differs from the first's."""
        key = first, second
        if key not in self._scores:
            self._scores[key] = score_difference(self._entries[first], self._entries[second])
        return self._scores[key]

    def energy(self, first: int, second: int) -> Difference | None:
        """Return how the second row's joules an item differ from the first's."""
        key = first, second
        if key not in self._energies:
            self._energies[key] = energy_difference(self._entries[first], self._entries[second])
        return self._energies[key]

    def energy_verdict(self, first: int, second: int) -> Verdict:
        """Say whether the second row takes less; what cannot be compared cannot be told.

        Nor can two single runs: what sampling adds is not all by which runs differ.
        """
        found = self.energy(first, second)
        is_single = are_single(self._entries[first], self._entries[second])
        return found.verdict if found and not is_single else Verdict.CANNOT_TELL
