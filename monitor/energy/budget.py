"""How much energy answers may take, as a person decides it."""

import math
from dataclasses import dataclass

from monitor import figures
from monitor.power.channel import Kind
from monitor.problem import Problem


class BudgetSpent(Problem):
    """Nothing is left of today's budget; the message says how much it was."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What queries have drawn together.

    :param energy_j: of those that were measured
    :param kind: the weakest among them, ``None`` if nothing was measured
    :param queries: how many there were
    :param measured: of how many the joules are known
    :param partly_read: how many of these lack a part that was not read
    :param unread: how many ran, but nothing was read of them
    """

    energy_j: float = 0.0
    kind: Kind | None = None
    queries: int = 0
    measured: int = 0
    partly_read: int = 0
    unread: int = 0

    @property
    def words(self) -> str:
        """The sum with its mark; as the least it can be where not all was read."""
        shown = figures.marked(self.kind, figures.energy(self.energy_j))
        return figures.at_least(shown, self.partly_read + self.unread > 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """Joules of prefill and decode at most; ``None`` is no limit.

    :param answer_j: of one answer
    :param day_j: of all queries of a day together, on the clock of this machine
    """

    answer_j: float | None = None
    day_j: float | None = None

    def left_j(self, spent: Spent) -> float | None:
        """Return what the next answer may take, ``None`` for as much as it likes.

        :param spent: today's queries so far
        :raises BudgetSpent: if nothing is left of today's
        """
        if self.day_j is not None and spent.energy_j >= self.day_j:
            raise BudgetSpent(
                f"Today's budget of {figures.energy(self.day_j)} is spent "
                f"({spent.words} so far). Raise it, or go on tomorrow."
            )
        left = [self.answer_j, None if self.day_j is None else self.day_j - spent.energy_j]
        return min((joules for joules in left if joules is not None), default=None)


class Allowance:
    """How long a budget will last, told again and again while it is being spent.

    :param budget_j: joules of one answer
    """

    def __init__(self, budget_j: float) -> None:
        self._budget_j = budget_j
        self._spent_j = self._read_s = self._power_w = 0.0

    def lasts_s(self, spent_j: float, read_s: float, now_s: float) -> float:
        """Return the seconds until it is spent at the power of late; 0 once it is.

        :param spent_j: what has been measured
        :param read_s: until when, in seconds since the answer began
        :param now_s: the present in the same seconds; what is not read yet is taken to go on
        """
        if read_s > self._read_s:
            self._power_w = max((spent_j - self._spent_j) / (read_s - self._read_s), 0.0)
            self._spent_j, self._read_s = spent_j, read_s
        left_j = self._budget_j - spent_j - self._power_w * max(now_s - read_s, 0.0)
        if left_j <= 0:
            return 0.0
        return left_j / self._power_w if self._power_w else math.inf
