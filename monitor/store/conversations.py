"""Conversations: listed and searched, read branch by branch, renamed, pinned and deleted."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlite_utils import Database

from monitor.power.channel import Kind
from monitor.store import conversation_search
from monitor.store.branches import NOTHING, USER, Branch, Cost, Message, Tree
from monitor.store.database import Store
from monitor.store.identifiers import utc_now
from monitor.store.lacking import PARTLY_READ, UNREAD
from monitor.store.records import QueryRecord

MOST_MESSAGES = 100_000
"""A way longer than that goes round in a circle: the file is damaged."""

SHORTEST_END = 4
"""Characters of an identifier that may stand for all of it."""

LACKING = PARTLY_READ.format(q="q"), UNREAD.format(q="q")


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation's place in the list.

    :param updated_at: UTC, ISO 8601
    :param turns: questions asked in it, on all branches
    :param queries: how many answers were computed, on all branches
    :param measured: how many of those have joules
    :param is_lower_bound: whether the sum is too low, as not all that some drew was read
    :param energy_j: their joules together, ``None`` if nothing was measured
    :param energy_kind: the weakest among them
    :param snippet: where the words searched for were found, each between
        :data:`~monitor.store.conversation_search.HIT_START` and its ``HIT_END``; "" if only the
        title holds them
    :param hit_query_id: the query that asked and answered so, ``None`` without a snippet
    """

    id: str
    title: str
    updated_at: str
    pinned: bool
    turns: int
    queries: int
    measured: int
    is_lower_bound: bool
    energy_j: float | None
    energy_kind: Kind | None
    snippet: str = ""
    hit_query_id: str | None = None


