"""The room the database takes: what it holds by bytes, and getting back what it need not hold."""

import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.store.backups import back_up_if_due
from monitor.store.copies import Progress, check_room, never, unheard
from monitor.store.database import Store
from monitor.store.errors import INTERRUPTED, StoreStopped, code_of
from monitor.store.rebilling import rebill
from monitor.store.recordings import Recordings
from monitor.store.retention import Pace, read_rules, thin

TEXTS, QUERIES, BILLS, TRACES = "texts", "queries", "bills", "traces"
SUMS, BENCHMARKS = "sums", "benchmarks"
INDEXES, WORDS, OTHER = "indexes", "words", "other"

PARTS = {
    QUERIES: QUERIES,
    BILLS: BILLS,
    TRACES: TRACES,
    "messages": TEXTS,
    "conversations": TEXTS,
    "predictions": BILLS,
    "sums": SUMS,
    "domain_sums": SUMS,
    "facets": SUMS,
    "facet_members": SUMS,
    "bench_suites": BENCHMARKS,
    "bench_runs": BENCHMARKS,
    "bench_questions": BENCHMARKS,
    "bench_items": BENCHMARKS,
}
"""What each table counts as; the words of the texts have tables of their own."""

PROBES, ROWS_A_PROBE = 20, 50
"""Queries looked at to tell how long the texts are."""

LINE_BYTES = 105
"""A line of a bill, where SQLite cannot tell: as measured in a history of a million queries."""

TRASH_DAYS = 30
"""So long can a deletion be undone."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a database.

    :param file_bytes: of the file
    :param log_bytes: of the write-ahead log beside it
    :param free_bytes: of the file, unused: a vacuum gives them back
    :param parts: what the rest holds, the largest first
    :param is_exact: whether SQLite counted the pages; otherwise they are estimated
    """

    file_bytes: int
    log_bytes: int
    free_bytes: int
    parts: dict[str, int]
    is_exact: bool


def sizes(store: Store) -> Sizes:
    """Return what takes how much room. Takes seconds for gigabytes: not for the window's thread."""
    db = store.read()
    file_bytes = _file_bytes(db)
    free_bytes = _number(db, "page_size") * _number(db, "freelist_count")
    texts = _text_bytes(db)
    counted = _counted(db)
    parts = counted or _estimated(db, texts)
    if counted:
        texts = min(texts, parts.get(QUERIES, 0))
        parts[QUERIES] = parts.get(QUERIES, 0) - texts
        parts[TEXTS] = parts.get(TEXTS, 0) + texts
    parts[OTHER] = parts.get(OTHER, 0) + max(file_bytes - free_bytes - sum(parts.values()), 0)
    log = store.path.with_name(f"{store.path.name}-wal")
    return Sizes(
        file_bytes=file_bytes,
        log_bytes=log.stat().st_size if log.exists() else 0,
        free_bytes=free_bytes,
        parts=dict(sorted(parts.items(), key=lambda part: -part[1])),
        is_exact=counted is not None,
    )


def _counted(db: Database) -> dict[str, int] | None:
    """Add up the pages of tables and indexes; not every SQLite can tell."""
    try:
        rows = db.execute(
            "select s.name, ifnull(m.type, 'table'), sum(s.pgsize) from dbstat s "
            "left join sqlite_master m on m.name = s.name where s.aggregate = true group by 1, 2"
        ).fetchall()
    except sqlite3.OperationalError:
        return None
    parts: dict[str, int] = {}
    for name, kind, size in rows:
        part = INDEXES if kind == "index" else PARTS.get(name, OTHER)
        part = WORDS if name.startswith("texts_") else part
        parts[part] = parts.get(part, 0) + size
    return parts


def _estimated(db: Database, texts: int) -> dict[str, int]:
    count = db.table("queries").count
    lines = _probed(db, "(select count(*) from bills b where b.started_ms = queries.started_ms)")
    (curves,) = db.execute("select ifnull(sum(length(data)), 0) from traces").fetchone()
    return {TEXTS: texts, BILLS: round(count * lines * LINE_BYTES), TRACES: int(curves)}


def _text_bytes(db: Database) -> int:
    columns = ("system_text", "prompt_text", "answer_text")
    each = " + ".join(f"ifnull(length(cast({name} as blob)), 0)" for name in columns)
    return round(db.table("queries").count * _probed(db, each))


