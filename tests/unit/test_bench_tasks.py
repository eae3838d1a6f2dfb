"""Each benchmark's files become the prompts its leaderboards use; what cannot is named by its row.

All sentences here are this project's own; the real sets are looked at for their structure only.
"""

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.bench.shots import Shots
from monitor.bench.task import LLAMACPP, LMH, DatasetError, Item
from monitor.bench.tasks import TASKS, find_task

REAL = Path(__file__).parents[2].parent / "shared/data/benchmarks"

needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real sets are not on this machine")

Records = Sequence[dict[str, object]]


def write(folder: Path, name: str, content: str | bytes | Records) -> Path:
    """Write a file: bytes, text, or records as JSON Lines, a JSON list or parquet by its name."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    elif path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(list(content)), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    else:
        path.write_text("\n".join(json.dumps(row) for row in content), encoding="utf-8")
    return path


def csv_text(*rows: Sequence[object]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def read(task: str, path: Path) -> list[Item]:
    return list(TASKS[task].read(path))


def refusal(task: str, path: Path) -> str:
    with pytest.raises(DatasetError) as refused:
        read(task, path)
    return str(refused.value)


def without(row: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in names}


ANY_RECORDS = ("a.jsonl", "a.json", "a.parquet")

# --- the registry ------------------------------------------------------------------------


def test_tasks_are_found_by_name_and_listed_where_there_is_none() -> None:
    for name in TASKS:
        assert find_task(name).name == name
    with pytest.raises(DatasetError, match=r"no benchmark “boolq”.*mmlu, arc_easy.*custom"):
        find_task("boolq")


def test_defaults_are_those_of_the_harness() -> None:
    assert {name for name, task in TASKS.items() if task.shots} == {"gsm8k"}
    assert {name for name, task in TASKS.items() if task.first_shots} == {"mmlu"}
    assert {name for name, task in TASKS.items() if task.mass} == {"truthfulqa_mc2"}
    assert {name for name, task in TASKS.items() if task.headline_norm} == {
        "arc_easy",
        "arc_challenge",
        "hellaswag",
    }
    assert {name for name, task in TASKS.items() if task.grade} == {"gsm8k", "custom"}
    assert {name: task.protocols for name, task in TASKS.items() if LLAMACPP in task.protocols} == {
        "hellaswag": (LMH, LLAMACPP)
    }


# --- MMLU --------------------------------------------------------------------------------

MMLU_PROMPT = "How deep is the pond?\nA. one foot\nB. two feet\nC. three feet\nD. dry\nAnswer:"
MMLU_CELLS = (" How deep is the pond? ", "one foot", "two feet", "three feet", "dry")
MMLU_HEADERS = (
    ("question", "choice0", "choice1", "choice2", "choice3", "answer"),
    ("Question", "A", "B", "C", "D", "Answer"),
)


@pytest.mark.parametrize("answer", ["C", "c", "2", " 2 "])
@pytest.mark.parametrize("header", [None, *MMLU_HEADERS])
def test_mmlu_csv_with_and_without_header(
    tmp_path: Path, header: Sequence[str] | None, answer: str
) -> None:
    text = csv_text(*([header] if header else []), (*MMLU_CELLS, answer))
    (item,) = read("mmlu", write(tmp_path, "pond_life_test.csv", text))
    assert item.row == 1
    assert item.prompts == (MMLU_PROMPT,)
    assert item.choices == item.continuations == ("A", "B", "C", "D")
    assert (item.gold, item.answer, item.subject) == ((2,), "C", "pond_life")
    assert item.preamble == (
        "The following are multiple choice questions (with answers) about pond life.\n\n"
    )
    assert item.shown == f"{MMLU_PROMPT} C"


MMLU_ROW: dict[str, object] = {
    "question": MMLU_CELLS[0],
    "subject": "pond_life",
    "choices": list(MMLU_CELLS[1:]),
    "answer": 2,
}


@pytest.mark.parametrize("name", ANY_RECORDS)
def test_mmlu_of_hugging_face(tmp_path: Path, name: str) -> None:
    (item,) = read("mmlu", write(tmp_path, name, [MMLU_ROW]))
    assert (item.prompts, item.gold, item.subject) == ((MMLU_PROMPT,), (2,), "pond_life")


def test_a_folder_of_mmlu_gives_the_test_files_by_name(tmp_path: Path) -> None:
    write(tmp_path, "._a_test.csv", b"\0left by macOS")
    for name in ("b_test.csv", "a_test.csv", "a_dev.csv"):
        write(tmp_path, name, csv_text((*MMLU_CELLS, "A"), (*MMLU_CELLS, "B")))
    items = read("mmlu", tmp_path)
    assert [(item.subject, item.row) for item in items] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("b", 2),
    ]


def test_a_folder_of_mmlu_without_test_files_gives_all(tmp_path: Path) -> None:
    for name in ("dev/b_dev.csv", "dev/a_dev.csv", "dev/notes.txt"):
        write(tmp_path, name, csv_text((*MMLU_CELLS, "A")))
    assert [item.subject for item in read("mmlu", tmp_path / "dev")] == ["a", "b"]
    assert "no .csv file" in refusal("mmlu", tmp_path)


def test_no_file_of_mmlu_is_said(tmp_path: Path) -> None:
    assert "There is no file" in refusal("mmlu", tmp_path / "no_test.csv")
    assert "cannot be read" in refusal("mmlu", tmp_path / ("n" * 5000))


def test_a_bad_row_in_a_folder_names_its_file(tmp_path: Path) -> None:
    write(tmp_path, "a_test.csv", csv_text((*MMLU_CELLS, "A")))
    write(tmp_path, "b_test.csv", csv_text((*MMLU_CELLS, "A"), (*MMLU_CELLS, "E")))
    assert refusal("mmlu", tmp_path).startswith("b_test.csv, row 2: the answer should be a letter")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (csv_text(MMLU_HEADERS[0][:5], MMLU_CELLS), "row 1: there is no column “answer”; found"),
        (csv_text(MMLU_HEADERS[0][1:], ("a", "b", "c", "d", "A")), "no column “question”"),
        (csv_text(("question", "A", "B", "C", "answer"), ("q", 1, 2, 3, "A")), "no column “"),
        (csv_text(("question", "answer"), ("q", "A")), "no column “choices”"),
        (csv_text(MMLU_HEADERS[0]), "has no rows"),
        (csv_text((*MMLU_CELLS, "4")), "row 1: the answer should be a letter from A to D"),
        (csv_text((*MMLU_CELLS, "-1")), "and is “-1”"),
        (csv_text((*MMLU_CELLS, "AB")), "and is “AB”"),
        (csv_text((*MMLU_CELLS, "A"), MMLU_CELLS[:3]), "row 2: it has 3 of 6 cells"),
        (csv_text((*MMLU_CELLS, "A")) + '"How', "row 2: a quotation mark is never closed"),
        (csv_text(("q", "a", "", "c", "d", "A")), "row 1: “choice1” is empty"),
    ],
)
def test_bad_mmlu_csv_is_said(tmp_path: Path, text: str, says: str) -> None:
    message = refusal("mmlu", write(tmp_path, "a_test.csv", text))
    assert message.startswith("a_test.csv")
    assert says in message


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(MMLU_ROW, "answer"), "no column “answer”; found: question, subject, choices"),
        (without(MMLU_ROW, "choices"), "no column “choices”"),
        (MMLU_ROW | {"choices": ["a", "b", "c"]}, "it has 3 choices"),
        (MMLU_ROW | {"choices": "abcd"}, "“choices” should be a list, and is “abcd”"),
        (MMLU_ROW | {"answer": 4}, "and is 4"),
        (MMLU_ROW | {"answer": True}, "and is True"),
        (MMLU_ROW | {"answer": 1.5}, "and is 1.5"),
        (MMLU_ROW | {"answer": None}, "and is empty"),
        (MMLU_ROW | {"question": 5}, "“question” should be text, and is 5"),
    ],
)
def test_bad_mmlu_records_are_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("mmlu", write(tmp_path, "a.jsonl", [MMLU_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- ARC ---------------------------------------------------------------------------------

ARC_ROW: dict[str, object] = {
    "id": "own-1",
    "question": "What melts in the sun?",
    "choices": {"text": ["stone", "ice", "sand"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
ARC_NESTED: dict[str, object] = {
    "question": {
        "stem": "What melts in the sun?",
        "choices": [
            {"text": "stone", "label": "A"},
            {"text": "ice", "label": "B"},
            {"text": "sand", "label": "C"},
        ],
    },
    "answerKey": "B",
}


@pytest.mark.parametrize("task", ["arc_easy", "arc_challenge"])
@pytest.mark.parametrize("row", [ARC_ROW, ARC_NESTED])
@pytest.mark.parametrize("name", ANY_RECORDS)
def test_arc_of_both_forms(tmp_path: Path, name: str, row: dict[str, object], task: str) -> None:
    (item,) = read(task, write(tmp_path, name, [row]))
    assert item.prompts == ("Question: What melts in the sun?\nAnswer:",)
    assert item.choices == item.continuations == ("stone", "ice", "sand")
    assert (item.gold, item.answer, item.preamble) == ((1,), "ice", "")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(ARC_ROW, "answerKey"), "no column “answerKey”; found: id, question, choices"),
        (without(ARC_ROW, "choices"), "no column “choices”"),
        (ARC_ROW | {"answerKey": "D"}, "the answer “D” is none of the labels 1, 2, 3"),
        (ARC_ROW | {"answerKey": None}, "the answer empty is none"),
        (ARC_ROW | {"choices": ["stone", "ice"]}, "“choices” should hold an object"),
        (ARC_ROW | {"choices": {"text": ["ice"], "label": ["1"]}}, "should list two or more"),
        (ARC_ROW | {"choices": {"text": ["a", "b"], "label": list("ABC")}}, "2 choices and 3"),
        (ARC_ROW | {"choices": {"text": ["a", ""], "label": ["1", "2"]}}, "is empty"),
        (ARC_ROW | {"choices": {"text": ["a", "b"]}}, "no column “label”; found: text"),
        (ARC_NESTED | {"question": {"stem": "What?"}}, "no column “choices”; found: stem"),
        (ARC_NESTED | {"question": {"stem": "What?", "choices": ["a", "b"]}}, "hold an object"),
    ],
)
def test_bad_arc_is_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("arc_easy", write(tmp_path, "a.jsonl", [ARC_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- HellaSwag ---------------------------------------------------------------------------

SWAG_ROW: dict[str, object] = {
    "activity_label": "Baking bread",
    "ctx_a": "[header] How to bake [title] Knead it.  Wait.",
    "ctx_b": "the Baker",
    "endings": ["opens the oven.", " eats [step] it. ", "[substeps]", "sleeps."],
    "label": 1,
}


@pytest.mark.parametrize("label", [1, "1"])
@pytest.mark.parametrize("name", ANY_RECORDS)
def test_hellaswag_is_cleaned_as_the_harness_does(tmp_path: Path, name: str, label: object) -> None:
    (item,) = read("hellaswag", write(tmp_path, name, [SWAG_ROW | {"label": label}]))
    assert item.prompts == ("Baking bread: How to bake. Knead it. Wait. The baker",)
    assert item.choices == item.continuations
    assert item.choices == ("opens the oven.", "eats it.", "[substeps]", "sleeps.")
    assert (item.gold, item.answer) == ((1,), "eats it.")


SWAG_TEXT = "Baking: [x] the  baker\n2\nopens it.\neats [step] it.\nsings \n sleeps.\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["", "\n\n"])
def test_hellaswag_text_of_six_lines_is_fed_as_it_is(tmp_path: Path, ends: str, tail: str) -> None:
    text = (SWAG_TEXT * 2 + tail).replace("\n", ends)
    items = read("hellaswag", write(tmp_path, "a.txt", text))
    assert [item.row for item in items] == [1, 2]
    for item in items:
        assert item.prompts == ("Baking: [x] the  baker",)
        assert item.choices == ("opens it.", "eats [step] it.", "sings ", " sleeps.")
        assert item.gold == (2,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SWAG_TEXT + "Baking: he\n", "row 2: it has 1 of 6 lines"),
        (SWAG_TEXT + SWAG_TEXT.replace("\n2\n", "\n4\n"), "row 2: line 8 should be the right"),
        (SWAG_TEXT.replace("\n2\n", "\nopens.\n"), "0 to 3, and is “opens.”"),
        (SWAG_TEXT.replace("opens it.", " ") * 2, "row 1: line 3 is empty"),
    ],
)
def test_bad_hellaswag_text_is_said(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal("hellaswag", write(tmp_path, "a.txt", text))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(SWAG_ROW, "ctx_b", "label"), "no column “ctx_b” and no “label”"),
        (SWAG_ROW | {"label": ""}, "use the validation split"),
        (SWAG_ROW | {"label": 4}, "from 0 to 3, and is 4"),
        (SWAG_ROW | {"endings": ["a", " "]}, "is empty"),
        (SWAG_ROW | {"endings": ["a"]}, "should list two or more, and lists 1"),
        (SWAG_ROW | {"ctx_a": None}, "“ctx_a” should be text, and is empty"),
    ],
)
def test_bad_hellaswag_records_are_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("hellaswag", write(tmp_path, "a.jsonl", [SWAG_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- TruthfulQA --------------------------------------------------------------------------

QA_HEADER = ("Type", "Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Source")
QA_CELLS = ("own", "Do owls nap?", "By day ", "By day; When it is light.;", "Never; At sea", "-")
QA_TRUE = ("By day.", "When it is light.")
QA_FALSE = ("Never.", "At sea.")
QA_MC1 = {"Never.": 0, "By day.": 1, "At sea.": 0}
QA_MC2 = {"Never.": 0, "By day.": 1, "At sea.": 0, "When it is light.": 1}
QA_ROW: dict[str, object] = {
    "question": "Do owls nap?",
    "mc1_targets": QA_MC1,
    "mc2_targets": QA_MC2,
}
QA_LISTS: dict[str, object] = {
    "question": "Do owls nap?",
    "mc1_targets": {"choices": list(QA_MC1), "labels": list(QA_MC1.values())},
    "mc2_targets": {"choices": list(QA_MC2), "labels": list(QA_MC2.values())},
}


def test_truthfulqa_csv(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", csv_text(QA_HEADER, QA_CELLS))
    (one,), (all_true,) = read("truthfulqa_mc1", path), read("truthfulqa_mc2", path)
    assert one.prompts == all_true.prompts == ("Q: Do owls nap?\nA:",)
    assert one.choices == one.continuations == (QA_TRUE[0], *QA_FALSE)
    assert all_true.choices == all_true.continuations == (*QA_TRUE, *QA_FALSE)
    assert (one.gold, one.answer) == ((0,), "By day.")
    assert (all_true.gold, all_true.answer) == ((0, 1), "By day.")
    assert one.preamble == all_true.preamble
    assert one.preamble.count("Q: ") == one.preamble.count("\nA: ") == 6
    assert one.preamble.endswith(".\n\n")
    assert "\n\n\n" not in one.preamble


@pytest.mark.parametrize(("name", "row"), [("mc_task.json", QA_ROW), ("a.jsonl", QA_ROW)])
def test_truthfulqa_of_its_authors_keeps_the_order_given(
    tmp_path: Path, name: str, row: dict[str, object]
) -> None:
    check_targets(write(tmp_path, name, [row]))


@pytest.mark.parametrize("name", ANY_RECORDS)
def test_truthfulqa_of_hugging_face_keeps_the_order_given(tmp_path: Path, name: str) -> None:
    check_targets(write(tmp_path, name, [QA_LISTS]))


def check_targets(path: Path) -> None:
    (one,), (all_true,) = read("truthfulqa_mc1", path), read("truthfulqa_mc2", path)
    assert (one.choices, one.gold) == (tuple(QA_MC1), (1,))
    assert (all_true.choices, all_true.gold) == (tuple(QA_MC2), (1, 3))
    assert one.prompts == ("Q: Do owls nap?\nA:",)


@pytest.mark.parametrize(
    ("task", "row", "says"),
    [
        ("truthfulqa_mc1", without(QA_ROW, "mc1_targets"), "no column “mc1_targets”"),
        ("truthfulqa_mc2", without(QA_ROW, "mc2_targets"), "no column “mc2_targets”"),
        ("truthfulqa_mc1", {"text": "hm"}, "no column “Question” and no “Best Answer”"),
        ("truthfulqa_mc1", QA_ROW | {"mc1_targets": "{}"}, "should hold an object"),
        ("truthfulqa_mc1", QA_ROW | {"mc1_targets": QA_MC2}, "should mark one answer true"),
        ("truthfulqa_mc1", QA_ROW | {"mc1_targets": {"a": 0, "b": 2}}, "mark “b” with 0 or 1"),
        ("truthfulqa_mc1", QA_ROW | {"mc1_targets": {"a": 1}}, "two or more answers"),
        ("truthfulqa_mc1", QA_ROW | {"mc1_targets": {"a": 1, "": 0}}, "none of them empty"),
        ("truthfulqa_mc2", QA_ROW | {"mc2_targets": {"a": 1, "b": 1}}, "true answers and false"),
        (
            "truthfulqa_mc1",
            QA_ROW | {"mc1_targets": {"choices": ["a", "b"], "labels": [1, 0, 0]}},
            "2 choices and 3 labels",
        ),
        (
            "truthfulqa_mc1",
            QA_ROW | {"mc1_targets": {"choices": ["a", "b"]}},
            "no column “labels”; found: choices",
        ),
    ],
)
def test_bad_truthfulqa_is_said(
    tmp_path: Path, task: str, row: dict[str, object], says: str
) -> None:
    message = refusal(task, write(tmp_path, "a.jsonl", [QA_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


def test_bad_truthfulqa_csv_is_said(tmp_path: Path) -> None:
    lacking = write(tmp_path, "a.csv", csv_text(QA_HEADER[:4], QA_CELLS[:4]))
    assert "no column “Incorrect Answers”; found: Type, Question" in refusal(
        "truthfulqa_mc1", lacking
    )
    nothing = write(tmp_path, "b.csv", csv_text(QA_HEADER, (*QA_CELLS[:4], " ; ", "-")))
    assert "there should be true answers and false ones" in refusal("truthfulqa_mc2", nothing)


# --- WinoGrande --------------------------------------------------------------------------

GAP_ROW: dict[str, object] = {
    "sentence": "The cup fell off the shelf because the _ was narrow _ .",
    "option1": "cup",
    "option2": "shelf",
    "answer": "2",
}


@pytest.mark.parametrize("answer", ["2", 2])
@pytest.mark.parametrize("name", ANY_RECORDS)
def test_winogrande_puts_the_option_into_the_prompt(
    tmp_path: Path, name: str, answer: object
) -> None:
    (item,) = read("winogrande", write(tmp_path, name, [GAP_ROW | {"answer": answer}]))
    begun = "The cup fell off the shelf because the "
    assert item.prompts == (begun + "cup", begun + "shelf")
    assert item.continuations == ("was narrow _ .",)
    assert (item.choices, item.gold) == (("cup", "shelf"), (1,))
    assert item.shown == begun + "shelf was narrow _ ."


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(GAP_ROW, "option2"), "no column “option2”; found: sentence, option1, answer"),
        (GAP_ROW | {"sentence": "There is none."}, "no gap “_”"),
        (GAP_ROW | {"sentence": "It is in the _ "}, "nothing follows the gap"),
        (GAP_ROW | {"answer": ""}, "use the validation split"),
        (GAP_ROW | {"answer": "0"}, "should be 1 or 2, and is “0”"),
        (GAP_ROW | {"answer": 3}, "should be 1 or 2, and is 3"),
        (GAP_ROW | {"option1": " "}, "“option1” is empty"),
    ],
)
def test_bad_winogrande_is_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("winogrande", write(tmp_path, "a.jsonl", [GAP_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- GSM8K -------------------------------------------------------------------------------

SUM_ROW: dict[str, object] = {
    "question": "Ada has 600 plums and buys twice as many. How many has she?",
    "answer": "She buys 600*2=<<600*2=1200>>1,200.\nShe has 600+1200=1,800.\n#### 1,800",
}


def graded(task: str, item: Item, text: str) -> tuple[bool, bool]:
    grade = TASKS[task].grade
    assert grade is not None
    written = grade(item, text)
    return written.correct, written.correct_flexible


@pytest.mark.parametrize("name", ANY_RECORDS)
def test_gsm8k_asks_and_shows_the_whole_way(tmp_path: Path, name: str) -> None:
    (item,) = read("gsm8k", write(tmp_path, name, [SUM_ROW]))
    assert item.prompts == (f"Question: {SUM_ROW['question']}\nAnswer:",)
    assert item.choices == item.continuations == item.gold == ()
    assert item.shown == f"{item.prompts[0]} {SUM_ROW['answer']}"


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        (" She has 1,800.\n#### 1,800", True, True),
        (" #### 1800\n\nMore: #### 7", True, False),
        (" #### $1800", False, True),
        (" The answer is $1,800.", False, True),
        (" It is 1800. Or 12?", False, False),
        (" #### -1800", False, False),
        (" #### 1800.00", False, False),
        (" no idea", False, False),
        ("", False, False),
        (" ####1800", False, True),
    ],
)
def test_gsm8k_is_graded_by_both_filters(
    tmp_path: Path, text: str, strict: bool, flexible: bool
) -> None:
    (item,) = read("gsm8k", write(tmp_path, "a.jsonl", [SUM_ROW]))
    assert graded("gsm8k", item, text) == (strict, flexible)


def test_gsm8k_says_what_it_took_for_the_answer(tmp_path: Path) -> None:
    (item,) = read("gsm8k", write(tmp_path, "a.jsonl", [SUM_ROW]))
    grade = TASKS["gsm8k"].grade
    assert grade is not None
    written = grade(item, "1,200 + 600 #### 1,800. So $1,800.")
    assert (written.found, written.found_flexible) == ("1,800.", "$1,800.")
    assert grade(item, "none").found == ""


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(SUM_ROW, "answer"), "no column “answer”; found: question"),
        (SUM_ROW | {"answer": "She has 1,8"}, "it may be cut off"),
        (SUM_ROW | {"answer": "She has 5.\n#### "}, "it may be cut off"),
        (SUM_ROW | {"answer": 1800}, "should be text, and is 1800"),
    ],
)
def test_bad_gsm8k_is_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("gsm8k", write(tmp_path, "a.jsonl", [SUM_ROW, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- custom ------------------------------------------------------------------------------

OWN_CHOICE: dict[str, object] = {
    "question": "Which pump is loud?",
    "choices": ["B", "the old one", "3"],
    "answer": 1,
}
OWN_WRITTEN: dict[str, object] = {"prompt": "Q: Name the valve.\nA: ", "answer": "Valve Nine."}


@pytest.mark.parametrize(
    ("answer", "gold"),
    [(1, 1), ("1", 1), ("the old one", 1), ("C", 2), ("c", 2), ("B", 0), ("3", 2), (0, 0)],
)
def test_own_choices_are_answered_by_number_letter_or_text(
    tmp_path: Path, answer: object, gold: int
) -> None:
    (item,) = read("custom", write(tmp_path, "a.jsonl", [OWN_CHOICE | {"answer": answer}]))
    assert item.prompts == ("Question: Which pump is loud?\nAnswer:",)
    assert item.choices == item.continuations == ("B", "the old one", "3")
    assert item.gold == (gold,)
    assert item.answer == item.choices[gold]


@pytest.mark.parametrize(
    ("match", "answer", "text", "correct"),
    [
        ({}, "Valve Nine.", " valve nine\n", True),
        ({}, "Valve Nine", "VALVE NINE.", True),
        ({"match": "exact"}, "Valve Nine", "It is valve nine", False),
        ({}, "Straße", "STRASSE", True),
        ({}, "Valve Nine", "", False),
        ({"match": "regex"}, r"(?i)valve\s+(9|nine)", "It is VALVE 9, I think", True),
        ({"match": "regex"}, "^nine$", "valve nine", False),
    ],
)
def test_own_written_answers_are_compared_or_searched(
    tmp_path: Path, match: dict[str, object], answer: str, text: str, correct: bool
) -> None:
    path = write(tmp_path, "a.jsonl", [OWN_WRITTEN | {"answer": answer} | match])
    (item,) = read("custom", path)
    assert item.prompts == ("Q: Name the valve.\nA:",)
    assert item.choices == item.continuations == item.gold == ()
    assert graded("custom", item, text) == (correct, correct)


def test_own_answers_end_at_a_blank_line() -> None:
    assert TASKS["custom"].stop == ("\n\n",)
    assert TASKS["custom"].max_tokens == 64


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "?"}, "no column “question” and no “choices” and no “answer”; found: text"),
        (without(OWN_CHOICE, "choices"), "no column “choices”"),
        (OWN_CHOICE | {"answer": 3}, "from 0 to 2, a letter from A to C or the text"),
        (OWN_CHOICE | {"answer": "D"}, "and is “D”"),
        (OWN_CHOICE | {"answer": [1]}, "and is [1]"),
        (OWN_CHOICE | {"choices": ["one"], "answer": 0}, "should list two or more"),
        (OWN_CHOICE | {"choices": ["one", 2], "answer": 0}, "should be text, and is 2"),
        (OWN_WRITTEN, "are mixed"),
    ],
)
def test_bad_own_choices_are_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("custom", write(tmp_path, "a.jsonl", [OWN_CHOICE, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (without(OWN_WRITTEN, "answer"), "no column “answer”; found: prompt"),
        (OWN_WRITTEN | {"answer": " . "}, "nothing but a full stop"),
        (OWN_WRITTEN | {"answer": ""}, "“answer” is empty"),
        (OWN_WRITTEN | {"match": "fuzzy"}, "should be “exact” or “regex”, and is “fuzzy”"),
        (OWN_WRITTEN | {"match": ["regex"]}, "should be “exact” or “regex”"),
        (OWN_WRITTEN | {"match": "regex", "answer": "(9"}, "regular expression “(9” cannot"),
        (OWN_WRITTEN | {"match": "regex", "answer": "a{99999999999}"}, "cannot be used"),
        (OWN_CHOICE, "are mixed"),
    ],
)
def test_bad_own_prompts_are_said(tmp_path: Path, row: dict[str, object], says: str) -> None:
    message = refusal("custom", write(tmp_path, "a.jsonl", [OWN_WRITTEN, row]))
    assert message.startswith("a.jsonl, row 2: ")
    assert says in message


# --- the real sets -----------------------------------------------------------------------


@needs_real
def test_the_real_mmlu() -> None:
    items, dev = read("mmlu", REAL / "mmlu/test"), read("mmlu", REAL / "mmlu/dev")
    assert {item.subject for item in items} == {item.subject for item in dev}
    assert len(dev) == 5 * len({item.subject for item in dev})
    shots = Shots(dev, 5, first=True)
    shots.check(items)
    for item in items:
        question, _, rest = item.prompts[0].partition("\nA. ")
        assert question == question.strip()
        assert all(f"\n{letter}. " in rest for letter in "BCD")
        assert item.prompts[0].endswith("\nAnswer:")
        assert {shot.subject for shot in shots.for_item(item)} == {item.subject}
    assert {item.gold[0] for item in items} == {0, 1, 2, 3}


@needs_real
def test_the_real_truthfulqa() -> None:
    (path,) = REAL.glob("TruthfulQA*.csv")
    one, all_true = read("truthfulqa_mc1", path), read("truthfulqa_mc2", path)
    assert len(one) == len(all_true) == 100
    for first, second in zip(one, all_true, strict=True):
        false = first.choices[1:]
        assert second.choices[-len(false) :] == false
        assert second.gold == tuple(range(len(second.choices) - len(false)))
        assert all(answer.endswith(".") for answer in (*first.choices, *second.choices))
        assert first.prompts[0].startswith("Q: ")
        assert first.prompts[0].endswith("\nA:")


@needs_real
def test_the_real_hellaswag_text() -> None:
    (path,) = REAL.glob("hellaswag*.txt")
    items = read("hellaswag", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(items) == 100 == len(lines) // 6
    for place, item in enumerate(items):
        six = lines[6 * place : 6 * place + 6]
        assert [*item.prompts, str(item.gold[0]), *item.choices] == six


@needs_real
def test_the_real_gsm8k() -> None:
    (path,) = REAL.glob("gsm8k*.jsonl")
    items = read("gsm8k", path)
    assert len(items) == 60
    for item in items:
        assert graded("gsm8k", item, f" {item.answer}") == (True, True)


# --- anything at all ---------------------------------------------------------------------

GOOD: dict[str, list[dict[str, object]]] = {
    "mmlu": [MMLU_ROW],
    "arc_easy": [ARC_ROW, ARC_NESTED],
    "arc_challenge": [ARC_ROW, ARC_NESTED],
    "hellaswag": [SWAG_ROW],
    "truthfulqa_mc1": [QA_ROW, QA_LISTS],
    "truthfulqa_mc2": [QA_ROW, QA_LISTS],
    "winogrande": [GAP_ROW],
    "gsm8k": [SUM_ROW],
    "custom": [OWN_CHOICE, OWN_WRITTEN],
}

LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats()
    | st.text(alphabet="aA_ .;#1\ud800", max_size=5)
)
VALUE = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "label", "choices", "labels", "stem"]), inner)
    ),
    max_leaves=8,
)


def items_or_refusal(task: str, path: Path) -> None:
    """Read a file; whatever items come of it can be shown, and scored or graded."""
    try:
        items = read(task, path)
    except DatasetError as error:
        str(error).encode()
        return
    assert items
    for item in items:
        item.shown.encode()
        assert all(0 <= place < len(item.choices) for place in item.gold)
        if item.choices:
            assert item.gold
            assert all(text.strip() for text in item.continuations)
        else:
            graded(task, item, "aA_ .;#1")


@given(content=st.binary(max_size=150), name=st.sampled_from(["a.csv", "a.jsonl", "a.txt", "a"]))
def test_any_bytes_give_items_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = write(tmp_path_factory.getbasetemp(), name, content)
    for task in TASKS:
        items_or_refusal(task, path)


@given(data=st.data(), task=st.sampled_from(list(GOOD)))
def test_any_value_in_a_good_row_gives_items_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, task: str
) -> None:
    row = dict(data.draw(st.sampled_from(GOOD[task])))
    row[data.draw(st.sampled_from(list(row)))] = data.draw(VALUE)
    items_or_refusal(task, write(tmp_path_factory.getbasetemp(), "v.jsonl", [row]))


@given(data=st.data(), task=st.sampled_from(list(GOOD)))
def test_a_good_file_with_a_byte_changed_gives_items_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, task: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(write(folder, "g.jsonl", GOOD[task]).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=2))
    items_or_refusal(task, write(folder, "b.jsonl", bytes(content)))
