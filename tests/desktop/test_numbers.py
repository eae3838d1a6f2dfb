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
from desktop.theme.numbers import DecimalField, WholeField
from desktop.window import MainWindow
from monitor.energy.budget import Budget, Spent


def typed(qtbot: QtBot, field: QAbstractSpinBox, text: str) -> str:
    """Type over what stands there, press Enter, and return what is shown."""
    qtbot.addWidget(field.window())
    field.window().show()
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)
    qtbot.keyClick(field, Qt.Key.Key_Return)
    return field.text()


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
        ("1,5,5", "1.5"),
        ("45,56", "45.5"),
    ],
)
def test_comma_and_point_are_the_same(qtbot: QtBot, language: str, text: str, shown: str) -> None:
    field = DecimalField(decimals=1, maximum=2000, value=7, suffix=" g")
    assert typed(qtbot, field, text) == f"{shown} g"
    assert field.value() == float(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("4096", 4096), ("4,096", 4096), ("4.096", 4096), ("1,5", 1), ("1.5", 1), ("40,96", 40)],
)
def test_a_whole_number_is_never_made_larger_by_what_is_left_out(
    qtbot: QtBot, language: str, text: str, shown: int
) -> None:
    field = WholeField(maximum=100_000, value=7)
    assert typed(qtbot, field, text) == str(shown)
    assert field.value() == shown


def test_letters_are_not_taken(qtbot: QtBot) -> None:
    assert typed(qtbot, WholeField(maximum=100), "1x2") == "12"
    assert typed(qtbot, DecimalField(decimals=1, maximum=100), "1,x2") == "1.2"


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
    qtbot: QtBot, field: Callable[[], DecimalField | WholeField], shown: str, part: float
) -> None:
    host = QWidget()
    row = QHBoxLayout(host)
    other, made = QLineEdit(), field()
    made.setMinimumWidth(220)
    row.addWidget(other)
    row.addWidget(made)
    qtbot.addWidget(host)
    with qtbot.waitActive(host):
        host.show()
        host.activateWindow()
    other.setFocus()
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
