"""Backups of the database: made by date and before updates, listed, and put back."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from monitor.store.copies import (
    Progress,
    copy_database,
    copy_pages,
    finished,
    has_table,
    holds_queries,
    never,
    open_to_read,
    unheard,
    version_of,
)
from monitor.store.errors import BUSY, DAMAGED, NO_DATABASE, StoreError, code_of, explain
from monitor.store.schema import SCHEMA_VERSION

DATED = re.compile(r"history-(\d{4}-\d\d-\d\d)\.db")
BEFORE_SCHEMA = re.compile(r"history-before-schema-(\d+)(?:-\d+)?\.db")


LEFT_FOR_S = 86_400.0
"""A copy unfinished for so long belonged to a program that was killed."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Which automatic backups are made and kept.

    :param daily: the newest so many, one a day
    :param weekly: and of as many weeks before them the newest of each
    :param before_schema: the newest so many of those made before an update changed the file
    :param largest_bytes: of a larger database no backup is made unasked
    """

    daily: int = 7
    weekly: int = 4
    before_schema: int = 2
    largest_bytes: int = 300_000_000


KEEP = Keep()


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy in the folder of backups.

    :param made: the day
    :param before_schema: the schema it was made before; ``None`` for a dated one
    """

    path: Path
    made: date
    size_bytes: int
    before_schema: int | None = None


def backup_folder(database: Path) -> Path:
    """Return where the backups of a database are kept."""
    return database.parent / "backups"


def list_backups(database: Path) -> list[Backup]:
    """Return the backups there are, the newest first."""
    found = []
    for path in backup_folder(database).glob("history-*.db"):
        if match := DATED.fullmatch(path.name):
            found.append(Backup(path, date.fromisoformat(match[1]), path.stat().st_size))
        elif match := BEFORE_SCHEMA.fullmatch(path.name):
            stat = path.stat()
            made = date.fromtimestamp(stat.st_mtime)
            found.append(Backup(path, made, stat.st_size, int(match[1])))
    return sorted(found, key=lambda backup: (backup.made, backup.path.name), reverse=True)


def back_up(
    database: Path,
    today: date | None = None,
    keep: Keep = KEEP,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
) -> Backup:
    """Make today's backup, in place of one made earlier today, and remove those not to be kept.

    :raises StoreError: if it cannot be made; the earlier ones are kept then
    """
    made = today or date.today()
    _refuse_later(database)
    target = _made_folder(database) / f"history-{made.isoformat()}.db"
    copied = copy_database(database, target, True, progress, cancelled)
    for old in superseded(list_backups(database), keep):
        old.path.unlink(missing_ok=True)
    for left in backup_folder(database).glob(".history-*.part"):
        if time.time() - left.stat().st_mtime > LEFT_FOR_S:
            left.unlink(missing_ok=True)
    return Backup(target, made, copied)


def _refuse_later(database: Path) -> None:
    """See that a copy can be put back by this program, before it takes the place of another."""
    try:
        with closing(open_to_read(database)) as connection:
            version = version_of(connection)
    except sqlite3.Error as problem:
        raise StoreError(explain(database, problem, "read")) from problem
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The history {database} was written by a later version of LlamaWatt, and this one "
            "could not put the backup back. Nothing was changed; update LlamaWatt first."
        )


def back_up_if_due(
    database: Path,
    today: date | None = None,
    keep: Keep = KEEP,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
) -> Backup | None:
    """Make today's backup unless there is one, nothing to keep, or too much to do so unasked.

    Takes seconds: call it on a thread of its own.

    :return: the backup, if one was made
    :raises StoreError: if it cannot be made
    """
    made = today or date.today()
    if any(each.made == made and not each.before_schema for each in list_backups(database)):
        return None
    if not database.exists() or database.stat().st_size > keep.largest_bytes:
        return None
    # An empty history must not push out the backups of the one that was lost.
    return back_up(database, made, keep, progress, cancelled) if holds_queries(database) else None


