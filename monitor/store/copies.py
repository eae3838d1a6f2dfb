"""Copies of the database, made while it is used.

A copy is one file that needs no companions: whatever was in the write-ahead log is in it, and it
opens from a read-only disk too.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from monitor.figures import size
from monitor.store.errors import (
    CANNOT_OPEN,
    DISK,
    INTERRUPTED,
    NO_SPACE,
    READ_ONLY,
    StoreError,
    StoreStopped,
    code_of,
    damaged,
    explain,
)

Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""

PAGES_A_STEP = 512
"""Two megabytes: between two of them a copy can be stopped."""

SHARE_OF_COPYING = 0.7
"""What copying takes of the whole; the rest is checking."""

SPARE_BYTES = 10_000_000
"""Left free on a disk, so that what runs meanwhile can still store its results."""


def never() -> bool:
    """Stop nothing."""
    return False


def unheard(_fraction: float) -> None:
    """Show no progress."""


class Still(sqlite3.Connection):
    """Reads a file that nobody writes, without locks and without its log.

    Once another program writes it after all, pages of before and after are read side by side:
    :meth:`is_outdated` tells, and the file must be opened anew.
    """

    def __init__(self, address: str, path: Path, **options: Any) -> None:
        self._path, self._seen = path, _state(path)
        super().__init__(address, **options)

    def is_outdated(self) -> bool:
        """Whether the file is another than it was when it was opened."""
        return _state(self._path) != self._seen


def _state(path: Path) -> list[tuple[int, int]]:
    """Return what changes with whatever is written to a database or, not empty, to its log."""
    found = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            found.append(file.stat())
    return [(each.st_mtime_ns, each.st_size) for each in found if each.st_size]


def open_to_read(
    path: Path, timeout_s: float = 10.0, bears_damage: bool = False
) -> sqlite3.Connection:
    """Open a database for reading only; one on a read-only or a full disk too.

    :param bears_damage: go on with the tables that are found where the list of them is damaged,
      and with the pages that are there where the file is cut off, whose last one must be whole
    :return: a :class:`Still` where nobody is writing and SQLite could not tell if somebody began
    :raises sqlite3.Error: if it cannot be read
    """
    address = f"{path.absolute().as_uri()}?mode=ro"

    def connect(
        address: str, kind: Callable[..., sqlite3.Connection] = sqlite3.Connection
    ) -> sqlite3.Connection:
        connection = kind(address, uri=True, timeout=timeout_s, check_same_thread=False)
        try:
            if bears_damage:
                # Meant for another use, it has SQLite take such a file as far as it goes.
                connection.execute("pragma writable_schema = on")
            connection.execute("pragma schema_version").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    try:
        return connect(address)
    except sqlite3.OperationalError as problem:
        # Where no companion file can be made, and none is, nobody is writing. On a full disk
        # SQLite itself leaves an empty log, to which there is no room to write.
        code, log = code_of(problem), path.with_name(f"{path.name}-wal")
        is_full = code in (DISK, NO_SPACE)
        if not is_full and code not in (CANNOT_OPEN, READ_ONLY):
            raise
        if log.exists() and not (is_full and log.stat().st_size == 0):
            raise
        return connect(f"{address}&immutable=1", partial(Still, path=path))


def copy_database(
    source: Path,
    target: Path,
    overwrite: bool = False,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
    is_own: bool = True,
) -> int:
    """Copy a database while others read and write it: all of it, checked, or nothing.

    The copy is of one moment; writers go on meanwhile and are not waited for.

    :param overwrite: replace the target if there is one
    :param is_own: whether the source is the history this program keeps
    :return: the copy's bytes
    :raises StoreError: if there is no room, the target exists, the source is damaged, ...
    """
    if target.exists():
        if not overwrite:
            raise StoreError(f"{target} is there already. Choose another name, or replace it.")
        if target.samefile(source):
            raise StoreError(f"{target} is the history itself; choose another name.")
    with finished(target) as part:
        copy_pages(source, part, progress, cancelled, is_own)
    return target.stat().st_size


@contextmanager
def finished(target: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes the target once all went well.

    :raises StoreError: if it cannot be written
    """
    check_folder(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except sqlite3.Error as problem:
        advice = "Free some space there, or choose another folder."
        if code_of(problem) not in (DISK, NO_SPACE):
            advice = "See that you may write to its folder, or choose another."
        raise StoreError(f"{target} cannot be written: {problem}. {advice}") from problem
    except OSError as problem:
        raise StoreError(f"{target} cannot be written: {problem}.") from problem
    finally:
        part.unlink(missing_ok=True)


def check_folder(target: Path) -> None:
    """See that there is a folder to write a file into.

    :raises StoreError: if there is none
    """
    if not target.parent.is_dir():
        raise StoreError(
            f"{target} cannot be written: there is no folder {target.parent}. Make it first, or "
            "choose another."
        )


def copy_pages(
    source: Path,
    part: Path,
    progress: Progress,
    cancelled: Callable[[], bool],
    is_own: bool = True,
) -> None:
    """Copy a database into a new file and check that; see :func:`copy_database`."""
    try:
        origin = open_to_read(source)
    except sqlite3.Error as problem:
        raise StoreError(explain(source, problem, "read", is_own)) from problem

    def step(_status: int, left: int, pages: int) -> None:
        progress(SHARE_OF_COPYING * (1 - left / max(pages, 1)))
        if cancelled():
            raise StoreStopped("The copy was stopped; nothing is left of it.")

    with closing(origin), closing(sqlite3.connect(part)) as copy:
        # A snapshot: without one the copy begins anew whenever somebody writes.
        origin.execute("begin")
        origin.execute("select count(*) from sqlite_master").fetchone()
        (pages,), (page_bytes,) = (
            origin.execute(f"pragma {name}").fetchone() for name in ("page_count", "page_size")
        )
        check_room(part.parent, pages * page_bytes, "The copy")
        copy.execute("pragma journal_mode = off")
        copy.execute("pragma synchronous = off")
        origin.backup(copy, pages=PAGES_A_STEP, progress=step)
        copy.execute("pragma journal_mode = delete")
        if problems := problems_of(copy, cancelled):
            raise damaged(source, problems[0], "copied", is_own)
    progress(1.0)


HEADING = "*** in database "
"""What SQLite's check writes over what it found."""


def problems_of(
    connection: sqlite3.Connection, cancelled: Callable[[], bool] = never, most: int = 20
) -> list[str]:
    """Look a database through and return what is wrong with its pages; nothing if all is well.

    :raises StoreStopped: if cancelled
    """
    try:
        with stoppable(connection, cancelled):
            found = connection.execute(f"pragma quick_check({most})").fetchall()
    except sqlite3.DatabaseError as problem:
        return [str(problem)]
    lines = [line for (text,) in found if text != "ok" for line in text.splitlines()]
    return [line for line in lines if not line.startswith(HEADING)]


@contextmanager
def stoppable(connection: sqlite3.Connection, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Have a cancel end the statement of a check that is being run.

    :raises StoreStopped: if it did
    """
    connection.set_progress_handler(cancelled, 100_000)
    try:
        yield
    except sqlite3.DatabaseError as problem:
        if code_of(problem) == INTERRUPTED:
            raise StoreStopped("The check was stopped.") from problem
        raise
    finally:
        connection.set_progress_handler(None, 0)


def check_room(folder: Path, needed_bytes: int, what: str) -> None:
    """See that a disk has room.

    :param what: what needs it, to begin the sentence with
    :raises StoreError: if it has not
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise StoreError(
            f"{what} needs {size(needed_bytes)} in {folder}, where only {size(free)} are free. "
            "Free some space there, or choose another folder."
        )


def holds_queries(database: Path) -> bool:
    """Whether there is anything in a database that would be missed."""
    try:
        with closing(open_to_read(database)) as connection:
            return has_table(connection, "queries") and bool(
                connection.execute("select exists (select 1 from queries)").fetchone()[0]
            )
    except sqlite3.Error:
        return False


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether a database has a table."""
    sql = "select 1 from sqlite_master where type = 'table' and name = ?"
    return connection.execute(sql, [name]).fetchone() is not None


def version_of(connection: sqlite3.Connection) -> int:
    """Return the schema a file was written with."""
    return int(connection.execute("pragma user_version").fetchone()[0])
