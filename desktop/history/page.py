"""The history page: queries that can be narrowed down, added up, drawn over time and edited."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.history.actions import ActionBar
from desktop.history.filter_bar import FilterBar
from desktop.history.model import HistoryModel
from desktop.history.over_time import OverTime, read_time_chart
from desktop.history.query_view import QueryView
from desktop.history.state import HistoryState, View
from desktop.history.table import QueryTable
from desktop.history.totals import TotalsStrip, read_balance
from desktop.history.year import YearView
from desktop.theme.hidden import HiddenColumns
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, menu_button
from monitor.details import Details, details_of
from monitor.filter_flags import filter_arguments
from monitor.store.charts import Chart, Period, Stack
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRow

VIEWS = tuple(View)

VIEW_WIDTH = 416
"""Pixels in which the tables of a query's page stand without being scrolled sideways."""


class HistoryPage(QWidget):
    """Filter, totals, and below them the queries as a list, over time, or by day."""

    deleted = Signal(object)
    """Numbers of queries that were deleted; :meth:`restore` brings them back."""
    undo_wanted = Signal()
    """What was deleted last is to come back, while that is offered."""
    compare_wanted = Signal(object)
    """Identifiers of queries to lay side by side."""
    export_wanted = Signal(object, object)
    """A filter whose queries are to be written to a file, or only some of their numbers."""
    import_wanted = Signal()
    recost_wanted = Signal(object)
    """A filter whose queries are to be reckoned in another zone."""
    storage_wanted = Signal()
    """The history's file is to be looked after."""
    said = Signal(str)
    """What went wrong."""
    again_wanted = Signal(object)
    """A record whose query is to be run again."""
    measure_wanted = Signal(object)
    """A record whose query is to be run several times."""
    baseline_wanted = Signal()
    """The idle machine is to be measured."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.state = HistoryState(self)
        self.model = HistoryModel(bridge, history, self)
        self._wanted: int | None = None
        self._notes: dict[int, str] = {}
        self._listed: Filter | None = None
        self._asked = 0
        self.filter_bar = FilterBar(self.state, theme)
        self.totals = TotalsStrip()
        self.tabs = QTabBar()
        for text in (self.tr("Queries"), self.tr("Over time"), self.tr("Calendar")):
            self.tabs.addTab(text)
        self.tabs.setAccessibleName(self.tr("How the queries are shown"))
        self.actions_bar = ActionBar()
        self.more = menu_button(self.tr("More ▾"))
        menu = self.more.menu()
        self._picture = menu.addAction(self.tr("Save the chart as a picture …"), self._ask_picture)
        self._picture.setVisible(False)
        menu.addAction(self.tr("Export what is shown …"), self._export)
        menu.addAction(self.tr("Copy as a command"), self._copy_command)
        menu.addAction(
            self.tr("What it would emit elsewhere …"),
            lambda: self.recost_wanted.emit(self.state.place.chosen),
        )
        menu.addAction(self.tr("Import …"), self.import_wanted.emit)
        menu.addSeparator()
        self._bring_back = menu.addAction(
            self.tr("Bring back what was deleted last"), self._restore_last
        )
        menu.addAction(self.tr("The history's file …"), self.storage_wanted.emit)
        self.over_time = OverTime(self.state, theme)
        self.calendar = YearView(theme)
        self.view = QueryView(theme)
        self.table = QueryTable(self.model)
        self.hidden = HiddenColumns()
        self._build()
        self._connect()

    def _build(self) -> None:
        # From the outside in: Qt styles all that a part holds anew whenever it is put into another.
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self._whole = QStackedWidget()
        outer.addWidget(self._whole)
        full = QWidget()
        self._whole.addWidget(full)
        empty = _hint(
            self.tr(
                "Nothing is stored yet.\n\nEach answer on the chat page is kept here with its "
                "bill, its power curve and everything needed to have it again."
            )
        )
        self._whole.addWidget(empty)
        switch = QHBoxLayout()
        switch.addWidget(self.tabs)
        switch.addStretch(1)
        switch.addWidget(self.hidden)
        switch.addWidget(self.actions_bar)
        switch.addWidget(self.more)
        column = QVBoxLayout(full)
        column.setContentsMargins(12, 12, 12, 0)
        column.setSpacing(8)
        column.addWidget(self.filter_bar)
        column.addWidget(self.totals)
        column.addLayout(switch)
        self.views = QStackedWidget()
        column.addWidget(self.views, 1)
        self._list = QStackedWidget()
        for view in (self._list, self.over_time, self.calendar):
            self.views.addWidget(view)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        self._nothing = _hint(self.tr("No query matches. Remove a condition to see more."))
        self._list.addWidget(splitter)
        self._list.addWidget(self._nothing)
        self.view.setMinimumWidth(VIEW_WIDTH)
        splitter.addWidget(self.table)
        splitter.addWidget(self.view)
        splitter.setChildrenCollapsible(False)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([690, VIEW_WIDTH])

    def _connect(self) -> None:
        self.state.moved.connect(self._on_moved)
        self.model.loaded.connect(self._on_loaded)
        self.tabs.currentChanged.connect(self._on_tab)
        self.table.chosen.connect(self._on_chosen)
        self.table.selected.connect(self._on_selected)
        self.table.fitted.connect(self._tell_hidden)
        self.over_time.day_chosen.connect(self._show_days)
        self.calendar.chosen.connect(lambda day: self._show_days(day, day))
        bar = self.actions_bar
        bar.delete_wanted.connect(self.delete_selected)
        bar.tag_wanted.connect(self._tag)
        bar.export_wanted.connect(self._export_selected)
        bar.compare_wanted.connect(
            lambda: self.compare_wanted.emit([row.id for row in self.table.rows_selected()])
        )
        self.view.again.connect(self.again_wanted)
        self.view.measure.connect(self.measure_wanted)
        self.view.baseline_wanted.connect(self.baseline_wanted)
        self.view.noted.connect(self._note)
        self.view.untagged.connect(self._untag)
        for keys, does in (
            ("Alt+Left", self.state.back),
            ("Alt+Right", self.state.forward),
            (QKeySequence.StandardKey.Undo, self.undo_wanted.emit),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(does)
        delete = QShortcut(QKeySequence.StandardKey.Delete, self.table)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.delete_selected)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        for part in (self.view, self.filter_bar, self.over_time, self.calendar):
            part.set_theme(theme)

    # --- reading -------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Read anew whenever the page comes up."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Read again what is shown: something was added or changed."""
        self._list_queries()
        self._bridge.read(self._history.browse.choices, self.filter_bar.set_choices)
        self._read_sums()

    def _on_moved(self) -> None:
        place = self.state.place
        self.tabs.blockSignals(True)
        self.tabs.setCurrentIndex(VIEWS.index(place.view))
        self.tabs.blockSignals(False)
        self._show_view(place.view)
        self.actions_bar.setVisible(place.view is View.LIST)
        self._tell_hidden()
        self._picture.setVisible(place.view is View.CHART)
        self.over_time.show_place(place)
        if place.view is View.LIST and self._listed != place.chosen:
            self._list_queries()
        self._read_sums()

    def _show_view(self, view: View) -> None:
        """Change to another view; the keys stay with the page if they were in the one before."""
        focused = QApplication.focusWidget()
        was_within = focused is not None and self.views.isAncestorOf(focused)
        before = self.views.currentIndex()
        self.views.setCurrentIndex(VIEWS.index(view))
        if was_within and before != self.views.currentIndex():
            self.tabs.setFocus()

    def _on_selected(self, rows: list[QueryRow]) -> None:
        self.actions_bar.show_selection(rows)
        self._tell_hidden()

    def _tell_hidden(self) -> None:
        """Say which columns of the table there is no room for, while there is room to say so."""
        is_shown = self.state.place.view is View.LIST and self._list.currentIndex() == 0
        is_told = is_shown and not self.actions_bar.is_counting
        names = self.table.hidden_titles() if is_told else []
        self.hidden.tell(names, self.tr("Make the window wider; each query's page has them too."))

    def _list_queries(self) -> None:
        self._listed = self.state.place.chosen
        self.model.show_queries(self._listed)

    def _read_sums(self) -> None:
        """Read the totals, then what the view needs; what was asked before is dropped."""
        self._asked += 1
        asked, place, browse = self._asked, self.state.place, self._history.browse

        def unless_late(read: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: read() if asked == self._asked else None

        def if_any(show: Callable[[Any], None]) -> Callable[[Any], None]:
            return lambda found: show(found) if found is not None else None

        self._bridge.read(
            unless_late(lambda: read_balance(browse, place.chosen)),
            if_any(self.totals.show_balance),
        )
        if place.view is View.CHART:
            self._bridge.read(
                unless_late(lambda: read_time_chart(browse, place)),
                if_any(self.over_time.show_chart),
            )
        elif place.view is View.CALENDAR:
            self._bridge.read(
                unless_late(lambda: browse.chart(place.chosen, Period.DAY, Stack.NOTHING)),
                if_any(self._show_calendar),
            )

    def _show_calendar(self, chart: Chart) -> None:
        last = self.state.place.chosen.until or date.today()
        self.calendar.show_days(chart.bars, min(last, date.today()))

    def _on_loaded(self) -> None:
        has_rows = self.model.rowCount() > 0
        is_open = self.state.place.chosen.is_empty
        self._whole.setCurrentIndex(0 if has_rows or not is_open else 1)
        self._list.setCurrentIndex(0 if has_rows else 1)
        self._tell_hidden()
        self.table.select_again(self._wanted)

    def _on_chosen(self, row: QueryRow) -> None:
        self._wanted = row.number

        def show(found: Details) -> None:
            if row.number == self._wanted:
                self.view.show_query(row, found, self._notes.get(row.number))

        self._bridge.read(lambda: details_of(self._history, row.id), show)

    def _on_tab(self, index: int) -> None:
        self.state.go(replace(self.state.place, view=VIEWS[index]))

    def _show_days(self, first: date, last: date) -> None:
        chosen = replace(self.state.place.chosen, since=first, until=last)
        self.state.go(replace(self.state.place, chosen=chosen, view=View.LIST))

    def _export(self) -> None:
        self.export_wanted.emit(self.state.place.chosen, None)

    def _export_selected(self) -> None:
        numbers = [row.number for row in self.table.rows_selected()]
        self.export_wanted.emit(self.state.place.chosen, numbers)

    def _copy_command(self) -> None:
        """Put the command that lists or adds up the same queries on the clipboard."""
        place = self.state.place
        command = "list" if place.view is View.LIST else f"sums --split {place.stack}"
        if place.view is not View.LIST and place.period:
            command += f" --by {place.period}"
        words = f"llamawatt history {command} {filter_arguments(place.chosen)}".strip()
        QGuiApplication.clipboard().setText(words)
        self.said.emit(self.tr("Copied: %1").replace("%1", words))

    def _ask_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, self.tr("Save the chart"), "llamawatt.png", self.tr("Pictures (*.png)")
        )
        if name and not self.over_time.save_picture(Path(name)):
            self.said.emit(self.tr("%1 could not be written.").replace("%1", name))

    def show_latest(self) -> None:
        """Read again and choose the newest query."""
        self._wanted = None
        self.refresh()

    # --- changing ------------------------------------------------------------------------

    def delete_selected(self) -> None:
        """Delete the selected queries; :attr:`deleted` tells which, so that it can be undone."""
        numbers = [row.number for row in self.table.rows_selected()]
        edits, beside = self._history.edits, self._beside(numbers)

        def tell(gone: list[int]) -> None:
            self._wanted = beside if gone else self._wanted
            self.refresh()
            self.deleted.emit(gone)

        if numbers:
            self._bridge.change(lambda: edits.delete(numbers), tell)

    def _beside(self, numbers: list[int]) -> int | None:
        """Return the query that takes the place of some in the list, ``None`` if none is left."""
        listed = [self.model.row(at).number for at in range(self.model.rowCount())]
        going = set(numbers)
        places = [at for at, number in enumerate(listed) if number in going]
        below = listed[places[-1] + 1 :] if places else []
        above = [number for number in listed if number not in going]
        return next(iter(below or above[::-1]), None)

    def restore(self, numbers: list[int]) -> None:
        """Bring deleted queries back."""
        self._wanted = next(iter(numbers), None)
        self._change(lambda: self._history.edits.restore(numbers))

    def _restore_last(self) -> None:
        """Bring back what was deleted last, be it days ago."""

        def tell(numbers: list[int]) -> None:
            self.refresh()
            one, several = self.tr("1 query is back."), self.tr("%1 queries are back.")
            nothing = self.tr(
                "There is nothing to bring back. What is deleted is kept for 30 days."
            )
            count = several.replace("%1", f"{len(numbers):,}") if numbers[1:] else one
            self.said.emit(count if numbers else nothing)

        self._bridge.change(self._history.edits.restore_last, tell)

    def _tag(self, tag: str) -> None:
        numbers = [row.number for row in self.table.rows_selected()]
        if tag.strip():
            self._change(lambda: self._history.edits.tag(numbers, tag))

    def _untag(self, number: int, tag: str) -> None:
        self._change(lambda: self._history.edits.untag([number], tag))

    def _note(self, number: int, text: str) -> None:
        def forget(_done: None) -> None:
            if self._notes.get(number) == text:
                del self._notes[number]
            self.refresh()

        self._notes[number] = text
        self._bridge.change(lambda: self._history.edits.note(number, text), forget)

    def keep_notes(self) -> None:
        """Have every note stored that was written and is not: the window closes."""
        self.view.keep_note()
        for number, text in self._notes.items():
            self._bridge.change(partial(self._history.edits.note, number, text))

    def _change(self, change: Callable[[], None]) -> None:
        self._bridge.change(change, lambda _done: self.refresh())


def _hint(text: str) -> QWidget:
    made = label(text, "muted", wrap=True)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return made
