"""What an answer may take is the least of what it and its day may."""

import math

import pytest

from monitor.energy.budget import Allowance, Budget, BudgetSpent, Spent
from monitor.power.channel import Kind


@pytest.mark.parametrize(
    ("budget", "spent_j", "left_j"),
    [
        (Budget(), 1e9, None),
        (Budget(answer_j=50), 1e9, 50),
        (Budget(day_j=100), 30, 70),
        (Budget(answer_j=50, day_j=100), 30, 50),
        (Budget(answer_j=50, day_j=100), 80, 20),
    ],
)
def test_the_tighter_limit_counts(budget: Budget, spent_j: float, left_j: float | None) -> None:
    assert budget.left_j(Spent(spent_j, Kind.COUNTER, 3, 3)) == left_j


def test_a_day_whose_budget_is_spent_says_how_much_it_was() -> None:
    with pytest.raises(BudgetSpent, match=r"budget of 100 J is spent \(● 100 J so far\)"):
        Budget(day_j=100).left_j(Spent(100.2, Kind.COUNTER, 3, 3))


def test_what_was_drawn_says_how_it_is_known_and_that_it_may_be_more() -> None:
    assert Spent(100.2, Kind.MODELLED, 3, 2, unread=1).words == "≥ ○ 100 J"
    assert Spent(100.2, Kind.MODELLED, 3, 2).words == "○ 100 J", "one that never ran"


def test_a_budget_lasts_as_long_as_the_power_of_late_lets_it() -> None:
    allowance = Allowance(10)
    assert allowance.lasts_s(0, -0.1, 0.1) == math.inf
    assert allowance.lasts_s(2, 1, 1) == pytest.approx(4)
    # Nothing new was read for half a second: it went on at 2 W.
    assert allowance.lasts_s(2, 1, 1.5) == pytest.approx(3.5)
    # Then at 4 W.
    assert allowance.lasts_s(6, 2, 2.25) == pytest.approx(0.75)
    assert allowance.lasts_s(6, 2, 3.1) == 0
    assert allowance.lasts_s(11, 3, 3) == 0
