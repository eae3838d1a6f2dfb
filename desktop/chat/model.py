"""The state of the chat: which model, which conversation, what is being said."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.answering import Answering
from desktop.chat.costs import TurnCosts
from desktop.chat.setups import Setups
from desktop.chat.turns import ChatTurn
from desktop.models.words import place_words
from monitor.energy.budget import Budget
from monitor.energy.forecast import Forecast
from monitor.engine.messages import (
    ChatMessage,
    DecodeStarted,
    Done,
    Loaded,
    LoadProgress,
    PrefillStarted,
    PromptRead,
    Text,
)
from monitor.engine.thinking import split_thinking
from monitor.loading import Identifying, LoadOptions
from monitor.meter import Ask, Event, Finished, random_seed
from monitor.presets import Preset, sampling_of
from monitor.reading import Reading
from monitor.running import SoFar
from monitor.store.conversations import Talk
from monitor.store.history import CHAT, Began, History


class ChatModel(QObject):
    """Holds the conversation that is shown and asks the bridge for answers.

    While one is written another conversation may be shown; the answer goes on in its own.

    :param bridge: runs queries
    :param history: read for stored conversations, on the bridge's thread
    """

    reset = Signal()
    """Another conversation or branch is shown; read :attr:`turns` anew."""
    turn_added = Signal()
    text_added = Signal(str)
    turn_changed = Signal()
    """Stage, record or text of the last turn has changed."""
    branches_changed = Signal()
    """The alternatives of the turns have changed, or what they have cost."""
    begun = Signal(str)
    """The new conversation is stored under this identifier."""
    listed_changed = Signal()
    """Another conversation came, or what the list shows of one has changed."""
    load_changed = Signal(object)
    """Fraction loaded, or ``None`` when no load is under way."""
    model_changed = Signal()
    context_changed = Signal(int, int)
    """Tokens in the context, and how many it holds."""
    setup_changed = Signal()
    """The conversation's system prompt or sampling is another."""
    busy_changed = Signal(bool)
    returned = Signal(str, object)
    """A question that could not be put, to be typed again by nobody, and in which turn's place it
    was asked, ``None`` behind the last."""
    answered = Signal(object)
    """The record of a query that is over."""
    stuck = Signal(str, object)
    """A question found its model not to be loaded: why, and the ways out."""
    noted = Signal(str)
    """Something a person should know of how the model was loaded."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.turns: list[ChatTurn] = []
        self.conversation_id: str | None = None
        self.model: Path | None = None
        self.is_loaded, self.place = False, ""
        self.setups = Setups(bridge, history, self)
        self.setups.noted.connect(self.noted)
        self.setup = self.setups.default
        self.budget = Budget()
        self.options = LoadOptions()
        self._context, self._used = 0, 0
        self._answering: Answering | None = None
        self.blocked_by = ""
        """What else needs the engine, and where that is stopped; see :meth:`look_busy`."""
        self._costs = TurnCosts(bridge, history, self)
        self._costs.changed.connect(self.branches_changed)
        bridge.happened.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        bridge.idle.connect(self._on_idle)

    @property
    def busy(self) -> bool:
        """Whether a question, a load or something else that needs the engine is under way."""
        return self._bridge.busy

    @property
    def is_answering(self) -> bool:
        """Whether an answer is being written, in this conversation or another."""
        return self._answering is not None

    @property
    def answering_id(self) -> str | None:
        """The conversation in which an answer is being written, once it is stored."""
        return self._answering.conversation_id if self._answering else None

    @property
    def is_answer_elsewhere(self) -> bool:
        """Whether the answer that is being written is not of the conversation that is shown."""
        return self._answering is not None and self._answering.turns is not self.turns

    @property
    def may_leave(self) -> bool:
        """Whether another conversation can be shown: a question that is not stored has no other
        place than the window."""
        return self._answering is None or self._answering.is_stored

    # --- the model -----------------------------------------------------------------------

    def choose_model(
        self,
        model: Path,
        load: bool,
        options: LoadOptions | None = None,
        *,
        insist: bool = False,
    ) -> None:
        """Use a model from now on; loaded at once, or with the first question.

        :param insist: load it even if that crashed the last time
        """
        self.model, self.is_loaded = model, False
        self.options = options or LoadOptions()
        self.model_changed.emit()
        if load and not self.busy:
            self._bridge.load(model, self.options, insist=insist)
            self.load_changed.emit(0.0)
            self.busy_changed.emit(True)

    def set_options(self, model: Path, options: LoadOptions) -> None:
        """Load a model so from the next time on."""
        if model == self.model:
            self.options = options

    def unload(self) -> None:
        """End the engine's process and so give its memory back; the next question loads again."""
        if not self.busy:
            self._bridge.unload()
            self.busy_changed.emit(True)

    def look_busy(self, why: str) -> None:
        """Something else needs the engine for itself.

        :param why: a sentence that says what, and where it can be stopped
        """
        self.blocked_by = why
        self.busy_changed.emit(True)

    # --- asking --------------------------------------------------------------------------

    def send(self, question: str, at: int | None = None, forecast: Forecast | None = None) -> bool:
        """Ask a question; returns whether it could be put.

        :param at: of the turn in whose place it is asked, beside what was asked there;
          ``None`` behind the last
        :param forecast: what it was said to take, to be kept with it
        """
        question = question.strip()
        if not question or self.busy or self.model is None:
            return False
        self._ask(question, len(self.turns) if at is None else at, forecast=forecast)
        return True

    def regenerate(self, at: int) -> bool:
        """Answer the question of a turn once more, beside the answers it has."""
        turn = self.turns[at]
        if self.busy or self.model is None:
            return False
        self._ask(turn.question, at, question_id=turn.question_id)
        return True

    def _ask(
        self,
        question: str,
        at: int,
        question_id: str | None = None,
        forecast: Forecast | None = None,
    ) -> None:
        """Put a question in a turn's place.

        :param question_id: if it is stored already, and answered once more
        """
        assert self.model is not None
        parent = self.turns[at - 1] if at else None
        asked = Ask(
            kind=CHAT,
            model=self.model,
            messages=self.messages(question, at),
            sampling=sampling_of(self.setup.sampling, random_seed()),
            options=self.options,
            conversation_id=self.conversation_id,
            parent_id=(parent.answer_id or parent.question_id) if parent else None,
            question_id=question_id,
            forgetful=True,
            budget=self.budget,
            forecast=forecast,
            insist=False,
        )
        is_branch = at < len(self.turns)
        del self.turns[at:]
        self.turns.append(
            ChatTurn(
                question,
                stage=self.tr("starting …"),
                question_id=question_id,
                has_budget=self.budget != Budget(),
            )
        )
        self._answering = Answering(self.conversation_id, self.turns, self.setup, is_branch)
        if is_branch:
            self.reset.emit()
        else:
            self.turn_added.emit()
        self._bridge.ask(asked)
        self.busy_changed.emit(True)

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

    def stop(self) -> None:
        """Stop what is under way."""
        self._bridge.cancel()

    @property
    def unstored(self) -> str:
        """The question under way, as long as no query is stored for it; "" if there is none."""
        if self._answering is None or self._answering.is_stored:
            return ""
        turn = self._answering.turn
        return turn.question if turn.question_id is None else ""

    # --- conversations -------------------------------------------------------------------

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
        if self._answering and not self.is_answer_elsewhere:
            self._answering.setup = setup
        if self.conversation_id:
            self.setups.keep(self.conversation_id, self.setup)
        self.setup_changed.emit()

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
        if (answering := self._answering) and self.is_answer_elsewhere:
            self._show(answering.conversation_id, answering.turns, answering.setup)
            if answering.turn.record:
                self._costs.read_branches(self.conversation_id, self.turns)

    def _show(self, conversation_id: str | None, turns: list[ChatTurn], setup: Preset) -> None:
        self.conversation_id, self.turns, self.setup = conversation_id, turns, setup
        self.setup_changed.emit()
        self.reset.emit()
        self.listed_changed.emit()
        self._tell_context()

    def _tell_context(self) -> None:
        """Tell what the conversation that is shown has taken of the context with its last answer.

        What it takes with the next question is reckoned anew."""
        if not self._context:
            return  # nothing was loaded yet: how much there is to hold it is not known
        record = self.turns[-1].record if self.turns else None
        used = record.tokens.prompt + record.tokens.completion if record else 0
        if self._answering and not self.is_answer_elsewhere:
            used = self._used + self._answering.turn.tokens
        self.context_changed.emit(used, self._context)

    # --- what the engine tells -----------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case Identifying():
                percent = f"{event.fraction:.0%}".rstrip("%")
                words = self.tr("reading the model, once … %1 %")
                self._stage(words.replace("%1", percent))
            case LoadProgress():
                self.load_changed.emit(event.fraction)
                self._stage(self.tr("loading the model …"))
            case Loaded():
                self._context, self.place = event.context, place_words(event)
                self._used = 0
                self.load_changed.emit(None)
                self._look_at_engine()
                self._tell_used(0)
                if event.note:
                    self.noted.emit(event.note)
            case _ if self._answering:
                self._on_answer(self._answering, event)

    def _on_answer(self, answering: Answering, event: Event) -> None:
        """Follow the answer, in the conversation that is shown or another."""
        turn = answering.turn
        match event:
            case Began():
                self._on_began(answering, event)
            case PrefillStarted():
                self._used, turn.dropped = event.tokens, event.dropped
                turn.reading = Reading.begun(event)
                self._stage(self.tr("reading the prompt …"))
                self._tell_used(0)
            case PromptRead() if turn.reading:
                turn.reading = turn.reading.after(event)
            case DecodeStarted():
                turn.reading = None
                self._stage(self.tr("writing …"))
            case SoFar():
                turn.so_far = event
            case Text():
                turn.answer += event.text
                turn.tokens = event.tokens
                if not self.is_answer_elsewhere:
                    self.text_added.emit(event.text)
                self._tell_used(event.tokens)
            case Done():
                turn.tokens = event.tokens
                self._tell_used(event.tokens)
            case Finished():
                turn.record, turn.reading = event.record, None
                self._stage("")
                self.answered.emit(event.record)
                if event.remedies:
                    self.stuck.emit(event.record.error, event.remedies)
                if not self.is_answer_elsewhere:
                    self._costs.read_branches(self.conversation_id, self.turns)
                self.listed_changed.emit()

    def _tell_used(self, written: int) -> None:
        """Tell how full the context is, to whoever looks at the conversation that is in it."""
        if not self.is_answer_elsewhere:
            self.context_changed.emit(self._used + written, self._context)

    def _on_began(self, answering: Answering, began: Began) -> None:
        answering.turn.question_id, answering.turn.answer_id = began.question_id, began.answer_id
        if answering.conversation_id is None and began.conversation_id:
            self.conversation_id = answering.conversation_id = began.conversation_id
            self.begun.emit(began.conversation_id)
            self.setups.keep(began.conversation_id, self.setup)
        self.listed_changed.emit()

    def _look_at_engine(self) -> None:
        """Follow what the engine holds: it may have ended by itself."""
        self.is_loaded = self._bridge.has_model
        self.model_changed.emit()

    def _stage(self, stage: str) -> None:
        if self._answering:
            self._answering.turn.stage = stage
            if not self.is_answer_elsewhere:
                self.turn_changed.emit()

    def _on_failed(self, problem: str) -> None:
        """Give back a question without an answer; an answer that was not stored stays."""
        answering = self._answering
        if answering is None or answering.turn.record is not None:
            return
        turn = answering.turn
        if turn.answer:
            turn.problem = problem
            self._stage("")
            return
        answering.turns.pop()
        if self.is_answer_elsewhere:
            return  # its question is stored: it is there when its conversation is opened again
        is_new, at = turn.question_id is None, len(self.turns)
        conversation_id = self.conversation_id
        if conversation_id is None or not answering.is_branch:
            self.reset.emit()
            if is_new:
                self.returned.emit(turn.question, None)
            return

        def show_again(talk: Talk) -> None:
            """Show the turns once more beside which it should have stood."""
            self._show_talk(talk)
            if is_new:
                self.returned.emit(turn.question, at)

        self._bridge.read(lambda: self._history.talks.talk(conversation_id), show_again)

    def _on_idle(self) -> None:
        self._answering, self.blocked_by = None, ""
        self.load_changed.emit(None)
        self._look_at_engine()
        self.busy_changed.emit(False)
