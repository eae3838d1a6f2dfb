"""Who else computed while a query ran, in the window's language."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.store.records import QueryRecord

TEXTS = (
    QT_TRANSLATE_NOOP(
        "Beside",
        "Other programs used %1 of the processor meanwhile: a part of this is theirs, and runs "
        "without them take less.",
    ),
    QT_TRANSLATE_NOOP(
        "Beside",
        "Other programs used %1 of the processor meanwhile; about %2 of this are the model's own.",
    ),
    QT_TRANSLATE_NOOP(
        "Beside",
        "Another LlamaWatt was computing for %1 of the time: the joules of that time are in the "
        "bills of both.",
    ),
)
"""What :func:`beside_text` is asked for, where Qt's tools look for it."""


def beside_text(record: QueryRecord) -> str:
    """Say who else computed while a query ran; "" if that is not worth telling."""
    return " ".join(record.beside.words(_translate))


def _translate(text: str) -> str:
    return QCoreApplication.translate("Beside", text)
