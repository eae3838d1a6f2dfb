"""The file survives whatever meets it: crashes, other programs, later versions, other files."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sqlite_utils import Database

from monitor.paths import database_path, models_folder
from monitor.store.database import Store, StoreError
from monitor.store.schema import SCHEMA_VERSION, migrations

TABLES = {
    "machines",
    "channels",
    "models",
    "settings",
    "conversations",
    "messages",
    "queries",
    "bills",
    "traces",
    "preferences",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as store:
        yield store


def outside(path: Path) -> "closing[sqlite3.Connection]":
    """Open the file as any other program would."""
    return closing(sqlite3.connect(path))


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as refused:
        Store(path)
    return str(refused.value)


def add_conversation(name: str) -> Callable[[Database], None]:
    def change(db: Database) -> None:
        db.table("conversations").insert({"id": name, "title": name})

    return change


# --- the file ----------------------------------------------------------------------------


def test_a_new_file_has_every_table_and_any_program_can_read_it(store: Store) -> None:
    with outside(store.path) as connection:
        names = {name for (name,) in connection.execute("select name from sqlite_master")}
        assert names >= TABLES
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def test_the_file_says_how_many_migrations_made_it(store: Store) -> None:
    applied = migrations.applied(store.read())
    assert len(applied) == SCHEMA_VERSION
    assert migrations.pending(store.read()) == []
    assert store.read().execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)


def test_opening_again_changes_nothing(path: Path) -> None:
    def contents() -> list[str]:
        with outside(path) as connection:
            return list(connection.iterdump())

    with closing(Store(path)) as store:
        store.write(add_conversation("kept")).result()
    before = contents()
    Store(path).close()
    assert contents() == before
    assert any("kept" in statement for statement in before)


@pytest.mark.parametrize("done", range(SCHEMA_VERSION))
def test_a_file_of_an_earlier_version_is_brought_up_to_date(path: Path, done: int) -> None:
    with outside(path) as connection:
        stop = [migration.name for migration in migrations.pending(Database(memory=True))][done]
        migrations.apply(Database(connection), stop_before=stop)
        connection.execute(f"pragma user_version = {done}")
        connection.commit()
    with closing(Store(path)) as store:
        assert set(store.read().table_names()) >= TABLES
        assert store.read().execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_file_of_a_later_version_is_refused_and_left_as_it_was(path: Path) -> None:
    with outside(path) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
        connection.execute("create table of_the_future (id)")
        connection.commit()
    before = path.read_bytes()
    message = refusal(path)
    assert "later version of LlamaWatt" in message
    assert "Update LlamaWatt" in message
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"This is a letter, not a database. " * 50, b"\x7fELF" + bytes(5000)]
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    message = refusal(path)
    assert str(path) in message
    assert "llamawatt database restore" in message
    assert "move it away to start a new one" in message
    assert path.read_bytes() == content


@pytest.mark.parametrize("where", [".", "no/such/folder/history.db"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, where: str) -> None:
    assert "LLAMAWATT_HOME" in refusal(tmp_path / where)


def test_an_empty_file_becomes_a_history(path: Path) -> None:
    path.touch()
    with closing(Store(path)) as store:
        assert set(store.read().table_names()) >= TABLES


# --- writing and reading -----------------------------------------------------------------


def test_a_reference_to_nothing_is_refused(store: Store) -> None:
    def message_of_no_conversation(db: Database) -> None:
        db.table("messages").insert({"id": "m", "conversation_id": "none", "role": "user"})

    with pytest.raises(sqlite3.IntegrityError):
        store.write(message_of_no_conversation).result()
    with pytest.raises(sqlite3.IntegrityError):
        store.read().execute("insert into messages (id, conversation_id) values ('m', 'none')")
    store.read().rollback()


def test_a_change_that_fails_halfway_leaves_nothing_behind(store: Store) -> None:
    def half(db: Database) -> None:
        table = db.table("conversations")
        table.insert({"id": "a", "title": "a"})
        table.insert_all({"id": f"b{n}"} for n in range(3))
        table.upsert({"id": "a", "title": "changed"}, pk="id")
        table.update("b1", {"title": "changed"})
        table.delete_where("id = ?", ["b2"])
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        store.write(half).result()
    assert store.read().table("conversations").count == 0
    store.write(add_conversation("after")).result()
    assert store.read().table("conversations").count == 1


def test_changes_are_made_in_the_order_they_were_asked_for(store: Store) -> None:
    changes = [store.write(add_conversation(f"{n:03}")) for n in range(50)]
    for change in changes:
        change.result()
    rows = store.read().query("select id from conversations order by rowid")
    assert [row["id"] for row in rows] == [f"{n:03}" for n in range(50)]


def test_what_is_written_is_on_disk_after_closing(path: Path) -> None:
    store = Store(path)
    for n in range(20):
        store.write(add_conversation(str(n)))
    store.close()
    with outside(path) as connection:
        assert connection.execute("select count(*) from conversations").fetchone() == (20,)


def test_a_power_cut_costs_no_committed_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = 2

    def level(db: Database) -> int:
        return int(db.execute("pragma synchronous").fetchone()[0])

    # All other tests do not wait for the disk: see tests/conftest.py.
    monkeypatch.setattr("monitor.store.database.Database", Database)
    with closing(Store(path)) as store:
        assert store.write(level).result() == full


def test_reading_sees_what_another_thread_wrote_and_never_waits_for_it(store: Store) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(db: Database) -> None:
        add_conversation("slow")(db)
        inside.set()
        leave.wait(10)

    change = store.write(slow)
    try:
        assert inside.wait(10)
        assert store.read().table("conversations").count == 0
    finally:
        leave.set()
    change.result()
    assert store.read().table("conversations").count == 1


def test_threads_that_have_ended_keep_no_file_open(store: Store) -> None:
    """The window reads on a thread of each query's own; there may be thousands in a day."""

    def read() -> None:
        assert store.read().table("conversations").count == 0

    for _ in range(40):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    opened = [file for file in psutil.Process().open_files() if Path(file.path) == store.path]
    assert len(opened) <= 5


