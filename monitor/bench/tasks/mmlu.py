"""MMLU: four choices on one of 57 subjects, answered by letter."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.bench.files import (
    Content,
    Form,
    Row,
    csv_records,
    load,
    named_cells,
    rows,
    shown,
    whole_number,
)
from monitor.bench.task import DatasetError, Item, Source, Task

LETTERS = "ABCD"

CHOICE_COLUMNS = (
    ("choice0", "choice1", "choice2", "choice3"),
    ("a", "b", "c", "d"),
    ("choice_a", "choice_b", "choice_c", "choice_d"),
    ("option_a", "option_b", "option_c", "option_d"),
)
"""What CSV files in circulation call the choices."""

NO_HEADER = ("question", *CHOICE_COLUMNS[0], "answer")


def read(path: Path) -> Sequence[Item]:
    """Read a file, or every CSV file of a folder: those of the test split if there are any.

    :raises DatasetError: if one cannot be used
    """
    return [item for file in files(path) for item in _read_file(file)]


def files(path: Path) -> Sequence[Path]:
    """Return the files that are read of a folder; of a file, itself.

    :raises DatasetError: if there is none in the folder
    """
    # Not path.is_dir(), which raises where a name is too long or a folder closed.
    if not os.path.isdir(path):  # noqa: PTH112
        return [path]
    # macOS leaves files of its own beside those it copies: "._anatomy_test.csv".
    found = sorted(file for file in path.glob("*.csv") if not file.name.startswith("."))
    found = [file for file in found if file.stem.endswith("_test")] or found
    if not found:
        raise DatasetError(f"There is no .csv file in {path}. Name the folder they are in.")
    return found


def _read_file(path: Path) -> list[Item]:
    content = load(path)
    subject = re.sub(r"_(test|dev|val)$", "", path.stem)
    is_csv = content.form in (Form.CSV, Form.TEXT)
    return [_item(row, subject) for row in (_csv_rows(content) if is_csv else rows(content))]


def _csv_rows(content: Content) -> Iterator[Row]:
    """Return the rows of a CSV file under the same names whether it has a header or not."""
    _, first = next(csv_records(content, header=False), (0, [""]))
    names = [name.strip().casefold() for name in first]
    has_header = not {"question", "answer"}.isdisjoint(names)
    records = csv_records(content, header=has_header)
    if has_header:
        next(records)
    empty = True
    for number, cells in records:
        empty = False
        columns = names if has_header else NO_HEADER
        yield Row(content.name, number, named_cells(content, number, columns, cells))
    if empty:
        raise DatasetError(f"{content.name} has no rows.")


def _item(row: Row, file_subject: str) -> Item:
    row.need("question", "answer")
    choices = _choices(row)
    subject = row.text("subject") if "subject" in row.fields else file_subject
    gold = _gold(row, row.fields["answer"])
    pairs = zip(LETTERS, choices, strict=True)
    lettered = "\n".join(f"{letter}. {choice}" for letter, choice in pairs)
    return Item(
        row=row.number,
        prompts=(f"{row.text('question').strip()}\n{lettered}\nAnswer:",),
        choices=tuple(LETTERS),
        continuations=tuple(LETTERS),
        gold=(gold,),
        answer=LETTERS[gold],
        preamble=_preamble(subject),
        subject=subject,
    )


def _choices(row: Row) -> tuple[str, ...]:
    for names in CHOICE_COLUMNS:
        if not row.fields.keys().isdisjoint(names):
            row.need(*names)
            return tuple(row.text(name) for name in names)
    choices = row.choices("choices")
    if len(choices) != len(LETTERS):
        raise row.problem(f"it has {len(choices)} choices, and MMLU's rows have four")
    return choices


def _gold(row: Row, answer: object) -> int:
    number = whole_number(answer)
    if isinstance(answer, str) and re.fullmatch(r"\s*[A-Da-d]\s*", answer):
        number = LETTERS.index(answer.strip().upper())
    if number is None or not 0 <= number < len(LETTERS):
        raise row.problem(
            f"the answer should be a letter from A to D or a number from 0 to 3, and is "
            f"{shown(answer)}"
        )
    return number


def _preamble(subject: str) -> str:
    topic = subject.replace("_", " ")
    return f"The following are multiple choice questions (with answers) about {topic}.\n\n"


MMLU = Task(
    name="mmlu",
    title="MMLU",
    read=read,
    files=files,
    first_shots=True,
    normalised=False,
    source=Source(
        "cais/mmlu",
        "all/test-00000-of-00001.parquet",
        "all/dev-00000-of-00001.parquet",
        "MIT",
    ),
)
