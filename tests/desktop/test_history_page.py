"""The history page over a real database."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QRect, Qt
from PySide6.QtGui import QFocusEvent, QImage
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from desktop.history.bars import OTHERS, BarChart, arrange
from desktop.history.calendar import Calendar
from desktop.history.model import PAGE, HistoryModel
from desktop.history.over_time import MARGIN, SHARPNESS
from desktop.history.page import HistoryPage
from desktop.history.state import Measure, Place, View
from desktop.history.table import QueryTable
from desktop.history.totals import Balance, TotalsStrip, period_before
from desktop.theme.palette import DARK
from desktop.window import MainWindow
from monitor.carbon.intensity import find_zone
from monitor.energy.account import DECODE, Bill, Line
from monitor.energy.interval import Interval
from monitor.engine.gguf import ModelInfo, read_model_info
from monitor.models.library import sha256_of
from monitor.models.starter import starter_path
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.store.charts import Bar, Period, Stack, Totals
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History, QueryStart
from monitor.store.outcomes import Outcome
from monitor.store.records import Seconds, Status, Tokens
from tests.unit.builders import CPU, GPU, LACKING, stored_query
from tests.unit.builders import line as bill_line

CHANNEL = Channel(
    "rapl:package-0", "CPU 0", Domain.CPU, "package-0", Kind.COUNTER, Role.PART, 0.001, 0.0,
    Accuracy(0.05, 0.05, 0.0, "test"),
)  # fmt: skip


info_of = cache(read_model_info)


@cache
def hash_of(path: Path) -> str:
    *_, digest = sha256_of(path)
    return str(digest)


def store(
    history: History,
    starter: Path,
    number: int,
    joules: float | None,
    info: ModelInfo | None = None,
) -> None:
    began = history.begin(
        QueryStart(
            kind="ask",
            model=info or info_of(starter),
            sha256="1" * 64 if info else hash_of(starter),
            modified_ns=0,
            settings={
                "llama_cpp": "0", "context": 512, "threads": 2, "gpu_layers": -1,
                "temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05,
                "repeat_penalty": 1.0, "max_tokens": 12, "stop": "[]",
            },
            seed=number,
            system="",
            prompt=f"Question {number}",
            zone=find_zone("WORLD"),
            pue=1.0,
            conversation_id=None,
        )
    )  # fmt: skip
    energy = None if joules is None else Interval(joules, 0.1, 0.1, 0.0)
    line = Line(CHANNEL, DECODE, energy, 10.0, 12.0, 20, 1.0, 2.0, True)
    history.finish(
        began.query_id,
        Outcome(
            Status.DONE, f"Answer {number}", Tokens(10, 0, 50), Seconds(None, 0.1, 0.1, 2.0, 2.1),
            Bill((line,)),
        ),
    )  # fmt: skip


FEW = 10


@pytest.fixture
def few(window: MainWindow, starter: Path) -> MainWindow:
    """The window over a few queries, the fourth of them without energy."""
    for number in range(FEW):
        store(window._services.history, starter, number, None if number == 3 else 20.0 + number)
    return window


@pytest.fixture
def filled(window: MainWindow, starter: Path) -> MainWindow:
    """The window over more queries than are read at once."""
    for number in range(PAGE + 30):
        store(window._services.history, starter, number, 20.0 + number)
    return window


def texts(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.history_page.view.findChildren(QLabel))


def test_newest_first_older_ones_as_it_scrolls_and_a_row_opens(
    qtbot: QtBot, filled: MainWindow
) -> None:
    page = filled.history_page
    filled.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == PAGE)
    assert page.model.index(0, 2).data() == f"Question {PAGE + 29}"
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: page.model.rowCount() == PAGE + 30)
    prompts = [page.model.index(row, 2).data() for row in range(page.model.rowCount())]
    assert prompts == [f"Question {number}" for number in range(PAGE + 29, -1, -1)]
    page.table.selectRow(5)
    qtbot.waitUntil(lambda: f"Question {PAGE + 24}" in texts(filled))
    assert "● " in texts(filled)


def test_missing_energy_is_a_dash_and_never_zero(qtbot: QtBot, few: MainWindow) -> None:
    page = few.history_page
    few.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)
    row = FEW - 1 - 3
    assert page.model.index(row, 3).data() == "—"
    assert page.model.index(row, 4).data() == "—"
    assert "●" in page.model.index(row - 1, 3).data()


def test_interval_and_kind_are_in_the_tooltip(qtbot: QtBot, few: MainWindow) -> None:
    page = few.history_page
    few.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)
    tip = page.model.index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "28.9–29.1 J" in tip
    assert "counted" in tip


def test_an_energy_that_lacks_a_part_is_marked_in_its_row_and_on_its_page(
    qtbot: QtBot, window: MainWindow
) -> None:
    lacking = Bill((bill_line(CPU, joules=200.0), bill_line(GPU, joules=None)))
    stored_query(window._services.history, bill=lacking)
    page = window.history_page
    window.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == 1)
    assert page.model.index(0, 3).data() == "≥ ● 200 J"
    tip = page.model.index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "Not every part was read" in tip
    qtbot.waitUntil(lambda: "GPU 0 was not read: it was at least this." in texts(window))
    assert "≥ ● 200 J" in texts(window)


# --- narrowing down ----------------------------------------------------------------------


@pytest.fixture
def page(qtbot: QtBot, few: MainWindow) -> HistoryPage:
    """The page over a few queries, read."""
    few.show_page("history")
    qtbot.waitUntil(lambda: few.history_page.model.rowCount() == FEW)
    return few.history_page


def prompts(page: HistoryPage) -> list[str]:
    return [page.model.row(index).prompt for index in range(page.model.rowCount())]


def chips(page: HistoryPage) -> list[str]:
    found = page.filter_bar.findChildren(QToolButton, "chip")
    return [chip.text() for chip in found if not chip.isHidden()]


def figures_shown(page: HistoryPage) -> list[str]:
    return [label.text() for label in page.totals.findChildren(QLabel, "figure")]


def test_a_search_narrows_table_and_totals_and_going_back_undoes_it(
    qtbot: QtBot, page: HistoryPage
) -> None:
    qtbot.waitUntil(lambda: "10" in figures_shown(page))
    qtbot.keyClicks(page.filter_bar.search, "question 7")
    qtbot.waitUntil(lambda: prompts(page) == ["Question 7"])
    qtbot.waitUntil(lambda: figures_shown(page)[:3] == ["● 27.0 J", "3.55 mg", "1"])
    qtbot.waitUntil(lambda: chips(page) == ["“question 7”"])
    qtbot.keyClicks(page.filter_bar.search, " nowhere")
    qtbot.waitUntil(lambda: page.model.rowCount() == 0)
    qtbot.waitUntil(lambda: figures_shown(page)[:3] == ["—", "—", "0"])
    page.state.back()
    page.state.back()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)
    assert page.filter_bar.search.text() == ""
    page.state.forward()
    qtbot.waitUntil(lambda: prompts(page) == ["Question 7"])


def test_conditions_from_the_menu_become_chips_that_remove_them(
    qtbot: QtBot, page: HistoryPage
) -> None:
    qtbot.waitUntil(lambda: bool(page.filter_bar._choices.statuses))
    page.filter_bar.more.menu().aboutToShow.emit()
    menus = {m.title(): m for m in page.filter_bar.more.menu().findChildren(QMenu)}
    assert [a.text() for a in menus["Quantisation"].actions()] == ["Q4_1"]
    assert not menus["Tag"].isEnabled()
    menus["Quantisation"].actions()[0].trigger()
    menus["Kind"].actions()[0].trigger()
    wanted = ["Quantisation: Q4_1", "Kind: ask", "Clear all"]
    qtbot.waitUntil(lambda: chips(page) == wanted)
    assert page.state.place.to_address().endswith("quantisations=Q4_1&kinds=ask")
    shown = [c for c in page.filter_bar.findChildren(QToolButton, "chip") if not c.isHidden()]
    shown[0].click()
    qtbot.waitUntil(lambda: chips(page) == ["Kind: ask"])
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)


def test_an_address_is_the_place_it_was_made_of() -> None:
    place = Place(Filter(models=("a&b",), text="x y"), View.CHART, Measure.CO2, Period.WEEK)
    assert Place.from_address(place.to_address()) == place
    assert Place.from_address("view=cellar&period=era") == Place()


# --- editing -----------------------------------------------------------------------------


def test_deleted_queries_come_back_with_undo(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    page.table.selectRow(2)
    flags = QItemSelectionModel.SelectionFlag
    page.table.selectionModel().select(page.model.index(4, 0), flags.Select | flags.Rows)
    assert page.actions_bar.compare.isEnabled()
    few.notice.say("An answer is not stored.", topic="unstored")
    page.actions_bar.delete.click()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW - 2)
    assert {"Question 7", "Question 5"}.isdisjoint(prompts(page))
    qtbot.waitUntil(lambda: "2 queries were deleted" in few.notice.text())
    undo = next(b for b in few.notice.findChildren(QToolButton) if b.text() == "Undo")
    undo.click()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)
    assert few.notice.text() == "An answer is not stored."
    page.table.selectRow(0)
    page.delete_selected()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW - 1)
    few.notice.say("Something else was said since.")
    page._bring_back.trigger()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)
    assert few.notice.text() == "1 query is back."
    page._bring_back.trigger()
    qtbot.waitUntil(
        lambda: (
            few.notice.text()
            == "There is nothing to bring back. What is deleted is kept for 30 days."
        ),
    )


def test_the_list_stays_where_something_was_deleted(qtbot: QtBot, page: HistoryPage) -> None:
    page.table.selectRow(3)
    page.delete_selected()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW - 1)
    assert [row.prompt for row in page.table.rows_selected()] == ["Question 5"]
    page.table.selectRow(FEW - 2)
    last = page.table.rows_selected()[0]
    page.delete_selected()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW - 2)
    assert [row.prompt for row in page.table.rows_selected()] == ["Question 1"]
    page.restore([last.number])
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW - 1)
    assert page.table.rows_selected() == [last]


def test_rows_selected_here_and_there_are_returned_from_the_top(page: HistoryPage) -> None:
    flags = QItemSelectionModel.SelectionFlag
    page.table.clearSelection()
    for first, last in ((6, 8), (2, 3), (3, 4), (7, 7)):
        block = QItemSelection(page.model.index(first, 0), page.model.index(last, 0))
        page.table.selectionModel().select(block, flags.Toggle | flags.Rows)
    listed = prompts(page)
    assert [row.prompt for row in page.table.rows_selected()] == [listed[at] for at in (2, 4, 6, 8)]
    page.table.selectAll()
    assert [row.prompt for row in page.table.rows_selected()] == listed


def test_what_is_selected_stays_so_at_once_when_it_is_tagged(
    qtbot: QtBot, page: HistoryPage
) -> None:
    page.table.selectAll()
    told: list[int] = []
    page.table.selected.connect(lambda rows: told.append(len(rows)))
    page.actions_bar.tag_wanted.emit("for Ghent")
    qtbot.waitUntil(lambda: page.model.row(0).tags == ("for Ghent",))
    assert len(page.table.rows_selected()) == FEW
    assert told[-1] == FEW
    assert len(told) < FEW  # row by row, thousands would hold the window up


def test_the_header_is_drawn_without_a_look_at_every_selected_row(
    qtbot: QtBot, page: HistoryPage
) -> None:
    looked_at = 0

    class Model(HistoryModel):
        def flags(self, index: QModelIndex) -> Qt.ItemFlag:  # type: ignore[override]
            nonlocal looked_at
            looked_at += 1
            return super().flags(index)

    model = Model(page._bridge, page._history)
    table = QueryTable(model)
    qtbot.addWidget(table)
    row = page.model.row(0)
    model._replace([replace(row, number=row.number - place) for place in range(1_000)])
    table.selectAll()
    table.horizontalHeader().grab()
    assert looked_at < 1_000
    assert len(table.rows_selected()) == 1_000


def test_deleting_thousands_compares_no_two_of_them(page: HistoryPage) -> None:
    compared = 0

    class Number(int):
        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return int(self) == other

    row = page.model.row(0)
    rows = [replace(row, number=Number(row.number - place)) for place in range(1_000)]
    page.model._replace(list(rows))
    gone = [each.number for each in rows[10:990]]
    compared = 0
    assert page._beside(gone) == rows[990].number
    assert compared < 2 * len(rows)


def test_keys_stay_with_the_page_when_its_view_is_changed(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    few.activateWindow()
    page.table.setFocus()
    qtbot.waitUntil(page.table.hasFocus)
    page.tabs.setCurrentIndex(1)
    qtbot.waitUntil(page.tabs.hasFocus)


def test_one_deleted_query_is_told_in_the_singular(qtbot: QtBot, few: MainWindow) -> None:
    few.show_page("history")
    qtbot.waitUntil(lambda: few.history_page.model.rowCount() == FEW)
    few.history_page.table.selectRow(2)
    few.history_page.delete_selected()
    qtbot.waitUntil(lambda: "1 query was deleted" in few.notice.text())


def test_tags_and_notes_stay_with_their_query(qtbot: QtBot, page: HistoryPage) -> None:
    page.table.selectRow(1)
    qtbot.waitUntil(lambda: page.view.findChild(QLineEdit) is not None)
    page.actions_bar.tag_wanted.emit("talk")
    qtbot.waitUntil(lambda: page.model.row(1).tags == ("talk",))
    assert page.model.index(1, 2).data() == "#talk Question 8"
    note = page.view.findChild(QLineEdit)
    assert note is not None
    note.setText("for Ghent")
    note.returnPressed.emit()
    qtbot.waitUntil(lambda: page.model.row(1).note == "for Ghent")

    def chips() -> list[QToolButton]:
        made = page.view.findChildren(QToolButton, "chip")
        return [chip for chip in made if chip.text() == "talk"]

    # The page is drawn anew once nothing is being written on it.
    qtbot.waitUntil(lambda: bool(chips()))
    chips()[0].click()
    qtbot.waitUntil(lambda: page.model.row(1).tags == ())


def test_a_query_is_run_again_just_as_it_was(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    page.table.selectRow(4)
    again = wait_for_button(qtbot, page, "Run again", "Question 5")
    again.click()
    qtbot.waitUntil(lambda: few.engine.busy)
    assert "Running the query again" in few.notice.text()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW + 1, timeout=60_000)
    qtbot.waitUntil(lambda: not few.engine.busy)
    newest = few._services.history.records(1)[0]
    assert (newest.prompt, newest.status, newest.settings["seed"]) == ("Question 5", "done", 5)
    assert newest.tokens.completion <= 12
    assert newest.bill.total().joules
    assert few.notice.text() == ""


def test_a_note_that_is_being_written_stays_whatever_happens_meanwhile(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    page.table.selectRow(1)
    wait_for_button(qtbot, page, "Run again", "Question 8")
    note = page.view.findChild(QLineEdit)
    assert note is not None
    note.setText("half a tho")
    page.refresh()
    few.set_theme(DARK)
    qtbot.wait(300)
    assert page.view.findChild(QLineEdit) is note
    note.setText("half a thought")
    note.returnPressed.emit()
    qtbot.waitUntil(lambda: page.model.row(1).note == "half a thought")


def choose(qtbot: QtBot, page: HistoryPage, row: int) -> QLineEdit:
    """Choose a row and return the field of its note."""
    page.table.selectRow(row)
    number = page.model.row(row).number
    qtbot.waitUntil(lambda: page.view._row is not None and page.view._row.number == number)
    note = page.view.findChild(QLineEdit)
    assert note is not None
    return note


def leave(field: QLineEdit) -> None:
    QApplication.sendEvent(field, QFocusEvent(QEvent.Type.FocusOut))


@pytest.fixture
def refuse(page: HistoryPage) -> Callable[[bool], None]:
    """Have the history's file refuse what is written, and take it again."""

    def make_it(is_refusing: bool) -> None:
        store = page._history.store
        store.maintain(lambda db: db.execute(f"pragma query_only = {is_refusing:d}")).result()

    return make_it


