"""What is typed into the fields for numbers, and what they show."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import QLocale, QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.chat.budget import BudgetDialog
from desktop.chat.preset_fields import SamplingFields
from desktop.settings.carbon_own import OwnTab
from desktop.theme.bubble import Bubble
from desktop.theme.numbers import DecimalField, SecondsField, WholeField
from desktop.window import MainWindow
from monitor.energy.budget import Budget, Spent

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)


def typed(qtbot: QtBot, field: QAbstractSpinBox, text: str) -> str:
    """Type over what stands there, press Enter, and return what is shown."""
    qtbot.addWidget(field.window())
    field.window().show()
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    return field.text()


def said(field: QAbstractSpinBox) -> str:
    """What is said beneath a field; "" where nothing is."""
    shown: QWidget = field
    while above := shown.parentWidget():
        shown = above
    return " ".join(one.text() for one in shown.findChildren(Bubble) if one.isVisible())


def beside_another(qtbot: QtBot, host: QWidget, field: QAbstractSpinBox) -> QLineEdit:
    """Show a field with the focus, beside another that can take it, which is returned."""
    row = QHBoxLayout(host)
    other = QLineEdit()
    row.addWidget(other)
    row.addWidget(field)
    with qtbot.waitActive(host):
        host.show()
        host.activateWindow()
    field.setFocus()
    return other


@pytest.fixture(params=["de_DE", "en_US"])
def language(request: pytest.FixtureRequest) -> object:
    """Qt as it is under a language, and as it was again."""
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("45,5", "45.5"),
        ("45.5", "45.5"),
        (",5", "0.5"),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1e3", "1000.0"),
        ("4,5E1", "45.0"),
    ],
)
def test_comma_and_point_are_the_same(qtbot: QtBot, language: str, text: str, shown: str) -> None:
    field = DecimalField(decimals=1, maximum=2000, value=7, suffix=" g")
    assert typed(qtbot, field, text) == f"{shown} g"
    assert field.value() == float(shown)
    assert said(field) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [("4096", 4096), ("4,096", 4096), ("4.096", 4096), ("45,0", 45), ("1e3", 1000)],
)
def test_a_whole_number_may_be_grouped(qtbot: QtBot, language: str, text: str, shown: int) -> None:
    field = WholeField(maximum=100_000, value=7)
    assert typed(qtbot, field, text) == str(shown)
    assert field.value() == shown
    assert said(field) == ""


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        (lambda: WholeField(maximum=999, value=7), "45,5", "“45,5” is no whole number. It is 7 a"),
        (lambda: WholeField(maximum=999, value=7), "40,96", "“40,96” is no whole number."),
        (lambda: WholeField(maximum=999, value=7), "1x2", "“1x2” is no whole number."),
        (lambda: WholeField(minimum=1, maximum=99, value=7), "100", "“100” is not from 1 to 99."),
        (lambda: WholeField(minimum=1, maximum=99, value=7), "-3", "“-3” is not from 1 to 99."),
        (lambda: DecimalField(decimals=1, value=7), "1,5,5", "“1,5,5” is no number. It is 7.0 a"),
        (lambda: DecimalField(decimals=1, value=7), "1e", "“1e” is no number."),
        (lambda: DecimalField(decimals=1, value=7, suffix=" Wh"), "5 J", "“5 J” is no number."),
        (lambda: SecondsField(decimals=1, value=7, suffix=" s"), "1:75", "“1:75” is no length of"),
    ],
)
def test_what_is_no_number_there_is_refused_and_not_cut(
    qtbot: QtBot, field: Callable[[], DecimalField | WholeField], text: str, told: str
) -> None:
    made = field()
    seven = made.text()
    assert typed(qtbot, made, text) == seven
    assert made.value() == 7
    assert told in said(made)


@pytest.mark.parametrize("leaves", ["focus", "step"])
def test_however_a_field_is_left(qtbot: QtBot, host: QWidget, leaves: str) -> None:
    field = WholeField(maximum=999, value=7)
    other = beside_another(qtbot, host, field)
    field.selectAll()
    qtbot.keyClicks(field, "45,5")
    assert field.text() == "45,5", "what is typed stands there as long as it is typed"
    if leaves == "focus":
        other.setFocus()
    else:
        qtbot.keyClick(field, Qt.Key.Key_Up)
    assert field.value() == (7 if leaves == "focus" else 8)
    assert said(field).startswith("“45,5” is no whole number. It is 7 again.")


@pytest.mark.parametrize(("text", "shown"), [("45,56", "45.6"), ("0.04", "0.0")])
def test_more_decimals_than_are_kept_are_rounded_and_that_is_said(
    qtbot: QtBot, text: str, shown: str
) -> None:
    field = DecimalField(decimals=1, maximum=2000, value=7)
    assert typed(qtbot, field, text) == shown
    assert said(field) == f"“{text}” is kept as {shown}."
    assert typed(qtbot, field, "8") == "8.0"
    qtbot.waitUntil(lambda: said(field) == "")


@pytest.mark.parametrize(
    ("text", "shown"), [("1:02", "62.0 s"), ("1:02,5", "62.5 s"), ("1:00:01", "3601.0 s")]
)
def test_a_span_is_typed_as_the_plot_writes_it(qtbot: QtBot, text: str, shown: str) -> None:
    field = SecondsField(decimals=1, maximum=90_000, suffix=" s")
    assert typed(qtbot, field, text) == shown
    assert said(field) == ""


@pytest.mark.parametrize("text", ["9", "9 Wh", "9Wh", "9 W"])
def test_the_unit_may_be_typed_as_well_or_struck_out_in_part(qtbot: QtBot, text: str) -> None:
    field = DecimalField(decimals=1, value=7, suffix=" Wh")
    assert typed(qtbot, field, text) == "9.0 Wh"
    field.lineEdit().end(False)
    qtbot.keyClick(field, Qt.Key.Key_Backspace)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "9.0 Wh"
    assert said(field) == ""


def test_a_refusal_keeps_enter_from_the_dialog_and_outlives_it(qtbot: QtBot, host: QWidget) -> None:
    dialog = BudgetDialog(Budget(answer_j=100.0), Spent(), host)
    dialog.show()
    field = dialog._answer.figure
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "1,2,3")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert dialog.isVisible(), "another budget than was typed is not taken"
    assert dialog.budget.answer_j == 100.0
    dialog.close()
    assert said(field).startswith("“1,2,3” is no number.")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (lambda: WholeField(maximum=9000, specialValueText="as the items need"), "25"),
        (lambda: DecimalField(maximum=9000, specialValueText="all", suffix=" s"), "25.00 s"),
        (lambda: DecimalField(decimals=2, maximum=9000, value=1, suffix=" Wh"), "25.00 Wh"),
    ],
)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_what_is_typed_after_a_click_replaces_what_stands_there(
    qtbot: QtBot,
    host: QWidget,
    field: Callable[[], DecimalField | WholeField],
    shown: str,
    part: float,
) -> None:
    made = field()
    made.setMinimumWidth(220)
    beside_another(qtbot, host, made).setFocus()
    edit = made.lineEdit()
    place = QPoint(int(edit.width() * part), edit.height() // 2)
    qtbot.mouseClick(edit, Qt.MouseButton.LeftButton, pos=place)
    qtbot.keyClicks(made, "25")
    qtbot.keyClick(made, Qt.Key.Key_Return)
    assert made.text() == shown
    edit.deselect()
    qtbot.mouseClick(edit, Qt.MouseButton.LeftButton, pos=QPoint(edit.width() - 3, 5))
    if made.suffix():
        assert edit.selectedText() == "25.00", "behind the unit nothing could be typed"


def test_own_carbon_figure_and_budget_mean_what_was_typed(qtbot: QtBot, language: str) -> None:
    own = OwnTab()
    assert typed(qtbot, own.figure, "45,5") == "45.5 g CO₂e/kWh"
    dialog = BudgetDialog(Budget(answer_j=100.0), Spent())
    assert typed(qtbot, dialog._answer.figure, "10,5") == "10.50"
    assert dialog.budget.answer_j == 10.5
    fields = SamplingFields()
    fields.show_sampling({})
    assert typed(qtbot, fields._figures["temperature"], "0,65") == "0.65"
    assert fields.sampling()["temperature"] == 0.65


def test_every_field_of_the_window_is_of_these(qtbot: QtBot, window: MainWindow) -> None:
    window.chat_page.setup.open_budget()
    window.models.open_options()
    fields = [*window.findChildren(QDoubleSpinBox), *window.findChildren(QSpinBox)]
    assert len(fields) > 6
    assert not [one for one in fields if not isinstance(one, DecimalField | WholeField)]


def test_figures_have_a_point_under_a_language_with_a_comma(qtbot: QtBot) -> None:
    program = (
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from desktop.theme.numbers import DecimalField\n"
        "print(DecimalField(decimals=1, maximum=9999, value=4096.5).text())\n"
    )
    environment = {**os.environ, "LC_ALL": "de_DE.UTF-8"}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "4096.5"
