"""What an entry's items came to, as columns: to be paired, resampled and added up at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.bench.results import Accuracy, accuracy_from
from monitor.store.standings import RunItems

Floats = NDArray[np.float64]

PAPER_BIT = 32
"""An item's key holds the number of its paper above this bit and its position below."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One value an item, repeats averaged, in the order of keys.

    :param keys: int64, ascending
    :param scores: 0 to 1
    :param joules: NaN where unknown
    """

    keys: NDArray[np.int64]
    scores: Floats
    joules: Floats

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def papers(self) -> NDArray[np.int64]:
        """The number of each item's paper."""
        return self.keys >> PAPER_BIT

    def taken(self, chosen: NDArray[np.intp]) -> "Answers":
        """Return the items at some places."""
        return Answers(self.keys[chosen], self.scores[chosen], self.joules[chosen])


def pool(runs: Sequence[tuple[int, RunItems, bool]]) -> Answers:
    """Average the repeats of every item.

    :param runs: for each, the number of its paper, its items, and whether its joules count
    """
    keys = np.concatenate([(paper << PAPER_BIT) + run.positions for paper, run, _ in runs])
    scores = np.concatenate([run.scores for _, run, _ in runs])
    joules = np.concatenate(
        [run.joules if counts else np.full(len(run.joules), np.nan) for _, run, counts in runs]
    )
    found, place = np.unique(keys, return_inverse=True)
    known = ~np.isnan(joules)
    with np.errstate(invalid="ignore"):
        mean_j = np.bincount(place[known], joules[known], len(found)) / np.bincount(
            place[known], minlength=len(found)
        )
    return Answers(found, np.bincount(place, scores) / np.bincount(place), mean_j)


def shared(a: Answers, b: Answers) -> tuple[Answers, Answers]:
    """Return the items both have done, in the same order."""
    if np.array_equal(a.keys, b.keys):
        return a, b
    _, in_a, in_b = np.intersect1d(a.keys, b.keys, assume_unique=True, return_indices=True)
    return a.taken(in_a), b.taken(in_b)


def weights(answers: Answers) -> Floats:
    """Return what each item adds to the mean of its papers' means; they sum to one."""
    _, place, counts = np.unique(answers.papers, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts[place] * len(counts)), dtype=np.float64)


def mean_score(answers: Answers) -> float:
    """Return the mean of the papers' means of at least one item."""
    return float(weights(answers) @ answers.scores)


def accuracy_of(answers: Answers) -> Accuracy | None:
    """Return the score: the mean of the papers' means, ``None`` without items.

    The interval of several papers puts Wilson's intervals together: each end lies away from the
    mean by the root of the summed squares of the papers' own ends, over their number (R. G.
    Newcombe, Stat. Med. 17, 1998, method 10; G. Y. Zou and A. Donner, Stat. Med. 27, 2008). Of
    one paper it is Wilson's.
    """
    parts = []
    for paper in np.unique(answers.papers):
        of_paper = answers.scores[answers.papers == paper]
        squares = float(of_paper @ of_paper)
        part = accuracy_from(len(of_paper), math.fsum(of_paper.tolist()), squares)
        if part:
            parts.append(part)
    if len(parts) < 2:
        return parts[0] if parts else None
    count = len(parts)
    value = math.fsum(part.value for part in parts) / count
    errors = [part.stderr for part in parts if part.stderr is not None]
    below = math.hypot(*(part.value - part.low for part in parts)) / count
    above = math.hypot(*(part.high - part.value for part in parts)) / count
    return Accuracy(
        value=value,
        stderr=math.hypot(*errors) / count if len(errors) == count else None,
        low=max(value - below, 0.0),
        high=min(value + above, 1.0),
        items=len(answers),
    )
