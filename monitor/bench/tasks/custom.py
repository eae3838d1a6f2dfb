"""A person's own questions: with choices, scored like ARC, or with answers to be written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.bench.files import Row, read_rows, shown, whole_number
from monitor.bench.task import Item, Task, Written

EXACT, REGEX = "exact", "regex"


@dataclass(frozen=True, slots=True)
class PatternItem(Item):
    """An item whose answer is a regular expression the model's text is searched for."""


def read(path: Path) -> Sequence[Item]:
    """Read rows of ``question, choices, answer`` or of ``prompt, answer``, never both.

    :raises DatasetError: if the file cannot be used
    """
    items: list[Item] = []
    for row in read_rows(path):
        if row.fields.keys().isdisjoint(("question", "prompt")):
            row.need("question", "choices", "answer")
        item = _written(row) if "prompt" in row.fields else _chosen(row)
        if items and bool(items[0].choices) != bool(item.choices):
            raise row.problem(
                "questions with choices and prompts for a written answer are mixed. "
                "Put them into two files"
            )
        items.append(item)
    return items


def _chosen(row: Row) -> Item:
    row.need("question", "choices", "answer")
    choices = row.choices("choices")
    gold = _gold(row, choices)
    return Item(
        row=row.number,
        prompts=(f"Question: {row.text('question')}\nAnswer:",),
        choices=choices,
        continuations=choices,
        gold=(gold,),
        answer=choices[gold],
    )


def _gold(row: Row, choices: Sequence[str]) -> int:
    """Return the index of the answer: a choice's text goes before a letter, that before digits."""
    answer = row.fields["answer"]
    if isinstance(answer, str):
        if answer in choices:
            return choices.index(answer)
        letter = answer.strip().upper()
        if re.fullmatch("[A-Z]", letter) and ord(letter) - ord("A") < len(choices):
            return ord(letter) - ord("A")
    number = whole_number(answer)
    if number is None or not 0 <= number < len(choices):
        last = len(choices) - 1
        raise row.problem(
            f"the answer should be a number from 0 to {last}, a letter from A to "
            f"{chr(ord('A') + min(last, 25))} or the text of a choice, and is {shown(answer)}"
        )
    return number


def _written(row: Row) -> Item:
    row.need("prompt", "answer")
    answer = row.text("answer")
    match = row.fields.get("match", EXACT)
    if match not in (EXACT, REGEX):
        raise row.problem(f"“match” should be “{EXACT}” or “{REGEX}”, and is {shown(match)}")
    if match == REGEX:
        _check_pattern(row, answer)
    elif not _bare(answer):
        raise row.problem("“answer” is nothing but a full stop")
    return (PatternItem if match == REGEX else Item)(
        row=row.number,
        prompts=(row.text("prompt").rstrip(" "),),
        choices=(),
        continuations=(),
        gold=(),
        answer=answer,
    )


def _check_pattern(row: Row, pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise row.problem(
            f"the regular expression {shown(pattern)} cannot be used: {error}"
        ) from None


def grade(item: Item, text: str) -> Written:
    """Judge a written answer by its item's rule; there is no lenient one."""
    if isinstance(item, PatternItem):
        match = re.search(item.answer, text)
        found, correct = match[0] if match else "", match is not None
    else:
        found, correct = text.strip(), _bare(text) == _bare(item.answer)
    return Written(correct, correct, found, found)


def _bare(text: str) -> str:
    return text.strip().removesuffix(".").rstrip().casefold()


CUSTOM = Task(
    name="custom",
    title="Your own questions",
    read=read,
    grade=grade,
    stop=("\n\n",),
    max_tokens=64,
)
