"""Every query, from the moment it starts: written, read, and mended after a crash."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from monitor.attachments import split_attachments
from monitor.carbon.intensity import Zone
from monitor.energy.account import METHOD, weakest
from monitor.energy.budget import Spent
from monitor.energy.forecast import Forecast
from monitor.engine.gguf import ModelInfo
from monitor.power.channel import Kind
from monitor.store.bench_records import BENCH
from monitor.store.benchmarks import Benchmarks
from monitor.store.bills import read_bills
from monitor.store.browse import Browse
from monitor.store.conversations import Conversations
from monitor.store.curves import StoredTrace, decode_trace
from monitor.store.database import Store
from monitor.store.edits import Edits
from monitor.store.endings import Endings, Message, add_message, ended
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.forecasts import Forecasts, insert_prediction
from monitor.store.gauges import read_gauges
from monitor.store.identifiers import new_id, utc_now
from monitor.store.introduction import Introduction
from monitor.store.lacking import PARTLY_READ, UNREAD
from monitor.store.machine import this_machine
from monitor.store.marks import TextMarks, decode_marks
from monitor.store.outcomes import Outcome, query_number, update_query
from monitor.store.processes import this_process
from monitor.store.records import QueryRecord, Status
from monitor.store.references import free_number, intensity_id, model_id, settings_id
from monitor.store.standings import Standings
from monitor.store.trainings import Trainings

log = logging.getLogger(__name__)

TITLE_LENGTH = 60

LEAST_ID = 4
"""Characters by which a query can be named at least."""

CHAT = "chat"
"""The kind of query that belongs to a conversation."""


@dataclass(frozen=True, slots=True)
class QueryStart:
    """What is known of a query before its first token.

    :param model: the model's file, with ``sha256`` and ``modified_ns`` of it
    :param settings: columns of the table ``settings``
    :param kind: ``ask`` or ``chat``
    :param conversation_id: the conversation it continues, or ``None``
    :param parent_id: the message of it that the question follows, ``None`` for its beginning
    :param question_id: the question of it that is answered once more, ``None`` for a new one
    :param forecast: what it was said to take
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
    parent_id: str | None = None
    question_id: str | None = None
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """A query is stored; nothing has been computed yet.

    :param question_id: the message that asks, ``None`` outside a conversation
    :param answer_id: the message that will hold the answer
    """

    query_id: str
    conversation_id: str | None
    question_id: str | None = None
    answer_id: str | None = None


