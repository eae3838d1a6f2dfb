"""All that is kept of one query: its bill, its power curve, and what was said of it before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.carbon.equivalents import PREFERENCE
from monitor.energy.account import PREFILL
from monitor.energy.calibration import Calibration
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
    """Return what queries came to at the wall; see :meth:`Walls.of`."""
    return Walls(history).of(records)


class Walls:
    """Tells what queries came to at the wall; the calibration of each machine is read once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._calibrations: dict[str, Calibration | None] = {}

    def of(self, records: Sequence[QueryRecord]) -> dict[str, AtTheWall]:
        """Return what queries came to at the wall, each by the newest calibration of its machine.

        :return: by their identifiers; without those of machines that were never calibrated
        """
        machines = self._history.standings.machines_of([record.id for record in records])
        told = {}
        for record in records:
            calibration = self._calibration(machines.get(record.id))
            if calibration and (wall := wall_equivalent(record.bill, calibration)):
                told[record.id] = wall
        return told

    def _calibration(self, machine_id: str | None) -> Calibration | None:
        if machine_id is None:
            return None
        if machine_id not in self._calibrations:
            found = Calibrations(self._history.store, machine_id).latest()
            self._calibrations[machine_id] = found
        return self._calibrations[machine_id]


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
        credit = credit_of(tokens.reused, record.fresh_tokens or 0, prefill, fits[place])
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