def test_a_note_that_could_not_be_stored_is_there_to_be_stored_later(
    qtbot: QtBot, page: HistoryPage, refuse: Callable[[bool], None]
) -> None:
    problems: list[str] = []
    page._bridge.read_failed.connect(problems.append)
    note = choose(qtbot, page, 1)
    refuse(True)
    note.setText("for Ghent")
    note.returnPressed.emit()
    qtbot.waitUntil(lambda: bool(problems))
    assert not choose(qtbot, page, 0).text()
    note = choose(qtbot, page, 1)
    assert note.text() == "for Ghent"
    refuse(False)
    leave(note)
    qtbot.waitUntil(lambda: page.model.row(1).note == "for Ghent")


def test_a_refused_note_that_is_taken_back_does_not_return(
    qtbot: QtBot, page: HistoryPage, refuse: Callable[[bool], None]
) -> None:
    problems: list[str] = []
    page._bridge.read_failed.connect(problems.append)
    note = choose(qtbot, page, 1)
    refuse(True)
    note.setText("for Ghent")
    leave(note)
    qtbot.waitUntil(lambda: bool(problems))
    refuse(False)
    note.clear()
    leave(note)
    qtbot.waitUntil(lambda: not page._notes)
    choose(qtbot, page, 0)
    assert not choose(qtbot, page, 1).text()


