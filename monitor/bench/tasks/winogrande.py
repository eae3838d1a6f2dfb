"""WinoGrande: which of two words fills the gap, by how well the rest of the sentence follows."""

from collections.abc import Sequence
from pathlib import Path

from monitor.bench.files import Row, read_rows, shown, whole_number
from monitor.bench.task import Item, Source, Task

GAP = "_"


def read(path: Path) -> Sequence[Item]:
    """Read sentences with a gap and the two words for it.

    :raises DatasetError: if the file cannot be used
    """
    return [_item(row) for row in read_rows(path)]


def _item(row: Row) -> Item:
    row.need("sentence", "option1", "option2", "answer")
    sentence = row.text("sentence")
    if GAP not in sentence:
        raise row.problem(f"the sentence has no gap “{GAP}”")
    before, _, after = sentence.partition(GAP)
    rest = after.strip()
    if not rest:
        raise row.problem("nothing follows the gap, so there is nothing to tell the options by")
    options = (row.text("option1"), row.text("option2"))
    return Item(
        row=row.number,
        prompts=(before + options[0], before + options[1]),
        choices=options,
        continuations=(rest,),
        gold=(_gold(row),),
        answer=rest,
    )


def _gold(row: Row) -> int:
    answer = row.fields["answer"]
    if answer in ("", None):
        raise row.problem("there is no answer. The test split has none: use the validation split")
    number = whole_number(answer)
    if number not in (1, 2):
        raise row.problem(f"the answer should be 1 or 2, and is {shown(answer)}")
    return number - 1


WINOGRANDE = Task(
    name="winogrande",
    title="WinoGrande",
    read=read,
    normalised=False,
    spare_shot=True,
    source=Source(
        "allenai/winogrande",
        "winogrande_xl/validation-00000-of-00001.parquet",
        "winogrande_xl/train-00000-of-00001.parquet",
        "CC BY",
    ),
)
