"""The history page by keyboard alone: where Tab leads, and that the keys are never lost."""

from datetime import date, timedelta

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QFocusEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QInputDialog, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from desktop.history.bars import BarChart
from desktop.history.marks import Marks
from desktop.history.page import HistoryPage
from desktop.theme.palette import DARK, LIGHT
from desktop.window import MainWindow
from monitor.store.filters import Filter
from tests.unit.builders import stored_query

PROMPTS = ("first", "second", "third", "fourth")


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow) -> HistoryPage:
    """The page over a few queries, drawn to its end."""
    for prompt in PROMPTS:
        stored_query(window._services.history, prompt)
    window.show_page("history")
    found = window.history_page
    qtbot.waitUntil(lambda: found.model.rowCount() == len(PROMPTS))
    qtbot.waitUntil(lambda: found.view.widget() is not None and not found.view._rest)
    qtbot.waitUntil(lambda: not found.view._drawing.isActive())
    return found


def tab_chain(start: QWidget) -> list[QWidget]:
    """Return what Tab leads to from a widget, to the end of the window."""
    found, at = [start], start.nextInFocusChain()
    while at is not start:
        is_stop = bool(at.focusPolicy() & Qt.FocusPolicy.TabFocus)
        if is_stop and at.isVisible() and at.isEnabled():
            found.append(at)
        at = at.nextInFocusChain()
    return found


def names(chain: list[QWidget]) -> list[str]:
    return [at.text() if isinstance(at, QAbstractButton) else at.accessibleName() for at in chain]


def test_tab_leads_through_the_page_as_it_is_read(qtbot: QtBot, page: HistoryPage) -> None:
    page.state.narrow(Filter(kinds=("ask",), statuses=("done",)))
    qtbot.waitUntil(lambda: page.filter_bar._chips.count() == 3)
    qtbot.waitUntil(lambda: page.actions_bar.tag.isEnabled())
    chain = tab_chain(page.filter_bar.search)
    told = names(chain)
    assert told[: told.index("Queries")] == [
        "Search", "All time ▾", "Filter ▾", "Kind: ask", "Status: done", "Clear all",
        "How the queries are shown", "Tag …", "Export …", "Delete", "More ▾",
    ]  # fmt: skip
    after = told[told.index("Queries") + 1 :]
    assert after[0] == "The query in full"
    assert after.index("Note") < after.index("Answer") < after.index("Live power plot")
    assert "" not in names([at for at in chain if page.isAncestorOf(at)])


def test_queries_are_tagged_brought_back_and_noted_without_a_mouse(
    qtbot: QtBot, window: MainWindow, page: HistoryPage
) -> None:
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(page.table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert [row.prompt for row in page.table.rows_selected()] == ["fourth", "third"]
    QTest.keyClick(page.actions_bar.tag, Qt.Key.Key_Space)
    dialog = page.findChild(QInputDialog)
    QTest.keyClicks(dialog.findChild(QLineEdit), "kept")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.model.row(0).tags == page.model.row(1).tags == ("kept",))
    assert len(page.table.rows_selected()) == 2

    page.delete_selected()
    qtbot.waitUntil(lambda: window.notice.text() == "2 queries were deleted.")
    qtbot.waitUntil(lambda: page.model.rowCount() == len(PROMPTS) - 2)
    keys = QKeySequence(QKeySequence.StandardKey.Undo)
    (undo,) = [each for each in page.findChildren(QShortcut) if each.key() == keys]
    undo.activated.emit()
    qtbot.waitUntil(lambda: page.model.rowCount() == len(PROMPTS))
    assert window.notice.text() == ""
    undo.activated.emit()  # nothing is left to be brought back
    assert page.model.rowCount() == len(PROMPTS)

    page.delete_selected()
    qtbot.waitUntil(lambda: page.model.rowCount() < len(PROMPTS))
    qtbot.waitUntil(lambda: "deleted" in window.notice.text())
    pressed: list[str] = []
    window.notice.say("The recording was deleted.", "Undo", lambda: pressed.append("other"))
    undo.activated.emit()
    qtbot.waitUntil(lambda: page.model.rowCount() == len(PROMPTS))
    assert window.notice.text() == "The recording was deleted."
    assert not pressed
    window.notice.settle("")

    note = page.view.findChild(Marks).note
    note.setFocus()
    QTest.keyClicks(note, "by hand")
    QTest.keyClick(note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: any(page.model.row(at).note == "by hand" for at in range(4)))
    qtbot.waitUntil(lambda: page.view.findChild(Marks).note is not note)
    assert window.focusWidget() is page.view.findChild(Marks).note


def test_columns_without_room_are_told_of_and_only_beside_the_table(
    qtbot: QtBot, window: MainWindow, page: HistoryPage
) -> None:
    window.resize(1024, 640)
    qtbot.waitUntil(page.hidden.isVisible)
    assert page.hidden.text() == "4 columns hidden"
    assert "No room for: CO₂e, Tokens, J/token, Speed." in page.hidden.toolTip()
    page.tabs.setCurrentIndex(1)
    assert not page.hidden.isVisible()
    page.tabs.setCurrentIndex(0)
    assert page.hidden.isVisible()
    page.table.selectAll()
    assert not page.hidden.isVisible(), "how many are selected has its place"
    page.table.selectRow(0)
    window.resize(1600, 640)
    qtbot.waitUntil(lambda: not page.hidden.isVisible())
    assert page.table.hidden_titles() == []


def test_the_calendar_keeps_the_day_the_keys_have_led_to(
    qtbot: QtBot, window: MainWindow, page: HistoryPage
) -> None:
    page.tabs.setCurrentIndex(2)
    calendar = page.calendar.calendar
    qtbot.waitUntil(lambda: calendar.level_of(date.today()) > 0)
    calendar.focusInEvent(QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    for _ in range(2):
        QTest.keyClick(calendar, Qt.Key.Key_Left)
    weeks_ago = date.today() - timedelta(weeks=2)
    assert calendar.accessibleDescription() == calendar.tip(weeks_ago)
    stored_query(window._services.history, "fifth")
    before = calendar.tip(date.today())
    page.refresh()
    qtbot.waitUntil(lambda: calendar.tip(date.today()) != before)
    QTest.keyClick(calendar, Qt.Key.Key_Right)
    assert calendar.accessibleDescription() == calendar.tip(weeks_ago + timedelta(weeks=1))


def test_a_chart_with_the_keys_stays_framed_in_another_theme(qtbot: QtBot) -> None:
    chart = BarChart(LIGHT)
    qtbot.addWidget(chart)
    with qtbot.waitActive(chart):
        chart.show()
        chart.activateWindow()
    chart.setFocus()
    assert chart.hasFocus()
    for theme in (DARK, LIGHT):
        chart.set_theme(theme)
        assert chart.getAxis("left").pen().color() == QColor(theme.accent)
    chart.clearFocus()
    chart.set_theme(DARK)
    assert chart.getAxis("left").pen().color() == QColor(DARK.line)
