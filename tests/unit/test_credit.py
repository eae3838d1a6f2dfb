"""What reuse of the context saved."""

import numpy as np
import pytest

from monitor.energy.account import Bill, Total
from monitor.energy.credit import LONG_ENOUGH, credit_of, credit_words
from monitor.energy.forecast import Fit, PastAnswers, fit
from monitor.power.channel import Kind
from tests.unit.builders import CPU, line

PREFILL = Bill((line(CPU, "prefill", 8.0),)).total("prefill")
UNRESOLVED = Bill((line(CPU, "prefill", 8.0, resolved=False),)).total("prefill")
UNKNOWN = Bill((line(CPU, "prefill", None),)).total("prefill")


@pytest.fixture(scope="module")
def earlier() -> Fit:
    tokens = np.arange(100.0, 120.0)
    joules = 0.02 * tokens * np.tile([0.9, 1.1], 10)
    past = PastAnswers(tokens, tokens, joules, joules, np.zeros(20, bool), Kind.MODELLED)
    found = fit(past)
    assert found is not None
    return found


def test_a_long_prompt_is_its_own_measure(earlier: Fit) -> None:
    credit = credit_of(400, 100, PREFILL, earlier)
    assert credit is not None
    assert (credit.energy.joules, credit.kind, credit.is_own) == (32.0, Kind.COUNTER, True)
    assert PREFILL.energy is not None
    # Four times the tokens is four times the doubt.
    assert 32.0 - credit.energy.low_j == pytest.approx(4 * (8.0 - PREFILL.energy.low_j))


@pytest.mark.parametrize(
    ("fresh", "prefill"), [(LONG_ENOUGH - 1, PREFILL), (100, UNRESOLVED), (100, UNKNOWN)]
)
def test_a_short_or_unresolved_one_goes_by_earlier_prompts(
    fresh: int, prefill: Total, earlier: Fit
) -> None:
    credit = credit_of(400, fresh, prefill, earlier)
    assert credit is not None
    assert (credit.kind, credit.is_own) == (Kind.MODELLED, False)
    assert credit.energy.joules == pytest.approx(8.0, rel=0.15)
    assert credit.energy.low_j <= 7.2 * 1.01
    assert credit.energy.high_j >= 8.8 * 0.99
    assert credit_of(400, fresh, prefill, None) is None


def test_nothing_reused_is_no_credit(earlier: Fit) -> None:
    assert credit_of(0, 100, PREFILL, earlier) is None


def test_it_is_said_with_its_kind_and_its_interval() -> None:
    credit = credit_of(400, 100, PREFILL, None)
    assert credit is not None
    words = credit_words(credit)
    assert words.startswith("reused: 400 tokens, about ● 32.0 J (")
    assert words.endswith(" J) saved")
