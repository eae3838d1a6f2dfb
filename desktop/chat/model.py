"""The state of the chat: which conversation is shown, and how it is led."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.answering import Answering
from desktop.chat.costs import TurnCosts
from desktop.chat.setups import Setups
from desktop.chat.turns import ChatTurn
from monitor.engine.messages import ChatMessage
from monitor.engine.thinking import split_thinking
from monitor.presets import Preset
from monitor.store.conversations import Talk
from monitor.store.history import Began, History


class ChatModel(QObject):
    """Holds the conversation that is shown, and the one in which an answer is being written.

    :param bridge: reads and changes the history beside the window's thread
    """

    reset = Signal()
    """Another conversation or branch is shown; read :attr:`turns` anew."""
    shown = Signal()
    """After :attr:`reset`, if that is not the branch a question begins or leaves."""
    turn_added = Signal()
    branches_changed = Signal()
    """The alternatives of the turns have changed, or what they have cost."""
    begun = Signal(str)
    """The new conversation is stored under this identifier."""
    listed_changed = Signal()
    """Another conversation came, or what the list shows of one has changed."""
    setup_changed = Signal()
    """The conversation's system prompt or sampling is another."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.turns: list[ChatTurn] = []
        self.conversation_id: str | None = None
        self.setups = Setups(bridge, history, self)
        self.setup = self.setups.default
        self.answering: Answering | None = None
        """The answer that is being written, in this conversation or another."""
        self._costs = TurnCosts(bridge, history, self)
        self._costs.changed.connect(self.branches_changed)

    @property
    def answering_id(self) -> str | None:
        """The conversation in which an answer is being written, once it is stored."""
        return self.answering.conversation_id if self.answering else None

    @property
    def is_answer_elsewhere(self) -> bool:
        """Whether the answer that is being written is not of the conversation that is shown."""
        return self.answering is not None and self.answering.turns is not self.turns

    @property
    def may_leave(self) -> bool:
        """Whether another conversation can be shown: a question that is not stored has no other
        place than the window."""
        return self.answering is None or self.answering.is_stored

    def messages(self, question: str, turns: int) -> tuple[ChatMessage, ...]:
        """Return what the model is given: what it thought before it answered is not repeated.

        :param turns: how many of those shown come before the question
        """
        said = [ChatMessage("system", self.setup.system)] if self.setup.system else []
        for turn in self.turns[:turns]:
            answer = split_thinking(turn.answer).answer
            if answer:
                said += [ChatMessage("user", turn.question), ChatMessage("assistant", answer)]
        return (*said, ChatMessage("user", question))

    # --- how it is led -------------------------------------------------------------------

    def set_default(self, setup: Preset) -> None:
        """Begin new conversations with this setup from now on."""
        is_untouched = self.setup == self.setups.default
        self.setups.default = setup
        if is_untouched and self.conversation_id is None and not self.turns:
            self.setup = setup
            self.setup_changed.emit()

    def set_setup(self, setup: Preset) -> None:
        """Lead the conversation otherwise from its next question on."""
        self.setup = setup
        if self.answering and not self.is_answer_elsewhere:
            self.answering.setup = setup
        if self.conversation_id:
            self.setups.keep(self.conversation_id, self.setup)
        self.setup_changed.emit()

    # --- what is shown -------------------------------------------------------------------

    def new_conversation(self) -> None:
        """Begin afresh; the conversation so far stays in the list."""
        if self.may_leave:
            self._show(None, [], self.setups.default)

    def open_conversation(self, conversation_id: str, leaf_id: str | None = None) -> None:
        """Show a stored conversation, to be gone on with.

        :param leaf_id: the end of the branch to show; ``None`` for the one shown last
        """
        if not self.may_leave or (conversation_id == self.conversation_id and not leaf_id):
            return
        if conversation_id == self.answering_id:
            self._show_answering()
        else:
            self._bridge.read(
                lambda: self._history.talks.talk(conversation_id, leaf_id), self._show_talk
            )

    def open_at(self, conversation_id: str, query_id: str, then: Callable[[str], None]) -> None:
        """Show a conversation on the branch that holds a query.

        :param then: called with the query once it is shown
        """
        talks = self._history.talks

        def show(talk: Talk) -> None:
            self._show_talk(talk)
            then(query_id)

        if self.may_leave:
            self._bridge.read(lambda: talks.talk(conversation_id, talks.message_of(query_id)), show)

    def choose_branch(self, leaf_id: str) -> None:
        """Show another branch of the conversation, now and when it is opened again."""
        conversation_id = self.conversation_id
        if conversation_id and conversation_id != self.answering_id and self.may_leave:
            talks = self._history.talks
            self._bridge.change(
                lambda: talks.choose(conversation_id, leaf_id),
                lambda _done: self.open_conversation(conversation_id, leaf_id),
            )

    def _show_talk(self, talk: Talk) -> None:
        if not self.may_leave:
            return
        if talk.id == self.answering_id:
            self._show_answering()
            return
        turns = [ChatTurn.of(turn) for turn in talk.turns]
        self._show(talk.id, turns, self.setups.of(talk))
        self._costs.read_credits(turns)

    def _show_answering(self) -> None:
        """Come back to the conversation in which an answer is being written."""
        if (answering := self.answering) and self.is_answer_elsewhere:
            self._show(answering.conversation_id, answering.turns, answering.setup)
            if answering.turn.record:
                self._costs.read_branches(self.conversation_id, self.turns)

    def _show(self, conversation_id: str | None, turns: list[ChatTurn], setup: Preset) -> None:
        self.conversation_id, self.turns, self.setup = conversation_id, turns, setup
        self.setup_changed.emit()
        self.reset.emit()
        self.listed_changed.emit()
        self.shown.emit()

    # --- the answer that is being written ------------------------------------------------

    def begin_answer(self, turn: ChatTurn, at: int) -> None:
        """Take a question in, in a turn's place or behind the last; its answer is to come."""
        is_branch = at < len(self.turns)
        del self.turns[at:]
        self.turns.append(turn)
        self.answering = Answering(self.conversation_id, self.turns, self.setup, is_branch)
        if is_branch:
            self.reset.emit()
        else:
            self.turn_added.emit()

    def take_place(self, began: Began) -> None:
        """The question and the place of its answer are stored now."""
        answering = self.answering
        assert answering is not None
        answering.turn.question_id, answering.turn.answer_id = began.question_id, began.answer_id
        if answering.conversation_id is None and began.conversation_id:
            self.conversation_id = answering.conversation_id = began.conversation_id
            self.begun.emit(began.conversation_id)
            self.setups.keep(began.conversation_id, self.setup)
        self.listed_changed.emit()

    def look_beside(self) -> None:
        """The answer is stored: find out what stands beside it, and what it has all come to."""
        if not self.is_answer_elsewhere:
            self._costs.read_branches(self.conversation_id, self.turns)
        self.listed_changed.emit()

    def take_back(self, then: Callable[[int | None], None]) -> None:
        """Take a question away that was not answered, and show what stood in its place.

        :param then: called with the turn in whose place it was asked, ``None`` behind the last;
          not at all if that is not shown: it is there when its conversation is opened again
        """
        answering = self.answering
        assert answering is not None
        answering.turns.pop()
        if self.is_answer_elsewhere:
            return
        at, conversation_id = len(self.turns), self.conversation_id
        if conversation_id is None or not answering.is_branch:
            self.reset.emit()
            then(None)
            return

        def show_again(talk: Talk) -> None:
            self._show_talk(talk)
            then(at)

        self._bridge.read(lambda: self._history.talks.talk(conversation_id), show_again)

    def end_answer(self) -> None:
        """No answer is being written any more."""
        self.answering = None
