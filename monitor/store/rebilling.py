"""Bills of an earlier method, reckoned anew from the power curves that are stored with them.

Intervals are made anew; the joules stay those that were stored, to the last digit. What has no
curve, a thinned one, or one that does not lead to its joules by the present method keeps its
method's number, and is not compared with later ones.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlite_utils import Database

from monitor.energy.account import METHOD, OUTSIDE_TOTAL, Bill, Line, Phase, interval_of
from monitor.power.window import window_of
from monitor.store.bills import read_bills, write_bill
from monitor.store.copies import never
from monitor.store.curves import StoredTrace, decode_trace
from monitor.store.database import Store
from monitor.store.retention import Pace

OLDEST = 1
"""Methods before are other programs', whose figures are taken as they are."""

SAME = 0.005
"""Curves are stored rounded; they lead to their bill's joules within this share, or 10 mJ."""

READ = 50


@dataclass(frozen=True, slots=True)
class _Old:
    number: int
    machine_id: str
    method: int
    trace: StoredTrace


def rebill(store: Store, cancelled: Callable[[], bool] = never) -> int:
    """Reckon bills of earlier methods anew; return how many were.

    It is written in batches of a few milliseconds, so that it can go on beside anything else.

    :raises StoreError: if it cannot be written; what was done is kept
    """
    at, done, pace = -math.inf, 0, Pace()
    while not cancelled():
        found = list(_old(store.read(), at, min(pace.rows, READ)))
        if not found:
            break
        at = found[-1].number
        bills = read_bills(store.read(), {old.number: old.method for old in found})
        made = [(old, _anew(bills[old.number], old.trace)) for old in found]
        changed = [(old, bill) for old, bill in made if bill is not None]
        with pace:
            store.write(lambda db, changed=changed: _replace(db, changed)).result()  # type: ignore[misc]
        done += len(changed)
    return done


def _old(db: Database, after: float, limit: int) -> Iterator[_Old]:
    rows = db.execute(
        "select q.started_ms, q.machine_id, q.method, t.data from queries q cross join traces t "
        "on t.query_id = q.id where q.started_ms > ? and q.method >= ? and q.method < ? "
        "and q.status <> 'running' order by q.started_ms limit ?",
        [after, OLDEST, METHOD, limit],
    )
    for number, machine_id, method, data in rows.fetchall():
        yield _Old(number, machine_id, method, decode_trace(data))


def _anew(bill: Bill, trace: StoredTrace) -> Bill | None:
    """Return a bill by the present method, ``None`` if its curve does not tell enough."""
    names = [phase.name for phase in trace.phases]
    if trace.step_s is not None or len(set(names)) < len(names):
        return None
    phases = dict(zip(names, trace.phases, strict=True))
    lines = [_line_anew(line, trace, phases.get(line.phase)) for line in bill.lines]
    known = [line for line in lines if line is not None]
    return Bill(tuple(known), METHOD) if len(known) == len(lines) else None


def _line_anew(line: Line, trace: StoredTrace, phase: Phase | None) -> Line | None:
    if line.energy is None:
        return line
    curve = trace.curves.get(line.channel.key)
    if phase is None or curve is None:
        # A load long before is on no curve; it is beside the total, and stays as it was.
        return line if line.phase in OUTSIDE_TOTAL else None
    window = window_of(line.channel, curve, phase.start_s, phase.end_s)
    energy = interval_of(line.channel, window, line.duration_s)
    if energy is None or not math.isclose(
        energy.joules, line.energy.joules, rel_tol=SAME, abs_tol=0.01
    ):
        return None
    return replace(line, energy=replace(energy, joules=line.energy.joules))


def _replace(db: Database, changed: list[tuple[_Old, Bill]]) -> None:
    for old, bill in changed:
        energy = bill.total().energy
        db.execute(
            "update queries set method = ?, energy_low_j = ?, energy_high_j = ? "
            "where started_ms = ?",
            [bill.method, energy and energy.low_j, energy and energy.high_j, old.number],
        )
        write_bill(db, old.machine_id, old.number, bill)
