"""How conversations are led: the presets there are, the usual one, and what a stored one has."""

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from monitor.presets import Preset, PresetError, checked, shipped_presets
from monitor.store.conversations import Talk
from monitor.store.history import History


class Setups(QObject):
    """Knows the presets and keeps a conversation's system prompt and sampling with it.

    :param bridge: keeps them, beside the window's thread
    """

    noted = Signal(str)
    """What is stored of a conversation cannot be used: a person should know."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._talks = bridge, history.talks
        self.presets = shipped_presets()
        self.default = self.presets[0]

    def named(self, setup: Preset) -> Preset:
        """Return a setup under the name of the preset it is like, if there is one."""
        alike = (
            p for p in self.presets if (p.system, p.sampling) == (setup.system, setup.sampling)
        )
        return next(alike, setup)

    def of(self, talk: Talk) -> Preset:
        """Return how a conversation is led; as new ones are, where that cannot be."""
        usual = replace(self.default, name="", system=talk.system)
        if talk.sampling is None:
            return usual
        try:
            return self.named(Preset("", talk.system, checked(talk.sampling)))
        except PresetError as error:
            words = self.tr("This conversation's sampling cannot be used: %1 It has the usual one.")
            self.noted.emit(words.replace("%1", str(error)))
            return usual

    def keep(self, conversation_id: str, setup: Preset) -> None:
        """Store how a conversation is led."""
        talks = self._talks

        def keep() -> None:
            talks.set_system(conversation_id, setup.system)
            talks.set_sampling(conversation_id, dict(setup.sampling))

        self._bridge.change(keep)
