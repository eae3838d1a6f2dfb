"""Ranks, frontier, picks, weights and cascades, of entries made by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.bench.results import accuracy_of as plain_accuracy
from monitor.bench.task import LLAMACPP
from monitor.compare.answers import PAPER_BIT, Answers, accuracy_of, pool
from monitor.compare.board import Board
from monitor.compare.cascade import Cascade, CascadePoint, foremost, lead_of, sweep, thin
from monitor.compare.columns import COLUMNS, UnknownColumn, find_column
from monitor.compare.efficiency import UnknownWeight, efficiencies, efficiency_column, formula
from monitor.compare.entries import Entry, ItemEnergy
from monitor.compare.exams import Exam, Paper
from monitor.compare.frontier import Place, frontier
from monitor.compare.pairs import Pairs, energy_difference, score_difference
from monitor.compare.pick import pick_good_enough
from monitor.compare.ranks import Ranked, rank
from monitor.energy.difference import Verdict
from monitor.energy.interval import Interval
from monitor.engine.messages import ChoiceScore
from monitor.power.channel import Kind
from monitor.store.standings import RunItems, Setup
from tests.unit.test_bench_store import item

PAPER = Paper("hellaswag", "lmh", 0, "dd", "")
EXAM = Exam("hellaswag-abc", "HellaSwag", (PAPER,), "", 2, "2026-01-01")
SETUP = Setup("here", "laptop", "tiny", "Q4_0", "aa", "llama", 1000, 500, "0.3", 2, 0, None)


def answers(scores: Sequence[float], joules: float = 1.0, paper: int = 0) -> Answers:
    keys = (paper << PAPER_BIT) + np.arange(len(scores), dtype=np.int64)
    return Answers(keys, np.array(scores, float), np.full(len(scores), joules))


def item_energy(joules: float, random_j: float = 0.01, key: str = "rapl:0") -> ItemEnergy:
    energy = Interval(joules, 0.05 * joules, 0.05 * joules, random_j)
    return ItemEnergy(
        energy, {key: energy}, frozenset({"cpu"}), 0.0, 5, Kind.COUNTER, True, 1, joules / 1e4
    )


def entry(
    name: str, scores: Sequence[float] | Answers, joules: float | None = 1.0, **changes: Any
) -> Entry:
    found = scores if isinstance(scores, Answers) else answers(scores, joules or math.nan)
    score = accuracy_of(found)
    assert score
    made = Entry(
        id=name, setup=replace(SETUP, model=name), run_ids=(name,), left_out=0,
        started_at="2026-01-01", score=score, answers=found,
        per_item=None if joules is None else item_energy(joules),
        per_token=None, per_token_kind=None, tokens_per_s=None,
    )  # fmt: skip
    return replace(made, **changes)


def board(*entries: Entry) -> Board:
    return Board(EXAM, entries, Pairs(entries))


def right(count: int, of: int = 100) -> list[float]:
    return [1.0] * count + [0.0] * (of - count)


def by_name(found: Board, ranked: Sequence[Ranked]) -> dict[str, tuple[int | None, str]]:
    return {found.entries[each.row].name[:-5]: (each.rank, each.label) for each in ranked}


# --- scores ---------------------------------------------------------------------------------


def test_one_paper_has_wilsons_interval_and_several_the_mean() -> None:
    one = answers(right(60))
    assert accuracy_of(one) == plain_accuracy(right(60))
    both = Answers(
        np.concatenate([one.keys, answers(right(1, 10), paper=1).keys]),
        np.concatenate([one.scores, right(1, 10)]),
        np.ones(110),
    )
    found = accuracy_of(both)
    assert found
    assert found.value == pytest.approx((0.6 + 0.1) / 2)
    assert 0 < found.low < found.value < found.high < 1
    assert found.items == 110


def test_repeats_of_an_item_are_no_more_items() -> None:
    def run(*scores: float) -> RunItems:
        return RunItems(np.arange(len(scores)), np.array(scores), np.array([2.0] * len(scores)))

    found = pool([(0, run(1, 1, 0), True), (0, run(1, 0), False)])
    assert found.scores.tolist() == [1.0, 0.5, 0.0]
    assert found.joules.tolist() == [2.0, 2.0, 2.0]


def test_equal_runs_tie_and_share_the_first_rank() -> None:
    found = board(entry("a", right(60)), entry("b", right(60)))
    for column in ("score", "energy"):
        assert by_name(found, rank(found, COLUMNS[column])) == {"a": (1, "1="), "b": (1, "1=")}
    assert found.pairs.score(0, 1).identical


def test_six_items_to_none_are_told_apart_and_five_are_not() -> None:
    low = entry("low", right(50))
    for more, verdict in ((6, Verdict.HIGHER), (5, Verdict.CANNOT_TELL)):
        assert score_difference(low, entry("high", right(50 + more))).verdict is verdict


def test_ranks_do_not_claim_what_is_not_told() -> None:
    """The first is told apart from the last only; the middle one from neither."""
    found = board(entry("a", right(58)), entry("b", right(54)), entry("c", right(50)))
    ranked = rank(found, COLUMNS["score"])
    assert by_name(found, ranked) == {"a": (1, "1="), "b": (1, "1="), "c": (2, "2=")}
    assert ranked[1].tied == (0, 2)


def test_equal_models_are_called_different_in_one_of_twenty_at_most() -> None:
    """The stated error, in 1,000 pairs that differ on some items by chance alone."""
    random = np.random.default_rng(5)
    for items, share in ((40, 0.3), (400, 0.1)):
        told = 0
        for _ in range(1000):
            first = (random.random(items) < 0.6).astype(float)
            flipped = random.random(items) < share
            second = np.where(flipped & (random.random(items) < 0.5), 1 - first, first)
            # Exchangeable: which of the two had it right is a coin toss.
            swap = random.random(items) < 0.5
            one, other = np.where(swap, first, second), np.where(swap, second, first)
            a, b = entry("a", one.tolist()), entry("b", other.tolist())
            told += score_difference(a, b).verdict is not Verdict.CANNOT_TELL
        assert told / 1000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


def test_only_items_both_have_done_are_compared() -> None:
    short, long = entry("short", right(20, 20)), entry("long", right(20, 400))
    assert short.score.value > long.score.value
    found = score_difference(short, long)
    assert (found.items, found.identical, found.verdict) == (20, True, Verdict.CANNOT_TELL)


def test_without_shared_items_scores_are_compared_as_a_whole() -> None:
    other = answers(right(20))
    apart = replace(other, keys=other.keys + 1000)
    found = score_difference(entry("a", right(90)), entry("b", apart))
    assert (found.items, found.verdict) == (0, Verdict.LOWER)


# --- energy ---------------------------------------------------------------------------------


def test_a_shared_sensor_tells_apart_what_two_machines_cannot() -> None:
    a, b = entry("a", right(60), 1.0), entry("b", right(60), 0.95)
    b = replace(b, per_item=item_energy(0.95, 0.001))
    a = replace(a, per_item=item_energy(1.0, 0.001))
    there = replace(b, setup=replace(b.setup, machine_id="there"))
    assert board(a, b).pairs.energy_verdict(0, 1) is Verdict.LOWER
    assert board(a, there).pairs.energy_verdict(0, 1) is Verdict.CANNOT_TELL


def test_energies_that_do_not_mean_the_same_are_not_compared() -> None:
    a, b = entry("a", right(60)), entry("b", right(60), 0.1)
    assert b.per_item
    other_method = replace(b, per_item=replace(b.per_item, method=2))
    with_memory = replace(b, per_item=replace(b.per_item, domains=frozenset({"cpu", "dram"})))
    for odd in (other_method, with_memory, entry("b", right(60), None)):
        assert energy_difference(a, odd) is None
        found = board(a, odd)
        assert by_name(found, rank(found, COLUMNS["energy"]))["a"][0] == 1
    assert "another method" in board(a, other_method).notes[0]


def test_an_energy_is_compared_on_the_items_both_have_done() -> None:
    """The long run's mean is low because its later items are short ones."""
    joules = np.concatenate([np.full(10, 2.0), np.full(90, 1.0)])
    long = replace(answers(right(50)), joules=joules)
    a, b = entry("a", answers(right(5, 10), 2.0), 2.0), entry("b", long, 1.1)
    found = energy_difference(a, b)
    assert found
    assert found.joules == pytest.approx(0.0)


