"""What was not read is told by stored queries and by all sums over them, whoever wrote them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from monitor.energy.account import Bill
from monitor.energy.parts import is_lower_bound
from monitor.exchange.capsule import capsule_of
from monitor.exchange.capsule_reading import QueryCapsule, read_capsule
from monitor.exchange.intake import take_in
from monitor.store.charts import Period, Stack, Totals
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.kept_sums import create_triggers, drop_triggers, sum_up
from monitor.store.merge import merge
from monitor.store.records import Seconds, Status
from monitor.store.rescue import rescue
from monitor.store.schema import SCHEMA_VERSION, migrations
from tests.unit.builders import (
    BILL,
    CPU,
    GPU,
    LACKING,
    NOTHING_KNOWN,
    line,
    outcome,
    stored_query,
)

PATCHY = Bill((line(CPU), replace(line(GPU), coverage=0.5)))
SHORT_GAP = Bill(
    (
        replace(line(CPU, "prefill"), duration_s=0.1, coverage=0.2),
        replace(line(CPU, "decode"), duration_s=9.9, coverage=1.0),
    )
)
LOAD_ALONE = Bill((line(CPU, "load", None), line(CPU)))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


def total(history: History, chosen: Filter = EVERYTHING) -> Totals:
    (bar,) = history.browse.totals(chosen).bars
    return bar.totals


def assert_sums_are_true(history: History) -> None:
    """Compare the sums that were kept with those reckoned anew."""
    listed = [
        "select facet_id, period, first_day, queries, measured, partly_read, unread, shared, "
        "beside, round(energy_j, 6), round(total_s, 6) from sums order by 1, 2, 3",
        "select facet_id, period, first_day, domain, lines, unread, round(joules, 6) "
        "from domain_sums where lines order by 1, 2, 3, 4",
    ]
    facets = "select id, machine_id, model_id, kind, status, is_deleted from facets"

    def now() -> list[list[tuple[Any, ...]]]:
        db = history.store.read()
        names = {key: tuple(row) for key, *row in db.execute(facets).fetchall()}
        return [
            sorted((*names[key], *row) for key, *row in db.execute(sql).fetchall())
            for sql in listed
        ]

    def anew(db: Database) -> None:
        drop_triggers(db)
        sum_up(db)
        create_triggers(db)

    kept = now()
    history.store.write(anew).result()
    assert kept == now()


def test_totals_count_the_queries_of_which_not_all_was_read(history: History) -> None:
    stored_query(history)
    assert (total(history).partly_read, total(history).is_lower_bound) == (0, False)
    stored_query(history, bill=LACKING)
    stored_query(history, bill=PATCHY)
    stored_query(history, bill=SHORT_GAP)
    stored_query(history, bill=LOAD_ALONE)
    rows = history.browse.rows()
    assert [row.partly_read for row in rows] == [False, False, True, True, False]
    assert [row.partly_read for row in rows] == [is_lower_bound(r.bill) for r in history.records()]
    for chosen in (EVERYTHING, Filter(text="watt"), Filter(kinds=("ask",))):
        found = total(history, chosen)
        assert (found.queries, found.measured, found.partly_read, found.unread) == (5, 5, 2, 0)
        assert (found.is_lower_bound, found.has_least_means) == (True, True)
    history.edits.delete([row.number for row in rows if row.partly_read])
    assert (total(history).partly_read, total(history).is_lower_bound) == (0, False)


def test_a_query_that_ran_unmeasured_is_missing_from_a_total_one_that_never_ran_is_not(
    history: History,
) -> None:
    stored_query(history)
    stored_query(history, bill=NOTHING_KNOWN, status=Status.FAILED, seconds=Seconds(total=0.0))
    assert (total(history).measured, total(history).unread) == (1, 0)
    stored_query(history, bill=NOTHING_KNOWN)
    found = total(history)
    assert (found.queries, found.measured, found.unread) == (3, 1, 1)
    assert (found.is_lower_bound, found.has_least_means) == (True, False)


def test_the_bar_of_a_component_is_marked_by_its_own_readings(history: History) -> None:
    stored_query(history, bill=LACKING)
    stored_query(history)
    for chosen in (EVERYTHING, Filter(text="watt")):
        bars = history.browse.chart(chosen, Period.DAY, Stack.COMPONENT).bars
        marks = {bar.key: bar.totals.is_lower_bound for bar in bars}
        assert marks == {"cpu": False, "gpu": True}
        assert not any(bar.totals.partly_read for bar in bars), "of queries it knows nothing"
    assert_sums_are_true(history)


# --- files of earlier versions -------------------------------------------------------------

STORED = {
    "whole": (BILL, 1.8),
    "lacking": (LACKING, 1.8),
    "patchy": (PATCHY, 1.7),
    "short gap": (SHORT_GAP, 10.0),
    "unmeasured": (NOTHING_KNOWN, 1.8),
    "never ran": (NOTHING_KNOWN, 0.0),
}

LACK_A_PART = {"lacking", "patchy"}
"""Of these a part was not read; versions before 12 did not mark them."""


def of_schema(version: int, path: Path) -> None:
    """Write a file as a version made it, with each of :data:`STORED` on two days."""
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        names = [migration.name for migration in migrations.pending(db)]
        migrations.apply(db, stop_before=names[version] if version < SCHEMA_VERSION else None)
        connection.execute(f"pragma user_version = {version}")
        _insert(db, "machines", {"id": "desk", "name": "Desk"})
        for number, each in enumerate((CPU, GPU)):
            row = {"id": number, "machine_id": "desk", "key": each.key, "label": each.label}
            row |= {"domain": str(each.domain), "device": "", "kind": str(each.kind)}
            row |= {"role": "part", "period_s": 0.1, "step_j": 0.0, "accuracy_below": 0.0}
            row |= {"accuracy_above": 0.0, "accuracy_offset_w": 0.0, "accuracy_source": ""}
            _insert(db, "channels", row)
        noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
        for day in range(2):
            for minute, (name, (bill, total_s)) in enumerate(STORED.items()):
                began = noon + timedelta(days=day, minutes=minute)
                number = round(began.timestamp() * 1000)
                energy = bill.total().energy
                query = {
                    "id": f"{name} {day}", "kind": "ask", "status": "done",
                    "started_at": began.isoformat(timespec="milliseconds"), "started_ms": number,
                    "day": began.date().isoformat(), "machine_id": "desk", "total_s": total_s,
                    "energy_j": energy and energy.joules, "prompt_text": name, "pue": 1.0,
                    "partly_read": 1 if name in LACK_A_PART else None,
                }  # fmt: skip
                _insert(db, "queries", query)
                for position, each in enumerate(bill.lines):
                    if each.channel in (CPU, GPU):
                        row = {"query_id": query["id"], "started_ms": number, "position": position}
                        row |= {"channel_id": int(each.channel is GPU), "phase": each.phase}
                        row |= {"joules": each.joules, "coverage": each.coverage}
                        _insert(db, "bills", row | {"duration_s": each.duration_s})
        if 7 <= version <= 12:
            _sum_by_letters(db)
        connection.commit()


def _sum_by_letters(db: Database) -> None:
    """Make sums as those versions had them: spans by name, less told, and triggers of their own."""
    db.execute(
        "create table facets (id integer primary key, machine_id text not null, model_id integer "
        "not null, kind text not null, status text not null, is_deleted integer not null, "
        "unique (machine_id, model_id, kind, status, is_deleted))"
    )
    db.execute(
        "create table facet_members (facet_id integer not null, member_of integer not null, "
        "primary key (facet_id, member_of)) without rowid"
    )
    key = "facet_id integer not null, period text not null, span text not null"
    db.execute(
        f"create table sums ({key}, queries integer not null, "
        "primary key (facet_id, period, span)) without rowid"
    )
    db.execute(
        f"create table domain_sums ({key}, domain text not null, lines integer not null, "
        "primary key (facet_id, period, span, domain)) without rowid"
    )
    db.execute(
        "insert into facets values (1, '*', -1, '*', '*', 0), (2, 'desk', 0, 'ask', 'done', 0)"
    )
    db.execute("insert into facet_members values (2, 1), (2, 2)")
    db.execute("insert into sums values (1, 'day', '2026-05-05', 99), (2, 'month', '2026-05', 99)")
    db.execute("insert into domain_sums values (1, 'month', '2026-05', 'cpu', 99)")
    db.execute("update queries set facet_id = 2 where id not like 'lacking%'")
    db.execute("create index queries_by_facet on queries (facet_id, started_ms)")
    for name, event in {
        "facets_added": "insert on facets",
        "queries_facet_added": "insert on queries",
        "queries_facet_changed": "update of status on queries",
        "queries_summed": "update of facet_id, energy_j on queries",
        "queries_moved": "update of facet_id, day on queries",
        "queries_gone": "delete on queries",
        "bills_added": "insert on bills",
        "bills_gone": "delete on bills",
    }.items():
        db.execute(
            f"create trigger {name} after {event} begin select raise(abort, 'of before'); end"
        )


def _insert(db: Database, table: str, row: dict[str, Any]) -> None:
    """Insert what a version has columns for; ``started_at`` was made of ``started_ms`` later."""
    has = {column.name for column in db.table(table).columns}
    db.table(table).insert({name: value for name, value in row.items() if name in has})


def assert_marked(history: History) -> None:
    marked = {row.prompt for row in history.browse.rows() if row.partly_read}
    assert marked == LACK_A_PART
    found = total(history)
    assert (found.queries, found.measured, found.partly_read, found.unread) == (12, 8, 4, 2)
    for chosen in (Filter(since=date(2026, 5, 6)), Filter(machines=("desk",), text="lacking")):
        assert total(history, chosen).is_lower_bound
    parts = history.browse.chart(EVERYTHING, Period.MONTH, Stack.COMPONENT).bars
    assert {bar.key: bar.totals.unread_lines for bar in parts} == {"cpu": 0, "gpu": 6}
    assert_sums_are_true(history)


@pytest.mark.parametrize("version", range(4, SCHEMA_VERSION))
def test_a_file_of_any_version_is_marked_by_its_bills(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    of_schema(version, path)
    with closing(History(path)) as history:
        assert_marked(history)
        stored_query(history, bill=LACKING)
        assert total(history).partly_read == 5


@pytest.mark.parametrize("version", [6, 7, 10, 11, 12])
def test_what_is_saved_of_a_damaged_file_is_marked(tmp_path: Path, version: int) -> None:
    path, target = tmp_path / "old.db", tmp_path / "rescued.db"
    of_schema(version, path)
    assert rescue(path, target).unbilled == 0
    with closing(History(target)) as saved:
        assert_marked(saved)


# --- from elsewhere ------------------------------------------------------------------------


@pytest.mark.parametrize("version", [11, SCHEMA_VERSION])
def test_what_is_merged_or_rescued_keeps_its_marks(tmp_path: Path, version: int) -> None:
    other, own, saved = (tmp_path / f"{name}.db" for name in ("other", "own", "saved"))
    of_schema(11, other)
    if version > 11:
        History(other).close()
    with closing(History(own)) as history:
        merge(history.store, other)
        assert_marked(history)
    rescue(own, saved)
    with closing(History(saved)) as history:
        assert_marked(history)


def test_a_capsule_brings_its_mark(history: History, tmp_path: Path) -> None:
    lacking = stored_query(history, bill=LACKING)
    path = tmp_path / "capsule.json"
    path.write_text(json.dumps(capsule_of(history, lacking.id)), encoding="utf-8")
    read = read_capsule(path)
    assert isinstance(read, QueryCapsule)
    with closing(History(tmp_path / "there.db")) as there:
        take_in(there.store, [read.arrival()])
        assert there.browse.rows()[0].partly_read
        assert total(there).partly_read == 1


def test_a_running_query_is_marked_by_what_was_read_in_the_end(history: History) -> None:
    began = stored_query(history, bill=LACKING, status=Status.RUNNING)
    assert total(history).partly_read == 1
    history.finish(began.id, outcome(bill=BILL))
    assert total(history).partly_read == 0
    assert_sums_are_true(history)