def test_a_note_outlives_a_page_that_moves_on_by_itself(qtbot: QtBot, page: HistoryPage) -> None:
    """As after a query that was run again, which is shown as it ends."""
    choose(qtbot, page, 1).setText("half a thought")
    page.show_latest()
    qtbot.waitUntil(lambda: page.model.row(1).note == "half a thought")


def test_a_note_that_was_refused_is_stored_as_the_window_closes(
    qtbot: QtBot, few: MainWindow, page: HistoryPage, refuse: Callable[[bool], None]
) -> None:
    problems: list[str] = []
    page._bridge.read_failed.connect(problems.append)
    number = page.model.row(1).number
    note = choose(qtbot, page, 1)
    refuse(True)
    note.setText("for Ghent")
    leave(note)
    qtbot.waitUntil(lambda: bool(problems))
    choose(qtbot, page, 0)
    refuse(False)
    few.close()
    with closing(History(few._services.history.store.path)) as history:
        assert [row.note for row in history.browse.rows() if row.number == number] == ["for Ghent"]


def test_a_query_whose_model_is_gone_says_so(
    qtbot: QtBot, few: MainWindow, page: HistoryPage, tmp_path: Path
) -> None:
    gone = replace(info_of(starter_path()), path=tmp_path / "gone.gguf")
    store(few._services.history, starter_path(), 77, 1.0, info=gone)
    page.refresh()
    qtbot.waitUntil(lambda: page.model.row(0).prompt == "Question 77")
    page.table.selectRow(0)
    wait_for_button(qtbot, page, "Run again", "Question 77").click()
    qtbot.waitUntil(lambda: "cannot be used" in few.notice.text())
    assert "gone.gguf" in few.notice.text()


