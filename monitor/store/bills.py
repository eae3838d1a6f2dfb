"""Bills as rows: a channel is described once, a line refers to it."""

import json
from collections.abc import Mapping
from typing import Any

from sqlite_utils import Database
from sqlite_utils.db import Table

from monitor.energy.account import Bill, Line
from monitor.energy.interval import Interval
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role


def write_bill(db: Database, machine_id: str, started_ms: int, bill: Bill) -> None:
    """Store a query's bill in place of the one stored before.

    :param started_ms: the query's number
    """
    channels = dict.fromkeys(line.channel for line in bill.lines)
    ids = {channel: channel_id(db, machine_id, channel) for channel in channels}
    db.table("bills").delete_where("started_ms = ?", [started_ms])
    db.table("bills").insert_all(
        {
            "started_ms": started_ms,
            "channel_id": ids[line.channel],
            "phase": line.phase,
            "position": position,
            "joules": line.energy and line.energy.joules,
            "below_j": line.energy and line.energy.below_j,
            "above_j": line.energy and line.energy.above_j,
            "random_j": line.energy and line.energy.random_j,
            "mean_w": line.mean_w,
            "peak_w": line.peak_w,
            "samples": line.samples,
            "coverage": line.coverage,
            "duration_s": line.duration_s,
            "resolved": line.resolved,
        }
        for position, line in enumerate(bill.lines)
    )


def read_bills(db: Database, methods: Mapping[int, int]) -> dict[int, Bill]:
    """Return the bills of some queries.

    :param methods: for each query's number the method its bill was reckoned with
    """
    lines: dict[int, list[Line]] = {started_ms: [] for started_ms in methods}
    channels: dict[int, Channel] = {}
    rows = db.execute(
        "select started_ms, channel_id, phase, joules, below_j, above_j, random_j, mean_w, "
        "peak_w, samples, coverage, duration_s, resolved from bills "
        "where started_ms in (select value from json_each(?)) order by started_ms, position",
        [json.dumps(list(methods))],
    )
    for number, channel_id, phase, *figures, resolved in rows:
        if channel_id not in channels:
            channels[channel_id] = channel_of(db.table("channels").get(channel_id))
        joules, below_j, above_j, random_j, mean_w, peak_w, samples, coverage, duration_s = figures
        energy = None if joules is None else Interval(joules, below_j, above_j, random_j)
        lines[number].append(
            Line(
                channel=channels[channel_id],
                phase=phase,
                energy=energy,
                mean_w=mean_w,
                peak_w=peak_w,
                samples=samples,
                coverage=coverage,
                duration_s=duration_s,
                resolved=bool(resolved),
            )
        )
    return {number: Bill(tuple(lines[number]), method) for number, method in methods.items()}


def _channel_row(channel: Channel) -> dict[str, str | float | None]:
    return {
        "key": channel.key,
        "label": channel.label,
        "domain": str(channel.domain),
        "device": channel.device,
        "kind": str(channel.kind),
        "role": str(channel.role),
        "period_s": channel.period_s,
        "step_j": channel.step_j,
        "range_j": channel.range_j,
        "noise_w": channel.noise_w,
        "accuracy_below": channel.accuracy.below,
        "accuracy_above": channel.accuracy.above,
        "accuracy_offset_w": channel.accuracy.offset_w,
        "accuracy_source": channel.accuracy.source,
    }


def channel_id(db: Database, machine_id: str, channel: Channel) -> int:
    """Find the channel as it is today; one whose description changed gets a new row."""
    wanted = {"machine_id": machine_id, **_channel_row(channel)}
    table = db.table("channels")
    for known in table.rows_where("machine_id = ? and key = ?", [machine_id, channel.key]):
        if all(known[name] == value for name, value in wanted.items()):
            return int(known["id"])
    return last_id(table.insert(wanted))


def last_id(table: Table) -> int:
    """Return the whole-number primary key of the row just inserted."""
    assert isinstance(table.last_pk, int)
    return table.last_pk


def channel_of(row: Mapping[str, Any]) -> Channel:
    """Make a channel of a row of ``channels``."""
    return Channel(
        key=row["key"],
        label=row["label"],
        domain=Domain(row["domain"]),
        device=row["device"],
        kind=Kind(row["kind"]),
        role=Role(row["role"]),
        period_s=row["period_s"],
        step_j=row["step_j"],
        accuracy=Accuracy(
            row["accuracy_below"],
            row["accuracy_above"],
            row["accuracy_offset_w"],
            row["accuracy_source"],
        ),
        range_j=row["range_j"],
        noise_w=row["noise_w"],
    )
