"""The Pareto frontier: entries that no other beats in score and energy at once."""

from collections.abc import Sequence
from enum import StrEnum

from monitor.compare.board import Board
from monitor.compare.entries import Entry
from monitor.energy.difference import Verdict


class Place(StrEnum):
    """Where an entry lies as against the frontier."""

    ON = "on"
    """No other scores as well for as little energy."""
    MAY_BE = "may be"
    """Another does by its figures, but their intervals cannot tell."""
    OFF = "off"


def frontier(board: Board) -> list[Place | None]:
    """Return the place of each row; ``None`` of a row without an energy.

    A row is off the frontier only if some other is told apart from it as taking less and, as
    well, as scoring better (or answers every item the same).
    """
    rows = range(len(board.entries))
    return [_place(board, row, rows) if board.entries[row].per_item else None for row in rows]


def _place(board: Board, row: int, rows: Sequence[int]) -> Place:
    others = [other for other in rows if other != row and board.entries[other].per_item]
    beaten = [o for o in others if _dominates(board.entries[o], board.entries[row])]
    if not beaten:
        return Place.ON
    is_off = any(_surely_dominates(board, other, row) for other in beaten)
    return Place.OFF if is_off else Place.MAY_BE


def _point(entry: Entry) -> tuple[float, float]:
    assert entry.per_item is not None
    return entry.score.value, -entry.per_item.energy.joules


def _dominates(one: Entry, other: Entry) -> bool:
    """Whether one is at least as good in both by its figures, and better in one of them."""
    a, b = _point(one), _point(other)
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def _surely_dominates(board: Board, one: int, other: int) -> bool:
    score = board.pairs.score(other, one)
    is_as_good = score.identical or score.verdict is Verdict.HIGHER
    return is_as_good and board.pairs.energy_verdict(other, one) is Verdict.LOWER