def test_rows_without_a_figure_come_last_and_have_no_rank() -> None:
    found = board(entry("dark", right(90), None), entry("cheap", right(60), 0.5))
    ranked = rank(found, COLUMNS["energy"])
    assert by_name(found, ranked) == {"cheap": (1, "1"), "dark": (None, "")}
    assert [each.row for each in ranked] == [1, 0]


def test_every_column_ranks_every_row() -> None:
    found = board(
        entry("a", right(60), 2.0, tokens_per_s=50.0, per_token=Interval(1.0, 0.05, 0.05, 0.0)),
        entry("b", right(50), 1.0, tokens_per_s=40.0, per_token=Interval(0.9, 0.045, 0.045, 0.0)),
        entry("c", right(0), None),
    )
    leaders = {key: by_name(found, rank(found, column)) for key, column in COLUMNS.items()}
    assert leaders["speed"]["a"] == (1, "1")
    assert leaders["token"]["b"] == (1, "1")
    assert leaders["wh"]["b"] == leaders["grams"]["b"] == (1, "1")
    assert leaders["correct"]["c"] == leaders["memory"]["a"] == (None, "")
    assert leaders["size"]["a"] == (1, "1=")
    with pytest.raises(UnknownColumn, match="score, energy"):
        find_column("watts")


