"""How long power curves are kept, and how fine: by rules a person sees. Bills are never thinned.

Curves are gone through in the order of time, and how far that has come is a preference: a run that
was stopped goes on where it was, and the next one looks only at what has become old since.
"""

import json
import lzma
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from monitor.store.copies import Progress, never, unheard
from monitor.store.curves import decode_trace, encode_trace, thin_trace
from monitor.store.database import Store

RULES_PREFERENCE, DONE_PREFERENCE = "retention", "thinned"

FINE_S, COARSE_S = 1.0, 10.0
"""Seconds from point to point of a thinned curve, and of one thinned further."""

DROPPED = "dropped"

PROBES = 12
"""Curves that are thinned to tell how much thinning frees."""

LOCK_S = 0.02
"""What a batch may take to be written: nobody waits for longer than about twice that."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a power curve is kept as it was read, and what becomes of it then.

    :param whole_days: days for which every reading is kept; ``None`` for ever
    :param fine_days: days until which there is a point a second; ``None`` for ever
    :param drops: whether an older curve is removed; otherwise it keeps a point each ten seconds
    :raises ValueError: if they contradict each other
    """

    whole_days: int | None = 90
    fine_days: int | None = 365
    drops: bool = False

    def __post_init__(self) -> None:
        for days in (self.whole_days, self.fine_days):
            if days is not None and days < 1:
                raise ValueError("Curves are kept for a day at least.")
        if self.fine_days is None:
            return
        if self.whole_days is None or self.fine_days < self.whole_days:
            raise ValueError("Curves are thinned to a second before they are thinned further.")


@dataclass(frozen=True, slots=True)
class Freed:
    """What thinning does, or did.

    :param thinned: curves with fewer points
    :param dropped: curves that are removed
    :param unread: curves that could not be read and stay as they are
    :param bytes_before: of the curves that are thinned or removed
    :param bytes_freed: of those; the file itself gets smaller by a vacuum
    :param is_complete: whether it came to its end
    """

    thinned: int = 0
    dropped: int = 0
    unread: int = 0
    bytes_before: int = 0
    bytes_freed: int = 0
    is_complete: bool = True

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(
            self.thinned + other.thinned,
            self.dropped + other.dropped,
            self.unread + other.unread,
            self.bytes_before + other.bytes_before,
            self.bytes_freed + other.bytes_freed,
            self.is_complete and other.is_complete,
        )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Curves of queries with numbers from ``first`` up to but not ``last`` are to be thinned.

    :param step_s: seconds from point to point; ``None`` to remove them
    """

    first: int
    last: int
    step_s: float | None

    @property
    def name(self) -> str:
        return DROPPED if self.step_s is None else f"{self.step_s:g} s"


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    query_id: str
    data: bytes


def read_rules(store: Store) -> Rules:
    """Return the rules a person chose, or the ones to begin with."""
    return Rules(**_preference(store.read(), RULES_PREFERENCE))


def write_rules(store: Store, rules: Rules) -> None:
    """Store the rules; what they free is freed by :func:`thin`."""
    store.write(lambda db: _set_preference(db, RULES_PREFERENCE, asdict(rules))).result()


def preview(store: Store, rules: Rules, now: datetime | None = None) -> Freed:
    """Return about how much thinning would free, by thinning a few curves."""
    db, found = store.read(), Freed()
    for stage in _stages(db, rules, now):
        count, size = db.execute(
            "select count(*), ifnull(sum(length(t.data)), 0) from queries q cross join traces t "
            "on t.query_id = q.id where q.started_ms >= ? and q.started_ms < ?",
            [stage.first, stage.last],
        ).fetchone()
        if stage.step_s is None:
            found += Freed(dropped=count, bytes_before=size, bytes_freed=size)
        elif count:
            share = _share_freed(db, stage)
            found += Freed(thinned=count, bytes_before=size, bytes_freed=round(size * share))
    return found


def _share_freed(db: Database, stage: _Stage) -> float:
    before = after = 0
    (first,) = db.execute(
        "select min(started_ms) from queries where started_ms >= ?", [stage.first]
    ).fetchone()
    for probe in range(PROBES):
        number = first + (stage.last - first) * probe // PROBES
        for row in _rows(db, number, stage.last, 1):
            before += len(row.data)
            after += len(_thinned(row, stage) or row.data)
    return 1 - after / before


def thin(
    store: Store,
    rules: Rules,
    now: datetime | None = None,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = never,
) -> Freed:
    """Thin or remove the curves that have become old.

    It is written in batches of a few milliseconds, so that it can go on beside anything else.

    :raises StoreError: if it cannot be written; what was done is kept
    """
    freed = Freed()
    for stage in _stages(store.read(), rules, now):
        freed += _run(store, stage, progress, cancelled)
        if not freed.is_complete:
            break
    return freed


def _run(store: Store, stage: _Stage, progress: Progress, cancelled: Callable[[], bool]) -> Freed:
    freed, pace, at = Freed(), Pace(), stage.first
    begin: int | None = None
    while rows := list(_rows(store.read(), at, stage.last, pace.rows)):
        if cancelled():
            return freed + Freed(is_complete=False)
        begin = rows[0].number if begin is None else begin
        at = rows[-1].number + 1
        made = [(row, None if stage.step_s is None else _thinned(row, stage)) for row in rows]
        with pace:
            store.write(lambda db, made=made, at=at: _replace(db, stage, made, at)).result()  # type: ignore[misc]
        freed += _freed(stage, made)
        progress((at - begin) / (stage.last - begin))
    store.write(lambda db: set_done(db, stage.name, stage.last)).result()
    progress(1.0)
    return freed


class Pace:
    """How many rows to write at once, so that the lock is held for about :data:`LOCK_S`."""

    def __init__(self) -> None:
        self.rows = 10
        self._began_s = 0.0

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took_s = time.monotonic() - self._began_s
        self.rows = max(1, min(round(self.rows * min(LOCK_S / took_s, 2.0)), 200))


def done_until(db: Database, name: str) -> int:
    """Return the number of the first query whose curve is still to be looked at.

    :param name: what for
    """
    return int(_preference(db, DONE_PREFERENCE).get(name, 0))


def set_done(db: Database, name: str, number: int) -> None:
    """Remember that the curves of all earlier queries need not be looked at again."""
    _set_preference(db, DONE_PREFERENCE, _preference(db, DONE_PREFERENCE) | {name: number})


def look_again(db: Database, number: int) -> None:
    """Have curves from a query's number on looked at anew: some have come from elsewhere."""
    done = _preference(db, DONE_PREFERENCE)
    _set_preference(db, DONE_PREFERENCE, {name: min(at, number) for name, at in done.items()})