@dataclass(frozen=True, slots=True)
class TalkTurn:
    """A question and its answer, with what stands beside each.

    :param question_id: "" where the question was lost
    :param answer_id: ``None`` where nothing was answered before the next question
    :param record: the query with its bill, ``None`` if it is not kept
    :param questions: what was asked at this place, this question among it, the oldest first
    :param answers: what was answered, likewise; where the question was gone on from without an
        answer, the next question is among them
    """

    question_id: str
    question: str
    answer_id: str | None
    answer: str
    record: QueryRecord | None
    questions: tuple[Branch, ...]
    answers: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation, and the branch of it that is shown.

    :param system: its system prompt, "" for none
    :param sampling: how its answers are chosen, by the names of
        :class:`monitor.engine.messages.Sampling`; ``None`` for the usual
    :param leaf_id: the last message shown, ``None`` before the first
    :param cost: of all branches
    """

    id: str
    title: str
    pinned: bool
    system: str
    sampling: dict[str, Any] | None
    turns: tuple[TalkTurn, ...]
    leaf_id: str | None
    cost: Cost


@dataclass(frozen=True, slots=True)
class Said:
    """A message on the way to another.

    :param query_id: the query that asked or wrote it, ``None`` if that is not kept
    """

    role: str
    content: str
    query_id: str | None


class Conversations:
    """Reads and changes the conversations of a history.

    :param store: open
    :param records_by_id: reads queries with their bills
    """

    def __init__(
        self,
        store: Store,
        records_by_id: Callable[[Sequence[str]], dict[str, QueryRecord]],
    ) -> None:
        self._store, self._records_by_id = store, records_by_id

    # --- the list ------------------------------------------------------------------------

    def listed(self, text: str = "", limit: int = 200, deleted: bool = False) -> list[Listed]:
        """Return conversations, the pinned ones first, then the latest used.

        :param text: words that must all begin in the title, or in one question with its answer
        :param deleted: those that were deleted instead, as long as they can be restored
        """
        db = self._store.read()
        where = f"c.deleted_at is {'not ' if deleted else ''}null"
        words = conversation_search.words_of(text)
        if not words:
            rows = db.execute(
                f"select id from conversations c where {where} "
                "order by pinned desc, updated_at desc limit ?",
                [limit],
            )
            return _list(db, [identifier for (identifier,) in rows], {})
        hits = conversation_search.find(db, words, limit, where)
        numbers = [hit.number for hit in hits if hit.number is not None]
        found = conversation_search.snippets(db, words, numbers)
        told = {hit.conversation_id: found[hit.number] for hit in hits if hit.number in found}
        return _list(db, [hit.conversation_id for hit in hits], told)

    def find(self, identifier: str) -> str:
        """Return a conversation's whole identifier, deleted ones included.

        :param identifier: enough of its beginning or end to be the only one
        :raises KeyError: if there is none, or several, with a sentence saying so
        """
        db, length = self._store.read(), len(identifier)
        found = db.execute("select id from conversations where id = ?", [identifier]).fetchall()
        if not found and length >= SHORTEST_END:
            found = db.execute(
                "select id from conversations where substr(id, 1, ?) = ? or substr(id, -?) = ?",
                [length, identifier, length, identifier],
            ).fetchall()
        if len(found) > 1:
            raise KeyError(
                f"{len(found)} conversations match {identifier}; give more of the identifier."
            )
        if not found:
            raise _unknown(identifier)
        return str(found[0][0])

    # --- one conversation ----------------------------------------------------------------

    def talk(self, conversation_id: str, leaf_id: str | None = None) -> Talk:
        """Return a conversation with one of its branches.

        :param leaf_id: a message of the branch; ``None`` is the branch that was chosen last
        :raises KeyError: if there is no such conversation, or no such message in it
        """
        db = self._store.read()
        found = db.query("select * from conversations where id = ?", [conversation_id])
        row = next(iter(found), None)
        if row is None:
            raise _unknown(conversation_id)
        messages = [
            Message(*values)
            for values in db.execute(
                "select id, parent_id, role, content, query_id from messages "
                "where conversation_id = ? order by id",
                [conversation_id],
            )
        ]
        if leaf_id and leaf_id not in {message.id for message in messages}:
            raise KeyError(f"There is no message {leaf_id} in this conversation.")
        costs = _costs(db, conversation_id)
        tree = Tree(messages, costs)
        way = tree.way_to(leaf_id or row["leaf_id"])
        records = self._records_by_id(
            [each.query_id for each in way if each.query_id and each.query_id in costs]
        )
        return Talk(
            id=row["id"],
            title=row["title"] or "",
            pinned=bool(row["pinned"]),
            system=row["system_text"] or "",
            sampling=json.loads(row["sampling"]) if row["sampling"] else None,
            turns=_turns(tree, way, records),
            leaf_id=way[-1].id if way else None,
            cost=tree.cost(),
        )

    def path(self, message_id: str | None) -> tuple[Said, ...]:
        """Return what was said from the beginning of a conversation to a message, that included.

        :param message_id: ``None`` is before the beginning; nothing leads to one that is not there
        """
        rows = self._store.read().execute(
            "with recursive way (id, steps) as (select ?, 0 union all "
            "select m.parent_id, steps + 1 from way join messages m on m.id = way.id "
            "where m.parent_id is not null limit ?) "
            "select m.role, m.content, m.query_id from way join messages m on m.id = way.id "
            "order by steps desc",
            [message_id, MOST_MESSAGES],
        )
        return tuple(Said(*values) for values in rows)

    def before(self, query_id: str) -> tuple[Said, ...]:
        """Return what had been said before a query was asked; nothing outside a conversation."""
        rows = self._store.read().execute(
            "select iif(m.role = ?, m.parent_id, (select q.parent_id from messages q "
            "where q.id = m.parent_id)) from messages m where m.query_id = ? "
            "order by m.role limit 1",  # its answer first: an answer has one query only
            [USER, query_id],
        )
        return next((self.path(parent_id) for (parent_id,) in rows), ())

    def message_of(self, query_id: str) -> str | None:
        """Return the message that holds a query's answer, or its question where there is none."""
        rows = self._store.read().execute(
            "select id from messages where query_id = ? order by role limit 1", [query_id]
        )
        return next((message_id for (message_id,) in rows), None)

    # --- changes -------------------------------------------------------------------------

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title.

        :raises ValueError: if there is nothing in it
        :raises KeyError: as all changes do, if there is no such conversation
        """
        words = " ".join(title.split())
        if not words:
            raise ValueError("A title needs at least one letter.")
        self._change("title = ?", words, [conversation_id])

    def pin(self, conversation_id: str, pinned: bool) -> None:
        """Keep a conversation at the head of the list, or no longer."""
        self._change("pinned = ?", int(pinned), [conversation_id])

    def delete(self, conversation_ids: Sequence[str]) -> None:
        """Take conversations out of the list and of its search; :meth:`restore` brings them back.

        What their answers cost stays in the history: it was spent.
        """
        self._change("deleted_at = ifnull(deleted_at, ?)", utc_now(), conversation_ids)

    def restore(self, conversation_ids: Sequence[str]) -> None:
        """Bring deleted conversations back."""
        self._change("deleted_at = ?", None, conversation_ids)

    def choose(self, conversation_id: str, leaf_id: str) -> None:
        """Remember which branch was shown last.

        :param leaf_id: the last message of it
        """
        self._change("leaf_id = ?", leaf_id, [conversation_id])

    def set_system(self, conversation_id: str, text: str) -> None:
        """Keep a system prompt for what is asked from now on; an empty one removes it."""
        self._change("system_text = ?", text.strip() or None, [conversation_id])

    def set_sampling(self, conversation_id: str, sampling: dict[str, Any] | None) -> None:
        """Keep how answers are chosen from now on; ``None`` is the usual."""
        kept = None if sampling is None else json.dumps(sampling)
        self._change("sampling = ?", kept, [conversation_id])

    def _change(self, what: str, value: str | int | None, conversation_ids: Sequence[str]) -> None:
        """Change all of some conversations, or none."""

        def change(db: Database) -> None:
            for conversation_id in conversation_ids:
                sql = f"update conversations set {what} where id = ?"
                if not db.execute(sql, [value, conversation_id]).rowcount:
                    raise _unknown(conversation_id)

        self._store.write(change).result()


def _unknown(conversation_id: str) -> KeyError:
    return KeyError(
        f"There is no conversation {conversation_id}. `llamawatt chats list` shows them."
    )


def _list(db: Database, identifiers: list[str], told: dict[str, tuple[str, str]]) -> list[Listed]:
    """Return conversations as they are listed, in a given order.

    :param told: by conversation, the query that was found in it and a snippet
    """
    asked = [json.dumps(identifiers)]
    chosen = "in (select value from json_each(?))"
    rows = {
        row["id"]: row
        for row in db.query(
            "select id, title, updated_at, pinned, (select count(*) from messages m "
            f"where m.conversation_id = c.id and m.role = '{USER}') turns "
            f"from conversations c where id {chosen}",
            asked,
        )
    }
    costs: dict[str, Cost] = {}
    for conversation_id, *figures in db.execute(
        "select conversation_id, count(*), count(energy_j), sum(energy_j), sum(energy_low_j), "
        f"sum(energy_high_j), energy_kind, sum({LACKING[0]}), "
        f"sum({LACKING[1]}) from queries q where conversation_id {chosen} and deleted_at is null "
        "group by conversation_id, energy_kind",
        asked,
    ):
        costs[conversation_id] = costs.get(conversation_id, NOTHING).plus(_cost(*figures))
    return [
        _listed(rows[each], costs.get(each, NOTHING), *told.get(each, (None, "")))
        for each in identifiers
        if each in rows
    ]


def _listed(row: dict[str, Any], cost: Cost, query_id: str | None, snippet: str) -> Listed:
    return Listed(
        id=row["id"],
        title=row["title"] or "",
        updated_at=row["updated_at"],
        pinned=bool(row["pinned"]),
        turns=row["turns"],
        queries=cost.queries,
        measured=cost.measured,
        is_lower_bound=cost.is_lower_bound,
        energy_j=cost.energy_j,
        energy_kind=cost.kind,
        snippet=snippet,
        hit_query_id=query_id,
    )


def _costs(db: Database, conversation_id: str) -> dict[str, Cost]:
    """Return what each query of a conversation cost; the deleted ones are left out."""
    rows = db.execute(
        f"select id, energy_j, energy_low_j, energy_high_j, energy_kind, "
        f"{', '.join(LACKING)} from queries q where conversation_id = ? and deleted_at is null",
        [conversation_id],
    )
    return {
        query_id: _cost(1, int(joules is not None), joules, *figures)
        for query_id, joules, *figures in rows
    }


def _cost(
    queries: int,
    measured: int,
    energy_j: float | None,
    low_j: float | None,
    high_j: float | None,
    kind: str | None,
    partly_read: int,
    unread: int,
) -> Cost:
    known = Kind(kind) if kind else None
    return Cost(queries, measured, energy_j, low_j, high_j, known, partly_read, unread)


def _turns(
    tree: Tree, way: Sequence[Message], records: dict[str, QueryRecord]
) -> tuple[TalkTurn, ...]:
    """Put the messages of a branch together, a question and its answer at a time."""
    shown = {message.id for message in way}
    turns: list[TalkTurn] = []
    for message in way:
        record = records.get(message.query_id or "")
        if message.role == USER:
            beside, below = tree.beside(message, shown), tree.below(message, shown)
            asked = TalkTurn(message.id, message.content, None, "", record, beside, below)
            turns.append(asked)
        elif turns and turns[-1].answer_id is None:
            turns[-1] = replace(
                turns[-1], answer_id=message.id, answer=message.content, record=record
            )
        else:
            turns.append(TalkTurn("", "", message.id, message.content, record, (), ()))
    return tuple(turns)
