"""What gauges told while a query ran, as rows: a gauge is described once, a line refers to it."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from monitor.power.channel import Domain
from monitor.power.gauge import Gauge, GaugeLine, GaugeSummary, Quantity
from monitor.store.bills import last_id

BETWEEN_NOTES = "\n"

THROTTLED = (
    "exists (select 1 from query_gauges w join gauges u on u.id = w.gauge_id "
    f"where w.started_ms = q.started_ms and u.quantity = '{Quantity.THROTTLE}' and w.high > 0)"
)
"""Whether a query ``q`` was throttled; not, where nothing tells."""


def write_gauges(
    db: Database, machine_id: str, started_ms: int, lines: Sequence[GaugeLine]
) -> None:
    """Store what gauges told while a query ran, in place of what was stored before.

    :param started_ms: the query's number
    """
    db.table("query_gauges").delete_where("started_ms = ?", [started_ms])
    db.table("query_gauges").insert_all(
        {
            "started_ms": started_ms,
            "gauge_id": _gauge_id(db, machine_id, line.gauge),
            "mean": line.summary.mean,
            "low": line.summary.low,
            "high": line.summary.high,
            "samples": line.summary.samples,
            "notes": BETWEEN_NOTES.join(line.summary.notes),
        }
        for line in lines
    )


def read_gauges(db: Database, numbers: Iterable[int]) -> dict[int, tuple[GaugeLine, ...]]:
    """Return what gauges told while some queries ran, by the queries' numbers."""
    lines: dict[int, list[GaugeLine]] = {number: [] for number in numbers}
    rows = db.execute(
        "select w.started_ms, w.mean, w.low, w.high, w.samples, w.notes, u.key, u.label, "
        "u.quantity, u.domain, u.device, u.capacity from query_gauges w "
        "join gauges u on u.id = w.gauge_id "
        "where w.started_ms in (select value from json_each(?)) order by 1, w.gauge_id",
        [json.dumps(list(lines))],
    )
    for number, mean, low, high, samples, notes, *described in rows:
        told = tuple(notes.split(BETWEEN_NOTES)) if notes else ()
        summary = GaugeSummary(mean, low, high, samples, told)
        lines[number].append(GaugeLine(_gauge_of(described), summary))
    return {number: tuple(found) for number, found in lines.items()}


def _gauge_of(described: Sequence[Any]) -> Gauge:
    key, label, quantity, domain, device, capacity = described
    return Gauge(key, label, Quantity(quantity), Domain(domain), device, capacity)


def _gauge_id(db: Database, machine_id: str, gauge: Gauge) -> int:
    """Find the gauge as it is today; one whose description changed gets a new row."""
    table = db.table("gauges")
    columns = {
        "machine_id": machine_id,
        "key": gauge.key,
        "label": gauge.label,
        "quantity": str(gauge.quantity),
        "domain": str(gauge.domain),
        "device": gauge.device,
        "capacity": gauge.capacity,
    }
    for known in table.rows_where("machine_id = ? and key = ?", [machine_id, gauge.key]):
        if all(known[name] == value for name, value in columns.items()):
            return int(known["id"])
    return last_id(table.insert(columns))
