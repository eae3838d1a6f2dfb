"""Reads :mod:`monitor.store.charts` out of the sums the database keeps, or of single queries."""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlite_utils import Database

from monitor.power.channel import Kind
from monitor.store.charts import Bar, Chart, Period, Stack, Totals
from monitor.store.filters import Filter
from monitor.store.selection import Selection, models_of
from monitor.store.sums import (
    ANY,
    ANY_MODEL,
    COUNTED,
    DAY,
    LINES,
    MONTH,
    SPANS,
    SUMS,
    WEEK,
    first_day,
    level_of,
)

PICK_LIMIT = 10_000
"""Of queries chosen by words or tags no sums are kept; the newest this many are added up."""

KEPT = {Period.DAY: DAY, Period.WEEK: WEEK, Period.MONTH: MONTH}
"""What sums call a period."""

EPOCH, A_DAY = date(1970, 1, 1).toordinal(), timedelta(days=1)

WEAKEST = (None, Kind.COUNTER, Kind.POWER, Kind.MODELLED)

KEYS = {Stack.MODEL: "model_id", Stack.KIND: "kind", Stack.MACHINE: "machine_id"}
"""What bars are split by, as a column of queries and of facets."""


def read_totals(db: Database, chosen: Filter) -> Chart:
    """Return the sum over everything a filter lets through, as a chart of one bar at most."""
    columns = ", ".join(f"sum({name}) {name}" for name in SUMS)
    source = _source(db, chosen, Stack.NOTHING, Period.MONTH)
    totals = Totals.from_sums(
        db.execute(f"select {columns} from {source.table}", source.values).fetchone()
    )
    bars = (Bar(date.min, "", totals),) if totals.queries else ()
    return Chart(bars, source.limited_to)


def read_chart(db: Database, chosen: Filter, period: Period, stack: Stack) -> Chart:
    """Return the sums by period, each split by what the bars are stacked by."""
    if stack is Stack.COMPONENT:
        return _by_component(db, chosen, period)
    source = _source(db, chosen, stack, period)
    # To group what is grouped already takes as long as to read it, and so does making a mapping
    # of each of thousands of rows. By one column it is quicker than by two.
    columns = ", ".join(name if source.is_grouped else f"sum({name})" for name in SUMS)
    by = "start" if source.is_one_piece else "start, piece"
    rows = db.execute(
        f"select start, piece, {columns} from {source.table} "
        f"{'' if source.is_grouped else f'group by {by}'} order by {by}",
        source.values,
    )
    names = _names(db, stack)
    # Two files of one model and quantisation are one piece of a chart.
    pieces: dict[tuple[int, str], Sequence[Any]] = {}
    for start, key, *sums in rows:
        piece = (start, names[key] if key in names else str(key))
        known = pieces.get(piece)
        pieces[piece] = sums if known is None else [a + b for a, b in zip(known, sums, strict=True)]
    bars = (Bar(_day(start), key, Totals.from_sums(sums)) for (start, key), sums in pieces.items())
    return Chart(tuple(bars), source.limited_to)


def _by_component(db: Database, chosen: Filter, period: Period) -> Chart:
    if chosen.picks:
        numbers, limited_to = _picked(db, chosen)
        lines = ", ".join(f"{value.format(q='q')} {name}" for name, value in LINES.items())
        table = (
            f"(select {first_day('q.day')} start, c.domain, {lines} from json_each(?) n "
            "join queries q on q.started_ms = n.value join bills b on b.started_ms = n.value "
            f"join channels c on c.id = b.channel_id join {SPANS} l "
            f"where {COUNTED} and l.period = {KEPT[period]})"
        )
        source = _Source(table, [numbers], limited_to)
    else:
        facets = _facets(db, chosen, Stack.NOTHING)
        source = _spans("domain_sums", facets, _days(chosen, period))
    # Few columns: what is grouped is sorted first, and that takes the longer the more there are.
    rows = db.execute(
        "select start, domain, sum(joules), sum(unread), "
        "max(case when modelled then 3 when integrated then 2 when measured then 1 else 0 end) "
        f"from {source.table} group by 1, 2 order by 1, 2",
        source.values,
    )
    bars = (
        Bar(_day(start), domain, Totals.of_lines(unread, WEAKEST[kind], energy_j))
        for start, domain, energy_j, unread, kind in rows
    )
    return Chart(tuple(bars), source.limited_to)


class _Source(NamedTuple):
    """What a chart is made of.

    :param table: SQL of rows with the columns of ``sums`` and what bars are stacked by
    :param values: that the SQL asks for
    :param limited_to: as of a :class:`Chart`
    :param is_grouped: whether each row is a bar's, at most of several files of one model
    :param is_one_piece: whether bars are surely not split
    """

    table: str
    values: list[Any]
    limited_to: int | None = None
    is_grouped: bool = False
    is_one_piece: bool = False


