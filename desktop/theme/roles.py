"""How a channel relates to the total, in words, the same wherever a bill is shown."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from monitor.power.channel import Role

TEXTS = (
    QT_TRANSLATE_NOOP("Roles", " (inside)"),
    QT_TRANSLATE_NOOP("Roles", " (cross-check)"),
)
"""What :func:`role_note` is asked for, where Qt's tools look for it."""

NOTES = {Role.INSIDE: " (inside)", Role.WHOLE: " (cross-check)"}


def role_note(role: Role) -> str:
    """Return what stands behind a channel's name, in the window's language; "" for a part."""
    note = NOTES.get(role, "")
    return QCoreApplication.translate("Roles", note) if note else ""
