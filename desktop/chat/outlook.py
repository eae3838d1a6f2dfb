"""What the question that is being typed would take: of the context, and in joules."""

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.chat.model import ChatModel
from monitor.energy.forecast import Forecast, PastAnswers, foretell
from monitor.engine.client import EngineError
from monitor.engine.messages import ChatMessage, Measured
from monitor.meter import Meter
from monitor.power.cpu import this_processor
from monitor.store.forecasts import Score
from monitor.store.history import History

REST_MS = 300
"""It is reckoned when nothing was typed for so long."""

CHARACTERS_A_TOKEN = 4
"""Of English text, roughly: for a model that is not loaded yet."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a question would take.

    :param text: the question
    :param at: in which turn's place it would be asked; ``None`` behind the last
    :param measured: of the context; ``None`` while no model is loaded
    :param forecast: in joules; ``None`` until there are enough earlier answers
    :param score: how the last forecasts did
    :param known: how many answers there are to tell from
    :param oldest: the first message that would be left out, "" if none is
    """

    text: str = ""
    at: int | None = None
    measured: Measured | None = None
    forecast: Forecast | None = None
    score: Score | None = None
    known: int = 0
    oldest: str = ""


class OutlookModel(QObject):
    """Follows a draft and a :class:`ChatModel`.

    :param meter: asked on the bridge's thread
    """

    changed = Signal(object)
    """The :class:`Outlook` of the draft."""

    def __init__(
        self,
        model: ChatModel,
        bridge: Bridge,
        history: History,
        meter: Meter,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model, self._bridge = model, bridge
        self._history, self._meter = history, meter
        self._draft: tuple[str, int | None] = ("", None)
        self._timer = QTimer(self, interval=REST_MS, singleShot=True)
        self._timer.timeout.connect(self._reckon)
        model.busy_changed.connect(lambda _busy: self._timer.start())
        model.model_changed.connect(self._timer.start)

    def consider(self, text: str, at: int | None) -> None:
        """Reckon anew once typing rests.

        :param text: what would be sent
        :param at: in which turn's place, ``None`` behind the last
        """
        if (text, at) != self._draft:
            self._draft = (text, at)
            self._timer.start()

    def _reckon(self) -> None:
        model = self._model
        if model.busy or model.model is None:
            return
        text, at = self._draft
        turns = len(model.turns) if at is None else at
        messages = model.messages(text, turns)
        path, most = model.model, model.setup.sampling["max_tokens"]
        draft = self._draft

        def show(outlook: Outlook) -> None:
            if draft == self._draft and not self._model.busy:
                self.changed.emit(outlook)

        outlook = Outlook(text, at)
        self._bridge.work(lambda: self._find(outlook, path, messages, most), show)

    def _find(
        self, outlook: Outlook, path: Path, messages: tuple[ChatMessage, ...], most: int | None
    ) -> Outlook:
        try:
            measured = self._meter.measure(messages)
        except EngineError:
            measured = None  # the answer itself will say what is wrong
        if not messages[-1].content:
            return replace(outlook, measured=measured)
        past = self._past(path)
        fresh, room = _fresh(messages, measured), _room(measured, most)
        forecast = foretell(past, fresh, room) if past else None
        oldest = ""
        if measured and measured.dropped:
            said = [message for message in messages if message.role != "system"]
            oldest = said[0].content
        score = self._history.forecasts.score(str(path))
        return replace(
            outlook,
            measured=measured,
            forecast=forecast,
            score=score,
            known=len(past) if past else 0,
            oldest=oldest,
        )

    def _past(self, path: Path) -> PastAnswers | None:
        options = self._model.options
        threads = options.threads or this_processor().physical_cores
        return self._history.forecasts.basis(str(path), threads, options.gpu_layers)


def _fresh(messages: tuple[ChatMessage, ...], measured: Measured | None) -> int:
    """Return how many tokens would have to be processed, at least one."""
    if measured is None:
        return max(sum(len(each.content) for each in messages) // CHARACTERS_A_TOKEN, 1)
    return max(measured.tokens - measured.reused, 1)


def _room(measured: Measured | None, most: int | None) -> int | None:
    """Return how long the answer can become."""
    if measured is None:
        return most
    left = measured.size - measured.tokens
    return left if most is None else min(most, left)
