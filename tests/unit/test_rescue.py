"""A damaged file of any version is saved as well as one of this version."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlite_utils import Database

from monitor.commands import filter_options
from monitor.store.charts import Period, Stack
from monitor.store.errors import StoreStopped, told
from monitor.store.filters import EVERYTHING
from monitor.store.history import History
from monitor.store.kept_sums import create_triggers, drop_triggers
from monitor.store.records import QueryRecord
from monitor.store.rescue import KINDS, Rescued, rescue
from monitor.store.schema import SCHEMA_VERSION, migrations
from tests.unit.builders import stored_query

PAGE = 4096


def of_schema(version: int, path: Path) -> None:
    """Write a file as a version made it: a query, and a talk of four questions and answers."""
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        names = [migration.name for migration in migrations.pending(db)]
        migrations.apply(db, stop_before=names[version] if version < SCHEMA_VERSION else None)
        connection.execute(f"pragma user_version = {version}")
        began = "2026-11-24T00:00:00.000+00:00"
        query = {
            "id": "q", "kind": "chat", "status": "done", "conversation_id": "talk",
            "started_at": began, "started_ms": 1_795_478_400_000, "day": "2026-11-24",
        }  # fmt: skip
        talk = {"id": "talk", "title": "One", "created_at": began, "updated_at": began}
        _insert(db, "conversations", talk | {"leaf_id": "m7"})
        _insert(db, "queries", query)
        for number in range(8):
            message = {
                "id": f"m{number}", "conversation_id": "talk", "content": f"text {number}",
                "role": "assistant" if number % 2 else "user", "created_at": began,
                "parent_id": f"m{number - 1}" if number else None,
            }  # fmt: skip
            _insert(db, "messages", message)
        connection.commit()


def _insert(db: Database, table: str, row: dict[str, object]) -> None:
    """Insert what a version has columns for; ``started_at`` was made of ``started_ms`` later."""
    has = {column.name for column in db.table(table).columns}
    db.table(table).insert({name: value for name, value in row.items() if name in has})


@pytest.mark.parametrize("version", range(3, SCHEMA_VERSION + 1))
def test_a_damaged_talk_of_any_version_is_saved_in_one_piece(tmp_path: Path, version: int) -> None:
    path, target = tmp_path / "old.db", tmp_path / "rescued.db"
    of_schema(version, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from messages where id = 'm3'")
        connection.commit()
    rescue(path, target)
    with closing(History(target)) as saved:
        turns = saved.talks.talk("talk").turns
        texts = [(turn.question, turn.answer) for turn in turns]
        counted = [bar.totals.queries for bar in saved.browse.totals().bars]
    assert texts == [
        ("text 0", "text 1"), ("text 2", ""), ("text 4", "text 5"), ("text 6", "text 7"),
    ]  # fmt: skip
    assert counted == [1]


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the clock of this machine to a zone where the query began on the day before."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def lose_day(path: Path, day: str) -> None:
    """Let the query's day be none, as damage does: unheard by triggers."""
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        has_triggers = connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)
        if has_triggers:
            drop_triggers(db)
        connection.execute("update queries set day = ?", [day])
        if has_triggers:
            create_triggers(db)
        connection.commit()


def days_of(path: Path) -> list[tuple[date, int]]:
    """Return the days that are summed up, and how many queries each has."""
    with closing(History(path)) as history:
        bars = history.browse.chart(EVERYTHING, Period.DAY, Stack.NOTHING).bars
        return [(bar.start, bar.totals.queries) for bar in bars]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows' clock is of the system")
@pytest.mark.parametrize("version", [7, SCHEMA_VERSION - 1, SCHEMA_VERSION])
@pytest.mark.parametrize("day", ["2026-x1-24", "2026-11-44"])
def test_a_query_whose_day_is_damaged_is_saved_with_the_day_it_began_on(
    tmp_path: Path, in_new_york: None, version: int, day: str
) -> None:
    path, target = tmp_path / "old.db", tmp_path / "rescued.db"
    of_schema(version, path)
    lose_day(path, day)
    rescue(path, target)
    assert days_of(target) == [(date(2026, 11, 23), 1)]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows' clock is of the system")
@pytest.mark.parametrize("version", [7, SCHEMA_VERSION - 1])
def test_a_damaged_day_does_not_keep_an_older_file_from_being_brought_up_to_date(
    tmp_path: Path, in_new_york: None, version: int
) -> None:
    path = tmp_path / "history.db"
    of_schema(version, path)
    lose_day(path, "2026-x1-24")
    assert days_of(path) == [(date(2026, 11, 23), 1)]


def test_a_query_whose_day_is_damaged_can_be_deleted_once_it_is_rescued(tmp_path: Path) -> None:
    path, target = tmp_path / "history.db", tmp_path / "rescued.db"
    of_schema(SCHEMA_VERSION, path)
    lose_day(path, "2026-x1-24")
    with closing(History(path)) as history:
        numbers = history.browse.numbers()
        with pytest.raises(sqlite3.IntegrityError) as caught:
            history.edits.delete(numbers)
        assert "`llamawatt database rescue`" in told(path, caught.value)
        assert history.browse.numbers() == numbers
    rescue(path, target)
    with closing(History(target)) as history:
        assert history.edits.delete(numbers) == numbers
        assert history.browse.numbers() == []


