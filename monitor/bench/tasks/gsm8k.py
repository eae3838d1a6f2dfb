"""GSM8K: sums told as stories, worked out in writing up to ``#### `` and the result."""

import re
from collections.abc import Sequence
from pathlib import Path

from monitor.bench.files import Row, read_rows
from monitor.bench.task import Item, Source, Task, Written

STRICT = re.compile(r"#### (-?[0-9.,]+)")

FLEXIBLE = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")

IGNORED = (",", r"\$", r"(?s).*#### ", r"\.$")
"""What LMH removes from both sides, in this order, before it compares them."""


def read(path: Path) -> Sequence[Item]:
    """Read questions with worked answers.

    :raises DatasetError: if the file cannot be used
    """
    return [_item(row) for row in read_rows(path)]


def _item(row: Row) -> Item:
    row.need("question", "answer")
    answer = row.text("answer")
    if "#### " not in answer or not _bare(answer):
        raise row.problem("the answer does not end in “#### ” and a result; it may be cut off")
    return Item(
        row=row.number,
        prompts=(f"Question: {row.text('question')}\nAnswer:",),
        choices=(),
        continuations=(),
        gold=(),
        answer=answer,
    )


def grade(item: Item, text: str) -> Written:
    """Judge by the first number after ``#### ``, and leniently by the last number at all."""
    first, every = STRICT.search(text), FLEXIBLE.findall(text)
    found, found_flexible = first[1] if first else "", every[-1] if every else ""
    right = _bare(item.answer)
    return Written(_bare(found) == right, _bare(found_flexible) == right, found, found_flexible)


def _bare(answer: str) -> str:
    for ignored in IGNORED:
        answer = re.sub(ignored, "", answer)
    return answer.lower()


GSM8K = Task(
    name="gsm8k",
    title="GSM8K",
    read=read,
    shots=5,
    normalised=False,
    grade=grade,
    written_rules=("strict", "flexible"),
    stop=("Question:", "</s>", "<|im_end|>"),
    source=Source(
        "openai/gsm8k",
        "main/test-00000-of-00001.parquet",
        "main/train-00000-of-00001.parquet",
        "MIT",
    ),
)
