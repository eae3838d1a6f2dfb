"""Text files that go along with a question."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LARGEST_BYTES = 1_000_000

_MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)

_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Control characters that no text has; tab, line ends, form feed and escape may be."""


_BLOCK = re.compile(
    r"(?P<name>[^\n]+):\n(?P<fence>`{3,})\n(?P<text>.*?)\n(?P=fence)(?:\n\n|\Z)", re.DOTALL
)
"""A file as :func:`with_attachments` puts it before a question."""


class AttachmentError(Exception):
    """A file that cannot go along; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file, read.

    :param text: with line ends ``\\n``
    :param size_bytes: of the file
    :param encoding: what it was read as; "" where it was taken from a question that was asked
    :param is_guessed: whether the encoding could not be told from the file, so that single
      characters may be wrong
    """

    path: Path
    name: str
    text: str
    size_bytes: int
    encoding: str
    is_guessed: bool


def read_attachment(path: Path) -> Attachment:
    """Read a text file: UTF-8, UTF-16 or UTF-32 with their marks, else as older text.

    :raises AttachmentError: if it is missing, no file, too large, empty, cannot be read, or is
      not text
    """
    name = " ".join(path.name.split())
    data = _read(path, name)
    for mark, codec, encoding in _MARKED:
        if data.startswith(mark):
            try:
                text, is_guessed = data.decode(codec), False
            except UnicodeDecodeError:
                raise AttachmentError(
                    f"{name} begins as {encoding} but is damaged: save it again as UTF-8."
                ) from None
            break
    else:
        text, encoding, is_guessed = _decode_unmarked(data)
    if _BINARY.search(text):
        raise AttachmentError(
            f"{name} is not a text file: attach text, or copy the text out of it."
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise AttachmentError(f"{name} is empty: there is nothing to attach.")
    return Attachment(path, name, text, len(data), encoding, is_guessed)


def _read(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise AttachmentError(f"{name} is a folder: attach the files in it one by one.")
        if path.exists() and not path.is_file():
            raise AttachmentError(f"{name} is not a file: attach a text file.")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise AttachmentError(f"There is no file {path}: choose another one.") from None
    except PermissionError:
        raise AttachmentError(
            f"{name} may not be read: give yourself the right to read it, or copy it."
        ) from None
    except (OSError, ValueError) as error:
        raise AttachmentError(f"{name} cannot be read ({error}): choose another file.") from None
    if len(data) > LARGEST_BYTES:
        raise AttachmentError(f"{name} is larger than 1 MB: attach the part that matters.")
    return data


def _decode_unmarked(data: bytes) -> tuple[str, str, bool]:
    try:
        return data.decode("utf-8"), "UTF-8", False
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "Windows-1252", True
    except UnicodeDecodeError:
        # It gives every byte a character.
        return data.decode("latin-1"), "Latin-1", True


def with_attachments(prompt: str, attachments: Sequence[Attachment]) -> str:
    """Return what is asked: each file in a fenced block under its name, then the question."""
    blocks = [f"{one.name}:\n{_fenced(one.text)}" for one in attachments]
    return "\n\n".join([*blocks, prompt] if prompt else blocks)


def taken_apart(prompt: str) -> tuple[tuple[Attachment, ...], str]:
    """Return the files a prompt begins with, as they were sent, and the question behind them.

    What :func:`with_attachments` makes of both is the prompt again.
    """
    files: list[Attachment] = []
    while found := _BLOCK.match(prompt):
        name, text = found["name"], found["text"]
        files.append(Attachment(Path(name), name, text, len(text.encode()), "", False))
        prompt = prompt[found.end() :]
    return tuple(files), prompt


def split_attachments(prompt: str) -> tuple[tuple[str, ...], str]:
    """Return the names of the files a prompt begins with, and the question behind them."""
    files, question = taken_apart(prompt)
    return tuple(file.name for file in files), question


def question_first(prompt: str) -> str:
    """Return a prompt as a list shows it: the question, then the names of the files with it."""
    files, question = split_attachments(prompt)
    return " · ".join(filter(None, (question.strip(), ", ".join(files))))


def _fenced(text: str) -> str:
    """Put a text between fences that nothing in it can be taken for (CommonMark, section 4.5)."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"
