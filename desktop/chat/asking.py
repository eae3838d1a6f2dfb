"""Asking in a conversation: the question that is put, and its answer while it is written."""

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.answering import Answering
from desktop.chat.model import ChatModel
from desktop.chat.turns import ChatTurn
from desktop.engine import EngineModel
from monitor.energy.budget import Budget
from monitor.energy.forecast import Forecast
from monitor.engine.messages import (
    DecodeStarted,
    Done,
    Loaded,
    LoadProgress,
    PrefillStarted,
    PromptRead,
    Text,
)
from monitor.loading import Identifying
from monitor.meter import Ask, Event, Finished, random_seed
from monitor.presets import sampling_of
from monitor.reading import Reading
from monitor.running import SoFar
from monitor.store.history import CHAT, Began


class Asking(QObject):
    """Puts the questions of a conversation and follows their answers.

    While one is written another conversation may be shown; the answer goes on in its own.

    :param chat: in which is asked
    :param engine: answers
    :param bridge: tells how an answer goes
    """

    text_added = Signal(str)
    """To the last turn that is shown."""
    turn_changed = Signal()
    """Stage, record or text of the last turn that is shown has changed."""
    context_changed = Signal(int, int)
    """Tokens of the conversation that is shown in the context, and how many it holds."""
    returned = Signal(str, object)
    """A question that could not be put, to be typed again by nobody, and in which turn's place it
    was asked, ``None`` behind the last."""
    answered = Signal(object)
    """The record of a query that is over."""
    stuck = Signal(str, object)
    """A question found its model not to be loaded: why, and the ways out."""

    def __init__(
        self, chat: ChatModel, engine: EngineModel, bridge: Bridge, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.chat, self.engine = chat, engine
        self.budget = Budget()
        chat.shown.connect(self._tell_context)
        bridge.happened.connect(self._on_event)
        bridge.failed.connect(self._on_failed)
        engine.ended.connect(chat.end_answer)

    # --- putting a question --------------------------------------------------------------

    def send(self, question: str, at: int | None = None, forecast: Forecast | None = None) -> bool:
        """Ask a question; returns whether it could be put.

        :param at: of the turn in whose place it is asked, beside what was asked there;
          ``None`` behind the last
        :param forecast: what it was said to take, to be kept with it
        """
        question = question.strip()
        if not question or self.engine.busy or self.engine.model is None:
            return False
        self._ask(question, len(self.chat.turns) if at is None else at, forecast=forecast)
        return True

    def regenerate(self, at: int) -> bool:
        """Answer the question of a turn once more, beside the answers it has."""
        turn = self.chat.turns[at]
        if self.engine.busy or self.engine.model is None:
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
        chat, model = self.chat, self.engine.model
        assert model is not None
        parent = chat.turns[at - 1] if at else None
        asked = Ask(
            kind=CHAT,
            model=model,
            messages=chat.messages(question, at),
            sampling=sampling_of(chat.setup.sampling, random_seed()),
            options=self.engine.options,
            conversation_id=chat.conversation_id,
            parent_id=(parent.answer_id or parent.question_id) if parent else None,
            question_id=question_id,
            forgetful=True,
            budget=self.budget,
            forecast=forecast,
            insist=False,
        )
        turn = ChatTurn(
            question,
            stage=self.tr("starting …"),
            question_id=question_id,
            has_budget=self.budget != Budget(),
        )
        chat.begin_answer(turn, at)
        self.engine.ask(asked)

    # --- following the answer ------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        answering = self.chat.answering
        match event:
            case Text() if answering:  # the most frequent by far
                self._on_text(answering, event)
            case Identifying():
                percent = f"{event.fraction:.0%}".rstrip("%")
                words = self.tr("reading the model, once … %1 %")
                self._stage(words.replace("%1", percent))
            case LoadProgress():
                self.engine.follow_load(event)
                self._stage(self.tr("loading the model …"))
            case Loaded():
                self.engine.follow_load(event)
                self._tell_used(0)
            case _ if answering:
                self._on_answer(answering, event)

    def _on_text(self, answering: Answering, event: Text) -> None:
        turn = answering.turn
        turn.answer += event.text
        turn.tokens = event.tokens
        if not self.chat.is_answer_elsewhere:
            self.text_added.emit(event.text)
            self.context_changed.emit(answering.prompt_tokens + event.tokens, self.engine.context)

    def _on_answer(self, answering: Answering, event: Event) -> None:
        """Follow the answer, in the conversation that is shown or another."""
        turn = answering.turn
        match event:
            case Began():
                self.chat.take_place(event)
            case PrefillStarted():
                answering.prompt_tokens, turn.dropped = event.tokens, event.dropped
                turn.reading = Reading.begun(event)
                self._stage(self.tr("reading the prompt …"))
                self._tell_used(event.tokens)
            case PromptRead() if turn.reading:
                turn.reading = turn.reading.after(event)
            case DecodeStarted():
                turn.reading = None
                self._stage(self.tr("writing …"))
            case SoFar():
                turn.so_far = event
            case Done():
                turn.tokens = event.tokens
                self._tell_used(answering.used)
            case Finished():
                turn.record, turn.reading = event.record, None
                self._stage("")
                self.answered.emit(event.record)
                if event.remedies:
                    self.stuck.emit(event.record.error, event.remedies)
                self.chat.look_beside()

    def _stage(self, stage: str) -> None:
        if answering := self.chat.answering:
            answering.turn.stage = stage
            if not self.chat.is_answer_elsewhere:
                self.turn_changed.emit()

    def _tell_used(self, tokens: int) -> None:
        """Tell how full the context is, to whoever looks at the conversation that is in it."""
        if not self.chat.is_answer_elsewhere:
            self.context_changed.emit(tokens, self.engine.context)

    def _tell_context(self) -> None:
        """Tell what the conversation that is shown has taken of the context with its last answer.

        What it takes with the next question is reckoned anew."""
        if not self.engine.context:
            return  # nothing was loaded yet: how much there is to hold it is not known
        turns, answering = self.chat.turns, self.chat.answering
        record = turns[-1].record if turns else None
        used = record.tokens.prompt + record.tokens.completion if record else 0
        if answering and not self.chat.is_answer_elsewhere:
            used = answering.used
        self.context_changed.emit(used, self.engine.context)

    # --- a question without an answer ----------------------------------------------------

    @property
    def unstored(self) -> str:
        """The question under way, as long as no query is stored for it; "" if there is none."""
        if self.chat.may_leave:
            return ""
        assert self.chat.answering is not None
        turn = self.chat.answering.turn
        return turn.question if turn.question_id is None else ""

    def _on_failed(self, problem: str) -> None:
        """Give back a question without an answer; an answer that was not stored stays."""
        answering = self.chat.answering
        if answering is None or answering.turn.record is not None:
            return
        turn = answering.turn
        if turn.answer:
            turn.problem = problem
            self._stage("")
            return
        is_new = turn.question_id is None

        def give_back(at: int | None) -> None:
            if is_new:
                self.returned.emit(turn.question, at)

        self.chat.take_back(give_back)
