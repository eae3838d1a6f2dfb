"""The library of prompts: what ships, and what a person keeps."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.prompts import (
    CATEGORIES,
    LONGEST_TITLE,
    Prompt,
    PromptError,
    find_blank,
    forget,
    keep,
    own,
    shipped,
    use,
)
from monitor.store.history import History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.db")
    yield history
    history.close()


def mine(text: str, title: str = "") -> Prompt:
    return Prompt("", title, "writing", text, is_own=True)


def test_each_category_ships_enough_and_each_prompt_can_be_told_apart() -> None:
    prompts = shipped()
    counts = Counter(prompt.category for prompt in prompts)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 8
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert len({prompt.title.casefold() for prompt in prompts}) == len(prompts)
    assert all(0 < len(prompt.title) <= 48 and len(prompt.text) > 80 for prompt in prompts)


def test_what_ships_has_blanks_to_fill_in_and_braces_for_nothing_else() -> None:
    assert any(find_blank(prompt.text) is None for prompt in shipped())
    for prompt in shipped():
        rest, filled = prompt.text, 0
        while blank := find_blank(rest):
            rest, filled = rest[: blank[0]] + "x" + rest[blank[1] :], filled + 1
        assert filled == prompt.text.count("{") == prompt.text.count("}")


def test_what_is_kept_is_there_after_the_program_ended(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    first = History(path)
    kept = keep(first, mine("  Say it as a haiku: {the text}\n", "Haiku"))
    first.close()
    again = History(path)
    assert own(again) == (kept,)
    assert kept.text == "Say it as a haiku: {the text}"
    again.close()


def test_a_prompt_is_changed_in_its_place_and_a_shipped_one_is_copied(history: History) -> None:
    older = keep(history, mine("one"))
    newer = keep(history, mine("two"))
    changed = keep(history, replace(older, title="First", text="one, changed"))
    assert own(history) == (newer, changed)
    copy = keep(history, shipped()[0])
    assert copy.is_own
    assert copy.id != shipped()[0].id
    assert len(own(history)) == 3


def test_a_prompt_that_was_forgotten_can_be_kept_again(history: History) -> None:
    kept = keep(history, mine("one"))
    forget(history, kept.id)
    assert own(history) == ()
    forget(history, kept.id)
    assert keep(history, kept) == kept
    assert own(history) == (kept,)


def test_the_one_used_last_comes_first(history: History) -> None:
    first, second, third = (keep(history, mine(text)) for text in ("one", "two", "three"))
    use(history, first.id)
    assert own(history) == (first, third, second)
    use(history, shipped()[0].id)
    assert own(history) == (first, third, second)


def test_without_a_title_it_is_called_by_its_beginning(history: History) -> None:
    assert keep(history, mine("Name\nthree  birds")).title == "Name three birds"
    long = keep(history, mine("word " * 100)).title
    assert len(long) <= LONGEST_TITLE
    assert long.endswith("…")


def test_what_cannot_be_kept_says_what_to_do(history: History) -> None:
    with pytest.raises(PromptError, match="write its text first"):
        keep(history, mine(" \n"))
    with pytest.raises(PromptError, match="choose a category"):
        keep(history, replace(mine("text"), category="poetry"))
    assert own(history) == ()


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("Explain {the subject} to {whom}", "{the subject}"),
        ("no blank {}", None),
        ("{\n  'a dictionary': 1\n}", None),
    ],
)
def test_blanks_are_found(text: str, blank: str | None) -> None:
    found = find_blank(text)
    assert (text[found[0] : found[1]] if found else None) == blank