# --- window and command at once ----------------------------------------------------------


def together(jobs: list[Callable[[], None]]) -> list[BaseException]:
    """Run jobs at the same moment, each in a thread, and return what went wrong."""
    barrier, errors = threading.Barrier(len(jobs)), list[BaseException]()

    def run(job: Callable[[], None]) -> None:
        barrier.wait(10)
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_two_that_make_the_same_new_file_at_once_both_get_it(tmp_path: Path) -> None:
    for attempt in range(12):
        path = tmp_path / f"{attempt}.db"
        assert together([lambda p=path: Store(p).close()] * 3) == []
        with outside(path) as connection:
            assert connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)


def test_two_that_write_to_one_file_wait_for_each_other(path: Path) -> None:
    with closing(Store(path)) as window, closing(Store(path)) as command:

        def count_up(db: Database) -> None:
            # Reads before it writes: a plain transaction would fail when the other has written.
            rows = db.query("select coalesce(max(cast(id as int)), -1) + 1 as next from settings")
            db.table("settings").insert({"id": str(next(iter(rows))["next"])})

        def write(store: Store) -> Callable[[], None]:
            def job() -> None:
                for _ in range(60):
                    store.write(count_up).result()

            return job

        assert together([write(window), write(command)]) == []
        ids = {int(row["id"]) for row in window.read().query("select id from settings")}
        assert ids == set(range(120))


# --- where it lies -----------------------------------------------------------------------


def test_everything_lies_in_the_folder_llamawatt_home_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "a/b"))
    assert database_path() == tmp_path / "a/b/history.db"
    assert models_folder() == tmp_path / "a/b/models"
    assert (tmp_path / "a/b").is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLAMAWATT_HOME", "~/c")
    assert database_path() == tmp_path / "c/history.db"


def test_without_llamawatt_home_everything_lies_in_the_users_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in database_path().parents
    assert "llamawatt" in database_path().parts
