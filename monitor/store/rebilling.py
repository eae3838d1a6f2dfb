"""Bills of an earlier method, reckoned anew from the power curves that are stored with them.

Intervals are made anew; the joules stay those that were stored, to the last digit. What has no
curve, a thinned one, or one that does not lead to its joules by the present method keeps its
method's number, and is not compared with later ones. Each curve is looked at once for a method.
"""

import lzma
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlite_utils import Database

from monitor.energy.account import METHOD, OUTSIDE_TOTAL, Bill, Line, Phase, interval_of
from monitor.power.channel import Channel, Domain, Kind
from monitor.power.window import window_of
from monitor.store.bills import read_bills, write_bill
from monitor.store.copies import never
from monitor.store.curves import StoredTrace, decode_trace
from monitor.store.database import Store
from monitor.store.retention import Pace, done_until, set_done

OLDEST = 1
"""Methods before are other programs', whose figures are taken as they are."""

SAME = 0.005
"""Curves are stored rounded; they lead to their bill's joules within this share, or 10 mJ."""

NOISE_KEPT = 3
"""The first method by which how restless watts are is kept with the channel. Bills of methods
before may have it in their intervals all the same."""

GLANCED = 5
"""By this method GPUs' counters were asked seldom, and their curves do not tell when: what they say
of an interval is too little. Such bills keep their number."""

LOOKED_FOR = f"method {METHOD}"
"""What curves are looked at for: by a later method once more."""

READ = 50


@dataclass(frozen=True, slots=True)
class _Old:
    number: int
    machine_id: str
    method: int
    curve: bytes


def rebill(store: Store, cancelled: Callable[[], bool] = never) -> int:
    """Reckon bills of earlier methods anew; return how many were.

    It is written in batches of a few milliseconds, so that it can go on beside anything else.

    :raises StoreError: if it cannot be written; what was done is kept
    """
    db, done, pace = store.read(), 0, Pace()
    at = done_until(db, LOOKED_FOR)
    (end,) = db.execute("select ifnull(max(started_ms), -1) + 1 from queries").fetchone()
    while at < end and not cancelled():
        found = _old(db, at, end, min(pace.rows, READ))
        bills = read_bills(db, {old.number: old.method for old in found})
        made = [(old, _anew(bills[old.number], old.curve)) for old in found]
        changed = [(old, bill) for old, bill in made if bill is not None]
        since, at = at, found[-1].number + 1 if found else end
        with pace:
            store.write(partial(_replace, changed=changed, since=since, until=at)).result()
        done += len(changed)
    return done


def _old(db: Database, first: int, last: int, limit: int) -> list[_Old]:
    rows = db.execute(
        "select q.started_ms, q.machine_id, q.method, t.data from queries q cross join traces t "
        "on t.query_id = q.id where q.started_ms >= ? and q.started_ms < ? and q.method >= ? "
        "and q.method < ? and q.status <> 'running' order by q.started_ms limit ?",
        [first, last, OLDEST, METHOD, limit],
    )
    return [_Old(*row) for row in rows.fetchall()]


def _anew(bill: Bill, curve: bytes) -> Bill | None:
    """Return a bill by the present method, ``None`` if its curve does not tell enough."""
    try:
        trace = decode_trace(curve)
    except (ValueError, lzma.LZMAError, EOFError):
        return None
    names = [phase.name for phase in trace.phases]
    if trace.step_s is not None or len(set(names)) < len(names):
        return None
    phases = dict(zip(names, trace.phases, strict=True))
    lines = [_line_anew(line, bill.method, trace, phases.get(line.phase)) for line in bill.lines]
    known = [line for line in lines if line is not None]
    return Bill(tuple(known), METHOD) if len(known) == len(lines) else None


def _line_anew(line: Line, method: int, trace: StoredTrace, phase: Phase | None) -> Line | None:
    if line.energy is None:
        return line
    curve = trace.curves.get(line.channel.key)
    if method == GLANCED and _may_be_sketched(line.channel):
        return None
    if phase is None or curve is None:
        # A load long before is on no curve; it is beside the total, and stays as it was.
        return line if line.phase in OUTSIDE_TOTAL else None
    window = window_of(line.channel, curve, phase.start_s, phase.end_s)
    energy = interval_of(line.channel, window, line.duration_s)
    if energy is None or not math.isclose(
        energy.joules, line.energy.joules, rel_tol=SAME, abs_tol=0.01
    ):
        return None
    random_j = energy.random_j
    if method < NOISE_KEPT and line.channel.kind is Kind.POWER and not line.channel.noise_w:
        # How restless the watts were is not known any more, and may be part of what is stored.
        random_j = max(random_j, line.energy.random_j)
    return replace(line, energy=replace(energy, joules=line.energy.joules, random_j=random_j))


def _may_be_sketched(channel: Channel) -> bool:
    return channel.kind is Kind.COUNTER and channel.domain is Domain.GPU


def _replace(db: Database, changed: list[tuple[_Old, Bill]], since: int, until: int) -> None:
    for old, bill in changed:
        energy = bill.total().energy
        db.execute(
            "update queries set method = ?, energy_low_j = ?, energy_high_j = ? "
            "where started_ms = ?",
            [bill.method, energy and energy.low_j, energy and energy.high_j, old.number],
        )
        write_bill(db, old.machine_id, old.number, bill)
    # What came from elsewhere meanwhile has set it back: it is looked at the next time.
    if done_until(db, LOOKED_FOR) == since:
        set_done(db, LOOKED_FOR, until)
