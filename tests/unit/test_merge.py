"""Another machine's history is taken in once, whole or not at all, and machines stay apart."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from monitor.energy.account import WATCH, Bill
from monitor.meter import chosen_zone
from monitor.power.curve import Curve
from monitor.recorded import Mark
from monitor.store import history as history_module
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.database import StoreError
from monitor.store.errors import StoreStopped
from monitor.store.filters import Filter
from monitor.store.history import Began, History
from monitor.store.kept_sums import create_triggers, drop_triggers, sum_up
from monitor.store.marks import TextMarks, encode_marks
from monitor.store.merge import merge
from monitor.store.recordings import Progress, Recordings
from monitor.store.records import Status
from monitor.store.rescue import rescue
from monitor.store.schema import SCHEMA_VERSION
from monitor.store.sums import FACET
from monitor.store.verdicts import Ending, SuiteVerdict
from tests.unit.builders import BILL, CPU, REPOSITORY, outcome, query_start, said, stored_query
from tests.unit.test_bench_store import item, run_start
from tests.unit.test_copies import old_history

Open = Callable[[str], History]


@pytest.fixture
def on_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open the history of a machine of some name."""
    opened: list[History] = []

    def open_history(name: str) -> History:
        row = {"id": name, "name": name.title(), "system": "Linux", "processor": "one of a kind",
               "threads": 2, "memory_bytes": 8}  # fmt: skip
        monkeypatch.setattr(history_module, "this_machine", lambda: row)
        (tmp_path / name).mkdir(exist_ok=True)
        opened.append(History(tmp_path / name / "history.db"))
        return opened[-1]

    yield open_history
    for history in opened:
        history.close()


def say(history: History, prompt: str, after: Began | None = None, **changes: Any) -> Began:
    """Ask and answer a question of a chat, after another's answer."""
    start = query_start(
        kind="chat",
        prompt=prompt,
        conversation_id=after and after.conversation_id,
        parent_id=after and after.answer_id,
    )
    began = history.begin(start)
    trace = encode_trace(StoredTrace({}, ()), 0.0)
    history.finish(began.query_id, outcome(trace=trace, **changes))
    return began


def contents(history: History) -> list[str]:
    """Return everything a database holds, but for numbers."""
    with closing(sqlite3.connect(history._store.path)) as connection:
        return list(connection.iterdump())


