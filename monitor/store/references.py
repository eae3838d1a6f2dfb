"""What queries refer to: found among what is stored, or entered."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from monitor.carbon.intensity import Zone
from monitor.engine.gguf import ModelInfo
from monitor.store.bills import last_id


def free_number(db: Database, began: datetime) -> int:
    """Return the number of a query that began then: its milliseconds since 1970, or the next
    that no other query has."""
    number = round(began.timestamp() * 1000)
    while db.execute("select 1 from queries where started_ms = ?", [number]).fetchone():
        number += 1
    return number


def intensity_id(db: Database, zone: Zone) -> int:
    """Find a carbon intensity among the stored ones, or enter it."""
    values = [zone.code, zone.g_per_kwh, zone.year, zone.source]
    db.execute(
        "insert or ignore into intensities (zone, g_per_kwh, year, source) values (?, ?, ?, ?)",
        values,
    )
    row = db.execute(
        "select id from intensities where (zone, g_per_kwh, year, source) = (?, ?, ?, ?)", values
    ).fetchone()
    return int(row[0])


def settings_id(db: Database, settings: Mapping[str, Any]) -> str:
    """Find settings by their hash, which is the same on every machine, or enter them.

    :param settings: columns of the table ``settings`` but ``id``
    """
    content = json.dumps(dict(settings), sort_keys=True)
    made = hashlib.sha256(content.encode()).hexdigest()[:16]
    db.table("settings").insert({"id": made, **settings}, pk="id", ignore=True)
    return made


def model_id(db: Database, info: ModelInfo, sha256: str, modified_ns: int) -> int:
    """Find a model by its SHA-256, now described as its file is today, or enter it."""
    row = {
        "sha256": sha256,
        "name": info.name,
        "path": str(info.path),
        "size_bytes": info.size_bytes,
        "modified_ns": modified_ns,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "quantisation": info.quantisation,
        "context_length": info.context_length,
        "licence": info.licence,
    }
    models = db.table("models")
    for known in models.rows_where("sha256 = ?", [sha256], select="id"):
        models.update(known["id"], row)
        return int(known["id"])
    return last_id(models.insert(row))
