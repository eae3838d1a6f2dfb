"""All that is kept of one query: its bill, its power curve, and what was said of it before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.carbon.equivalents import PREFERENCE
from monitor.energy.account import PREFILL
from monitor.energy.credit import Credit, credit_of
from monitor.energy.forecast import Fit, Forecast, fit
from monitor.energy.wall import AtTheWall, wall_equivalent
from monitor.store.calibrations import Calibrations
from monitor.store.curves import StoredTrace
from monitor.store.history import History
from monitor.store.marks import TextMarks
from monitor.store.records import QueryRecord

Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Details:
    """What the page of a query shows; ``None`` where something is not kept.

    :param trace: its power curve
    :param marks: when its words were written
    :param forecast: what it was said to take
    :param earlier: what earlier prompts took where it ran, by which is told what reuse saved
    :param wall: what it came to at the wall; ``None`` where its machine was not calibrated
    :param has_equivalents: whether a person wants to read what that is like in everyday life
    """

    record: QueryRecord
    trace: StoredTrace | None = None
    marks: TextMarks | None = None
    forecast: Forecast | None = None
    earlier: Fit | None = None
    wall: AtTheWall | None = None
    has_equivalents: bool = True


def details_of(history: History, query_id: str) -> Details:
    """Read a query with all that belongs to it.

    :raises KeyError: if there is none
    """
    record = history.record(query_id)
    return Details(
        record=record,
        trace=history.trace(record.id),
        marks=history.marks(record.id),
        forecast=history.forecasts.of(record.id),
        earlier=_earlier(history, record),
        wall=walls_of(history, [record]).get(record.id),
        has_equivalents=bool(history.preference(PREFERENCE, True)),
    )


def walls_of(history: History, records: Sequence[QueryRecord]) -> dict[str, AtTheWall]:
    """Return what queries came to at the wall, each by the newest calibration of its machine.

    :return: by their identifiers; without those of machines that were never calibrated
    """
    machines = history.standings.machines_of([record.id for record in records])
    calibrations = {
        machine_id: Calibrations(history.store, machine_id).latest()
        for machine_id in set(filter(None, machines.values()))
    }
    told = {}
    for record in records:
        calibration = calibrations.get(machines.get(record.id, ""))
        if calibration and (wall := wall_equivalent(record.bill, calibration)):
            told[record.id] = wall
    return told


def credits_of(history: History, records: Iterable[QueryRecord]) -> dict[str, Credit]:
    """Return what reusing the context saved in some queries, by their identifiers."""
    fits: dict[Place, Fit | None] = {}
    found = {}
    for record in records:
        place = _place(record)
        if place is None:
            continue
        if place not in fits:
            fits[place] = _earlier(history, record)
        tokens = record.tokens
        prefill = record.bill.total(PREFILL)
        credit = credit_of(tokens.reused, tokens.prompt - tokens.reused, prefill, fits[place])
        if credit:
            found[record.id] = credit
    return found


def _place(record: QueryRecord) -> Place | None:
    """Return where a query ran: model, threads, layers on a GPU; ``None`` if nothing was reused."""
    if record.model is None or not record.tokens.reused:
        return None
    return record.model.sha256, record.settings["threads"], record.settings["gpu_layers"]


def _earlier(history: History, record: QueryRecord) -> Fit | None:
    place = _place(record)
    past = history.forecasts.basis(*place) if place else None
    return fit(past) if past else None