def kept_sums(db: Database) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return every row of the sums by what it is of."""
    found = {}
    for table in ("sums", "domain_sums"):
        sql = f"select f.*, s.* from {table} s join facets f on f.id = s.facet_id"
        for row in db.query(sql):
            of = (
                table,
                *(row.pop(name) for name in (*FACET, "period", "first_day")),
                row.get("domain"),
            )
            found[of] = {name: row[name] for name in row if name not in ("id", "facet_id")}
    return found


def check_sums(history: History) -> None:
    """See that the sums are what they would be if they were made anew."""

    class Undone(Exception):
        pass

    def compare(db: Database) -> None:
        kept = kept_sums(db)
        drop_triggers(db)
        sum_up(db)
        anew = kept_sums(db)
        assert len(anew) > 10
        assert kept.keys() == anew.keys()
        for of, row in anew.items():
            assert kept[of] == pytest.approx(row), of
        raise Undone

    with pytest.raises(Undone):
        history._store.write(compare).result()


def test_queries_of_two_machines_lie_side_by_side(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    own = stored_query(desk, "At the desk")
    other = stored_query(laptop, "On the laptop", trace=encode_trace(StoredTrace({}, ()), 0.0))
    fractions: list[float] = []
    found = merge(desk._store, laptop._store.path, fractions.append)
    assert (found.queries, found.machines, found.models, found.known) == (1, 1, 0, 0)
    assert fractions[-1] == 1.0
    assert desk.record(other.id) == other
    assert desk.record(own.id) == own
    assert desk.trace(other.id) == StoredTrace({}, ())
    assert desk.browse.choices().machines == {"desk": "Desk", "laptop": "Laptop"}
    assert list(desk.browse.ids(Filter(machines=("laptop",)))) == [other.id]
    assert list(desk.browse.ids(Filter(text="laptop"))) == [other.id]
    check_sums(desk)


def test_a_second_merge_adds_nothing_and_a_later_one_what_is_new(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    stored_query(laptop, "One", bill=replace(outcome().bill))
    chat = laptop.begin(query_start(kind="chat", prompt="Hello"))
    running = merge(desk._store, laptop._store.path)
    assert (running.queries, running.running) == (1, 1)
    assert running.messages == 0
    laptop.finish(chat.query_id, outcome())
    assert merge(desk._store, laptop._store.path).queries == 1
    assert chat.conversation_id
    assert [each.query_id for each in said(desk, chat.conversation_id)] == [chat.query_id] * 2
    before = contents(desk)
    again = merge(desk._store, laptop._store.path)
    assert (again.queries, again.known, again.messages) == (0, 2, 0)
    assert contents(desk) == before


def test_a_conversation_gone_on_with_on_both_machines_has_branches(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    first = say(laptop, "One?", marks=encode_marks(TextMarks(np.array([0.5]), np.array([3]))))
    assert first.conversation_id
    laptop.store.write(
        lambda db: db.table("predictions").insert(
            {"query_id": first.query_id, "energy_j": 5.0, "low_j": 4.0, "high_j": 6.0, "basis": 9}
        )
    ).result()
    merge(desk.store, laptop.store.path)
    at_desk, on_laptop = say(desk, "At the desk?", first), say(laptop, "On the laptop?", first)
    talks = laptop.talks
    talks.pin(first.conversation_id, True)
    talks.rename(first.conversation_id, "Both")
    talks.set_system(first.conversation_id, "Be brief.")
    found = merge(desk.store, laptop.store.path)
    assert (found.queries, found.messages, found.conversations) == (1, 2, 0)
    talk = desk.talks.talk(first.conversation_id)
    assert (talk.title, talk.pinned, talk.system) == ("Both", True, "Be brief.")
    assert [turn.question for turn in talk.turns] == ["One?", "On the laptop?"]
    assert [each.message_id for each in talk.turns[1].questions] == [
        at_desk.question_id, on_laptop.question_id,
    ]  # fmt: skip
    marks = desk.marks(first.query_id)
    assert marks
    assert marks.characters.tolist() == [3]
    assert desk.store.read().execute("select energy_j, basis from predictions").fetchall() == [
        (5.0, 9)
    ]
    before = contents(desk)
    merge(desk.store, laptop.store.path)
    assert contents(desk) == before


def test_what_follows_a_question_that_is_still_answered_comes_with_it(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    running = laptop.begin(query_start(kind="chat", prompt="One?"))
    again = query_start(
        kind="chat", prompt="One?", conversation_id=running.conversation_id,
        question_id=running.question_id,
    )  # fmt: skip
    done = laptop.begin(again)
    laptop.finish(done.query_id, outcome(text="Sooner."))
    assert merge(desk.store, laptop.store.path).messages == 2
    talks = desk.talks
    assert running.conversation_id
    (turn,) = talks.talk(running.conversation_id).turns
    assert (turn.question, turn.answer, len(turn.answers)) == ("One?", "Sooner.", 1)
    laptop.finish(running.query_id, outcome(text="Later."))
    assert merge(desk.store, laptop.store.path).messages == 1
    (turn,) = talks.talk(running.conversation_id, running.answer_id).turns
    assert (turn.answer, len(turn.answers)) == ("Later.", 2)
    assert turn.record == desk.record(running.query_id)
    assert talks.path(running.question_id)[0].query_id == running.query_id


def test_what_was_deleted_on_one_machine_is_back_if_the_other_went_on_with_it(
    on_machine: Open,
) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    first, other = say(laptop, "One?"), say(laptop, "Secret?")
    assert first.conversation_id
    assert other.conversation_id
    merge(desk.store, laptop.store.path)
    talks = desk.talks
    talks.delete([first.conversation_id, other.conversation_id])
    merge(desk.store, laptop.store.path)
    assert talks.listed() == []
    say(laptop, "Two?", first)
    merge(desk.store, laptop.store.path)
    assert [each.title for each in talks.listed()] == ["One?"]
    third = on_machine("third")
    merge(third.store, desk.store.path)
    there = third.talks
    assert [each.title for each in there.listed()] == ["One?"]
    assert [each.title for each in there.listed(deleted=True)] == ["Secret?"]


def test_numbers_that_are_taken_move_on_with_bills_and_tags(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    records = [stored_query(laptop, f"Question {n}") for n in range(3)]
    rows = laptop.browse.rows()
    number = rows[-1].number

    def renumber(db: Any) -> None:
        """Give the laptop's queries three numbers in a row."""
        db.execute("pragma defer_foreign_keys = on")
        for at, record in enumerate(records):
            (old,) = db.execute(
                "select started_ms from queries where id = ?", [record.id]
            ).fetchone()
            for table in ("bills", "queries"):
                db.execute(
                    f"update {table} set started_ms = ? where started_ms = ?",
                    [-number - at, old],
                )
        for table in ("bills", "queries"):
            db.execute(f"update {table} set started_ms = -started_ms")

    laptop._store.write(renumber).result()
    laptop._store.write(
        lambda db: db.table("tags").insert({"tag": "second", "started_ms": number + 1})
    ).result()
    merge(desk._store, laptop._store.path)
    third = on_machine("third")
    copied = stored_query(third, "Mine")
    third._store.write(
        lambda db: [
            db.execute("pragma defer_foreign_keys = on"),
            db.execute("update bills set started_ms = ?", [number + 1]),
            db.execute("update queries set started_ms = ?", [number + 1]),
        ]
    ).result()
    merge(third._store, laptop._store.path)
    found = {row.id: row for row in third.browse.rows()}
    assert [found[record.id].number for record in records] == [number, number + 2, number + 3]
    assert found[copied.id].number == number + 1
    assert found[records[1].id].tags == ("second",)
    for record in records:
        # It is told as having begun at its new number, milliseconds later.
        moved = third.record(record.id)
        assert replace(moved, started_at=record.started_at) == record
    check_sums(third)


