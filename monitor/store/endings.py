"""How a query's end gets stored, whatever stands in the way of it.

An end is written until the database takes it. If that is not at once - another program holds the
file, its disk is full - it is kept beside the database as ``unsaved-<id>.json`` meanwhile, or in
the system's folder for temporary files where there is no room beside it, so that nothing is lost if
the program ends first: the next one to start takes it in.
"""

import base64
import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.energy.account import Bill, Line
from monitor.energy.baseline import AboveIdle, Stale
from monitor.energy.interval import Interval
from monitor.energy.notes import pack_notes, unpack_notes
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.gauge import Gauge, GaugeLine, GaugeSummary, Quantity
from monitor.store.database import Store, StoreError
from monitor.store.identifiers import new_id, utc_now
from monitor.store.outcomes import Outcome, update_query
from monitor.store.records import QueryRecord, Seconds, Status, Tokens

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""An end that is not stored by then is kept in a file as well."""

SPARE = "llamawatt-unsaved-"
"""What the folders begin with in which ends are kept that find no room beside a database."""

BLOBS = ("trace", "marks")
"""What of an outcome is packed bytes."""


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
        self._waiting: dict[str, Path | None] = {}
        """Where the ends lie that are not stored yet; ``None``: nowhere but in memory."""

    def unstored(self) -> list[str]:
        """Return a sentence for each end that is not stored: where it is kept, or that it is lost.

        The sentences are those of a store that is closed: until then it is still tried.
        """
        return [
            f"The answer of the query {query_id} is not in the history. It is kept in {path}, and "
            "the next start takes it in."
            if path
            else f"The answer of the query {query_id} is lost: it could be written nowhere. Free "
            "some space and ask again."
            # Of a copy: the writer's thread strikes out what it has stored meanwhile.
            for query_id, path in self._waiting.copy().items()
        ]

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
        query_id = ending.query_id
        path = self._waiting[query_id] = _kept(self._store.path, ending)

        def forget(done: "Future[None]") -> None:
            if done.exception() is None:
                if path:
                    _remove(path)
                self._waiting.pop(query_id, None)

        written.add_done_callback(forget)
        if path is None:
            return (
                "The answer is not stored yet: neither the history nor a temporary file can be "
                "written. It is tried again until you quit; free some space meanwhile."
            )
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
        for path in _left(self._store.path):
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
        above_idle=outcome.above_idle,
        gauges=outcome.gauges,
        notes=outcome.notes,
    )


def _forget(path: Path, taken: "Future[None]") -> None:
    """Remove the file of an end that is stored now."""
    if error := taken.exception():
        log.warning("%s was not taken in: %s", path, error)
    else:
        _remove(path)


def _remove(path: Path) -> None:
    """Remove the file of an end, and its folder if that was made for it and is empty."""
    path.unlink(missing_ok=True)
    _tidy(path.parent)


def _tidy(folder: Path) -> None:
    if folder.name.startswith(SPARE):
        with suppress(OSError):  # it holds other ends
            folder.rmdir()


def _end(db: Database, ending: Ending) -> None:
    """Store an end in place of what was stored before, be it this end itself."""
    query_id, outcome = ending.query_id, ending.outcome
    found = db.execute("select conversation_id from queries where id = ?", [query_id]).fetchone()
    if found is None:
        raise KeyError(f"there is no query {query_id}")
    update_query(db, ending.machine_id, query_id, outcome)
    if outcome.trace is not None:
        row = {"query_id": query_id, "data": outcome.trace, "marks": outcome.marks}
        db.table("traces").insert(row, pk="query_id", replace=True)
    written = db.execute(
        "update messages set content = ? where query_id = ? and role = 'assistant'",
        [outcome.text, query_id],
    ).rowcount
    if found[0] and not written:
        add_answer(db, found[0], query_id, outcome.text, ending.message_id, ending.ended_at)
    elif found[0]:
        db.table("conversations").update(found[0], {"updated_at": ending.ended_at})


def add_answer(
    db: Database,
    conversation_id: str,
    query_id: str,
    content: str,
    message_id: str = "",
    created_at: str = "",
) -> str:
    """Add an answer below the question of its query; return its identifier."""
    row = db.execute(
        "select id from messages where query_id = ? and role = 'user'", [query_id]
    ).fetchone()
    return add_message(
        db,
        Message(conversation_id, row and row[0], "assistant", content, query_id),
        message_id,
        created_at,
    )


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    :param parent_id: the message it follows, ``None`` for the first of all
    :param role: ``user`` or ``assistant``
    """

    conversation_id: str
    parent_id: str | None
    role: str
    content: str
    query_id: str


