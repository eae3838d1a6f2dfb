"""The engine as the window sees it: which model it is to have, and whether it is free."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.models.words import place_words
from monitor.engine.messages import Loaded, LoadProgress
from monitor.loading import LoadOptions
from monitor.meter import Ask


class EngineModel(QObject):
    """Holds what is known of the engine, and has it load, answer and stop.

    :param bridge: runs loads and queries
    """

    model_changed = Signal()
    """Another model is used, or it is loaded, or no longer."""
    load_changed = Signal(object)
    """Fraction loaded, or ``None`` when no load is under way."""
    busy_changed = Signal(bool)
    ended = Signal()
    """What kept the engine busy is over; :attr:`busy_changed` follows."""
    noted = Signal(str)
    """Something a person should know of how the model was loaded."""

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.model: Path | None = None
        self.options = LoadOptions()
        self.is_loaded, self.place = False, ""
        self.context = 0
        """How many tokens the context holds; 0 before a model was loaded."""
        self.blocked_by = ""
        """What else needs the engine, and where that is stopped; see :meth:`look_busy`."""
        bridge.idle.connect(self._on_idle)

    @property
    def busy(self) -> bool:
        """Whether a question, a load or something else that needs the engine is under way."""
        return self._bridge.busy

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
        """End the engine's process and so give its memory back; the next question loads again.

        It must not be busy."""
        self._bridge.unload()
        self.busy_changed.emit(True)

    def ask(self, request: Ask) -> None:
        """Have a question answered; the bridge tells how that goes."""
        self._bridge.ask(request)
        self.busy_changed.emit(True)

    def stop(self) -> None:
        """Stop what is under way."""
        self._bridge.cancel()

    def look_busy(self, why: str) -> None:
        """Something else needs the engine for itself.

        :param why: a sentence that says what, and where it can be stopped
        """
        self.blocked_by = why
        self.busy_changed.emit(True)

    def follow_load(self, event: LoadProgress | Loaded) -> None:
        """Take what is told of a load.

        It is handed on by whoever hears what the bridge tells: to hear that here as well would
        cost each token of an answer one more event.
        """
        if isinstance(event, LoadProgress):
            self.load_changed.emit(event.fraction)
            return
        self.context, self.place = event.context, place_words(event)
        self.load_changed.emit(None)
        self._look_at_engine()
        if event.note:
            self.noted.emit(event.note)

    def _look_at_engine(self) -> None:
        """Follow what the engine holds: it may have ended by itself."""
        self.is_loaded = self._bridge.has_model
        self.model_changed.emit()

    def _on_idle(self) -> None:
        self.blocked_by = ""
        self.ended.emit()
        self.load_changed.emit(None)
        self._look_at_engine()
        self.busy_changed.emit(False)
