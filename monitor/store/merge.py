"""Taking in what another machine recorded: all of it or nothing, and nothing twice.

What is the same here and there is known by what it is, not by its number: a machine, a
conversation, a query or a benchmark by its identifier, a model by its SHA-256, a sensor's channel
by its whole description, a carbon intensity by its value.
"""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.store.bulk import summed_together
from monitor.store.copies import (
    Progress,
    copy_database,
    has_table,
    never,
    open_to_read,
    unheard,
    version_of,
)
from monitor.store.database import Store, migrate
from monitor.store.errors import NO_DATABASE, StoreError, StoreStopped, code_of, explain
from monitor.store.records import Status
from monitor.store.retention import thin_again
from monitor.store.schema import SCHEMA_VERSION

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

CHUNK = 500
"""Queries that are written together; progress and a cancel are looked after in between."""

CACHE_KIB = 64_000
"""Kept in memory while merging: the sums and the words of every query are written to over and
over."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How much came of a merge.

    :param queries: added here
    :param known: there already, and left as they were
    :param running: left out because they still run over there: a later merge brings them
    :param deleted: left out because they were deleted over there
    """

    queries: int = 0
    known: int = 0
    running: int = 0
    deleted: int = 0
    machines: int = 0
    models: int = 0
    conversations: int = 0
    messages: int = 0
    benchmarks: int = 0


def merge(
    store: Store, other: Path, progress: Progress = unheard, cancelled: Callable[[], bool] = never
) -> Merged:
    """Take in the queries, conversations and benchmarks of another database.

    Takes about a minute for 100,000 queries, in one transaction: reading goes on meanwhile, but
    whatever else is to be written waits, so do this while nothing is being answered or measured.

    :param other: only read; one of an earlier version is copied, and the copy brought up to date
    :raises StoreError: if it cannot be read; nothing is changed then, nor by a cancel
    """
    with _opened(store.path, other) as source:
        return store.write(lambda db: _Merge(db, other, source, progress, cancelled).run()).result()


@contextmanager
def _opened(own: Path, other: Path) -> Iterator[sqlite3.Connection]:
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
        raise StoreError(explain(other, problem, "read")) from problem
    with tempfile.TemporaryDirectory(prefix="llamawatt-merge-") as folder:
        copy = Path(folder) / "history.db"
        copy_database(other, copy)
        with closing(sqlite3.connect(copy, check_same_thread=False)) as source:
            migrate(Database(source), other)
            yield source


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
        self._refers: dict[str, dict[int, int]] = {}
        """Own numbers of what queries refer to, by column and the other's number."""

    def run(self) -> Merged:
        """Take everything in."""
        db = self._db
        (cache,) = db.execute("pragma cache_size").fetchone()
        db.execute(f"pragma cache_size = {-CACHE_KIB}")
        try:
            self._describe()
            with summed_together(db):
                self._queries()
            self._messages()
            self._benchmarks()
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
            raise StoreError(explain(self._path, problem, "read")) from problem

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
            thin_again(self._db, oldest)

    def _numbers(self, chunk: Iterable[Sequence[Any]]) -> dict[int, int]:
        """Return which of the other's queries are new here, and the number each one gets."""
        numbers: dict[int, int] = {}
        given: set[int] = set()
        for other, query_id, status, deleted_at in chunk:
            if self._has("queries", "id", query_id):
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
        self._count(queries=len(numbers))
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

        columns = ["started_ms", "channel_id"]
        columns += self._columns("bills", *columns)
        lines = self._read(f"select {', '.join(columns)} from bills {where}", chosen)
        channels = self._channels
        own_lines = ([numbers[row[0]], channels[row[1]], *row[2:]] for row in lines)
        self._write("bills", columns, own_lines)

        tags = self._read(f"select started_ms, tag from tags {where}", chosen)
        self._write("tags", ("started_ms", "tag"), map(numbered, tags))
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
        self._count(benchmarks=self._add("bench_suites", ended))
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
