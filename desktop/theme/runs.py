"""What runs say of an energy, and of a difference, in the window's language."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.compare.contrast import SINGLE

TEXTS = (
    QT_TRANSLATE_NOOP(
        "Runs",
        "It is a run of the same prompt, model, settings and seed as the first; what the two "
        "differ by is how runs scatter.",
    ),
    QT_TRANSLATE_NOOP(
        "Runs",
        "It is a run of the same items by the same model and settings as the first; what the two "
        "differ by is how runs scatter.",
    ),
    QT_TRANSLATE_NOOP(
        "Runs",
        "Two single runs: how much they scatter is not known, and so no verdict is given. Run the "
        "suite again, as it is or with “repeats” in it.",
    ),
    QT_TRANSLATE_NOOP(
        "Runs",
        "The first itself is not among its runs that count: those that ended, had the model loaded "
        "before, and were read as the others were.",
    ),
    QT_TRANSLATE_NOOP(
        "Runs",
        "It itself is not among its runs that count: those that ended, had the model loaded "
        "before, and were read as the others were.",
    ),
    QT_TRANSLATE_NOOP("Runs", "The verdict compares the two prompt by prompt, over %1 prompts."),
    QT_TRANSLATE_NOOP("Runs", "The verdict compares %1 with %2 of the first."),
    QT_TRANSLATE_NOOP("Runs", "one run"),
    QT_TRANSLATE_NOOP("Runs", "%1 runs"),
    QT_TRANSLATE_NOOP(
        "Runs", "One run is left out: what was read in it is not what was read in the others."
    ),
    QT_TRANSLATE_NOOP(
        "Runs", "%1 runs are left out: what was read in them is not what was read in the others."
    ),
    QT_TRANSLATE_NOOP("Runs", "One more run of each would settle which takes less energy."),
    QT_TRANSLATE_NOOP("Runs", "About %1 more runs of each would settle which takes less energy."),
    QT_TRANSLATE_NOOP("Runs", "About %1 more prompts would settle which takes less energy."),
    QT_TRANSLATE_NOOP("Runs", "More runs would not settle which takes less energy."),
    QT_TRANSLATE_NOOP("Runs", "One more run would settle it, if it goes as these did."),
    QT_TRANSLATE_NOOP("Runs", "About %1 more runs would settle it, if they go on as these did."),
    QT_TRANSLATE_NOOP("Runs", "More runs would not settle it."),
)
"""The words of :mod:`monitor.compare.contrast`, where Qt's tools look for them."""


IN_WINDOW = {
    SINGLE: QT_TRANSLATE_NOOP(
        "Runs",
        "Two single runs: how much they scatter is not known, and so no verdict is given. Open "
        "each of them on the History page and choose “Measure again …”.",
    )
}
"""What is said here instead of texts that name a command."""


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.compare.contrast` in the window's language."""
    return QCoreApplication.translate("Runs", str(IN_WINDOW.get(text, text)))
