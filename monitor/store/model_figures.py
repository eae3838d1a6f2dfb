"""What models took on this machine when they answered last: joules a token, tokens a second."""

from dataclasses import dataclass

from monitor.energy.account import weakest
from monitor.power.channel import Kind
from monitor.store.database import Store
from monitor.store.lacking import DISTURBED, PARTLY_READ
from monitor.store.records import Status

NEWEST = 50
"""Answers looked at for each model, kind and outcome: settings change, so older ones tell less."""

COLUMNS = (
    "q.model_id, q.completion_tokens, q.decode_s, q.decode_j, q.energy_j, q.energy_low_j, "
    "q.energy_high_j, q.energy_kind, q.partly_read, q.others, q.shared"
)

ANSWERS = (
    # A list of row numbers for each facet, from the index alone; there are few facets.
    f"select {COLUMNS} from facets f join queries q on q.started_ms in "
    "(select started_ms from queries where facet_id = f.id order by started_ms desc limit ?) "
    "where f.machine_id = ? and f.model_id > 0 and f.kind in ('ask', 'chat') "
    "and f.status in (?, ?) and f.is_deleted = 0"
)

SPEED_TESTS = (
    # A cross join keeps its order in SQLite: the few runs first, never all queries.
    f"select {COLUMNS} from bench_runs r cross join queries q on q.id = r.id "
    "where r.kind = 'speed' and q.machine_id = ? and q.status = ? and q.deleted_at is null"
)

MEASURED = "q.decode_j is not null and q.energy_j > 0"

FIGURES = (
    "select m.sha256, m.path, m.size_bytes, m.modified_ns, count(*) answers, "
    f"sum(iif({MEASURED}, q.completion_tokens, 0)) joules_tokens, "
    f"sum(iif({MEASURED}, q.decode_j, 0)) joules, "
    f"sum(iif({MEASURED}, q.decode_j * q.energy_low_j / q.energy_j, 0)) low_j, "
    f"sum(iif({MEASURED}, q.decode_j * q.energy_high_j / q.energy_j, 0)) high_j, "
    f"max({MEASURED} and {PARTLY_READ.format(q='q')}) is_partly_read, "
    f"sum({MEASURED} and {DISTURBED.format(q='q')}) beside, "
    f"group_concat(distinct iif({MEASURED}, q.energy_kind, null)) kinds, "
    "sum(iif(q.decode_s > 0, q.decode_s, 0)) seconds, "
    "sum(iif(q.decode_s > 0, q.completion_tokens, 0)) seconds_tokens "
    f"from ({ANSWERS} union all {SPEED_TESTS}) q join models m on m.id = q.model_id "
    "where q.completion_tokens > 0 group by m.id"
)


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model took on this machine, over its newest answers and all its speed tests.

    :param path: its file when it was used last, with ``size_bytes`` and ``modified_ns``
    :param answers: how many there are
    :param joules_per_token: of decode, ``None`` if it was not measured
    :param low_j: lower end of its 95 % interval, and ``high_j`` the upper one
    :param kind: the weakest of the measurements
    :param is_partly_read: whether a part was not read in some of them, so that it was more
    :param beside: during how many other programs computed, whose joules are in the figure too
    """

    sha256: str
    path: str
    size_bytes: int
    modified_ns: int
    answers: int
    joules_per_token: float | None
    low_j: float | None
    high_j: float | None
    kind: Kind | None
    tokens_per_s: float | None
    is_partly_read: bool = False
    beside: int = 0


def read_model_figures(store: Store, machine_id: str) -> list[ModelFigures]:
    """Read what every model took on a machine.

    The interval of the decode energy is taken to be as wide, in relation, as that of its whole
    query; the ends are summed, so that random parts add linearly, on the safe side.
    """
    rows = store.read().query(
        FIGURES, [NEWEST, machine_id, Status.DONE, Status.STOPPED, machine_id, Status.DONE]
    )
    found = []
    for row in rows:
        tokens, seconds = row["joules_tokens"], row["seconds"]
        joules = [row[key] / tokens if tokens else None for key in ("joules", "low_j", "high_j")]
        found.append(
            ModelFigures(
                sha256=row["sha256"],
                path=row["path"],
                size_bytes=row["size_bytes"],
                modified_ns=row["modified_ns"],
                answers=row["answers"],
                joules_per_token=joules[0],
                low_j=joules[1],
                high_j=joules[2],
                kind=weakest(map(Kind, (row["kinds"] or "").split(","))) if tokens else None,
                tokens_per_s=row["seconds_tokens"] / seconds if seconds else None,
                is_partly_read=bool(row["is_partly_read"]),
                beside=row["beside"] or 0,
            )
        )
    return found
