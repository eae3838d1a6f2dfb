"""What goes wrong around the file is told, what can be saved is, and the file is never harmed."""

import json
import logging
import os
import re
import resource
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from monitor.commands.terminal import open_history
from monitor.logs import logging_to_file
from monitor.store import database as database_module
from monitor.store import introduction
from monitor.store.backups import list_backups
from monitor.store.benchmarks import Benchmarks
from monitor.store.copies import copy_database
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.database import Store, StoreError
from monitor.store.endings import Endings, ended, spare_folder
from monitor.store.history import History
from monitor.store.records import Status
from monitor.store.rescue import rescue
from monitor.store.sums import DAY
from monitor.store.upkeep import purge_deleted, vacuum
from tests.unit.builders import outcome, query_start, said, stored_query
from tests.unit.conftest import Eventually
from tests.unit.test_copies import old_history
from tests.unit.test_rescue import of_schema

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    with closing(History(path)) as history:
        yield history


@pytest.fixture
def hasty(path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store beside the history's that waits for nobody."""
    monkeypatch.setattr(database_module, "TRY_AGAIN_S", 0.02)
    with closing(Store(path, busy_timeout_s=0.02)) as store:
        yield store


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file for writing, as another program may."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("begin immediate")
        yield


@contextmanager
def full_disk(path: Path, most: int | None = None) -> Iterator[None]:
    """Let no file grow beyond the larger of the database and its log, or so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [path, path.with_name("history.db-wal")]
    if most is None:
        most = max(file.stat().st_size for file in files if file.exists())
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def machine_of(history: History) -> str:
    return str(history._machine["id"])


# --- a full disk -------------------------------------------------------------------------


def test_a_full_disk_is_told_and_what_was_stored_stays(history: History, path: Path) -> None:
    kept = stored_query(history)
    with full_disk(path):
        with pytest.raises(StoreError, match=r"cannot be written.*disk.*space"):
            history.begin(query_start(prompt="x" * 100_000))
        assert history.record(kept.id) == kept
    assert stored_query(history, "There is room again").prompt == "There is room again"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_a_history_on_a_full_disk_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(History(path)) as history:
        kept = stored_query(history)
    for _ in range(2):  # the second finds the empty log that SQLite left the first time
        with full_disk(path, most=0), closing(History(path)) as history:
            assert history.record(kept.id) == kept
            assert re.search("disk has space.*looked at", history.store.notice)
            with pytest.raises(StoreError, match="disk has space"):
                history.begin(query_start())
    with closing(History(path)) as history:
        assert not history.store.notice
        assert stored_query(history, "There is room again").prompt == "There is room again"


def test_what_is_looked_at_on_a_full_disk_follows_what_another_program_writes(path: Path) -> None:
    with closing(History(path)) as history:
        for n in range(5):
            stored_query(history, f"{n} before")
    with full_disk(path, most=0):
        looking = History(path)
        assert len(looking.browse.rows()) == 5
    with closing(looking):
        with closing(History(path)) as other:  # there is room again
            for n in range(20):
                stored_query(other, f"{n} after " + "words " * 300)
            other.edits.delete(other.browse.numbers(limit=10))
            purge_deleted(other.store, timedelta(), datetime.now(UTC) + timedelta(days=1))
            vacuum(other.store)
            kept = [row.id for row in other.browse.rows()]
        assert [row.id for row in looking.browse.rows()] == kept
        assert looking.browse.totals().bars[0].totals.queries == len(kept) == 15
        assert looking.store.read().execute("pragma quick_check").fetchall() == [("ok",)]
        assert looking.store.is_read_only


@pytest.mark.parametrize("most", [0, 10 * PAGE, 24 * PAGE])
def test_a_new_history_on_a_full_disk_asks_for_space(path: Path, most: int) -> None:
    for _ in range(2):
        with full_disk(path, most), pytest.raises(StoreError, match=r"opened.*disk has space"):
            Store(path)
    with closing(History(path)) as history:
        assert stored_query(history, "There is room again").prompt == "There is room again"


def test_an_old_history_on_a_full_disk_asks_for_space_and_stays_as_it_is(path: Path) -> None:
    of_schema(7, path)
    before = path.stat().st_size
    # No room at all; then for the copy that is made first, but not for the migration.
    for most, copies in (0, 0), (before, 1):
        with full_disk(path, most), pytest.raises(StoreError, match=r"opened.*disk has space"):
            Store(path)
        assert len(list_backups(path)) == copies
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (7,)
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    with closing(History(path)) as history:
        assert [row.id for row in history.browse.rows()] == ["q"]


def test_a_copy_onto_a_full_disk_leaves_nothing(
    history: History, path: Path, tmp_path: Path
) -> None:
    stored_query(history)
    target = tmp_path / "copies" / "mine.db"
    target.parent.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * PAGE, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"mine\.db cannot be written"):
            copy_database(path, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(target.parent.iterdir()) == []


# --- a locked file -----------------------------------------------------------------------


def test_while_another_holds_the_file_reading_goes_on_and_writing_says_why(
    history: History, hasty: Store, path: Path
) -> None:
    stored_query(history)
    with locked(path):
        assert hasty.read().table("queries").count == 1
        with pytest.raises(StoreError, match="Another program holds the file"):
            hasty.write(lambda db: db.execute("delete from bills")).result()
        with closing(Store(path, busy_timeout_s=0.02)) as another:
            assert another.read().table("queries").count == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a history that starts wait for nobody, but go on trying."""
    monkeypatch.setattr(introduction, "WAIT_S", 0.02)
    monkeypatch.setattr(introduction, "ATTEMPT_S", 0.02)
    monkeypatch.setattr(database_module, "TRY_AGAIN_S", 0.02)


def test_who_only_reads_a_held_file_need_not_wait_for_it_to_leave(
    history: History, path: Path, impatient: None
) -> None:
    kept = stored_query(history)
    history.store.write(lambda db: db.execute("update machines set name = 'before'")).result()
    with locked(path):
        begun_s = time.monotonic()
        with closing(History(path)) as reading:  # it would enter the machine's new name
            assert reading.record(kept.id) == kept
        assert time.monotonic() - begun_s < database_module.BUSY_TIMEOUT_S / 2
    with closing(History(path)) as reading:
        assert reading.store.read().table("machines").get(machine_of(history))["name"] != "before"


def test_what_is_written_first_into_a_file_that_was_held_finds_its_machine_there(
    history: History, path: Path, impatient: None
) -> None:
    """A file of another machine, which another program merges perhaps as this one starts."""
    history.store.write(lambda db: db.execute("delete from machines")).result()
    with ExitStack() as stack:
        with locked(path):
            started = stack.enter_context(closing(History(path)))
            begun = started.store.write(
                lambda db: db.table("bench_suites").insert(
                    {
                        "id": "s", "name": "quick", "title": "Quick", "status": "done",
                        "error": "", "started_at": "2026-01-01", "plan": "{}", "versions": "{}",
                        "machine_id": machine_of(history),
                    }
                )
            )  # fmt: skip
        begun.result()
        assert [row["id"] for row in started.store.read().table("machines").rows] == [
            machine_of(history)
        ]


def test_looking_at_a_history_writes_nothing_into_it(path: Path) -> None:
    with closing(History(path)) as history:
        kept = stored_query(history)
    before = path.read_bytes()
    with closing(History(path)) as history:
        assert history.record(kept.id) == kept
        assert path.with_name("history.db-wal").stat().st_size == 0
    assert path.read_bytes() == before


def test_what_died_is_interrupted_as_soon_as_a_held_file_is_free(
    history: History, path: Path, impatient: None, eventually: Eventually
) -> None:
    left = history.begin(query_start()).query_id
    history.store.write(lambda db: db.execute(f"update queries set process_id = {2**30}")).result()
    with ExitStack() as stack:
        with locked(path):
            started = stack.enter_context(closing(History(path)))
            assert started.record(left).status is Status.RUNNING
        eventually(lambda: started.record(left).status is Status.INTERRUPTED)


def test_a_benchmark_waits_longer_for_the_file_and_then_says_how_to_go_on(
    history: History, hasty: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite_id = history.benchmarks.begin_suite("own", "Own", {}, {})
    waiting = Benchmarks(hasty, machine_of(history))
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("begin immediate")
    ends = threading.Timer(0.5, other.rollback)  # long after the store's own patience
    ends.start()
    waiting.finish_suite(suite_id, Status.STOPPED, "", None)
    ends.join()
    other.close()
    assert history.benchmarks.suite(suite_id).status is Status.STOPPED
    monkeypatch.setattr(database_module, "PATIENCE_S", 0.05)
    with locked(path), pytest.raises(StoreError, match=f"bench resume {suite_id[-8:]}"):
        waiting.finish_suite(suite_id, Status.DONE, "", None)


def test_a_querys_end_waits_for_the_file_and_is_kept_beside_it_meanwhile(
    history: History, hasty: Store, path: Path, eventually: Eventually
) -> None:
    began = history.begin(query_start())
    end = outcome(trace=encode_trace(StoredTrace({}, ()), 0.0))
    endings = Endings(hasty, machine_of(history), patience_s=0.05)
    kept = path.with_name(f"unsaved-{began.query_id}.json")
    with locked(path):
        notice = endings.store(began.query_id, end)
        assert str(kept) in notice
        assert json.loads(kept.read_text())["outcome"]["text"] == end.text
        running = history.record(began.query_id)
        assert running.status is Status.RUNNING
    eventually(lambda: history.record(began.query_id).status is Status.DONE)
    eventually(lambda: not kept.exists())
    stored = history.record(began.query_id)
    assert stored.bill == end.bill
    assert ended(running, end) == stored
    assert history.trace(began.query_id) == StoredTrace({}, ())


def test_ends_may_be_stored_while_those_that_are_not_are_told(
    history: History, hasty: Store, path: Path, eventually: Eventually
) -> None:
    """The window asks on its own thread; the writer's strikes out what it has stored."""
    endings = Endings(hasty, machine_of(history), patience_s=0.05)
    begun = [history.begin(query_start()).query_id for _ in range(2)]
    meanwhile: list[Callable[[], None]] = []

    class Identifier(str):
        def __format__(self, form: str) -> str:
            while meanwhile:
                meanwhile.pop()()
            return str(self)

    with ExitStack() as other:
        other.enter_context(locked(path))

        def store_them() -> None:
            other.close()
            eventually(lambda: not endings.unstored())

        for query_id in begun:
            endings.store(Identifier(query_id), outcome())
        meanwhile.append(store_them)
        assert len(endings.unstored()) == 2
    assert endings.unstored() == []


def test_other_changes_get_their_turn_while_an_end_waits(
    history: History, hasty: Store, path: Path
) -> None:
    began = history.begin(query_start())
    waiting = Endings(hasty, machine_of(history), patience_s=0.0)
    with locked(path):
        waiting.store(began.query_id, outcome())
        for _ in range(2):
            with pytest.raises(StoreError):
                hasty.write(lambda db: db.execute("delete from tags")).result(5)


@pytest.mark.parametrize("with_trace", [True, False])
def test_an_end_left_in_a_file_is_taken_in_once_at_the_next_start(
    history: History, hasty: Store, path: Path, with_trace: bool
) -> None:
    first = history.begin(query_start(kind="chat", prompt="One"))
    end = outcome(trace=encode_trace(StoredTrace({}, ()), 0.0) if with_trace else None)
    with locked(path):
        Endings(hasty, machine_of(history), 0.0).store(first.query_id, end)
        hasty.close()
    kept = path.with_name(f"unsaved-{first.query_id}.json")
    assert kept.exists()
    second = query_start(
        kind="chat",
        prompt="Two",
        conversation_id=first.conversation_id,
        parent_id=first.answer_id,
    )
    history.finish(history.begin(second).query_id, outcome(text="Second answer"))
    copied = kept.read_text()
    for taken in (1, 1, 0):
        assert Endings(history._store, machine_of(history)).take_in() == taken
        assert not kept.exists()
        if taken and copied:
            kept.write_text(copied)
            copied = ""
    record = history.record(first.query_id)
    assert (record.status, record.bill, record.text) == (Status.DONE, end.bill, end.text)
    assert (history.trace(first.query_id) is not None) == with_trace
    assert first.conversation_id
    texts = [each.content for each in said(history, first.conversation_id)]
    assert texts == ["One", end.text, "Two", "Second answer"]


def test_a_file_that_is_no_end_of_a_query_is_left_alone(history: History, path: Path) -> None:
    endings = Endings(history._store, machine_of(history))
    for name, text in (("a", "no JSON"), ("b", "{}"), ("c", "[]")):
        path.with_name(f"unsaved-{name}.json").write_text(text)
    assert endings.take_in() == 0
    assert len(list(path.parent.glob("unsaved-*.json"))) == 3


def test_an_end_is_stored_at_once_where_nothing_is_in_the_way(history: History, path: Path) -> None:
    began = history.begin(query_start())
    assert Endings(history._store, machine_of(history)).store(began.query_id, outcome()) == ""
    assert history.record(began.query_id).status is Status.DONE
    assert not list(path.parent.glob("unsaved-*"))


@contextmanager
def small_files(most_bytes: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, whatever folder it lies in."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def answer_where_no_file_can_grow(text: str) -> None:
    """Ask and answer as a command does, on a disk that is full from the answer on."""
    with ExitStack() as stack, open_history() as history:
        began = history.begin(query_start())
        stack.enter_context(small_files(PAGE * 10))
        history.finish(began.query_id, outcome(text=text))


def test_a_command_that_ends_with_an_answer_in_a_file_says_where_and_fails(
    monkeypatch: pytest.MonkeyPatch, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(path.parent))
    with pytest.raises(SystemExit, match="1"):
        answer_where_no_file_can_grow("Kept.")
    (kept,) = path.parent.glob("unsaved-*.json")
    assert f"is kept in {kept}, and the next start takes it in" in capfd.readouterr().err
    with open_history() as history:
        assert [(each.status, each.text) for each in history.records()] == [(Status.DONE, "Kept.")]
    assert not kept.exists()


def test_a_command_that_loses_an_answer_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(path.parent))
    with pytest.raises(SystemExit, match="1"):
        answer_where_no_file_can_grow("word " * 20_000)
    with open_history() as history:
        (record,) = history.records()
    assert f"The answer of the query {record.id} is lost" in capfd.readouterr().err
    assert not spare_folder(path).exists()


def test_an_end_that_finds_no_room_beside_the_file_is_kept_elsewhere_and_taken_in(
    history: History, hasty: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = history.begin(query_start())
    path.with_name(f"unsaved-{began.query_id}.part").mkdir()  # so that nothing can be put there
    endings = Endings(hasty, machine_of(history), patience_s=0.0)
    with locked(path):
        notice = endings.store(began.query_id, outcome())
        hasty.close()
    (kept,) = spare_folder(path).iterdir()
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert str(kept) in notice
    (left,) = endings.unstored()
    assert str(kept) in left
    assert Endings(history.store, machine_of(history)).take_in() == 1
    assert history.record(began.query_id).status is Status.DONE
    assert not kept.parent.exists()


def test_what_others_put_among_the_temporary_files_is_not_taken_in(
    history: History, hasty: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = history.begin(query_start())
    with locked(path):
        Endings(hasty, machine_of(history), 0.0).store(began.query_id, outcome())
        hasty.close()
    folder = spare_folder(path)
    folder.mkdir()
    kept = path.with_name(f"unsaved-{began.query_id}.json").rename(folder / "unsaved-x.json")
    folder.chmod(0o777)
    assert Endings(history.store, machine_of(history)).take_in() == 0
    assert kept.exists()


def test_a_log_that_cannot_be_written_stops_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path))
    (tmp_path / "llamawatt.log").mkdir()
    with logging_to_file():
        logging.getLogger("monitor").warning("Nobody reads this.")
    assert capfd.readouterr() == ("", "")


def test_a_log_on_a_full_disk_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path))
    with small_files(100), logging_to_file():
        for _ in range(5):
            logging.getLogger("monitor").warning("x" * 60)
    assert capfd.readouterr() == ("", "")


