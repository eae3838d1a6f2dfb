"""Reads the forms benchmark data comes in: CSV, JSON Lines, a JSON list, parquet, plain text.

Whatever is wrong with a file ends in a :class:`DatasetError` naming the file and the row. Rows are
counted as a person would: by line in JSON Lines, by record elsewhere, from 1 below a CSV header.
"""

import csv
import json
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from pathlib import Path

from monitor.bench.task import DatasetError

MAX_BYTES = 1 << 30
"""No benchmark is larger; a model or a disk image named by mistake is."""

BLANK = re.compile(r"[ \t\r\n]*")

INNER_MARK = re.compile("(?<![^\r\n])\ufeff+")
"""Byte order marks at the beginning of a line."""

JSON = json.JSONDecoder()

JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")

WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|\?xml)", re.IGNORECASE)

NOT_DATA = {
    b"version https://git-lfs": "is a Git LFS pointer, not the data itself. Fetch the data with "
    "`git lfs pull`, or download the file from its page",
    b"\x1f\x8b": "is compressed. Unpack it first",
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet. Unpack it, or export it as CSV",
    b"\x28\xb5\x2f\xfd": "is compressed. Unpack it first",
    b"GGUF": "is a model, not a dataset",
    b"\xff\xfe": "is UTF-16 text. Save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text. Save it as UTF-8",
}


class Form(Enum):
    """How a file lays out its rows."""

    CSV = "CSV"
    JSON_LINES = "JSON Lines"
    JSON_LIST = "a JSON list"
    PARQUET = "parquet"
    TEXT = "plain text"


@dataclass(frozen=True, slots=True)
class Content:
    """A file in memory.

    :param name: what messages call it
    :param text: what it says, without a byte order mark; empty for parquet
    :param data: its bytes, kept only for parquet
    """

    name: str
    form: Form
    text: str
    data: bytes = b""

    def problem(self, row: int, reason: str) -> DatasetError:
        """Say what is wrong with a row; row 0 is a CSV file's header."""
        where = f"row {row}" if row else "the header"
        return DatasetError(f"{self.name}, {where}: {reason}.")


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a file, or an object inside one.

    :param file: the file's name
    :param number: what a message calls the row
    """

    file: str
    number: int
    fields: Mapping[str, object]

    def problem(self, reason: str) -> DatasetError:
        """Say what is wrong with the row."""
        return DatasetError(f"{self.file}, row {self.number}: {reason}.")

    def need(self, *names: str) -> None:
        """Refuse a row without some of the columns, naming those it lacks and those it has.

        :raises DatasetError: if any is missing
        """
        missing = [f"“{name}”" for name in names if name not in self.fields]
        if missing:
            found = ", ".join(printable(name, 40) for name in list(self.fields)[:12]) or "none"
            raise self.problem(f"there is no column {' and no '.join(missing)}; found: {found}")

    def text(self, name: str, *, blank: bool = False) -> str:
        """Return a column's text as it is.

        :param blank: whether it may be empty
        :raises DatasetError: if it is missing, not text, or empty
        """
        self.need(name)
        return self._sound(self.fields[name], f"“{name}”", blank)

    def choices(self, name: str) -> tuple[str, ...]:
        """Return a column's list of at least two answers.

        :raises DatasetError: if it is not that
        """
        return tuple(self._sound(choice, f"a choice in “{name}”") for choice in self._list(name))

    def numbers(self, name: str) -> tuple[int | None, ...]:
        """Return a column's list with ``None`` for what is no whole number.

        :raises DatasetError: if it is no list of at least two
        """
        return tuple(whole_number(value) for value in self._list(name))

    def part(self, name: str) -> "Row":
        """Return an object inside the row.

        :raises DatasetError: if it is missing or something else
        """
        self.need(name)
        return self._object(name, self.fields[name])

    def parts(self, name: str) -> tuple["Row", ...]:
        """Return a list of at least two objects inside the row.

        :raises DatasetError: if it is not that
        """
        return tuple(self._object(name, value) for value in self._list(name))

    def _object(self, name: str, value: object) -> "Row":
        if not isinstance(value, dict):
            raise self.problem(f"“{name}” should hold an object, and holds {shown(value)}")
        return Row(self.file, self.number, value)

    def _list(self, name: str) -> Sequence[object]:
        self.need(name)
        value = self.fields[name]
        if not isinstance(value, list):
            raise self.problem(f"“{name}” should be a list, and is {shown(value)}")
        if len(value) < 2:
            raise self.problem(f"“{name}” should list two or more, and lists {len(value)}")
        return value

    def _sound(self, value: object, what: str, blank: bool = False) -> str:
        if not isinstance(value, str):
            raise self.problem(f"{what} should be text, and is {shown(value)}")
        if not blank and not value.strip():
            raise self.problem(f"{what} is empty")
        if printable(value, len(value)) != value:
            raise self.problem(f"{what} holds half a character (an unpaired surrogate)")
        return value


def whole_number(value: object) -> int | None:
    """Return a whole number given as one or as digits; ``None`` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", value):
        return int(value)
    return None