def wait_for_button(qtbot: QtBot, page: HistoryPage, text: str, prompt: str) -> QPushButton:
    """Wait until a query is shown in full and return one of its buttons."""

    def shown() -> QPushButton | None:
        titles = [label.text() for label in page.view.findChildren(QLabel, "title")]
        found = [b for b in page.view.findChildren(QPushButton) if b.text() == text]
        return found[0] if prompt in titles and found else None

    qtbot.waitUntil(lambda: shown() is not None)
    button = shown()
    assert button is not None
    return button


# --- over time ---------------------------------------------------------------------------


def bar(day: str, key: str, joules: float | None) -> Bar:
    totals = Totals(queries=1, measured=joules is not None, energy_j=joules)
    return Bar(date.fromisoformat(day), key, totals)


def test_a_chart_has_a_column_for_every_period_and_none_is_drawn_as_nothing_known() -> None:
    columns = arrange(
        [bar("2026-03-02", "a", 5.0), bar("2026-03-05", "a", None), bar("2026-03-05", "b", 2.0)],
        Period.DAY,
        Measure.ENERGY,
    )
    assert [day.day for day in columns.starts] == [2, 3, 4, 5]
    assert list(columns.heights) == ["a", "b"]
    assert columns.heights["a"][0] == 5.0
    assert np.isnan(columns.heights["a"][1:]).all()


