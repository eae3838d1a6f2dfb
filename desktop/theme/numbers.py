"""Fields for numbers: they show a point, as every figure does, and take comma and point alike.

What such a field shows does not hang on the system's language. Everything can be typed; what is no
number within the bounds is refused as a whole, with a sentence, once the field is left or Enter is
pressed. No sign is left out of a number: "45,5" is neither 455 nor 45, and "1e3" is 1000.
"""

import re
from decimal import Decimal
from typing import Any

from PySide6.QtCore import QEvent, QLocale, QObject, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

from desktop.theme.bubble import Bubble
from monitor.clock import clock_seconds

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,2})?")

_GROUPED = re.compile(
    r"(?P<whole>[+-]?\d{1,3}(?P<group>[.,])\d{3}(?:(?P=group)\d{3})*)"
    r"(?:(?!(?P=group))[.,](?P<rest>\d*))?"
)
"""``1,234,567`` and ``1.234,5``."""

INDENT_PX = 6
"""Of what stands in a field; a style sheet's padding does not reach it."""


def number_of(text: str, decimals: int) -> Decimal | None:
    """Return the number a person wrote, to its last digit.

    A single comma or point is the decimal sign. Where several stand, or no decimals can, those
    before every third digit are left out.

    :param text: as it was typed, without a unit
    :param decimals: how many there can be; more may have been typed
    :return: ``None`` if it is no number, or not yet; a fraction where no decimals can be is none
    """
    grouped = _GROUPED.fullmatch(text)
    if grouped and (len(re.findall("[.,]", text)) > 1 or not decimals):
        whole = grouped["whole"].replace(grouped["group"], "")
        number = Decimal(f"{whole}.{grouped['rest'] or 0}")
    elif _NUMBER.fullmatch(text):
        number = Decimal(text.replace(",", "."))
    else:
        return None
    return None if not decimals and number % 1 else number


class DecimalField(QDoubleSpinBox):
    """A number with decimals, made as :class:`QDoubleSpinBox` is."""

    def __init__(self, **properties: Any) -> None:
        super().__init__(**properties)
        _show_points(self)
        _Clicks(self)
        self._typing = Typing(self)

    def number(self, text: str) -> Decimal | None:
        """Return the number that was typed; ``None`` if it is none."""
        return number_of(_entered(self, text), self.decimals())

    def validate(self, text: str, cursor: int) -> tuple[QValidator.State, str, int]:
        """Tell whether it is a number within the bounds; the text stays as it is typed."""
        return _state_of(self, text), text, cursor

    def valueFromText(self, text: str) -> float:
        """Read what was typed."""
        if text == self.specialValueText():
            return self.minimum()
        number = self.number(text)
        return self.value() if number is None else round(float(number), self.decimals())

    def fixup(self, text: str) -> str:
        """Leave what is no number alone: Qt's would strike commas out and so make another one."""
        return text

    def settle(self) -> bool:
        """Take what was typed, as when the field is left; return whether it could be taken."""
        is_taken = self.hasAcceptableInput()
        self._typing.settle()
        return is_taken

    def stepBy(self, steps: int) -> None:
        """Go on from what was typed, or from what stood there if that was no number."""
        self._typing.settle()
        super().stepBy(steps)


class SecondsField(DecimalField):
    """A length of time in seconds; minutes and seconds may be typed as a clock writes them."""

    def number(self, text: str) -> Decimal | None:
        """Return the seconds that were typed; ``None`` if they are none."""
        clock_s = clock_seconds(_entered(self, text))
        return super().number(text) if clock_s is None else Decimal(str(clock_s))


class WholeField(QSpinBox):
    """A whole number, made as :class:`QSpinBox` is; "4,096" is 4096, and "1.5" is none."""

    def __init__(self, **properties: Any) -> None:
        super().__init__(**properties)
        _show_points(self)
        _Clicks(self)
        self._typing = Typing(self)

    def number(self, text: str) -> Decimal | None:
        """Return the number that was typed; ``None`` if it is none."""
        return number_of(_entered(self, text), 0)

    def validate(self, text: str, cursor: int) -> tuple[QValidator.State, str, int]:
        """Tell whether it is a number within the bounds; the text stays as it is typed."""
        return _state_of(self, text), text, cursor

    def valueFromText(self, text: str) -> int:
        """Read what was typed."""
        if text == self.specialValueText():
            return self.minimum()
        number = self.number(text)
        return self.value() if number is None else int(number)

    def fixup(self, text: str) -> str:
        """Leave what is no number alone: Qt's would strike commas out and so make another one."""
        return text

    def settle(self) -> bool:
        """Take what was typed, as when the field is left; return whether it could be taken."""
        is_taken = self.hasAcceptableInput()
        self._typing.settle()
        return is_taken

    def stepBy(self, steps: int) -> None:
        """Go on from what was typed, or from what stood there if that was no number."""
        self._typing.settle()
        super().stepBy(steps)


