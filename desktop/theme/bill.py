"""A bill in words, the same wherever it is shown."""

from datetime import datetime

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QDateTime, QLocale

from monitor import bill_words
from monitor.energy.account import Bill
from monitor.energy.present import Present
from monitor.power.channel import Kind, Role
from monitor.store.records import QueryRecord, Status

TEXTS = (
    QT_TRANSLATE_NOOP("Bill", "no energy was measured"),
    QT_TRANSLATE_NOOP("Bill", "it was reckoned with no zone"),
    QT_TRANSLATE_NOOP("Bill", "there is no figure of the grid of %1"),
    QT_TRANSLATE_NOOP("Bill", "too short to resolve"),
    QT_TRANSLATE_NOOP("Bill", "a sensor was silent throughout"),
    QT_TRANSLATE_NOOP("Bill", "%1/token"),
    QT_TRANSLATE_NOOP("Bill", "%1 was not read: it was at least this."),
    QT_TRANSLATE_NOOP("Bill", "%1 was read for %2 of the time: it was at least this."),
    QT_TRANSLATE_NOOP(
        "Bill",
        "%1 was silent throughout: what it drew is reckoned from its readings before and after.",
    ),
    QT_TRANSLATE_NOOP("Bill", "%1 above idle"),
    QT_TRANSLATE_NOOP("Bill", "not above idle"),
    QT_TRANSLATE_NOOP("Bill", ", stale"),
    QT_TRANSLATE_NOOP("Bill", ", uncertain"),
    QT_TRANSLATE_NOOP("Bill", "● counted by the sensor"),
    QT_TRANSLATE_NOOP("Bill", "◐ integrated from the sensor's watts"),
    QT_TRANSLATE_NOOP("Bill", "○ modelled from the load; no sensor can be read"),
    QT_TRANSLATE_NOOP("Bill", "not measured"),
    QT_TRANSLATE_NOOP("Bill", "Not read, so that the total is not known: %1."),
    QT_TRANSLATE_NOOP("Bill", "running"),
    QT_TRANSLATE_NOOP("Bill", "done"),
    QT_TRANSLATE_NOOP("Bill", "stopped"),
    QT_TRANSLATE_NOOP("Bill", "failed"),
    QT_TRANSLATE_NOOP("Bill", "interrupted"),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of this module in the window's language."""
    return QCoreApplication.translate("Bill", text)


def headline(record: QueryRecord) -> str:
    """Say in one line what an answer cost; see :func:`monitor.bill_words.headline`."""
    return bill_words.headline(record, translate, "  ·  ")


def unresolved_words(bill: Bill) -> list[str]:
    """Say why a total is not resolved; see :func:`monitor.bill_words.unresolved_words`."""
    return bill_words.unresolved_words(bill, translate)


def unread_notes(bill: Bill) -> list[str]:
    """Say which parts were not read, or silent; see :func:`monitor.bill_words.unread_notes`."""
    return bill_words.unread_notes(bill, translate)


def no_footprint(record: QueryRecord) -> str:
    """Say why nothing is known of its emissions; see :func:`monitor.bill_words.no_footprint`."""
    return bill_words.no_footprint(record, translate)


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
    words = {
        Kind.COUNTER: "● counted by the sensor",
        Kind.POWER: "◐ integrated from the sensor's watts",
        Kind.MODELLED: "○ modelled from the load; no sensor can be read",
        None: "not measured",
    }
    return translate(words[kind])


def power_words(now: Present) -> str:
    """Say where the watts of a moment came from, or which parts keep them from being known."""
    unread = [
        each.label for each, power_w in now.billed if each.role is Role.PART and power_w is None
    ]
    if not unread:
        return kind_words(now.kind)
    words = translate("Not read, so that the total is not known: %1.")
    return words.replace("%1", ", ".join(unread))


def status_words(status: Status) -> str:
    """Name how far a query came."""
    return translate(str(status))
