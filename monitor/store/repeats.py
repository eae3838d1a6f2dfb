"""Queries that measure the same once more: kept together, or found among all that is stored."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from monitor.store.database import Store
from monitor.store.records import Status

MOST_RUNS = 200
"""So many of the newest runs say how a query scatters; more would not say it better."""

PHRASE_WORDS = 24
"""Words of a prompt that the index of words is asked for; the rest is compared in full."""

SAME_ANSWER = (
    "s.kind in ('ask', 'chat') and s.prompt_text = q.prompt_text and s.model_id = q.model_id "
    "and s.system_text is q.system_text and s.settings_id is q.settings_id and s.seed is q.seed "
    # After other turns, or with a part of them in the context, it is another prompt.
    "and s.prompt_tokens is q.prompt_tokens and s.reused_tokens is q.reused_tokens"
)

SAME_PAPER = " and ".join(
    f"r.{name} is o.{name}"
    for name in (
        "kind", "task", "protocol", "shots", "data_sha256", "shots_sha256", "prompts_sha256",
        "planned", "done",
    )
)  # fmt: skip

COUNTED = (
    "s.status = 'done' and s.deleted_at is null and s.machine_id is q.machine_id "
    "and s.method is q.method"
)


class Repeats:
    """Groups of queries that were run to know one energy better.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, query_id: str, repeat_id: str) -> None:
        """Put a query into a group.

        :param query_id: its whole identifier
        :param repeat_id: the group's, made by whoever runs it
        """
        self._store.write(
            lambda db: db.execute(
                "update queries set repeat_id = ? where id = ?", [repeat_id, query_id]
            )
        ).result()

    def members(self, repeat_id: str) -> tuple[str, ...]:
        """Return the identifiers of a group's queries, the oldest first; none if it is unknown."""
        rows = self._store.read().execute(
            "select id from queries where repeat_id = ? order by started_ms", [repeat_id]
        )
        return tuple(query_id for (query_id,) in rows)

    def of(self, query_id: str) -> tuple[str, ...]:
        """Return the counted runs of the group a query belongs to, the oldest first.

        The run that had to load the model warmed it up and is not counted.

        :return: none if it belongs to no group, or to one of a single run
        """
        rows = self._rows(
            "from queries q join queries s on s.repeat_id = q.repeat_id where q.id = ?", query_id
        )
        runs = _settled(rows, query_id)
        return runs if len(runs) > 1 else ()

    def alike(self, query_id: str, without: Collection[str] = ()) -> tuple[str, ...]:
        """Return the newest runs of the same thing on the same machine, the oldest first.

        The same is a question with its system prompt, model, settings and seed, or a benchmark's
        part with its items; a run counts if it came to its end. Those that did not have to load
        the model say more, where there are some.

        :param query_id: its whole identifier
        :param without: runs that do not count
        :return: none for what is run once by its nature, or did not come to its end
        """
        rows = self._rows(
            "from bench_runs r join bench_runs o join queries q on q.id = r.id "
            "join queries s on s.id = o.id "
            f"where r.id = ? and {SAME_PAPER} and s.model_id = q.model_id "
            "and s.settings_id is q.settings_id and q.status = 'done'",
            query_id,
        )
        if rows:
            return tuple(run_id for run_id, _ in rows)
        match = self._match(query_id)
        if not match:
            return ()
        rows = self._rows(
            "from queries q join texts t join queries s on s.started_ms = t.rowid "
            f"where q.id = ? and q.status = 'done' and texts match ? and {SAME_ANSWER}",
            query_id,
            match,
        )
        return _settled([row for row in rows if row[0] not in without], query_id)

    def _rows(self, source: str, *values: str) -> list[tuple[str, bool]]:
        """Return runs with whether they loaded the model, the oldest first."""
        found = self._store.read().execute(
            f"select s.id, s.load_s is not null {source} and {COUNTED} "
            "order by s.started_ms desc limit ?",
            [*values, MOST_RUNS],
        )
        return [(run_id, bool(loaded)) for run_id, loaded in found][::-1]

    def _match(self, query_id: str) -> str:
        """Ask the index of words for prompts that begin as a query's does, put to its model."""
        row: Sequence[Any] | None = (
            self._store.read()
            .execute("select prompt_text, model_id from queries where id = ?", [query_id])
            .fetchone()
        )
        words = (row[0] or "").split()[:PHRASE_WORDS] if row else []
        phrase = " ".join(words).replace('"', " ")
        if row is None or not any(map(str.isalnum, phrase)):
            return ""
        return f'{{prompt}} : "{phrase}" AND {{marks}} : ("m{row[1]}" AND "s{Status.DONE}")'


def _settled(rows: Iterable[tuple[str, bool]], query_id: str) -> tuple[str, ...]:
    """Return the runs with a model that was loaded before, or those without where there are none.

    A load leaves caches and clocks cold, so that the two are not mixed.
    """
    listed = list(rows)
    warm, cold = (
        tuple(run_id for run_id, loaded in listed if loaded is wanted) for wanted in (False, True)
    )
    return warm if len(warm) > 1 or query_id in warm else cold
