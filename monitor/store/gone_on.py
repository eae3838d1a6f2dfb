"""What becomes of what is here already when it has gone on in the database that is merged.

A benchmark that was stopped can be gone on with, and a query that was cut off may get its end
later: what is here of them then gives way to what the other database holds.
"""

import sqlite3
from dataclasses import dataclass

from sqlite_utils import Database

from monitor.store.bench_records import BENCH
from monitor.store.processes import is_alive
from monitor.store.records import Status

USED_LAST = (
    "on conflict (id) do update set pinned = max(pinned, excluded.pinned), "
    + ", ".join(
        f"{name} = iif(excluded.updated_at > updated_at, excluded.{name}, {name})"
        for name in ("title", "leaf_id", "system_text", "sampling", "updated_at")
    )
    + ", deleted_at = iif(excluded.deleted_at is null and excluded.updated_at > deleted_at, "
    "null, deleted_at) where excluded.updated_at > updated_at or excluded.pinned > pinned"
)
"""What becomes of a conversation that is on both machines: what it was where it was used last. Who
goes on with it after the other has deleted it wants it."""

WHOLE_MESSAGE = (
    "on conflict (id) do update set query_id = ifnull(query_id, excluded.query_id), "
    "content = iif(content = '', excluded.content, content) "
    "where query_id is null and excluded.query_id is not null"
)
"""What becomes of a message that is here already: one taken in without its query, which still ran,
gets it, and with it what was written since."""

ENDED_LAST = (
    "on conflict (id) do update set {columns} where excluded.finished_at > ifnull(finished_at, '') "
    f"and status <> '{Status.RUNNING}'"
)
"""What becomes of a benchmark that is here already: it was gone on with if it ended later there."""

CUT_OFF = (Status.RUNNING, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stays of a query whose place is taken by its later state.

    :param number: its number
    :param note: what a person wrote about it
    """

    number: int
    note: str | None


def make_way(db: Database, source: sqlite3.Connection) -> dict[str, Earlier]:
    """Remove the queries that have gone on in another database; their tags stay.

    Inside a transaction, in which they are to be entered again: what refers to them waits for that.

    :param source: the other database
    :return: what stays of each, by its identifier
    :raises sqlite3.DatabaseError: if the other database is damaged
    """
    db.execute("pragma defer_foreign_keys = on")
    unfinished = db.execute(
        "select id, started_ms, note, status, kind, process_id, process_started from queries "
        "where deleted_at is null and status <> ?",
        [Status.DONE],
    ).fetchall()
    found = {}
    for query_id, number, note, status, kind, process_id, process_started in unfinished:
        if status == Status.RUNNING and is_alive(process_id, process_started):
            continue
        if _has_gone_on(db, source, query_id, status, kind):
            _remove(db, query_id, number)
            found[query_id] = Earlier(number, note)
    return found


def _has_gone_on(
    db: Database, source: sqlite3.Connection, query_id: str, status: str, kind: str
) -> bool:
    row = source.execute(
        "select status from queries where id = ? and deleted_at is null", [query_id]
    ).fetchone()
    if row is None or row[0] == Status.RUNNING:
        return False
    if kind == BENCH:
        sql = "select done from bench_runs where id = ?"
        here, there = (each.execute(sql, [query_id]).fetchone() or (0,) for each in (db, source))
        return bool(there > here or (there == here and row[0] == Status.DONE))
    return status in CUT_OFF and row[0] not in CUT_OFF


def _remove(db: Database, query_id: str, number: int) -> None:
    # Its answer is filled in again with the query, as one that was merged while it still ran.
    db.execute(
        "update messages set query_id = null, content = '' "
        "where query_id = ? and role = 'assistant'",
        [query_id],
    )
    for table, column in (
        ("bench_items", "run_id"),
        ("bench_runs", "id"),
        ("traces", "query_id"),
        ("predictions", "query_id"),
    ):
        db.execute(f"delete from {table} where {column} = ?", [query_id])
    # The query first: its lines are taken off the sums with it.
    for table in ("queries", "bills", "query_gauges"):
        db.execute(f"delete from {table} where started_ms = ?", [number])