def printable(text: str, length: int) -> str:
    """Shorten a text and escape what no terminal or file could take."""
    short = text if len(text) <= length else text[: length - 1] + "…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(value: object) -> str:
    """Write a value found where another was expected, shortly."""
    if value is None:
        return "empty"
    return f"“{printable(value, 60)}”" if isinstance(value, str) else reprlib.repr(value)


def read_rows(path: Path) -> Iterator[Row]:
    """Read the records of a file of any form.

    :raises DatasetError: if the file or a row cannot be used, or there are no rows
    """
    return rows(load(path))


def load(path: Path) -> Content:
    """Read a file whole and tell its form.

    :raises DatasetError: if it cannot be read, is empty, or is no data at all
    """
    data = _bytes_of(path)
    suffix = path.suffix.casefold()
    if data.startswith(b"PAR1"):
        return Content(path.name, Form.PARQUET, "", data)
    if suffix == ".parquet":
        raise DatasetError(f"{path.name} is called parquet and is not. Download it anew.")
    text = _decode(path.name, data)
    if not text.strip():
        raise DatasetError(f"{path.name} is empty.")
    return Content(path.name, _text_form(text, suffix), text)


def rows(content: Content) -> Iterator[Row]:
    """Return the records of a file in memory; plain text is taken for CSV with a header.

    :raises DatasetError: if a row cannot be used, or there are none
    """
    readers = {
        Form.JSON_LINES: _json_lines,
        Form.JSON_LIST: _json_list,
        Form.PARQUET: _parquet_rows,
    }
    empty = True
    for row in readers.get(content.form, _csv_rows)(content):
        empty = False
        yield row
    if empty:
        raise DatasetError(f"{content.name} has no rows.")


