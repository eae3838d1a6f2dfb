"""Ranks that claim no more than the figures can tell."""

from dataclasses import dataclass

from monitor.compare.board import Board
from monitor.compare.columns import Column, Figure
from monitor.energy.difference import Verdict


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row in its place.

    :param row: its place in ``Board.entries``
    :param rank: one more than the number of rows told apart from it as better; ``None`` where the
      figure is not known
    :param tied: places of the rows that cannot be told apart from it
    """

    row: int
    rank: int | None
    tied: tuple[int, ...]
    figure: Figure | None

    @property
    def label(self) -> str:
        """The rank as a table shows it: ``2``, or ``2=`` where others share it or might."""
        if self.rank is None:
            return ""
        return f"{self.rank}=" if self.tied else str(self.rank)


def rank(board: Board, column: Column) -> list[Ranked]:
    """Order the rows by a column, the best first, those without a figure last.

    Each two are compared at 95 %, whatever their number: of twenty comparisons of equals one is
    to be expected to come out as a difference.
    """
    figures = [column.figure(entry) for entry in board.entries]
    known = [row for row, figure in enumerate(figures) if figure is not None]
    better = Verdict.HIGHER if column.higher_is_better else Verdict.LOWER
    ranked = []
    for row, figure in enumerate(figures):
        if figure is None:
            ranked.append(Ranked(row, None, (), None))
            continue
        verdicts = {other: _tell(board, column, row, other) for other in known if other != row}
        ahead = sum(verdict is better for verdict in verdicts.values())
        tied = tuple(other for other, v in verdicts.items() if v is Verdict.CANNOT_TELL)
        ranked.append(Ranked(row, ahead + 1, tied, figure))
    sign = -1 if column.higher_is_better else 1
    return sorted(
        ranked, key=lambda r: (r.figure is None, sign * r.figure.value if r.figure else 0.0)
    )


def _tell(board: Board, column: Column, row: int, other: int) -> Verdict:
    """Compare each two once, whichever is asked of the other."""
    if row < other:
        return column.tell(board, row, other)
    return column.tell(board, other, row).turned
