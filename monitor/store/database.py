"""The file: how it is opened, read from any thread, and written from one."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from monitor.store.schema import SCHEMA_VERSION, migrations

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0
"""Window and command write to the same file; each waits for the other's short transactions."""


class StoreError(Exception):
    """The database cannot be used; the message says why and what to do."""


class Store:
    """One SQLite file in WAL mode. Reads on the caller's thread, writes in order on one other.

    :param path: the file; created and migrated as need be
    :raises StoreError: if it is no database, made by a later version, or not writable
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._open: list[tuple[threading.Thread, Database]] = []
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-writer")
        try:
            self._writer.submit(self._prepare).result()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(
                f"The history {path} cannot be opened: {error}. Move the file away to start a "
                "new one, or set LLAMAWATT_HOME to another folder."
            ) from error
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        db = self._connection()
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The history {self.path} was written by a later version of LlamaWatt "
                f"(schema {version}, this one knows {SCHEMA_VERSION}). Update LlamaWatt to open it."
            )
        _enable_wal(db)
        if version < SCHEMA_VERSION:
            self._migrate(db)

    def _migrate(self, db: Database) -> None:
        """Bring the tables up to date: all of it, or nothing."""
        # A table others refer to can only be replaced while references are not enforced; the
        # names of those others must not follow the old one away (sqlite.org/lang_altertable).
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA legacy_alter_table = ON")
        with _immediate(db):
            migrations.apply(db)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            if broken := db.execute("PRAGMA foreign_key_check").fetchone():
                raise StoreError(
                    f"The history {self.path} is damaged: its table {broken[0]} refers to rows of "
                    f"{broken[2]} that are not there. Nothing was changed."
                )
        db.execute("PRAGMA legacy_alter_table = OFF")
        db.execute("PRAGMA foreign_keys = ON")

    def _connection(self) -> Database:
        """The calling thread's own connection."""
        db: Database | None = getattr(self._local, "db", None)
        if db is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            db = Database(connection)
            db.execute("PRAGMA foreign_keys = ON")
            # FULL, not NORMAL: a power cut may cost the last second, not the last minutes.
            db.execute("PRAGMA synchronous = FULL")
            self._local.db = db
            with self._lock:
                for thread, left in self._open:
                    if not thread.is_alive():
                        left.close()
                self._open = [each for each in self._open if each[0].is_alive()]
                self._open.append((threading.current_thread(), db))
        return db

    def read(self) -> Database:
        """Return a connection for reading on this thread."""
        return self._connection()

    def write(self, change: Callable[[Database], T]) -> "Future[T]":
        """Run a change in one transaction on the writing thread.

        :param change: called with the database; all of it is stored, or nothing
        :return: its result, or its error: a :class:`StoreError` if SQLite refuses
        """
        return self._writer.submit(self._transact, change)

    def _transact(self, change: Callable[[Database], T]) -> T:
        try:
            with _immediate(self._connection()) as db:
                return change(db)
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"The history {self.path} cannot be written: {error}. Free some space on its disk, "
                "or see that no other program holds the file."
            ) from error

    def close(self) -> None:
        """Finish what is still to be written and close every connection."""
        self._writer.shutdown(wait=True)
        with self._lock:
            for _, db in self._open:
                db.close()
            self._open.clear()


def _enable_wal(db: Database) -> None:
    """Switch to WAL; SQLite does not wait by itself while another process switches too."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return db.enable_wal()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


@contextmanager
def _immediate(db: Database) -> Iterator[Database]:
    """A transaction that takes the write lock at once.

    One that begins by reading and writes later fails without waiting when another process has
    written in between.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.rollback()
        raise
    db.commit()
