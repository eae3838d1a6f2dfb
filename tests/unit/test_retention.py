"""Old power curves become coarser by rules, their joules stay; room is counted and given back."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from monitor.energy.account import Phase
from monitor.power.channel import Kind
from monitor.power.curve import Curve, Gap
from monitor.power.trace import window_of
from monitor.store import upkeep
from monitor.store.curves import StoredTrace, decode_trace, encode_trace, thin_trace
from monitor.store.history import History
from monitor.store.retention import (
    Freed,
    Rules,
    look_again,
    preview,
    read_rules,
    thin,
    write_rules,
)
from monitor.store.upkeep import purge_deleted, sizes, vacuum
from tests.unit.builders import channel, outcome, query_start, said, stored_query

NOW = datetime.now(UTC)


def trace(seconds: float = 30.0, seed: int = 1) -> StoredTrace:
    """Return a counter's and a power sensor's readings at 10 Hz, with a gap in the first."""
    source = np.random.default_rng(seed)
    count = int(seconds * 10)
    time_s = np.arange(count) / 10 + source.uniform(0, 0.01, count)
    power_w = 60 + source.normal(0, 5, count)
    gap = np.zeros(count, np.uint8)
    power = _integrated(time_s, power_w, gap)
    gap = gap.copy()
    gap[count // 2] = Gap.ASLEEP
    counter_w = power_w.copy()
    counter_w[[0, count // 2]] = np.nan
    counter = Curve(time_s, _integrated(time_s, power_w, gap).energy_j, counter_w, gap)
    middle_s = seconds / 3
    phases = (Phase("prefill", 0.33, middle_s), Phase("decode", middle_s, seconds - 0.77))
    return StoredTrace({"counter": counter, "power": power}, phases)


def _integrated(time_s: np.ndarray, power_w: np.ndarray, gap: np.ndarray) -> Curve:
    steps_j = (power_w[1:] + power_w[:-1]) / 2 * np.diff(time_s) * (gap[1:] == 0)
    return Curve(time_s, np.concatenate([[0.0], np.cumsum(steps_j)]), power_w, gap)


def store_aged(history: History, days: float, seed: int = 1) -> str:
    """Store a query that ran so many days ago, with its curve."""
    record = stored_query(history, trace=encode_trace(trace(seed=seed), 0.0))
    at = round((NOW - timedelta(days=days)).timestamp() * 1000)

    def age(db: Database) -> None:
        db.execute("pragma defer_foreign_keys = on")
        values = [at, record.id]
        db.execute(
            "update bills set started_ms = ? where started_ms = "
            "(select started_ms from queries where id = ?)",
            values,
        )
        db.execute("update queries set started_ms = ? where id = ?", values)

    history._store.write(age).result()
    return record.id


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


# --- a curve -----------------------------------------------------------------------------


@given(st.floats(3, 60), st.integers(0, 99), st.sampled_from([1.0, 10.0]))
def test_every_phase_has_the_joules_it_had(seconds: float, seed: int, step_s: float) -> None:
    whole = trace(seconds, seed)
    thinned = thin_trace(whole, step_s)
    for key, kind in (("counter", Kind.COUNTER), ("power", Kind.POWER)):
        of = replace(channel(key), kind=kind)
        for phase in whole.phases:
            before, after = (
                window_of(of, each.curves[key], phase.start_s, phase.end_s)
                for each in (whole, thinned)
            )
            # Of a counter nobody knows when within a refresh they were drawn, at either end.
            rel = 5e-4 if kind is Kind.COUNTER else 1e-9
            assert after.joules == pytest.approx(before.joules, rel=rel)
            assert after.coverage == pytest.approx(before.coverage)


def test_a_thinned_curve_is_marked_and_far_smaller() -> None:
    whole = trace(600.0)
    thinned = decode_trace(encode_trace(thin_trace(whole, 1.0), 0.0))
    assert (whole.step_s, thinned.step_s) == (None, 1.0)
    assert len(encode_trace(thinned, 0.0)) < len(encode_trace(whole, 0.0)) / 3
    curve = thinned.curves["power"]
    inner = (curve.time_s > 210) & (curve.time_s < 580)
    steps_w = np.diff(curve.energy_j)[inner[1:]] / np.diff(curve.time_s)[inner[1:]]
    assert curve.power_w[1:][inner[1:]] == pytest.approx(steps_w, rel=2e-3)
    assert list(curve.gap) == [0] * len(curve.gap)
    gaps = thinned.curves["counter"].gap
    assert list(gaps[gaps != 0]) == [Gap.ASLEEP]


def test_thinning_again_makes_coarser_and_never_finer() -> None:
    second = thin_trace(trace(100.0), 1.0)
    assert thin_trace(second, 10.0).step_s == 10.0
    again = thin_trace(thin_trace(second, 10.0), 1.0)
    assert again.step_s == 10.0
    assert len(again.curves["power"].time_s) < 25
    empty = StoredTrace({"none": Curve(*(np.zeros(0),) * 3, np.zeros(0, np.uint8))}, ())
    assert len(thin_trace(empty, 1.0).curves["none"].time_s) == 0


# --- the rules ---------------------------------------------------------------------------


def test_curves_are_thinned_by_age_and_bills_are_not(history: History) -> None:
    ages = {age: store_aged(history, age) for age in (1, 100, 200, 400)}
    bills = {age: history.record(query_id).bill for age, query_id in ages.items()}
    store, rules = history._store, Rules(90, 365)
    expected = preview(store, rules, NOW)
    fractions: list[float] = []
    freed = thin(store, rules, NOW, fractions.append)
    steps = {age: history.trace(query_id).step_s for age, query_id in ages.items()}  # type: ignore[union-attr]
    assert steps == {1: None, 100: 1.0, 200: 1.0, 400: 10.0}
    assert {age: history.record(query_id).bill for age, query_id in ages.items()} == bills
    assert (freed.thinned, freed.dropped, freed.is_complete) == (3, 0, True)
    assert expected.thinned == 3
    assert expected.bytes_freed == pytest.approx(freed.bytes_freed, rel=0.2)
    assert fractions[-1] == 1.0
    assert preview(store, rules, NOW) == Freed()
    assert thin(store, rules, NOW) == Freed()


def test_curves_may_be_removed_when_they_are_old(history: History) -> None:
    ages = {age: store_aged(history, age) for age in (1, 100, 400)}
    freed = thin(history._store, Rules(90, 365, drops=True), NOW)
    assert (freed.thinned, freed.dropped) == (1, 1)
    assert history.trace(ages[400]) is None
    assert history.record(ages[400]).bill.total().joules


def test_nothing_is_thinned_where_a_person_wants_to_keep_it(history: History) -> None:
    query_id = store_aged(history, 5000)
    assert thin(history._store, Rules(None, None), NOW) == Freed()
    assert history.trace(query_id).step_s is None  # type: ignore[union-attr]


def test_thinning_that_is_stopped_goes_on_where_it_was(history: History) -> None:
    for n in range(12):
        store_aged(history, 100 + n, n)
    calls: list[int] = []

    def after_one() -> bool:
        calls.append(1)
        return len(calls) > 1

    store = history._store
    first = thin(store, Rules(), NOW, cancelled=after_one)
    assert not first.is_complete
    assert 0 < first.thinned < 12
    assert first.thinned + thin(store, Rules(), NOW).thinned == 12


def test_a_curve_that_came_from_elsewhere_is_looked_at_all_the_same(history: History) -> None:
    store_aged(history, 100)
    thin(history._store, Rules(), NOW)
    late = store_aged(history, 200)
    assert thin(history._store, Rules(), NOW) == Freed()
    number = history.browse.rows()[-1].number
    history._store.write(lambda db: look_again(db, number)).result()
    assert thin(history._store, Rules(), NOW).thinned == 1
    assert history.trace(late).step_s == 1.0  # type: ignore[union-attr]


def test_a_curve_that_cannot_be_read_stays_as_it_is(history: History) -> None:
    query_id = store_aged(history, 100)
    history._store.write(lambda db: db.execute("update traces set data = x'0102'")).result()
    assert thin(history._store, Rules(), NOW).unread == 1
    row = history._store.read().execute("select query_id, data from traces").fetchone()
    assert row == (query_id, b"\x01\x02")


def test_rules_are_remembered_and_must_make_sense(history: History) -> None:
    assert read_rules(history._store) == Rules()
    write_rules(history._store, Rules(7, None, True))
    assert read_rules(history._store) == Rules(7, None, True)
    for days in ((0, 5), (100, 50), (None, 50)):
        with pytest.raises(ValueError, match="Curves are"):
            Rules(*days)


# --- room --------------------------------------------------------------------------------


def test_sizes_add_up_to_the_file(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(20):
        store_aged(history, n, n)
    found = sizes(history._store)
    assert found.is_exact
    assert sum(found.parts.values()) + found.free_bytes == found.file_bytes
    assert found.parts["traces"] > 20 * 1500
    assert {"texts", "bills", "queries", "indexes", "words", "sums"} <= found.parts.keys()
    monkeypatch.setattr(upkeep, "_counted", lambda db: None)
    guessed = sizes(history._store)
    assert not guessed.is_exact
    assert sum(guessed.parts.values()) + guessed.free_bytes == guessed.file_bytes
    assert guessed.parts["traces"] == pytest.approx(found.parts["traces"], rel=0.4)


def test_a_vacuum_gives_room_back(history: History) -> None:
    for n in range(20):
        store_aged(history, 400 + n, n)
    thin(history._store, Rules(drops=True), NOW)
    before = sizes(history._store)
    assert before.free_bytes > 20_000
    freed = vacuum(history._store)
    assert freed >= before.free_bytes
    assert history._store.path.stat().st_size == before.file_bytes - freed
    assert len(history.records(50)) == 20


def test_what_was_deleted_long_ago_goes_for_good(history: History) -> None:
    kept, recent = stored_query(history), stored_query(history)
    chat = history.begin(query_start(kind="chat", prompt="Secret"))
    history.finish(chat.query_id, outcome(trace=encode_trace(trace(3.0), 0.0)))
    number = next(row.number for row in history.browse.rows() if row.id == chat.query_id)

    def delete(db: Database) -> None:
        db.table("tags").insert({"tag": "mine", "started_ms": number})
        sql = "update queries set deleted_at = ? where id = ?"
        db.execute(sql, [(NOW - timedelta(days=31)).isoformat(), chat.query_id])
        db.execute(sql, [(NOW - timedelta(days=29)).isoformat(), recent.id])

    history._store.write(delete).result()
    assert purge_deleted(history._store, now=NOW) == 1
    assert purge_deleted(history._store, now=NOW) == 0
    db = history._store.read()
    assert {row[0] for row in db.execute("select id from queries")} == {kept.id, recent.id}
    for table in ("tags", "traces"):
        assert db.table(table).count == 0
    assert db.execute("select count(distinct started_ms) from bills").fetchone() == (2,)
    assert (
        db.execute("select prompt_text from queries where prompt_text = 'Secret'").fetchall() == []
    )
    assert chat.conversation_id
    turns = said(history, chat.conversation_id)
    assert [turn.query_id for turn in turns] == [None, None]
    assert db.execute("pragma foreign_key_check").fetchall() == []
