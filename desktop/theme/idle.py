"""What is above idle, in the window's language, the same wherever a bill is shown."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

TEXTS = (
    QT_TRANSLATE_NOOP("Idle", "it is older than a day"),
    QT_TRANSLATE_NOOP("Idle", "the clock was set back since"),
    QT_TRANSLATE_NOOP("Idle", "the machine was restarted since"),
    QT_TRANSLATE_NOOP("Idle", "the power profile has changed since"),
    QT_TRANSLATE_NOOP("Idle", "the machine went from mains to battery or back since"),
    QT_TRANSLATE_NOOP("Idle", "a GPU that tells no load was at rest by a person's word only"),
    QT_TRANSLATE_NOOP("Idle", "above idle: not known, as no idle baseline fits"),
    QT_TRANSLATE_NOOP("Idle", "%1 above idle"),
    QT_TRANSLATE_NOOP("Idle", "not above idle %1"),
    QT_TRANSLATE_NOOP("Idle", ", which was %1 on %2"),
    QT_TRANSLATE_NOOP("Idle", ": a stale baseline, as %1"),
    QT_TRANSLATE_NOOP("Idle", ": an uncertain baseline, as %1"),
)
"""The words of :mod:`monitor.energy.baseline`, where Qt's tools look for them."""


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.energy.baseline` in the window's language."""
    return QCoreApplication.translate("Idle", text)
