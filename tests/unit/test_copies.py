"""The history is copied while it is used, backed up by date, and put back; the rest stays aside."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from monitor.store.backups import (
    Backup,
    Keep,
    back_up,
    back_up_if_due,
    backup_folder,
    list_backups,
    restore,
    superseded,
)
from monitor.store.copies import copy_database
from monitor.store.database import Store, StoreError
from monitor.store.errors import StoreStopped
from monitor.store.history import History
from monitor.store.schema import SCHEMA_VERSION, migrations
from tests.unit.builders import stored_query

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 12, 30)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        stored_query(history, "What is a watt?")
        yield history


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def prompts(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select prompt_text from queries order by started_ms").fetchall()
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    return [prompt for (prompt,) in rows]


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


# --- copying -----------------------------------------------------------------------------


def test_a_copy_is_one_whole_file_of_one_moment_while_others_write(
    history: History, path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copies" / "mine.db"
    target.parent.mkdir()
    fractions: list[float] = []

    def meanwhile(fraction: float) -> None:
        fractions.append(fraction)
        stored_query(history, f"Asked during the copy {len(fractions)}")

    copy_database(path, target, progress=meanwhile)
    assert prompts(target) == ["What is a watt?"]
    assert names(target.parent) == {"mine.db"}
    assert fractions[-1] == 1.0
    assert len(history.records()) == 1 + len(fractions)


def test_a_copy_replaces_nothing_unasked(history: History, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.db"
    target.write_text("something dear")
    with pytest.raises(StoreError, match="there already"):
        copy_database(path, target)
    assert target.read_text() == "something dear"
    copy_database(path, target, overwrite=True)
    assert prompts(target) == ["What is a watt?"]
    with pytest.raises(StoreError, match="itself"):
        copy_database(path, path, overwrite=True)


def test_a_copy_that_is_stopped_leaves_nothing(
    history: History, path: Path, tmp_path: Path
) -> None:
    before = names(tmp_path)
    with pytest.raises(StoreStopped):
        copy_database(path, tmp_path / "mine.db", cancelled=lambda: True)
    assert names(tmp_path) == before


def test_a_disk_without_room_is_told_before_anything_is_copied(
    history: History, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StoreError, match=r"needs \d+ kB .* only 1.00 kB"):
        copy_database(path, tmp_path / "mine.db")
    assert not (tmp_path / "mine.db").exists()


# --- backups -----------------------------------------------------------------------------


def test_one_backup_a_day_is_made_of_a_history_that_holds_something(
    history: History, path: Path
) -> None:
    made = back_up_if_due(path, TODAY)
    assert made
    assert made.path.name == "history-2026-11-24.db"
    assert prompts(made.path) == ["What is a watt?"]
    assert back_up_if_due(path, TODAY) is None
    assert back_up_if_due(path, TODAY + timedelta(days=1), Keep(largest_bytes=1000)) is None
    stored_query(history, "Another")
    left = backup_folder(path) / ".history-2026-11-20.db.1.part"
    left.touch()
    os.utime(left, (0, 0))
    assert back_up(path, TODAY).path == made.path
    assert names(backup_folder(path)) == {made.path.name}
    assert len(prompts(made.path)) == 2
    assert [each.made for each in list_backups(path)] == [TODAY]


def test_a_history_of_a_later_version_does_not_replace_todays_backup(
    history: History, path: Path
) -> None:
    made = back_up(path, TODAY)
    before = made.path.read_bytes()
    history.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match=r"later version.*update LlamaWatt"):
        back_up(path, TODAY)
    assert made.path.read_bytes() == before


def test_an_empty_history_does_not_push_out_the_backups_of_a_lost_one(path: Path) -> None:
    Store(path).close()
    assert back_up_if_due(path, TODAY) is None
    assert list_backups(path) == []


def test_seven_days_four_weeks_and_two_from_before_updates_are_kept() -> None:
    dated = [Backup(Path(str(n)), TODAY - timedelta(days=n), 1) for n in range(60)]
    earlier = [Backup(Path(f"s{n}"), TODAY - timedelta(days=n), 1, n + 2) for n in range(4)]
    gone = superseded(dated + earlier, Keep())
    kept = [each for each in dated if each not in gone]
    assert [each.made for each in kept[:7]] == [TODAY - timedelta(days=n) for n in range(7)]
    weeks = [each.made.isocalendar()[1] for each in kept[7:]]
    assert weeks == [47, 46, 45, 44]
    assert [each for each in earlier if each not in gone] == earlier[:2]


def old_history(path: Path) -> None:
    """Write a file of the schema before, with a query in it."""
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        stop = [each.name for each in migrations.pending(db)][SCHEMA_VERSION - 1]
        migrations.apply(db, stop_before=stop)
        connection.execute(f"pragma user_version = {SCHEMA_VERSION - 1}")
        row = {"started_ms": 1_795_521_600_000, "day": "2026-11-24", "kind": "ask"}
        db.table("queries").insert(row | {"id": "q", "status": "done", "prompt_text": "Old"})
        connection.commit()


def test_a_file_with_queries_is_copied_before_it_is_brought_up_to_date(path: Path) -> None:
    old_history(path)
    Store(path).close()
    (made,) = list_backups(path)
    assert made.before_schema == SCHEMA_VERSION
    with closing(sqlite3.connect(made.path)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION - 1,)
        assert connection.execute("select prompt_text from queries").fetchone() == ("Old",)


def test_without_room_for_that_copy_the_file_stays_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_history(path)
    usage = shutil.disk_usage(path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(StoreError, match=r"brought up to date.*free.*Nothing was changed"):
        Store(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION - 1,)


# --- restoring ---------------------------------------------------------------------------


def test_a_backup_is_put_back_and_what_was_there_is_kept_aside(
    history: History, path: Path
) -> None:
    made = back_up(path, TODAY)
    stored_query(history, "After the backup")
    history.close()
    aside = restore(path, made.path, NOW)
    assert aside
    assert aside.name == "history-replaced-2026-11-24-123000.db"
    assert prompts(path) == ["What is a watt?"]
    assert prompts(aside) == ["What is a watt?", "After the backup"]
    assert restore(path, made.path, NOW) != aside, "a second one does not replace the first"
    with closing(History(path)) as again:
        assert len(again.records()) == 1


def test_a_history_in_use_is_not_replaced(history: History, path: Path) -> None:
    made = back_up(path, TODAY)
    stored_query(history, "Still here")
    with pytest.raises(StoreError, match="in use"):
        restore(path, made.path)
    assert len(history.records()) == 2
    assert not [each for each in names(path.parent) if "replaced" in each or "part" in each]


def test_a_missing_or_damaged_history_is_replaced_as_well(history: History, path: Path) -> None:
    made = back_up(path, TODAY)
    history.close()
    path.unlink()
    assert restore(path, made.path) is None
    assert prompts(path) == ["What is a watt?"]
    rubbish = b"no database" * 1000
    path.write_bytes(rubbish)
    aside = restore(path, made.path)
    assert aside
    assert aside.read_bytes() == rubbish
    assert prompts(path) == ["What is a watt?"]


@pytest.mark.parametrize("kind", ["text", "other", "later", "torn"])
def test_what_is_no_sound_backup_is_refused(history: History, path: Path, kind: str) -> None:
    made = back_up(path, TODAY)
    history.close()
    bad = backup_folder(path) / "bad.db"
    shutil.copy(made.path, bad)
    changes: dict[str, Any] = {
        "other": "drop view query_texts; alter table queries rename to elsewhere",
        "later": f"pragma user_version = {SCHEMA_VERSION + 1}",
    }
    if kind == "text":
        bad.write_text("a letter")
    elif kind == "torn":
        bad.write_bytes(made.path.read_bytes()[: made.size_bytes // 2])
    else:
        with closing(sqlite3.connect(bad)) as connection:
            connection.executescript(changes[kind])
    with pytest.raises(StoreError):
        restore(path, bad)
    assert prompts(path) == ["What is a watt?"]
