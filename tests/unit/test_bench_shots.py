"""Worked examples are those lm-evaluation-harness would show, in the same order."""

from dataclasses import replace
from random import Random

import pytest

from monitor.bench.shots import Shots, context
from monitor.bench.task import DatasetError, Item


def item(number: int, subject: str = "", text: str = "") -> Item:
    return Item(
        row=number,
        prompts=(f"Question: {text or number}\nAnswer:",),
        choices=("yes", "no"),
        continuations=("yes", "no"),
        gold=(1,),
        answer="no",
        preamble=f"About {subject}.\n\n" if subject else "",
        subject=subject,
    )


POOL = [item(number) for number in range(40)]


def rows(items: tuple[Item, ...]) -> list[int]:
    return [shown.row for shown in items]


def refusal(shots: Shots, asked: Item) -> str:
    with pytest.raises(DatasetError) as early:
        shots.check([asked])
    with pytest.raises(DatasetError) as late:
        shots.for_item(asked)
    assert str(early.value) == str(late.value)
    return str(late.value)


@pytest.mark.parametrize("count", [1, 5, 25])
def test_examples_are_drawn_with_one_state_for_all_items(count: int) -> None:
    shots, expected = Shots(POOL, count), Random(1234)
    for asked in POOL:
        assert list(shots.for_item(asked)) == expected.sample(POOL, count)


def test_the_first_draws_are_those_lmh_makes() -> None:
    shots = Shots(POOL, 3)
    drawn = [rows(shots.for_item(asked)) for asked in POOL[:2]]
    assert drawn == [rows(tuple(Random(1234).sample(POOL, 3))), drawn[1]]
    assert drawn[0] != drawn[1]


def test_an_item_of_the_same_set_is_never_its_own_example() -> None:
    shots, expected = Shots(POOL, 39, same_set=True), Random(1234)
    for asked in POOL:
        drawn = shots.for_item(asked)
        order = [one.row for one in expected.sample(POOL, 40)]
        assert rows(drawn) == [row for row in order if row != asked.row]


def test_one_more_is_drawn_and_the_last_dropped_where_the_item_is_not_drawn() -> None:
    stranger = item(99)
    shots, expected = Shots(POOL, 4, same_set=True), Random(1234)
    for _ in range(3):
        assert list(shots.for_item(stranger)) == expected.sample(POOL, 5)[:4]


def test_copies_of_an_item_are_left_out_by_drawing_again() -> None:
    pool = [item(number, text="twin" if number < 4 else "") for number in range(8)]
    shots, expected = Shots(pool, 4, same_set=True), Random(1234)
    first = [one for one in expected.sample(pool, 5) if one.row >= 4]
    again = expected.sample(pool[4:], 4) if len(first) < 4 else first[:4]
    assert list(shots.for_item(pool[0])) == again


def test_copies_enough_to_leave_too_few_are_said() -> None:
    pool = [item(number, text="twin" if number < 6 else "") for number in range(8)]
    with pytest.raises(DatasetError, match="has 2 to give"):
        Shots(pool, 4, same_set=True).for_item(pool[0])


def test_the_first_ones_of_the_same_subject_are_taken() -> None:
    pool = [item(number, "law" if number % 2 else "art") for number in range(12)]
    shots = Shots(pool, 3, first=True)
    for _ in range(2):
        assert rows(shots.for_item(item(50, "law"))) == [1, 3, 5]
        assert rows(shots.for_item(item(51, "art"))) == [0, 2, 4]


def test_the_first_ones_but_the_item_itself() -> None:
    shots = Shots(POOL, 3, first=True, same_set=True)
    assert rows(shots.for_item(POOL[1])) == [0, 2, 3]


def test_each_subject_starts_its_draws_anew() -> None:
    pools = {subject: [item(n, subject) for n in range(20)] for subject in ("law", "art")}
    shots = Shots([*pools["law"], *pools["art"]], 2)
    for subject, pool in pools.items():
        assert list(shots.for_item(item(50, subject))) == Random(1234).sample(pool, 2)


def test_none_are_shown_where_none_are_asked_for() -> None:
    shots = Shots([], 0, same_set=True)
    shots.check(POOL)
    assert shots.for_item(POOL[0]) == ()


def test_too_few_examples_say_how_many_there_are() -> None:
    assert "5 worked examples are asked for" in refusal(Shots(POOL[:3], 5), POOL[0])
    assert "has 3 to give." in refusal(Shots(POOL[:3], 5), POOL[0])
    assert "has 4 to give" in refusal(Shots(POOL[:5], 5, same_set=True), POOL[0])
    assert "has 0 to give" in refusal(Shots([], 5, same_set=True), POOL[0])
    assert "has 2 to give for law" in refusal(
        Shots([item(1, "law"), item(2, "law"), *POOL], 5, first=True), item(3, "law")
    )
    assert "has 0 to give for art" in refusal(Shots(POOL, 5, first=True), item(3, "art"))


def test_the_context_is_preamble_examples_and_prompt() -> None:
    asked = item(7, "law")
    shown = [item(1, "law"), replace(item(2, "law"), answer="maybe")]
    assert context(asked, asked.prompts[0], shown) == (
        "About law.\n\n"
        "Question: 1\nAnswer: no\n\n"
        "Question: 2\nAnswer: maybe\n\n"
        "Question: 7\nAnswer:"
    )
    assert context(asked, asked.prompts[0], ()) == "About law.\n\nQuestion: 7\nAnswer:"


def test_an_example_with_two_prompts_shows_the_right_one() -> None:
    two = replace(item(1), prompts=("The cup", "The jug"), continuations=("fell.",), answer="fell.")
    assert context(item(2), "The lid", [two]) == "The jug fell.\n\nThe lid"
