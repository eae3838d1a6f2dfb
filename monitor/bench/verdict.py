"""Telling two models apart: item by item, and no longer than it takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.store.bench_records import ItemRecord

ERROR = 0.05
"""How often two equal models may be called different, however often one looks."""


@dataclass(frozen=True, slots=True)
class Paired:
    """The same items put to two models.

    :param items: how many both have done
    :param wins: items on which the first did better
    :param losses: items on which the second did
    :param evidence: how much likelier the outcomes are if the two differ than if they do not
    """

    items: int
    wins: int
    losses: int
    evidence: float

    @property
    def is_settled(self) -> bool:
        """Whether the two are told apart."""
        return self.evidence >= 1 / ERROR


def compare(first: Mapping[int, float], second: Mapping[int, float]) -> Paired:
    """Compare two runs' scores by item; items only one has done do not count.

    :param first: score by position
    :param second: likewise
    """
    both = first.keys() & second.keys()
    wins = sum(first[position] > second[position] for position in both)
    losses = sum(first[position] < second[position] for position in both)
    return Paired(len(both), wins, losses, evidence_of(wins, losses))


def evidence_of(wins: int, losses: int) -> float:
    """Return how much likelier some wins and losses are if two models differ than if they do not.

    Items on which equal models differ are coin tosses. The evidence is the ratio of the tosses'
    likelihood under every other bias, all alike, to that of a fair coin:
    ``2**n / ((n + 1) * C(n, k))``. By Ville's inequality it exceeds 20 with a probability of 5 %
    at most in the whole course of a fair series, so that one may look after every item and stop
    when it does (H. Robbins, Ann. Math. Stat. 41, 1970; J. Ville, 1939).
    """
    tosses = wins + losses
    odds = tosses * math.log(2) - math.log(tosses + 1) - math.log(math.comb(tosses, wins))
    return math.exp(min(odds, 700.0))


@dataclass(frozen=True, slots=True)
class Flip:
    """An item on which two runs differ.

    :param gained: the second run has it right and the first has not
    :param by_length: whether the measure by length is the one that is printed
    """

    item: ItemRecord
    other: ItemRecord
    gained: bool
    by_length: bool

    @property
    def taken(self) -> list[int | str | None]:
        """What each of the two runs took for the answer, in the measure that is printed."""
        return [taken(item, self.by_length) for item in (self.item, self.other)]


def printed(item: ItemRecord, by_length: bool) -> float | None:
    """Return the score leaderboards print for an item: by length where the task is printed so."""
    is_normed = by_length and item.correct_norm is not None
    return item.correct_norm if is_normed else item.correct


def taken(item: ItemRecord, by_length: bool) -> int | str | None:
    """Return what a model took for the answer, in the measure that :func:`printed` takes: the
    index of a choice, or what was found in a written answer."""
    is_normed = by_length and item.correct_norm is not None
    return item.pred_norm if is_normed else item.pred


def is_right(item: ItemRecord, by_length: bool) -> bool | None:
    """Whether an item counts as answered rightly; ``None`` where nothing is judged.

    Of a probability mass, whether the likeliest choice is a right one.
    """
    score = printed(item, by_length)
    if score is None:
        return None
    return score == 1 if score in (0, 1) else item.pred in item.gold


def flips(first: Sequence[ItemRecord], second: Sequence[ItemRecord], by_length: bool) -> list[Flip]:
    """Return the items on which two runs of the same questions differ."""
    others = {item.position: item for item in second}
    found = []
    for item in first:
        other = others.get(item.position)
        if other is None:
            continue
        before, after = is_right(item, by_length), is_right(other, by_length)
        if before is not None and after is not None and before != after:
            found.append(Flip(item, other, after, by_length))
    return found