def add_message(db: Database, message: Message, message_id: str = "", created_at: str = "") -> str:
    """Add a message to a conversation, whose branch now ends with it; return its identifier."""
    now, made = created_at or utc_now(), message_id or new_id()
    db.table("messages").insert({"id": made, "created_at": now, **asdict(message)})
    db.table("conversations").update(message.conversation_id, {"updated_at": now, "leaf_id": made})
    return made


# --- the file ------------------------------------------------------------------------------


def _kept(database: Path, ending: Ending) -> Path | None:
    """Keep an end in the first folder that takes it; return its file, ``None`` if none does."""
    for folder in (database.parent, spare_folder(database)):
        path = folder / f"unsaved-{ending.query_id}.json"
        try:
            if folder != database.parent:
                folder.mkdir(mode=0o700, exist_ok=True)
                _check_own(folder)
            _write(path, ending)
        except OSError as error:
            log.error("The end of a query could not be kept in %s: %s", path, error)
            _tidy(folder)
        else:
            return path
    return None


def _left(database: Path) -> list[Path]:
    """Return the files of ends that earlier programs had to leave."""
    found = sorted(database.parent.glob("unsaved-*.json"))
    folder = spare_folder(database)
    try:
        _check_own(folder)
    except OSError:
        return found
    return found + sorted(folder.glob("unsaved-*.json"))


def spare_folder(database: Path) -> Path:
    """Return where ends are kept that find no room beside a database: one folder for each."""
    digest = hashlib.sha256(os.fsencode(database.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"{SPARE}{digest}"


def _check_own(folder: Path) -> None:
    """See that a folder in a place all may write to is ours, and none others put there for us.

    :raises OSError: if it is not, or there is none
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
        raise PermissionError(f"{folder} belongs to somebody else")


def _write(path: Path, ending: Ending) -> None:
    """Write the file, without the power curve if there is no room for that."""
    values = asdict(ending)
    values["outcome"]["notes"] = pack_notes(ending.outcome.notes)
    blobs = {name: values["outcome"][name] for name in BLOBS}
    encoded = {name: blob and base64.b64encode(blob).decode() for name, blob in blobs.items()}
    part = path.with_suffix(".part")
    try:
        for kept in (encoded, dict.fromkeys(BLOBS)):
            values["outcome"] |= kept
            try:
                part.write_text(json.dumps(values), encoding="utf-8")
                break
            except OSError:
                if kept is not encoded:
                    raise
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> Ending:
    values = json.loads(path.read_text(encoding="utf-8"))
    outcome = values.pop("outcome")
    bill = outcome["bill"]
    outcome |= {
        "status": Status(outcome["status"]),
        "tokens": Tokens(**outcome["tokens"]),
        "seconds": Seconds(**outcome["seconds"]),
        "bill": Bill(tuple(_line(line) for line in bill["lines"]), bill["method"]),
    }
    if above := outcome.get("above_idle"):
        stale = tuple(map(Stale, above["stale"]))
        outcome["above_idle"] = AboveIdle(**(above | {"stale": stale}))
    outcome["gauges"] = tuple(map(_gauge_line, outcome.get("gauges", ())))
    outcome["notes"] = unpack_notes(outcome.get("notes"))
    outcome["span"] = tuple(outcome.get("span") or ()) or None
    for name in BLOBS:  # a file of an earlier version may lack one
        blob = outcome.get(name)
        outcome[name] = blob and base64.b64decode(blob)
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


def _gauge_line(values: Mapping[str, Any]) -> GaugeLine:
    gauge, summary = dict(values["gauge"]), dict(values["summary"])
    gauge |= {"quantity": Quantity(gauge["quantity"]), "domain": Domain(gauge["domain"])}
    summary["notes"] = tuple(summary["notes"])
    return GaugeLine(Gauge(**gauge), GaugeSummary(**summary))
