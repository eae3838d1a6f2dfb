"""Files that appear whole or not at all."""

import errno
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from monitor.problem import Problem

SAVE_AS_UTF_8 = "Save it as UTF-8 (a spreadsheet calls that “CSV UTF-8”) and take that in."

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ExchangeError(Problem, ValueError):
    """Something cannot be written out or taken in; the message says why and what to do."""


@contextmanager
def new_file(path: Path, force: bool = False) -> Iterator[TextIO]:
    """Write a text file beside its place, then put it there in one step.

    Whatever goes wrong before the end of the block leaves no file, and one that was there as it
    was.

    :param force: whether a file of that name may be replaced
    :raises ExchangeError: if there is one and it may not, or if it cannot be written
    """
    target = path.expanduser().resolve()
    _refuse(target, force)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse(target, force)
        part.replace(target)
    except OSError as error:
        reason = "its disk is full" if error.errno in FULL else error.strerror or str(error)
        raise ExchangeError(f"{target} was not written: {reason}. Choose another place.") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _refuse(target: Path, force: bool) -> None:
    if not target.parent.is_dir():
        raise ExchangeError(f"There is no folder {target.parent} to write into.")
    if target.exists() and not target.is_file():
        raise ExchangeError(f"{target} is no file that could be replaced.")
    if target.exists() and not force:
        raise ExchangeError(f"{target} is there already; --force replaces it.")


def read_text(path: Path, most_bytes: int) -> str:
    """Return a text file's content, without a byte order mark.

    :raises ExchangeError: if it cannot be read, is larger than that, or is no UTF-8 text
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ExchangeError(
                f"{path.name} has {path.stat().st_size:,} bytes; what LlamaWatt takes in has "
                f"{most_bytes:,} at most."
            )
        content = path.read_bytes()
    except OSError as error:
        raise ExchangeError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise ExchangeError(f"{path.name} is UTF-16 text. {SAVE_AS_UTF_8}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ExchangeError(
            f"{path.name}, line {line}, is no UTF-8 text. {SAVE_AS_UTF_8}"
        ) from error
