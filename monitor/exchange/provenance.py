"""What some queries were measured with: machines, sensors, carbon intensities."""

import json
from collections import Counter
from dataclasses import dataclass

from sqlite_utils import Database

from monitor import figures
from monitor.exchange.intake import Machine
from monitor.power.channel import Channel, Domain, Role
from monitor.store.bills import channel_of
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.sums import FIGURE

LIMIT = 25_000
"""The newest so many queries are looked at: what measures them changes seldom."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A channel that was read.

    :param machine: the name of its machine
    :param queries: how many it was read for
    """

    machine: str
    channel: Channel
    queries: int


@dataclass(frozen=True, slots=True)
class Intensity:
    """A carbon intensity CO2 was reckoned with."""

    zone: str
    g_per_kwh: float
    year: int | None
    source: str
    pue: float
    queries: int

    def __str__(self) -> str:
        origin = f"{self.zone} {self.year or 'of unknown year'}, {self.source}"
        pue = f", PUE {self.pue:g}" if self.pue != 1 else ""
        return f"{figures.significant(self.g_per_kwh)} g/kWh ({origin}{pue})"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Machines, sensors and intensities, the most used first.

    :param methods: versions of the accounting
    :param limited_to: if not ``None``, only so many of the newest queries were looked at
    """

    machines: tuple[Machine, ...]
    sensors: tuple[Sensor, ...]
    intensities: tuple[Intensity, ...]
    methods: tuple[int, ...]
    limited_to: int | None

    def grids(self) -> str:
        """Name the intensities, those that read alike once: each imported run brings its own."""
        queries: Counter[str] = Counter()
        for each in self.intensities:
            queries[str(each)] += each.queries
        return "; ".join(name for name, _ in queries.most_common())

    def hardware(self) -> str:
        """Name the processors and graphics cards: ``AMD EPYC 9654, GPU 0 H100``."""
        parts = [machine.processor for machine in self.machines if machine.processor]
        channels = [sensor.channel for sensor in self.sensors]
        gpus = [c.label for c in channels if c.domain is Domain.GPU and c.role is Role.PART]
        return ", ".join(dict.fromkeys(parts + gpus))


def provenance(history: History, chosen: Filter) -> Provenance:
    """Return what the queries of a filter were measured with."""
    db = history.store.read()
    numbers = history.browse.numbers(chosen, LIMIT + 1)
    asked = json.dumps(numbers[:LIMIT])
    methods = db.execute(f"select distinct method {_PICKED} order by 1", [asked]).fetchall()
    return Provenance(
        machines=_machines(db, asked),
        sensors=_sensors(db, asked),
        intensities=_intensities(db, asked),
        methods=tuple(method for (method,) in methods if method is not None),
        limited_to=LIMIT if len(numbers) > LIMIT else None,
    )


_PICKED = "from json_each(?) n cross join queries q on q.started_ms = n.value"


def _machines(db: Database, asked: str) -> tuple[Machine, ...]:
    rows = db.query(
        f"select h.*, count(*) queries {_PICKED} join machines h on h.id = q.machine_id "
        "group by h.id order by queries desc",
        [asked],
    )
    names = Machine.__dataclass_fields__
    return tuple(Machine(**{name: row[name] for name in names}) for row in rows)


def _sensors(db: Database, asked: str) -> tuple[Sensor, ...]:
    rows = db.query(
        "select c.*, h.name machine, count(distinct b.started_ms) queries from json_each(?) n "
        "cross join bills b on b.started_ms = n.value join channels c on c.id = b.channel_id "
        "join machines h on h.id = c.machine_id "
        "where b.joules is not null and b.phase <> 'load' "
        "group by c.id order by queries desc, c.id",
        [asked],
    )
    return tuple(Sensor(row["machine"], channel_of(row), row["queries"]) for row in rows)


def _intensities(db: Database, asked: str) -> tuple[Intensity, ...]:
    rows = db.query(
        f"select i.zone, i.g_per_kwh, i.year, i.source, q.pue, count(*) queries {_PICKED} "
        f"join intensities i on i.id = q.intensity_id where q.energy_j is not null and {FIGURE} "
        "group by i.id, q.pue order by queries desc",
        [asked],
    )
    names = Intensity.__dataclass_fields__
    return tuple(Intensity(**{name: row[name] for name in names}) for row in rows)
