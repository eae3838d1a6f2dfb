"""Taking in queries that were measured elsewhere, each with the machine it came from."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlite_utils import Database

from monitor.store.bills import last_id
from monitor.store.database import Store
from monitor.store.outcomes import Outcome, update_query
from monitor.store.records import LOAD_SETTINGS, QueryRecord
from monitor.store.references import free_number, settings_id
from monitor.store.retention import look_again

SETTINGS = (
    "llama_cpp", "context", "threads", "gpu_layers", "temperature", "top_k", "top_p", "min_p",
    "repeat_penalty", "max_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """A row of ``machines``; ``None`` is "not known"."""

    id: str
    name: str
    system: str
    processor: str
    threads: int | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a record does not tell of its model; ``None`` is "not known"."""

    size_bytes: int | None
    context_length: int | None
    licence: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a record does not tell of a query.

    :param day: the date on the machine's own clock, ISO 8601
    :param model_file: ``None`` without a model
    :param intensity_source: where its carbon intensity is from, "" without one
    """

    machine: Machine
    day: str
    model_file: ModelFile | None
    intensity_source: str
    note: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A query to take in.

    :param record: its identifier tells whether it is here already
    :param trace: its power curve, packed
    :param alias: another identifier it may be stored under already; "" if there is none
    :param conversation_id: the conversation it belongs to, which is there already
    """

    record: QueryRecord
    origin: Origin
    trace: bytes | None = None
    alias: str = ""
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many queries were stored, and of how many others more was told than there was.

    :param known: how many were there already as they are
    """

    stored: int
    brought_up_to_date: int
    known: int


def origin_of(store: Store, query_id: str) -> Origin:
    """Return what a stored query's record does not tell.

    :param query_id: the whole identifier
    """
    db = store.read()
    row = next(
        db.query(
            "select q.started_ms, q.day, q.note, m.id model, m.size_bytes, m.context_length, "
            "m.licence, i.source, h.* from queries q join machines h on h.id = q.machine_id "
            "left join models m on m.id = q.model_id "
            "left join intensities i on i.id = q.intensity_id where q.id = ?",
            [query_id],
        )
    )
    tags = db.execute("select tag from tags where started_ms = ? order by tag", [row["started_ms"]])
    model_file = ModelFile(row["size_bytes"], row["context_length"], row["licence"] or "")
    return Origin(
        machine=Machine(**{name: row[name] for name in Machine.__dataclass_fields__}),
        day=row["day"],
        model_file=model_file if row["model"] else None,
        intensity_source=row["source"] or "",
        note=row["note"] or "",
        tags=tuple(tag for (tag,) in tags),
    )


def take_in(store: Store, arrivals: Sequence[Arrival]) -> TakenIn:
    """Store queries that are not here yet: all of them, or none."""
    return store.write(lambda db: take_in_all(db, arrivals)).result()


def take_in_all(db: Database, arrivals: Sequence[Arrival]) -> TakenIn:
    """Store queries that are not here yet, in a transaction that is open."""
    came = Counter(_take_one(db, arrival) for arrival in arrivals)
    return TakenIn(came[_Came.NEW], came[_Came.GROWN], came[_Came.KNOWN])


IMPORT = "import"
"""The kind of a query that another program measured."""

SAME_START_MS = 2000
"""A run that is written again begins so near the same time; its end is what has moved."""

HASH_AT = 15
"""Where the part of an identifier begins that does not tell the time."""


class _Came(Enum):
    """What became of an arrival."""

    NEW, GROWN, KNOWN = range(3)


def _grow(db: Database, record: QueryRecord, origin: Origin) -> _Came:
    """Bring up to date what was taken in while it still went on."""
    if record.kind != IMPORT:
        return _Came.NEW
    began_ms = round(datetime.fromisoformat(record.started_at).timestamp() * 1000)
    found = db.execute(
        "select id, total_s from queries where kind = ? and substr(id, ?) = ? "
        "and started_ms between ? and ?",
        [
            IMPORT,
            HASH_AT,
            record.id[HASH_AT - 1 :],
            began_ms - SAME_START_MS,
            began_ms + SAME_START_MS,
        ],
    ).fetchone()
    if not found:
        return _Came.NEW
    if (record.seconds.total or 0.0) <= (found[1] or 0.0):
        return _Came.KNOWN
    update_query(db, origin.machine.id, found[0], _outcome(record))
    return _Came.GROWN


def _outcome(record: QueryRecord) -> Outcome:
    return Outcome(
        status=record.status,
        text=record.text,
        tokens=record.tokens,
        seconds=record.seconds,
        bill=record.bill,
        finish_reason=record.finish_reason,
        error=record.error,
        thinking_j=record.thinking_j,
        gauges=record.gauges,
        notes=record.notes,
        shared=record.shared,
    )


def _take_one(db: Database, arrival: Arrival) -> _Came:
    record, origin = arrival.record, arrival.origin
    if (came := _grow(db, record, origin)) is not _Came.NEW:
        return came
    sql = "select 1 from queries where id in (?, ?)"
    if db.execute(sql, [record.id, arrival.alias]).fetchone():
        return _Came.KNOWN
    db.table("machines").insert(asdict(origin.machine), pk="id", ignore=True)
    began = datetime.fromisoformat(record.started_at)
    number = free_number(db, began)
    db.table("queries").insert(
        {
            "started_ms": number,
            "id": record.id,
            "kind": record.kind,
            "status": str(record.status),
            "day": origin.day,
            "machine_id": origin.machine.id,
            "model_id": _model_id(db, record, origin),
            "settings_id": _settings_id(db, record),
            "conversation_id": arrival.conversation_id,
            "seed": record.settings.get("seed"),
            "system_text": record.system,
            "prompt_text": record.prompt,
            "method": record.bill.method,
            "intensity_id": _intensity_id(db, record, origin),
            "pue": record.pue,
            "note": origin.note or None,
        }
    )
    update_query(db, origin.machine.id, record.id, _outcome(record))
    db.table("tags").insert_all({"tag": tag, "started_ms": number} for tag in origin.tags)
    if arrival.trace is not None:
        look_again(db, number)
        db.table("traces").insert({"query_id": record.id, "data": arrival.trace})
    return _Came.NEW


def _model_id(db: Database, record: QueryRecord, origin: Origin) -> int | None:
    """Find the model by its hash, or enter it; what is known of it here stays as it is."""
    model = record.model
    if model is None:
        return None
    for known in db.table("models").rows_where("sha256 = ?", [model.sha256], select="id"):
        return int(known["id"])
    file = origin.model_file
    return last_id(
        db.table("models").insert(
            {**asdict(model), **(asdict(file) if file else {}), "modified_ns": 0}
        )
    )


def _settings_id(db: Database, record: QueryRecord) -> str:
    settings: dict[str, Any] = {name: record.settings.get(name) for name in SETTINGS}
    settings |= {name: record.settings[name] for name in LOAD_SETTINGS if name in record.settings}
    settings["stop"] = json.dumps(record.settings.get("stop", []))
    return settings_id(db, settings)


def _intensity_id(db: Database, record: QueryRecord, origin: Origin) -> int | None:
    zone = record.zone
    if zone is None:
        return None
    values = [zone.code, zone.g_per_kwh, zone.year, origin.intensity_source]
    db.execute(
        "insert or ignore into intensities (zone, g_per_kwh, year, source) values (?, ?, ?, ?)",
        values,
    )
    found = db.execute(
        "select id from intensities where (zone, g_per_kwh, year, source) = (?, ?, ?, ?)", values
    ).fetchone()
    return int(found[0])