# --- the frontier -----------------------------------------------------------------------------


def test_the_frontier_knows_who_may_be_on_it() -> None:
    found = board(
        entry("best", right(80), 2.0),
        entry("thrifty", right(60), 1.0),
        entry("near", right(78), 2.01),  # neither score nor energy are told apart from the best's
        entry("beaten", right(40), 3.0),
        entry("dark", right(99), None),
    )
    on, may_be, off = Place.ON, Place.MAY_BE, Place.OFF
    assert frontier(found) == [on, on, may_be, off, None]


def test_two_of_the_same_point_are_both_on_the_frontier() -> None:
    found = board(entry("a", right(60)), entry("b", right(60)))
    assert frontier(found) == [Place.ON, Place.ON]


def test_the_same_answers_for_more_energy_are_off_the_frontier() -> None:
    found = board(entry("a", right(60), 1.0), entry("b", right(60), 2.0))
    assert frontier(found) == [Place.ON, Place.OFF]


# --- good enough ------------------------------------------------------------------------------


def test_the_pick_saves_within_the_points() -> None:
    found = board(entry("best", right(800, 1000), 4.0), entry("small", right(790, 1000), 1.0),
                  entry("tiny", right(500, 1000), 0.1))  # fmt: skip
    pick = pick_good_enough(found, 3)
    assert pick
    assert pick.entry.setup.model == "small"
    assert pick.is_sure
    assert "Within 3 points of the best (best Q4_0, 80.0 %)" in pick.sentence
    assert "saving 75 %" in pick.sentence
    assert pick_good_enough(found, 3) == pick
    widest = pick_good_enough(found, 40)
    assert widest
    assert widest.entry.setup.model == "tiny"
    none = pick_good_enough(found, 0)
    assert none
    assert (none.row, none.confidence) == (0, None)
    assert "nothing is known to take less" in none.sentence
    assert pick_good_enough(board(), 3) is None


def test_a_small_saving_is_not_nothing() -> None:
    found = board(entry("best", right(800, 1000), 1.0), entry("small", right(800, 1000), 0.996))
    pick = pick_good_enough(found, 1)
    assert pick
    assert "saving 0.4 % (" in pick.sentence
    assert "−0 " not in pick.sentence


def test_the_pick_says_when_it_cannot_tell() -> None:
    found = board(entry("best", right(8, 10), 4.0), entry("small", [0.0, *right(8, 9)], 1.0))
    pick = pick_good_enough(found, 5)
    assert pick
    assert not pick.is_sure
    assert "cannot tell" in pick.sentence
    dark = pick_good_enough(board(entry("best", right(8, 10), None)), 5)
    assert dark
    assert "energy is not known" in dark.sentence


def test_the_confidence_comes_true_as_often_as_it_says() -> None:
    """Of statements made with some confidence that share is true, within chance."""
    random = np.random.default_rng(3)
    said, came_true = [], []
    for _ in range(150):
        gap = random.uniform(0.0, 0.1)
        best = (random.random(300) < 0.8).astype(float)
        other = np.where(random.random(300) < gap, 0.0, best)
        true_gap = 0.8 * gap
        found = board(entry("best", best.tolist(), 2.0), entry("small", other.tolist(), 1.0))
        pick = pick_good_enough(found, 4)
        assert pick
        if pick.confidence is not None:
            said.append(pick.confidence)
            came_true.append(true_gap <= 0.04)
    assert len(said) > 50
    assert np.mean(came_true) == pytest.approx(np.mean(said), abs=0.1)


# --- weights ----------------------------------------------------------------------------------


