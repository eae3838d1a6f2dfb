"""What the leaderboard reads: judged runs with what they were run on, their items, decode sums.

Only benchmarks are read, so that it costs no more as the history of other queries grows.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.energy.account import weakest
from monitor.power.channel import Kind
from monitor.store.bench_records import RunRow, RunStart, Sums
from monitor.store.database import Store
from monitor.store.filters import Filter
from monitor.store.lacking import PARTLY_READ
from monitor.store.records import Status

SETUP = {
    "machine_id": "q.machine_id",
    "machine": "h.name",
    "model": "m.name",
    "quantisation": "ifnull(m.quantisation, '')",
    "sha256": "m.sha256",
    "architecture": "m.architecture",
    "parameters": "m.parameters",
    "size_bytes": "m.size_bytes",
    "llama_cpp": "s.llama_cpp",
    "threads": "s.threads",
    "gpu_layers": "s.gpu_layers",
    # A context nobody chose is as long as a part's longest item needs: no setting to tell apart by.
    "context": "e.context",
}
"""What makes an entry of its own, and where it is found."""

SETUP_COLUMNS = ", ".join(f"{source} {name}" for name, source in SETUP.items())

OBJECT = "iif({row}.type = 'object', {row}.value, null)"
"""A row of a JSON list as far as it can be looked into: a bare text is no JSON."""

READ = (
    # The plan of each suite is read once, whatever the number of its runs. Of a damaged one nothing
    # is known, where SQLite would refuse to read those of all others with it.
    "with plans as materialized (select id, "
    "iif(json_type(plan, '$.models') = 'array', json_extract(plan, '$.models'), '[]') models, "
    "(select count(*) from json_each(plan, '$.suite.parts') part "
    f"where json_extract({OBJECT.format(row='part')}, '$.kind') = 'quality') parts "
    "from (select id, iif(json_valid(plan), plan, '{{}}') plan from bench_suites)), "
    "chosen as materialized (select distinct p.id, "
    f"json_extract({OBJECT.format(row='each')}, '$.sha256') sha256, "
    f"json_extract({OBJECT.format(row='each')}, '$.context') context "
    "from plans p, json_each(p.models) each where context is not null) "
    "select {columns} "
    # A cross join keeps its order in SQLite: the few runs first, never all queries.
    "from bench_runs r cross join queries q on q.id = r.id "
    "join machines h on h.id = q.machine_id join models m on m.id = q.model_id "
    "join settings s on s.id = q.settings_id join bench_suites b on b.id = r.suite_id "
    "join plans p on p.id = b.id left join chosen e "
    "on e.id = b.id and e.sha256 = m.sha256 and e.context = s.context "
    "where q.deleted_at is null and "
)


DECODE_COLUMNS = (
    "sum(q.decode_j) joules, "
    "sum(iif(q.decode_j is not null, q.energy_j, 0)) whole_j, "
    "sum(iif(q.decode_j is not null, q.energy_low_j, 0)) whole_low_j, "
    "sum(iif(q.decode_j is not null, q.energy_high_j, 0)) whole_high_j, "
    "sum(iif(q.decode_j is not null, q.completion_tokens, 0)) joules_tokens, "
    "sum(iif(q.decode_s > 0, q.decode_s, 0)) seconds, "
    "sum(iif(q.decode_s > 0, q.completion_tokens, 0)) seconds_tokens, "
    f"max(q.decode_j is not null and {PARTLY_READ.format(q='q')}) is_partly_read"
)


@dataclass(frozen=True, slots=True)
class Setup:
    """A model file as it was set up on a machine.

    :param model: its name
    :param context: tokens, if a person chose them; else ``None``
    """

    machine_id: str
    machine: str
    model: str
    quantisation: str
    sha256: str
    architecture: str
    parameters: int
    size_bytes: int | None
    llama_cpp: str
    threads: int
    gpu_layers: int
    context: int | None


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run of a task, with what is needed to know what it may be compared with.

    :param suite: the name of the suite it belongs to
    :param suite_parts: how many judged parts that suite has
    :param is_planned: whether the suite's plan can be read. Of a damaged one it is not known how
      many parts it has, nor whether a context was chosen
    :param started_at: UTC, ISO 8601
    """

    row: RunRow
    setup: Setup
    suite: str
    suite_title: str
    suite_parts: int
    is_planned: bool
    started_at: str
    method: int