def superseded(backups: list[Backup], keep: Keep) -> list[Backup]:
    """Return which of the backups a rule does not keep."""
    newest_first = sorted(backups, key=lambda backup: backup.made, reverse=True)
    dated = [backup for backup in newest_first if backup.before_schema is None]
    kept = dated[: keep.daily]
    weeks: dict[tuple[int, int], Backup] = {}
    for backup in dated[keep.daily :]:
        year, week, _ = backup.made.isocalendar()
        weeks.setdefault((year, week), backup)
    kept += list(weeks.values())[: keep.weekly]
    kept += [backup for backup in newest_first if backup.before_schema][: keep.before_schema]
    return [backup for backup in backups if backup not in kept]


def back_up_before_schema(database: Path, version: int) -> Path | None:
    """Copy a file of an earlier version that holds queries before it is brought up to date.

    :param version: the schema it is brought up to
    :return: the copy; ``None`` if another process has just brought the file up to date
    :raises StoreError: if it cannot be copied
    """
    target = _free_name(_made_folder(database) / f"history-before-schema-{version}.db")
    copy_database(database, target)
    with closing(open_to_read(target)) as copy:
        is_earlier = version_of(copy) < version
    if not is_earlier:
        target.unlink()
    return target if is_earlier else None


def _free_name(path: Path) -> Path:
    """Return a path, or the like of it with a number, that nothing has yet."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def _made_folder(database: Path) -> Path:
    folder = backup_folder(database)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise StoreError(f"{folder} cannot be made: {problem}.") from problem
    return folder


# --- restoring -----------------------------------------------------------------------------


def restore(
    database: Path,
    backup: Path,
    now: datetime | None = None,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
) -> Path | None:
    """Put a backup in the place of the database, and the database aside.

    This process must have closed it; the next to open it brings an old backup up to date.

    :return: where the replaced file lies now; ``None`` if there was none
    :raises StoreError: if the backup is none or damaged, or the database is in use
    """
    _check_backup(backup)
    if not database.exists():
        copy_database(backup, database, False, progress, cancelled, is_own=False)
        return None
    moment = (now or datetime.now()).strftime("%Y-%m-%d-%H%M%S")
    aside = _free_name(database.with_name(f"history-replaced-{moment}.db"))
    with _alone(database), finished(database) as part:
        copy_pages(backup, part, progress, cancelled, is_own=False)
        _put_aside(database, aside)
    return aside


def _check_backup(backup: Path) -> None:
    try:
        with closing(open_to_read(backup)) as connection:
            version, is_history = version_of(connection), has_table(connection, "queries")
    except sqlite3.Error as problem:
        raise StoreError(f"The backup {backup} cannot be read: {problem}.") from problem
    if version > SCHEMA_VERSION:
        raise StoreError(f"The backup {backup} is of a later version of LlamaWatt. Update it.")
    if not is_history:
        raise StoreError(f"{backup} is no history of LlamaWatt.")


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Have a database to oneself, with all that its log held written into it.

    :raises StoreError: if somebody else has it open
    """
    with closing(sqlite3.connect(database, timeout=0.2)) as connection:
        try:
            connection.execute("pragma locking_mode = exclusive")
            # SQLite leaves WAL only when nobody else is there, and takes its files away.
            connection.execute("pragma journal_mode = delete").fetchone()
            connection.execute("begin exclusive")
        except sqlite3.DatabaseError as problem:
            if code_of(problem) == BUSY:
                raise StoreError(
                    f"The history {database} is in use. Close the window and every other "
                    "program that has it open, then try again."
                ) from problem
            if code_of(problem) not in (DAMAGED, NO_DATABASE):
                raise StoreError(explain(database, problem, "replaced")) from problem
        yield


def _put_aside(database: Path, aside: Path) -> None:
    """Give a database another name; its log, if it is too damaged to be rid of one, as well."""
    for suffix in ("-wal", "-shm"):
        companion = database.with_name(database.name + suffix)
        with suppress(FileNotFoundError):
            companion.replace(aside.with_name(aside.name + suffix))
    try:
        os.link(database, aside)
    except OSError:
        database.replace(aside)