# --- a file that may only be read --------------------------------------------------------


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder others may look into, of which this process then has no more rights than they."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    try:
        yield folder
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def drop_rights(*paths: Path) -> None:
    """Forbid to write to paths, to root as well."""
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.getuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_file_that_may_not_be_written_can_be_looked_at(shelf: Path, folder_too: bool) -> None:
    path = shelf / "history.db"
    with closing(History(path)) as history:
        kept = stored_query(history)
    before = path.read_bytes()
    drop_rights(path, *([shelf] if folder_too else []))
    with closing(Store(path)) as store:
        assert store.is_read_only
        assert "may not be written to" in store.notice
        assert [row["id"] for row in store.read().query("select id from queries")] == [kept.id]
        with pytest.raises(StoreError, match="may not be written to"):
            store.write(lambda db: db.execute("delete from bills")).result()
    assert path.read_bytes() == before


def test_a_command_that_must_write_says_once_why_it_cannot(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(shelf))
    with open_history() as history:
        kept = stored_query(history)
    drop_rights(shelf / "history.db")
    with (
        pytest.raises(click.ClickException, match="This needs a history that can be written to"),
        open_history() as history,
    ):
        history.edits.note(history.browse.numbers_of([kept.id])[0], "a note")
    assert capfd.readouterr().err.count("may not be written to") == 1


