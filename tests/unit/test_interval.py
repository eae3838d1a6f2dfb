"""Energies with their doubt: what a bill's error bars are made of."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.interval import Z95, Interval, add

amounts = st.floats(0.0, 1e6)
intervals = st.builds(Interval, amounts, amounts, amounts, amounts)


def test_ends_join_both_doubts() -> None:
    energy = Interval(joules=100.0, below_j=10.0, above_j=20.0, random_j=5.0)
    assert energy.low_j == pytest.approx(100.0 - 10.0 - 1.96 * 5.0)
    assert energy.high_j == pytest.approx(100.0 + 20.0 + 1.96 * 5.0)


@given(intervals)
def test_low_is_never_negative_and_never_above_the_estimate(energy: Interval) -> None:
    assert 0.0 <= energy.low_j <= energy.joules <= energy.high_j


def test_systematic_doubts_add_linearly_and_random_ones_in_quadrature() -> None:
    total = add([Interval(100.0, 6.0, 8.0, 3.0), Interval(50.0, 2.0, 1.0, 4.0)])
    assert total == Interval(joules=150.0, below_j=8.0, above_j=9.0, random_j=5.0)


@given(st.lists(intervals, min_size=1, max_size=6))
def test_a_sum_is_surer_than_its_ends_added_but_not_than_its_systematic_part(
    parts: list[Interval],
) -> None:
    total = add(parts)
    assert total is not None
    assert total.joules == pytest.approx(math.fsum(part.joules for part in parts))
    added_high_j = math.fsum(part.high_j for part in parts)
    assert total.high_j <= added_high_j * (1 + 1e-9)
    above_j = math.fsum(part.above_j for part in parts)
    assert total.high_j - total.joules >= above_j * (1 - 1e-9) - 1e-9
    assert total.random_j >= max(part.random_j for part in parts) * (1 - 1e-9)


def test_nothing_adds_to_nothing_rather_than_zero() -> None:
    assert add([]) is None


def test_the_interval_is_the_95_percent_one() -> None:
    assert math.erf(Z95 / math.sqrt(2)) == pytest.approx(0.95, abs=1e-3)
