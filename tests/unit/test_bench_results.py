"""Scores with their uncertainty, figures of merit, and when two models are told apart."""

import math
import random
from statistics import NormalDist

import numpy as np
import pytest

from monitor.bench.results import accuracy_of, merit_of, pooled_stderr
from monitor.bench.scoring import judge_choices
from monitor.bench.task import LLAMACPP, LMH, Item
from monitor.bench.tasks import TASKS
from monitor.bench.verdict import ERROR, compare, evidence_of
from monitor.engine.messages import ChoiceScore


@pytest.mark.parametrize(
    ("items", "value", "stderr"),
    [(10042, 0.249651, 0.0043193), (1267, 0.516180, 0.0140451), (1172, 0.244881, 0.0125663)],
)
def test_the_standard_error_is_the_reference_harness_own(
    items: int, value: float, stderr: float
) -> None:
    """Stored results of HellaSwag, WinoGrande and ARC-challenge."""
    right = round(items * value)
    accuracy = accuracy_of([1.0] * right + [0.0] * (items - right))
    assert accuracy
    assert accuracy.value == pytest.approx(value, abs=1e-6)
    assert accuracy.stderr == pytest.approx(stderr, abs=5e-8)


def test_subjects_are_pooled_as_the_reference_harness_pools_them() -> None:
    groups = [[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0]]
    found = [accuracy for scores in groups if (accuracy := accuracy_of(scores))]
    spread = sum(sum((s - np.mean(g)) ** 2 for s in g) for g in groups)
    assert pooled_stderr(found) == pytest.approx(math.sqrt(spread / (8 - 3) / 8))
    assert pooled_stderr(found[2:]) is None
    assert pooled_stderr([]) is None


def test_wilsons_interval_is_where_the_score_test_is_just_not_significant() -> None:
    accuracy = accuracy_of([1.0] * 7 + [0.0] * 13)
    assert accuracy
    for end in (accuracy.low, accuracy.high):
        z = abs(accuracy.value - end) / math.sqrt(end * (1 - end) / 20)
        assert z == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-3)


@pytest.mark.parametrize("right", [0, 5])
def test_wilsons_interval_stays_within_the_possible(right: int) -> None:
    accuracy = accuracy_of([1.0] * right + [0.0] * (5 - right))
    assert accuracy
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    assert accuracy.high - accuracy.low > 0.3


def test_of_nothing_nothing_is_said() -> None:
    assert accuracy_of([]) is None
    single = accuracy_of([1.0])
    assert single
    assert single.stderr is None
    merit = merit_of(10, None, 5.0, None, 0.5, 0.25)
    assert (merit.joules_per_item, merit.joules_per_correct, merit.points_per_wh) == (None,) * 3
    assert merit_of(10, 36.0, 5.0, 1.0, 0.0, 0.25).joules_per_correct is None


def test_figures_of_merit_name_their_denominators() -> None:
    """Ten items for 36 J in 5 s, four of them right where guessing gets 2.5."""
    merit = merit_of(10, 36.0, 5.0, 0.004, accuracy=0.4, chance=0.25)
    assert merit.joules_per_item == pytest.approx(3.6)
    assert merit.joules_per_correct == pytest.approx(9.0)
    assert merit.wh_per_1000 == pytest.approx(1.0)
    assert merit.points_per_wh == pytest.approx(15.0)
    assert merit.energy_delay_js == pytest.approx(3.6 * 0.5)
    assert merit.grams_per_1000 == pytest.approx(0.4)
    assert merit.grams_per_correct == pytest.approx(0.001)


# --- judging ---------------------------------------------------------------------------------


def item(*choices: str, gold: tuple[int, ...] = (0,)) -> Item:
    return Item(1, ("Q:",), choices, choices, gold, choices[gold[0]])


def scores(*values: float, tokens: int = 4) -> list[ChoiceScore]:
    return [ChoiceScore(value, tokens, False) for value in values]


def test_by_length_divides_by_characters_and_the_first_of_equals_is_taken() -> None:
    asked = item("a", "a longer answer", gold=(1,))
    judged = judge_choices(TASKS["hellaswag"], asked, LMH, scores(-2.0, -8.0))
    assert (judged.pred, judged.correct) == (0, 0.0)
    assert (judged.pred_norm, judged.correct_norm) == (1, 1.0)
    assert judged.margin == pytest.approx(-8 / 15 + 2)
    tied = judge_choices(TASKS["hellaswag"], item("ab", "cd"), LMH, scores(-3.0, -3.0))
    assert (tied.pred, tied.pred_norm) == (0, 0)


def test_llama_cpps_protocol_divides_by_tokens() -> None:
    found = [ChoiceScore(-4.0, 1, False), ChoiceScore(-6.0, 3, False)]
    judged = judge_choices(TASKS["hellaswag"], item("x", "y", gold=(1,)), LLAMACPP, found)
    assert (judged.pred, judged.correct, judged.pred_norm) == (1, 1.0, None)


def test_the_mass_of_the_true_answers_holds_for_any_range() -> None:
    asked = item("t1.", "t2.", "f1.", gold=(0, 1))
    values = (-1000.0, -1001.0, -1000.5)
    judged = judge_choices(TASKS["truthfulqa_mc2"], asked, LMH, scores(*values))
    weights = np.exp(np.array(values) + 1000)
    assert judged.correct == pytest.approx(weights[:2].sum() / weights.sum())
    assert judged.correct_norm is None


# --- telling apart ---------------------------------------------------------------------------


def test_only_items_both_have_done_and_answer_otherwise_count() -> None:
    first = {0: 1.0, 1: 1.0, 2: 0.0, 3: 1.0, 9: 1.0}
    second = {0: 1.0, 1: 0.0, 2: 1.0, 3: 0.0, 8: 1.0}
    paired = compare(first, second)
    assert (paired.items, paired.wins, paired.losses) == (4, 2, 1)
    # 2**3 / (4 * C(3, 2))
    assert paired.evidence == pytest.approx(8 / 12)
    assert not paired.is_settled
    assert compare(dict.fromkeys(range(8), 1.0), dict.fromkeys(range(8), 0.0)).is_settled


def test_equal_models_are_seldom_told_apart_however_often_one_looks() -> None:
    """Looking after every single item, wrong verdicts stay below the promised share."""
    generator = random.Random(7)
    wrong = 0
    for _ in range(400):
        wins = losses = 0
        for _ in range(300):
            if generator.random() < 0.5:
                wins += 1
            else:
                losses += 1
            if evidence_of(wins, losses) >= 1 / ERROR:
                wrong += 1
                break
    assert wrong / 400 <= ERROR + 0.02


def test_a_better_model_is_found_with_few_items() -> None:
    generator = random.Random(3)
    first = {n: float(generator.random() < 0.8) for n in range(400)}
    second = {n: float(generator.random() < 0.6) for n in range(400)}
    for done in (16, 32, 64, 128, 256):
        paired = compare(
            {n: s for n, s in first.items() if n < done},
            {n: s for n, s in second.items() if n < done},
        )
        if paired.is_settled:
            assert paired.wins > paired.losses
            return
    pytest.fail("not told apart within 256 items")
