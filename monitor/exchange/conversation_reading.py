"""Conversations read again from their JSON, and taken into a history whole or not at all."""

import json
import sqlite3
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from monitor.exchange.capsule_reading import moment_of, query_of
from monitor.exchange.conversation import FORM
from monitor.exchange.files import ExchangeError
from monitor.exchange.intake import Arrival, take_in_all
from monitor.exchange.node import Node
from monitor.presets import PresetError, checked
from monitor.store.branches import ASSISTANT, USER
from monitor.store.history import CHAT, History
from monitor.store.identifiers import utc_now

LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A row of ``messages`` but for its conversation."""

    id: str
    parent_id: str | None
    role: str
    content: str
    created_at: str
    query_id: str | None


@dataclass(frozen=True, slots=True)
class ConversationFile:
    """A conversation with all its branches.

    :param row: of ``conversations``
    :param messages: each after the one it follows
    :param arrivals: the queries of its answers
    """

    row: dict[str, str | None]
    messages: tuple[StoredMessage, ...]
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True, slots=True)
class TakenConversation:
    """What came of taking in a conversation.

    :param messages: how many were not here yet; none of a file that was taken in before
    :param queries: how many answers with their bills were not
    """

    id: str
    title: str
    messages: int
    queries: int


# --- taking in -------------------------------------------------------------------------------


def take_in_conversation(history: History, path: Path) -> TakenConversation:
    """Take in a conversation another history wrote out; what is here already stays as it is.

    Was it gone on with in both places, it has branches now. One that was deleted here is back.

    :raises ExchangeError: if the file is none, was changed, or does not fit what is here; nothing
        is taken in then
    """
    try:
        read = read_conversation(path)
        return history.store.write(lambda db: _take_in(db, read)).result()
    except (OverflowError, sqlite3.IntegrityError) as error:
        raise ExchangeError(
            f"{path.name} holds what no history can ({error}). Nothing was taken in."
        ) from error


def _take_in(db: Database, read: ConversationFile) -> TakenConversation:
    conversation_id = str(read.row["id"])
    names = ", ".join(read.row)
    db.execute(
        f"insert into conversations ({names}) values ({', '.join('?' * len(read.row))}) "
        "on conflict (id) do update set deleted_at = null, "
        "leaf_id = iif(excluded.updated_at > updated_at, excluded.leaf_id, leaf_id), "
        "updated_at = max(updated_at, excluded.updated_at)",
        list(read.row.values()),
    )
    taken = take_in_all(db, read.arrivals)
    for arrival in read.arrivals:
        _adopt(db, arrival)
    own = {
        query_id
        for (query_id,) in db.execute(
            "select id from queries where conversation_id = ?", [conversation_id]
        )
    }
    added = sum(_add(db, conversation_id, message, own) for message in read.messages)
    title = db.execute("select title from conversations where id = ?", [conversation_id])
    return TakenConversation(conversation_id, title.fetchone()[0], added, taken.stored)


def _adopt(db: Database, arrival: Arrival) -> None:
    """Give a query its conversation and texts if it is here without them."""
    record = arrival.record
    values = {"id": record.id, "conversation": arrival.conversation_id, "system": record.system}
    db.execute(
        "update queries set conversation_id = :conversation, system_text = :system, "
        "prompt_text = :prompt, answer_text = :answer where id = :id "
        "and conversation_id is null and kind = :kind "
        "and ifnull(prompt_text, '') in ('', :prompt) and ifnull(answer_text, '') in ('', :answer)",
        values | {"kind": CHAT, "prompt": record.prompt, "answer": record.text},
    )


def _add(db: Database, conversation_id: str, message: StoredMessage, own: set[str]) -> int:
    """Add a message that is not here; return how many were.

    :param own: the queries of its conversation: another's bill is not put under it
    """
    kept = message if message.query_id in own else replace(message, query_id=None)
    found = db.execute("select conversation_id from messages where id = ?", [message.id]).fetchone()
    if found is None:
        db.table("messages").insert(asdict(kept) | {"conversation_id": conversation_id})
    elif found[0] != conversation_id:
        raise ExchangeError(
            f"The message {message.id} is here already, in another conversation. "
            "Nothing was taken in."
        )
    return int(found is None)


# --- reading ---------------------------------------------------------------------------------


def read_conversation(path: Path) -> ConversationFile:
    """Read and check a conversation's JSON.

    :raises ExchangeError: if it is none, of a later version, changed, or lacks something
    """
    node = FORM.read(path)
    try:
        json.dumps(node.value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ExchangeError(f"{path.name} holds half a character, which is no text.") from None
    conversation_id = _identifier(node, "id")
    arrivals = tuple(_arrival(each, conversation_id) for each in node.parts("queries"))
    query_ids = {arrival.record.id for arrival in arrivals}
    if len(query_ids) < len(arrivals):
        raise node.problem("one of its “queries” is there twice")
    messages = _messages(node, query_ids)
    return ConversationFile(
        row={
            "id": conversation_id,
            "title": " ".join(node.text("title").split())[:LONGEST_TITLE],
            "created_at": _past(node, "created_at"),
            "updated_at": _past(node, "updated_at"),
            "leaf_id": node.optional_text("leaf_id") or None,
            "system_text": node.text("system") or None,
            "sampling": _sampling(node.optional_part("sampling")),
        },
        messages=messages,
        arrivals=arrivals,
    )


def _past(node: Node, name: str) -> str:
    """Read a time as it is stored; one that is still to come would stay the latest for long."""
    moment = datetime.fromisoformat(moment_of(node, name)).astimezone(UTC)
    return min(moment.isoformat(timespec="milliseconds"), utc_now())


def _identifier(node: Node, name: str) -> str:
    text = node.text(name)
    if not text or len(text) > LONGEST_TITLE:
        raise node.problem(f"“{name}” is no identifier")
    return text


def _sampling(sampling: Node | None) -> str | None:
    if sampling is None:
        return None
    for name, value in sampling.value.items():
        if isinstance(value, list):
            sampling.texts(name)
        elif not (value is None or isinstance(value, str)):
            sampling.number(name)
    try:
        checked(sampling.value)
    except PresetError as error:
        raise sampling.problem(f"its sampling cannot be used: {error}") from error
    return json.dumps(sampling.value)


def _arrival(node: Node, conversation_id: str) -> Arrival:
    record, origin = query_of(node)
    if record.kind != CHAT:
        raise node.problem(f"its “kind” should be {CHAT}, and is “{record.kind}”")
    return Arrival(record, origin, conversation_id=conversation_id)


def _messages(node: Node, query_ids: set[str]) -> tuple[StoredMessage, ...]:
    """Read the messages, and see that they are a tree."""
    listed: dict[str, StoredMessage] = {}
    for part in node.parts("messages"):
        message = _message(part, query_ids)
        if message.id in listed:
            raise part.problem("its identifier is there twice")
        listed[message.id] = message
    children: dict[str | None, list[StoredMessage]] = {}
    for message in listed.values():
        children.setdefault(message.parent_id, []).append(message)
    ordered = list(children.get(None, ()))
    for message in ordered:  # which grows meanwhile
        ordered += children.get(message.id, ())
    if len(ordered) < len(listed):
        raise node.problem("some of its “messages” follow none that is there")
    return tuple(ordered)


def _message(part: Node, query_ids: set[str]) -> StoredMessage:
    role, query_id = part.text("role"), part.optional_text("query_id") or None
    if role not in (USER, ASSISTANT):
        raise part.problem(f"“role” should be {USER} or {ASSISTANT}, and is “{role}”")
    if query_id and query_id not in query_ids:
        raise part.problem(f"there is no query {query_id}")
    return StoredMessage(
        id=_identifier(part, "id"),
        parent_id=part.optional_text("parent_id") or None,
        role=role,
        content=part.text("content"),
        created_at=_past(part, "created_at"),
        query_id=query_id,
    )
