"""All that is kept of one query: its bill, its power curve, and what was said of it before."""

from dataclasses import dataclass

from monitor.energy.forecast import Fit, Forecast, fit
from monitor.store.curves import StoredTrace
from monitor.store.history import History
from monitor.store.marks import TextMarks
from monitor.store.records import QueryRecord


@dataclass(frozen=True, slots=True)
class Details:
    """What the page of a query shows; ``None`` where something is not kept.

    :param trace: its power curve
    :param marks: when its words were written
    :param forecast: what it was said to take
    :param earlier: what earlier prompts took where it ran, by which is told what reuse saved
    """

    record: QueryRecord
    trace: StoredTrace | None
    marks: TextMarks | None
    forecast: Forecast | None
    earlier: Fit | None


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
    )


def _earlier(history: History, record: QueryRecord) -> Fit | None:
    if record.model is None or not record.tokens.reused:
        return None
    threads, layers = record.settings["threads"], record.settings["gpu_layers"]
    past = history.forecasts.basis(record.model.sha256, threads, layers)
    return fit(past) if past else None
