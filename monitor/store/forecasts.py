"""Forecasts: what they are made of, and how they turned out."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from monitor.energy.account import METHOD
from monitor.energy.forecast import FEWEST, Forecast, PastAnswers
from monitor.power.channel import Kind
from monitor.store.database import Store
from monitor.store.lacking import DISTURBED
from monitor.store.records import Status

MOST_ANSWERS = 200
"""A forecast rests on no more than the newest of them: machines and habits change."""

SCORED = 50
"""So many of the newest forecasts are scored."""

LOOK_BACK = 4_000
"""Answers older than this many of a model's newest are not looked at, whatever is found."""

CUT = ("length", "context")
"""Ends of answers that would have gone on."""

RECENT = (
    # The newest of a model's answers here, each facet by its own index.
    "with facet as (select id from facets where machine_id = :machine and status = :done "
    "and model_id = :model and kind in ('ask', 'chat') and is_deleted = 0), "
    "recent as (select started_ms from facet join queries on facet_id = facet.id "
    "order by started_ms desc limit :look_back) "
)

BASIS = RECENT + (
    "select q.prompt_tokens - ifnull(q.reused_tokens, 0) fresh, q.completion_tokens, q.prefill_j, "
    "q.decode_j, q.finish_reason, q.energy_kind, "
    f"{DISTURBED.format(q='q')} is_disturbed "
    "from recent join queries q using (started_ms) "
    "join settings s on s.id = q.settings_id where s.threads is :threads "
    "and s.gpu_layers is :gpu_layers and q.method = :method and fresh > 0 "
    "and q.completion_tokens > 0 and q.prefill_j > 0 and q.decode_j > 0 "
    "order by started_ms desc limit :most"
)

SCORE = RECENT + (
    "select count(*) made, ifnull(sum(held), 0) held from (select "
    "q.energy_j between p.low_j and p.high_j held from recent join queries q using (started_ms) "
    "join predictions p on p.query_id = q.id where q.energy_j is not null "
    "order by started_ms desc limit :most)"
)


@dataclass(frozen=True, slots=True)
class Score:
    """How forecasts turned out.

    :param made: forecasts of answers that came to their end and were measured, 50 at most
    :param held: how many of these answers took what lies between the ends of their forecast
    """

    made: int
    held: int


def insert_prediction(db: Database, query_id: str, forecast: Forecast) -> None:
    """Keep what was foretold of a query, in the transaction that begins it."""
    db.table("predictions").upsert(
        {
            "query_id": query_id,
            "energy_j": forecast.energy_j,
            "low_j": forecast.low_j,
            "high_j": forecast.high_j,
            "basis": forecast.basis,
        },
        pk="query_id",
    )


class Forecasts:
    """The part of the history that forecasts are made of.

    :param store: open
    :param machine_id: this machine; others take other joules
    """

    def __init__(self, store: Store, machine_id: str) -> None:
        self._store, self._machine_id = store, machine_id

    def basis(self, model: str | Path, threads: int, gpu_layers: int) -> PastAnswers | None:
        """Return the newest finished answers of a model in one place, 200 at most.

        Only such as were measured as the newest one was: a counter and a model of the processor
        do not agree. Those beside which other programs computed are left out if there are enough
        without them: their joules are not the model's alone.

        :param model: SHA-256 or path of its file
        :param threads: as it is loaded
        :param gpu_layers: likewise
        :return: ``None`` if there are none
        """
        wanted = {
            "threads": threads,
            "gpu_layers": gpu_layers,
            "method": METHOD,
            "most": MOST_ANSWERS,
        }
        rows = list(self._store.read().query(BASIS, self._of(model) | wanted))
        same = [row for row in rows if row["energy_kind"] == rows[0]["energy_kind"]]
        if not same:
            return None
        alone = [row for row in same if not row["is_disturbed"]]
        left_out = len(same) - len(alone) if len(alone) >= FEWEST else 0
        same = alone if left_out else same
        joules = np.array([(row["prefill_j"], row["decode_j"]) for row in same], np.float64)
        return PastAnswers(
            fresh_tokens=np.array([row["fresh"] for row in same], np.float64),
            answer_tokens=np.array([row["completion_tokens"] for row in same], np.float64),
            prefill_j=joules[:, 0],
            decode_j=joules[:, 1],
            is_cut=np.array([row["finish_reason"] in CUT for row in same]),
            kind=Kind(same[0]["energy_kind"]),
            left_out=left_out,
        )

    def keep(self, query_id: str, forecast: Forecast) -> "Future[None]":
        """Keep what was foretold of a query that has begun."""
        return self._store.write(lambda db: insert_prediction(db, query_id, forecast))

    def of(self, query_id: str) -> Forecast | None:
        """Return what was foretold of a query, ``None`` if nothing was."""
        rows = self._store.read().query(
            "select p.*, q.energy_kind from predictions p join queries q on q.id = p.query_id "
            "where p.query_id = ?",
            [query_id],
        )
        return next(map(_forecast, rows), None)

    def score(self, model: str | Path) -> Score:
        """Return how the newest forecasts of a model turned out here.

        :param model: SHA-256 or path of its file
        """
        rows = self._store.read().query(SCORE, self._of(model) | {"most": SCORED})
        return next(Score(row["made"], row["held"]) for row in rows)

    def _of(self, model: str | Path) -> dict[str, Any]:
        found = self._store.read().execute(
            "select id from models where sha256 = :model or path = :model "
            "order by sha256 = :model desc, id desc limit 1",
            {"model": str(model)},
        )
        return {
            "machine": self._machine_id,
            "model": next((model_id for (model_id,) in found), None),
            "done": str(Status.DONE),
            "look_back": LOOK_BACK,
        }


def _forecast(row: Mapping[str, Any]) -> Forecast:
    kind = row["energy_kind"]
    return Forecast(row["energy_j"], row["low_j"], row["high_j"], row["basis"], kind and Kind(kind))
