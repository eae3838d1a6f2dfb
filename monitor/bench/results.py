"""What a run came to: scores with their uncertainty, and figures that lay them beside energy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.energy.interval import Z95
from monitor.figures import J_PER_WH


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of right answers, or a mean of probabilities, with what chance may have done to it.

    :param value: the mean, 0 to 1
    :param stderr: sample standard deviation (n-1) over the root of n, as lm-evaluation-harness
      prints it; ``None`` of a single item
    :param low: lower end of Wilson's 95 % interval
    :param high: upper end
    """

    value: float
    stderr: float | None
    low: float
    high: float
    items: int


def accuracy_of(scores: Sequence[float]) -> Accuracy | None:
    """Return the accuracy of some items' scores, each 0 to 1; ``None`` of none."""
    return accuracy_from(len(scores), math.fsum(scores), math.fsum(s * s for s in scores))


def accuracy_from(items: int, total: float, squares: float) -> Accuracy | None:
    """Return an accuracy from sums over items, so that it can be kept up item by item.

    Wilson's interval (E. B. Wilson, JASA 22, 1927) is for hits and misses; a mean of
    probabilities scatters no more than those, so that for it the interval is on the safe side.

    :param total: the sum of the scores
    :param squares: the sum of their squares
    """
    if not items:
        return None
    mean = total / items
    spread = max(squares - items * mean * mean, 0.0)
    stderr = math.sqrt(spread / (items - 1) / items) if items > 1 else None
    z2 = Z95 * Z95
    middle = (mean + z2 / (2 * items)) / (1 + z2 / items)
    half = Z95 / (1 + z2 / items) * math.sqrt(mean * (1 - mean) / items + z2 / (4 * items**2))
    return Accuracy(mean, stderr, max(middle - half, 0.0), min(middle + half, 1.0), items)


def pooled_stderr(groups: Sequence[Accuracy]) -> float | None:
    """Return the standard error of the mean over all items of some groups, by how they scatter
    within their own group: lm-evaluation-harness's ``pooled_sample_stderr``.

    ``sqrt(sum((n - 1) * var) / (N - groups) / N)``, ``var`` being a group's sample variance;
    ``None`` if no group has two items.
    """
    total = sum(group.items for group in groups)
    free = total - len(groups)
    if free <= 0:
        return None
    known = ((group.items, group.stderr) for group in groups if group.stderr is not None)
    spread = math.fsum((items - 1) * items * stderr**2 for items, stderr in known)
    return math.sqrt(spread / free / total)


@dataclass(frozen=True, slots=True)
class Merit:
    """Figures that lay a score beside its price; ``None`` is "cannot be told", never zero.

    :param joules_per_item: energy over items
    :param joules_per_correct: energy over right answers
    :param wh_per_1000: watt-hours for a thousand such items
    :param points_per_wh: percentage points above chance over the watt-hours of a thousand items
    :param energy_delay_js: joules an item times seconds an item
    :param grams_per_1000: CO2e for a thousand such items
    :param grams_per_correct: CO2e over right answers
    """

    joules_per_item: float | None
    joules_per_correct: float | None
    wh_per_1000: float | None
    points_per_wh: float | None
    energy_delay_js: float | None
    grams_per_1000: float | None
    grams_per_correct: float | None


def merit_of(
    items: int,
    joules: float | None,
    seconds: float,
    grams: float | None,
    accuracy: float | None = None,
    chance: float | None = None,
) -> Merit:
    """Reckon the figures of merit of a run.

    :param items: how many were done
    :param joules: what they cost, ``None`` if not measured
    :param seconds: how long that took
    :param grams: CO2e of that energy
    :param accuracy: share of right answers
    :param chance: what guessing would reach
    """
    if not items or joules is None:
        return Merit(None, None, None, None, None, None, None)
    per_item = joules / items
    wh_per_1000 = per_item * 1000 / J_PER_WH
    correct = accuracy * items if accuracy else 0.0
    points = None
    if accuracy is not None and chance is not None and wh_per_1000:
        points = 100 * (accuracy - chance) / wh_per_1000
    return Merit(
        joules_per_item=per_item,
        joules_per_correct=joules / correct if correct else None,
        wh_per_1000=wh_per_1000,
        points_per_wh=points,
        energy_delay_js=per_item * seconds / items,
        grams_per_1000=grams * 1000 / items if grams is not None else None,
        grams_per_correct=grams / correct if grams is not None and correct else None,
    )
