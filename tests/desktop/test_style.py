"""What the style sheet makes of widgets, in both themes."""

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStyleOptionTab,
    QStyleOptionViewItem,
    QTabBar,
    QTableWidget,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.history.filter_bar import DaysDialog
from desktop.theme.numbers import WholeField
from desktop.theme.palette import DARK, LIGHT, Theme
from desktop.theme.style import apply_theme
from desktop.theme.widgets import FIELD_PX, ChoiceBox, add_field, label
from monitor.store.filters import EVERYTHING
from tests.desktop.test_rendering_written import contrast

UNITS = ("mJ.", "MB", "%", "min", "s", "J")


@pytest.fixture(scope="module", autouse=True)
def _widgets_of_other_tests_are_gone(qapp: QApplication) -> None:
    """A theme is given to all widgets there are, those that nobody needs any more as well."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()


@pytest.fixture(params=[LIGHT, DARK], ids=lambda theme: theme.name)
def theme(request: pytest.FixtureRequest) -> Iterator[Theme]:
    """A theme the program has for the time of the test."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, request.param)
    yield request.param
    apply_theme(app, LIGHT)


def strongest(widget: QWidget, ground: str) -> float:
    """Return the highest contrast anything drawn in a widget has with what it stands on."""
    picture = widget.grab().toImage()
    places = [(x, y) for x in range(picture.width()) for y in range(picture.height())]
    colors = {picture.pixelColor(*place).name() for place in places}
    return max(contrast(color, ground) for color in colors)


class Allocating(QWidget):
    """Has Python look for garbage whenever it gets a style, as any code at work does at times."""

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        assert len([[] for _ in range(10_000)]) == 10_000


def test_a_dead_widget_is_not_deleted_while_all_are_styled(qtbot: QtBot) -> None:
    """Qt crashes then: it goes on to the dead widget."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    styled = Allocating()
    qtbot.addWidget(styled)
    is_styling, deleted = False, []
    for _ in range(10):
        menu = QMenu()
        menu.destroyed.connect(lambda: deleted.append(is_styling))
        menu.itself = menu  # type: ignore[attr-defined]  # garbage, as the menus of a plot are
    del menu
    is_styling = True
    apply_theme(app, LIGHT)
    is_styling = False
    gc.collect()
    assert deleted == [False] * 10


def test_month_and_year_of_the_calendar_can_be_read(qtbot: QtBot, theme: Theme) -> None:
    dialog = DaysDialog(EVERYTHING)
    qtbot.addWidget(dialog)
    calendar = dialog.first.calendarWidget()
    calendar.show()
    names = ("prevmonth", "monthbutton", "yearbutton", "nextmonth")
    for name in names:
        button = calendar.findChild(QToolButton, f"qt_calendar_{name}")
        assert isinstance(button, QToolButton)
        assert strongest(button, theme.raised) >= 4.5, name
    calendar.close()


def test_the_handle_of_a_slider_can_be_seen(qtbot: QtBot, theme: Theme) -> None:
    slider = QSlider(Qt.Orientation.Horizontal)
    qtbot.addWidget(slider)
    slider.resize(80, 24)
    slider.show()
    assert strongest(slider, theme.ground) >= 3, "the least for what can be pressed (WCAG 1.4.11)"


def edge_of_a_cell(view: QAbstractItemView, state: QStyle.StateFlag) -> set[str]:
    """Return the colours along the left edge of a view's first cell, drawn in a state."""
    option = QStyleOptionViewItem()
    view.initViewItemOption(option)
    option.rect, option.widget = QRect(0, 0, 120, 30), view
    option.state |= state
    picture = QImage(option.rect.size(), QImage.Format.Format_RGB32)
    picture.fill(view.palette().base().color())
    painter = QPainter(picture)
    view.itemDelegate().paint(painter, option, view.model().index(0, 0))
    painter.end()
    return {picture.pixelColor(0, y).name() for y in range(8, 22)}


@pytest.mark.parametrize("view", [QTableWidget, QListWidget])
def test_the_cell_that_has_the_keys_is_ringed_chosen_or_not(
    qtbot: QtBot, theme: Theme, view: type[QTableWidget | QListWidget]
) -> None:
    made = view()
    qtbot.addWidget(made)
    made.show()
    made.model().insertRow(0)
    made.model().insertColumn(0)
    state = QStyle.StateFlag
    for chosen, ground in ((state.State_None, theme.surface), (state.State_Selected, theme.raised)):
        assert edge_of_a_cell(made, chosen) == {ground}
        (ring,) = edge_of_a_cell(made, chosen | state.State_HasFocus)
        assert contrast(ring, ground) >= 3, "the least for what shows a state (WCAG 1.4.11)"


