"""What the question that is being typed would take: of the context, and in joules."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.chat.model import ChatModel
from desktop.engine import EngineModel
from monitor.energy.forecast import Forecast, PastAnswers, foretell
from monitor.engine.client import EngineError
from monitor.engine.messages import ROOM_FOR_ANSWER, ChatMessage, Measured
from monitor.loading import DEFAULT_CONTEXT, LoadOptions
from monitor.meter import Meter
from monitor.power.cpu import this_processor
from monitor.store.forecasts import Score
from monitor.store.history import History

REST_MS = 300
"""It is reckoned when nothing was typed for so long."""

CHARACTERS_A_TOKEN, TOKENS_A_MESSAGE = 4, 5
"""Of English text in a usual chat template, roughly: for a model that is not loaded yet."""

TOKENS_OF_A_HEAD = 24
"""What most chat templates say to the model where no system prompt is given, roughly."""

FEWEST_BYTES_A_TOKEN = 2
"""Of a whole question, roughly: figures and code have the shortest tokens."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a question would take.

    :param text: the question
    :param at: in which turn's place it would be asked; ``None`` behind the last
    :param measured: of the context
    :param is_estimate: whether that is reckoned from characters, since no model is loaded
    :param forecast: in joules; ``None`` until there are enough earlier answers
    :param score: how the last forecasts did
    :param known: how many answers there are to tell from
    :param oldest: the first message that would be left out, "" if none is
    """

    text: str = ""
    at: int | None = None
    measured: Measured | None = None
    is_estimate: bool = False
    forecast: Forecast | None = None
    score: Score | None = None
    known: int = 0
    oldest: str = ""

    @property
    def is_too_long(self) -> bool:
        """Whether the question alone leaves no room in the context, as far as is known."""
        return self.measured is not None and self.measured.tokens >= self.measured.size

    @property
    def is_hopeless(self) -> bool:
        """Whether it is too long for certain: as it was counted, or by twice as it was reckoned."""
        if self.measured is None:
            return False
        return self.measured.tokens >= self.measured.size * (2 if self.is_estimate else 1)


def may_be_too_long(text: str, options: LoadOptions) -> bool:
    """Tell whether a question has to be measured before it is known to be short enough.

    No text a person reads has many tokens of less than two bytes; what has is refused by the
    engine.

    :param options: what the model is loaded with
    """
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    return size_bytes // FEWEST_BYTES_A_TOKEN >= (options.context or DEFAULT_CONTEXT)


class OutlookModel(QObject):
    """Follows a draft, its conversation and the model that is to answer.

    :param meter: asked on the bridge's thread
    """

    changed = Signal(object)
    """The :class:`Outlook` of the draft."""

    def __init__(
        self,
        chat: ChatModel,
        engine: EngineModel,
        bridge: Bridge,
        history: History,
        meter: Meter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._chat, self._engine, self._bridge = chat, engine, bridge
        self._history, self._meter = history, meter
        self._draft: tuple[str, int | None] = ("", None)
        self._timer = QTimer(self, interval=REST_MS, singleShot=True)
        self._timer.timeout.connect(self._reckon)
        self._round = 0
        engine.busy_changed.connect(lambda _busy: self._restart())
        for changed in (engine.model_changed, chat.reset, chat.setup_changed):
            changed.connect(self._restart)

    def consider(self, text: str, at: int | None) -> None:
        """Reckon anew once typing rests.

        :param text: what would be sent
        :param at: in which turn's place, ``None`` behind the last
        """
        if (text, at) != self._draft:
            self._draft = (text, at)
            self._restart()

    def _restart(self) -> None:
        """What was told before is of another question, conversation or setup."""
        self._round += 1
        self.changed.emit(Outlook())
        self._timer.start()

    def _reckon(self) -> None:
        chat, engine = self._chat, self._engine
        if engine.busy or engine.model is None:
            return
        text, at = self._draft
        messages = chat.messages(text, len(chat.turns) if at is None else at)
        path, most = engine.model, chat.setup.sampling["max_tokens"]
        options = engine.options
        size = options.context or DEFAULT_CONTEXT
        asked = self._round

        def show(outlook: Outlook) -> None:
            if asked == self._round and not self._engine.busy:
                self.changed.emit(outlook)

        def find() -> Outlook:
            measured = self._measure(messages, path, options)
            is_estimate = measured is None
            if is_estimate and (text or len(messages) > 1):
                measured = _estimated(messages, size)
            return self._foretell(Outlook(text, at, measured, is_estimate), path, messages, most)

        self._bridge.read(find, show)

    def _measure(
        self, messages: tuple[ChatMessage, ...], path: Path, options: LoadOptions
    ) -> Measured | None:
        try:
            return self._meter.measure(messages, path, options)
        except EngineError:
            return None  # the answer itself will say what is wrong

    def _foretell(
        self, outlook: Outlook, path: Path, messages: tuple[ChatMessage, ...], most: int | None
    ) -> Outlook:
        measured = outlook.measured
        if not messages[-1].content or measured is None:
            return outlook
        past = self._past(path)
        fresh = max(measured.tokens - measured.reused, 1)
        left = max(measured.size - measured.tokens, 1)
        room = left if most is None else min(most, left)
        said = [message for message in messages if message.role != "system"]
        return replace(
            outlook,
            forecast=foretell(past, fresh, room) if past else None,
            score=self._history.forecasts.score(str(path)),
            known=len(past) if past else 0,
            oldest=said[0].content if measured.dropped else "",
        )

    def _past(self, path: Path) -> PastAnswers | None:
        options = self._engine.options
        threads = options.threads or this_processor().physical_cores
        return self._history.forecasts.basis(str(path), threads, options.gpu_layers)


def _estimated(messages: tuple[ChatMessage, ...], size: int) -> Measured:
    """Reckon from characters what a conversation would take of a context, and what has to go."""
    tokens = [len(each.content) // CHARACTERS_A_TOKEN + TOKENS_A_MESSAGE for each in messages]
    first = 1 if messages[0].role == "system" else 0
    room = size - min(ROOM_FOR_ANSWER, size // 4)
    total, dropped = sum(tokens) + (0 if first else TOKENS_OF_A_HEAD), 0
    while total > room and first + dropped + 2 < len(messages):
        total -= sum(tokens[first + dropped : first + dropped + 2])
        dropped += 2
    return Measured(total, 0, dropped, size)