def _stages(db: Database, rules: Rules, now: datetime | None) -> Iterator[_Stage]:
    """What is left to be done, the oldest curves first."""
    moment = now or datetime.now(UTC)
    first = 0
    for days, step_s in (
        (rules.fine_days, None if rules.drops else COARSE_S),
        (rules.whole_days, FINE_S),
    ):
        if days is not None:
            last = int((moment - timedelta(days=days)).timestamp() * 1000)
            stage = _Stage(first, last, step_s)
            yield _Stage(max(first, done_until(db, stage.name)), last, step_s)
            first = last


def _rows(db: Database, first: int, last: int, limit: int) -> Iterator[_Row]:
    rows = db.execute(
        "select q.started_ms, t.query_id, t.data from queries q cross join traces t "
        "on t.query_id = q.id where q.started_ms >= ? and q.started_ms < ? "
        "order by q.started_ms limit ?",
        [first, last, limit],
    )
    return (_Row(*row) for row in rows)


def _thinned(row: _Row, stage: _Stage) -> bytes | None:
    """Return the thinned curve, ``None`` if it is as thin already or cannot be read."""
    assert stage.step_s is not None
    try:
        trace = decode_trace(row.data)
    except (ValueError, lzma.LZMAError, EOFError):
        return None
    if (trace.step_s or 0) >= stage.step_s:
        return row.data
    return encode_trace(thin_trace(trace, stage.step_s), 0.0)


def _replace(db: Database, stage: _Stage, made: list[tuple[_Row, bytes | None]], at: int) -> None:
    if stage.step_s is None:
        db.conn.executemany(
            "delete from traces where query_id = ?", [[row.query_id] for row, _ in made]
        )
    else:
        db.conn.executemany(
            "update traces set data = ? where query_id = ?",
            [[data, row.query_id] for row, data in made if data is not None],
        )
    set_done(db, stage.name, at)


def _freed(stage: _Stage, made: list[tuple[_Row, bytes | None]]) -> Freed:
    if stage.step_s is None:
        size = sum(len(row.data) for row, _ in made)
        return Freed(dropped=len(made), bytes_before=size, bytes_freed=size)
    changed = [(len(row.data), len(data)) for row, data in made if data and data != row.data]
    return Freed(
        thinned=len(changed),
        unread=sum(data is None for _, data in made),
        bytes_before=sum(before for before, _ in changed),
        bytes_freed=sum(before - after for before, after in changed),
    )


def _preference(db: Database, key: str) -> dict[str, Any]:
    found = db.execute("select value from preferences where key = ?", [key]).fetchone()
    return dict(json.loads(found[0])) if found else {}


def _set_preference(db: Database, key: str, value: dict[str, Any]) -> None:
    row = {"key": key, "value": json.dumps(value)}
    db.table("preferences").upsert(row, pk="key")