def test_the_weighted_figure_is_what_its_formula_says() -> None:
    rows = [entry("a", right(80), 4.0), entry("b", right(60), 1.0), entry("c", right(70), 2.0),
            entry("d", right(10), None)]  # fmt: skip
    found = efficiencies(rows, {"score": 1.0, "energy": 3.0, "size": 0.0})
    # The dark row has no energy, but its score sets the scale.
    assert found == [
        pytest.approx(1 / 4),
        pytest.approx((50 / 70 + 3) / 4),
        pytest.approx((60 / 70 + 1.5) / 4),
        None,
    ]
    text = formula({"score": 1.0, "energy": 3.0})
    assert "(1 × share(score) + 3 × share(log J/item)) / 4" in text
    assert efficiencies(rows[:1], {"size": 1.0}) == [1.0]
    assert efficiencies(rows[:1], {"speed": 1.0}) == [None]


def test_rows_none_of_whose_figures_are_told_apart_tie() -> None:
    found = board(entry("a", right(80), 4.0), entry("b", right(78), 4.01), entry("c", right(20)))
    ranked = rank(found, efficiency_column(found, {"score": 1.0, "energy": 1.0}))
    assert by_name(found, ranked)["a"][1].endswith("=")
    assert by_name(found, ranked)["b"][1].endswith("=")


@pytest.mark.parametrize(
    ("weights", "word"),
    [({"beauty": 1.0}, "score, energy"), ({"score": -1.0}, "0 or more"), ({"score": 0.0}, "above"),
     ({"score": math.nan}, "number")],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_refused(weights: dict[str, float], word: str) -> None:
    with pytest.raises(UnknownWeight, match=word):
        efficiencies([], weights)


# --- cascades ---------------------------------------------------------------------------------


def test_a_cascade_ends_at_the_small_and_the_large_model() -> None:
    random = np.random.default_rng(2)
    small = answers((random.random(50) < 0.5).astype(float).tolist(), 1.0)
    large = answers((random.random(50) < 0.8).astype(float).tolist(), 5.0)
    leads = random.random(50)
    points = sweep(leads, small, large)
    assert len(points) == 51
    first, last = points[0], points[-1]
    assert (first.share, first.joules_per_item) == (0.0, 1.0)
    assert first.score == pytest.approx(small.scores.mean())
    assert (last.share, last.threshold) == (1.0, math.inf)
    assert last.joules_per_item == pytest.approx(6.0)
    assert last.score == pytest.approx(large.scores.mean())
    for point in points:
        sent = leads < point.threshold
        assert point.share == pytest.approx(sent.mean())
        assert point.score == pytest.approx(np.where(sent, large.scores, small.scores).mean())
        assert point.joules_per_item == pytest.approx(1 + 5 * sent.mean())
    thinned = thin(points, 10)
    assert (len(thinned), thinned[0], thinned[-1]) == (10, first, last)


def test_equal_leads_go_together_and_unknown_ones_are_always_passed_on() -> None:
    small, large = answers([0.0] * 4, 1.0), answers([1.0] * 4, 1.0)
    points = sweep(np.array([0.5, -math.inf, 0.5, 2.0]), small, large)
    assert [point.share for point in points] == [0.25, 0.75, 1.0]
    assert [point.threshold for point in points] == [0.5, 2.0, math.inf]


def test_a_cascade_counts_by_what_it_adds_to_its_two_models() -> None:
    entries = (entry("small", right(50), 1.0), entry("large", right(80), 8.0))

    def cascade(*between: tuple[float, float]) -> Cascade:
        # Its ends are the models alone; reckoned by items they may seem to take a little less.
        known = [(0.0, 0.5, 0.99), *((0.5, *each) for each in between), (1.0, 0.8, 7.9)]
        return Cascade(0, 1, 100, Kind.COUNTER, tuple(CascadePoint(1.0, *each) for each in known))

    none, some, most = cascade(), cascade((0.55, 3.0)), cascade((0.7, 4.0))
    assert [routed for routed, _ in foremost(entries, [none, some, most])] == [most, some]
    assert foremost(entries, [none]) == []


def test_what_a_model_knows_of_itself_is_its_choices_lead_not_the_right_ones() -> None:
    """A wrong answer given firmly is kept: nobody knows that it is wrong."""
    scores = (ChoiceScore(-1.0, 1, False), ChoiceScore(-9.0, 4, True))
    wrong = replace(item(0, 0.0), scores=scores, gold=(1,), margin=-8.0, choices=("a", "bcdefghi"))
    assert lead_of(wrong, replace(PAPER, task="mmlu")) == pytest.approx(8.0)
    assert lead_of(wrong, PAPER) == pytest.approx(-1.0 + 9.0 / 8)
    assert lead_of(wrong, replace(PAPER, protocol=LLAMACPP)) == pytest.approx(-1.0 + 9.0 / 4)
    assert lead_of(replace(wrong, scores=()), PAPER) is None
