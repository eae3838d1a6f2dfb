"""Every query, from the moment it starts: written, read, and mended after a crash."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.carbon.intensity import SOURCE, Zone
from monitor.energy.account import METHOD
from monitor.engine.gguf import ModelInfo
from monitor.store.benchmarks import Benchmarks
from monitor.store.bills import last_id, read_bills
from monitor.store.curves import StoredTrace, decode_trace
from monitor.store.database import Store
from monitor.store.identifiers import new_id, utc_now
from monitor.store.machine import this_machine
from monitor.store.outcomes import Outcome, update_query
from monitor.store.processes import is_alive, this_process
from monitor.store.records import Conversation, QueryRecord, QueryRow, Status, Turn

log = logging.getLogger(__name__)

TITLE_LENGTH = 60

ROW_COLUMNS = (
    "q.id, q.kind, q.status, q.started_at, substr(q.prompt_text, 1, 4000) prompt_text, "
    "q.completion_tokens, q.decode_s, q.total_s, q.energy_j, q.energy_low_j, q.energy_high_j, "
    "q.energy_kind, q.resolved, q.intensity_g_per_kwh, q.pue"
)
"""What a line of the history table needs: not the answers."""

CHAT = "chat"
"""The kind of query that belongs to a conversation."""


@dataclass(frozen=True, slots=True)
class QueryStart:
    """What is known of a query before its first token.

    :param model: the model's file, with ``sha256`` and ``modified_ns`` of it
    :param settings: columns of the table ``settings``
    :param kind: ``ask`` or ``chat``
    :param conversation_id: the conversation it continues, or ``None``
    """

    kind: str
    model: ModelInfo
    sha256: str
    modified_ns: int
    settings: Mapping[str, Any]
    seed: int
    system: str
    prompt: str
    zone: Zone
    pue: float
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class Began:
    """A query is stored; nothing has been computed yet."""

    query_id: str
    conversation_id: str | None


class History:
    """The history of this machine's queries, in one :class:`Store`.

    :param path: the database's file
    :raises StoreError: if it cannot be opened
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self._machine = this_machine()
        self.benchmarks = Benchmarks(self._store, self._machine["id"])
        self._store.write(self._introduce).result()

    def _introduce(self, db: Database) -> None:
        """Enter this machine, and mark what died running as interrupted."""
        db.table("machines").upsert(self._machine, pk="id")
        self.benchmarks.mark_interrupted(db)
        running = db.query(
            "select id, process_id, process_started, conversation_id, answer_text from queries "
            "where status = ? and machine_id = ?",
            [Status.RUNNING, self._machine["id"]],
        )
        for row in list(running):
            if not is_alive(row["process_id"], row["process_started"]):
                db.table("queries").update(row["id"], {"status": str(Status.INTERRUPTED)})
                if row["conversation_id"] and row["answer_text"]:
                    _add_message(
                        db, row["conversation_id"], "assistant", row["answer_text"], row["id"]
                    )

    def close(self) -> None:
        """Finish writing and close the file."""
        self._store.close()

    # --- writing -------------------------------------------------------------------------

    def begin(self, start: QueryStart) -> Began:
        """Store a query that is about to run; a ``chat`` without a conversation begins one."""
        return self._store.write(lambda db: self._begin(db, start)).result()

    def _begin(self, db: Database, start: QueryStart) -> Began:
        query_id, conversation_id = new_id(), start.conversation_id
        if start.kind == CHAT and conversation_id is None:
            conversation_id = _new_conversation(db, start.prompt)
        settings_id = hashlib.sha256(
            json.dumps(dict(start.settings), sort_keys=True).encode()
        ).hexdigest()[:16]
        db.table("settings").insert({"id": settings_id, **start.settings}, pk="id", ignore=True)
        db.table("queries").insert(
            {
                "id": query_id,
                "kind": start.kind,
                "status": str(Status.RUNNING),
                "started_at": utc_now(),
                "machine_id": self._machine["id"],
                "model_id": _model_id(db, start),
                "settings_id": settings_id,
                "conversation_id": conversation_id,
                "seed": start.seed,
                "system_text": start.system,
                "prompt_text": start.prompt,
                "answer_text": "",
                "method": METHOD,
                "zone": start.zone.code,
                "intensity_g_per_kwh": start.zone.g_per_kwh,
                "intensity_year": start.zone.year,
                "intensity_source": SOURCE,
                "pue": start.pue,
                **this_process(),
            }
        )
        if conversation_id:
            _add_message(db, conversation_id, "user", start.prompt, query_id)
        return Began(query_id, conversation_id)

    def progress(self, query_id: str, outcome: Outcome) -> "Future[None]":
        """Store how far a running query has come: a crash then loses no more than what follows."""
        written = self._store.write(
            lambda db: update_query(db, self._machine["id"], query_id, outcome)
        )
        written.add_done_callback(_log_failure)
        return written

    def finish(self, query_id: str, outcome: Outcome) -> QueryRecord:
        """Store how a query ended and return its record."""

        def change(db: Database) -> None:
            update_query(db, self._machine["id"], query_id, outcome)
            if outcome.trace is not None:
                db.table("traces").insert({"query_id": query_id, "data": outcome.trace})
            conversation_id = db.table("queries").get(query_id)["conversation_id"]
            if conversation_id and outcome.text:
                _add_message(db, conversation_id, "assistant", outcome.text, query_id)

        self._store.write(change).result()
        return self.record(query_id)

    # --- reading -------------------------------------------------------------------------

    def record(self, query_id: str) -> QueryRecord:
        """Return one query.

        :param query_id: the identifier, or enough of its beginning or end to be the only one
        :raises KeyError: if there is none, or several, with a sentence saying so
        """
        found = self._records("q.id = ?", [query_id])
        if not found and len(query_id) >= 4:
            length = len(query_id)
            found = self._records(
                "substr(q.id, 1, ?) = ? or substr(q.id, -?) = ?",
                [length, query_id, length, query_id],
            )
        if len(found) > 1:
            raise KeyError(f"{len(found)} queries match {query_id}; give more of the identifier.")
        if not found:
            raise KeyError(f"There is no query {query_id}. `llamawatt history list` shows them.")
        return found[0]

    def records(self, limit: int = 20) -> list[QueryRecord]:
        """Return the newest queries with their bills, newest first."""
        return self._records("1 = 1", [], limit)

    def _records(
        self, where: str, parameters: Sequence[Any], limit: int | None = None
    ) -> list[QueryRecord]:
        db = self._store.read()
        rows = list(
            db.query(
                "select q.*, m.name model_name, m.path, m.sha256, m.architecture, m.parameters, "
                "m.quantisation from queries q left join models m on m.id = q.model_id "
                f"where {where} order by q.id desc limit ?",
                [*parameters, -1 if limit is None else limit],
            )
        )
        bills = read_bills(db, {row["id"]: row["method"] for row in rows})
        settings = {
            row["id"]: row
            for row in db.query(
                "select * from settings where id in (select value from json_each(?))",
                [json.dumps([row["settings_id"] for row in rows])],
            )
        }
        return [
            QueryRecord.from_row(row, settings[row["settings_id"]], bills[row["id"]])
            for row in rows
        ]

    def rows(self, limit: int = 200, before: str | None = None) -> list[QueryRow]:
        """Return lines of the history table, newest first, older than a query if one is given."""
        return [
            QueryRow.from_row(row)
            for row in self._store.read().query(
                f"select {ROW_COLUMNS}, m.name model_name, m.quantisation from queries q "
                "left join models m on m.id = q.model_id where q.id < ? "
                "order by q.id desc limit ?",
                [before or "~", limit],
            )
        ]

    def trace(self, query_id: str) -> StoredTrace | None:
        """Return a query's power curve, ``None`` if none is kept."""
        rows = self._store.read().query("select data from traces where query_id = ?", [query_id])
        return next((decode_trace(row["data"]) for row in rows), None)

    # --- conversations -------------------------------------------------------------------

    def conversations(self, limit: int = 200) -> list[Conversation]:
        """Return the conversations, the latest used first, without their turns."""
        return [
            Conversation(row["id"], row["title"], row["updated_at"])
            for row in self._store.read().query(
                "select id, title, updated_at from conversations order by updated_at desc limit ?",
                [limit],
            )
        ]

    def conversation(self, conversation_id: str) -> Conversation:
        """Return a conversation with its turns.

        :raises KeyError: if there is none
        """
        db = self._store.read()
        for row in db.query("select * from conversations where id = ?", [conversation_id]):
            turns = db.query(
                "select role, content, query_id from messages where conversation_id = ? "
                "order by id",
                [conversation_id],
            )
            return Conversation(
                row["id"], row["title"], row["updated_at"], tuple(Turn(**turn) for turn in turns)
            )
        raise KeyError(f"There is no conversation {conversation_id}.")

    # --- models and preferences ----------------------------------------------------------

    def known_sha256(self, path: Path, size_bytes: int, modified_ns: int) -> str | None:
        """Return a model file's SHA-256 if it was reckoned before and the file is unchanged."""
        rows = self._store.read().query(
            "select sha256 from models where path = ? and size_bytes = ? and modified_ns = ?",
            [str(path), size_bytes, modified_ns],
        )
        return next((str(row["sha256"]) for row in rows), None)

    def preference(self, key: str, default: Any = None) -> Any:
        """Return a preference, or ``default`` if it was never set."""
        rows = self._store.read().query("select value from preferences where key = ?", [key])
        return next((json.loads(row["value"]) for row in rows), default)

    def set_preference(self, key: str, value: Any) -> None:
        """Store a preference: anything JSON can hold."""
        row = {"key": key, "value": json.dumps(value)}
        self._store.write(lambda db: db.table("preferences").upsert(row, pk="key")).result()


