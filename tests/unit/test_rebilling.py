"""Bills of an earlier method: reckoned anew where their curves are kept, marked where not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.energy.account import DECODE, METHOD, PREFILL, Bill, Phase, account
from monitor.energy.interval import Interval
from monitor.power.channel import Channel, Kind, Reading
from monitor.power.selftest import Traits, Verdict, refined
from monitor.power.trace import Trace
from monitor.store.curves import StoredTrace, encode_trace, thin_trace
from monitor.store.history import History
from monitor.store.rebilling import GLANCED, rebill
from monitor.store.recordings import Progress, Recordings
from monitor.store.records import QueryRecord
from monitor.store.retention import look_again
from monitor.store.sensor_traits import SensorTraits
from tests.unit.builders import CPU, GPU, ZONE, half_read, stored_query

PHASES = (Phase(PREFILL, 1.0, 2.0), Phase(DECODE, 2.0, 8.0))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as opened:
        yield opened


def measured(channel: Channel = GPU) -> tuple[Bill, StoredTrace]:
    """A card or a counter whose watts step every second, read at 10 Hz."""
    trace, counter_j = Trace(), 0.0
    trace.add(channel)
    for time_s in np.arange(0.0, 9.0, 0.1).tolist():
        power_w = 100.0 if int(time_s) % 2 else 140.0
        counter_j += 0.1 * power_w
        told = {"power_w": power_w} if channel.kind is Kind.POWER else {"counter_j": counter_j}
        trace.record([Reading(channel.key, time_s, **told)])
    bill = account(trace, [channel], PHASES)
    return bill, StoredTrace({channel.key: trace.curve(channel.key)}, PHASES)


def by_method_1(
    history: History, bill: Bill, trace: StoredTrace | None, method: int = 1
) -> QueryRecord:
    """Store a query as it was billed before, with intervals that were too narrow."""
    lines = (
        replace(line, energy=Interval(line.joules or 0.0, 0.1, 0.1, 0.0)) for line in bill.lines
    )
    blob = trace and encode_trace(trace, 0.0)
    record = stored_query(history, bill=Bill(tuple(lines)), trace=blob)
    history.store.write(
        lambda db: db.execute("update queries set method = ? where id = ?", [method, record.id])
    ).result()
    return history.record(record.id)


def put(history: History, record: QueryRecord, curve: bytes) -> None:
    """Store another curve with a query."""
    sql = "update traces set data = ? where query_id = ?"
    history.store.write(lambda db: db.execute(sql, [curve, record.id])).result()


def test_intervals_are_those_of_today_and_joules_those_that_were_stored(history: History) -> None:
    bill, trace = measured()
    before = by_method_1(history, bill, trace)
    assert before.bill.method == 1
    assert rebill(history.store) == 1
    after = history.record(before.id)
    assert after.bill.method == METHOD
    assert after.bill.total().joules == before.bill.total().joules
    now, then = after.bill.total().energy, bill.total().energy
    assert now
    assert then
    assert (now.low_j, now.high_j) == pytest.approx((then.low_j, then.high_j), rel=1e-3)
    (row,) = history.browse.rows(limit=1)
    assert (row.energy_low_j, row.energy_high_j) == (now.low_j, now.high_j)
    assert rebill(history.store) == 0


def test_what_has_no_curve_or_a_thinned_one_keeps_its_method(history: History) -> None:
    bill, trace = measured()
    kept = [
        by_method_1(history, bill, None),
        by_method_1(history, bill, thin_trace(trace, 1.0)),
    ]
    assert rebill(history.store) == 0
    for record in kept:
        assert history.record(record.id) == record


@pytest.mark.parametrize(
    ("channel", "method"),
    [(GPU, METHOD), (CPU, METHOD), (replace(GPU, kind=Kind.COUNTER), GLANCED)],
    ids=["watts of a card", "a processor's counter", "a card's counter"],
)
def test_curves_that_do_not_tell_what_watts_have_placed_are_left_alone(
    history: History, channel: Channel, method: int
) -> None:
    record = by_method_1(history, *measured(channel), method=GLANCED)
    rebill(history.store)
    assert history.record(record.id).bill.method == method


def test_a_curve_that_does_not_lead_to_its_joules_is_not_believed(history: History) -> None:
    bill, trace = measured()
    lines = tuple(
        replace(line, energy=replace(line.energy, joules=2 * line.energy.joules))
        for line in bill.lines
        if line.energy
    )
    record = by_method_1(history, Bill(lines), trace)
    assert rebill(history.store) == 0
    assert history.record(record.id).bill.method == 1


def of_schema_10(path: Path) -> None:
    """Make of a file what it was before channels told how restless their watts are."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("alter table channels drop column noise_w")
        connection.execute(
            "delete from _sqlite_migrations where name = 'what_a_stored_bill_lacked'"
        )
        connection.execute("update queries set method = 2")
        connection.execute("pragma user_version = 10")
        connection.commit()


