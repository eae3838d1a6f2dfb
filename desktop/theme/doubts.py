"""Why a channel's figures may be wrong, in the window's language: its source says it in English."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.power.channel import Doubt

TEXTS = (
    QT_TRANSLATE_NOOP(
        "Doubts",
        "%1: its energy counter and its watts disagree, %2 J against %3 J over %4 s. The counter "
        "is billed.",
    ),
)
"""What :func:`doubt_words` is asked for, where Qt's tools look for it."""


def doubt_words(doubt: Doubt) -> str:
    """Return a doubt as a person reads it, in the window's language."""
    return doubt.words(lambda text: QCoreApplication.translate("Doubts", text))
