"""Bills of an earlier method: reckoned anew where their curves are kept, marked where not."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.energy.account import DECODE, METHOD, PREFILL, Bill, Phase, account
from monitor.energy.interval import Interval
from monitor.power.channel import Reading
from monitor.power.trace import Trace
from monitor.store.curves import StoredTrace, encode_trace, thin_trace
from monitor.store.history import History
from monitor.store.rebilling import rebill
from monitor.store.records import QueryRecord
from tests.unit.builders import GPU, stored_query

PHASES = (Phase(PREFILL, 1.0, 2.0), Phase(DECODE, 2.0, 8.0))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as opened:
        yield opened


def measured() -> tuple[Bill, StoredTrace]:
    """A card that steps every second, read at 10 Hz."""
    trace = Trace()
    trace.add(GPU)
    for time_s in np.arange(0.0, 9.0, 0.1).tolist():
        trace.record([Reading(GPU.key, time_s, power_w=100.0 if int(time_s) % 2 else 140.0)])
    bill = account(trace, [GPU], PHASES)
    return bill, StoredTrace({GPU.key: trace.curve(GPU.key)}, PHASES)


def by_method_1(history: History, bill: Bill, trace: StoredTrace | None) -> QueryRecord:
    """Store a query as it was billed before, with intervals that were too narrow."""
    lines = (
        replace(line, energy=Interval(line.joules or 0.0, 0.1, 0.1, 0.0)) for line in bill.lines
    )
    blob = trace and encode_trace(trace, 0.0)
    record = stored_query(history, bill=Bill(tuple(lines)), trace=blob)
    history.store.write(
        lambda db: db.execute("update queries set method = 1 where id = ?", [record.id])
    ).result()
    return history.record(record.id)


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


def test_many_are_reckoned_in_batches_and_can_be_stopped(history: History) -> None:
    bill, trace = measured()
    for _ in range(25):
        by_method_1(history, bill, trace)
    assert rebill(history.store, cancelled=lambda: True) == 0
    assert rebill(history.store) == 25
