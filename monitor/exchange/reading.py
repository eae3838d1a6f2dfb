"""Reading many queries in bounded memory: as records, or as flat rows for tables."""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.lacking import PARTLY_READ
from monitor.store.records import QueryRecord
from monitor.store.selection import Selection
from monitor.store.sums import FIGURE

CHUNK = 500
"""Queries read at once; between two chunks other programs may write."""

ROWS = (
    "select q.*, h.name machine, h.system, h.processor, h.threads machine_threads, "
    "h.memory_bytes, m.name model, m.quantisation, m.architecture, m.parameters, "
    "m.sha256 model_sha256, s.llama_cpp, s.context, s.threads, s.gpu_layers, s.temperature, "
    "s.top_k, s.top_p, s.min_p, s.repeat_penalty, s.max_tokens, "
    f"i.zone, iif({FIGURE}, i.g_per_kwh, null) g_per_kwh, i.year, i.source, r.suite_id, "
    "(select group_concat(tag, ', ') from "
    "(select tag from tags t where t.started_ms = q.started_ms order by tag)) tags "
    "from queries q left join machines h on h.id = q.machine_id "
    "left join models m on m.id = q.model_id left join settings s on s.id = q.settings_id "
    "left join intensities i on i.id = q.intensity_id left join bench_runs r on r.id = q.id "
    "where q.started_ms in (select value from json_each(?))"
)

PARTS = (
    "select b.started_ms, iif(b.phase = 'load', 'load', c.domain) what, sum(b.joules) joules, "
    "group_concat(distinct c.label) labels, count(distinct c.id) channels "
    "from bills b join channels c on c.id = b.channel_id "
    "where b.started_ms in (select value from json_each(?)) and c.role = 'part' group by 1, 2"
)


@dataclass(frozen=True, slots=True)
class Part:
    """What one component took of a query; of ``load``, what loading the model took beside it.

    :param joules: ``None`` if nothing was read
    :param labels: of the channels it was read from
    :param channels: how many those are
    """

    joules: float | None
    labels: str
    channels: int


@dataclass(frozen=True, slots=True)
class FlatRow:
    """A query without its bill's lines.

    :param columns: of ``queries`` and of what it refers to
    :param parts: by domain, and ``load``
    """

    columns: dict[str, Any]
    parts: dict[str, Part]

    def joules(self, what: str) -> float | None:
        """Return a component's joules, ``None`` if nothing was read."""
        part = self.parts.get(what)
        return part.joules if part else None


def numbers_of(history: History, chosen: Filter, newest_first: bool = False) -> Sequence[int]:
    """Return the numbers of a filter's queries, eight bytes each."""
    numbers = array("q", Selection(history.store.read(), chosen).numbers())
    if not newest_first:
        numbers.reverse()
    return numbers


def partly_read_of(history: History, numbers: Sequence[int]) -> int:
    """Return how many of some queries have an energy that lacks a part."""
    sql = (
        f"select count(*) from queries q where {PARTLY_READ.format(q='q')} "
        "and started_ms in (select value from json_each(?))"
    )
    db = history.store.read()
    return sum(db.execute(sql, [json.dumps(list(c))]).fetchone()[0] for c in _chunks(numbers))


def flat_rows(history: History, numbers: Sequence[int]) -> Iterator[FlatRow]:
    """Return queries in the order of their numbers."""
    db = history.store.read()
    for chunk in _chunks(numbers):
        yield from _flat_chunk(db, chunk)


def _flat_chunk(db: Database, chunk: Sequence[int]) -> list[FlatRow]:
    asked = [json.dumps(list(chunk))]
    parts: dict[int, dict[str, Part]] = {}
    for number, what, joules, labels, channels in db.execute(PARTS, asked):
        parts.setdefault(number, {})[what] = Part(joules, labels, channels)
    found = {row["started_ms"]: row for row in db.query(ROWS, asked)}
    return [FlatRow(found[n], parts.get(n, {})) for n in chunk if n in found]


def records(history: History, numbers: Sequence[int]) -> Iterator[QueryRecord]:
    """Return queries with their bills, in the order of their numbers."""
    for chunk in _chunks(numbers):
        found = history.records_of(chunk)
        yield from found if chunk[0] >= chunk[-1] else reversed(found)


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), CHUNK):
        yield numbers[start : start + CHUNK]
