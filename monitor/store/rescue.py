"""Saving what can be read of a damaged database into a new one.

Every table that is still listed is walked in the order of its numbers. Where a page cannot be
read, the walk goes on at the first number behind it that can be found; where only a row's long
values cannot be read (they lie on pages of their own), the row is kept without them. Sums and words
are made anew. A file that was cut off is read no further than it goes; see
:mod:`monitor.store.cut_off`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.power.channel import Kind
from monitor.store.bulk import summed_together
from monitor.store.copies import (
    Progress,
    check_folder,
    finished,
    has_table,
    never,
    open_to_read,
    unheard,
    version_of,
)
from monitor.store.cut_off import whole_pages
from monitor.store.database import migrate
from monitor.store.errors import GO_BACK, StoreError, StoreStopped, explain
from monitor.store.records import Status
from monitor.store.schema import SCHEMA_VERSION, migrations
from monitor.store.sums import COUNTED, DAY, OWN

DERIVED = ("facets", "facet_members", "sums", "domain_sums", "texts", "_sqlite", "sqlite_")
"""Beginnings of the names of tables that are made anew."""

FIRST, LAST = -1, (1 << 62)
"""Numbers before and behind every row's."""

ALL = LAST
"""More than there are rows of one number."""

BATCH = 500
"""Rows after which a cancel is looked for."""

KINDS = ("ask", "chat", "bench", "import")
"""How a query can have been asked, in any version."""

WORDS_OF_OURS = {
    "kind": frozenset(KINDS),
    "status": frozenset(map(str, Status)),
    "energy_kind": frozenset(map(str, Kind)),
}
"""What can stand in these columns of a query, if anything does: whoever holds another was not
stored so, and its figures are no more to be trusted."""


@dataclass(slots=True)
class Rescued:
    """What came of it.

    :param rows: saved, by table
    :param cut: rows of which some values were lost
    :param holes: places where pages could not be read or held what was never stored, and tables
      that could not be found
    :param torn: the tables they are in
    :param there_were: how many queries the file held, as far as what lies apart from them tells it
    :param orphans: rows left out because what they belong to was lost
    :param unbilled: queries whose bill lost lines: their totals are kept, half a bill is not
    """

    rows: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    holes: int = 0
    torn: list[str] = field(default_factory=list)
    there_were: int | None = None
    orphans: int = 0
    unbilled: int = 0


def rescue(
    damaged: Path,
    target: Path,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
    is_own: bool = True,
) -> Rescued:
    """Save every row that can be read into a new database; the damaged one is only read.

    :param target: the new database, which must not exist
    :param is_own: whether the damaged one is the history this program keeps
    :raises StoreError: if not one table can be found, or the target is there
    """
    if target.exists():
        raise StoreError(f"{target} is there already. Choose another name.")
    check_folder(target)
    found = Rescued()
    try:
        with (
            whole_pages(damaged, target.parent, cancelled) as file,
            closing(open_to_read(file, bears_damage=True)) as source,
        ):
            version = version_of(source)
            if version > SCHEMA_VERSION:
                raise StoreError(f"{damaged} is of a later version of LlamaWatt. Update it.")
            source.text_factory = lambda data: data.decode("utf-8", "replace")
            if not _has_tables(source):
                advice = GO_BACK if is_own else "Nothing can be saved from it."
                raise StoreError(f"No table of a history can be found in {damaged}. {advice}")
            found.there_were = _count_queries(source)
            with finished(target) as part:
                _Walk(source, found, cancelled).save(part, version, progress)
    except sqlite3.Error as problem:
        raise StoreError(explain(damaged, problem, "read", is_own)) from problem
    return found


def _has_tables(source: sqlite3.Connection) -> bool:
    with suppress(sqlite3.DatabaseError):
        source.execute("select 1 from sqlite_master")  # where it is damaged, only the next works
    return any(
        source.execute(f"pragma table_info({name})").fetchone() for name in ("queries", "messages")
    )


def _count_queries(source: sqlite3.Connection) -> int | None:
    """Return how many queries a file held: an index or the sums may tell it where rows are lost."""
    indexes = source.execute("pragma index_list(queries)").fetchall()
    asked = [
        # Without the limit, SQLite would count by whatever index is the smallest.
        f'select count(*) from (select rowid from queries indexed by "{name}" limit -1)'
        for _, name, _, _, is_partial in indexes
        if not is_partial
    ]
    asked.append(
        "select sum(s.queries) from sums s join facets f on f.id = s.facet_id "
        f"where {OWN} and s.period = {DAY}"
    )
    told = []
    for sql in asked:
        with suppress(sqlite3.DatabaseError):
            told += source.execute(sql).fetchone()
    return max((count for count in told if count is not None), default=None)


