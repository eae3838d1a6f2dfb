"""What training models took, beside what their answers take here."""

import json

from monitor.carbon.footprint import J_PER_KWH
from monitor.carbon.training import Answer, Method, Training
from monitor.power.channel import Kind
from monitor.store.database import Store
from monitor.store.records import Status

NEWEST = 1000
"""Answers looked at for each machine, quantisation and kind: enough for a mean, soon read."""

ANSWERS = (
    # A list of row numbers for each facet, from the index alone; there are few facets.
    "select q.energy_j * q.pue, q.energy_low_j * q.pue, q.energy_high_j * q.pue, q.energy_kind, "
    f"i.g_per_kwh / {J_PER_KWH} from facets f join queries q on q.started_ms in "
    "(select started_ms from queries where facet_id = f.id order by started_ms desc limit ?) "
    "left join intensities i on i.id = q.intensity_id "
    "where f.model_id in (select id from models where name = ?) and f.kind in ('ask', 'chat') "
    "and f.status = ? and f.is_deleted = 0 and q.energy_j > 0 and q.energy_kind is not null"
)


class Trainings:
    """Keeps one training a model, by the model's name.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def known(self) -> dict[str, Training]:
        """Return what is known, by the names of models."""
        rows = self._store.read().execute(
            "select model, grams, source, energy_j, method, details from trainings"
        )
        return {
            model: Training(
                grams, source, energy_j, Method(method), tuple(json.loads(details or "{}").items())
            )
            for model, grams, source, energy_j, method, details in rows
        }

    def keep(self, model: str, training: Training) -> None:
        """Keep what training a model took, in place of what was known before."""
        row = {
            "model": model,
            "grams": training.grams,
            "source": training.source,
            "energy_j": training.energy_j,
            "method": str(training.method),
            "details": json.dumps(dict(training.details), ensure_ascii=False),
        }
        self._store.write(lambda db: db.table("trainings").upsert(row, pk="model")).result()

    def forget(self, model: str) -> None:
        """Remove what is known of a model's training."""
        self._store.write(
            lambda db: db.execute("delete from trainings where model = ?", [model])
        ).result()

    def answers(self, model: str) -> list[Answer]:
        """Return the newest measured answers of a model, on every machine of the history."""
        rows = self._store.read().execute(ANSWERS, [NEWEST, model, Status.DONE])
        return [
            Answer(joules, low_j, high_j, Kind(kind), g_per_j)
            for joules, low_j, high_j, kind, g_per_j in rows
        ]
