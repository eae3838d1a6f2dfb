"""A database file that was cut off, made such that nothing is read of it that was never written.

SQLite reads zeros behind the end of a file, and takes them for what was stored: in the rest of a
last page that is there in part, and in any page that is not there while a log says there is one.
Rows of 0 J and texts with zeros in them would come of it. A page behind the end of the whole
database is damage to it instead. So such a file is read from a copy that ends where the first page
is missing.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from monitor.store.copies import check_room
from monitor.store.errors import StoreError, StoreStopped

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
"""Of a database file; for its fields see sqlite.org/fileformat2.html, "The Database Header"."""

PIECE_BYTES = 1 << 21
"""Copied between two looks for a cancel."""


@contextmanager
def whole_pages(path: Path, folder: Path, cancelled: Callable[[], bool]) -> Iterator[Path]:
    """Give the file to read: the very one, or a copy for as long as this lasts if it was cut off.

    :param folder: where the copy is made
    :raises StoreError: if there is no room for it, or it cannot be made
    """
    sizes = _sizes(path)
    if sizes is None:
        yield path
        return
    page_bytes, there_bytes = sizes
    log = _log_of(path)
    log_bytes = log.stat().st_size if log.exists() else 0
    check_room(folder, there_bytes + log_bytes, "Saving from a file that was cut off")
    with tempfile.TemporaryDirectory(prefix=".rescue-", dir=folder) as made:
        copy = Path(made) / path.name
        try:
            _copy_bytes(path, copy, there_bytes, cancelled)
            if log_bytes:
                _copy_bytes(log, _log_of(copy), log_bytes, cancelled)
                _write_log_in(copy)
                _end_before_hole(copy, there_bytes, page_bytes)
        except OSError as problem:
            raise StoreError(f"{path} cannot be copied to {folder}: {problem}.") from problem
        yield copy


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _sizes(path: Path) -> tuple[int, int] | None:
    """Return a page's bytes and those of the whole pages that are there.

    :return: ``None`` if the file was not cut off, or cannot be read at all, which SQLite will tell
    """
    header, size_bytes = b"", 0
    with suppress(OSError), path.open("rb") as file:
        header, size_bytes = file.read(HEADER_BYTES), path.stat().st_size
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    if not header.startswith(MAGIC) or page_bytes < 512:
        return None
    pages, half = divmod(size_bytes, page_bytes)
    if half or pages < int.from_bytes(header[28:32], "big"):
        return page_bytes, pages * page_bytes
    return None


def _copy_bytes(source: Path, target: Path, count: int, cancelled: Callable[[], bool]) -> None:
    with source.open("rb") as there, target.open("xb") as copy:
        while piece := there.read(min(PIECE_BYTES, count)):
            if cancelled():
                raise StoreStopped("Stopped; nothing is left of the new database.")
            copy.write(piece)
            count -= len(piece)


def _write_log_in(copy: Path) -> None:
    """Write what the log holds into its file; without it if SQLite cannot read it."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(copy)) as connection:
        connection.execute("pragma writable_schema = on")  # it bears that pages are missing
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    _log_of(copy).unlink(missing_ok=True)
    copy.with_name(f"{copy.name}-shm").unlink(missing_ok=True)


def _end_before_hole(copy: Path, there_bytes: int, page_bytes: int) -> None:
    """Cut a file at the first page that the log did not hold, although it held later ones."""
    with copy.open("rb+") as file:
        end = file.seek(there_bytes)
        while any(page := file.read(page_bytes)):
            end += len(page)
        file.truncate(end)
