"""The compare page: a leaderboard, score against energy, and queries side by side."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.compare.choice import View
from desktop.compare.good_enough import GoodEnough
from desktop.compare.leaderboard import LeaderboardView
from desktop.compare.model import CompareModel, Laid
from desktop.compare.plane_view import PlaneView
from desktop.compare.sides import SidesView
from desktop.theme.bill import when_words
from desktop.theme.palette import Theme
from desktop.theme.widgets import ChoiceBox, label, menu_button, named
from monitor.store.history import History

VIEWS = tuple(View)

EMPTY_WIDTH = 520


class ComparePage(QWidget):
    """Chooses what is compared, and how it is shown."""

    said = Signal(str)
    """A sentence for the person: something was done, or cannot be."""
    bench_wanted = Signal()
    """A benchmark is to be run."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.model = CompareModel(bridge, history, self)
        self.tabs = QTabBar()
        for text in (self.tr("Leaderboard"), self.tr("Score against energy"),
                     self.tr("Side by side")):  # fmt: skip
            self.tabs.addTab(text)
        self.tabs.setExpanding(False)
        self.tabs.setAccessibleName(self.tr("How models are compared"))
        self.tests = ChoiceBox()
        self.tests.setAccessibleName(self.tr("Test"))
        self.tests.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.tests.setMinimumContentsLength(16)
        self.tests.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.tests.setMaximumWidth(420)
        self.machines = ChoiceBox()
        self.machines.setAccessibleName(self.tr("Machine"))
        self.models = menu_button(self.tr("Models ▾"))
        self.one_test = ChoiceBox()
        self.one_test.setMinimumContentsLength(16)
        self.one_test.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.one_test.setMaximumWidth(420)
        self.one_test.setAccessibleName(self.tr("Test laid side by side"))
        self.leaderboard = LeaderboardView(self.model, theme)
        self.plane_view = PlaneView(self.model, theme)
        self.sides = SidesView(theme)
        self.good_enough = GoodEnough()
        self._laid: Laid | None = None
        self._notes = label("", "muted", wrap=True)
        self._build()
        self._connect()

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        # From the outside in: Qt styles all that a part holds anew whenever it is put into another.
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 10)
        layout.setSpacing(8)
        top = QHBoxLayout()
        top.setSpacing(6)
        layout.addLayout(top)
        top.addWidget(self.tabs)
        self._controls = QWidget()
        row = QHBoxLayout(self._controls)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addStretch(1)
        row.addWidget(self.tests, 100)
        row.addWidget(self.machines)
        row.addWidget(self.models)
        top.addWidget(self._controls, 1)
        self._laid_by = QWidget()
        row = QHBoxLayout(self._laid_by)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._of_tests = label("", "muted")
        row.addStretch(1)
        row.addWidget(self._of_tests)
        row.addWidget(self.one_test, 100)
        top.addWidget(self._laid_by, 1)
        self._views = QStackedWidget()
        layout.addWidget(self._views, 1)
        self._waiting, self._empty, judged = QWidget(), self._empty_view(), QWidget()
        for view in (self._waiting, self._empty, judged, self.sides):
            self._views.addWidget(view)
        column = QVBoxLayout(judged)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._boards = QStackedWidget()
        column.addWidget(self._boards, 1)
        self._boards.addWidget(self.leaderboard)
        self._boards.addWidget(self.plane_view)
        column.addWidget(self._notes)
        column.addWidget(self.good_enough)
        self._judged = judged

    def _empty_view(self) -> QWidget:
        words = label(
            self.tr(
                "Nothing was judged yet.\n\nRun a benchmark with two or more models, or two "
                "quantisations of one. Each becomes a row here: what it scores, what that costs, "
                "and which of them cannot be told apart. Repeats make the intervals narrower."
            ),
            "muted",
            wrap=True,
        )
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words.setFixedWidth(EMPTY_WIDTH)
        # Centred in a layout it would not be asked how high it is at this width.
        words.setMinimumHeight(words.heightForWidth(EMPTY_WIDTH))
        self.bench = named(QPushButton(self.tr("Run a benchmark")), "primary")
        self.bench.clicked.connect(self.bench_wanted)
        empty = QWidget()
        column = QVBoxLayout(empty)
        column.setSpacing(16)
        column.addStretch(1)
        column.addWidget(words, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.bench, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        return empty

    def _connect(self) -> None:
        model = self.model
        model.chosen.connect(self._show_choice)
        model.found.connect(self._show_tests)
        model.reckoned.connect(self._show_standing)
        model.laid.connect(self._show_sides)
        model.refused.connect(self._on_refused)
        self.tabs.currentChanged.connect(lambda index: model.choose(view=VIEWS[index]))
        self.tests.activated.connect(lambda: model.choose(exam=self.tests.currentData()))
        self.machines.activated.connect(lambda: model.choose(machine=self.machines.currentData()))
        self.models.menu().aboutToShow.connect(self._list_models)
        self.one_test.activated.connect(self._lay_other)
        self.good_enough.points_chosen.connect(lambda points: model.choose(points=points))
        self.leaderboard.sides_wanted.connect(model.lay_rows)
        self.leaderboard.rows_chosen.connect(self.plane_view.plane.select_rows)
        self.plane_view.plane.chosen.connect(lambda row: self.leaderboard.table.select_rows([row]))
        self.leaderboard.said.connect(self.said)
        self.plane_view.said.connect(self.said)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        for part in (self.leaderboard, self.plane_view, self.sides):
            part.set_theme(theme)

    # --- what happens --------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Read anew whenever the page comes up."""
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Keep what was chosen."""
        super().hideEvent(event)
        self.model.keep()

    def refresh(self) -> None:
        """Read again: a benchmark has ended, or something was deleted."""
        self.model.refresh()

    def show_ids(self, ids: list[str]) -> None:
        """Lay two to four queries side by side."""
        self.model.lay_ids(ids)

    def _show_sides(self, laid: Laid) -> None:
        self._laid = laid
        self.sides.show_laid(laid)
        self.one_test.clear()
        self.one_test.addItems(list(laid.tests.values()))
        self._show_laid_test(laid)
        words = self.tr("The newest runs of one of %1 tests:")
        self._of_tests.setText(words.replace("%1", str(len(laid.tests))))
        self.model.choose(view=View.SIDES)
        self._show_view()

    def _show_laid_test(self, laid: Laid) -> None:
        if laid.test is not None:
            self.one_test.setCurrentIndex(list(laid.tests).index(laid.test))

    def _on_refused(self, why: str) -> None:
        if self._laid:  # what was laid before still is, and not what was chosen
            self._show_laid_test(self._laid)
        self.said.emit(why)

    def _lay_other(self, index: int) -> None:
        if self._laid:
            self.model.lay_entries(self._laid.entries, list(self._laid.tests)[index])

    def _show_choice(self) -> None:
        choice = self.model.choice
        self.tabs.blockSignals(True)
        self.tabs.setCurrentIndex(VIEWS.index(choice.view))
        self.tabs.blockSignals(False)
        self.good_enough.show_points(choice.points)
        self.leaderboard.show_choice(choice)
        self.plane_view.show_choice(choice)
        self._show_view()

    def _show_view(self) -> None:
        view, tests = self.model.choice.view, self.model.tests
        if view is View.SIDES:
            shown: QWidget = self.sides
        elif tests is None:
            shown = self._waiting
        else:
            shown = self._judged if tests.board else self._empty
        self._views.setCurrentWidget(shown)
        self._controls.setVisible(shown is self._judged)
        self._laid_by.setVisible(shown is self.sides and self.one_test.count() > 1)
        if view is not View.SIDES:
            self._boards.setCurrentIndex(VIEWS.index(view))

    def _show_tests(self) -> None:
        tests, choice = self.model.tests, self.model.choice
        assert tests
        _fill(self.tests, [(exam.title, exam.key) for exam in tests.exams], choice.exam)
        for index, exam in enumerate(tests.exams):
            tip = self.tr("%1 entries, the newest of %2").replace("%1", str(exam.entrants))
            tip = tip.replace("%2", when_words(exam.latest))
            self.tests.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        machines = [(name, key) for key, name in tests.machines.items()]
        _fill(self.machines, [(self.tr("All machines"), None), *machines], choice.machine)
        self.machines.setVisible(len(machines) > 1)
        self._show_view()

    def _show_standing(self) -> None:
        standing, choice = self.model.standing, self.model.choice
        self.leaderboard.show_choice(choice)
        self.plane_view.show_choice(choice)
        self.models.setVisible(len(self._model_names()) > 1)
        hidden = set(self._model_names()) & set(choice.hidden)
        text = self.tr("Models (%1 hidden) ▾").replace("%1", str(len(hidden)))
        self.models.setText(text if hidden else self.tr("Models ▾"))
        if standing:
            self.good_enough.show_standing(standing)
            notes = list(standing.board.notes)
            if not self._model_names():
                notes.append(
                    self.tr("No model can be listed: items of its runs are missing in the history.")
                )
            self._notes.setText("\n".join(notes))
            self._notes.setVisible(bool(notes))

    # --- models --------------------------------------------------------------------------

    def _model_names(self) -> list[str]:
        board = self.model.tests and self.model.tests.board
        return sorted({entry.setup.model for entry in board.entries}) if board else []

    def _list_models(self) -> None:
        menu = self.models.menu()
        menu.clear()
        hidden = self.model.choice.hidden
        everything = menu.addAction(self.tr("Show all"), lambda: self.model.choose(hidden=()))
        everything.setEnabled(bool(hidden))
        menu.addSeparator()
        for name in self._model_names():
            action = QAction(name, menu)
            action.setCheckable(True)
            action.setChecked(name not in hidden)
            action.triggered.connect(self._toggler(name))
            menu.addAction(action)

    def _toggler(self, name: str) -> Callable[[], None]:
        def toggle() -> None:
            hidden = self.model.choice.hidden
            rest = tuple(each for each in hidden if each != name)
            self.model.choose(hidden=rest if name in hidden else (*hidden, name))

        return toggle


def _fill(box: QComboBox, items: list[tuple[str, str | None]], current: str | None) -> None:
    box.clear()
    for text, value in items:
        box.addItem(text, value)
    box.setCurrentIndex(max(box.findData(current), 0))
