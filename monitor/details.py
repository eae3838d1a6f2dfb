"""All that is kept of one query: its bill, its power curve, and what was said of it before."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.carbon.equivalents import PREFERENCE
from monitor.energy.account import PREFILL
from monitor.energy.calibration import WallEquivalent, wall_equivalent
from monitor.energy.credit import Credit, credit_of
from monitor.energy.forecast import Fit, Forecast, fit
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
    :param wall: what it came to at the wall; ``None`` without a calibration of this machine
    :param has_equivalents: whether a person wants to read what that is like in everyday life
    """

    record: QueryRecord
    trace: StoredTrace | None = None
    marks: TextMarks | None = None
    forecast: Forecast | None = None
    earlier: Fit | None = None
    wall: WallEquivalent | None = None
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
        wall=_at_the_wall(history, record),
        has_equivalents=bool(history.preference(PREFERENCE, True)),
    )


def _at_the_wall(history: History, record: QueryRecord) -> WallEquivalent | None:
    calibration = Calibrations(history.store).latest()
    return wall_equivalent(record.bill, calibration) if calibration else None


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
