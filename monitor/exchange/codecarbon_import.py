"""CodeCarbon's ``emissions.csv`` read as queries of kind ``import``."""

import csv
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

from monitor.carbon.footprint import J_PER_KWH
from monitor.carbon.intensity import Zone
from monitor.energy.account import REFRESHES_TO_RESOLVE, WATCH, Bill, Line
from monitor.energy.interval import Interval
from monitor.exchange.codecarbon import IMPORTED, UNNAMED_GPU
from monitor.exchange.files import ExchangeError, read_text
from monitor.exchange.intake import IMPORT, Arrival, Machine, Origin
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.store.records import QueryRecord, Seconds, Status, Tokens

OTHERS_METHOD = 0
"""Stands for an accounting that is not ours: such bills are never compared with ours."""

MAX_BYTES = 1 << 28

REFRESH_S = 15.0
"""How often CodeCarbon reads unless it is told otherwise; the file does not say."""

ACCURACY = Accuracy(
    below=0.4 / 1.4,
    above=0.4 / 0.6,
    offset_w=0.0,
    source="CodeCarbon states none. Its estimates were found up to 40 % off the truth "
    "(Fischer 2025, arXiv 2509.22092), whatever they were made of",
)

COMPONENTS = {
    "cpu": ("CPU", Domain.CPU),
    "gpu": (UNNAMED_GPU, Domain.GPU),
    "ram": ("Memory", Domain.DRAM),
    "energy_consumed": ("Machine", Domain.SYSTEM),
    "cpu_gpu": ("CPU and GPU", Domain.SYSTEM),
}

MOST = 1e9
"""No column of a run on one machine holds more: a TWh, a million tonnes, thirty years."""

MOST_G_PER_KWH = 10_000.0
"""No grid emits so much: lignite takes about a tenth of it."""

CLOCK_STEP = timedelta(seconds=2)
"""Times are written to the second, so that one beginning may seem to be two."""

SUM_TOLERANCE = 0.01
"""Parts may differ from their total by this share: figures are rounded when they are written."""


class BrokenRowError(ValueError):
    """A row that is left out; the message says why."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that was left out, counted from 1 below the header."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Emissions:
    """What a file holds.

    :param overtaken: rows left out because a later one holds them: CodeCarbon may write a run
      several times while it goes on, each time with all it took so far
    """

    arrivals: tuple[Arrival, ...]
    broken: tuple[Broken, ...]
    overtaken: int


def read_emissions(path: Path) -> Emissions:
    """Read CodeCarbon's table, of any version.

    The file does not say how each component was read, or by what clock: every part is taken for
    modelled, the weakest kind, and times for this machine's local time. A component of zero was
    not read. Identifiers are made of run and time, so that the same row is the same query again.

    :raises ExchangeError: if it is no such table
    """
    rows = csv.DictReader(StringIO(read_text(path, MAX_BYTES), newline=""), strict=True)
    arrivals, broken = [], []
    try:
        _check_header(path, rows.fieldnames or ())
        for number, row in enumerate(rows, start=1):
            try:
                arrivals.append(_Row(row, path.name).arrival())
            except BrokenRowError as error:
                broken.append(Broken(number, str(error)))
    except csv.Error as error:
        raise ExchangeError(f"{path.name}, line {rows.line_num}: {error}.") from error
    latest = _latest(arrivals)
    return Emissions(tuple(latest), tuple(broken), len(arrivals) - len(latest))


def _latest(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Of rows of one run that began together, keep the one that lasted longest."""
    kept: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        of_run = kept.setdefault(arrival.alias, [])
        alike = [number for number, other in enumerate(of_run) if _began_together(arrival, other)]
        if not alike:
            of_run.append(arrival)
        elif _duration_s(arrival) >= _duration_s(of_run[alike[0]]):
            of_run[alike[0]] = arrival
    return [arrival for of_run in kept.values() for arrival in of_run]


