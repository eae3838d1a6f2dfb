"""What sums lack, in the window's language; see :mod:`monitor.totals_report`."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

TEXTS = (
    QT_TRANSLATE_NOOP("Sums", "A part was not read in %1 of %2 queries: it was at least this."),
    QT_TRANSLATE_NOOP(
        "Sums", "Nothing was read of %1 of %2 queries, which are missing from the energy."
    ),
    QT_TRANSLATE_NOOP(
        "Sums",
        "%1 of %2 queries were billed while another LlamaWatt computed: those joules are in the "
        "bills of both.",
    ),
    QT_TRANSLATE_NOOP(
        "Sums",
        "Other programs computed beside %1 of %2 queries: a part of this energy is theirs.",
    ),
    QT_TRANSLATE_NOOP(
        "Sums",
        "The emissions are of %1 of %2 measured queries; of the others' grid there is no figure.",
    ),
    QT_TRANSLATE_NOOP("Sums", "The emissions are not known: there is no figure of the grid."),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of this module in the window's language."""
    return QCoreApplication.translate("Sums", text)
