"""Widgets made the same way everywhere."""

import re
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QLayout,
    QMenu,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)

W = TypeVar("W", bound=QWidget)

FIELD_PX = 29
"""How high a field of one line is under the style sheet."""


def named(widget: W, name: str) -> W:
    """Give a widget the name the style sheet knows it by, and return it."""
    widget.setObjectName(name)
    return widget


NO_BREAK = "\N{NO-BREAK SPACE}"

_BOUND = re.compile(
    r"(?<=[●◐○≥]) (?=\S)"
    r"|(?<=\d) (?=(?:[µmkMGT]?(?:J|Wh?|B|g|s)|%|min|h|d|tokens?|points?|t/s)(?![A-Za-z]))"
)
"""The blank between a mark and its number, and between a number and its unit."""


class WrappedLabel(QLabel):
    """A label of several lines in which no line ends between a number and its unit.

    One whose text can be copied is left as it is: a path or command has to stay what it is.
    """

    def setText(self, text: str) -> None:
        """Show a text."""
        can_be_copied = self.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse
        super().setText(text if can_be_copied else _BOUND.sub(NO_BREAK, text))

    def setTextInteractionFlags(self, flags: Qt.TextInteractionFlag) -> None:
        """Let the text be copied, or no longer."""
        text = self.text()
        super().setTextInteractionFlags(flags)
        self.setText(text)

    def text(self) -> str:
        """Return the text as it was written."""
        return super().text().replace(NO_BREAK, " ")


def label(text: str = "", name: str = "", wrap: bool = False) -> QLabel:
    """Return a label of plain text; ``name`` is what the style sheet knows it by.

    Plain, since texts come from models and their files: nothing in them may be taken for HTML.
    """
    made = named(WrappedLabel() if wrap else QLabel(), name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setWordWrap(wrap)
    return made


class ChoiceBox(QComboBox):
    """A box to choose one of several texts in; one too long for it ends in an ellipsis.

    Under a style sheet Qt cuts it through its letters.
    """

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        """Have as much of the text drawn as there is room for."""
        super().initStyleOption(option)
        if not self.isEditable():
            box, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
            room = self.style().subControlRect(box, option, field, self).width()
            text, end = self.currentText(), Qt.TextElideMode.ElideRight
            option.currentText = self.fontMetrics().elidedText(text, end, room)


def add_field(form: QFormLayout, text: str, field: QWidget | QLayout) -> None:
    """Add a field and its label, which stands at the field's middle: Qt's own hang higher."""
    made = label(text)
    made.setMinimumHeight(FIELD_PX)
    if isinstance(field, QWidget):
        made.setBuddy(field)
        form.addRow(made, field)
    else:
        form.addRow(made, field)


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