@pytest.mark.parametrize("period_s", [None, 0.5, 2.0])
def test_how_restless_watts_are_is_known_of_bills_and_recordings_of_before(
    tmp_path: Path, period_s: float | None
) -> None:
    """Method 2 had it in its intervals, and schema 10 kept it in the self-test's table alone."""
    path = tmp_path / "history.db"
    verdict = Verdict.FOUND if period_s else Verdict.UNSURE
    traits = Traits(GPU.key, verdict, period_s, None, 60.0, 3.0, 500, 60.0)
    restless = refined(GPU, traits)
    assert restless.noise_w > 0
    bill, stored = measured(restless)
    recorded = half_read(restless)
    with closing(History(path)) as history:
        SensorTraits(history.store).keep([traits])
        before = stored_query(history, bill=bill, trace=encode_trace(stored, 0.0))
        recordings = Recordings(history.store)
        kept = recordings.begin("Rendering", "2026-11-24T00:00:00+00:00", ZONE, 1.0)
        pieces = {0: encode_trace(StoredTrace(dict(recorded.curves), ()), 0.0)}
        whole = recorded.recording
        recordings.write(kept.id, Progress(whole.duration_s, whole.bill, (), pieces))
    of_schema_10(path)
    with closing(History(path)) as history:
        assert rebill(history.store) == 1
        after = history.record(before.id)
        assert after.bill.method == METHOD
        now, then = after.bill.total().energy, before.bill.total().energy
        assert now
        assert then
        assert (now.low_j, now.high_j) == pytest.approx((then.low_j, then.high_j), rel=1e-3)
        span = Recordings(history.store).load(kept.id).cost(70.0, 110.0).bill.total().energy
        expected = recorded.cost(70.0, 110.0).bill.total().energy
        assert span
        assert expected
        assert span.random_j == pytest.approx(expected.random_j, rel=1e-3)
        # What is measured from now on is of the same channel.
        stored_query(history, bill=bill)
        assert history.store.read().table("channels").count == 1


def test_a_doubt_whose_cause_is_not_known_any_more_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    bill, stored = measured(replace(GPU, noise_w=20.0))
    with closing(History(path)) as history:
        before = stored_query(history, bill=bill, trace=encode_trace(stored, 0.0))
    of_schema_10(path)
    with closing(History(path)) as history:
        assert rebill(history.store) == 1
        after = history.record(before.id)
    assert after.bill.method == METHOD
    now, then = after.bill.total().energy, before.bill.total().energy
    assert now
    assert then
    assert now.random_j == pytest.approx(then.random_j)
    assert now.low_j <= then.low_j * 1.001


def test_a_doubt_whose_cause_is_known_is_reckoned_as_today(history: History) -> None:
    for channel in (CPU, replace(GPU, noise_w=2.0)):
        bill, stored = measured(channel)
        lines = tuple(
            replace(line, energy=replace(line.energy, random_j=500.0))
            for line in bill.lines
            if line.energy
        )
        blob = encode_trace(stored, 0.0)
        before = stored_query(history, bill=Bill(lines), trace=blob)
        history.store.write(
            lambda db, number=before.id: db.execute(  # type: ignore[misc]
                "update queries set method = 2 where id = ?", [number]
            )
        ).result()
        assert rebill(history.store) == 1
        now, today = history.record(before.id).bill.total().energy, bill.total().energy
        assert now
        assert today
        assert now.random_j == pytest.approx(today.random_j, rel=1e-3, abs=1e-3)


def test_what_could_not_be_reckoned_is_looked_at_once(history: History) -> None:
    bill, trace = measured()
    record = by_method_1(history, bill, thin_trace(trace, 1.0))
    assert rebill(history.store) == 0
    # Were it looked at again, it would be reckoned now.
    put(history, record, encode_trace(trace, 0.0))
    assert rebill(history.store) == 0
    later = by_method_1(history, bill, trace)
    assert rebill(history.store) == 1
    assert history.record(later.id).bill.method == METHOD
    # What comes from elsewhere is looked at all the same.
    number = history.browse.rows()[-1].number
    history.store.write(lambda db: look_again(db, number)).result()
    assert rebill(history.store) == 1
    assert history.record(record.id).bill.method == METHOD


def test_what_comes_from_elsewhere_meanwhile_is_looked_at_the_next_time(history: History) -> None:
    bill, trace = measured()
    records = [by_method_1(history, bill, thin_trace(trace, 1.0)) for _ in range(40)]
    first = history.browse.rows(limit=100)[-1].number
    looks = 0

    def arrives() -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:  # the first batch is done
            put(history, records[0], encode_trace(trace, 0.0))
            history.store.write(lambda db: look_again(db, first)).result()
        return False

    assert rebill(history.store, arrives) == 0
    assert rebill(history.store) == 1


def test_a_curve_that_cannot_be_read_keeps_nobody_from_the_others(history: History) -> None:
    bill, trace = measured()
    damaged = by_method_1(history, bill, trace)
    put(history, damaged, b"\x01\x02")
    sound = by_method_1(history, bill, trace)
    assert rebill(history.store) == 1
    assert history.record(damaged.id).bill.method == 1
    assert history.record(sound.id).bill.method == METHOD


def test_many_are_reckoned_in_batches_and_can_be_stopped(history: History) -> None:
    bill, trace = measured()
    for _ in range(25):
        by_method_1(history, bill, trace)
    assert rebill(history.store, cancelled=lambda: True) == 0
    assert rebill(history.store) == 25
