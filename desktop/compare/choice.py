"""What a person has chosen on the compare page, kept from one day to the next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from monitor.compare.board import Board
from monitor.compare.columns import COLUMNS, Column, find_column
from monitor.compare.efficiency import DEFAULT_WEIGHTS, check_weights, efficiency_column

PREFERENCE = "compare"

EFFICIENCY = "efficiency"
"""Key of the column whose figures are weighted as a person sets them."""

MOST_POINTS = 10.0


class View(StrEnum):
    """What the page shows."""

    BOARD = "leaderboard"
    PLANE = "plane"
    SIDES = "sides"


class Grouping(StrEnum):
    """What the leaderboard's rows are put together by."""

    NOTHING = "nothing"
    FAMILY = "family"
    QUANTISATION = "quantisation"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Choice:
    """All of it.

    :param exam: key of what is compared by; ``None`` is what most have done
    :param machine: identifier of the only machine shown; ``None`` is all
    :param hidden: names of models that are left out; one that is new is shown
    :param sort: key of the column that ranks
    :param is_reversed: whether the worst comes first
    :param points: percentage points a score may lie below the best
    :param is_log: whether halving an energy is the same way everywhere on the plane
    """

    exam: str | None = None
    machine: str | None = None
    hidden: tuple[str, ...] = ()
    sort: str = "score"
    is_reversed: bool = False
    grouping: Grouping = Grouping.NOTHING
    points: float = 2.0
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    is_log: bool = True
    view: View = View.BOARD

    def column(self, board: Board) -> Column:
        """Return the column that ranks."""
        if self.sort == EFFICIENCY:
            return efficiency_column(board, self.weights)
        return find_column(self.sort)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold. Nothing is laid side by side when the program starts."""
        return {**asdict(self), "view": View.BOARD if self.view is View.SIDES else self.view}

    @classmethod
    def from_json(cls, kept: Any) -> "Choice":
        """Read :meth:`to_json`; what is not understood is as it is at first."""
        try:
            made = cls(
                exam=kept["exam"],
                machine=kept["machine"],
                hidden=tuple(map(str, kept["hidden"])),
                sort=str(kept["sort"]),
                is_reversed=bool(kept["is_reversed"]),
                grouping=Grouping(kept["grouping"]),
                points=min(max(float(kept["points"]), 0.0), MOST_POINTS),
                weights=check_weights(kept["weights"]),
                is_log=bool(kept["is_log"]),
                view=View(kept["view"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()
        return made if made.sort in (*COLUMNS, EFFICIENCY) else cls()
