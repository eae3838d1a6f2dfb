"""A conversation written out: as Markdown to be read, or as JSON to be gone on with elsewhere.

The JSON holds every branch, and each answer's query with its bill as an energy capsule has it;
power curves are left to capsules. ``null`` is "not known", never zero.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from monitor import __version__, figures
from monitor.bill_words import LEGEND, headline
from monitor.carbon.footprint import Footprint
from monitor.details import Walls
from monitor.energy.account import weakest
from monitor.energy.interval import add
from monitor.engine.thinking import split_thinking
from monitor.exchange.capsule import query_json
from monitor.exchange.files import ExchangeError
from monitor.exchange.intake import origin_of
from monitor.exchange.sealed import Form, sealed
from monitor.store.branches import Cost
from monitor.store.conversations import Talk, TalkTurn
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status

FORM = Form("llamawatt-conversation", 1, "conversation", 1 << 28)

LINE_END = re.compile(r"\r\n|\r|\n")
"""What Markdown takes for the end of a line (CommonMark 0.31, section 2.1)."""

MARKUP = re.compile(r"([\\`*_\[\]<>#|&~$])")
"""Characters that may mean something to Markdown within a line; a backslash makes each plain."""


# --- Markdown --------------------------------------------------------------------------------


def conversation_markdown(talk: Talk) -> str:
    """Return the branch that is shown, each answer with its bill, and what all of it came to.

    Every text is quoted, so that no heading or fence in it can end more than itself.
    """
    parts = [f"# {plain(talk.title) or 'Conversation'}"]
    if models := list(dict.fromkeys(filter(None, map(_model_name, talk.turns)))):
        parts.append(f"Answered by {', '.join(models)}.")
    if talk.system:
        parts += ["**System prompt**", quoted(talk.system)]
    for number, turn in enumerate(talk.turns, 1):
        parts += [f"## {number}", "**Question**", quoted(turn.question), *_answer(turn)]
    parts += ["---", *_totals(talk), f"Written by LlamaWatt {__version__}. {LEGEND}"]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Return a text on one line that Markdown takes for nothing but text."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def quoted(text: str) -> str:
    """Return a text as a block quote: the same Markdown, shut in."""
    return "\n".join(f"> {line}" if line else ">" for line in LINE_END.split(text.strip("\r\n")))


def _model_name(turn: TalkTurn) -> str:
    model = turn.record.model if turn.record else None
    return plain(f"{model.name} {model.quantisation}") if model else ""


def _answer(turn: TalkTurn) -> Iterator[str]:
    if turn.answer_id is None:
        yield "*There is no answer.*"
    thinking = split_thinking(turn.answer)
    if thinking.thought:
        yield from ("**Thoughts**", quoted(thinking.thought))
    if thinking.answer:
        yield from (f"**Answer** {_model_name(turn)}".strip(), quoted(thinking.answer))
    if turn.record is None:
        yield "*What it cost is not kept.*"
        return
    if turn.record.status is not Status.DONE:
        yield f"*{plain(f'{turn.record.status} {turn.record.error}')}*"
    yield plain(headline(turn.record))


def _totals(talk: Talk) -> Iterator[str]:
    records = [turn.record for turn in talk.turns if turn.record]
    if not records:
        return
    yield f"**Total** {plain(total_line(records))}"
    if talk.cost.queries > len(records):
        yield f"All branches together: {plain(cost_line(talk.cost))}"


def total_line(records: Sequence[QueryRecord]) -> str:
    """Say in one line what some queries cost together: energy with its interval, and CO2."""
    totals = [record.bill.total() for record in records]
    energy = add(total.energy for total in totals if total.energy)
    measured = sum(total.energy is not None for total in totals)
    if energy is None:
        return "no energy was measured"
    kind = weakest(total.kind for total in totals if total.kind)
    is_partial = any(each.is_lacking for each in records)
    joules = figures.at_least(figures.marked(kind, figures.energy(energy.joules)), is_partial)
    parts = [f"{joules} {figures.bounds(energy)}"]
    if carbon := [record.footprint for record in records if record.footprint]:
        parts.append(figures.at_least(_grams(carbon), is_partial or len(carbon) < measured))
    return " · ".join([*parts, _answers(len(records), measured)])


def cost_line(cost: Cost) -> str:
    """Say in one line what branches cost."""
    energy = figures.marked(cost.kind, figures.energy(cost.energy_j))
    energy = figures.at_least(energy, cost.is_lower_bound)
    return f"{energy} · {_answers(cost.queries, cost.measured)}"


def _grams(carbon: Sequence[Footprint]) -> str:
    zones = ", ".join(dict.fromkeys(f"{each.zone} {each.year}" for each in carbon))
    return f"{figures.mass(sum(each.grams for each in carbon))} CO₂e ({zones})"


def _answers(queries: int, measured: int) -> str:
    told = f"{queries:,} answer{'s' if queries != 1 else ''}"
    return told if measured == queries else f"{told}, of which {measured:,} were measured"


# --- JSON ------------------------------------------------------------------------------------


def conversation_json(history: History, conversation_id: str) -> dict[str, Any]:
    """Return a conversation with all its branches, as it is taken in elsewhere.

    :param conversation_id: the whole identifier
    :raises KeyError: if there is none
    :raises ExchangeError: if an answer is still being written
    """
    db = history.store.read()
    found = db.query("select * from conversations where id = ?", [conversation_id])
    row = next(iter(found), None)
    if row is None:
        raise KeyError(f"There is no conversation {conversation_id}.")
    messages = list(
        db.query(
            "select m.id, m.parent_id, m.role, m.content, m.created_at, q.id query_id "
            "from messages m left join queries q on q.id = m.query_id and q.deleted_at is null "
            "and q.conversation_id = m.conversation_id where m.conversation_id = ? order by m.id",
            [conversation_id],
        )
    )
    query_ids = dict.fromkeys(each["query_id"] for each in messages if each["query_id"])
    records, walls = history.records_by_id(list(query_ids)), Walls(history)
    document = {
        **FORM.head(),
        "id": row["id"],
        "title": row["title"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "system": row["system_text"] or "",
        "sampling": json.loads(row["sampling"]) if row["sampling"] else None,
        "leaf_id": row["leaf_id"],
        "messages": messages,
        "queries": [_query_document(history, records[query_id], walls) for query_id in query_ids],
    }
    return sealed(document)


def _query_document(history: History, record: QueryRecord, walls: Walls) -> dict[str, Any]:
    if record.status is Status.RUNNING:
        raise ExchangeError("An answer is still being written; wait for its end, or stop it.")
    wall = walls.of([record]).get(record.id)
    return query_json(record, origin_of(history.store, record.id), wall)
