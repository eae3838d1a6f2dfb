"""What else computed while a query ran: told beside its bill, and of how many by sums."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from sqlite_utils import Database

from monitor.energy.account import Bill
from monitor.energy.beside import FEWEST_READINGS, MATTERS, model_joules, others_share
from monitor.energy.parts import LEAST_READ
from monitor.exchange.capsule import capsule_of
from monitor.exchange.capsule_reading import QueryCapsule, read_capsule
from monitor.exchange.intake import take_in
from monitor.exchange.reading import numbers_of
from monitor.exchange.tables import write_csv, write_jsonl
from monitor.forms import record_json
from monitor.paths import database_path
from monitor.power.channel import Domain, Kind, Role
from monitor.power.gauge import Gauge, GaugeLine, GaugeSummary, Quantity
from monitor.store import coverage, overlaps
from monitor.store.charts import Period, Stack
from monitor.store.endings import Ending, _write
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.identifiers import new_id, utc_now
from monitor.store.lacking import PARTLY_READ, UNREAD
from monitor.store.machine import this_machine
from monitor.store.overlaps import GOES_ON_S
from monitor.store.records import QueryRecord, Seconds, Status
from monitor.store.schema import migrations
from monitor.store.sums import LINES, SUMS
from monitor.terminal.history_rows import rows_table
from monitor.terminal.record_view import record_view
from monitor.totals_report import lacking_notes
from tests.unit.builders import CPU, GPU, channel, line, outcome, query_start, stored_query
from tests.unit.test_coverage_store import assert_sums_are_true, of_schema

ENGINE = channel("own:engine", kind=Kind.MODELLED, role=Role.INSIDE, label="Engine (llama.cpp)")
T0 = 1_800_000_000.0


def load(device: str, percent: float, samples: int = 20) -> GaugeLine:
    domain = Domain.CPU if device.startswith("package") else Domain.SYSTEM
    gauge = Gauge(f"x:{device}:utilisation", f"{device} use", Quantity.UTILISATION, domain, device)
    return GaugeLine(gauge, GaugeSummary(percent, 0.0, 100.0, samples, ()))


def busy(others: float) -> tuple[GaugeLine, ...]:
    """What gauges tell where others use so many percent, the engine 25 and the window 2."""
    return load("package-0", 27.0 + others), load("engine", 25.0), load("own", 2.0)


BUSY_BILL = Bill((line(CPU, "prefill", 2.0), line(CPU, "decode", 60.0), line(ENGINE, joules=23.0)))


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


# --- other programs ------------------------------------------------------------------------


def test_the_share_of_others_is_what_neither_the_engine_nor_the_program_used() -> None:
    assert others_share(busy(70.0)) == pytest.approx(0.70)
    two = (load("package-0", 100.0), load("package-1", 40.0), load("engine", 30.0))
    assert others_share(two) == pytest.approx(0.40)
    assert others_share((load("package-0", 20.0), load("engine", 25.0))) == 0.0


@pytest.mark.parametrize(
    "told",
    [
        (),
        (load("package-0", 90.0), load("own", 2.0)),
        (load("engine", 25.0), load("own", 2.0)),
        (load("package-0", 90.0, samples=2), load("engine", 25.0)),
    ],
)
def test_a_share_that_is_not_told_or_too_seldom_is_not_known(told: tuple[GaugeLine, ...]) -> None:
    assert others_share(told) is None


def test_what_the_model_drew_is_told_only_where_the_processor_is_all_that_is_billed() -> None:
    assert model_joules(BUSY_BILL) == pytest.approx(23.0)
    with_card = replace(BUSY_BILL, lines=(*BUSY_BILL.lines, line(GPU, joules=40.0)))
    assert model_joules(with_card) is None
    more_than_all = Bill((line(CPU, joules=20.0), line(ENGINE, joules=23.0)))
    assert model_joules(more_than_all) is None
    assert model_joules(Bill((line(CPU, joules=20.0),))) is None


def told(record: QueryRecord) -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(record_view(record))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_bill_beside_other_programs_says_so_and_stays_what_it_was(history: History) -> None:
    record = stored_query(history, gauges=busy(70.0), bill=BUSY_BILL)
    (sentence,) = record.beside.words()
    assert sentence == (
        "Other programs used 70 % of the processor meanwhile; about ○ 23.0 J of this are the "
        "model's own."
    )
    assert sentence in told(record)
    document = record_json(record)
    assert document["beside"]["others_share"] == pytest.approx(0.7)
    assert document["beside"]["model_j"] == pytest.approx(23.0)
    assert document["beside"]["is_told"]
    assert document["energy"]["total_j"] == pytest.approx(62.0)
    (row,) = history.browse.rows()
    assert row.beside
    console = Console(file=io.StringIO(), width=200)
    console.print(rows_table([row], 200))
    assert isinstance(console.file, io.StringIO)
    assert "[busy] What is a watt?" in console.file.getvalue()


def test_little_that_others_use_is_not_told_of(history: History) -> None:
    record = stored_query(history, gauges=busy(100 * MATTERS - 1), bill=BUSY_BILL)
    assert not record.beside
    assert record.beside.words() == []
    assert "meanwhile" not in told(record)
    (row,) = history.browse.rows()
    assert not row.beside


def test_sums_say_how_many_ran_beside_others(history: History) -> None:
    stored_query(history, gauges=busy(70.0))
    stored_query(history, gauges=busy(1.0))
    stored_query(history)
    for chosen in (EVERYTHING, Filter(text="watt")):
        (bar,) = history.browse.totals(chosen).bars
        assert (bar.totals.beside, bar.totals.shared) == (1, 0)
        assert lacking_notes(bar.totals) == [
            "Other programs computed beside 1 of 3 queries: a part of this energy is theirs."
        ]
    assert_sums_are_true(history)


def test_files_of_before_learn_from_their_gauges_who_computed_beside(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    of_schema(11, path)
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        first, second, third, *_ = [
            number for (number,) in db.execute("select started_ms from queries order by 1")
        ]
        for number, lines in ((first, busy(70.0)), (second, busy(70.0)[:1]), (third, busy(3.0))):
            for each in lines:
                gauge, summary = each.gauge, each.summary
                columns = {"machine_id": "desk", "key": gauge.key, "label": gauge.label}
                columns |= {"quantity": str(gauge.quantity), "domain": str(gauge.domain)}
                gauge_id = db.table("gauges").insert({**columns, "device": gauge.device}).last_pk
                told = {"started_ms": number, "gauge_id": gauge_id, "mean": summary.mean}
                told |= {"low": 0.0, "high": 100.0, "samples": summary.samples, "notes": ""}
                db.table("query_gauges").insert(told)
        connection.commit()
        migrations.apply(db)
        found = dict(db.execute("select started_ms, others from queries").fetchall())
        assert found[first] == pytest.approx(0.70)
        assert found[second] is None
        assert found[third] == pytest.approx(0.03)
    with closing(History(path)) as history:
        (bar,) = history.browse.totals().bars
        assert bar.totals.beside == 1
        assert_sums_are_true(history)


# --- another LlamaWatt ---------------------------------------------------------------------


class Others:
    """Lets queries be stored as by several processes, all of them alive but those that died."""

    def __init__(self, history: History, patch: pytest.MonkeyPatch) -> None:
        self._history, self._patch = history, patch
        self.dead: set[int] = set()
        patch.setattr(overlaps, "is_alive", lambda process_id, started: process_id not in self.dead)

    def begin(self, kind: str = "ask") -> str:
        return self._history.begin(query_start(kind=kind)).query_id

    def store(
        self, query_id: str, process: int, start_s: float, end_s: float, is_over: bool = True
    ) -> QueryRecord:
        """Store a query of 10 W that was billed between two times."""
        self._patch.setattr(overlaps, "os", SimpleNamespace(getpid=lambda: process))
        self._of_process(query_id, process)
        seconds = end_s - start_s
        told = outcome(
            status=Status.DONE if is_over else Status.RUNNING,
            bill=Bill((line(CPU, "decode", 10.0 * seconds),)),
            seconds=Seconds(prefill=0.0, decode=seconds, total=seconds),
            span=(T0 + start_s, T0 + end_s),
        )
        if is_over:
            return self._history.finish(query_id, told)
        self._history.progress(query_id, told).result()
        self._of_process(query_id, process)
        return self._history.record(query_id)

    def _of_process(self, query_id: str, process: int) -> None:
        sql = "update queries set process_id = ? where id = ?"
        self._history.store.write(lambda db: db.execute(sql, [process, query_id])).result()


@pytest.fixture
def others(history: History, monkeypatch: pytest.MonkeyPatch) -> Others:
    return Others(history, monkeypatch)


def energy_of(history: History) -> float:
    (bar,) = history.browse.totals().bars
    assert bar.totals.energy_j is not None
    return bar.totals.energy_j


def test_two_at_the_same_time_are_both_told_and_nothing_is_taken_off(
    history: History, others: Others
) -> None:
    first, second = others.begin(), others.begin()
    others.store(first, 1, 0.0, 10.0, is_over=False)
    later = others.store(second, 2, 4.0, 14.0)
    earlier = others.store(first, 1, 0.0, 30.0)
    assert later.shared == pytest.approx((10.0 + GOES_ON_S - 4.0) / 10.0), "as far as it had told"
    assert earlier.shared == pytest.approx(10 / 30)
    assert [each.bill.total().joules for each in (earlier, later)] == [300.0, 100.0]
    assert earlier.beside.words() == [
        "Another LlamaWatt was computing for 33 % of the time: the joules of that time are in the "
        "bills of both."
    ]
    stored_query(history, bill=Bill((line(CPU, "decode", 5.0),)), seconds=Seconds(total=1.0))
    for chosen in (EVERYTHING, Filter(text="watt")):
        (bar,) = history.browse.totals(chosen).bars
        assert (bar.totals.queries, bar.totals.shared) == (3, 2)
        assert bar.totals.energy_j == pytest.approx(405.0)
        assert bar.totals.total_s == pytest.approx(41.0)
        assert lacking_notes(bar.totals) == [
            "2 of 3 queries were billed while another LlamaWatt computed: those joules are in the "
            "bills of both."
        ]
        (part,) = history.browse.chart(chosen, Period.MONTH, Stack.COMPONENT).bars
        assert part.totals.energy_j == pytest.approx(405.0)
    assert history.spent_since(datetime(2020, 1, 1, tzinfo=UTC)).energy_j == pytest.approx(405.0)
    assert_sums_are_true(history)
    history.edits.delete([row.number for row in history.browse.rows() if row.id == first])
    assert energy_of(history) == pytest.approx(105.0)
    assert_sums_are_true(history)


def test_three_that_overlap_in_part_each_say_for_how_long(history: History, others: Others) -> None:
    ids = [others.begin() for _ in range(3)]
    spans = ((0.0, 10.0), (5.0, 15.0), (8.0, 20.0))
    for query_id, process, span in zip(ids, (1, 2, 3), spans, strict=True):
        others.store(query_id, process, *span)
    assert energy_of(history) == pytest.approx(320.0)
    assert [history.record(each).shared for each in ids[1:]] == pytest.approx([0.5, 7 / 12])


def test_one_process_does_one_thing_after_another(history: History, others: Others) -> None:
    first, second = others.begin(), others.begin()
    others.store(first, 1, 0.0, 10.0)
    record = others.store(second, 1, 9.0, 19.0)  # a clock that was set
    assert record.shared is None
    assert not record.beside


def test_one_after_the_other_shares_nothing(others: Others) -> None:
    first, second = others.begin(), others.begin()
    assert others.store(first, 1, 0.0, 10.0).shared is None
    assert others.store(second, 2, 10.1, 20.0).shared is None


def test_what_died_while_it_computed_was_there_as_long_as_it_told(others: Others) -> None:
    first, second = others.begin(), others.begin()
    others.store(first, 1, 0.0, 4.0, is_over=False)
    others.dead.add(1)
    assert others.store(second, 2, 2.0, 12.0).shared == pytest.approx(0.2)


def test_a_benchmark_that_waits_shares_nothing_though_it_is_stored_as_running(
    others: Others,
) -> None:
    bench, ask, last = others.begin("bench"), others.begin(), others.begin()
    others.store(bench, 1, 0.0, 30.0, is_over=False)
    assert others.store(ask, 2, 40.0, 50.0).shared is None
    assert others.store(bench, 1, 60.0, 90.0).shared is None
    assert others.store(last, 2, 80.0, 100.0).shared == pytest.approx(0.5)


@pytest.mark.parametrize("process", [1, 3])
def test_a_benchmark_gone_on_with_keeps_what_it_shared_before(others: Others, process: int) -> None:
    bench, ask, last = others.begin("bench"), others.begin(), others.begin()
    others.store(ask, 2, 50.0, 150.0)
    assert others.store(bench, 1, 0.0, 100.0, is_over=False).shared == pytest.approx(0.5)
    for end_s, share in ((5100.0, 50 / 200), (5300.0, 50 / 400)):
        stored = others.store(bench, process, 5000.0, end_s, is_over=False)
        assert stored.shared == pytest.approx(share)
    others.store(last, 2, 5280.0, 5320.0)
    assert others.store(bench, process, 5000.0, 5300.0).shared == pytest.approx(70 / 400)


def test_a_benchmark_gone_on_with_under_a_clock_that_was_set_does_not_share_with_itself(
    others: Others,
) -> None:
    bench = others.begin("bench")
    others.store(bench, 1, 0.0, 100.0, is_over=False)
    assert others.store(bench, 3, 50.0, 150.0).shared is None


def test_what_another_computed_before_its_pause_is_not_forgotten(others: Others) -> None:
    paused, bench = others.begin("bench"), others.begin("bench")
    others.store(paused, 2, 0.0, 20.0, is_over=False)
    assert others.store(bench, 1, 0.0, 20.0, is_over=False).shared == pytest.approx(1.0)
    others.store(paused, 2, 50.0, 60.0, is_over=False)
    assert others.store(bench, 1, 0.0, 100.0).shared == pytest.approx(0.2)


def test_an_end_that_is_taken_in_later_does_not_share_with_itself(
    history: History, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = others.begin()
    others.store(began, 7, 0.0, 10.0, is_over=False)
    end = outcome(status=Status.DONE, span=(T0, T0 + 10.5))
    path = history.store.path
    _write(
        path.with_name(f"unsaved-{began}.json"),
        Ending(began, new_id(), utc_now(), this_machine()["id"], end),
    )
    monkeypatch.setattr(overlaps, "os", SimpleNamespace(getpid=lambda: 8))
    with closing(History(path)) as next_start:
        record = next_start.record(began)
        assert (record.status, record.shared) == (Status.DONE, None)
        sql = "select billed_by, billed_to_ms from queries where id = ?"
        found = next_start.store.read().execute(sql, [began]).fetchone()
        assert found == (7, round((T0 + 10.5) * 1000))


def test_the_share_is_exported_and_taken_in(
    history: History, others: Others, tmp_path: Path
) -> None:
    first, second = others.begin(), others.begin()
    others.store(first, 1, 0.0, 10.0)
    record = others.store(second, 2, 5.0, 15.0)
    numbers = numbers_of(history, EVERYTHING)
    table, lines = io.StringIO(), io.StringIO()
    write_csv(history, numbers, table, lambda rows: None)
    write_jsonl(history, numbers, lines, lambda rows: None)
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    assert [row["another_llamawatt_share"] for row in rows] == ["", "0.5"]
    told = [json.loads(text)["beside"] for text in lines.getvalue().splitlines()]
    assert [each["another_llamawatt_share"] for each in told] == [None, 0.5]
    path = tmp_path / "capsule.json"
    path.write_text(json.dumps(capsule_of(history, record.id)), encoding="utf-8")
    read = read_capsule(path)
    assert isinstance(read, QueryCapsule)
    with closing(History(tmp_path / "there.db")) as there:
        take_in(there.store, [read.arrival()])
        assert there.record(record.id).shared == 0.5
        (bar,) = there.browse.totals().bars
        assert bar.totals.shared == 1


def test_sums_count_by_what_is_told_of_a_query_now() -> None:
    """What triggers and migrations hold are literals, which a later version may have to renew."""
    assert SUMS["partly_read"] == PARTLY_READ
    assert SUMS["unread"] == UNREAD
    assert SUMS["beside"] == f"ifnull({{q}}.others, 0) > {MATTERS} and {{q}}.energy_j is not null"
    assert SUMS["shared"] == "{q}.shared is not null and {q}.energy_j is not null"
    assert LINES["unread"].endswith(f" < {LEAST_READ}")
    assert coverage.PARTLY_READ.count(f"< {LEAST_READ}") == 2
    assert FEWEST_READINGS == 3, "as overlaps.know_overlaps has it"