def test_pieces_beyond_the_seventh_are_drawn_as_one_and_nothing_is_lost() -> None:
    bars = [bar("2026-03-02", f"model {n}", float(n)) for n in range(1, 11)]
    heights = arrange(bars, Period.DAY, Measure.ENERGY).heights
    assert len(heights) == 7
    assert float(heights[OTHERS][0]) == 1 + 2 + 3 + 4
    assert sum(float(row[0]) for row in heights.values()) == 55


def test_few_points_are_marked_each_and_many_are_a_line(qtbot: QtBot) -> None:
    """A thousand marks for each of a dozen models would halt the window while they are drawn."""
    first = date(2026, 3, 2)
    known = Totals(queries=1, measured=1, energy_j=8.0, joules_per_token=2.0)

    def marked(days: int) -> list[int]:
        bars = [Bar(first + timedelta(day), "many", known) for day in range(days)]
        chart.show_columns(
            arrange([Bar(first, "one", known), *bars], Period.DAY, Measure.PER_TOKEN),
            Period.DAY,
            Measure.PER_TOKEN,
            Stack.MODEL,
        )
        dots = [item for item in chart.plotItem.items if isinstance(item, pg.ScatterPlotItem)]
        return sorted(len(item.data) for item in dots)

    chart = BarChart(DARK)
    qtbot.addWidget(chart)
    assert marked(3) == [1, 3]
    assert marked(1000) == [1]
    assert len(chart.colors()) == 2


