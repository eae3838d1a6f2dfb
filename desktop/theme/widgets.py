"""Widgets made the same way everywhere."""

from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMenu, QToolButton, QWidget

W = TypeVar("W", bound=QWidget)


def named(widget: W, name: str) -> W:
    """Give a widget the name the style sheet knows it by, and return it."""
    widget.setObjectName(name)
    return widget


def label(text: str = "", name: str = "", wrap: bool = False) -> QLabel:
    """Return a label of plain text; ``name`` is what the style sheet knows it by.

    Plain, since texts come from models and their files: nothing in them may be taken for HTML.
    """
    made = named(QLabel(), name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setWordWrap(wrap)
    return made


def tool_button(text: str, checkable: bool = False) -> QToolButton:
    """Return a small button, named for screen readers by its text."""
    made = QToolButton()
    made.setText(text)
    made.setAccessibleName(text)
    made.setCheckable(checkable)
    return made


def menu_button(text: str) -> QToolButton:
    """Return a button that opens its menu."""
    button = tool_button(text)
    button.setMenu(QMenu(button))
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return button
