"""``llamawatt database``: each command tells what it did and asks before it replaces."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.commands.database import database
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.errors import StoreError
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.kept_sums import create_triggers, drop_triggers
from monitor.store.retention import Rules, read_rules
from tests.unit.builders import stored_query
from tests.unit.test_faults import PAGE, pages_of

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    with closing(History(home / "history.db")) as history:
        stored_query(history, trace=encode_trace(StoredTrace({}, ()), 0.0))
    return lambda *arguments: CliRunner().invoke(database, [str(each) for each in arguments])


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_info_tells_where_the_history_is_and_what_it_holds(run: Run, home: Path) -> None:
    found = document(run("info", "--json"))
    assert found["path"] == str(home / "history.db")
    assert found["queries"] == 1
    assert found["latest_backup"] is None
    assert sum(found["parts"].values()) <= found["file_bytes"]
    shown = run("info").stdout
    assert "There is no backup yet" in shown
    assert "kept whole for 90 days" in shown


def test_a_copy_asks_before_it_replaces(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "mine.db"
    assert document(run("copy", target, "--json"))["bytes"] == target.stat().st_size
    target.write_text("dear")
    refused = run("copy", target)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert target.read_text() == "dear"
    assert run("copy", target, "--yes").exit_code == 0


def test_a_backup_is_made_listed_and_gone_back_to(run: Run, home: Path) -> None:
    assert "no backup" in run("backups").stdout
    made = document(run("backup", "--json"))
    assert made["made"] == date.today().isoformat()
    assert document(run("backups", "--json"))["backups"] == [made]
    with closing(History(home / "history.db")) as history:
        stored_query(history, "Later")
    assert run("restore", made["made"]).exit_code == 2
    back = document(run("restore", made["made"], "--yes", "--json"))
    assert Path(back["replaced"]).exists()
    assert document(run("info", "--json"))["queries"] == 1
    unknown = run("restore", "2001-01-01", "--yes")
    assert (unknown.exit_code, made["made"] in unknown.stderr) == (2, True)
    assert "There is no file" in run("restore", "nothing.db", "--yes").stderr


def test_merging_ones_own_copy_adds_nothing(run: Run, tmp_path: Path) -> None:
    run("copy", tmp_path / "other.db")
    found = document(run("merge", tmp_path / "other.db", "--json"))
    assert (found["queries"], found["known"]) == (0, 1)


def test_thinning_remembers_its_rules_and_tells_before_it_does(run: Run, home: Path) -> None:
    told = run("thin", "--whole-days", "30", "--fine-days", "60", "--drop", "--dry-run").stdout
    assert "after 60 days removed" in " ".join(told.split())
    with closing(History(home / "history.db")) as history:
        assert read_rules(history._store) == Rules()
    done = document(run("thin", "--whole-days", "30", "--drop", "--yes", "--json"))
    assert done["rules"] == {"whole_days": 30, "fine_days": 365, "drops": True}
    assert done["is_complete"]
    with closing(History(home / "history.db")) as history:
        assert read_rules(history._store) == Rules(30, 365, True)
    assert run("thin", "--whole-days", "400").exit_code == 2


def test_a_check_finds_damage_and_a_rescue_mends_it(run: Run, home: Path) -> None:
    path = home / "history.db"
    assert document(run("check", "--json"))["problems"] == []
    assert document(run("vacuum", "--json"))["purged"] == 0
    page = pages_of(path, "bills", "leaf")[0]
    with path.open("rb+") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))
    found = run("check", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["problems"]
    saved = document(run("rescue", "--replace", "--yes", "--json"))
    assert saved["rows"]["queries"] == saved["unbilled"] == 1
    assert Path(saved["replaced"]).exists()
    assert document(run("check", "--json"))["problems"] == []


def test_a_day_that_is_no_date_is_named_and_a_rescue_mends_it(run: Run, home: Path) -> None:
    with closing(History(home / "history.db")) as history:
        (record,) = history.records()
        history.store.write(lambda db: drop_triggers(db)).result()
        history.store.write(lambda db: db.execute("update queries set day = 'lost'")).result()
        history.store.write(lambda db: create_triggers(db)).result()
    found = run("check")
    assert found.exit_code == 1
    told = " ".join(found.stdout.split())
    assert f"query {record.id[-8:]}: its day should be a date, and is “lost”" in told
    assert "`llamawatt database rescue` saves what can be read, and gives such queries the" in told
    run("rescue", "--replace", "--yes")
    assert document(run("check", "--json"))["problems"] == []
    with closing(History(home / "history.db")) as history:
        (row,) = history.browse.rows(Filter(since=date(2000, 1, 1)))
        assert row.id == record.id


def test_where_nothing_can_be_saved_the_backups_are_named(run: Run, home: Path) -> None:
    path = home / "history.db"
    (page,) = pages_of(path, "queries", "leaf")
    with path.open("rb+") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))
    told = " ".join(run("rescue", home / "saved.db").stdout.split())
    assert "saved.db: 0 of 1 query. Not readable: 1 place, in queries." in told
    assert "`llamawatt database backups` lists the backups" in told
    assert "restore" not in told


def test_another_file_is_rescued_and_merged(run: Run, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(History(other)) as history:
        for n in range(12):
            stored_query(history, f"{n}: " + "words " * 200)
    page = pages_of(other, "queries", "leaf")[0]
    with other.open("rb+") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))
    own = (home / "history.db").read_bytes()
    told = " ".join(run("rescue", "--from", other, tmp_path / "saved.db").stdout.split())
    found = re.search(r"saved\.db: (\d+) of 12 queries\. Not readable: 1 place, in queries\.", told)
    assert found, told
    assert told.endswith(f"`llamawatt database merge {tmp_path / 'saved.db'}` takes it in.")
    assert (home / "history.db").read_bytes() == own
    merged = document(run("merge", tmp_path / "saved.db", "--json"))
    assert 0 < merged["queries"] == int(found[1]) < 12
    refused = run("rescue", "--from", other, "--replace")
    assert (refused.exit_code, "--replace is of this history" in refused.stderr) == (2, True)


def test_a_copy_into_a_folder_that_is_not_there_is_told_so(run: Run, tmp_path: Path) -> None:
    for command in ("copy", "rescue"):
        refused = run(command, tmp_path / "nowhere" / "mine.db")
        assert str(refused.exception) == (
            f"{tmp_path}/nowhere/mine.db cannot be written: there is no folder {tmp_path}/nowhere. "
            "Make it first, or choose another."
        )


def test_a_copy_of_a_damaged_file_is_refused_with_what_is_the_matter(
    run: Run, home: Path, tmp_path: Path
) -> None:
    path = home / "history.db"
    page = pages_of(path, "texts_data", "leaf")[0]
    with path.open("rb+") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\x0d" + bytes(PAGE - 1))
    refused = run("copy", tmp_path / "mine.db")
    assert isinstance(refused.exception, StoreError)
    assert "***" not in str(refused.exception)
    assert "***" not in run("check").stdout


@pytest.mark.parametrize("command", ["info", "check", "backup", "vacuum", "rescue"])
def test_without_a_history_it_says_how_to_begin_one(home: Path, command: str) -> None:
    result = CliRunner().invoke(database, [command])
    assert result.exit_code == 1
    assert "llamawatt ask" in result.stderr
    assert list(home.iterdir()) == []