def test_a_file_whose_log_cannot_be_read_where_it_lies_is_told_what_to_do(shelf: Path) -> None:
    path = shelf / "history.db"
    with closing(History(path)) as history:
        stored_query(history)
        log = path.with_name("history.db-wal").read_bytes()
    path.with_name("history.db-wal").write_bytes(log)  # as a program that was killed leaves it
    drop_rights(path, path.with_name("history.db-wal"), shelf)
    with pytest.raises(StoreError, match="copy the whole folder"):
        Store(path)


def test_an_old_file_that_may_not_be_written_is_told_what_to_do(shelf: Path) -> None:
    path = shelf / "history.db"
    old_history(path)
    drop_rights(path, shelf)
    with pytest.raises(StoreError, match=r"earlier version.*LLAMAWATT_HOME"):
        Store(path)


# --- a damaged file ----------------------------------------------------------------------


def filled(path: Path, queries: int = 60) -> dict[str, Any]:
    """Store queries with long texts, close the file, and return their records."""
    with closing(History(path)) as history:
        began = history.begin(query_start(kind="chat", prompt="A chat"))
        history.finish(began.query_id, outcome())
        for n in range(queries):
            stored_query(history, f"{n}: " + "words " * (3000 if n == 7 else 40))
        history.set_preference("zone", "DEU")
        return {each.id: each for each in history.records(1000)}