# --- nothing is invented ----------------------------------------------------------------


def filled(path: Path, queries: int, words: int = 40) -> dict[str, QueryRecord]:
    """Store queries in a file that is then closed; return their records."""
    with closing(History(path)) as history:
        for n in range(queries):
            stored_query(history, f"{n}: " + " ".join(str(n + word) for word in range(words)))
        return {each.id: each for each in history.records(1000)}


def leaves_of(path: Path, table: str, kind: str = "leaf") -> list[int]:
    """Return the numbers of a table's pages of a kind, from 1."""
    with closing(sqlite3.connect(path)) as connection:
        sql = "select pageno from dbstat where name = ? and pagetype = ? order by pageno"
        return [number for (number,) in connection.execute(sql, [table, kind])]


def saved_of(damaged: Path, target: Path) -> tuple[Rescued, dict[str, QueryRecord]]:
    target.unlink(missing_ok=True)
    found = rescue(damaged, target)
    with closing(History(target)) as history:
        assert len(history.browse.rows(limit=1000)) == found.rows["queries"]
        return found, {each.id: each for each in history.records(1000)}


def energies_of(path: Path) -> set[tuple[float, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("select energy_j, energy_kind from queries"))


def test_of_a_page_that_is_there_in_part_nothing_is_invented(tmp_path: Path) -> None:
    path, cut = tmp_path / "history.db", tmp_path / "cut.db"
    records = filled(path, 40, words=400)
    content, most = path.read_bytes(), 0
    for page in leaves_of(path, "queries")[-3:]:
        for share in (0.85, 0.5):
            cut.write_bytes(content[: int((page - 1 + share) * PAGE)])
            before = cut.read_bytes()
            _, saved = saved_of(cut, tmp_path / "rescued.db")
            assert all(each.prompt in ("", records[key].prompt) for key, each in saved.items())
            assert energies_of(tmp_path / "rescued.db") <= energies_of(path)
            assert cut.read_bytes() == before
            most = max(most, len(saved))
    assert 0 < most < len(records)


def test_of_pages_that_only_a_log_tells_of_nothing_is_invented(tmp_path: Path) -> None:
    path, cut = tmp_path / "history.db", tmp_path / "cut.db"
    records = filled(path, 3, words=1200)  # each goes over into one other page
    last = leaves_of(path, "queries", "overflow")[-1]
    with closing(History(path)) as history:
        # Where it keeps its length, SQLite writes the leaf alone: the log has not the page on which
        # the long prompt ends.
        sql = "update queries set day = '2026-11-24'"
        history.store.write(lambda db: db.execute(sql)).result()
        shutil.copy(path, cut)
        shutil.copy(f"{path}-wal", f"{cut}-wal")
    os.truncate(cut, (last - 1) * PAGE)
    _, saved = saved_of(cut, tmp_path / "rescued.db")
    assert saved
    assert all(each.prompt in ("", records[key].prompt) for key, each in saved.items())


def test_what_only_the_log_holds_of_a_file_that_is_cut_off_is_saved(tmp_path: Path) -> None:
    path, cut = tmp_path / "history.db", tmp_path / "cut.db"
    filled(path, 2)
    with closing(History(path)) as history:
        later = stored_query(history, "Later " + "words " * 2000)
        shutil.copy(path, cut)
        shutil.copy(f"{path}-wal", f"{cut}-wal")
    with cut.open("ab") as file:
        file.write(bytes(100))  # a page that was being written
    _, saved = saved_of(cut, tmp_path / "rescued.db")
    assert len(saved) == 3
    assert saved[later.id] == later


def test_a_rescue_of_a_file_that_is_cut_off_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    filled(path, 1)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(StoreStopped):
        rescue(path, tmp_path / "rescued.db", cancelled=lambda: True)
    assert [each.name for each in tmp_path.iterdir()] == ["history.db"]


def test_zeros_in_a_page_of_bills_do_not_end_a_rescue(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    records = filled(path, 20)
    page = leaves_of(path, "bills")[1]
    with path.open("rb+") as file:
        file.seek((page - 1) * PAGE + PAGE // 2)
        file.write(bytes(PAGE // 2))
    found, saved = saved_of(path, tmp_path / "rescued.db")
    assert saved.keys() == records.keys()
    assert "bills" in found.torn
    totals = [each.bill.total().joules for each in saved.values()]
    assert set(totals) == {57.64, None}
    assert totals.count(None) == found.unbilled


@pytest.mark.parametrize("column", ["kind", "status", "energy_kind"])
def test_a_query_that_cannot_have_been_stored_so_is_not_readable(
    tmp_path: Path, column: str
) -> None:
    path = tmp_path / "history.db"
    one, *others = filled(path, 3)
    with closing(sqlite3.connect(path)) as connection:
        drop_triggers(Database(connection))
        zeros = [f"update queries set {column} = ? where id = ?", ["\0\0\0\0", one]]
        connection.execute(*zeros)
        connection.commit()
    found, saved = saved_of(path, tmp_path / "rescued.db")
    assert set(saved) == set(others)
    assert (found.holes, found.torn) == (1, ["queries"])


def test_every_way_of_asking_is_known_to_a_rescue() -> None:
    assert set(KINDS) == set(filter_options.KINDS)