def test_a_click_on_a_bar_lists_the_queries_of_its_days(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    page.tabs.setCurrentIndex(1)
    chart = page.over_time.chart
    qtbot.waitUntil(lambda: bool(chart.colors()))
    (start,) = chart._columns.starts
    assert start == date.today()
    assert f"{sum(20.0 + n for n in range(FEW) if n != 3):.0f} J" in chart.tip(start)
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert "J" in chart.accessibleDescription()
    chart.pointed.emit("27 Nov\n" + "a model of a long name: ○ 169 J\n" * 9)
    pointed = page.over_time._pointed
    assert pointed.text().endswith("…")
    assert pointed.sizeHint().width() <= pointed.width(), "it is cut at its end, not through it"
    qtbot.keyClick(chart, Qt.Key.Key_Return)
    assert page.state.place.view is View.LIST
    assert page.state.place.chosen.since == date.today()
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW)


def test_what_cannot_be_split_by_component_says_why_it_is_not_and_so_does_its_picture(
    qtbot: QtBot, page: HistoryPage, tmp_path: Path
) -> None:
    def shown(measure: Measure) -> str:
        place = replace(page.state.place, view=View.CHART, measure=measure, stack=Stack.COMPONENT)
        page.state.go(place)
        shows = page.over_time
        qtbot.waitUntil(lambda: shows._shown is not None and shows._shown.place.measure is measure)
        return shows._caveats.text()

    assert shown(Measure.ENERGY) == ""
    assert shown(Measure.CO2) == "Of components only the energy is known."
    over_time = page.over_time
    qtbot.keyClick(over_time.chart, Qt.Key.Key_Left)
    caveats = over_time._caveats
    qtbot.waitUntil(lambda: caveats.isVisible() and caveats.y() > over_time._card.y())
    assert caveats.text() == "Of components only the energy is known.", "the arrows tell above it"
    path = tmp_path / "chart.png"
    assert over_time.save_picture(path)
    place = caveats.geometry().translated(MARGIN, 0)
    part = QImage(str(path)).copy(QRect(place.topLeft() * SHARPNESS, place.size() * SHARPNESS))
    colours = {part.pixel(x, y) for x in range(part.width()) for y in range(part.height())}
    assert len(colours) > 2, "its letters are drawn"
    assert shown(Measure.ENERGY) == ""
    assert caveats.isHidden()


