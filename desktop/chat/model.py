"""The state of the chat: which model, which conversation, what is being said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.costs import TurnCosts
from desktop.chat.turns import ChatTurn
from monitor.energy.budget import Budget
from monitor.energy.forecast import Forecast
from monitor.engine.messages import (
    ChatMessage,
    DecodeStarted,
    Done,
    Loaded,
    LoadProgress,
    PrefillStarted,
    Text,
)
from monitor.engine.thinking import split_thinking
from monitor.loading import Identifying, LoadOptions
from monitor.meter import Ask, Event, Finished, random_seed
from monitor.presets import Preset, PresetError, checked, sampling_of, shipped_presets
from monitor.store.conversations import Talk
from monitor.store.history import CHAT, Began, History


class ChatModel(QObject):
    """Holds one conversation at a time and asks the bridge for answers.

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
        self.title = ""
        self.model: Path | None = None
        self.is_loaded, self.place = False, ""
        self.presets = shipped_presets()
        self.setup = self.default_setup = self.presets[0]
        self.budget = Budget()
        self.options = LoadOptions()
        self._context, self._used = 0, 0
        self._asking, self._is_branch = False, False
        self.is_blocked = False
        self._costs = TurnCosts(bridge, history, self)
        self._costs.changed.connect(self.branches_changed)
        bridge.happened.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        bridge.idle.connect(self._on_idle)

    @property
    def busy(self) -> bool:
        """Whether a question or a load is under way."""
        return self._bridge.busy

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

    def look_busy(self) -> None:
        """A benchmark is under way, which needs the engine for itself."""
        self.is_blocked = True
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
        self._is_branch = at < len(self.turns)
        del self.turns[at:]
        self.turns.append(
            ChatTurn(
                question,
                stage=self.tr("starting …"),
                question_id=question_id,
                has_budget=self.budget != Budget(),
            )
        )
        if self._is_branch:
            self.reset.emit()
        else:
            self.turn_added.emit()
        self._asking = True
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
        waits = self._asking and self.turns and self.turns[-1].answer_id is None
        return self.turns[-1].question if waits and self.turns[-1].question_id is None else ""

    # --- conversations -------------------------------------------------------------------

    def set_default(self, setup: Preset) -> None:
        """Begin new conversations with this setup from now on."""
        is_untouched = self.setup == self.default_setup
        self.default_setup = setup
        if is_untouched and self.conversation_id is None and not self.turns:
            self.setup = setup
            self.setup_changed.emit()

    def set_setup(self, setup: Preset) -> None:
        """Lead the conversation otherwise from its next question on."""
        self.setup = setup
        if self.conversation_id:
            self._keep_setup(self.conversation_id)
        self.setup_changed.emit()

    def _keep_setup(self, conversation_id: str) -> None:
        talks, setup = self._history.talks, self.setup

        def keep() -> None:
            talks.set_system(conversation_id, setup.system)
            talks.set_sampling(conversation_id, dict(setup.sampling))

        self._bridge.change(keep)

    def new_conversation(self) -> None:
        """Begin afresh; the conversation so far stays in the list."""
        if not self.busy:
            self.conversation_id, self.turns, self.title = None, [], ""
            self.setup = self.default_setup
            self.setup_changed.emit()
            self.reset.emit()
            self.listed_changed.emit()

    def open_conversation(self, conversation_id: str, leaf_id: str | None = None) -> None:
        """Show a stored conversation, to be gone on with.

        :param leaf_id: the end of the branch to show; ``None`` for the one shown last
        """
        if not self.busy and (leaf_id or conversation_id != self.conversation_id):
            self._bridge.read(
                lambda: self._history.talks.talk(conversation_id, leaf_id), self._show
            )

    def open_at(self, conversation_id: str, query_id: str, then: Callable[[str], None]) -> None:
        """Show a conversation on the branch that holds a query.

        :param then: called with the query once it is shown
        """
        talks = self._history.talks

        def show(talk: Talk) -> None:
            self._show(talk)
            then(query_id)

        if not self.busy:
            self._bridge.read(lambda: talks.talk(conversation_id, talks.message_of(query_id)), show)

    def choose_branch(self, leaf_id: str) -> None:
        """Show another branch of the conversation, now and when it is opened again."""
        conversation_id = self.conversation_id
        if conversation_id and not self.busy:
            talks = self._history.talks
            self._bridge.change(
                lambda: talks.choose(conversation_id, leaf_id),
                lambda _done: self.open_conversation(conversation_id, leaf_id),
            )

    def _show(self, talk: Talk) -> None:
        if self.busy:
            return
        self.conversation_id, self.title = talk.id, talk.title
        self.setup = self._setup_of(talk)
        self.turns = [ChatTurn.of(turn) for turn in talk.turns]
        self._costs.read_credits(self.turns)
        self.setup_changed.emit()
        self.reset.emit()
        self.listed_changed.emit()

    def _setup_of(self, talk: Talk) -> Preset:
        """Return how a conversation is led; as new ones are, where that cannot be."""
        usual = replace(self.default_setup, name="", system=talk.system)
        if talk.sampling is None:
            return usual
        try:
            return self.named(Preset("", talk.system, checked(talk.sampling)))
        except PresetError as error:
            words = self.tr("This conversation's sampling cannot be used: %1 It has the usual one.")
            self.noted.emit(words.replace("%1", str(error)))
            return usual

    def named(self, setup: Preset) -> Preset:
        """Return a setup under the name of the preset it is like, if there is one."""
        alike = (
            p for p in self.presets if (p.system, p.sampling) == (setup.system, setup.sampling)
        )
        return next(alike, setup)

    # --- what the engine tells -----------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case Identifying():
                self._stage(
                    self.tr("reading the model, once … %1 %").replace(
                        "%1", f"{event.fraction:.0%}".rstrip("%")
                    )
                )
            case LoadProgress():
                self.load_changed.emit(event.fraction)
                self._stage(self.tr("loading the model …"))
            case Loaded():
                self._context, self.place = event.context, self._place_of(event)
                self.load_changed.emit(None)
                self._look_at_engine()
                self.context_changed.emit(0, self._context)
                if event.note:
                    self.noted.emit(event.note)
            case Began():
                self._on_began(event)
            case PrefillStarted():
                self._used = event.tokens
                self.turns[-1].dropped = event.dropped
                self._stage(self.tr("reading the prompt …"))
                self.context_changed.emit(self._used, self._context)
            case DecodeStarted():
                self._stage(self.tr("writing …"))
            case Text():
                self.turns[-1].answer += event.text
                self.turns[-1].tokens = event.tokens
                self.text_added.emit(event.text)
                self.context_changed.emit(self._used + event.tokens, self._context)
            case Done():
                self.context_changed.emit(self._used + event.tokens, self._context)
            case Finished():
                self.turns[-1].record = event.record
                self._stage("")
                self.answered.emit(event.record)
                if event.remedies:
                    self.stuck.emit(event.record.error, event.remedies)
                self._costs.read_branches(self.conversation_id, self.turns)
                self.listed_changed.emit()

    def _on_began(self, began: Began) -> None:
        turn = self.turns[-1]
        turn.question_id, turn.answer_id = began.question_id, began.answer_id
        if self.conversation_id is None and began.conversation_id:
            self.conversation_id = began.conversation_id
            self.begun.emit(began.conversation_id)
            self._keep_setup(began.conversation_id)
        self.listed_changed.emit()

    def _place_of(self, loaded: Loaded) -> str:
        """Say what the model really runs on, whatever was asked for."""
        if loaded.layers_offloaded:
            words = self.tr("GPU %1 of %2 layers").replace("%1", str(loaded.layers_offloaded))
            return words.replace("%2", str(loaded.layers))
        if loaded.threads == 1:
            return self.tr("CPU 1 thread")
        return self.tr("CPU %1 threads").replace("%1", str(loaded.threads))

    def _look_at_engine(self) -> None:
        """Follow what the engine holds: it may have ended by itself."""
        self.is_loaded = self._bridge.has_model
        self.model_changed.emit()

    def _stage(self, stage: str) -> None:
        if self._asking:
            self.turns[-1].stage = stage
            self.turn_changed.emit()

    def _on_failed(self, problem: str) -> None:
        """Give back a question without an answer; an answer that was not stored stays."""
        if not self._asking or self.turns[-1].record is not None:
            return
        if self.turns[-1].answer:
            self.turns[-1].problem = problem
            self._stage("")
            return
        turn = self.turns.pop()
        is_new, at = turn.question_id is None, len(self.turns)
        conversation_id = self.conversation_id
        if conversation_id is None or not self._is_branch:
            self.reset.emit()
            if is_new:
                self.returned.emit(turn.question, None)
            return

        def show_again(talk: Talk) -> None:
            """Show the turns once more beside which it should have stood."""
            self._show(talk)
            if is_new:
                self.returned.emit(turn.question, at)

        self._bridge.read(lambda: self._history.talks.talk(conversation_id), show_again)

    def _on_idle(self) -> None:
        self._asking = self.is_blocked = False
        self.load_changed.emit(None)
        self._look_at_engine()
        self.busy_changed.emit(False)
