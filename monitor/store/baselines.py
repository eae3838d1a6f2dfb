"""What the idle machine drew, as it is kept."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from monitor.energy.baseline import Baseline, Conditions, IdleLine, Stale, why_stale
from monitor.store.bills import channel_id, channel_of
from monitor.store.database import Store
from monitor.store.identifiers import new_id
from monitor.store.machine import this_machine

LOOKED_AT = 20
"""The newest baselines among which one that is not stale is looked for."""


class Baselines:
    """The baselines of one machine.

    :param store: open
    :param machine_id: this machine's unless given
    """

    def __init__(self, store: Store, machine_id: str = "") -> None:
        self._store = store
        self._machine_id = machine_id or str(this_machine()["id"])

    def keep(self, baseline: Baseline) -> Baseline:
        """Store a baseline and return it with its identifier.

        :raises StoreError: if it cannot be stored
        """
        kept = replace(baseline, id=new_id())
        self._store.write(lambda db: self._insert(db, kept)).result()
        return kept

    def _insert(self, db: Database, baseline: Baseline) -> None:
        db.table("baselines").insert(
            {
                "id": baseline.id,
                "machine_id": self._machine_id,
                "measured_at": baseline.measured_at,
                "duration_s": baseline.duration_s,
                "conditions": json.dumps(asdict(baseline.conditions)),
            }
        )
        db.table("baseline_lines").insert_all(
            {
                "baseline_id": baseline.id,
                "channel_id": channel_id(db, self._machine_id, line.channel),
                "median_w": line.median_w,
                "spread_w": line.spread_w,
                "samples": line.samples,
            }
            for line in baseline.lines
        )

    def newest(self, limit: int = 1) -> list[Baseline]:
        """Return the baselines measured last, the newest first."""
        db = self._store.read()
        rows = list(
            db.query(
                "select * from baselines where machine_id = ? "
                "order by measured_at desc, id desc limit ?",
                [self._machine_id, limit],
            )
        )
        return [_baseline(db, row) for row in rows]

    def of(self, baseline_id: str) -> Baseline | None:
        """Return a baseline of any machine by its identifier, if it is there."""
        db = self._store.read()
        rows = db.query("select * from baselines where id = ?", [baseline_id])
        return next((_baseline(db, row) for row in rows), None)

    def fitting(
        self, conditions: Conditions, now: datetime
    ) -> tuple[Baseline, tuple[Stale, ...]] | None:
        """Return the newest baseline that is not stale, else the newest one and why it is.

        :param conditions: the present ones
        :param now: with a time zone
        :return: ``None`` if none was ever measured
        """
        known = self.newest(LOOKED_AT)
        for baseline in known:
            if not why_stale(baseline, conditions, now):
                return baseline, ()
        return (known[0], why_stale(known[0], conditions, now)) if known else None


def _baseline(db: Database, row: Mapping[str, Any]) -> Baseline:
    lines = db.query(
        "select c.*, l.median_w, l.spread_w, l.samples from baseline_lines l "
        "join channels c on c.id = l.channel_id where l.baseline_id = ? order by c.id",
        [row["id"]],
    )
    return Baseline(
        id=row["id"],
        measured_at=row["measured_at"],
        duration_s=row["duration_s"],
        conditions=Conditions(**json.loads(row["conditions"])),
        lines=tuple(
            IdleLine(channel_of(line), line["median_w"], line["spread_w"], line["samples"])
            for line in lines
        ),
    )
