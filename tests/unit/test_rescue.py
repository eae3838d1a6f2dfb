"""A damaged file of any version is saved as well as one of this version."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from monitor.store.history import History
from monitor.store.rescue import rescue
from monitor.store.schema import SCHEMA_VERSION, migrations


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
