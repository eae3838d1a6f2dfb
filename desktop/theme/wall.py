"""What a bill comes to at the wall, in the window's language."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

TEXTS = (
    QT_TRANSLATE_NOOP("Wall", "At the wall, by the machine's calibration: %1"),
    QT_TRANSLATE_NOOP("Wall", "Extrapolated: %1 drew more or less than was calibrated."),
    QT_TRANSLATE_NOOP(
        "Wall",
        "At the wall: not known, as other sensors were read than in the calibration. If they "
        "stay so, calibrate again.",
    ),
    QT_TRANSLATE_NOOP(
        "Wall",
        "At the wall: not known, as %1 hardly worked in the calibration. Calibrate again "
        "with that at work.",
    ),
)
"""The words of :mod:`monitor.energy.wall`, where Qt's tools look for them."""


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.energy.wall` in the window's language."""
    return QCoreApplication.translate("Wall", text)
