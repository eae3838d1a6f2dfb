"""Fields for numbers: they show a point, as every figure does, and take comma and point alike.

What such a field shows does not hang on the system's language, and no sign that is typed is left
out of a number in silence: "45,5" is never 455.
"""

import re
from typing import Any

from PySide6.QtCore import QEvent, QLocale, QObject, Qt
from PySide6.QtGui import QFocusEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

_BEGUN = re.compile(r"[+-]?[\d.,]*")
"""What may become a number as it is typed on."""

_GROUPED = re.compile(
    r"(?P<whole>[+-]?\d{1,3}(?P<group>[.,])\d{3}(?:(?P=group)\d{3})*)"
    r"(?:(?!(?P=group))[.,](?P<rest>\d*))?"
)
"""``1,234,567`` and ``1.234,5``."""


def plain_number(text: str, decimals: int) -> str | None:
    """Return a number as a person writes it with digits and a point alone.

    A single comma or point is the decimal sign. Where several stand, or no decimals can, those
    before every third digit are left out.

    :param text: as it was typed, without a unit
    :param decimals: how many are kept; what is beyond them is cut off
    :return: ``None`` if it is no number, or not yet
    """
    signs = re.findall("[.,]", text)
    if not signs:
        return text
    grouped = _GROUPED.fullmatch(text)
    if grouped and (len(signs) > 1 or not decimals):
        whole, rest = grouped["whole"].replace(grouped["group"], ""), grouped["rest"]
    elif len(signs) == 1 and decimals and _BEGUN.fullmatch(text):
        whole, rest = text.split(signs[0])
    else:
        return None
    if rest is None:
        return whole
    return f"{whole}.{rest[:decimals]}" if decimals else None


class DecimalField(QDoubleSpinBox):
    """A number with decimals, made as :class:`QDoubleSpinBox` is."""

    def __init__(self, **properties: Any) -> None:
        super().__init__(**properties)
        _show_points(self)
        _Clicks(self)

    def validate(self, text: str, cursor: int) -> tuple[QValidator.State, str, int]:
        """Tell whether it is a number within the bounds; the text stays as it is typed."""
        plain = _plain_of(self, text, self.decimals())
        if plain is None:
            return _state_of(self, text), text, cursor
        return super().validate(plain, len(plain))[0], text, cursor

    def valueFromText(self, text: str) -> float:
        """Read what was typed."""
        plain = _plain_of(self, text, self.decimals())
        return self.value() if plain is None else super().valueFromText(plain)

    def fixup(self, text: str) -> str:
        """Leave what is no number alone: Qt's would strike commas out and so make another one."""
        return text


class WholeField(QSpinBox):
    """A whole number, made as :class:`QSpinBox` is; "4,096" is 4096, and "1.5" is none."""

    def __init__(self, **properties: Any) -> None:
        super().__init__(**properties)
        _show_points(self)
        _Clicks(self)

    def validate(self, text: str, cursor: int) -> tuple[QValidator.State, str, int]:
        """Tell whether it is a number within the bounds; the text stays as it is typed."""
        plain = _plain_of(self, text, 0)
        if plain is None:
            return _state_of(self, text), text, cursor
        return super().validate(plain, len(plain))[0], text, cursor

    def valueFromText(self, text: str) -> int:
        """Read what was typed."""
        plain = _plain_of(self, text, 0)
        return self.value() if plain is None else super().valueFromText(plain)

    def fixup(self, text: str) -> str:
        """Leave what is no number alone: Qt's would strike commas out and so make another one."""
        return text


class _Clicks(QObject):
    """Has what is typed after a click on a field replace what stands there.

    That is so with the click that goes to the field, and with any where nothing could be typed:
    on words in a number's place, and behind the unit. A part that was marked stays marked.
    """

    def __init__(self, field: DecimalField | WholeField) -> None:
        super().__init__(field)
        self._field, self._edit = field, field.lineEdit()
        self._is_first = False
        field.installEventFilter(self)
        self._edit.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look on; nothing is kept from the field."""
        if isinstance(event, QFocusEvent) and watched is self._field:
            self._is_first = event.gotFocus() and event.reason() is Qt.FocusReason.MouseFocusReason
        elif event.type() == QEvent.Type.MouseButtonRelease and watched is self._edit:
            is_idle = self._is_first or self._is_nothing_typed_here()
            if is_idle and not self._edit.hasSelectedText():
                self._field.selectAll()
            self._is_first = False
        return False

    def _is_nothing_typed_here(self) -> bool:
        text = self._edit.text()
        is_behind = self._edit.cursorPosition() > len(text.removesuffix(self._field.suffix()))
        return is_behind or text == self._field.specialValueText()


def _show_points(field: DecimalField | WholeField) -> None:
    shown = QLocale(QLocale.Language.C)
    shown.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
    field.setLocale(shown)


def _entered(field: DecimalField | WholeField, text: str) -> str:
    """Return what stands before the unit."""
    return text.removeprefix(field.prefix()).removesuffix(field.suffix()).strip()


def _plain_of(field: DecimalField | WholeField, text: str, decimals: int) -> str | None:
    if text == field.specialValueText():
        return text
    return plain_number(_entered(field, text), decimals)


def _state_of(field: DecimalField | WholeField, text: str) -> QValidator.State:
    """Of what is no number yet: it may be typed on, unless there is a letter in it."""
    is_begun = _BEGUN.fullmatch(_entered(field, text))
    return QValidator.State.Intermediate if is_begun else QValidator.State.Invalid
