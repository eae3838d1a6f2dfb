"""The chat page: conversations, the one that is open, and the prompt."""

from PySide6.QtCore import QStringListModel, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListView,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.chat.model import ChatModel, ChatTurn
from desktop.chat.prompt import PromptEdit
from desktop.chat.turn import TurnView
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named
from monitor.store.records import Conversation

FLUSH_MS = 100

READABLE_WIDTH = 820

TURNS_AT_ONCE = 8


class ChatPage(QWidget):
    """Shows a :class:`ChatModel`."""

    bill_opened = Signal(object)
    """A person wants to see the bill of this record."""

    def __init__(self, model: ChatModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._theme = model, theme
        self._conversations: list[Conversation] = []
        self._views: list[TurnView] = []
        self._to_build: list[ChatTurn] = []
        self._pending = ""
        self._flush_timer = QTimer(self, interval=FLUSH_MS, singleShot=True)
        self._flush_timer.timeout.connect(self._flush)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._side())
        layout.addWidget(self._middle(), 1)
        model.reset.connect(self._rebuild)
        model.turn_added.connect(self._on_turn_added)
        model.text_added.connect(self._on_text)
        model.turn_changed.connect(self._on_turn_changed)
        model.listed.connect(self._on_listed)
        model.busy_changed.connect(self._on_busy)
        model.model_changed.connect(self._update_buttons)
        model.returned.connect(self._on_returned)
        self.set_theme(theme)
        self._rebuild()
        model.list_conversations()

    def _side(self) -> QWidget:
        side = QWidget()
        side.setFixedWidth(216)
        self._new = QPushButton(self.tr("New chat"))
        self._new.setShortcut("Ctrl+N")
        self._new.setToolTip(self.tr("Begin a new conversation (Ctrl+N)"))
        self._new.clicked.connect(self._model.new_conversation)
        self._list = named(QListView(), "conversations")
        self._list.setModel(QStringListModel(self))
        self._list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setAccessibleName(self.tr("Conversations"))
        self._list.clicked.connect(lambda index: self._open(index.row()))
        self._list.activated.connect(lambda index: self._open(index.row()))
        layout = QVBoxLayout(side)
        layout.setContentsMargins(12, 12, 8, 8)
        layout.addWidget(self._new)
        layout.addWidget(self._list, 1)
        return side

    def _middle(self) -> QWidget:
        middle = QWidget()
        self._turns = QVBoxLayout()
        self._turns.setContentsMargins(16, 12, 16, 12)
        self._turns.setSpacing(10)
        self._turns.addStretch(1)
        column = QWidget()
        column.setMaximumWidth(READABLE_WIDTH)
        column.setLayout(self._turns)
        holder = named(QWidget(), "page")
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(column)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setWidget(holder)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        bar = self._scroll.verticalScrollBar()
        bar.rangeChanged.connect(self._follow_end)
        bar.valueChanged.connect(self._note_position)
        self._at_end = True
        self._empty = label("", "muted", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._empty, 1)
        layout.addLayout(self._composer())
        return middle

    def _composer(self) -> QHBoxLayout:
        self.prompt = PromptEdit()
        self.prompt.setAccessibleName(self.tr("Prompt"))
        self.prompt.submitted.connect(self._send)
        self.prompt.textChanged.connect(self._update_buttons)
        self._send_button = named(QPushButton(self.tr("Send")), "primary")
        self._send_button.clicked.connect(self._send)
        self._stop_button = QPushButton(self.tr("Stop"))
        self._stop_button.setToolTip(self.tr("Stop the answer; what it cost so far is kept (Esc)"))
        self._stop_button.clicked.connect(self._model.stop)
        buttons = QVBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self._send_button)
        buttons.addWidget(self._stop_button)
        column = QWidget()
        column.setMaximumWidth(READABLE_WIDTH)
        inner = QHBoxLayout(column)
        inner.setContentsMargins(16, 6, 16, 10)
        inner.setSpacing(8)
        inner.addWidget(self.prompt, 1)
        inner.addLayout(buttons)
        row = QHBoxLayout()
        row.addWidget(column)
        return row

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self._new.setIcon(icon("plus", theme.text))
        self._stop_button.setIcon(icon("stop", theme.text))

    # --- what the model tells ------------------------------------------------------------

    def _rebuild(self) -> None:
        for view in self._views:
            view.setParent(None)
            view.deleteLater()
        self._views.clear()
        self._to_build = list(self._model.turns)
        self._build_some()
        self._at_end = True
        self._show_empty()
        self._update_buttons()

    def _build_some(self) -> None:
        """Make the views of the last turns first, a few at a time: a long talk takes its time."""
        for turn in reversed(self._to_build[-TURNS_AT_ONCE:]):
            self._add_view(turn, 0)
        del self._to_build[-TURNS_AT_ONCE:]
        if self._to_build:
            QTimer.singleShot(0, self, self._build_some)

    def _on_turn_added(self) -> None:
        self._at_end = True
        self._add_view(self._model.turns[-1], len(self._views))
        self._show_empty()

    def _add_view(self, turn: ChatTurn, place: int) -> None:
        view = TurnView(turn)
        view.bill_opened.connect(self.bill_opened)
        self._turns.insertWidget(place, view)
        self._views.insert(place, view)

    def _on_text(self, text: str) -> None:
        self._pending += text
        if not self._flush_timer.isActive():
            self._flush_timer.start()

    def _flush(self) -> None:
        if self._pending and self._views:
            self._views[-1].add_text(self._pending)
        self._pending = ""

    def _on_turn_changed(self) -> None:
        if self._model.turns[-1].record is not None:
            self._flush_timer.stop()
            self._pending = ""
        self._views[-1].refresh()

    def _on_listed(self, conversations: list[Conversation]) -> None:
        self._conversations = conversations
        model = self._list.model()
        assert isinstance(model, QStringListModel)
        model.setStringList([conversation.title for conversation in conversations])
        for row, conversation in enumerate(conversations):
            if conversation.id == self._model.conversation_id:
                self._list.setCurrentIndex(model.index(row, 0))

    def _on_busy(self, _busy: bool) -> None:
        self._update_buttons()
        self._list.setEnabled(not self._model.busy)
        self._new.setEnabled(not self._model.busy)

    def _on_returned(self, question: str) -> None:
        """Put a question back into the prompt, before what was typed since."""
        typed = self.prompt.toPlainText().strip()
        self.prompt.setPlainText("\n\n".join(filter(None, (question, typed))))

    # --- what the person does ------------------------------------------------------------

    def _send(self) -> None:
        if self._model.send(self.prompt.toPlainText()):
            self.prompt.clear()

    def _open(self, row: int) -> None:
        self._model.open_conversation(self._conversations[row].id)

    def _update_buttons(self) -> None:
        ready = not self._model.busy and self._model.model is not None
        self._send_button.setEnabled(ready and bool(self.prompt.toPlainText().strip()))
        blocked = self._model.is_blocked
        self._stop_button.setEnabled(self._model.busy and not blocked)
        reason = self.tr("A benchmark is running; questions wait until it has ended.")
        self._send_button.setToolTip(reason if blocked else "")
        usual = self.tr("Ask something …  (Enter sends, Shift+Enter breaks)")
        self.prompt.setPlaceholderText(reason if blocked else usual)
        self._show_empty()

    def _show_empty(self) -> None:
        empty = not self._model.turns
        self._scroll.setVisible(not empty)
        self._empty.setVisible(empty)
        if self._model.model is None:
            self._empty.setText(
                self.tr(
                    "No model is chosen.\n\nOpen a GGUF file from the model menu at the top left."
                )
            )
        else:
            self._empty.setText(
                self.tr(
                    "Ask anything.\n\nUnder each answer stands what it cost: its joules and how "
                    "sure they are, its CO2, and its speed.\n"
                    "The plot below shows the power as it is drawn."
                )
            )

    # --- scrolling -----------------------------------------------------------------------

    def _note_position(self, value: int) -> None:
        self._at_end = value >= self._scroll.verticalScrollBar().maximum() - 8

    def _follow_end(self, _low: int, high: int) -> None:
        if self._at_end:
            self._scroll.verticalScrollBar().setValue(high)
