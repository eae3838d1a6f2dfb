"""Which queries a filter lets through, newest first, at a cost that grows with what is taken."""

import heapq
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from sqlite_utils import Database

from monitor.store.filters import Filter
from monitor.store.sums import OWN
from monitor.store.vocabulary import words_beginning

FARTHEST_CLOCK = timedelta(hours=14)
"""No clock on Earth is farther from UTC, so that a day's queries began within it of that day."""

LAST = 1 << 62


class Selection:
    """The queries a filter lets through.

    :param db: for reading, on this thread
    :param chosen: what to let through
    """

    def __init__(self, db: Database, chosen: Filter) -> None:
        self._db, self._filter = db, chosen
        self.facets = own_facets(db, chosen)
        self._first, self._last = _bounds(chosen)

    def numbers(self, before: int | None = None) -> Iterator[int]:
        """Return the numbers of the queries, the newest first, as far as they are asked for.

        :param before: only such as began before that one
        """
        last = min(self._last, LAST if before is None else before - 1)
        if not self.facets:
            return iter(())
        if self._filter.words:
            found = self._by_text(last)
        elif self._filter.tags:
            found = self._by_tag(last)
        elif self._is_whole:
            found = self._column(
                "select started_ms from queries where started_ms between ? and ? "
                "and deleted_at is null order by started_ms desc",
                [self._first, last],
            )
        else:
            found = self._by_facet(last)
        return self._on_the_day(found)

    @property
    def _is_whole(self) -> bool:
        chosen = self._filter
        return not (
            chosen.models
            or chosen.quantisations
            or chosen.kinds
            or chosen.statuses
            or chosen.machines
        )

    def _column(self, sql: str, values: list[object]) -> Iterator[int]:
        return (number for (number,) in self._db.execute(sql, values))

    def _by_facet(self, last: int) -> Iterator[int]:
        """Walk each facet's own index and always take the newest."""
        sql = (
            "select started_ms from queries where facet_id = ? and started_ms between ? and ? "
            "order by started_ms desc"
        )
        columns = (self._column(sql, [facet, self._first, last]) for facet in self.facets)
        return heapq.merge(*columns, reverse=True)

    def _by_tag(self, last: int) -> Iterator[int]:
        first, *others = self._filter.tags
        more = "".join(
            " and exists (select 1 from tags o where o.tag = ? and o.started_ms = t.started_ms)"
            for _ in others
        )
        return self._column(
            "select t.started_ms from tags t join queries q on q.started_ms = t.started_ms "
            f"where t.tag = ? and t.started_ms between ? and ?{more} "
            "and q.facet_id in (select value from json_each(?)) order by t.started_ms desc",
            [first, self._first, last, *others, json.dumps(self.facets)],
        )

    def _by_text(self, last: int) -> Iterator[int]:
        tags = "".join(
            " and exists (select 1 from tags o where o.tag = ? and o.started_ms = t.rowid)"
            for _ in self._filter.tags
        )
        # Rows lie far apart: to read each query's takes three times as long as to find it. What is
        # narrowed down is read all the same, for a mark of one word fits a kind of two.
        if self._is_whole:
            kept = "not in (select started_ms from queries where deleted_at is not null)"
            facets = list[object]()
        else:
            kept = (
                "in (select q.started_ms from queries q where q.started_ms = t.rowid "
                "and q.facet_id in (select value from json_each(?)))"
            )
            facets = [json.dumps(self.facets)]
        return self._column(
            f"select t.rowid from texts t where texts match ? and t.rowid between ? and ?{tags} "
            f"and t.rowid {kept} order by t.rowid desc",
            [self._match(), self._first, last, *self._filter.tags, *facets],
        )

    def _match(self) -> str:
        """Write the words, and the marks that narrow them down, in the index's language."""
        *whole, unfinished = self._filter.words
        words = " ".join(map(_quoted, whole))
        if known := words_beginning(self._db, unfinished):
            either = f"({' OR '.join(map(_quoted, known))})"
            words = f"({words}) AND {either}" if words else either
        else:
            words += f" {_quoted(unfinished)}*"
        match = f"{{prompt answer note}} : ({words})"
        chosen, marks = self._filter, list[list[str]]()
        if chosen.models or chosen.quantisations:
            marks.append([f"m{model}" for model in models_of(self._db, chosen)])
        marks.append([f"k{kind}" for kind in chosen.kinds])
        marks.append([f"c{machine}" for machine in chosen.machines])
        marks.append([f"s{status}" for status in chosen.statuses])
        for group in filter(None, marks):
            either = " OR ".join(f'"{mark}"' for mark in group)
            match += f" AND {{marks}} : ({either})"
        return match

    def _on_the_day(self, numbers: Iterator[int]) -> Iterator[int]:
        """Leave out, of those near a limit, the ones whose own clock was beyond it."""
        since, until = self._filter.since, self._filter.until
        if since is None and until is None:
            return numbers
        days = [str(since or date.min), str(until or date.max)]
        doubt_ms = 2 * int(FARTHEST_CLOCK.total_seconds() * 1000)

        def is_inside(number: int) -> bool:
            if self._first + doubt_ms < number < self._last - doubt_ms:
                return True
            sql = "select day between ? and ? from queries where started_ms = ?"
            return bool(self._db.execute(sql, [*days, number]).fetchone()[0])

        return filter(is_inside, numbers)


def _quoted(word: str) -> str:
    """Write a word so that nothing in it is taken for the index's language."""
    return f'"{word.replace(chr(34), " ")}"'


def models_of(db: Database, chosen: Filter) -> list[int]:
    """Return the models a filter's names and quantisations fit, all of them if it has none."""
    conditions = ["1 = 1"]
    values: list[str] = []
    for column, wanted in (
        ("name", chosen.models),
        ("ifnull(quantisation, '')", chosen.quantisations),
    ):
        if wanted:
            conditions.append(f"{column} in (select value from json_each(?))")
            values.append(json.dumps(wanted))
    return [n for (n,) in db.execute(f"select id from models where {_all(conditions)}", values)]


def own_facets(db: Database, chosen: Filter) -> list[int]:
    """Return the facets queries of a filter have themselves; see :mod:`monitor.store.sums`."""
    conditions, values = ["is_deleted = 0", OWN], list[str]()
    wanted: list[tuple[str, Iterable[object]]] = [
        ("kind", chosen.kinds),
        ("status", chosen.statuses),
        ("machine_id", chosen.machines),
    ]
    if chosen.models or chosen.quantisations:
        conditions.append("model_id in (select value from json_each(?))")
        values.append(json.dumps(models_of(db, chosen)))
    for column, given in wanted:
        if given:
            conditions.append(f"{column} in (select value from json_each(?))")
            values.append(json.dumps(list(given)))
    return [n for (n,) in db.execute(f"select id from facets where {_all(conditions)}", values)]


def _all(conditions: Iterable[str]) -> str:
    return " and ".join(conditions)


def _bounds(chosen: Filter) -> tuple[int, int]:
    """The numbers between which queries of the filter's days lie, whatever clock they went by."""
    first, last = -LAST, LAST
    doubt_ms = int(FARTHEST_CLOCK.total_seconds() * 1000)
    if chosen.since:
        first = _midnight_ms(chosen.since) - doubt_ms
    if chosen.until:
        last = _midnight_ms(chosen.until) + 86_400_000 + doubt_ms
    return first, last


def _midnight_ms(day: date) -> int:
    return round(datetime.combine(day, time(), UTC).timestamp() * 1000)
