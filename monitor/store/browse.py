"""Looking through the history: rows, sums and choices of a :class:`Filter`."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.attachments import question_first
from monitor.carbon.intensity import SOURCE
from monitor.store.chart_reader import read_chart, read_totals
from monitor.store.charts import Chart, Period, Stack
from monitor.store.database import Store
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.gauges import THROTTLED
from monitor.store.records import QueryRow
from monitor.store.selection import Selection
from monitor.store.sums import OWN

ROW_COLUMNS = (
    "q.started_ms, q.id, q.kind, q.status, q.started_at, listed_prompt(q.prompt_text) "
    "prompt_text, q.completion_tokens, q.decode_s, q.total_s, q.energy_j, q.energy_low_j, "
    "q.energy_high_j, q.decode_j, q.energy_kind, q.resolved, q.partly_read, q.others, q.shared, "
    "q.pue, q.note, q.facet_id"
)
"""What a line of the history table needs: not the answers, nor the text of attached files."""

LISTED_LENGTH = 4000
"""Characters of a prompt in a line of the history table."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to filter by.

    :param machines: name by identifier
    """

    models: tuple[str, ...]
    quantisations: tuple[str, ...]
    kinds: tuple[str, ...]
    statuses: tuple[str, ...]
    machines: dict[str, str]
    tags: tuple[str, ...]


class Browse:
    """Reads what the history page and the commands show; writes nothing.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def numbers(
        self, chosen: Filter = EVERYTHING, limit: int | None = None, before: int | None = None
    ) -> list[int]:
        """Return the numbers of queries, the newest first; see :meth:`rows`."""
        found = Selection(self._store.read(), chosen).numbers(before)
        return list(itertools.islice(found, limit))

    def rows(
        self, chosen: Filter = EVERYTHING, limit: int = 200, before: int | None = None
    ) -> list[QueryRow]:
        """Return lines of the history table, the newest first.

        :param before: the number of a query: only older ones
        """
        numbers = self.numbers(chosen, limit, before)
        db = self._store.read()
        # Files stand before the question and may be megabytes: none of it leaves SQLite.
        db.register_function(listed_prompt, deterministic=True)
        rows = db.query(
            f"select {ROW_COLUMNS}, m.name model_name, m.quantisation, i.g_per_kwh, "
            "(select group_concat(tag, char(10)) from tags t where t.started_ms = q.started_ms) "
            f"tags, {THROTTLED} throttled "
            "from queries q left join models m on m.id = q.model_id "
            # A year's 0 is a figure that is missing; see monitor.carbon.intensity.
            "left join intensities i on i.id = q.intensity_id "
            "and (i.g_per_kwh > 0 or i.source not like ?) "
            "where q.started_ms in (select value from json_each(?)) order by q.started_ms desc",
            [f"{SOURCE}%", json.dumps(numbers)],
        )
        return [QueryRow.from_row(row) for row in rows]

    def numbers_of(self, query_ids: Sequence[str]) -> list[int]:
        """Return the numbers of queries by their whole identifiers, the newest first."""
        rows = self._store.read().execute(
            "select started_ms from queries where id in (select value from json_each(?)) "
            "order by started_ms desc",
            [json.dumps(list(query_ids))],
        )
        return [number for (number,) in rows]

    def ids_of(self, numbers: Sequence[int]) -> list[str]:
        """Return the identifiers of queries by their numbers, the newest first."""
        rows = self._store.read().execute(
            "select id from queries where started_ms in (select value from json_each(?)) "
            "order by started_ms desc",
            [json.dumps(list(numbers))],
        )
        return [query_id for (query_id,) in rows]

    def ids(self, chosen: Filter) -> Iterator[str]:
        """Return the identifiers of all queries of a filter, the newest first."""
        db = self._store.read()
        for number in Selection(db, chosen).numbers():
            row = db.execute("select id from queries where started_ms = ?", [number]).fetchone()
            yield row[0]

    def totals(self, chosen: Filter = EVERYTHING) -> Chart:
        """Return the sum over everything, as a chart of one bar, or of none without queries."""
        return read_totals(self._store.read(), chosen)

    def chart(self, chosen: Filter, period: Period, stack: Stack) -> Chart:
        """Return sums by period."""
        return read_chart(self._store.read(), chosen, period, stack)

    def choices(self) -> Choices:
        """Return what there is to filter by."""
        db = self._store.read()

        def column(sql: str) -> tuple[str, ...]:
            return tuple(value for (value,) in db.execute(sql) if value)

        own = f"from facets where is_deleted = 0 and {OWN}"
        used = f"from models where id in (select model_id {own})"
        return Choices(
            models=column(f"select distinct name {used} order by name collate nocase"),
            quantisations=column(f"select distinct quantisation {used} order by quantisation"),
            kinds=column(f"select distinct kind {own} order by kind"),
            statuses=column(f"select distinct status {own} order by status"),
            machines=dict(
                db.execute(
                    f"select id, name from machines where id in (select machine_id {own})"
                ).fetchall()
            ),
            tags=column("select distinct tag from tags order by tag collate nocase"),
        )


def listed_prompt(prompt: str | None) -> str:
    """Return a stored prompt as a line of the history table has it; see :func:`question_first`."""
    return question_first(prompt or "")[:LISTED_LENGTH]