def pages_of(path: Path, name: str, kind: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        sql = "select pageno from dbstat where name = ? and pagetype = ? order by path"
        return [number for (number,) in connection.execute(sql, [name, kind])]


def page_of(content: bytes, page: int) -> bytes:
    return content[(page - 1) * PAGE : page * PAGE]


def zero(path: Path, page: int) -> bytes:
    """Damage a page; return what the file then holds."""
    with path.open("rb+") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))
    return path.read_bytes()


def test_damage_is_told_with_the_way_out(path: Path) -> None:
    filled(path, 30)
    zero(path, pages_of(path, "queries", "leaf")[2])
    with closing(History(path)) as history:
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            history.records(1000)
        change = history._store.write(lambda db: db.execute("update queries set note = 'x'"))
        with pytest.raises(StoreError, match=r"malformed.*llamawatt database rescue"):
            change.result()
    with pytest.raises(StoreError, match=r"cannot be copied.*rescue"):
        copy_database(path, path.with_name("copy.db"))


def test_all_but_the_damaged_page_is_saved(path: Path, tmp_path: Path) -> None:
    records = filled(path)
    leaves = pages_of(path, "queries", "leaf")
    damaged = zero(path, leaves[len(leaves) // 2])
    target = tmp_path / "rescued.db"
    fractions: list[float] = []
    found = rescue(path, target, fractions.append)
    assert path.read_bytes() == damaged
    assert (found.holes, found.cut, fractions[-1]) == (1, 0, 1.0)
    assert len(records) - 20 <= found.rows["queries"] < len(records)
    with closing(History(target)) as history:
        saved = {each.id: each for each in history.records(1000)}
        assert len(saved) == found.rows["queries"]
        assert all(records[query_id] == record for query_id, record in saved.items())
        assert history.preference("zone") == "DEU"
        (conversation,) = history.talks.listed()
        assert len(said(history, conversation.id)) == 2
        db = history._store.read()
        assert db.execute("pragma foreign_key_check").fetchall() == []
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        total = "select sum(queries) from sums s join facets f on f.id = s.facet_id where "
        every = "machine_id = '*' and model_id = -1 and kind = '*' and status = '*'"
        (kept,) = db.execute(f"{total}{every} and period = {DAY}").fetchone()
        assert kept == len(saved)


def test_a_row_whose_long_text_is_lost_keeps_the_rest(path: Path, tmp_path: Path) -> None:
    records = filled(path, 10)
    zero(path, pages_of(path, "queries", "overflow")[1])
    found = rescue(path, tmp_path / "rescued.db")
    assert (found.rows["queries"], found.cut, found.holes) == (len(records), 1, 0)
    with closing(History(tmp_path / "rescued.db")) as history:
        saved = {each.id: each for each in history.records(1000)}
    (cut,) = [query_id for query_id in records if saved[query_id] != records[query_id]]
    assert saved[cut].bill == records[cut].bill
    assert saved[cut].prompt == ""


def test_half_a_bill_is_not_passed_off_as_a_whole_one(path: Path, tmp_path: Path) -> None:
    records = filled(path)
    leaves = pages_of(path, "bills", "leaf")
    zero(path, leaves[len(leaves) // 2])
    found = rescue(path, tmp_path / "rescued.db")
    assert found.rows["queries"] == len(records)
    assert 0 < found.unbilled < 10
    with closing(History(tmp_path / "rescued.db")) as history:
        totals = [each.bill.total().joules for each in history.records(1000)]
        rows = {row.id: row.energy_j for row in history.browse.rows(limit=1000)}
    assert totals.count(None) == found.unbilled
    assert {total for total in totals if total is not None} == {57.64}
    assert set(rows.values()) == {57.64}


def test_an_inner_page_and_a_table_of_few_rows_may_be_lost_too(path: Path, tmp_path: Path) -> None:
    records = filled(path, 20)
    zero(path, pages_of(path, "settings", "leaf")[0])
    zero(path, pages_of(path, "messages", "leaf")[0])
    zero(path, pages_of(path, "sums", "leaf")[0])
    zero(path, pages_of(path, "texts_data", "internal")[0])
    found = rescue(path, tmp_path / "rescued.db")
    assert (found.rows["queries"], found.rows["messages"]) == (len(records), 0)
    with closing(History(tmp_path / "rescued.db")) as history:
        assert {each.id: each.bill for each in history.records(1000)} == {
            query_id: record.bill for query_id, record in records.items()
        }


def test_an_old_damaged_file_is_saved_and_brought_up_to_date(path: Path, tmp_path: Path) -> None:
    old_history(path)
    rescue(path, tmp_path / "rescued.db")
    with closing(History(tmp_path / "rescued.db")) as history:
        assert [row.id for row in history.browse.rows()] == ["q"]


def test_it_is_told_how_many_queries_there_were(path: Path, tmp_path: Path) -> None:
    records = filled(path, 12)
    indexes = ("queries_by_facet", "sqlite_autoindex_queries_1")
    pages = {name: pages_of(path, name, "leaf")[0] for name in (*indexes, "queries", "sums")}
    zero(path, pages["queries"])
    zero(path, pages["sums"])
    zero(path, pages[indexes[0]])
    found = rescue(path, tmp_path / "by_index.db")
    assert found.rows["queries"] < found.there_were == len(records)
    assert found.torn == ["queries"]
    zero(path, pages[indexes[1]])
    assert rescue(path, tmp_path / "by_nothing.db").there_were is None


def test_the_sums_tell_it_where_the_indexes_are_lost(path: Path, tmp_path: Path) -> None:
    records = filled(path, 5)
    names = ("queries_by_facet", "sqlite_autoindex_queries_1", "queries")
    for page in [pages_of(path, name, "leaf")[0] for name in names]:
        zero(path, page)
    assert rescue(path, tmp_path / "rescued.db").there_were == len(records)


def test_what_is_left_of_a_file_that_was_cut_off_is_saved(path: Path, tmp_path: Path) -> None:
    records = filled(path, 15)
    os.truncate(path, path.stat().st_size - 4 * PAGE)
    with pytest.raises(StoreError, match="malformed"):
        copy_database(path, tmp_path / "copy.db")
    found = rescue(path, tmp_path / "rescued.db")
    assert 0 < found.rows["queries"] <= len(records)
    with closing(History(tmp_path / "rescued.db")) as history:
        saved = history.records(1000)
    assert len(saved) == found.rows["queries"]
    assert all(record.prompt == records[record.id].prompt for record in saved)


def test_what_is_left_of_the_list_of_tables_is_enough(path: Path, tmp_path: Path) -> None:
    records = filled(path, 5)
    leaves = pages_of(path, "sqlite_schema", "leaf") or pages_of(path, "sqlite_master", "leaf")
    whole = path.read_bytes()
    (after,) = (
        n for n, leaf in enumerate(leaves) if b"CREATE TABLE recordings" in page_of(whole, leaf)
    )
    zero(path, leaves[after])
    found = rescue(path, tmp_path / "rescued.db")
    assert found.rows["queries"] == found.there_were == len(records)
    assert (found.unbilled, "recordings" in found.torn) == (0, True)
    with closing(History(tmp_path / "rescued.db")) as history:
        assert {each.id: each.bill for each in history.records(1000)} == {
            query_id: record.bill for query_id, record in records.items()
        }


def test_without_a_list_of_tables_a_rescue_does_not_advise_itself(
    path: Path, tmp_path: Path
) -> None:
    filled(path, 1)
    leaves = pages_of(path, "sqlite_schema", "leaf") or pages_of(path, "sqlite_master", "leaf")
    zero(path, leaves[0])
    with pytest.raises(StoreError, match="No table of a history") as caught:
        rescue(path, tmp_path / "rescued.db")
    assert "`llamawatt database backups`" in str(caught.value)
    assert "rescue`" not in str(caught.value)
    assert not (tmp_path / "rescued.db").exists()


def test_what_cannot_be_rescued_is_told(path: Path, tmp_path: Path) -> None:
    filled(path, 1)
    (tmp_path / "there.db").write_text("dear")
    with pytest.raises(StoreError, match="there already"):
        rescue(path, tmp_path / "there.db")
    zero(path, 1)
    with pytest.raises(StoreError, match=r"not a database.*llamawatt database restore"):
        rescue(path, tmp_path / "rescued.db")
    assert not (tmp_path / "rescued.db").exists()


# --- two windows -------------------------------------------------------------------------


def test_two_windows_see_what_either_stores(history: History, path: Path) -> None:
    with closing(History(path)) as second:
        one, two = stored_query(history, "In the first"), stored_query(second, "In the second")
        running = second.begin(query_start(prompt="Still running"))
        for window in (history, second):
            assert {row.id for row in window.browse.rows()} == {one.id, two.id, running.query_id}
            assert window.record(two.id) == two
        with closing(History(path)) as third:
            assert third.record(running.query_id).status is Status.RUNNING