def test_the_tab_that_has_the_keys_is_ringed(qtbot: QtBot, theme: Theme) -> None:
    tabs = QTabBar()
    qtbot.addWidget(tabs)
    tabs.addTab("A tab")
    option = QStyleOptionTab()
    tabs.initStyleOption(option, 0)
    sizes, edges = set(), []
    for state in (QStyle.StateFlag.State_None, QStyle.StateFlag.State_HasFocus):
        option.state = QStyle.StateFlag.State_Enabled | QStyle.StateFlag.State_Selected | state
        kind = QStyle.ContentsType.CT_TabBarTab
        sizes.add(tabs.style().sizeFromContents(kind, option, QSize(40, 20), tabs).toTuple())
        picture = QImage(option.rect.size(), QImage.Format.Format_RGB32)
        picture.fill(QColor(theme.ground))
        painter = QPainter(picture)
        tabs.style().drawControl(QStyle.ControlElement.CE_TabBarTab, option, painter, tabs)
        painter.end()
        edges.append(picture.pixelColor(0, picture.height() // 2).name())
    assert edges[0] == theme.ground
    assert contrast(edges[1], theme.ground) >= 3
    assert len(sizes) == 1, "nothing moves"


def test_a_choice_that_is_too_long_ends_in_an_ellipsis(qtbot: QtBot, theme: Theme) -> None:
    box = ChoiceBox()
    qtbot.addWidget(box)
    box.addItem("SmolLM2-135M-Instruct Q4_1 – Knowledge (MMLU's manner) (12 items, 5-shot)")
    box.show()

    def drawn(width: int) -> str:
        box.resize(width, 30)
        option = QStyleOptionComboBox()
        box.initStyleOption(option)
        return str(option.currentText)

    assert drawn(200).endswith("…")
    assert drawn(box.sizeHint().width()) == box.currentText()


def test_labels_stand_at_the_middle_of_their_fields(qtbot: QtBot, theme: Theme) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    form = QFormLayout(host)
    fields = (QLineEdit(), WholeField(), ChoiceBox())
    for field in fields:
        add_field(form, "A name", field)
    host.show()
    for field in fields:
        beside = form.labelForField(field)
        assert abs(beside.geometry().center().y() - field.geometry().center().y()) <= 1
        assert beside.buddy() is field  # type: ignore[attr-defined]
        assert abs(field.height() - FIELD_PX) <= 1, "fields of one line are of one height"


def test_weekends_of_the_calendar_are_in_the_color_of_the_text(qtbot: QtBot) -> None:
    dialog = DaysDialog(EVERYTHING)
    qtbot.addWidget(dialog)
    calendar = dialog.first.calendarWidget()
    saturday = calendar.weekdayTextFormat(Qt.DayOfWeek.Saturday)
    assert saturday.foreground().color() != QColor(Qt.GlobalColor.red)


@pytest.mark.parametrize(
    "text",
    ["Today so far: ○ 0 J.", "larger than 300 MB", "saving 13 % of it", "in 1 min 45 s", "≥ 3 J"],
)
def test_no_line_ends_between_a_number_and_its_unit(qtbot: QtBot, text: str) -> None:
    made = label(text, wrap=True)
    qtbot.addWidget(made)
    assert made.text() == text
    drawn = QLabel.text(made)
    assert [part for part in drawn.split(" ") if part and part[0].isalpha() and part in UNITS] == []
    assert "\N{NO-BREAK SPACE}" in drawn


def test_other_words_are_not_bound_to_a_number(qtbot: QtBot) -> None:
    made = label("3 cats, 12 Grams, 5 shots", wrap=True)
    qtbot.addWidget(made)
    assert QLabel.text(made) == "3 cats, 12 Grams, 5 shots"


def test_what_can_be_copied_is_copied_as_it_is(qtbot: QtBot) -> None:
    path = "/media/Disk 2 B/history.db"
    made = label(path, wrap=True)
    qtbot.addWidget(made)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    assert QLabel.text(made) == path
