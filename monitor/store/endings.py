"""How a query's end gets stored, whatever stands in the way of it.

An end is written until the database takes it. If that is not at once - another program holds the
file, its disk is full - it is kept beside the database as ``unsaved-<id>.json`` meanwhile, so that
nothing is lost if the program ends first: the next one to start takes it in.
"""

import base64
import json
import logging
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.energy.account import Bill, Line
from monitor.energy.interval import Interval
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.store.database import Store, StoreError
from monitor.store.identifiers import new_id, utc_now
from monitor.store.outcomes import Outcome, update_query
from monitor.store.records import QueryRecord, Seconds, Status, Tokens

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""An end that is not stored by then is kept in a file as well."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a query ended.

    :param message_id: of the answer in its conversation: its place there, however late it comes
    :param ended_at: UTC, ISO 8601
    """

    query_id: str
    message_id: str
    ended_at: str
    machine_id: str
    outcome: Outcome


class Endings:
    """The part of the history that stores how queries end.

    :param store: open
    :param machine_id: this machine's
    :param patience_s: how long an end is waited for before it is kept in a file
    """

    def __init__(self, store: Store, machine_id: str, patience_s: float = PATIENCE_S) -> None:
        self._store, self._machine_id, self._patience_s = store, machine_id, patience_s

    def store(self, query_id: str, outcome: Outcome) -> str:
        """Store how a query ended, now or as soon as the database takes it.

        :return: "" if it is stored, else a sentence saying where it is kept meanwhile
        """
        ending = Ending(query_id, new_id(), utc_now(), self._machine_id, outcome)
        written = self._store.write_until_stored(lambda db: _end(db, ending))
        try:
            written.result(self._patience_s)
        except (TimeoutError, StoreError) as error:
            return self._keep(ending, written, error)
        return ""

    def _keep(self, ending: Ending, written: "Future[None]", why: Exception) -> str:
        path = _path(self._store.path, ending.query_id)
        try:
            _write(path, ending)
        except OSError as error:
            log.error("The end of the query %s could not be kept: %s", ending.query_id, error)
            return f"The answer is not stored yet: {error}. It is tried again until you quit."

        def forget(done: "Future[None]") -> None:
            if done.exception() is None:
                path.unlink(missing_ok=True)

        written.add_done_callback(forget)
        log.warning("The end of a query is kept in %s: %r", path, why)
        return (
            f"The history cannot be written at the moment. The answer is kept in {path} and "
            "stored as soon as it can be, at the next start at the latest."
        )

    def take_in(self) -> int:
        """Store the ends that earlier programs had to leave in files.

        While another program holds the database it is tried again and again; a file is removed
        once what it holds is stored.

        :return: how many were stored within the time that is waited for
        """
        begun: dict[Future[None], Path] = {}
        for path in sorted(self._store.path.parent.glob("unsaved-*.json")):
            try:
                ending = _read(path)
            except (ValueError, KeyError, TypeError, OSError) as error:
                log.warning("%s was not taken in: %s", path, error)
                continue
            write = partial(_end, ending=ending)
            begun[self._store.write_until_stored(write)] = path
        done, late = wait(begun, self._patience_s)
        for each in late:
            each.add_done_callback(partial(_forget, begun[each]))
        for each in done:
            _forget(begun[each], each)
        return sum(each.exception() is None for each in done)


def ended(record: QueryRecord, outcome: Outcome) -> QueryRecord:
    """Return a query's record as it will be once its end is stored."""
    return replace(
        record,
        status=outcome.status,
        text=outcome.text,
        tokens=outcome.tokens,
        seconds=outcome.seconds,
        bill=outcome.bill,
        finish_reason=outcome.finish_reason,
        error=outcome.error,
    )


def _forget(path: Path, taken: "Future[None]") -> None:
    """Remove the file of an end that is stored now."""
    if error := taken.exception():
        log.warning("%s was not taken in: %s", path, error)
    else:
        path.unlink(missing_ok=True)


def _end(db: Database, ending: Ending) -> None:
    """Store an end in place of what was stored before, be it this end itself."""
    query_id, outcome = ending.query_id, ending.outcome
    found = db.execute("select conversation_id from queries where id = ?", [query_id]).fetchone()
    if found is None:
        raise KeyError(f"there is no query {query_id}")
    update_query(db, ending.machine_id, query_id, outcome)
    if outcome.trace is not None:
        row = {"query_id": query_id, "data": outcome.trace}
        db.table("traces").insert(row, pk="query_id", replace=True)
    db.execute("delete from messages where query_id = ? and role = 'assistant'", [query_id])
    if found[0] and outcome.text:
        add_message(
            db, found[0], "assistant", outcome.text, query_id, ending.message_id, ending.ended_at
        )


def add_message(
    db: Database,
    conversation_id: str,
    role: str,
    content: str,
    query_id: str,
    message_id: str = "",
    created_at: str = "",
) -> None:
    """Add a message to a conversation; messages are in the order of their identifiers."""
    now = created_at or utc_now()
    row = {"conversation_id": conversation_id, "role": role, "content": content}
    row |= {"id": message_id or new_id(), "created_at": now, "query_id": query_id}
    db.table("messages").insert(row)
    db.table("conversations").update(conversation_id, {"updated_at": now})


# --- the file ------------------------------------------------------------------------------


def _path(database: Path, query_id: str) -> Path:
    return database.with_name(f"unsaved-{query_id}.json")


def _write(path: Path, ending: Ending) -> None:
    """Write the file, without the power curve if there is no room for that."""
    values = asdict(ending)
    trace = values["outcome"].pop("trace")
    part = path.with_suffix(".part")
    try:
        for encoded in (trace and base64.b64encode(trace).decode(), None):
            values["outcome"]["trace"] = encoded
            try:
                part.write_text(json.dumps(values), encoding="utf-8")
                break
            except OSError:
                if encoded is None:
                    raise
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> Ending:
    values = json.loads(path.read_text(encoding="utf-8"))
    outcome = values.pop("outcome")
    trace = outcome["trace"]
    bill = outcome["bill"]
    outcome |= {
        "status": Status(outcome["status"]),
        "tokens": Tokens(**outcome["tokens"]),
        "seconds": Seconds(**outcome["seconds"]),
        "bill": Bill(tuple(_line(line) for line in bill["lines"]), bill["method"]),
        "trace": trace and base64.b64decode(trace),
    }
    return Ending(**values, outcome=Outcome(**outcome))


def _line(values: Mapping[str, Any]) -> Line:
    channel = dict(values["channel"])
    channel |= {
        "domain": Domain(channel["domain"]),
        "kind": Kind(channel["kind"]),
        "role": Role(channel["role"]),
        "accuracy": Accuracy(**channel["accuracy"]),
    }
    energy = values["energy"] and Interval(**values["energy"])
    return Line(**{**values, "channel": Channel(**channel), "energy": energy})