def test_the_calendar_is_reached_by_keyboard_and_a_day_of_it_listed(
    qtbot: QtBot, page: HistoryPage
) -> None:
    page.tabs.setCurrentIndex(2)
    calendar = page.calendar.calendar
    qtbot.waitUntil(lambda: calendar.level_of(date.today()) > 0)
    assert calendar.level_of(date.today() - timedelta(days=3)) == 0
    calendar.focusInEvent(QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    assert "J" in calendar.accessibleDescription(), "the day where the arrows begin"
    qtbot.keyClick(calendar, Qt.Key.Key_Up)
    qtbot.keyClick(calendar, Qt.Key.Key_Down)
    qtbot.keyClick(calendar, Qt.Key.Key_Return)
    assert (page.state.place.view, page.state.place.chosen.until) == (View.LIST, date.today())


WHOLE = Totals(
    queries=4, measured=4, costed=4, kind=Kind.COUNTER, energy_j=40.0, energy_low_j=38.0,
    energy_high_j=43.0, grams=0.02, completion_tokens=80, joules_per_token=0.5, tokens_per_s=9.0,
)  # fmt: skip


def strip_of(qtbot: QtBot, now: Totals, before: Totals | None = None) -> TotalsStrip:
    made = TotalsStrip()
    qtbot.addWidget(made)
    made.show_balance(Balance(now, before, None))
    return made


def told(strip: TotalsStrip) -> dict[str, tuple[str, str]]:
    """Return each figure with the note under it, by what it is."""
    names = ("Energy", "CO₂e", "Queries", "Answer tokens", "Decode energy a token", "Decode speed")
    tiles = [(value.text(), note.text()) for value, note in strip._tiles]
    return dict(zip(names, tiles, strict=True))


def test_totals_that_lack_a_part_are_marked_and_not_compared(qtbot: QtBot) -> None:
    twice = WHOLE._replace(energy_j=80.0, grams=0.04, joules_per_token=1.0)
    shown = told(strip_of(qtbot, twice, WHOLE))
    more = "▲ 100 %"
    assert [note for _, note in shown.values()] == [more, more, "as before", "", more, "as before"]
    assert not any("≥" in value for value, _ in shown.values())
    lacking = twice._replace(partly_read=1)
    for now, before in ((lacking, WHOLE), (twice, WHOLE._replace(partly_read=1))):
        shown = told(strip_of(qtbot, now, before))
        made = [shown[name][1] for name in ("Energy", "CO₂e", "Decode energy a token")]
        assert made == ["not compared"] * 3
        assert shown["Decode speed"][1] == "as before"
    strip = strip_of(qtbot, lacking, WHOLE)
    marked = {name for name, (value, _) in told(strip).items() if value.startswith("≥ ")}
    assert marked == {"Energy", "CO₂e", "Decode energy a token"}
    sentence = "A part was not read in 1 of 4 queries: it was at least this."
    tips = [label.toolTip() for label in strip.findChildren(QLabel)]
    assert sum(sentence in tip for tip in tips) == 6, "at each figure and the note under it"
    unread = told(strip_of(qtbot, WHOLE._replace(queries=5, unread=1)))
    marked = {name for name, (value, _) in unread.items() if value.startswith("≥ ")}
    assert marked == {"Energy", "CO₂e"}, "it is missing from the sums, and from no mean"


def test_of_nothing_there_is_no_mean_over_all_of_it(qtbot: QtBot) -> None:
    assert told(strip_of(qtbot, WHOLE))["Decode energy a token"] == (
        "● 500 mJ",
        "over all of these queries",
    )
    nothing = told(strip_of(qtbot, Totals()))
    assert nothing["Decode energy a token"] == ("—", "")


def test_the_grams_say_of_how_many_queries_they_are(qtbot: QtBot) -> None:
    shown = told(strip_of(qtbot, WHOLE._replace(costed=3), WHOLE))
    assert shown["CO₂e"] == ("≥ 20.0 mg", "of 3 of 4 measured")
    assert shown["Energy"][0] == "● 40.0 J"
    shown = told(strip_of(qtbot, WHOLE, WHOLE._replace(costed=3)))
    assert shown["CO₂e"] == ("20.0 mg", "not compared")


def test_bars_and_days_that_lack_a_part_are_marked(qtbot: QtBot) -> None:
    lacking = WHOLE._replace(partly_read=1)
    day = date(2026, 3, 2)
    bars = (Bar(day, "a", lacking), Bar(day, "b", WHOLE), Bar(day + timedelta(1), "a", WHOLE))
    chart = BarChart(DARK)
    qtbot.addWidget(chart)
    for measure, wanted in (
        (Measure.ENERGY, "a: ≥ ● 40.0 J"),
        (Measure.CO2, "a: ≥ 20.0 mg"),
        (Measure.PER_TOKEN, "a: ≥ ● 500 mJ"),
        (Measure.TOKENS, "a: 80"),
    ):
        columns = arrange(bars, Period.DAY, measure)
        chart.show_columns(columns, Period.DAY, measure, Stack.MODEL)
        assert wanted in chart.tip(day).splitlines()
        assert "≥" not in chart.tip(day).partition("b: ")[2] + chart.tip(day + timedelta(1))
    calendar = Calendar(DARK)
    qtbot.addWidget(calendar)
    calendar.show_days(bars[::2], day + timedelta(1), Measure.ENERGY)
    assert calendar.tip(day).endswith(": ≥ ● 40.0 J")
    assert "≥" not in calendar.tip(day + timedelta(1))


def test_a_row_that_lacks_a_part_is_marked_in_all_that_is_made_of_joules(
    qtbot: QtBot, few: MainWindow, page: HistoryPage
) -> None:
    history = few._services.history
    stored_query(history, "Question 78", bill=LACKING)
    page.refresh()
    qtbot.waitUntil(lambda: page.model.row(0).prompt == "Question 78")
    model = page.model
    marked = [at for at in range(8) if str(model.data(model.index(0, at))).startswith("≥")]
    assert [model.headerData(at, Qt.Orientation.Horizontal) for at in marked] == [
        "Energy", "CO₂e", "J/token",
    ]  # fmt: skip
    tips = [model.data(model.index(0, at), Qt.ItemDataRole.ToolTipRole) for at in marked]
    assert all("Not every part was read" in tip for tip in tips)
    assert model.data(model.index(1, 6), Qt.ItemDataRole.ToolTipRole) is None


def test_totals_are_laid_beside_as_many_days_before() -> None:
    chosen = Filter(since=date(2026, 3, 10), until=date(2026, 3, 12), kinds=("ask",))
    earlier = period_before(chosen)
    assert earlier == Filter(since=date(2026, 3, 7), until=date(2026, 3, 9), kinds=("ask",))
    assert period_before(EVERYTHING) is None


def test_what_has_no_figure_for_a_measure_is_left_out_of_it() -> None:
    heights = arrange([bar("2026-03-02", "a", 5.0)], Period.DAY, Measure.PER_TOKEN).heights
    assert dict(heights) == {}
