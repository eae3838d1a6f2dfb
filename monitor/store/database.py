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

from monitor.store.backups import back_up_before_schema
from monitor.store.copies import Still, holds_queries, open_to_read
from monitor.store.errors import (
    ADVICE,
    BUSY,
    CANNOT_OPEN,
    DISK,
    LOCKED,
    NO_SPACE,
    READ_ONLY,
    code_of,
    explain,
)
from monitor.store.errors import StoreError as StoreError
from monitor.store.schema import SCHEMA_VERSION, migrations

T = TypeVar("T")

UNWRITABLE = (READ_ONLY, CANNOT_OPEN, DISK, NO_SPACE)
"""Result codes with which SQLite does not open a file for writing that can perhaps be read."""

BUSY_TIMEOUT_S = 10.0
"""Window and command write to the same file; each waits for the other's short transactions."""

TRY_AGAIN_S = 0.5
"""How long a change that must be stored rests after it was refused."""

PATIENCE_S = 30.0
"""How long a benchmark waits for a file that another program holds, before it is given up."""


class Store:
    """One SQLite file in WAL mode. Reads on the caller's thread, writes in order on one other.

    A file that may not be written to is opened for reading: :attr:`notice` then says so.

    :param path: the file; created and migrated as need be
    :param busy_timeout_s: how long to wait for another program's transaction
    :raises StoreError: if it is no database, damaged, or made by a later version
    """

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path, self._busy_timeout_s = path, busy_timeout_s
        self.notice = ""
        self._local = threading.local()
        self._open: list[tuple[threading.Thread, Database]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._preceding: Callable[[Database], object] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-writer")
        try:
            self._writer.submit(self._prepare).result()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(explain(path, error, "opened")) from error
        except StoreError:
            self.close()
            raise

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be stored, because the file may not be written to."""
        return bool(self.notice)

    def _prepare(self) -> None:
        try:
            version = self._check_version()
            _enable_wal(self._connection(), self._busy_timeout_s)
            if version < SCHEMA_VERSION:
                self._migrate()
            else:
                _probe(self._connection(), version)
        except sqlite3.OperationalError as error:
            if code_of(error) not in UNWRITABLE or not self.path.is_file():
                raise
            self._prepare_to_read(error)

    def _prepare_to_read(self, error: sqlite3.Error) -> None:
        self._local = threading.local()  # the connection that tried to write is not used again
        is_full = code_of(error) in (DISK, NO_SPACE)
        advice = f"{ADVICE[DISK]} Then start again." if is_full else ADVICE[READ_ONLY]
        self.notice = (
            f"The history {self.path} cannot be written: {error}. {advice} "
            "What it holds can be looked at."
        )
        if self._check_version() < SCHEMA_VERSION:
            if is_full:
                raise error
            raise StoreError(
                f"The history {self.path} is of an earlier version of LlamaWatt and must be "
                "brought up to date, but may not be written to. Give yourself the right to, or "
                "copy it to another folder and name that in LLAMAWATT_HOME."
            ) from error

    def _check_version(self) -> int:
        version = int(self._connection().execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The history {self.path} was written by a later version of LlamaWatt "
                f"(schema {version}, this one knows {SCHEMA_VERSION}). Update LlamaWatt to open it."
            )
        return version

    def _migrate(self) -> None:
        """Bring the tables up to date: all of it, or nothing; what they hold is copied before."""
        if holds_queries(self.path):
            try:
                back_up_before_schema(self.path, SCHEMA_VERSION)
            except StoreError as error:
                raise StoreError(
                    f"The history {self.path} must be brought up to date, and is copied before "
                    f"that. {error} Nothing was changed."
                ) from error
        migrate(self._connection(), self.path)

    def _connection(self) -> Database:
        """The calling thread's own connection."""
        db: Database | None = getattr(self._local, "db", None)
        if db is not None and isinstance(db.conn, Still) and db.conn.is_outdated():
            db = None  # what still reads from it keeps it; it is closed with the others
        if db is None:
            if self.is_read_only:
                connection = open_to_read(self.path, self._busy_timeout_s)
            else:
                connection = sqlite3.connect(
                    self.path, timeout=self._busy_timeout_s, check_same_thread=False
                )
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

    def write_patiently(self, change: Callable[[Database], T]) -> T:
        """Run a change as :meth:`write` does, and wait longer while another program holds the file.

        :return: its result
        :raises StoreError: if SQLite refuses for another reason, or still does
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.write(change).result()
            except StoreError as error:
                if not _is_held(error) or time.monotonic() > deadline_s:
                    raise
                self._closing.wait(TRY_AGAIN_S)

    def write_until_stored(self, change: Callable[[Database], T]) -> "Future[T]":
        """Run a change as :meth:`write` does, again and again until SQLite takes it.

        Other changes get their turn in between.

        :return: its result; a :class:`StoreError` only if the store was closed before
        """
        stored: Future[T] = Future()
        self._writer.submit(self._try_again, change, stored, self._busy_timeout_s, _always)
        return stored

    def write_once_free(self, change: Callable[[Database], T], wait_s: float) -> "Future[T]":
        """Run a change as :meth:`write` does, again and again while another program holds the file.

        Other changes get their turn in between.

        :param wait_s: how long each attempt waits for it, and :meth:`close` for the attempt
        :return: its result, or its error
        """
        stored: Future[T] = Future()
        self._writer.submit(self._try_again, change, stored, wait_s, _is_held)
        return stored

    def precede(self, change: Callable[[Database], object]) -> None:
        """Have a change made once, in the transaction of the next that is written.

        It takes the place of one that is still to be made so.
        """
        self._preceding = change

    def _try_again(
        self,
        change: Callable[[Database], T],
        stored: "Future[T]",
        wait_s: float,
        may_help: Callable[[StoreError], bool],
    ) -> None:
        """Write a change, or have it written after the others that wait, if that may help."""
        try:
            with self._waiting(wait_s):
                stored.set_result(self._transact(change))
        except StoreError as error:
            if may_help(error):
                self._closing.wait(TRY_AGAIN_S)
                with self._lock:
                    if not self._closing.is_set():
                        self._writer.submit(self._try_again, change, stored, wait_s, may_help)
                        return
            stored.set_exception(error)
        except BaseException as error:
            stored.set_exception(error)

    @contextmanager
    def _waiting(self, wait_s: float) -> Iterator[None]:
        """Have this thread wait so long for other programs within the block."""
        db = self._connection()
        db.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
        try:
            yield
        finally:
            db.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1000)}")

    def maintain(self, work: Callable[[Database], T]) -> "Future[T]":
        """Run what cannot be part of a transaction on the writing thread: ``VACUUM``."""
        return self._writer.submit(self._explained, lambda: work(self._connection()))

    def _transact(self, change: Callable[[Database], T]) -> T:
        if self.is_read_only:
            raise StoreError(self.notice)
        preceding = self._preceding

        def transact() -> T:
            with _immediate(self._connection()) as db:
                if preceding:
                    preceding(db)
                return change(db)

        result = self._explained(transact)
        if self._preceding is preceding:
            self._preceding = None
        return result

    def _explained(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # a mistake of ours, not the file's
        except sqlite3.DatabaseError as error:
            raise StoreError(explain(self.path, error, "written")) from error

    def close(self) -> None:
        """Finish what is still to be written and close every connection."""
        with self._lock:
            self._closing.set()
        self._writer.shutdown(wait=True)
        with self._lock:
            for _, db in self._open:
                db.close()
            self._open.clear()


def migrate(db: Database, path: Path) -> None:
    """Bring the tables of a file up to date: all of it, or nothing.

    :param path: what to call it if something is amiss
    :raises StoreError: if it refers to what is not there
    """
    # A table others refer to can only be replaced while references are not enforced; the
    # names of those others must not follow the old one away (sqlite.org/lang_altertable).
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA legacy_alter_table = ON")
    with _immediate(db):
        migrations.apply(db)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if broken := db.execute("PRAGMA foreign_key_check").fetchone():
            raise StoreError(
                f"The history {path} is damaged: its table {broken[0]} refers to rows of "
                f"{broken[2]} that are not there. Nothing was changed."
            )
    db.execute("PRAGMA legacy_alter_table = OFF")
    db.execute("PRAGMA foreign_keys = ON")


def _is_held(error: StoreError) -> bool:
    """Whether another program's transaction was in the way."""
    why = error.__cause__
    return isinstance(why, sqlite3.Error) and code_of(why) in (BUSY, LOCKED)


def _always(_: StoreError) -> bool:
    return True


def _probe(db: Database, version: int) -> None:
    """Try to write: SQLite opens a file it may only read without a word."""
    (timeout_ms,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0")
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA user_version = {version}")
    except sqlite3.OperationalError as error:
        if code_of(error) != BUSY:  # where another writes, this one may
            raise
    finally:
        db.rollback()
        db.execute(f"PRAGMA busy_timeout = {timeout_ms}")


def _enable_wal(db: Database, timeout_s: float) -> None:
    """Switch to WAL; SQLite does not wait by itself while another process switches too."""
    deadline_s = time.monotonic() + timeout_s
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