def _log_failure(written: "Future[None]") -> None:
    if not written.cancelled() and (error := written.exception()):
        log.warning("How far a query has come was not stored: %s", error)


def _model_id(db: Database, start: QueryStart) -> int:
    info = start.model
    row = {
        "sha256": start.sha256,
        "name": info.name,
        "path": str(info.path),
        "size_bytes": info.size_bytes,
        "modified_ns": start.modified_ns,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "quantisation": info.quantisation,
        "context_length": info.context_length,
        "licence": info.licence,
    }
    models = db.table("models")
    for known in models.rows_where("sha256 = ?", [start.sha256], select="id"):
        models.update(known["id"], row)
        return int(known["id"])
    return last_id(models.insert(row))


def _new_conversation(db: Database, first_prompt: str) -> str:
    conversation_id, now = new_id(), utc_now()
    title = " ".join(first_prompt.split())
    if len(title) > TITLE_LENGTH:
        title = title[: TITLE_LENGTH - 1].rstrip() + "…"
    db.table("conversations").insert(
        {"id": conversation_id, "title": title, "created_at": now, "updated_at": now}
    )
    return conversation_id


def _add_message(
    db: Database, conversation_id: str, role: str, content: str, query_id: str
) -> None:
    now = utc_now()
    db.table("messages").insert(
        {
            "id": new_id(),
            "conversation_id": conversation_id,
            "role": role,
            "content": content,
            "created_at": now,
            "query_id": query_id,
        }
    )
    db.table("conversations").update(conversation_id, {"updated_at": now})
