"""How much energy answers may take, as a person decides it."""

from dataclasses import dataclass

from monitor import figures


class BudgetSpent(Exception):
    """Nothing is left of today's budget; the message says how much it was."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Joules of prefill and decode at most; ``None`` is no limit.

    :param answer_j: of one answer
    :param day_j: of all queries of a day together, on the clock of this machine
    """

    answer_j: float | None = None
    day_j: float | None = None

    def left_j(self, spent_j: float) -> float | None:
        """Return what the next answer may take, ``None`` for as much as it likes.

        :param spent_j: today's queries so far
        :raises BudgetSpent: if nothing is left of today's
        """
        if self.day_j is not None and spent_j >= self.day_j:
            raise BudgetSpent(
                f"Today's budget of {figures.energy(self.day_j)} is spent "
                f"({figures.energy(spent_j)} so far). Raise it, or go on tomorrow."
            )
        left = [self.answer_j, None if self.day_j is None else self.day_j - spent_j]
        return min((joules for joules in left if joules is not None), default=None)