class _Walk:
    """Goes through the tables of a damaged database.

    :param found: what is counted
    """

    def __init__(
        self, source: sqlite3.Connection, found: Rescued, cancelled: Callable[[], bool]
    ) -> None:
        self._source, self._found, self._cancelled = source, found, cancelled

    def save(self, part: Path, version: int, progress: Progress) -> None:
        """Fill a new database, of the same version first, and bring it up to date."""
        with closing(sqlite3.connect(part)) as connection:
            db = Database(connection)
            connection.execute("pragma journal_mode = off")
            connection.execute("pragma synchronous = off")
            _create(db, version)
            tables = [name for name in db.table_names() if not name.startswith(DERIVED)]
            connection.execute("begin")
            # Asked of the tables, not of the version: the next schema has them as well.
            with summed_together(db) if has_table(connection, "sums") else nullcontext():
                for done, table in enumerate(tables):
                    progress(done / len(tables))
                    self._found.rows[table] = self._save_table(db, table)
                if "parent_id" in db.table("messages").columns_dict:
                    _rejoin(db)
                self._found.orphans = _mend(db, tables)
            connection.commit()
            if version < SCHEMA_VERSION:
                migrate(db, part)
            self._found.unbilled = _drop_half_bills(db)
        progress(1.0)

    def _save_table(self, db: Database, table: str) -> int:
        there = [row[1] for row in self._source.execute(f"pragma table_info({table})")]
        own = [column.name for column in db.table(table).columns]
        columns = [name for name in own if name in there and name != "facet_id"]
        if not columns:
            self._lost(table)
        marks = ", ".join("?" * len(columns))
        sql = f"insert into {table} ({', '.join(columns)}) values ({marks})"
        saved = 0
        for row in self._rows(db, table, columns) if columns else ():
            if table == "queries" and not _is_ours(columns, row):
                self._lost(table)
                continue
            try:
                db.conn.execute(sql, row)
                saved += 1
            except sqlite3.IntegrityError:
                self._found.cut += 1  # it lost what it cannot be without
        return saved

    def _rows(self, db: Database, table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield every row that can be read, in the order of their numbers."""
        place, number = _place(db, table)
        listed, at, seen = ", ".join(columns), FIRST, ALL
        while True:
            sql = f"select {number}, {listed} from {place} where {number} > ? order by {number}"
            try:
                for count, row in enumerate(self._source.execute(sql, [at])):
                    if count % BATCH == 0 and self._cancelled():
                        raise StoreStopped("Stopped; nothing is left of the new database.")
                    if not isinstance(row[0], int):
                        self._lost(table)  # a row of nothing is read where zeros stand
                        continue
                    # A page in the wrong place must not lead back: the walk would never end.
                    if row[0] >= at:
                        seen = seen + 1 if row[0] == at else 1
                        at = row[0]
                    yield row[1:]
            except sqlite3.DatabaseError:
                # The driver reads a row ahead: the last one before the hole is still to be had.
                yield from self._singly(place, number, at, columns, seen)
                found = self._next(place, number, at + 1)
                if found is None:
                    self._lost(table)
                    found = self._behind_the_hole(place, number, at + 1)
                    at = found - 1
                else:
                    yield from self._singly(place, number, found, columns, 0)
                    at = found
                seen = ALL
                if found == LAST:
                    return
            else:
                return

    def _lost(self, table: str) -> None:
        self._found.holes += 1
        if table not in self._found.torn:
            self._found.torn.append(table)

    def _next(self, place: str, number: str, at: int) -> int | None:
        """Return the number of the first row from a number on, ``None`` if it is unreadable."""
        sql = f"select {number} from {place} where {number} >= ? order by {number} limit 1"
        try:
            row = self._source.execute(sql, [at]).fetchone()
        except sqlite3.DatabaseError:
            return None
        if row is None:
            return LAST
        number_there = row[0]
        return number_there if isinstance(number_there, int) and number_there >= at else None

    def _behind_the_hole(self, place: str, number: str, at: int) -> int:
        """Return the first number from which rows can be found again, :data:`LAST` if none."""
        lost, step = at, 1
        while self._next(place, number, at + step) is None:
            lost, step = at + step, 2 * step
            if at + step >= LAST:
                return LAST
        found = at + step
        while found - lost > 1:
            middle = (lost + found) // 2
            if self._next(place, number, middle) is None:
                lost = middle
            else:
                found = middle
        return found

    def _singly(
        self, place: str, number: str, at: int, columns: Sequence[str], skipped: int
    ) -> Iterator[Sequence[Any]]:
        """Yield the rows of one number, each read by itself, after some that were read before."""
        if number == "rowid":
            values = None if skipped else self._piece_by_piece(place, at, columns)
            if values:
                yield values
            return
        sql = f"select {', '.join(columns)} from {place} where {number} = ? limit 1 offset ?"
        with suppress(sqlite3.DatabaseError):
            while row := self._source.execute(sql, [at, skipped]).fetchone():
                yield row
                skipped += 1

    def _piece_by_piece(self, place: str, at: int, columns: Sequence[str]) -> list[Any] | None:
        """Return a row with ``None`` for what cannot be read of it; ``None`` if it is not there."""
        values, lost = [], 0
        for column in columns:
            sql = f"select {column} from {place} where rowid = ?"
            try:
                row = self._source.execute(sql, [at]).fetchone()
            except sqlite3.DatabaseError:
                row, lost = (None,), 1
            if row is None:
                return None  # it lies where its number would not have it
            values += row
        self._found.cut += lost
        return values


def _is_ours(columns: Sequence[str], row: Sequence[Any]) -> bool:
    """Whether a query may have been stored as it is read."""
    return all(
        value is None or value in WORDS_OF_OURS[name]
        for name, value in zip(columns, row, strict=True)
        if name in WORDS_OF_OURS
    )


def _place(db: Database, table: str) -> tuple[str, str]:
    """Return where a table's rows are looked for, and by which number.

    :param db: one that is not damaged
    """
    if table == "tags":  # ordered by their texts; this index holds all there is of them
        return "tags indexed by tags_by_query", "started_ms"
    sql = "select sql like '%without rowid%' from sqlite_master where name = ?"
    if db.execute(sql, [table]).fetchone()[0]:
        return table, "started_ms"
    return f"{table} not indexed", "rowid"


def _create(db: Database, version: int) -> None:
    """Make the tables as a version had them."""
    names = [migration.name for migration in migrations.pending(db)]
    migrations.apply(db, stop_before=names[version] if version < SCHEMA_VERSION else None)
    db.execute(f"pragma user_version = {version}")


def _mend(db: Database, tables: Sequence[str]) -> int:
    """Let no row refer to one that was lost; return how many rows had to go for it."""
    gone, more = 0, 1
    while more:  # those that go may leave others behind
        more = 0
        for table in tables:
            needed = {c.name for c in db.table(table).columns if c.is_pk or c.notnull}
            for key in db.table(table).foreign_keys:
                lost = (
                    f"where {key.column} is not null and not exists (select 1 from "
                    f"{key.other_table} o where o.{key.other_column} = {table}.{key.column})"
                )
                if key.column in needed:
                    more += db.execute(f"delete from {table} {lost}").rowcount
                else:
                    db.execute(f"update {table} set {key.column} = null {lost}")
        gone += more
    return gone


def _rejoin(db: Database) -> None:
    """Let messages follow the last one before the lost one that they followed."""
    db.execute(
        "update messages set parent_id = (select max(o.id) from messages o "
        "where o.conversation_id = messages.conversation_id and o.id < messages.parent_id) "
        "where parent_id not in (select id from messages)"
    )


def _drop_half_bills(db: Database) -> int:
    """Remove bills that do not add up to what their query cost; return how many."""
    halves = db.execute(
        "select q.started_ms from queries q left join (select b.started_ms, sum(b.joules) joules "
        f"from bills b join channels c on c.id = b.channel_id where {COUNTED} group by 1) s "
        "on s.started_ms = q.started_ms where "
        "abs(ifnull(s.joules, 0) - q.energy_j) > 1e-6 * q.energy_j + 1e-9"
    ).fetchall()
    db.execute("begin")
    db.conn.executemany("delete from bills where started_ms = ?", halves)
    db.conn.commit()
    return len(halves)
