"""HellaSwag: which of four endings goes on from a few sentences."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.bench.files import Content, Form, Row, load, rows, shown, whole_number
from monitor.bench.task import LLAMACPP, LMH, Item, Source, Task

ENDINGS = 4

TEXT_LINES = 2 + ENDINGS
"""Lines of an item in llama.cpp's text: the query, the right ending's number, the endings."""


def read(path: Path) -> Sequence[Item]:
    """Read the dataset's own rows, or llama.cpp's text of six lines an item.

    :raises DatasetError: if the file cannot be used
    """
    content = load(path)
    if content.form is Form.TEXT:
        return list(_text_items(content))
    return [_item(row) for row in rows(content)]


def _item(row: Row) -> Item:
    row.need("activity_label", "ctx_a", "ctx_b", "endings", "label")
    begun = row.text("ctx_b", blank=True).capitalize()
    context = f"{row.text('ctx_a', blank=True)} {begun}"
    query = _clean(f"{row.text('activity_label', blank=True)}: {context}")
    endings = row.choices("endings")
    label = row.fields["label"]
    if label in ("", None):
        raise row.problem("there is no label. The test split has none: use the validation split")
    gold = whole_number(label)
    if gold is None or not 0 <= gold < len(endings):
        raise row.problem(
            f"the label should be a number from 0 to {len(endings) - 1}, and is {shown(label)}"
        )
    # An ending that is all marks keeps them: empty, it would have no length to divide by.
    return _made(row.number, query, tuple(_clean(text) or text.strip() for text in endings), gold)


def _clean(text: str) -> str:
    """Remove the marks WikiHow's pages left, as LMH does, with the blanks that come of it."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _text_items(content: Content) -> Iterator[Item]:
    lines = [line.removesuffix("\r") for line in content.text.split("\n")]
    while not lines[-1].strip():
        lines.pop()
    for start in range(0, len(lines), TEXT_LINES):
        number, six = start // TEXT_LINES + 1, lines[start : start + TEXT_LINES]
        if len(six) < TEXT_LINES:
            raise content.problem(
                number, f"it has {len(six)} of {TEXT_LINES} lines; the file may be cut off"
            )
        gold = whole_number(six[1])
        if gold is None or not 0 <= gold < ENDINGS:
            raise content.problem(
                number,
                f"line {start + 2} should be the right ending's number, 0 to {ENDINGS - 1}, and "
                f"is {shown(six[1])}",
            )
        empty = [start + place + 1 for place, line in enumerate(six) if not line.strip()]
        if empty:
            raise content.problem(number, f"line {empty[0]} is empty")
        yield _made(number, six[0], tuple(six[2:]), gold)


def _made(row: int, query: str, endings: tuple[str, ...], gold: int) -> Item:
    return Item(
        row=row,
        prompts=(query,),
        choices=endings,
        continuations=endings,
        gold=(gold,),
        answer=endings[gold],
    )


HELLASWAG = Task(
    name="hellaswag",
    title="HellaSwag",
    read=read,
    protocols=(LMH, LLAMACPP),
    headline_norm=True,
    spare_shot=True,
    source=Source(
        "Rowan/hellaswag",
        "data/validation-00000-of-00001.parquet",
        "data/train-00000-of-00001.parquet",
        "MIT",
    ),
)