@dataclass(frozen=True, slots=True)
class RunItems:
    """A run's items as columns, by position.

    :param positions: int64
    :param scores: 0 to 1, in the measure leaderboards print
    :param joules: NaN where none were measured
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    joules: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DecodeSums:
    """Answer tokens and what they took, over some queries.

    :param joules: of decode, with the ends of its interval; ``None`` if not measured
    :param joules_tokens: the answer tokens of those joules
    :param kind: the weakest among them
    :param is_partly_read: whether a part of some was not read, so that it was more
    """

    joules: float | None
    low_j: float | None
    high_j: float | None
    joules_tokens: int
    seconds: float
    seconds_tokens: int
    kind: Kind | None
    is_partly_read: bool


class Standings:
    """The part of the history the leaderboard is made of.

    :param store: open
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def judged_runs(self, chosen: Filter) -> list[JudgedRun]:
        """Return the runs in which answers were judged, oldest first.

        :param chosen: its models, quantisations, machines and days are heeded
        """
        where, values = _conditions(chosen)
        rows = self._store.read().query(
            READ.format(
                columns=f"r.*, q.status, q.started_at, q.method, {SETUP_COLUMNS}, "
                "b.name suite, b.title suite_title, p.parts suite_parts, "
                "p.parts > 0 and p.models <> '[]' is_planned"
            )
            + f"r.kind = 'quality' and r.done > 0 and q.status <> ?{where} order by r.id",
            [Status.RUNNING, *values],
        )
        return [
            JudgedRun(
                row=RunRow(
                    row["id"],
                    RunStart(**{name: row[name] for name in RunStart.__dataclass_fields__}),
                    Sums(**{name: row[name] for name in Sums.__dataclass_fields__}),
                    Status(row["status"]),
                    row["memory_bytes"],
                ),
                setup=_setup(row),
                suite=row["suite"],
                suite_title=row["suite_title"],
                suite_parts=row["suite_parts"],
                is_planned=bool(row["is_planned"]),
                started_at=row["started_at"],
                method=row["method"],
            )
            for row in rows
        ]

    def items(self, run_id: str, by_length: bool) -> RunItems:
        """Return a run's judged items.

        :param by_length: whether the score by length is the one leaderboards print
        """
        rows = self._store.read().execute(
            "select position, iif(? and correct_norm is not null, correct_norm, correct), "
            "energy_j from bench_items where run_id = ? and correct is not null order by position",
            [by_length, run_id],
        )
        table = np.array(rows.fetchall(), dtype=np.float64).reshape(-1, 3)
        return RunItems(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])

    def decode_sums(self, chosen: Filter) -> dict[Setup, DecodeSums]:
        """Return the answer tokens of finished benchmarks with what they took, by setup.

        The interval of the decode energy is taken to be as wide, in relation, as that of the whole
        queries: their ends are summed, so that random parts add linearly, on the safe side.
        """
        where, values = _conditions(chosen)
        rows = self._store.read().query(
            READ.format(columns=f"{SETUP_COLUMNS}, q.energy_kind, {DECODE_COLUMNS}")
            + f"q.status = ? and q.completion_tokens > 0{where} "
            # By their places: a name could mean a column of a joined table.
            f"group by {', '.join(str(place + 1) for place in range(len(SETUP) + 1))}",
            [Status.DONE, *values],
        )
        found: dict[Setup, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(_setup(row), []).append(row)
        return {setup: _sum(group) for setup, group in found.items()}

    def machines_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Return the identifier of the machine each query ran on."""
        rows = self._store.read().execute(
            "select id, machine_id from queries where id in (select value from json_each(?))",
            [json.dumps(list(query_ids))],
        )
        return dict(rows.fetchall())


def _conditions(chosen: Filter) -> tuple[str, list[str]]:
    """Return what a filter asks for, each condition after an ``and``, and its values."""
    conditions: list[str] = []
    values: list[str] = []
    for column, wanted in (
        ("m.name", chosen.models),
        (SETUP["quantisation"], chosen.quantisations),
        ("q.machine_id", chosen.machines),
    ):
        if wanted:
            conditions.append(f"{column} in (select value from json_each(?))")
            values.append(json.dumps(wanted))
    for comparison, day in (("q.day >= ?", chosen.since), ("q.day <= ?", chosen.until)):
        if day:
            conditions.append(comparison)
            values.append(day.isoformat())
    return "".join(f" and {condition}" for condition in conditions), values


def _setup(row: Mapping[str, Any]) -> Setup:
    return Setup(**{name: row[name] for name in SETUP})


def _sum(rows: Sequence[Mapping[str, Any]]) -> DecodeSums:
    measured = [row for row in rows if row["joules"] is not None and row["whole_j"]]

    def summed(end: str) -> float:
        return math.fsum(row["joules"] * row[end] / row["whole_j"] for row in measured)

    return DecodeSums(
        joules=summed("whole_j") if measured else None,
        low_j=summed("whole_low_j") if measured else None,
        high_j=summed("whole_high_j") if measured else None,
        joules_tokens=sum(row["joules_tokens"] for row in measured),
        seconds=sum(row["seconds"] for row in rows),
        seconds_tokens=sum(row["seconds_tokens"] for row in rows),
        kind=weakest(Kind(row["energy_kind"]) for row in measured if row["energy_kind"]),
        is_partly_read=any(row["is_partly_read"] for row in measured),
    )
