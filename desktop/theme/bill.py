"""A bill in words, the same wherever it is shown."""

from datetime import datetime

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale

from monitor import figures
from monitor.power.channel import Kind
from monitor.store.records import QueryRecord, Status


def tr(text: str) -> str:
    """Translate a text of this module."""
    return QCoreApplication.translate("Bill", text)


def headline(record: QueryRecord) -> str:
    """Say in one line what an answer cost: energy, energy a token, CO2, speed."""
    total = record.bill.total()
    energy = figures.marked(total.kind, figures.energy(total.joules))
    parts = [f"{energy} {figures.bounds(total.energy)}".strip()]
    if total.energy is None:
        parts = [tr("no energy was measured")]
    elif not total.resolved:
        parts.append(tr("too short to resolve"))
    if record.joules_per_token is not None:
        parts.append(tr("%1/token").replace("%1", figures.energy(record.joules_per_token)))
    if carbon := record.footprint:
        parts.append(tr("%1 CO₂e").replace("%1", figures.mass(carbon.grams)))
    if record.tokens_per_s is not None:
        parts.append(figures.rate(record.tokens_per_s))
    return "  ·  ".join(parts)


def local_time(started_at: str) -> QDateTime:
    """Return a stored UTC time on the person's own clock."""
    return QDateTime.fromSecsSinceEpoch(int(datetime.fromisoformat(started_at).timestamp()))


def full_time(started_at: str) -> str:
    """Write a stored time in full."""
    return QLocale().toString(local_time(started_at), QLocale.FormatType.LongFormat)


def when_words(started_at: str) -> str:
    """Write a stored time briefly: the date only where it is not today's."""
    when, today = local_time(started_at), QDateTime.currentDateTime().date()
    clock = QLocale().toString(when.time(), QLocale.FormatType.ShortFormat)
    if when.date() == today:
        return clock
    if when.date().year() == today.year():
        return f"{QLocale().toString(when.date(), 'd MMM')}, {clock}"
    return QLocale().toString(when.date(), QLocale.FormatType.ShortFormat)


def kind_words(kind: Kind | None) -> str:
    """Say where a figure came from."""
    return {
        Kind.COUNTER: tr("● counted by the sensor"),
        Kind.POWER: tr("◐ integrated from the sensor's watts"),
        Kind.MODELLED: tr("○ modelled from the load; no sensor can be read"),
        None: tr("not measured"),
    }[kind]


def status_words(status: Status) -> str:
    """Name how far a query came."""
    return {
        Status.RUNNING: tr("running"),
        Status.DONE: tr("done"),
        Status.STOPPED: tr("stopped"),
        Status.FAILED: tr("failed"),
        Status.INTERRUPTED: tr("interrupted"),
    }[status]