def test_benchmarks_come_with_their_items(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    suite = laptop.benchmarks.begin_suite("quick", "Quick", {"suite": {}}, {})
    began = laptop.begin(query_start(kind="bench"))
    row = laptop.benchmarks.begin_run(began.query_id, run_start(suite))
    items = [item(0, 1.0), item(1, 0.0)]
    laptop.benchmarks.progress(row.id, items, row.sums.plus(items), outcome())
    assert merge(desk._store, laptop._store.path).benchmarks == 0, "it is still running"
    laptop.benchmarks.finish_suite(suite, outcome().status, "", None)
    assert merge(desk._store, laptop._store.path).benchmarks == 1
    assert desk.benchmarks.runs(suite) == laptop.benchmarks.runs(suite)
    assert desk.benchmarks.items(row.id) == items
    check_sums(desk)


def test_recordings_come_with_bill_and_curve_once_they_have_ended(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    stored_query(desk)  # so that the machines' channels have other numbers here
    kept = Recordings(laptop.store, "laptop")
    began = kept.begin("Rendering", "2026-11-26T10:00:00.000+00:00", chosen_zone(laptop), 1.2)
    curve = Curve(np.array([0.0, 1.0]), np.array([0.0, 9.0]), np.array([9.0, 9.0]), np.zeros(2))
    curve = replace(curve, gap=curve.gap.astype(np.uint8))
    pieces = {0: encode_trace(StoredTrace({CPU.key: curve}, ()), 0.0)}
    bill = Bill(tuple(replace(each, phase=WATCH) for each in BILL.lines if each.phase == "decode"))
    marks = (Mark(0.5, "begins"),)
    kept.write(began.id, Progress(1.0, bill, marks, pieces))
    assert merge(desk.store, laptop.store.path).recordings == 0, "it is still going on"
    kept.write(began.id, Progress(1.0, bill, marks, pieces, None, "2026-11-26T10:00:01.000+00:00"))
    assert merge(desk.store, laptop.store.path).recordings == 1
    assert merge(desk.store, laptop.store.path).recordings == 0, "nothing twice"
    theirs, ours = kept.load(began.id), Recordings(desk.store).load(began.id)
    assert ours.recording == theirs.recording
    assert ours.recording.bill == bill
    np.testing.assert_array_equal(ours.curves[CPU.key].energy_j, [0.0, 9.0])


def test_a_file_of_an_earlier_version_is_brought_up_to_date_in_a_copy(
    on_machine: Open, tmp_path: Path
) -> None:
    desk, old = on_machine("desk"), tmp_path / "old.db"
    old_history(old)
    before = old.read_bytes()
    assert merge(desk._store, old).queries == 1
    assert old.read_bytes() == before
    assert list(desk.browse.ids(Filter(text="Old"))) == ["q"]


def test_what_cannot_be_merged_is_refused_in_a_sentence(on_machine: Open, tmp_path: Path) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    path = laptop._store.path
    stored_query(laptop)
    laptop.close()
    with pytest.raises(StoreError, match="itself"):
        merge(desk._store, desk._store.path)
    with pytest.raises(StoreError, match="There is no file"):
        merge(desk._store, tmp_path / "nowhere.db")
    letter = tmp_path / "letter.db"
    letter.write_text("a letter")
    with pytest.raises(StoreError, match=r"letter\.db is no history"):
        merge(desk._store, letter)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("create table recipes (id)")
    with pytest.raises(StoreError, match="no history"):
        merge(desk._store, tmp_path / "other.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="later version"):
        merge(desk._store, path)
    assert desk.records() == []


def test_a_query_whose_day_is_damaged_over_there_is_summed_on_the_day_it_began(
    on_machine: Open,
) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    stored_query(laptop)

    def lose_day(db: Database) -> None:
        drop_triggers(db)
        db.execute("update queries set day = '2026-x1-24'")
        create_triggers(db)

    laptop._store.write(lose_day).result()
    assert merge(desk._store, laptop._store.path).queries == 1
    assert desk.browse.totals().bars[0].totals.queries == 1
    check_sums(desk)


def test_a_merge_that_is_stopped_or_meets_damage_changes_nothing(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    stored_query(desk)
    for n in range(5):
        stored_query(laptop, f"Question {n} " + "with many words " * 500)
    before = contents(desk)
    with pytest.raises(StoreStopped):
        merge(desk._store, laptop._store.path, cancelled=lambda: True)
    path = laptop._store.path
    page = laptop._store.read().execute("pragma page_count").fetchone()[0] // 2
    laptop.close()
    with path.open("rb+") as file:
        for number in range(page, page + 12):
            file.seek(number * 4096)
            file.write(bytes(4096))
    # The command without a file would save one's own history, to which nothing happened.
    mend = f"malformed.*`llamawatt database rescue --from {path}`"
    with pytest.raises(StoreError, match=mend):
        merge(desk._store, path)
    assert contents(desk) == before
    rescue(path, saved := path.with_name("saved.db"))
    assert merge(desk._store, saved).queries > 0


@pytest.mark.parametrize("is_older", [False, True])
def test_damage_over_there_is_told_with_what_saves_that_file(
    on_machine: Open, tmp_path: Path, is_older: bool
) -> None:
    desk, path = on_machine("desk"), tmp_path / "other.db"
    if is_older:
        old_history(path)
    else:
        with closing(History(path)) as history:
            stored_query(history)
    with closing(sqlite3.connect(path)) as connection:
        sql = "select pageno from dbstat where name = 'queries'"
        (page,) = connection.execute(sql).fetchone()
    with path.open("rb+") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    with pytest.raises(StoreError, match=f"`llamawatt database rescue --from {path}`"):
        merge(desk._store, path)
    assert desk.records() == []


def test_a_merge_that_is_killed_changes_nothing(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    for n in range(3):
        stored_query(laptop, f"Question {n}")
    stored_query(desk)
    before, path = contents(desk), desk._store.path
    desk.close()
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from monitor.store.database import Store\n"
        "from monitor.store.merge import merge\n"
        "merge(Store(Path(sys.argv[1])), Path(sys.argv[2]),\n"
        "      lambda fraction: os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, laptop._store.path],
        cwd=REPOSITORY, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == -9
    assert contents(on_machine("desk")) == before


def test_a_benchmark_that_was_gone_on_with_is_brought_up_to_date(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    benchmarks = laptop.benchmarks
    suite = benchmarks.begin_suite("quick", "Quick", {"suite": {}}, {})
    began = laptop.begin(query_start(kind="bench"))
    row = benchmarks.begin_run(began.query_id, run_start(suite))
    items = [item(0, 1.0), item(1, 0.0), item(2, 1.0), item(3, 0.0)]
    sums = row.sums.plus(items[:2])
    half = replace(BILL, lines=BILL.lines[:2])
    benchmarks.progress(row.id, items[:2], sums, outcome(status=Status.STOPPED, bill=half))
    benchmarks.finish_suite(suite, Status.STOPPED, "", None)
    merge(desk.store, laptop.store.path)
    (listed,) = desk.browse.rows()
    desk.edits.note(listed.number, "mine")
    desk.edits.tag([listed.number], "kept")
    benchmarks.go_on(suite)
    benchmarks.progress(row.id, items[2:], sums.plus(items[2:]), outcome())
    benchmarks.finish_suite(suite, Status.DONE, "", SuiteVerdict((), Ending.BUDGET))
    found = merge(desk.store, laptop.store.path)
    assert (found.queries, found.gone_on, found.known, found.benchmarks) == (0, 1, 0, 0)
    assert desk.benchmarks.suite(suite) == benchmarks.suite(suite)
    assert desk.benchmarks.runs(suite) == benchmarks.runs(suite)
    assert desk.benchmarks.items(row.id) == items
    (listed,) = desk.browse.rows()
    assert (listed.note, listed.tags) == ("mine", ("kept",))
    assert desk.record(row.id).bill == laptop.record(row.id).bill
    check_sums(desk)
    before = contents(desk)
    assert merge(desk.store, laptop.store.path).gone_on == 0
    assert contents(desk) == before
    assert merge(laptop.store, desk.store.path).gone_on == 0


def test_an_answer_that_was_cut_off_when_it_was_merged_gets_its_end(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    began = laptop.begin(query_start(kind="chat", prompt="One?"))
    assert began.conversation_id
    laptop.finish(began.query_id, outcome(status=Status.INTERRUPTED, text="Half"))
    merge(desk.store, laptop.store.path)
    assert [each.content for each in said(desk, began.conversation_id)] == ["One?", "Half"]
    laptop.finish(began.query_id, outcome(text="Half and the rest."))
    assert merge(desk.store, laptop.store.path).gone_on == 1
    assert desk.record(began.query_id) == laptop.record(began.query_id)
    assert said(desk, began.conversation_id) == said(laptop, began.conversation_id)
    assert list(desk.browse.ids(Filter(text="rest"))) == [began.query_id]
    check_sums(desk)


def test_what_was_deleted_here_stays_deleted_though_it_went_on_there(on_machine: Open) -> None:
    desk, laptop = on_machine("desk"), on_machine("laptop")
    began = laptop.begin(query_start())
    laptop.finish(began.query_id, outcome(status=Status.INTERRUPTED))
    merge(desk.store, laptop.store.path)
    desk.edits.delete([row.number for row in desk.browse.rows()])
    laptop.finish(began.query_id, outcome())
    assert merge(desk.store, laptop.store.path).gone_on == 0
    assert list(desk.browse.ids(Filter())) == []
