"""Another machine's history, opened to be read in the form this program knows."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from monitor.store.copies import copy_database, has_table, open_to_read, version_of
from monitor.store.database import migrate
from monitor.store.errors import NO_DATABASE, StoreError, code_of, explain
from monitor.store.schema import SCHEMA_VERSION


@contextmanager
def opened(own: Path, other: Path) -> Iterator[sqlite3.Connection]:
    """Open another database for the length of a block.

    :param own: the history that it is to be merged into
    :param other: only read; one of an earlier version is copied, and the copy brought up to date
    :raises StoreError: if it is none, or of a later version
    """
    if not other.is_file():
        raise StoreError(f"There is no file {other}.")
    if other.samefile(own):
        raise StoreError(f"{other} is the history itself; there is nothing to merge.")
    try:
        with closing(open_to_read(other)) as source:
            version = version_of(source)
            if not has_table(source, "queries"):
                raise StoreError(f"{other} is no history of LlamaWatt.")
            if version > SCHEMA_VERSION:
                raise StoreError(
                    f"{other} was written by a later version of LlamaWatt (schema {version}, "
                    f"this one knows {SCHEMA_VERSION}). Update LlamaWatt here first."
                )
            if version == SCHEMA_VERSION:
                source.execute("begin")
                yield source
                return
    except sqlite3.Error as problem:
        if code_of(problem) == NO_DATABASE:
            raise StoreError(f"{other} is no history of LlamaWatt.") from problem
        raise StoreError(explain(other, problem, "read", is_own=False)) from problem
    with tempfile.TemporaryDirectory(prefix="llamawatt-merge-") as folder:
        copy = Path(folder) / "history.db"
        copy_database(other, copy, is_own=False)
        with closing(sqlite3.connect(copy, check_same_thread=False)) as source:
            migrate(Database(source), other)
            yield source
