"""The items of the suite ``quick`` are whole, balanced, and do not give their answers away."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from tests.unit.builders import REPOSITORY

QUICK = REPOSITORY / "resources/suites/quick"
LETTERS = "ABCD"
CATEGORIES = ("reasoning", "code", "writing", "knowledge", "instruction")
CHOSEN = ("mmlu.jsonl", "mmlu_dev.jsonl", "arc.jsonl", "hellaswag.jsonl")
FILES = (*CHOSEN, "truthfulqa.json", "prompts.jsonl")


class Choice(NamedTuple):
    """A question of any of the files, as far as they are alike."""

    question: str
    choices: Sequence[str]
    gold: int


def rows(name: str) -> list[dict[str, Any]]:
    text = (QUICK / name).read_text(encoding="utf-8")
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    whole: list[dict[str, Any]] = json.loads(text)
    return whole


def chosen(name: str) -> list[Choice]:
    match name:
        case "mmlu.jsonl" | "mmlu_dev.jsonl":
            return [Choice(row["question"], row["choices"], row["answer"]) for row in rows(name)]
        case "hellaswag.jsonl":
            return [
                Choice(f"{row['ctx_a']} {row['ctx_b']}", row["endings"], row["label"])
                for row in rows(name)
            ]
        case "arc.jsonl":
            return [
                Choice(
                    row["question"]["stem"],
                    [choice["text"] for choice in row["question"]["choices"]],
                    LETTERS.index(row["answerKey"]),
                )
                for row in rows(name)
            ]
        case _:
            marked = [(row["question"], row["mc1_targets"]) for row in rows(name)]
            return [
                Choice(question, list(marks), list(marks.values()).index(1))
                for question, marks in marked
            ]


def questions(name: str) -> list[str]:
    if name == "prompts.jsonl":
        return [row["prompt"] for row in rows(name)]
    return [item.question for item in chosen(name)]


def plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def share_won_by_length(items: Sequence[Choice], longest: bool) -> float:
    """Return what always taking the longest (or the shortest) choice scores, ties drawn."""
    score = 0.0
    for _, choices, gold in items:
        lengths = [len(choice) for choice in choices]
        extreme = max(lengths) if longest else min(lengths)
        score += (lengths[gold] == extreme) / lengths.count(extreme)
    return score / len(items)


@pytest.mark.parametrize(
    ("name", "count"), [*((name, 40) for name in CHOSEN), (FILES[4], 30), (FILES[5], 20)]
)
def test_every_file_has_its_items(name: str, count: int) -> None:
    assert len(rows(name)) == count


@pytest.mark.parametrize("name", ["mmlu.jsonl", "mmlu_dev.jsonl"])
def test_every_subject_has_five_items_and_five_examples(name: str) -> None:
    subjects = Counter(row["subject"] for row in rows(name))
    assert set(subjects) == {row["subject"] for row in rows("mmlu.jsonl")}
    assert sorted(subjects.values()) == [5] * 8


@pytest.mark.parametrize("name", CHOSEN)
def test_choices_are_four_and_distinct(name: str) -> None:
    for item in chosen(name):
        assert len({text.strip().casefold() for text in item.choices}) == 4, item
        assert len(item.choices) == 4, item
        assert 0 <= item.gold < 4, item
        assert not any(
            phrase in choice.casefold()
            for choice in item.choices
            for phrase in ("of the above", "of these")
        ), item


@pytest.mark.parametrize("name", CHOSEN)
def test_the_right_choice_stands_in_every_place_as_often(name: str) -> None:
    golds = [item.gold for item in chosen(name)]
    counts = Counter(golds)
    for place in range(4):
        assert 0.2 <= counts[place] / len(golds) <= 0.3, counts
    steps = Counter((after - before) % 4 for before, after in pairwise(golds))
    assert max(steps.values()) / len(golds) < 0.5, steps


@pytest.mark.parametrize("longest", [True, False])
@pytest.mark.parametrize("name", [*CHOSEN, "truthfulqa.json"])
def test_length_does_not_give_the_right_choice_away(name: str, longest: bool) -> None:
    assert share_won_by_length(chosen(name), longest) <= 0.35


def test_arc_items_are_lettered() -> None:
    for number, row in enumerate(rows("arc.jsonl"), 1):
        assert row["id"] == f"quick-arc-{number:02d}"
        assert "".join(choice["label"] for choice in row["question"]["choices"]) == LETTERS


def test_endings_go_on_from_what_was_begun() -> None:
    for row in rows("hellaswag.jsonl"):
        assert row["activity_label"], row
        assert row["ctx_a"].endswith("."), row
        assert row["ctx_b"].islower(), row
        lengths = [len(ending) for ending in row["endings"]]
        assert max(lengths) <= 1.4 * min(lengths), row
        for ending in row["endings"]:
            assert ending[0].islower(), row
            assert ending.endswith("."), row
            assert "[" not in ending, row


def test_truthfulqa_marks_one_best_answer_and_agrees_with_itself() -> None:
    for row in rows("truthfulqa.json"):
        best, all_marked = row["mc1_targets"], row["mc2_targets"]
        assert 4 <= len(best) <= 5, row
        assert list(best.values()) == [1] + [0] * (len(best) - 1), row
        marks = Counter(all_marked.values())
        assert set(marks) == {0, 1}, row
        assert min(marks.values()) >= 2, row
        assert best.items() <= all_marked.items(), row
        assert len({plain(answer) for answer in all_marked}) == len(all_marked), row
        assert all(answer.endswith(".") for answer in all_marked), row


def test_there_are_four_prompts_of_each_category() -> None:
    assert Counter(row["category"] for row in rows("prompts.jsonl")) == dict.fromkeys(CATEGORIES, 4)


def test_nothing_is_asked_twice() -> None:
    asked = Counter(plain(question) for name in FILES for question in questions(name))
    assert [question for question, count in asked.items() if count > 1] == []


@pytest.mark.parametrize("name", FILES)
def test_texts_have_no_stray_blanks(name: str) -> None:
    for row in rows(name):
        texts = [row]
        while texts:
            text: Any = texts.pop()
            if isinstance(text, dict):
                texts += [*text, *text.values()]
            elif isinstance(text, list):
                texts += text
            elif isinstance(text, str):
                assert text.strip() == text != "", row
                assert name == "prompts.jsonl" or "  " not in text, row
