"""What the self-test found this machine's sensors to be like, as it is kept."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

from sqlite_utils import Database

from monitor.power.channel import Channel
from monitor.power.selftest import Traits, Verdict, refined
from monitor.store.database import Store
from monitor.store.history import History
from monitor.store.identifiers import utc_now
from monitor.store.machine import this_machine

COLUMNS = "key, verdict, period_s, step_j, idle_w, spread_w, samples, duration_s, measured_at"

TELLING = {Verdict.FOUND, Verdict.FAST}
"""Verdicts of a test that has learned something of the period."""


class SensorTraits:
    """The traits of one machine's channels: of each the newest that was found.

    :param store: open
    :param machine_id: this machine's unless given
    """

    def __init__(self, store: Store, machine_id: str = "") -> None:
        self._store = store
        self._machine_id = machine_id or str(this_machine()["id"])

    def keep(self, found: Iterable[Traits]) -> tuple[Traits, ...]:
        """Store what was found beside what was known; return what is known now of these channels.

        :raises StoreError: if it cannot be stored
        """
        now = utc_now()
        timed = [replace(traits, measured_at=now) for traits in found]
        return self._store.write(lambda db: self._keep(db, timed)).result()

    def _keep(self, db: Database, found: Iterable[Traits]) -> tuple[Traits, ...]:
        known = self._known(db)
        kept = tuple(
            together(known[each.key], each) if each.key in known else each for each in found
        )
        rows = [{"machine_id": self._machine_id, **asdict(traits)} for traits in kept]
        db.table("sensor_traits").upsert_all(rows, pk=("machine_id", "key"))
        return kept

    def all(self) -> dict[str, Traits]:
        """Return what is known, by the channels' keys."""
        return self._known(self._store.read())

    def _known(self, db: Database) -> dict[str, Traits]:
        rows = db.query(
            f"select {COLUMNS} from sensor_traits where machine_id = ? order by key",
            [self._machine_id],
        )
        return {row["key"]: Traits(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows}


def together(known: Traits, found: Traits) -> Traits:
    """Return what two tests of a channel tell of it.

    Period, step and rest are each those of the newer test if it found any: one that was short, or
    run while the machine was busy, takes nothing away. The verdict, and when it was reached, go
    with the period.
    """
    is_newer = found.verdict in TELLING or known.verdict not in TELLING
    has_rest = found.idle_w is not None
    return replace(
        found if is_newer else known,
        step_j=known.step_j if found.step_j is None else found.step_j,
        idle_w=found.idle_w if has_rest else known.idle_w,
        spread_w=found.spread_w if has_rest else known.spread_w,
    )


def traits_of(history: History) -> Callable[[Channel], Channel]:
    """Return what puts into a channel what this machine's self-test learned of it.

    It is read once, here: a sampler opens its channels on other threads.
    """
    known = SensorTraits(history.store).all()

    def refine(channel: Channel) -> Channel:
        traits = known.get(channel.key)
        return refined(channel, traits) if traits else channel

    return refine
