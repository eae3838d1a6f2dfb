"""Benchmark files of every form give their rows, and a bad one says where it is bad and why."""

import builtins
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.bench import files
from monitor.bench.files import Form, load, read_rows
from monitor.bench.task import DatasetError

FEW = [{"q": "Ähren?", "n": 1}, {"q": "two\u2028lines", "n": 2}]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fields(path: Path) -> list[dict[str, object]]:
    return [dict(row.fields) for row in read_rows(path)]


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as refused:
        list(read_rows(path))
    return str(refused.value)


def json_lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# --- forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a"])
def test_json_lines_are_told_by_what_they_hold(
    tmp_path: Path, name: str, mark: bytes, ends: str
) -> None:
    text = json_lines(FEW).replace("\n", ends)
    assert fields(write(tmp_path, name, mark + text.encode())) == FEW


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a"])
def test_a_json_list_is_told_by_what_it_holds(
    tmp_path: Path, name: str, indent: int | None
) -> None:
    path = write(tmp_path, name, "\n" + json.dumps(FEW, indent=indent) + "\n")
    assert fields(path) == FEW
    assert [row.number for row in read_rows(path)] == [1, 2]


def test_a_line_of_json_is_called_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"q": 1}\n\n  \n{"q": 2}')
    assert [row.number for row in read_rows(path)] == [1, 4]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_csv_counts_rows_from_below_its_header_and_skips_blank_ones(
    tmp_path: Path, ends: str
) -> None:
    text = '\ufeffq, n \n"one, ""two""",1\n\n,\n"three\nfour",2\n'.replace("\n", ends)
    path = write(tmp_path, "a.csv", text)
    assert fields(path) == [{"q": 'one, "two"', "n": "1"}, {"q": f"three{ends}four", "n": "2"}]
    assert [row.number for row in read_rows(path)] == [1, 4]


def test_csv_cells_beyond_the_header_may_be_empty_only(tmp_path: Path) -> None:
    assert fields(write(tmp_path, "a.csv", "q,n\none,1,,\n")) == [{"q": "one", "n": "1"}]
    assert "row 1: it has 3 cells for 2 columns" in refusal(
        write(tmp_path, "b.csv", "q,n\none,1,more\n")
    )


def test_plain_text_is_a_form_of_its_own(tmp_path: Path) -> None:
    for name, text in (("a.txt", "A cat: it sits.\n1\n"), ("b", "[a] bracket first\n")):
        assert load(write(tmp_path, name, text)).form is Form.TEXT


def test_parquet_gives_lists_and_objects(tmp_path: Path) -> None:
    rows = [{"q": "Ähren?", "c": {"text": ["a", "b"], "label": ["A", "B"]}}, {"q": "x", "c": None}]
    for name in ("a.parquet", "named-otherwise.bin"):
        path = write_parquet(tmp_path / name, rows)
        assert fields(path) == rows
        assert [row.number for row in read_rows(path)] == [1, 2]


def write_parquet(path: Path, rows: list[dict[str, object]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'llamawatt[parquet]'" in refusal(write(tmp_path, "a.parquet", b"PAR1PAR1"))


def test_pyarrow_is_not_loaded_for_other_forms(tmp_path: Path) -> None:
    before = "pyarrow" in sys.modules
    fields(write(tmp_path, "a.jsonl", json_lines(FEW)))
    assert ("pyarrow" in sys.modules) == before


# --- files that are no data --------------------------------------------------------------


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv") == f"There is no file {tmp_path / 'no.csv'}."
    assert "is a folder" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / ("n" * 5000))


def test_a_file_one_may_not_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path, mode: str) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    path = write(tmp_path, "a.csv", "q\n1\n")
    # Not chmod(): whoever runs the tests as root may read all.
    monkeypatch.setattr(Path, "open", closed)
    assert refusal(path) == f"You may not read {path}. Change its permissions."


@pytest.mark.parametrize("content", [b"", b"\n\n  \r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt"])
def test_an_empty_file_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    assert refusal(write(tmp_path, name, content)) == f"{name} is empty."


