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


class SensorTraits:
    """The traits of one machine's channels: of each the newest.

    :param store: open
    :param machine_id: this machine's unless given
    """

    def __init__(self, store: Store, machine_id: str = "") -> None:
        self._store = store
        self._machine_id = machine_id or str(this_machine()["id"])

    def keep(self, found: Iterable[Traits]) -> tuple[Traits, ...]:
        """Store what was found, in the place of what was known; return it with its time.

        Of a channel that was not looked at this time, what was known stays.

        :raises StoreError: if it cannot be stored
        """
        now = utc_now()
        kept = tuple(replace(traits, measured_at=now) for traits in found)
        rows = [{"machine_id": self._machine_id, **asdict(traits)} for traits in kept]
        self._store.write(lambda db: _upsert(db, rows)).result()
        return kept

    def all(self) -> dict[str, Traits]:
        """Return what is known, by the channels' keys."""
        rows = self._store.read().query(
            f"select {COLUMNS} from sensor_traits where machine_id = ? order by key",
            [self._machine_id],
        )
        return {row["key"]: Traits(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows}


def _upsert(db: Database, rows: list[dict[str, object]]) -> None:
    db.table("sensor_traits").upsert_all(rows, pk=("machine_id", "key"))


def traits_of(history: History) -> Callable[[Channel], Channel]:
    """Return what puts into a channel what this machine's self-test learned of it.

    It is read once, here: a sampler opens its channels on other threads.
    """
    known = SensorTraits(history.store).all()

    def refine(channel: Channel) -> Channel:
        traits = known.get(channel.key)
        return refined(channel, traits) if traits else channel

    return refine