class History:
    """The history of this machine's queries, in one :class:`Store`.

    :param path: the database's file
    :raises StoreError: if it cannot be opened
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self._machine = this_machine()
        self.benchmarks = Benchmarks(self._store, self._machine["id"])
        self.browse = Browse(self._store)
        self.edits = Edits(self._store)
        self.standings = Standings(self._store)
        self.trainings = Trainings(self._store)
        self.talks = Conversations(self._store, self.records_by_id)
        self.forecasts = Forecasts(self._store, self._machine["id"])
        self._endings = Endings(self._store, self._machine["id"])
        if not self._store.is_read_only:
            # First of all: what has ended must not be taken for interrupted.
            self._endings.take_in()
            Introduction(self._store, self._machine, self.benchmarks).make()

    @property
    def store(self) -> Store:
        """The file, for what looks after it as a whole."""
        return self._store

    def close(self) -> None:
        """Finish writing and close the file."""
        self._store.close()

    def unstored(self) -> list[str]:
        """Return a sentence for each answer that is not stored in it, as is said once it is
        closed."""
        return self._endings.unstored()

    # --- writing -------------------------------------------------------------------------

    def begin(self, start: QueryStart) -> Began:
        """Store a query that is about to run; a ``chat`` without a conversation begins one."""
        if start.kind == BENCH:  # nobody looks on who could try again
            return self._store.write_patiently(lambda db: self._begin(db, start))
        return self._store.write(lambda db: self._begin(db, start)).result()

    def _begin(self, db: Database, start: QueryStart) -> Began:
        query_id, conversation_id = new_id(), start.conversation_id
        if start.kind == CHAT and conversation_id is None:
            conversation_id = _new_conversation(db, start.prompt)
        began = datetime.now(UTC)
        db.table("queries").insert(
            {
                "started_ms": free_number(db, began),
                "id": query_id,
                "kind": start.kind,
                "status": str(Status.RUNNING),
                "day": began.astimezone().date().isoformat(),
                "machine_id": self._machine["id"],
                "model_id": model_id(db, start.model, start.sha256, start.modified_ns),
                "settings_id": settings_id(db, start.settings),
                "conversation_id": conversation_id,
                "seed": start.seed,
                "system_text": start.system,
                "prompt_text": start.prompt,
                "answer_text": "",
                "method": METHOD,
                "intensity_id": intensity_id(db, start.zone),
                "pue": start.pue,
                **this_process(),
            }
        )
        if start.forecast:
            insert_prediction(db, query_id, start.forecast)
        if conversation_id is None:
            return Began(query_id, None)
        question_id = start.question_id or add_message(
            db, Message(conversation_id, start.parent_id, "user", start.prompt, query_id)
        )
        answer_id = add_message(
            db, Message(conversation_id, question_id, "assistant", "", query_id)
        )
        return Began(query_id, conversation_id, question_id, answer_id)

    def progress(self, query_id: str, outcome: Outcome) -> "Future[None]":
        """Store how far a running query has come: a crash then loses no more than what follows."""
        written = self._store.write(
            lambda db: update_query(db, self._machine["id"], query_id, outcome)
        )
        written.add_done_callback(_log_failure)
        return written

    def reckon_with(self, query_id: str, zone: Zone) -> None:
        """Have a running query reckoned with another intensity than when it began."""

        def write(db: Database) -> None:
            values = {"intensity_id": intensity_id(db, zone)}
            db.table("queries").update(query_number(db, query_id), values)

        self._store.write(write).add_done_callback(_log_failure)

    def finish(self, query_id: str, outcome: Outcome) -> QueryRecord:
        """Store how a query ended and return its record.

        If it cannot be stored now, it is kept in a file and stored as soon as it can be; the
        record's ``notice`` says so then.
        """
        notice = self._endings.store(query_id, outcome)
        record = self.record(query_id)
        return replace(ended(record, outcome), notice=notice) if notice else record

    # --- reading -------------------------------------------------------------------------

    def record(self, query_id: str) -> QueryRecord:
        """Return one query.

        :param query_id: the identifier, or enough of its beginning or end to be the only one
        :raises KeyError: if there is none, or several, with a sentence saying so
        """
        found = self._records("q.id = ?", [query_id])
        is_long_enough = len(query_id) >= LEAST_ID
        if not found and is_long_enough:
            length = len(query_id)
            found = self._records(
                # The inner search reads the index of identifiers alone.
                "q.id in (select id from queries where substr(id, 1, ?) = ? or substr(id, -?) = ?)",
                [length, query_id, length, query_id],
            )
        if len(found) > 1:
            raise KeyError(f"{len(found)} queries match {query_id}; give more of the identifier.")
        if not found:
            why = "" if is_long_enough else f": it takes {LEAST_ID} characters of an identifier"
            raise KeyError(
                f"There is no query {query_id}{why}. `llamawatt history list` shows them."
            )
        return found[0]

    def records(self, limit: int = 20, chosen: Filter = EVERYTHING) -> list[QueryRecord]:
        """Return the newest queries a filter lets through with their bills, newest first."""
        return self.records_of(self.browse.numbers(chosen, limit))

    def records_of(self, numbers: Sequence[int]) -> list[QueryRecord]:
        """Return queries by their numbers with their bills, newest first."""
        return self._records(
            "q.started_ms in (select value from json_each(?))", [json.dumps(list(numbers))]
        )

    def records_by_id(self, query_ids: Sequence[str]) -> dict[str, QueryRecord]:
        """Return queries by their whole identifiers."""
        found = self._records(
            "q.id in (select value from json_each(?))", [json.dumps(list(query_ids))]
        )
        return {record.id: record for record in found}

    def _records(self, where: str, parameters: Sequence[Any]) -> list[QueryRecord]:
        db = self._store.read()
        rows = list(
            db.query(
                "select q.*, m.name model_name, m.path, m.sha256, m.architecture, m.parameters, "
                "m.quantisation, i.zone, i.g_per_kwh, i.year, i.source, b.measured_at baseline_at, "
                "(select sum(l.median_w) from baseline_lines l "
                "join channels c on c.id = l.channel_id "
                "where l.baseline_id = b.id and c.role = 'part') baseline_w "
                "from queries q left join baselines b on b.id = q.baseline_id "
                "left join models m on m.id = q.model_id "
                "left join intensities i on i.id = q.intensity_id "
                f"where {where} order by q.started_ms desc",
                parameters,
            )
        )
        bills = read_bills(db, {row["started_ms"]: row["method"] for row in rows})
        gauges = read_gauges(db, bills)
        settings = {
            row["id"]: row
            for row in db.query(
                "select * from settings where id in (select value from json_each(?))",
                [json.dumps([row["settings_id"] for row in rows])],
            )
        }
        return [
            QueryRecord.from_row(
                row,
                settings.get(row["settings_id"], {}),
                bills[row["started_ms"]],
                gauges[row["started_ms"]],
            )
            for row in rows
        ]

    def spent_since(self, moment: datetime) -> Spent:
        """Return what this machine's queries have drawn since a moment, deleted ones too: it was
        drawn all the same."""
        rows = (
            self._store.read()
            .execute(
                "select energy_kind, count(*), count(energy_j), total(energy_j), "
                f"sum({PARTLY_READ.format(q='q')}), sum({UNREAD.format(q='q')}) from queries q "
                "where started_ms >= ? and machine_id = ? group by 1",
                [round(moment.timestamp() * 1000), self._machine["id"]],
            )
            .fetchall()
        )
        return Spent(
            energy_j=sum(joules for _, _, _, joules, *_ in rows),
            kind=weakest(Kind(kind) for kind, *_ in rows if kind),
            queries=sum(count for _, count, *_ in rows),
            measured=sum(known for _, _, known, *_ in rows),
            partly_read=sum(lacking for *_, lacking, _ in rows),
            unread=sum(unread for *_, unread in rows),
        )

    def trace(self, query_id: str) -> StoredTrace | None:
        """Return a query's power curve, ``None`` if none is kept."""
        rows = self._store.read().query("select data from traces where query_id = ?", [query_id])
        return next((decode_trace(row["data"]) for row in rows), None)

    def marks(self, query_id: str) -> TextMarks | None:
        """Return when a query's answer was written, ``None`` if that is not kept."""
        rows = self._store.read().execute(
            "select marks from traces where query_id = ? and marks is not null", [query_id]
        )
        return next((decode_marks(blob) for (blob,) in rows), None)

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
        return _preference(self._store.read(), key, default)

    def set_preference(self, key: str, value: Any) -> None:
        """Store a preference: anything JSON can hold."""
        self._store.write(lambda db: _set_preference(db, key, value)).result()

    def change_preference(self, key: str, change: Callable[[Any], Any], default: Any) -> None:
        """Store what ``change`` makes of a preference, which no other program changes meanwhile.

        :param change: called with the preference, or with ``default`` if it was never set
        """

        def store(db: Database) -> None:
            _set_preference(db, key, change(_preference(db, key, default)))

        self._store.write(store).result()


def _preference(db: Database, key: str, default: Any) -> Any:
    rows = db.query("select value from preferences where key = ?", [key])
    return next((json.loads(row["value"]) for row in rows), default)


def _set_preference(db: Database, key: str, value: Any) -> None:
    db.table("preferences").upsert({"key": key, "value": json.dumps(value)}, pk="key")


def _log_failure(written: "Future[None]") -> None:
    if not written.cancelled() and (error := written.exception()):
        log.warning("How far a query has come was not stored: %s", error)


def _new_conversation(db: Database, first_prompt: str) -> str:
    conversation_id, now = new_id(), utc_now()
    files, question = split_attachments(first_prompt)
    title = " ".join(question.split()) or ", ".join(files)
    if len(title) > TITLE_LENGTH:
        title = title[: TITLE_LENGTH - 1].rstrip() + "…"
    db.table("conversations").insert(
        {"id": conversation_id, "title": title, "created_at": now, "updated_at": now}
    )
    return conversation_id
