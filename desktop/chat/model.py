"""The state of the chat: which model, which conversation, what is being said."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.engine.messages import (
    ChatMessage,
    DecodeStarted,
    Done,
    Loaded,
    LoadProgress,
    PrefillStarted,
    Sampling,
    Text,
)
from monitor.loading import Identifying, LoadOptions
from monitor.meter import Ask, Event, Finished, random_seed
from monitor.store.history import CHAT, Began, History
from monitor.store.records import Conversation, QueryRecord

LONGEST_ANSWER = 2048
"""Tokens of an answer at most: a small model that goes round in circles must end somewhere."""


@dataclass(slots=True)
class ChatTurn:
    """A question and what became of it.

    :param record: once it is over, or as it was stored
    :param problem: why there is no record although there is an answer
    """

    question: str
    answer: str = ""
    record: QueryRecord | None = None
    stage: str = ""
    problem: str = ""
    tokens: int = 0


class ChatModel(QObject):
    """Holds one conversation at a time and asks the bridge for answers.

    :param bridge: runs queries
    :param history: read for stored conversations, on the bridge's thread
    """

    reset = Signal()
    """Another conversation is shown; read :attr:`turns` anew."""
    turn_added = Signal()
    text_added = Signal(str)
    turn_changed = Signal()
    """Stage, record or text of the last turn has changed."""
    listed = Signal(object)
    """The conversations, the latest first."""
    load_changed = Signal(object)
    """Fraction loaded, or ``None`` when no load is under way."""
    model_changed = Signal()
    context_changed = Signal(int, int)
    """Tokens in the context, and how many it holds."""
    busy_changed = Signal(bool)
    returned = Signal(str)
    """A question that could not be put, to be typed again by nobody."""
    answered = Signal(object)
    """The record of a query that is over."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.turns: list[ChatTurn] = []
        self.conversation_id: str | None = None
        self.model: Path | None = None
        self.is_loaded, self.place = False, ""
        self.sampling = Sampling(max_tokens=LONGEST_ANSWER)
        self._options = LoadOptions()
        self._context = 0
        self._used = 0
        self._asking = False
        self.is_blocked = False
        bridge.happened.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        bridge.idle.connect(self._on_idle)

    @property
    def busy(self) -> bool:
        """Whether a question or a load is under way."""
        return self._bridge.busy

    def choose_model(self, model: Path, load: bool) -> None:
        """Use a model from now on; loaded at once, or with the first question."""
        self.model, self.is_loaded = model, False
        self.model_changed.emit()
        if load and not self.busy:
            self._bridge.load(model, self._options)
            self.load_changed.emit(0.0)
            self.busy_changed.emit(True)

    def unload(self) -> None:
        """End the engine's process and so give its memory back; the next question loads again."""
        if not self.busy:
            self._bridge.unload()
            self.busy_changed.emit(True)

    def send(self, question: str) -> bool:
        """Ask a question; returns whether it could be put."""
        question = question.strip()
        if not question or self.busy or self.model is None:
            return False
        messages = []
        for turn in self.turns:
            if turn.answer:
                messages += [
                    ChatMessage("user", turn.question),
                    ChatMessage("assistant", turn.answer),
                ]
        self.turns.append(ChatTurn(question, stage=self.tr("starting …")))
        self.turn_added.emit()
        self._asking = True
        self._bridge.ask(
            Ask(
                kind=CHAT,
                model=self.model,
                messages=(*messages, ChatMessage("user", question)),
                sampling=replace(self.sampling, seed=random_seed()),
                options=self._options,
                conversation_id=self.conversation_id,
            )
        )
        self.busy_changed.emit(True)
        return True

    def look_busy(self) -> None:
        """A benchmark is under way, which needs the engine for itself."""
        self.is_blocked = True
        self.busy_changed.emit(True)

    def stop(self) -> None:
        """Stop what is under way."""
        self._bridge.cancel()

    def new_conversation(self) -> None:
        """Begin afresh; the conversation so far stays in the list."""
        if not self.busy:
            self.conversation_id, self.turns = None, []
            self.reset.emit()

    def open_conversation(self, conversation_id: str) -> None:
        """Show a stored conversation, to be gone on with."""
        if not self.busy and conversation_id != self.conversation_id:
            self._bridge.read(lambda: self._read(conversation_id), self._show)

    def _read(self, conversation_id: str) -> tuple[Conversation, list[ChatTurn]]:
        conversation = self._history.conversation(conversation_id)
        turns: list[ChatTurn] = []
        for turn in conversation.turns:
            if turn.role == "user":
                record = self._history.record(turn.query_id) if turn.query_id else None
                turns.append(ChatTurn(turn.content, record=record))
            elif turns:
                turns[-1].answer = turn.content
        return conversation, turns

    def _show(self, found: tuple[Conversation, list[ChatTurn]]) -> None:
        if self.busy:
            return
        conversation, self.turns = found
        self.conversation_id = conversation.id
        self.reset.emit()

    def list_conversations(self) -> None:
        """Read the list of conversations; :attr:`listed` follows."""
        self._bridge.read(self._history.conversations, self.listed.emit)

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
            case Began():
                self.conversation_id = event.conversation_id
                self.list_conversations()
            case PrefillStarted():
                self._used = event.tokens
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

    def _place_of(self, loaded: Loaded) -> str:
        """Say what the model really runs on, whatever was asked for."""
        if loaded.layers_offloaded:
            return self.tr("GPU %1 layers").replace("%1", str(loaded.layers_offloaded))
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
        else:
            self.returned.emit(self.turns.pop().question)
            self.reset.emit()

    def _on_idle(self) -> None:
        self._asking = self.is_blocked = False
        self.load_changed.emit(None)
        self._look_at_engine()
        self.busy_changed.emit(False)