def _began_together(one: Arrival, other: Arrival) -> bool:
    began = [datetime.fromisoformat(arrival.record.started_at) for arrival in (one, other)]
    return abs(began[0] - began[1]) <= CLOCK_STEP


def _duration_s(arrival: Arrival) -> float:
    return arrival.record.seconds.total or 0.0


def _check_header(path: Path, names: Sequence[str]) -> None:
    has_id = "run_id" in names or "experiment_id" in names
    missing = [name for name in ("timestamp", "duration", "energy_consumed") if name not in names]
    missing += [] if has_id else ["run_id"]
    if missing:
        found = ", ".join(names[:6]) or "nothing"
        raise ExchangeError(
            f"{path.name} is no emissions.csv of CodeCarbon: it has no column "
            f"{' and no '.join(missing)}. It begins with: {found}."
        )


class _Row:
    """One row, read column by column.

    :raises BrokenRowError: from any method, if a column is not what it should be
    """

    def __init__(self, row: Mapping[str, str | None], file: str) -> None:
        if None in row or None in row.values():
            raise BrokenRowError("it has not as many columns as the header")
        self._row = {name: (value or "").strip() for name, value in row.items()}
        self._file = file

    def text(self, name: str) -> str:
        """Return a column, "" if it is empty or not there."""
        return self._row.get(name, "")

    def number(self, name: str) -> float | None:
        """Return a column's number, 0 to ``MOST``; ``None`` if it is empty or not there."""
        text = self.text(name)
        if not text or text.casefold() == "nan":
            return None
        try:
            value = float(text)
        except ValueError:
            raise BrokenRowError(f"{name} should be a number, and is “{text}”") from None
        if not 0 <= value <= MOST:
            raise BrokenRowError(f"{name} should be a number from 0 to {MOST:,.0f}, and is {text}")
        return value

    def arrival(self) -> Arrival:
        run_id = self.text("run_id") or self.text("experiment_id")
        if not run_id:
            raise BrokenRowError("it has no run_id")
        duration_s = self.number("duration")
        if duration_s is None:
            raise BrokenRowError("it has no duration")
        began = self._began(duration_s)
        record = QueryRecord(
            id=_identifier(began, run_id, self.text("task_name")),
            kind=IMPORT,
            status=Status.DONE,
            error="",
            started_at=began.isoformat(timespec="milliseconds"),
            model=None,
            settings={},
            system="",
            prompt="",
            text="",
            finish_reason="",
            tokens=Tokens(),
            seconds=Seconds(total=duration_s),
            bill=self._bill(duration_s),
            zone=self._zone(began),
            pue=self._pue(),
        )
        return Arrival(record, self._origin(began, run_id), alias=run_id)

    def _began(self, duration_s: float) -> datetime:
        text = self.text("timestamp")
        try:
            return datetime.fromisoformat(text).astimezone() - timedelta(seconds=duration_s)
        except (ValueError, OverflowError, OSError):
            raise BrokenRowError(f"timestamp should be a time, and is “{text}”") from None

    def _pue(self) -> float:
        return max(self.number("pue") or 1.0, 1.0)

    def _parts(self) -> dict[str, float]:
        """Kilowatt-hours by component, as far as they were read."""
        parts = {name: self.number(f"{name}_energy") for name in ("cpu", "gpu", "ram")}
        known = {name: kwh for name, kwh in parts.items() if kwh}
        total = self.number("energy_consumed")
        if not known and total:
            return {"energy_consumed" if self._has_memory() else "cpu_gpu": total}
        if not known:
            raise BrokenRowError("no energy is in it")
        added = sum(known.values())
        if total is not None and abs(added - total) > SUM_TOLERANCE * max(added, total):
            raise BrokenRowError(
                f"energy_consumed is {total:g} kWh, but its components add up to {added:g}"
            )
        return known

    def _has_memory(self) -> bool:
        """Whether a total has memory in it.

        Version 1 wrote no components, added CPU and GPU alone (emissions_tracker.py of 1.2.0), and
        did not tell its version; memory came with 2.0, and all that tell their version are later.
        """
        return bool(self.text("codecarbon_version"))

    def _bill(self, duration_s: float) -> Bill:
        lines = []
        for name, kwh in self._parts().items():
            joules = kwh * J_PER_KWH / self._pue()
            lines.append(
                Line(
                    channel=_channel(name, self.text("gpu_model") if name == "gpu" else ""),
                    phase=WATCH,
                    energy=Interval(joules, joules * ACCURACY.below, joules * ACCURACY.above, 0.0),
                    mean_w=joules / duration_s if duration_s else None,
                    peak_w=None,
                    samples=0,
                    coverage=1.0,
                    duration_s=duration_s,
                    resolved=duration_s >= REFRESHES_TO_RESOLVE * REFRESH_S,
                )
            )
        return Bill(tuple(lines), OTHERS_METHOD)

    def _zone(self, began: datetime) -> Zone | None:
        """The intensity CodeCarbon applied: its emissions over its energy."""
        kilograms, kwh = self.number("emissions"), sum(self._parts().values())
        if kilograms is None:
            return None
        g_per_kwh = kilograms * 1000 / kwh
        if g_per_kwh > MOST_G_PER_KWH:
            raise BrokenRowError(
                f"emissions of {kilograms:g} kg for {kwh:g} kWh are {g_per_kwh:,.0f} g/kWh, more "
                "than any grid emits"
            )
        place = self.text("country_iso_code") or self.text("country_name") or self.text("region")
        name = self.text("country_name") or place or "unknown"
        return Zone(place or "unknown", name, began.year, g_per_kwh)

    def _origin(self, began: datetime, run_id: str) -> Origin:
        project, version = self.text("project_name"), self.text("codecarbon_version")
        about = f"CodeCarbon run {run_id}" + (f" of project {project}" if project else "")
        return Origin(
            machine=self._machine(),
            day=began.date().isoformat(),
            model_file=None,
            intensity_source=f"CodeCarbon {version}".strip(),
            note=f"{about}, from {self._file}",
            tags=(project,) if project else (),
        )

    def _machine(self) -> Machine:
        """The file has no name of its machine: one is told from another by what it is made of."""
        names = ("os", "cpu_model", "cpu_count", "gpu_model", "gpu_count", "ram_total_size")
        content = "\n".join(("codecarbon", *(self.text(name) for name in names)))
        memory_gb, threads = self.number("ram_total_size"), self.number("cpu_count")
        return Machine(
            id=hashlib.sha256(content.encode()).hexdigest()[:16],
            name=f"{self.text('cpu_model') or 'Unknown machine'}{IMPORTED}",
            system=self.text("os"),
            processor=self.text("cpu_model"),
            threads=int(threads) if threads else None,
            memory_bytes=round(memory_gb * 2**30) if memory_gb else None,
        )


def _channel(component: str, model: str) -> Channel:
    """Return the channel of a component.

    :param model: the name it is given in the file, "" without one
    """
    label, domain = COMPONENTS[component]
    return Channel(
        key=f"codecarbon:{component.removesuffix('_consumed')}",
        label=f"{model or label}{IMPORTED}",
        domain=domain,
        device="codecarbon",
        kind=Kind.MODELLED,
        role=Role.PART,
        period_s=REFRESH_S,
        step_j=0.0,
        accuracy=ACCURACY,
    )


def _identifier(began: datetime, *parts: str) -> str:
    """Return an identifier in the form of UUID version 7 (RFC 9562) whose random part is a hash."""
    content = hashlib.sha256("\n".join(("codecarbon", *parts)).encode()).digest()
    value = round(began.timestamp() * 1000) << 80 | int.from_bytes(content[:10])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