def _probed(db: Database, value: str) -> float:
    """Return the mean of an expression over queries here and there; 0 without any."""
    first, last = db.execute("select min(started_ms), max(started_ms) from queries").fetchone()
    found: list[float] = []
    for probe in range(PROBES if first is not None else 0):
        rows = db.execute(
            f"select {value} from queries where started_ms >= ? limit ?",
            [first + (last - first) * probe // PROBES, ROWS_A_PROBE],
        )
        found += [number for (number,) in rows]
    return sum(found) / len(found) if found else 0.0


# --- getting room back ---------------------------------------------------------------------


def vacuum(store: Store, cancelled: Callable[[], bool] = never) -> int:
    """Write the database anew without unused pages, and return how many bytes smaller it is.

    Nothing else is written meanwhile, which takes seconds for each gigabyte; reading goes on.

    :raises StoreError: if there is no room, or another program is writing
    """
    before = _file_bytes(store.read())
    # Once as a temporary file, once as the log it is taken over from.
    check_room(store.path.parent, 2 * before, "Tidying up the history")
    check_room(Path(tempfile.gettempdir()), before, "Tidying up the history")
    store.maintain(lambda db: _vacuum(db, cancelled)).result()
    return before - _file_bytes(store.read())


def _file_bytes(db: Database) -> int:
    """Return the file's size as it is once its log is written into it."""
    return _number(db, "page_size") * _number(db, "page_count")


def _number(db: Database, pragma: str) -> int:
    return int(db.execute(f"pragma {pragma}").fetchone()[0])


def _vacuum(db: Database, cancelled: Callable[[], bool]) -> None:
    db.conn.set_progress_handler(cancelled, 100_000)
    try:
        db.execute("vacuum")
    except sqlite3.OperationalError as error:
        if code_of(error) == INTERRUPTED:
            raise StoreStopped("Tidying up was stopped; the history is as it was.") from error
        raise
    finally:
        db.conn.set_progress_handler(None, 0)
    db.execute("pragma wal_checkpoint(truncate)").fetchall()


def look_after(store: Store, cancelled: Callable[[], bool] = never) -> None:
    """Do what is due: today's backup, thinning by the rules, and forgetting what was deleted.

    Takes seconds, and writes in short batches: for a thread that has nothing else to do.

    :raises StoreError: if it cannot be written
    """
    if store.is_read_only:
        return
    back_up_if_due(store.path, cancelled=cancelled)
    purge_deleted(store, cancelled=cancelled)
    # Before curves are thinned: an old bill's interval is reckoned anew from all of its readings.
    rebill(store, cancelled)
    thin(store, read_rules(store), cancelled=cancelled)


def purge_deleted(
    store: Store,
    older_than: timedelta = timedelta(days=TRASH_DAYS),
    now: datetime | None = None,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
) -> int:
    """Remove for good what was deleted so long ago; return how many queries it were.

    It is written in batches of a few milliseconds, so that it can go on beside anything else. The
    messages of a query stay in its conversation, and the bills of a conversation in the history.
    So do a benchmark's questions, which its other runs share.

    :raises StoreError: if it cannot be written; what was done is kept
    """
    until = ((now or datetime.now(UTC)) - older_than).isoformat(timespec="milliseconds")
    _purge_conversations(store, until, cancelled)
    Recordings(store).purge(until)
    old = "from queries where deleted_at < ?"
    (total,) = store.read().execute(f"select count(*) {old}", [until]).fetchone()
    pace, done = Pace(), 0
    while done < total and not cancelled():
        sql = f"select started_ms, id {old} limit ?"
        chosen = store.read().execute(sql, [until, pace.rows]).fetchall()
        if not chosen:
            break
        with pace:
            store.write(lambda db, chosen=chosen: _purge(db, chosen)).result()  # type: ignore[misc]
        done += len(chosen)
        progress(done / total)
    return done


def _purge(db: Database, chosen: list[tuple[Any, ...]]) -> None:
    for number, query_id in chosen:
        suites = db.execute("select suite_id from bench_runs where id = ?", [query_id]).fetchall()
        for table, column, value in (
            ("tags", "started_ms", number),
            ("bills", "started_ms", number),
            ("query_gauges", "started_ms", number),
            ("traces", "query_id", query_id),
            ("predictions", "query_id", query_id),
            ("bench_items", "run_id", query_id),
            ("bench_runs", "id", query_id),
        ):
            db.execute(f"delete from {table} where {column} = ?", [value])
        db.execute("update messages set query_id = null where query_id = ?", [query_id])
        db.execute("delete from queries where started_ms = ?", [number])
        for (suite_id,) in suites:
            db.execute(
                "delete from bench_suites where id = ? and status <> 'running' "
                "and not exists (select 1 from bench_runs r where r.suite_id = bench_suites.id)",
                [suite_id],
            )


def _purge_conversations(store: Store, until: str, cancelled: Callable[[], bool]) -> None:
    """Remove conversations that were deleted before a time, and what was said in them."""
    sql = "select id from conversations where deleted_at < ?"
    for (conversation_id,) in store.read().execute(sql, [until]).fetchall():
        _forget_texts(store, conversation_id, cancelled)
        if cancelled():
            return
        store.write(partial(_remove, conversation_id=conversation_id)).result()


def _forget_texts(store: Store, conversation_id: str, cancelled: Callable[[], bool]) -> None:
    """Blank what was asked and answered in a conversation; what it cost is kept."""
    pace = Pace()
    sql = "select started_ms, id from queries where conversation_id = ? limit ?"
    while not cancelled():
        chosen = store.read().execute(sql, [conversation_id, pace.rows]).fetchall()
        if not chosen:
            return
        with pace:
            store.write(partial(_blank, chosen=chosen)).result()


def _blank(db: Database, chosen: list[tuple[int, str]]) -> None:
    for number, query_id in chosen:
        db.execute("update traces set marks = null where query_id = ?", [query_id])
        db.execute(
            "update queries set system_text = '', prompt_text = '', answer_text = '', "
            "conversation_id = null where started_ms = ?",
            [number],
        )


def _remove(db: Database, conversation_id: str) -> None:
    db.execute("delete from messages where conversation_id = ?", [conversation_id])
    db.execute("delete from conversations where id = ?", [conversation_id])