def _bytes_of(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DatasetError(f"{path} is a folder. Name a file in it.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}.") from None
    except PermissionError:
        raise DatasetError(f"You may not read {path}. Change its permissions.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise DatasetError(f"{path.name} is larger than 1 GiB: no benchmark is. Is it the file?")
    for start, what in NOT_DATA.items():
        if data.startswith(start):
            raise DatasetError(f"{path.name} {what}.")
    if WEB_PAGE.match(data):
        raise DatasetError(
            f"{path.name} is a web page, not data. Download the file itself: its page has a "
            "“download” or “raw” link."
        )
    return data


def _decode(name: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(f"{name}, line {line} is not UTF-8 text. Save it as UTF-8.") from None
    # Inside a text one is left where files were put together; it is no part of what is asked.
    text = INNER_MARK.sub("", text)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DatasetError(f"{name}, line {line} holds a NUL character: no text file does.")
    return text


def _text_form(text: str, suffix: str) -> Form:
    if suffix == ".csv":
        return Form.CSV
    start = text.lstrip()
    is_json = suffix in JSON_SUFFIXES
    if start.startswith("[") and (is_json or re.match(r"\[\s*[{\]]", start)):
        return Form.JSON_LIST
    return Form.JSON_LINES if is_json or start.startswith("{") else Form.TEXT


def _json_lines(content: Content) -> Iterator[Row]:
    # Not splitlines(): JSON may hold U+2028 and the like inside a text.
    for number, line in enumerate(content.text.split("\n"), 1):
        if line.strip():
            value, _ = _json_value(content, number, line.strip(), 0, whole=True)
            yield _record(content, number, value)


def _json_list(content: Content) -> Iterator[Row]:
    text = content.text
    at, number = _past_blank(text, text.index("[") + 1), 0
    while text[at : at + 1] != "]":
        number += 1
        value, at = _json_value(content, number, text, at)
        yield _record(content, number, value)
        at = _past_blank(text, at)
        if text[at : at + 1] == ",":
            at = _past_blank(text, at + 1)
        elif text[at : at + 1] != "]":
            raise content.problem(number, "the list breaks off after it; the file may be cut off")
    if _past_blank(text, at + 1) != len(text):
        raise content.problem(number, "something follows the end of the list")


def _past_blank(text: str, at: int) -> int:
    blank = BLANK.match(text, at)
    return blank.end() if blank else at


def _json_value(
    content: Content, number: int, text: str, at: int, whole: bool = False
) -> tuple[object, int]:
    """Parse the JSON value at a place; returns it and where it ends."""
    try:
        value, end = JSON.raw_decode(text, at)
    except json.JSONDecodeError as error:
        reason = f"it is no whole JSON ({error.msg}, character {error.pos - at + 1})"
        raise content.problem(number, f"{reason}; the file may be cut off there") from None
    except (ValueError, RecursionError):
        raise content.problem(number, "its JSON is nested too deep or a number too long") from None
    if whole and end != len(text):
        raise content.problem(number, "more follows the JSON object on its line")
    return value, end


def _record(content: Content, number: int, value: object) -> Row:
    if not isinstance(value, dict):
        raise content.problem(number, f"it should be a JSON object, and is {shown(value)}")
    return Row(content.name, number, value)


def _csv_rows(content: Content) -> Iterator[Row]:
    records = csv_records(content, header=True)
    _, names = next(records, (0, []))
    for number, cells in records:
        yield Row(content.name, number, named_cells(content, number, names, cells))


def csv_records(content: Content, *, header: bool) -> Iterator[tuple[int, list[str]]]:
    """Return a CSV file's records and their numbers, blank ones left out; the header's is 0.

    :raises DatasetError: at a record that cannot be read
    """
    text = content.text.lstrip("\r\n")
    # Strict, or a quotation mark never closed would swallow the rest of the file unnoticed.
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    number = -1 if header else 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise content.problem(number, _csv_reason(str(error))) from None
        if any(cell.strip() for cell in cells):
            yield number, cells


def _csv_reason(error: str) -> str:
    if "unexpected end" in error:
        return "a quotation mark is never closed; the file may be cut off"
    if "field larger" in error:
        return "a cell is far too long; a quotation mark may be missing"
    return f"it is no proper CSV ({error})"


def named_cells(
    content: Content, number: int, names: Sequence[str], cells: Sequence[str]
) -> dict[str, object]:
    """Pair a CSV record's cells with their columns' names.

    :raises DatasetError: if there are too few, or more that are not empty
    """
    if len(cells) < len(names):
        reason = f"it has {len(cells)} of {len(names)} cells; it may be cut off"
        raise content.problem(number, reason)
    if any(cell.strip() for cell in cells[len(names) :]):
        raise content.problem(number, f"it has {len(cells)} cells for {len(names)} columns")
    return {name.strip(): cell for name, cell in zip(names, cells, strict=False)}


def _parquet_rows(content: Content) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DatasetError(
            f"{content.name} is parquet, which needs the package pyarrow. "
            "Install it with: pip install 'llamawatt[parquet]'"
        ) from None
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content.data))
        records = table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = printable(str(error).split("\n")[0], 120)
        raise DatasetError(
            f"{content.name} is damaged parquet. Download it anew. ({reason})"
        ) from None
    for number, record in enumerate(records, 1):
        yield Row(content.name, number, record)
