"""ARC: school science questions with three to five answers, easy ones and hard ones."""

from collections.abc import Sequence
from pathlib import Path

from monitor.bench.files import Row, read_rows, shown
from monitor.bench.task import Item, Source, Task


def read(path: Path) -> Sequence[Item]:
    """Read AI2's own rows, the question holding its choices, or Hugging Face's.

    :raises DatasetError: if the file cannot be used
    """
    return [_item(row) for row in read_rows(path)]


def _item(row: Row) -> Item:
    row.need("question", "answerKey")
    if isinstance(row.fields["question"], dict):
        asked = row.part("question")
        question = asked.text("stem")
        parts = asked.parts("choices")
        texts = tuple(part.text("text") for part in parts)
        labels = tuple(part.text("label") for part in parts)
    else:
        question = row.text("question")
        choices = row.part("choices")
        texts, labels = choices.choices("text"), choices.choices("label")
    gold = _gold(row, labels, len(texts))
    return Item(
        row=row.number,
        prompts=(f"Question: {question}\nAnswer:",),
        choices=texts,
        continuations=texts,
        gold=(gold,),
        answer=texts[gold],
    )


def _gold(row: Row, labels: Sequence[str], count: int) -> int:
    if len(labels) != count:
        raise row.problem(f"it has {count} choices and {len(labels)} labels")
    key = row.fields["answerKey"]
    if str(key) not in labels:
        raise row.problem(f"the answer {shown(key)} is none of the labels {', '.join(labels)}")
    return labels.index(str(key))


def _source(folder: str) -> Source:
    return Source(
        "allenai/ai2_arc",
        f"{folder}/test-00000-of-00001.parquet",
        f"{folder}/train-00000-of-00001.parquet",
        "CC BY-SA 4.0",
    )


ARC_EASY = Task(
    name="arc_easy",
    title="ARC Easy",
    read=read,
    headline_norm=True,
    source=_source("ARC-Easy"),
)

ARC_CHALLENGE = Task(
    name="arc_challenge",
    title="ARC Challenge",
    read=read,
    headline_norm=True,
    source=_source("ARC-Challenge"),
)
