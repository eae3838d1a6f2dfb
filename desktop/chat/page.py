"""The chat page: conversations, the one that is open, and the prompt."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.chat.asking import Asking
from desktop.chat.composer import Composer
from desktop.chat.empty import EmptyChat
from desktop.chat.heat import HeatReader
from desktop.chat.outlook import OutlookModel
from desktop.chat.prompt import PromptEdit
from desktop.chat.rendering.highlighting import warm_up
from desktop.chat.setup import ChatSetup
from desktop.chat.side import ConversationsSide
from desktop.chat.transcript import Transcript
from desktop.theme.palette import Theme
from monitor.meter import Meter
from monitor.store.history import History


class ChatPage(QWidget):
    """Shows a conversation, and asks in it.

    :param bridge: reads and changes the history
    :param meter: measures drafts
    """

    bill_opened = Signal(object)
    """A person wants to see the bill of this record."""
    said = Signal(str, str, object)
    """Something to be told, the text of a button beside it, and what pressing that does."""
    refused = Signal(str)
    """Why something cannot be done before the answer under way has ended."""

    def __init__(
        self,
        asking: Asking,
        bridge: Bridge,
        history: History,
        meter: Meter,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._asking, self._chat, self._engine = asking, asking.chat, asking.engine
        self.side = ConversationsSide(bridge, history, theme)
        self.transcript = Transcript(asking, theme)
        self.composer = Composer(asking, bridge, theme)
        self.setup = ChatSetup(asking, self.composer, bridge, history, theme, self)
        self._outlook = OutlookModel(self._chat, self._engine, bridge, history, meter, self)
        self._heat = HeatReader(bridge, history, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.side)
        layout.addWidget(self._middle(), 1)
        self._connect()
        self.set_theme(theme)
        self._show_empty()
        self.side.refresh()
        bridge.transfer(warm_up, lambda _done: None)

    @property
    def prompt(self) -> PromptEdit:
        """The field a person types into."""
        return self.composer.prompt

    def _middle(self) -> QWidget:
        middle = QWidget()
        self.empty = EmptyChat()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.transcript, 1)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self.composer)
        return middle

    def _connect(self) -> None:
        chat, engine, side = self._chat, self._engine, self.side
        side.new_wanted.connect(chat.new_conversation)
        side.opened.connect(chat.open_conversation)
        side.found.connect(self.open_conversation)
        listed = (side.new_wanted, side.opened, side.found)
        for wanted in (*listed, self.transcript.again_wanted, self.transcript.branch_wanted):
            wanted.connect(lambda *_which: self.prompt.setFocus())  # typing goes on there
        side.deleted.connect(self._on_deleted)
        side.said.connect(self.said)
        side.refused.connect(self.refused)
        chat.listed_changed.connect(side.refresh)
        chat.listed_changed.connect(self._follow_chat)
        engine.busy_changed.connect(lambda _busy: self._follow_chat())
        for changed in (chat.reset, chat.turn_added, engine.model_changed):
            changed.connect(self._show_empty)
        self.transcript.bill_opened.connect(self.bill_opened)
        self.transcript.edit_wanted.connect(self.composer.edit)
        self.transcript.again_wanted.connect(self._asking.regenerate)
        self.transcript.branch_wanted.connect(chat.choose_branch)
        self.transcript.heat_wanted.connect(self._heat.show)
        self.empty.suggested.connect(self.composer.insert)
        self.composer.drafted.connect(self._outlook.consider)
        self.composer.attached.problem.connect(lambda words: self.said.emit(words, "", None))
        self._outlook.changed.connect(self.composer.show_outlook)
        self.transcript.verticalScrollBar().rangeChanged.connect(self._follow_bar)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        for part in (self.side, self.transcript, self.composer, self.setup):
            part.set_theme(theme)

    def leave(self) -> bool:
        """Leave the edit of a question, or else the search of conversations, if it is shown.

        :return: whether there was one to leave
        """
        if not self.isVisible():
            return False
        self.composer.prompt.setFocus()
        if self.composer.is_editing:
            self.composer.stop_editing()
        elif self.side.search.text():
            self.side.search.clear()
        else:
            return False
        return True

    def regenerate(self) -> None:
        """Answer the last question once more."""
        if self._chat.turns:
            self._asking.regenerate(len(self._chat.turns) - 1)

    def open_conversation(self, conversation_id: str, query_id: str) -> None:
        """Open a conversation where something was found in it, on whatever branch that is.

        :param query_id: "" for the conversation as it was left
        """
        if query_id:
            self._chat.open_at(conversation_id, query_id, self.transcript.show_query)
        else:
            self._chat.open_conversation(conversation_id)

    def _follow_chat(self) -> None:
        """Mark in the list what is shown and where an answer is written."""
        self.side.show_current(self._chat.conversation_id)
        self.side.show_answering(self._chat.answering_id)
        self.side.set_enabled(self._chat.may_leave)

    def _on_deleted(self, conversation_id: str) -> None:
        if conversation_id == self._chat.conversation_id:
            self._chat.new_conversation()

    def _follow_bar(self) -> None:
        """Keep the prompt under the conversation, which has its scroll bar beside it."""
        bar = self.transcript.verticalScrollBar()
        has_bar = bool(self._chat.turns) and bar.maximum() > bar.minimum()
        self.composer.set_gutter(bar.sizeHint().width() if has_bar else 0)

    def _show_empty(self) -> None:
        empty = not self._chat.turns
        self.transcript.setVisible(not empty)
        self.empty.setVisible(empty)
        self.empty.show_model(self._engine.model is not None)
        self._follow_bar()
