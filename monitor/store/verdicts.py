"""What the comparison of a suite's models came to: as it is stored, and as it is read again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """Why a comparison ended."""

    COMPLETE = "complete"
    """All items were done."""

    SETTLED = "settled"
    """Its models were told apart before that."""

    BUDGET = "budget"
    """The budget was spent."""

    UNREADABLE = "unreadable"
    """What was stored of it is damaged."""


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Which of two models does better on a part.

    :param first: its number in the suite's plan; so is ``second``
    :param items: how many both have done
    :param wins: items on which the first did better
    :param losses: items on which the second did
    :param evidence: see :class:`monitor.bench.verdict.Paired`
    :param settled: whether the two are told apart
    :param better: the number of the better one, ``None`` if they are not
    """

    part: str
    first: int
    second: int
    items: int
    wins: int
    losses: int
    evidence: float
    settled: bool
    better: int | None


@dataclass(frozen=True, slots=True)
class SuiteVerdict:
    """What comparing a suite's models came to.

    :param pairs: every two models on every part; none if the budget was spent before
    """

    pairs: tuple[PairVerdict, ...]
    reason: Ending


UNREADABLE = SuiteVerdict((), Ending.UNREADABLE)


def read_verdict(text: str | None, models: int) -> SuiteVerdict | None:
    """Read a stored verdict.

    :param models: how many the suite's plan names
    :return: :data:`UNREADABLE` if it is damaged, or of models that the plan does not name;
      ``None`` if nothing was compared
    """
    if text is None:
        return None
    try:
        found = json.loads(text)
        return SuiteVerdict(
            tuple(_pair(pair, models) for pair in found["pairs"]), Ending(found["reason"])
        )
    except (KeyError, TypeError, ValueError):
        return UNREADABLE


def _pair(values: Mapping[str, Any], models: int) -> PairVerdict:
    """Read one pair.

    :raises KeyError: if something of it is missing
    :raises TypeError: if it is no object
    :raises ValueError: if something of it is something else
    """
    pair = PairVerdict(**{name: values[name] for name in PairVerdict.__dataclass_fields__})
    counts = (pair.first, pair.second, pair.items, pair.wins, pair.losses)
    both = (pair.first, pair.second)
    if not (
        isinstance(pair.part, str)
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and max(both) < models
        and isinstance(pair.evidence, int | float)
        and isinstance(pair.settled, bool)
        and (pair.better in both if pair.settled else pair.better is None)
    ):
        raise ValueError("Some of it is something else than a verdict's.")
    return pair
