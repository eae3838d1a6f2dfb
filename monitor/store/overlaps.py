"""Queries of one machine that ran at the same time, in several processes: both bills hold it whole.

Each query keeps when it was billed. Whenever it is stored it is looked which others of its machine
were billed meanwhile, by other processes: one computes one thing after another. ``shared`` is the
share of its billed time in which any was. Nothing is taken off for it, neither from a bill nor from
a sum: the machine drew it once, and how much of it was for which query nobody can tell.
"""

import os
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from monitor.power.channel import Domain
from monitor.power.gauge import Quantity
from monitor.store.processes import is_alive
from monitor.store.records import Status

LEAST_S = 0.3
"""Spans that overlap by less are taken to follow one another: clocks are set."""

GOES_ON_S = 2.0
"""What runs is taken to have computed so long after what it stored last, and no longer: it stores
every second while it computes, a benchmark after each item, and nothing while it waits."""

Span = tuple[float, float]

OTHERS = (
    # Those that ended since this one began, by the index, and those that still run.
    "select status, billed_from_ms / 1e3, billed_to_ms / 1e3, process_id, process_started "
    "from queries where machine_id = :machine and billed_by <> :process "
    "and started_ms <> :number and billed_from_ms < :end_ms "
    "and (billed_to_ms > :start_ms or status = :running) "
    "and started_ms in (select started_ms from queries where billed_to_ms > :start_ms union all "
    "select started_ms from queries where facet_id in "
    "(select id from facets where status = :running and machine_id = :machine))"
)

STORED = (
    "select process_id, billed_by, billed_from_ms, billed_to_ms, ifnull(shared, 0), "
    "ifnull(earlier_s, 0), ifnull(earlier_shared_s, 0) from queries where started_ms = ?"
)


def know_overlaps(db: Database) -> None:
    """Keep when each query was billed, and what else computed meanwhile.

    ``billed_from_ms`` and ``billed_to_ms`` are of what it computed without a pause at last,
    ``billed_by`` is the process that did; ``earlier_s`` is how long it had computed before, of
    which ``earlier_shared_s`` with another.

    Part of a migration of :mod:`monitor.store.schema`, before sums count it. What other programs
    used of the processor is reckoned of earlier queries as
    :func:`monitor.energy.beside.others_share` does, from what gauges told.
    """
    for column in (
        "billed_from_ms integer",
        "billed_to_ms integer",
        "billed_by integer",
        "earlier_s real",
        "earlier_shared_s real",
        "shared real",
        "others real",
    ):
        db.execute(f"alter table queries add column {column}")
    db.execute(
        "create index queries_by_billing on queries (billed_to_ms) where billed_to_ms is not null"
    )
    package, engine = f"u.domain = '{Domain.CPU}'", "u.device = 'engine'"
    db.execute(
        "with loads as (select w.started_ms, "
        f"avg(iif({package}, w.mean, null)) - sum(iif({engine}, w.mean, 0)) "
        "- sum(iif(u.device = 'own', w.mean, 0)) percent, "
        f"count(iif({engine}, 1, null)) engines, "
        f"min(iif({package} or {engine}, w.samples, null)) samples "
        "from query_gauges w join gauges u on u.id = w.gauge_id "
        f"where u.quantity = '{Quantity.UTILISATION}' group by w.started_ms) "
        "update queries set others = max(l.percent, 0) / 100 from loads l "
        "where l.started_ms = queries.started_ms and l.percent is not null and l.engines > 0 "
        "and l.samples >= 3"
    )


def overlaps_of(
    db: Database, machine_id: str, started_ms: int, span: Span | None, is_running: bool
) -> dict[str, float | None]:
    """Return a query's columns that tell when it was billed, and with what others.

    What it computed before a pause, or in an earlier process, it keeps: a span that begins after
    the stored one adds to it.

    :param started_ms: its number
    :param span: when it was billed since its last pause, in seconds since 1970; ``None`` if nothing
        is billed yet, or nothing since it was stored by another process
    :param is_running: whether it goes on, in this process; the end of a query may be stored by
        another than computed it
    :return: none where nothing is to be changed
    """
    if span is None or span[1] <= span[0]:
        return {}
    start_ms, end_ms = (round(moment_s * 1000) for moment_s in span)
    process_id, billed_by, from_ms, to_ms, share, earlier_s, earlier_shared_s = db.execute(
        STORED, [started_ms]
    ).fetchone()
    computed_by = None if is_running else process_id or billed_by
    process = computed_by or os.getpid()
    stored_s = 0.0 if to_ms is None else earlier_s + (to_ms - from_ms) / 1000
    stored_shared_s = share * stored_s
    if to_ms is not None and start_ms > to_ms:
        earlier_s, earlier_shared_s = stored_s, stored_shared_s
    asked: dict[str, Any] = {
        "machine": machine_id,
        "process": process,
        "number": started_ms,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "running": str(Status.RUNNING),
    }
    spans = []
    for status, from_s, to_s, other_id, other_started in db.execute(OTHERS, asked):
        goes_on = status == Status.RUNNING and is_alive(other_id, other_started)
        cut = max(from_s, span[0]), min(to_s + (GOES_ON_S if goes_on else 0.0), span[1])
        if cut[1] - cut[0] >= LEAST_S:
            spans.append(cut)
    # Another that has paused since tells no more of what it computed before.
    shared_s = max(earlier_shared_s + _covered_s(spans), stored_shared_s)
    return {
        "billed_from_ms": start_ms,
        "billed_to_ms": end_ms,
        "billed_by": process,
        "earlier_s": earlier_s,
        "earlier_shared_s": earlier_shared_s,
        "shared": min(shared_s / (earlier_s + span[1] - span[0]), 1.0) or None,
    }


def _covered_s(spans: Iterable[Span]) -> float:
    """Return how long some spans are together, what lies in several of them counted once."""
    covered_s, until_s = 0.0, float("-inf")
    for start_s, end_s in sorted(spans):
        covered_s += max(end_s - max(start_s, until_s), 0.0)
        until_s = max(until_s, end_s)
    return covered_s