def _source(db: Database, chosen: Filter, stack: Stack, period: Period) -> _Source:
    if not chosen.picks:
        return _spans("sums", _facets(db, chosen, stack), _days(chosen, period))
    numbers, limited_to = _picked(db, chosen)
    sums = ", ".join(f"{value.format(q='q')} {name}" for name, value in SUMS.items())
    table = (
        f"(select {first_day('q.day')} start, {_piece(stack, 'q')} piece, {sums} "
        f"from json_each(?) n join queries q on q.started_ms = n.value join {SPANS} l "
        f"where l.period = {KEPT[period]})"
    )
    return _Source(table, [numbers], limited_to)


def _picked(db: Database, chosen: Filter) -> tuple[str, int | None]:
    """Return the newest numbers as JSON, and how many they were held to if there are more."""
    numbers = list(itertools.islice(Selection(db, chosen).numbers(), PICK_LIMIT + 1))
    is_limited = len(numbers) > PICK_LIMIT
    return json.dumps(numbers[:PICK_LIMIT]), PICK_LIMIT if is_limited else None


def _spans(table: str, facets: Mapping[int, Any], days: Sequence["_Days"]) -> _Source:
    """Return the sums of whole periods, and of the days left over at either end.

    :param facets: see :func:`_facets`
    """
    sql = " union all ".join(
        f"select d.*, {'d.first_day' if each.bar is None else _number(each.bar)} start, "
        f"f.value piece from json_each(?) f cross join {table} d "
        f"where d.facet_id = f.key and d.period = {KEPT[each.spans]} "
        f"and d.first_day between {_number(each.since)} and {_number(each.until)}"
        for each in days
    )
    pieces = len(set(facets.values()))
    return _Source(
        f"({sql})",
        [json.dumps(facets)] * len(days),
        is_grouped=pieces == len(facets) and all(each.bar is None for each in days),
        is_one_piece=pieces == 1,
    )


class _Days(NamedTuple):
    """Days whose sums follow one another.

    :param spans: which sums are read
    :param bar: the first day of the one bar they are part of; ``None`` if each is a bar itself
    """

    spans: Period
    since: date
    until: date
    bar: date | None = None


def _days(chosen: Filter, period: Period) -> list[_Days]:
    """Return which sums together are a filter's days: those of periods as far as they are whole."""
    since, until = chosen.since or date.min, chosen.until or date.max
    first, last = period.start(since), period.start(until)
    is_cut_before = since > first
    is_cut_after = until < date.max and period.start(until + A_DAY) == last
    if since > until or (first == last and (is_cut_before or is_cut_after)):
        return [_Days(Period.DAY, since, until, first)]
    found = []
    if is_cut_before:
        found.append(_Days(Period.DAY, since, period.next(first) - A_DAY, first))
        since = period.next(first)
    if is_cut_after:
        found.append(_Days(Period.DAY, last, until, last))
        until = last - A_DAY
    if since <= until:
        found.append(_Days(period, since, until))
    return found


def _number(day: date) -> int:
    """Return a day as sums count them."""
    return day.toordinal() - EPOCH


@lru_cache(maxsize=1 << 12)
def _day(number: int) -> date:
    """Return the day of a number; the pieces of a bar share it."""
    return date.fromordinal(EPOCH + number)


def _facets(db: Database, chosen: Filter, stack: Stack) -> dict[int, Any]:
    """Return the fewest facets that tell what is asked, and which piece of a bar each is of."""
    wanted: dict[str, Sequence[object] | None] = {
        "machine_id": chosen.machines or None,
        "model_id": models_of(db, chosen) if chosen.models or chosen.quantisations else None,
        "kind": chosen.kinds or None,
        "status": chosen.statuses or None,
    }
    told = {name for name, given in wanted.items() if given is not None}
    if stack in KEYS:
        told.add(KEYS[stack])
    level = level_of(told)
    anything = {"machine_id": ANY, "model_id": ANY_MODEL, "kind": ANY, "status": ANY}
    conditions, values = ["is_deleted = 0"], list[object]()
    for name, given in wanted.items():
        conditions.append(f"{name} {'<>' if name in level else '='} ?")
        values.append(anything[name])
        if given is not None:
            conditions.append(f"{name} in (select value from json_each(?))")
            values.append(json.dumps(list(given)))
    sql = f"select id, {_piece(stack, 'facets')} from facets where {' and '.join(conditions)}"
    return dict(db.execute(sql, values).fetchall())


def _piece(stack: Stack, table: str) -> str:
    """Return SQL for the piece of a bar a row is of."""
    return f"{table}.{KEYS[stack]}" if stack in KEYS else "''"


def _names(db: Database, stack: Stack) -> dict[Any, str]:
    sql = {
        Stack.MODEL: "select id, trim(name || ' ' || ifnull(quantisation, '')) from models",
        Stack.MACHINE: "select id, iif(count(*) over (partition by name) > 1, "
        "name || ' (' || substr(id, 1, 6) || ')', name) from machines",
    }.get(stack)
    # A query of no model, as one that was imported may be, has no name either.
    unnamed: dict[Any, str] = {0: "", None: ""} if stack is Stack.MODEL else {}
    return unnamed | dict(db.execute(sql).fetchall()) if sql else {}
