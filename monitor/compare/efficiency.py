"""One figure of several, by weights a person sets, and a formula that hides nothing."""

import math
from collections.abc import Mapping, Sequence

from monitor.compare.board import Board
from monitor.compare.columns import COLUMNS, Column, Figure
from monitor.compare.entries import Entry
from monitor.energy.difference import Verdict, verdict_of

WEIGHABLE = ("score", "energy", "speed", "size")
"""Keys of the columns that may be given a weight."""

LOGARITHMIC = {"energy", "size"}
"""Of these halving counts as much anywhere on the scale."""

DEFAULT_WEIGHTS: Mapping[str, float] = {"score": 1.0, "energy": 1.0}


class UnknownWeight(ValueError):
    """A weight that cannot be used; the message says what can."""


def check_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights above zero, if all of them can be used.

    :raises UnknownWeight: if one is unknown or negative, or none is above zero
    """
    listed = ", ".join(WEIGHABLE)
    for name, weight in weights.items():
        if name not in WEIGHABLE:
            raise UnknownWeight(f"There is no weight “{name}”. There are: {listed}.")
        if not (math.isfinite(weight) and weight >= 0):
            raise UnknownWeight(f"The weight of “{name}” should be a number, 0 or more.")
    used = {name: weight for name, weight in weights.items() if weight}
    if not used:
        raise UnknownWeight(f"At least one weight should be above 0. There are: {listed}.")
    return used


def efficiencies(entries: Sequence[Entry], weights: Mapping[str, float]) -> list[float | None]:
    """Return a figure from 0 to 1 for each row: ``sum(weight * share) / sum(weight)``.

    A share says where a figure ``x`` lies between the worst and the best of these rows:
    ``(x - worst) / (best - worst)``, of ``log x`` for energy and size, so that halving them counts
    the same wherever it happens; 1 where all are equal. The figure depends on the rows it is
    reckoned among: it orders them, it measures nothing.

    :return: ``None`` for a row that lacks a figure with a weight
    :raises UnknownWeight: see :func:`check_weights`
    """
    used = check_weights(weights)
    shares = {name: _shares(COLUMNS[name], entries) for name in used}
    found: list[float | None] = []
    for row in range(len(entries)):
        parts = [(weight, shares[name][row]) for name, weight in used.items()]
        known = [weight * share for weight, share in parts if share is not None]
        is_whole = len(known) == len(parts)
        found.append(math.fsum(known) / math.fsum(used.values()) if is_whole else None)
    return found


def _shares(column: Column, entries: Sequence[Entry]) -> list[float | None]:
    values = [_scaled(column, entry) for entry in entries]
    known = [value for value in values if value is not None]
    if not known:
        return values
    worst, best = min(known), max(known)
    return [
        None if value is None else (value - worst) / (best - worst) if best > worst else 1.0
        for value in values
    ]


def _scaled(column: Column, entry: Entry) -> float | None:
    """Return a figure so that more is better; ``None`` where it is unknown."""
    figure = column.figure(entry)
    if figure is None:
        return None
    value = figure.value
    if column.key in LOGARITHMIC:
        if value <= 0:
            return None
        value = math.log(value)
    return value if column.higher_is_better else -value


def efficiency_column(board: Board, weights: Mapping[str, float]) -> Column:
    """Return a column of these figures, to be sorted by.

    Rows tie of which no figure with a weight is told apart.

    :raises UnknownWeight: see :func:`check_weights`
    """
    used = check_weights(weights)
    found = efficiencies(board.entries, weights)
    values = dict(zip((entry.id for entry in board.entries), found, strict=True))

    def figure(entry: Entry) -> Figure | None:
        value = values[entry.id]
        return None if value is None else Figure(value)

    def tell(board: Board, first: int, second: int) -> Verdict:
        a, b = found[first], found[second]
        told = {COLUMNS[name].tell(board, first, second) for name in used}
        if a is None or b is None or told == {Verdict.CANNOT_TELL}:
            return Verdict.CANNOT_TELL
        return verdict_of(b - a, b - a)

    return Column("efficiency", "efficiency", True, figure, tell)


def formula(weights: Mapping[str, float]) -> str:
    """Write how the figure is reckoned, with the weights in it.

    :raises UnknownWeight: see :func:`check_weights`
    """
    used = check_weights(weights)
    terms = " + ".join(f"{weight:g} × share({_term(name)})" for name, weight in used.items())
    return (
        f"efficiency = ({terms}) / {math.fsum(used.values()):g}, "
        "share(x) = (x − worst) / (best − worst) among these rows"
    )


def _term(name: str) -> str:
    return f"log {COLUMNS[name].title}" if name in LOGARITHMIC else COLUMNS[name].title
