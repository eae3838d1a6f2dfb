"""Taking in what another machine recorded: all of it or nothing, and nothing twice.

What is the same here and there is known by what it is, not by its number: a machine, a
conversation, a query or a benchmark by its identifier, a model by its SHA-256, a sensor's channel
by its whole description, a carbon intensity by its value.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.store.bulk import summed_together
from monitor.store.copies import Progress, never, unheard
from monitor.store.database import Store
from monitor.store.errors import StoreError, StoreStopped, explain
from monitor.store.gone_on import ENDED_LAST, USED_LAST, WHOLE_MESSAGE, Earlier, make_way
from monitor.store.merge_source import opened
from monitor.store.processes import is_alive
from monitor.store.records import Status
from monitor.store.retention import look_again

CHUNK = 500
"""Queries that are written together; progress and a cancel are looked after in between."""

CACHE_KIB = 64_000
"""Kept in memory while merging: the sums and the words of every query are written to over and
over."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How much came of a merge.

    :param queries: added here
    :param gone_on: here already, but not to their end: they are now as far as over there
    :param known: here already, and left as they were
    :param running: left out because they still run over there: a later merge brings them
    :param deleted: left out because they were deleted over there
    """

    queries: int = 0
    gone_on: int = 0
    known: int = 0
    running: int = 0
    deleted: int = 0
    machines: int = 0
    models: int = 0
    conversations: int = 0
    messages: int = 0
    benchmarks: int = 0
    recordings: int = 0


def merge(
    store: Store, other: Path, progress: Progress = unheard, cancelled: Callable[[], bool] = never
) -> Merged:
    """Take in the queries, conversations and benchmarks of another database.

    Takes about a minute for 100,000 queries, in one transaction: reading goes on meanwhile, but
    whatever else is to be written waits, so do this while nothing is being answered or measured.

    :param other: only read; one of an earlier version is copied, and the copy brought up to date
    :raises StoreError: if it cannot be read; nothing is changed then, nor by a cancel
    """
    with opened(store.path, other) as source:
        return store.write(lambda db: _Merge(db, other, source, progress, cancelled).run()).result()


class _Merge:
    """One merge, in a transaction that is open.

    :param db: to merge into
    :param path: of the other database
    :param source: a connection to read it
    """

    def __init__(
        self,
        db: Database,
        path: Path,
        source: sqlite3.Connection,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._db, self._path, self._source = db, path, source
        self._progress, self._cancelled = progress, cancelled
        self._counts: dict[str, int] = {}
        self._channels: dict[int, int] = {}
        self._gauges: dict[int, int] = {}
        self._refers: dict[str, dict[int, int]] = {}
        """Own numbers of what queries refer to, by column and the other's number."""
        self._earlier: dict[str, Earlier] = {}

    def run(self) -> Merged:
        """Take everything in."""
        db = self._db
        (cache,) = db.execute("pragma cache_size").fetchone()
        db.execute(f"pragma cache_size = {-CACHE_KIB}")
        try:
            self._describe()
            self._make_way()
            with summed_together(db):
                self._queries()
            self._keep_notes()
            self._messages()
            self._benchmarks()
            self._recordings()
            return Merged(**self._counts)
        finally:
            db.execute(f"pragma cache_size = {cache}")

    # --- reading and writing -------------------------------------------------------------

    def _read(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            # Not `yield from`, which closes the cursor of a connection that is closed already.
            for row in self._source.execute(sql, values):  # noqa: UP028
                yield row
        except sqlite3.DatabaseError as problem:
            raise StoreError(explain(self._path, problem, "read", is_own=False)) from problem

    def _make_way(self) -> None:
        try:
            self._earlier = make_way(self._db, self._source)
        except sqlite3.DatabaseError as problem:
            raise StoreError(explain(self._path, problem, "read", is_own=False)) from problem
        self._count(gone_on=len(self._earlier))

    def _columns(self, table: str, *without: str) -> list[str]:
        rows = self._db.execute("select name from pragma_table_info(?)", [table])
        return [name for (name,) in rows if name not in without]

    def _write(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], more: str = ""
    ) -> int:
        """Insert rows and return how many were."""
        marks = ", ".join("?" * len(columns))
        names = ", ".join(columns)
        sql = f"insert into {table} ({names}) values ({marks}) {more}"
        return self._db.conn.executemany(sql, rows).rowcount

    def _count(self, **counts: int) -> None:
        for name, count in counts.items():
            self._counts[name] = self._counts.get(name, 0) + count

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            raise StoreStopped("The merge was stopped; nothing was changed.")

    # --- what queries refer to -----------------------------------------------------------

    def _describe(self) -> None:
        self._count(machines=self._add("machines"))
        self._add("settings")
        self._count(conversations=self._add("conversations", more=USED_LAST))
        own_models = self._db.table("models").count
        self._refers["model_id"] = self._match("models", ("sha256",))
        self._count(models=self._db.table("models").count - own_models)
        self._add("trainings")
        self._refers["intensity_id"] = self._match("intensities")
        self._channels = self._match("channels")
        self._gauges = self._match("gauges")
        self._baselines()

    def _add(self, table: str, where: str = "true", more: str = "on conflict do nothing") -> int:
        """Add the rows that are not there; return how many are more now."""
        columns = self._columns(table)
        before = self._db.table(table).count
        rows = self._read(f"select {', '.join(columns)} from {table} where {where}")
        self._write(table, columns, rows, more)
        return self._db.table(table).count - before

    def _baselines(self) -> None:
        """Add what the other machine drew idle, which its queries refer to."""
        known = {row[0] for row in self._db.execute("select id from baselines").fetchall()}
        self._add("baselines")
        self._add("calibrations")
        self._add("sensor_traits")
        columns = ["baseline_id", "channel_id", "median_w", "spread_w", "samples"]
        rows = self._read(f"select {', '.join(columns)} from baseline_lines")
        new = ([row[0], self._channels[row[1]], *row[2:]] for row in rows if row[0] not in known)
        self._write("baseline_lines", columns, new)

    def _match(self, table: str, identity: Sequence[str] = ()) -> dict[int, int]:
        """Find each row of the other's table in the own one, or add it.

        :param identity: columns by which a row is known; none for all
        :return: the own number of each of the other's
        """
        columns = self._columns(table, "id")
        known_by = [columns.index(name) for name in identity or columns]
        sql = f"select id, {', '.join(columns)} from {table}"

        def known(row: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(row[1 + index] for index in known_by)

        own = {known(row): int(row[0]) for row in self._db.execute(sql).fetchall()}
        found = {}
        for row in self._read(sql):
            if known(row) not in own:
                self._write(table, columns, [row[1:]])
                (number,) = self._db.execute("select last_insert_rowid()").fetchone()
                own[known(row)] = int(number)
            found[int(row[0])] = own[known(row)]
        return found

    # --- queries -------------------------------------------------------------------------

    def _queries(self) -> None:
        (total,) = next(self._read("select count(*) from queries"))
        listed = self._read("select started_ms, id, status, deleted_at from queries order by 1")
        done, oldest = 0, None
        while chunk := list(islice(listed, CHUNK)):
            self._stop_if_cancelled()
            numbers = self._numbers(chunk)
            if numbers and oldest is None:
                oldest = min(numbers.values())
            self._take(numbers)
            done += len(chunk)
            self._progress(done / total)
        if oldest is not None:
            look_again(self._db, oldest)

    def _numbers(self, chunk: Iterable[Sequence[Any]]) -> dict[int, int]:
        """Return which of the other's queries are new here, and the number each one gets."""
        numbers: dict[int, int] = {}
        given = {earlier.number for earlier in self._earlier.values()}
        added = 0
        for other, query_id, status, deleted_at in chunk:
            if query_id in self._earlier:
                numbers[other] = self._earlier[query_id].number
            elif self._has("queries", "id", query_id):
                self._count(known=1)
            elif status == Status.RUNNING:
                self._count(running=1)
            elif deleted_at is not None:
                self._count(deleted=1)
            else:
                own = other
                while own in given or self._has("queries", "started_ms", own):
                    own += 1
                given.add(own)
                numbers[other] = own
                added += 1
        self._count(queries=added)
        return numbers

    def _has(self, table: str, column: str, value: Any) -> bool:
        sql = f"select 1 from {table} where {column} = ?"
        return self._db.execute(sql, [value]).fetchone() is not None

    def _take(self, numbers: dict[int, int]) -> None:
        """Copy queries with all that belongs to them."""
        chosen = [json.dumps(list(numbers))]
        where = "where started_ms in (select value from json_each(?))"

        def numbered(row: Sequence[Any]) -> list[Any]:
            return [numbers[row[0]], *row[1:]]

        columns = ["started_ms", *self._columns("queries", "started_ms", "facet_id")]
        places = [(columns.index(name), own) for name, own in self._refers.items()]

        def mapped(row: Sequence[Any]) -> list[Any]:
            values = numbered(row)
            for place, own in places:
                values[place] = own.get(values[place])
            return values

        rows = self._read(f"select {', '.join(columns)} from queries {where} order by 1", chosen)
        self._write("queries", columns, map(mapped, rows))

        for table, refers, known in (
            ("bills", "channel_id", self._channels),
            ("query_gauges", "gauge_id", self._gauges),
        ):
            columns = ["started_ms", refers, *self._columns(table, "started_ms", refers)]
            lines = self._read(f"select {', '.join(columns)} from {table} {where}", chosen)
            own_lines = [[numbers[row[0]], known[row[1]], *row[2:]] for row in lines]
            self._write(table, columns, own_lines)

        tags = self._read(f"select started_ms, tag from tags {where}", chosen)
        self._write("tags", ("started_ms", "tag"), map(numbered, tags), "on conflict do nothing")
        traces = self._read(
            "select t.query_id, t.data, t.marks from queries q join traces t on t.query_id = q.id "
            f"{where.replace('started_ms', 'q.started_ms')}",
            chosen,
        )
        self._write("traces", ("query_id", "data", "marks"), traces)
        columns = self._columns("predictions")
        foretold = self._read(
            f"select p.{', p.'.join(columns)} from queries q join predictions p "
            f"on p.query_id = q.id {where.replace('started_ms', 'q.started_ms')}",
            chosen,
        )
        self._write("predictions", columns, foretold)

    def _keep_notes(self) -> None:
        """Give what has gone on over there the notes that were written here."""
        notes = [(kept.note, kept.number) for kept in self._earlier.values() if kept.note]
        self._db.conn.executemany("update queries set note = ? where started_ms = ?", notes)

    # --- what refers to queries ----------------------------------------------------------

    def _messages(self) -> None:
        """Add messages to their trees: what was said on either machine stands side by side.

        Those of a query that still runs are left out, unless others follow them. What is here
        already gets what it lacked then.
        """
        columns = ["query_id", "parent_id", *self._columns("messages", "query_id", "parent_id")]
        rows = self._read(
            "with recursive taken (id) as (select id from messages where query_id is null or "
            f"query_id not in (select id from queries where status = '{Status.RUNNING}') "
            "union select m.parent_id from taken t join messages m on m.id = t.id "
            "where m.parent_id is not null) "
            f"select {', '.join(columns)} from messages where id in taken"
        )

        def kept(row: Sequence[Any]) -> Sequence[Any]:
            return row if row[0] and self._has("queries", "id", row[0]) else [None, *row[1:]]

        before = self._db.table("messages").count
        self._db.execute("pragma defer_foreign_keys = on")  # one may come before what it follows
        self._write("messages", columns, map(kept, rows), WHOLE_MESSAGE)
        self._count(messages=self._db.table("messages").count - before)

    def _benchmarks(self) -> None:
        ended = f"status <> '{Status.RUNNING}'"
        theirs = ", ".join(f"{name} = excluded.{name}" for name in self._columns("bench_suites"))
        more = ENDED_LAST.format(columns=theirs)
        self._count(benchmarks=self._add("bench_suites", ended, more))
        columns = ["id", "suite_id", *self._columns("bench_runs", "id", "suite_id")]
        for row in self._read(f"select {', '.join(columns)} from bench_runs"):
            run_id, suite_id = row[:2]
            if (
                self._has("queries", "id", run_id)
                and (suite_id is None or self._has("bench_suites", "id", suite_id))
                and not self._has("bench_runs", "id", run_id)
            ):
                self._stop_if_cancelled()
                self._write("bench_runs", columns, [row])
                self._items(run_id)

    def _items(self, run_id: str) -> None:
        columns = self._columns("bench_questions")
        asked = self._read(
            f"select {', '.join(columns)} from bench_questions where id in "
            "(select question_id from bench_items where run_id = ?)",
            [run_id],
        )
        self._write("bench_questions", columns, asked, "on conflict do nothing")
        columns = self._columns("bench_items")
        items = self._read(
            f"select {', '.join(columns)} from bench_items where run_id = ?", [run_id]
        )
        self._write("bench_items", columns, items)

    # --- the machine without a model -----------------------------------------------------

    def _recordings(self) -> None:
        """Add the recordings that have ended, each with its bill and curve."""
        columns = self._columns("recordings")
        at = {name: place for place, name in enumerate(columns)}
        for row in self._read(
            f"select {', '.join(columns)} from recordings where deleted_at is null"
        ):
            goes_on = row[at["ended_at"]] is None and is_alive(
                row[at["process_id"]], row[at["process_started"]]
            )
            if goes_on or self._has("recordings", "id", row[at["id"]]):
                continue
            values = list(row)
            values[at["intensity_id"]] = self._refers["intensity_id"].get(row[at["intensity_id"]])
            self._write("recordings", columns, [values])
            self._recorded(row[at["id"]])
            self._count(recordings=1)

    def _recorded(self, recording_id: str) -> None:
        where = "where recording_id = ?"
        columns = ["channel_id", *self._columns("recording_lines", "channel_id")]
        lines = self._read(
            f"select {', '.join(columns)} from recording_lines {where}", [recording_id]
        )
        own = [[self._channels[row[0]], *row[1:]] for row in lines]
        self._write("recording_lines", columns, own)
        columns = self._columns("recording_pieces")
        pieces = self._read(
            f"select {', '.join(columns)} from recording_pieces {where}", [recording_id]
        )
        self._write("recording_pieces", columns, pieces)
