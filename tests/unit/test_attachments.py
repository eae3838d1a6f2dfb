"""Text files that go along with a question."""

import os
from pathlib import Path

import pytest

from monitor.attachments import (
    LARGEST_BYTES,
    Attachment,
    AttachmentError,
    read_attachment,
    taken_apart,
    with_attachments,
)


def attached(text: str, name: str = "notes.txt") -> Attachment:
    return Attachment(Path(name), name, text, len(text), "UTF-8", False)


@pytest.mark.parametrize(
    ("data", "encoding", "is_guessed"),
    [
        ("Grüße, 2 µJ\n".encode(), "UTF-8", False),
        ("Grüße, 2 µJ\n".encode("utf-8-sig"), "UTF-8", False),
        ("Grüße, 2 µJ\n".encode("utf-16"), "UTF-16", False),
        (b"\xfe\xff" + "Grüße, 2 µJ\n".encode("utf-16-be"), "UTF-16", False),
        ("Grüße, 2 µJ\n".encode("utf-32"), "UTF-32", False),
        ("Grüße, 2 µJ\n".encode("cp1252"), "Windows-1252", True),
    ],
)
def test_text_is_read_however_it_is_written(
    tmp_path: Path, data: bytes, encoding: str, is_guessed: bool
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    assert read_attachment(path) == Attachment(
        path, "notes.txt", "Grüße, 2 µJ\n", len(data), encoding, is_guessed
    )


def test_older_text_is_read_whatever_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"caf\xe9 \x81")
    read = read_attachment(path)
    assert read.text == "café \x81"
    assert (read.encoding, read.is_guessed) == ("Latin-1", True)


def test_line_ends_are_the_same_from_every_system(tmp_path: Path) -> None:
    path = tmp_path / "dos.txt"
    path.write_bytes(b"one\r\ntwo\rthree\n")
    assert read_attachment(path).text == "one\ntwo\nthree\n"


def test_a_file_may_hold_a_million_bytes(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"a" * LARGEST_BYTES)
    assert read_attachment(path).size_bytes == LARGEST_BYTES
    path.write_bytes(b"a" * (LARGEST_BYTES + 1))
    with pytest.raises(AttachmentError, match=r"large.txt is larger than 1 MB: attach the part"):
        read_attachment(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "not a text file"),
        (b"GIF89a\xff\x01\x02", "not a text file"),
        (b"\xff\xfe\x00\xd8", "begins as UTF-16 but is damaged"),
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(data)
    with pytest.raises(AttachmentError, match=told):
        read_attachment(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AttachmentError, match="is a folder: attach the files in it"):
        read_attachment(tmp_path)
    with pytest.raises(AttachmentError, match="There is no file"):
        read_attachment(tmp_path / "missing.txt")
    with pytest.raises(AttachmentError, match=r"\.txt cannot be read"):
        read_attachment(tmp_path / ("long" * 100 + ".txt"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(AttachmentError, match="is not a file"):
        read_attachment(pipe)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("text")
    path.chmod(0)
    with pytest.raises(AttachmentError, match="may not be read"):
        read_attachment(path)


def test_files_stand_before_the_question_under_their_names() -> None:
    asked = with_attachments(
        "What differs?", [attached("one\n", "a.txt"), attached("two", "b.txt")]
    )
    assert asked == "a.txt:\n```\none\n```\n\nb.txt:\n```\ntwo\n```\n\nWhat differs?"
    assert with_attachments("Only this", []) == "Only this"
    assert with_attachments("", [attached("one")]) == "notes.txt:\n```\none\n```"


def test_nothing_in_a_file_ends_its_block() -> None:
    text = "```python\nprint()\n```\n`````\nmore"
    lines = with_attachments("Why?", [attached(text)]).split("\n")
    fence = lines[1]
    assert fence == "``````"
    assert [at for at, line in enumerate(lines) if line.startswith(fence)] == [1, 7]


def test_a_name_stays_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.txt"
    path.write_text("text")
    assert read_attachment(path).name == "two lines.txt"


def test_a_question_is_taken_apart_as_it_was_put_together(tmp_path: Path) -> None:
    texts = {"a.txt": "one\n\ntwo", "b.md": "```py\nx\n```\n"}
    files = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        files.append(read_attachment(tmp_path / name))
    for question in ("What is it?", ""):
        asked = with_attachments(question, files)
        taken, left = taken_apart(asked)
        assert left == question
        assert [(one.name, one.text) for one in taken] == [
            ("a.txt", "one\n\ntwo"),
            ("b.md", "```py\nx\n```"),
        ]
        assert with_attachments(left, taken) == asked