class Typing(QObject):
    """Tells what becomes of a text that is not kept as it was typed."""

    def __init__(self, field: DecimalField | WholeField) -> None:
        super().__init__(field)
        self._field = field
        self._typed: str | None = None
        self._before: float = 0
        self._bubble: Bubble | None = None
        field.lineEdit().textEdited.connect(self._on_edited)
        field.editingFinished.connect(self.settle)
        field.installEventFilter(self)

    def _on_edited(self, text: str) -> None:
        """Remember what stood in the field: Qt tells of an edit before it follows it."""
        if self._typed is None:
            self._before = self._field.value()
        self._typed = text
        self._hush()

    def settle(self) -> None:
        """Read what was typed; what is no number is taken back, and that is said."""
        field, typed, self._typed = self._field, self._typed, None
        entered = "" if typed is None else _entered(field, typed)
        if typed is None or typed == field.specialValueText():
            return
        field.interpretText()
        number = field.number(typed)
        if number is None or not _is_within(field, number):
            field.setValue(self._before)  # type: ignore[arg-type]
            if entered:
                self._say(self._why(number).replace("%1", entered))
        elif number != Decimal(str(field.value())):
            self._say(self.tr("“%1” is kept as %2.").replace("%1", entered))

    def _why(self, number: Decimal | None) -> str:
        field = self._field
        if number is not None:
            words = self.tr("“%1” is not from %3 to %4. It is %2 again.")
            for place, bound in (("%3", field.minimum()), ("%4", field.maximum())):
                # Qt's declarations know one kind of number for each of the two fields.
                words = words.replace(place, field.textFromValue(bound))  # type: ignore[arg-type]
            return words
        if isinstance(field, SecondsField):
            return self.tr("“%1” is no length of time, such as 62 or 1:02. It is %2 again.")
        if isinstance(field, WholeField) or not field.decimals():
            return self.tr("“%1” is no whole number. It is %2 again.")
        return self.tr("“%1” is no number. It is %2 again.")

    def _say(self, words: str) -> None:
        self._hush()
        self._bubble = Bubble(self._field, words.replace("%2", self._field.text()))
        self._bubble.destroyed.connect(self._forget)
        self._bubble.show()

    def _hush(self) -> None:
        if self._bubble:
            self._bubble.close()

    def _forget(self) -> None:
        self._bubble = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep an Enter that ends in a refusal from the dialog, which would act on another number
        than was typed."""
        enters = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            is_refused = self._typed is not None and not self._field.hasAcceptableInput()
            if event.key() in enters and is_refused:
                self.settle()
                self._field.selectAll()
                return True
        return super().eventFilter(watched, event)


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
    field.lineEdit().setTextMargins(INDENT_PX, 0, 0, 0)


def _entered(field: DecimalField | WholeField, text: str) -> str:
    """Return what stands before the unit.

    Qt writes the unit behind whatever is typed; that, or a part of it, may be typed as well.
    """
    unit = field.suffix().strip()
    entered = text.removeprefix(field.prefix()).removesuffix(field.suffix()).strip()
    parts = (unit[:length] for length in range(len(unit), 0, -1))
    return entered.removesuffix(next(filter(entered.endswith, parts), "")).strip()


def _is_within(field: DecimalField | WholeField, number: Decimal) -> bool:
    return field.minimum() <= round(float(number), 9) <= field.maximum()


def _state_of(field: DecimalField | WholeField, text: str) -> QValidator.State:
    if text == field.specialValueText():
        return QValidator.State.Acceptable
    number = field.number(text)
    is_number = number is not None and _is_within(field, number)
    return QValidator.State.Acceptable if is_number else QValidator.State.Intermediate