@pytest.mark.parametrize(("name", "text"), [("a.csv", "q,n\n"), ("a.json", "[ ]")])
def test_a_file_without_rows_is_said(tmp_path: Path, name: str, text: str) -> None:
    assert refusal(write(tmp_path, name, text)) == f"{name} has no rows."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4f\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (b"\n <html lang=en>", "a web page"),
        (b"\x1f\x8b\x08\x00", "Unpack"),
        (b"PK\x03\x04rest", "a spreadsheet"),
        (b"GGUF\x03\x00\x00\x00", "is a model"),
        ("q,n\n1,2\n".encode("utf-16"), "Save it as UTF-8"),
        (b"q,n\n1,\x00\n", "line 2 holds a NUL"),
        (b"PAR1 and no more PAR1", "damaged parquet"),
    ],
)
def test_what_is_no_data_is_called_by_its_name(tmp_path: Path, content: bytes, says: str) -> None:
    if content.startswith(b"PAR1"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    assert says in refusal(write(tmp_path, "a.csv", content))


def test_a_parquet_name_over_something_else_is_said(tmp_path: Path) -> None:
    assert "called parquet and is not" in refusal(write(tmp_path, "a.parquet", "q,n\n1,2\n"))


def test_parquet_cut_off_is_said(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "a.parquet", [{"q": "one"}]).read_bytes()
    for length in (5, len(whole) // 2, len(whole) - 1):
        assert "damaged parquet" in refusal(write(tmp_path, "b.parquet", whole[:length]))


def test_a_file_too_large_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    assert "larger than 1 GiB" in refusal(write(tmp_path, "a.csv", "q\n" + "x" * 20))


def test_mixed_encodings_name_the_line(tmp_path: Path) -> None:
    content = '{"q": "Ähre"}\n'.encode() + '{"q": "Ähre"}\n'.encode("latin-1")
    message = refusal(write(tmp_path, "a.jsonl", content))
    assert message == "a.jsonl, line 2 is not UTF-8 text. Save it as UTF-8."


# --- rows cut off ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.jsonl", '{"q": 1}\n{"q": "ha', "row 2: it is no whole JSON"),
        ("a.jsonl", '{"q": 1} {"q": 2}\n', "row 1: more follows"),
        ("a.jsonl", '[{"q": 1}, {"q": 2}\n', "row 2: the list breaks off"),
        ("a.json", '[{"q": 1}, {"q": ', "row 2: it is no whole JSON"),
        ("a.json", '[{"q": 1},\n', "row 2: it is no whole JSON"),
        ("a.json", '[{"q": 1}\n{"q": 2}]', "row 1: the list breaks off"),
        ("a.json", '[{"q": 1}] x', "row 1: something follows"),
        ("a.json", '[{"q": 1}, 5]', "row 2: it should be a JSON object, and is 5"),
        ("a.jsonl", "7\n", "row 1: it should be a JSON object, and is 7"),
        ("a.jsonl", '{"q": ' + "[" * 100_000, "row 1: its JSON is nested too deep"),
        ("a.jsonl", '{"q": ' + "1" * 5000 + "}", "row 1: its JSON is nested too deep"),
        ("a.csv", 'q,n\n1,2\n"half', "row 2: a quotation mark is never closed"),
        ("a.csv", '"q,n', "the header: a quotation mark is never closed"),
        ("a.csv", "q,n\n1,2\n3\n", "row 2: it has 1 of 2 cells"),
        ("a.csv", 'q,n\n"1"2,3\n', "row 1: it is no proper CSV"),
        ("a.csv", 'q,n\n1,2\n"' + "x" * 140_000 + '",4\n', "row 2: a cell is far too long"),
    ],
)
def test_a_row_cut_off_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    message = refusal(write(tmp_path, name, text))
    assert says in message
    assert len(message) < 300


# --- columns -----------------------------------------------------------------------------


def test_missing_columns_are_named_with_those_found(tmp_path: Path) -> None:
    row = next(read_rows(write(tmp_path, "a.csv", "q,n\n1,2\n")))
    with pytest.raises(DatasetError) as refused:
        row.need("q", "answer", "label")
    assert str(refused.value) == (
        "a.csv, row 1: there is no column “answer” and no “label”; found: q, n."
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "should be text, and is empty"),
        (3, "should be text, and is 3"),
        (" \n", "“q” is empty"),
        ("\ud800", "half a character"),
    ],
)
def test_text_that_is_none_is_refused(tmp_path: Path, value: object, says: str) -> None:
    path = write(tmp_path, "a.jsonl", json.dumps({"q": value}))
    row = next(read_rows(path))
    with pytest.raises(DatasetError, match=says) as refused:
        row.text("q")
    str(refused.value).encode()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("ab", "should be a list"),
        (["one"], "should list two or more, and lists 1"),
        (["one", ""], "a choice in “q” is empty"),
        (["one", 2], "a choice in “q” should be text, and is 2"),
    ],
)
def test_choices_that_are_none_are_refused(tmp_path: Path, value: object, says: str) -> None:
    row = next(read_rows(write(tmp_path, "a.jsonl", json.dumps({"q": value}))))
    with pytest.raises(DatasetError, match=says):
        row.choices("q")


def test_a_column_name_no_terminal_can_print_is_escaped(tmp_path: Path) -> None:
    row = next(read_rows(write(tmp_path, "a.jsonl", r'{"\ud800' + "x" * 99 + '": 1}')))
    with pytest.raises(DatasetError, match=r"found: \\ud800x+…") as refused:
        row.need("q")
    str(refused.value).encode()


# --- anything at all ---------------------------------------------------------------------

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
KEY = st.text(max_size=3)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEY, inner, max_size=2),
    max_leaves=5,
)


@given(
    content=st.binary(max_size=200)
    | st.text(alphabet='{}[]",:\n\r\\ 1a\ud7ff', max_size=80).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
    name=st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.txt", "a"]),
)
def test_any_bytes_give_rows_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = write(tmp_path_factory.getbasetemp(), name, content)
    try:
        found = list(read_rows(path))
    except DatasetError:
        return
    assert found
    assert all(isinstance(row.fields, Mapping) for row in found)


@given(records=st.lists(st.dictionaries(KEY, VALUE, max_size=2), min_size=1, max_size=3))
def test_what_json_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    # As text, for NaN is unlike itself.
    wanted = [json.dumps(record) for record in records]
    for name, text in (("w.jsonl", "\n".join(wanted)), ("w.json", json.dumps(records, indent=1))):
        assert [json.dumps(row) for row in fields(write(folder, name, text))] == wanted


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_mark_where_files_were_put_together_is_no_part_of_a_text(
    tmp_path: Path, ends: str
) -> None:
    text = "\ufeffq,n\none,1\n\ufefftwo,2\nthr\ufeffee,3\n".replace("\n", ends)
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert [row.text("q") for row in read_rows(tmp_path / "x.csv")] == ["one", "two", "thr\ufeffee"]
