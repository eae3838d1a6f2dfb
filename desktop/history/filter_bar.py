"""Narrowing the history down: a search, a span of days, menus, and a chip for each condition."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from PySide6.QtCore import QDate, QLocale, Qt, QTimer
from PySide6.QtGui import QAction, QTextCharFormat
from PySide6.QtWidgets import (
    QDateEdit,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop.history.state import HistoryState
from desktop.theme.flow import FlowLayout
from desktop.theme.icons import icon
from desktop.theme.numbers import INDENT_PX
from desktop.theme.palette import Theme
from desktop.theme.widgets import add_field, menu_button, named, tool_button
from monitor.store.browse import Choices
from monitor.store.filters import EVERYTHING, Filter

TYPING_MS = 250
"""A search begins when nothing has been typed for so long."""

DAY_FORMAT = "d MMM yyyy"

LISTED = ("models", "quantisations", "kinds", "statuses", "machines", "tags")


class FilterBar(QWidget):
    """Shows and changes the filter of a :class:`HistoryState`."""

    def __init__(self, state: HistoryState, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._choices = Choices((), (), (), (), {}, ())
        self._titles = {
            "models": self.tr("Model"),
            "quantisations": self.tr("Quantisation"),
            "kinds": self.tr("Kind"),
            "statuses": self.tr("Status"),
            "machines": self.tr("Machine"),
            "tags": self.tr("Tag"),
        }
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search prompts, answers and notes"))
        self.search.setAccessibleName(self.tr("Search"))
        self.search.setClearButtonEnabled(True)
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._typing.timeout.connect(self._search)
        self.search.textEdited.connect(lambda _text: self._typing.start())
        self.search.returnPressed.connect(self._search)
        self.days = menu_button("")
        self.more = menu_button(self.tr("Filter ▾"))
        self._build_days(self.days.menu())
        self.more.menu().aboutToShow.connect(self._build_menus)
        self._back = tool_button(self.tr("Back"))
        self._forward = tool_button(self.tr("Forward"))
        self._back.setToolTip(self.tr("What was shown before (Alt+Left)"))
        self._forward.setToolTip(self.tr("What was shown after (Alt+Right)"))
        for button in (self._back, self._forward):
            button.setText({self._back: "‹", self._forward: "›"}[button])
        self._back.clicked.connect(state.back)
        self._forward.clicked.connect(state.forward)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self._back)
        row.addWidget(self._forward)
        row.addWidget(self.search, 1)
        row.addWidget(self.days)
        row.addWidget(self.more)
        self._chips_holder = QWidget()
        self._chips = FlowLayout(self._chips_holder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addWidget(self._chips_holder)
        state.moved.connect(self.show_place)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.show_place()

    def set_choices(self, choices: Choices) -> None:
        """Offer what there is to filter by."""
        self._choices = choices
        self.show_place()

    def show_place(self) -> None:
        """Show the filter that is in force."""
        chosen = self._state.place.chosen
        if not self._typing.isActive() and self.search.text().strip() != chosen.text:
            self.search.setText(chosen.text)
        self.days.setText(f"{self._days_words(chosen)} ▾")
        self._back.setEnabled(self._state.can_go_back)
        self._forward.setEnabled(self._state.can_go_forward)
        self._chips.clear()
        for name in LISTED:
            for value in getattr(chosen, name):
                self._add_chip(
                    f"{self._titles[name]}: {self._shown(name, value)}",
                    chosen.without(name, value),
                )
        if chosen.since or chosen.until:
            self._add_chip(self._days_words(chosen), replace(chosen, since=None, until=None))
        if chosen.text:
            self._add_chip(f"“{chosen.text}”", chosen.without("text"))
        if self._chips.count() > 1:
            self._add_chip(self.tr("Clear all"), EVERYTHING)
        self._chips_holder.setVisible(self._chips.count() > 0)
        # Tab leads to them from the menu; what is made last would come last in the window.
        for before, chip in pairwise([self.more, *self._chips_holder.findChildren(QToolButton)]):
            self.setTabOrder(before, chip)

    def _shown(self, name: str, value: str) -> str:
        return self._choices.machines.get(value, value) if name == "machines" else value

    def _add_chip(self, text: str, without: Filter) -> None:
        chip = named(tool_button(text), "chip")
        chip.setToolTip(self.tr("Remove this condition"))
        chip.setIcon(icon("close", self._theme.muted))
        chip.setToolButtonStyle(chip.toolButtonStyle().ToolButtonTextBesideIcon)
        chip.clicked.connect(lambda: self._state.narrow(without))
        self._chips.addWidget(chip)

    def _search(self) -> None:
        self._typing.stop()
        self._state.narrow(replace(self._state.place.chosen, text=self.search.text().strip()))

    # --- days ----------------------------------------------------------------------------

    def _build_days(self, menu: QMenu) -> None:
        for text, days in (
            (self.tr("All time"), 0),
            (self.tr("Today"), 1),
            (self.tr("Last 7 days"), 7),
            (self.tr("Last 30 days"), 30),
            (self.tr("Last 12 months"), 365),
        ):
            menu.addAction(text, self._day_chooser(days))
        menu.addSeparator()
        menu.addAction(self.tr("Choose days …"), self._choose_days)

    def _day_chooser(self, days: int) -> Callable[[], None]:
        return lambda: self._last_days(days)

    def _last_days(self, days: int) -> None:
        since = date.today() - timedelta(days=days - 1) if days else None
        self._state.narrow(replace(self._state.place.chosen, since=since, until=None))

    def _choose_days(self) -> None:
        dialog = DaysDialog(self._state.place.chosen, self)
        dialog.accepted.connect(lambda: self._state.narrow(dialog.chosen))
        dialog.open()

    def _days_words(self, chosen: Filter) -> str:
        if chosen.since is None and chosen.until is None:
            return self.tr("All time")
        if chosen.since and chosen.until is None:
            lasted = (date.today() - chosen.since).days + 1
            presets = {1: self.tr("Today"), 7: self.tr("Last 7 days")}
            presets |= {30: self.tr("Last 30 days"), 365: self.tr("Last 12 months")}
            if lasted in presets:
                return presets[lasted]
            return self.tr("Since %1").replace("%1", day_words(chosen.since))
        if chosen.since is None or chosen.since == chosen.until:
            words = self.tr("Until %1") if chosen.since is None else "%1"
            return words.replace("%1", day_words(chosen.until or date.max))
        return f"{day_words(chosen.since)} – {day_words(chosen.until or date.max)}"

    # --- menus ---------------------------------------------------------------------------

    def _build_menus(self) -> None:
        menu = self.more.menu()
        menu.clear()
        for name in LISTED:
            offered = getattr(self._choices, name)
            submenu = menu.addMenu(self._titles[name])
            submenu.setEnabled(bool(offered))
            for value in offered:
                action = QAction(self._shown(name, value), submenu)
                action.setCheckable(True)
                action.setChecked(value in getattr(self._state.place.chosen, name))
                action.triggered.connect(self._toggler(name, value))
                submenu.addAction(action)

    def _toggler(self, name: str, value: str) -> Callable[[], None]:
        return lambda: self._state.narrow(self._state.place.chosen.toggled(name, value))


class DaysDialog(QDialog):
    """Asks for a first and a last day; :attr:`chosen` is the filter with them once accepted."""

    def __init__(self, chosen: Filter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Days to show"))
        self._before = chosen
        today = date.today()
        self.first = _date_edit(chosen.since or today - timedelta(days=29))
        self.last = _date_edit(chosen.until or today)
        form = QFormLayout()
        add_field(form, self.tr("From"), self.first)
        add_field(form, self.tr("To"), self.last)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        named(buttons.button(QDialogButtonBox.StandardButton.Ok), "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(buttons)

    @property
    def chosen(self) -> Filter:
        """The filter with the days in their order, whichever was entered first."""
        days = sorted((_day_of(self.first), _day_of(self.last)))
        return replace(self._before, since=days[0], until=days[1])


def day_words(day: date) -> str:
    """Write a day as the person's language does."""
    return QLocale().toString(QDate(day.year, day.month, day.day), DAY_FORMAT)


def _date_edit(day: date) -> QDateEdit:
    edit = QDateEdit(QDate(day.year, day.month, day.day))
    edit.setCalendarPopup(True)
    edit.setDisplayFormat(DAY_FORMAT)
    edit.lineEdit().setTextMargins(INDENT_PX, 0, 0, 0)
    for free in (Qt.DayOfWeek.Saturday, Qt.DayOfWeek.Sunday):  # Qt's red is dim on dark ground
        edit.calendarWidget().setWeekdayTextFormat(free, QTextCharFormat())
    return edit


def _day_of(edit: QDateEdit) -> date:
    chosen = edit.date()
    return date(chosen.year(), chosen.month(), chosen.day())
