"""Good enough: the entry that takes least energy within some points of the best score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.compare.answers import mean_score, shared, weights
from monitor.compare.board import Board
from monitor.compare.entries import Entry
from monitor.compare.pairs import ScoreDifference, are_single
from monitor.energy.difference import Difference
from monitor.figures import energy as energy_text
from monitor.figures import marked

RESAMPLES = 4000

SEED = 20_240_229
"""Fixed, so that the same results always give the same confidence."""

SURE = 0.95
"""A statement less likely than that is not made."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What is good enough, and how sure that is.

    :param points: percentage points a score may lie below the best
    :param best: the row of the best score
    :param row: the row picked; the best's own if nothing takes less
    :param labels: of both, as the board tells rows apart
    :param score: how its score differs from the best's, by the items both have done
    :param scores: of both: by those items, if it is another than the best
    :param is_by_shared: whether that leaves out items that only one of them has done
    :param is_single: whether neither was run more than once, so that it is not known how much
      their energies scatter
    :param energy: how its joules an item do; ``None`` if it is the best itself
    :param confidence: probability that it is within the points and takes less; ``None`` if it is
      the best itself
    """

    points: float
    best: int
    row: int
    best_entry: Entry
    entry: Entry
    labels: tuple[str, str]
    score: ScoreDifference | None
    scores: tuple[float, float]
    is_by_shared: bool
    is_single: bool
    energy: Difference | None
    confidence: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the statement may be made."""
        is_likely = self.confidence is not None and self.confidence >= SURE
        return is_likely and not self.is_single

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        within = f"Within {self.points:g} {'point' if self.points == 1 else 'points'} of the best "
        within += f"({self.labels[0]}, {100 * self.scores[0]:.1f} %)"
        found = self.entry.per_item
        if found is None:
            return f"{within}, nothing can be said: the best's energy is not known."
        if self.energy is None or self.confidence is None or self.score is None:
            least = marked(found.kind, f"{energy_text(found.energy.joules)} an item")
            return f"{within}, nothing is known to take less energy than the best itself, {least}."
        least_j = self.energy.base.joules + self.energy.joules
        least = marked(found.kind, f"{energy_text(least_j)} an item")
        said = (
            f"{within}, the least energy is {self.labels[1]}'s "
            f"({100 * self.scores[1]:.1f} %): {least}"
        )
        if self.is_by_shared:
            said = f"By the {self.score.items} items both have done: {said[0].lower()}{said[1:]}"
        if saving := self.energy.relative:
            low, value, high = (
                _hundredths(-each) for each in (saving.high, saving.value, saving.low)
            )
            said += f", saving {value} % ({low} to {high} %)"
        percent = min(int(100 * self.confidence), 99)
        if self.confidence < SURE:
            return f"{said}; but these results cannot tell: it is {percent} % sure only."
        if self.is_single:
            return (
                f"{said}; that is {percent} % sure but for how runs scatter, which one run of each "
                "does not tell: repeat them."
            )
        return f"{said}; that is {percent} % sure."


def _hundredths(percent: float) -> str:
    """Write a percentage, a small one to its tenth."""
    told = f"{percent:.1f}" if abs(percent) < 9.95 else f"{percent:.0f}"
    return "0.0" if told == "-0.0" else told.replace("-", "−")


def pick_good_enough(board: Board, points: float) -> Pick | None:
    """Return the entry of least energy whose score is no more than some points below the best.

    :param points: percentage points, 0 or more
    :return: ``None`` without entries
    """
    if not board.entries:
        return None
    best = max(range(len(board.entries)), key=lambda row: board.entries[row].score.value)
    saving: list[tuple[float, int]] = []
    for row in range(len(board.entries)):
        difference = board.pairs.energy(best, row)
        is_near = board.pairs.score(best, row).value >= -points / 100 - 1e-12
        if row != best and difference and difference.joules < 0 and is_near:
            saving.append((difference.joules, row))
    if not saving:
        entry, label = board.entries[best], board.labels[best]
        scores = (entry.score.value,) * 2
        return Pick(
            points, best, best, entry, entry, (label,) * 2, None, scores, False, False, None, None
        )
    _, row = min(saving)
    difference = board.pairs.energy(best, row)
    assert difference is not None
    first, entry = board.entries[best], board.entries[row]
    both = shared(first.answers, entry.answers)
    return Pick(
        points=points,
        best=best,
        row=row,
        best_entry=first,
        entry=entry,
        labels=(board.labels[best], board.labels[row]),
        score=board.pairs.score(best, row),
        scores=(mean_score(both[0]), mean_score(both[1])),
        is_by_shared=any(len(both[0]) < len(each.answers) for each in (first, entry)),
        is_single=are_single(first, entry),
        energy=difference,
        confidence=confidence_of(first, entry, difference, points),
    )


def confidence_of(best: Entry, entry: Entry, difference: Difference, points: float) -> float:
    """Return how likely an entry is within some points of the best and takes less energy.

    The items both have done are drawn again with replacement, always the pair of answers
    together, within each paper (paired bootstrap: B. Efron and R. J. Tibshirani, 1993). With each
    draw goes one of the energies' difference: its random part from a normal distribution, its
    systematic part from a uniform one between its ends, as nothing more is known of it (JCGM
    100:2008, 4.3.7). Two of the largest single steps are asked for on top of the points: one as
    scores move in steps (the correction for continuity), one as drawing again cannot tell of a
    loss that was not met yet (Laplace's rule of succession: one loss more). That the entry was
    chosen for its figures is not allowed for: among many nearly alike the confidence is a little
    too high.
    """
    random = np.random.default_rng(SEED)
    first, second = shared(best.answers, entry.answers)
    if not len(first):
        return 0.0
    each, papers, steps = weights(first), first.papers, second.scores - first.scores
    value = np.full(RESAMPLES, -2 * float(np.abs(each * steps).max()))
    for paper in np.unique(papers):
        chosen = papers == paper
        value += each[chosen].sum() * _resampled_means(steps[chosen], random)
    joules = difference.joules + difference.random_j * random.standard_normal(RESAMPLES)
    joules += random.uniform(-difference.below_j, difference.above_j, RESAMPLES)
    return float(np.mean((value >= -points / 100 - 1e-12) & (joules < 0)))


def _resampled_means(
    steps: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return bootstrap means. How often each distinct value is drawn says as much as the draws."""
    values, counts = np.unique(steps, return_counts=True)
    draws = random.multinomial(len(steps), counts / len(steps), size=RESAMPLES)
    return np.asarray(draws @ values / len(steps), dtype=np.float64)
