"""The turns of the conversation that is open, the last at the bottom."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.chat.asking import Asking
from desktop.chat.turn import TurnView
from desktop.chat.turns import ChatTurn
from desktop.theme.palette import Theme
from desktop.theme.widgets import named

READABLE_WIDTH = 820

TURNS_AT_ONCE = 6
"""So many are built at first, one after the other, and more each time one scrolls to the top."""

SETTLE_MS = 150
"""So long after its last change the height of turns that were built above may change again."""

NEAR_TOP = 400
"""Pixels from the top at which earlier turns are built."""


class Transcript(QScrollArea):
    """Shows the turns of a conversation: the last ones first, earlier ones when looked for.

    :param asking: adds to it
    """

    bill_opened = Signal(object)
    edit_wanted = Signal(int)
    """Which turn is to be asked otherwise, counted from 0."""
    again_wanted = Signal(int)
    """Which turn is to be answered once more."""
    branch_wanted = Signal(str)
    """The end of the branch to show."""
    heat_wanted = Signal(object, bool)
    """A :class:`TurnView` that is to be tinted, or no longer."""

    def __init__(self, asking: Asking, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chat, self._engine, self._theme = asking.chat, asking.engine, theme
        self.views: list[TurnView] = []
        self._earlier: list[ChatTurn] = []
        self._at_end = True
        self._wanted: str | None = None
        self._from_end = 0
        self._wanted_turns = 0
        self._building = QTimer(self, interval=0, singleShot=True)
        self._building.timeout.connect(self._build_one)
        self._settling = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._build()
        self._chat.reset.connect(self._rebuild)
        self._chat.turn_added.connect(self._on_turn_added)
        self._chat.branches_changed.connect(self._on_branches)
        asking.text_added.connect(self._on_text)
        asking.turn_changed.connect(self._on_turn_changed)
        self._engine.busy_changed.connect(self._on_busy)

    def _build(self) -> None:
        self._turns = QVBoxLayout()
        self._turns.setContentsMargins(16, 12, 16, 12)
        self._turns.setSpacing(14)
        self._turns.addStretch(1)
        column = QWidget()
        column.setMaximumWidth(READABLE_WIDTH)
        column.setLayout(self._turns)
        holder = named(QWidget(), "page")
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(column)
        self.setWidget(holder)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Conversation"))
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range)
        bar.valueChanged.connect(self._on_scrolled)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        for view in self.views:
            view.set_theme(theme)

    # --- what the model tells ------------------------------------------------------------

    def _rebuild(self) -> None:
        for view in self.views:
            view.setParent(None)
            view.deleteLater()
        self.views.clear()
        self._earlier = list(self._chat.turns)
        self._at_end = True
        self._wanted_turns = TURNS_AT_ONCE
        self._build_one()

    def _build_one(self) -> None:
        """Put a view of the last turn that has none before those that have, and so on."""
        if self._earlier and self._wanted_turns:
            self._wanted_turns -= 1
            self._add_view(self._earlier.pop(), 0)
            self._building.start()

    def _on_turn_added(self) -> None:
        self._at_end = True
        self._add_view(self._chat.turns[-1], len(self.views))

    def _add_view(self, turn: ChatTurn, place: int) -> None:
        view = TurnView(turn, self._theme)
        view.bill_opened.connect(self.bill_opened)
        view.branch_chosen.connect(self.branch_wanted)
        view.edit_wanted.connect(lambda: self.edit_wanted.emit(self._chat.turns.index(turn)))
        view.again_wanted.connect(lambda: self.again_wanted.emit(self._chat.turns.index(turn)))
        view.heat_wanted.connect(lambda is_hot: self.heat_wanted.emit(view, is_hot))
        self._enable(view)
        self._turns.insertWidget(place, view)
        self.views.insert(place, view)

    def _on_text(self, text: str) -> None:
        self.views[-1].add_text(text)

    def _on_turn_changed(self) -> None:
        if self.views:
            self.views[-1].refresh()

    def _on_branches(self) -> None:
        for view in self.views:
            view.show_branches()

    def _on_busy(self, _busy: bool) -> None:
        for view in self.views:
            self._enable(view)

    def _enable(self, view: TurnView) -> None:
        is_still = self._chat.answering is None or self._chat.is_answer_elsewhere
        view.set_enabled(not self._engine.busy, is_still)

    # --- scrolling -----------------------------------------------------------------------

    def show_query(self, query_id: str) -> None:
        """Bring the turn of a query into sight, once it is there."""
        self._wanted = query_id
        self._look_for_wanted()

    def _look_for_wanted(self) -> None:
        """Build upwards a few turns at a time until the wanted one is there."""
        if self._wanted and self._earlier and not self._view_of(self._wanted):
            self._add_view(self._earlier.pop(), 0)
            QTimer.singleShot(0, self, self._look_for_wanted)
        else:
            QTimer.singleShot(0, self, self._scroll_to_wanted)

    def _view_of(self, query_id: str) -> TurnView | None:
        shown = ((view, view.turn.record) for view in self.views)
        return next((view for view, record in shown if record and record.id == query_id), None)

    def _scroll_to_wanted(self) -> None:
        view = self._view_of(self._wanted) if self._wanted else None
        self._wanted = None
        if view:
            self._at_end = False
            self.verticalScrollBar().setValue(max(view.pos().y() - 12, 0))

    def _on_scrolled(self, value: int) -> None:
        self._at_end = value >= self.verticalScrollBar().maximum() - 8
        if (
            value < NEAR_TOP
            and self._earlier
            and not self._at_end
            and not self._settling.isActive()
        ):
            self._from_end = self.verticalScrollBar().maximum() - value
            self._settling.start()
            self._wanted_turns = TURNS_AT_ONCE
            self._build_one()

    def _on_range(self, _low: int, high: int) -> None:
        """Stay at the end of what is written, or with what was read while more came above it."""
        if self._at_end:
            self.verticalScrollBar().setValue(high)
        elif self._settling.isActive():
            self._settling.start()
            self.verticalScrollBar().setValue(high - self._from_end)
