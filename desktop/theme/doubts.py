"""Why a channel's figures may be wrong, in the window's language: its source says it in English."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.energy.notes import Notes
from monitor.power.channel import Doubt

TEXTS = (
    QT_TRANSLATE_NOOP(
        "Doubts",
        "%1: its energy counter and its watts disagree, %2 J against %3 J over %4 s. The counter "
        "is billed.",
    ),
    QT_TRANSLATE_NOOP(
        "Doubts",
        "%1 reads %2 W where %3, which lies within it, reads %4 W. It is not believed: what %3 "
        "reads is counted instead.",
    ),
    QT_TRANSLATE_NOOP(
        "Doubts",
        "%1 reads %2 W where %3, which lies within it, reads %4 W: at least one of the two is "
        "wrong. %1 is billed.",
    ),
)
"""What :func:`doubt_words` is asked for, where Qt's tools look for it."""


NOTES = (
    QT_TRANSLATE_NOOP("Doubts", "%1 was read %2 of the time"),
    QT_TRANSLATE_NOOP("Doubts", "%1 was not read"),
)
"""The same of :func:`notes_text`."""


def notes_text(notes: Notes) -> str:
    """Return what is to be said beside a bill in the window's language, "" if nothing is."""
    return " ".join(notes.words(_translate))


def doubt_words(doubt: Doubt) -> str:
    """Return a doubt as a person reads it, in the window's language."""
    return doubt.words(_translate)


def _translate(text: str) -> str:
    return QCoreApplication.translate("Doubts", text)
