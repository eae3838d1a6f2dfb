"""What is being typed, kept for the next start in case the program ends before it is sent."""

from functools import partial

from PySide6.QtCore import QObject, QTimer

from desktop.bridge import Bridge
from desktop.chat.composer import Composer
from desktop.chat.kept_drafts import KeptDrafts, Typed
from desktop.notice import Notice
from monitor.store.history import History

AUTOSAVE_MS = 2000
"""What is typed is kept so long after the last key."""


class Drafts(QObject):
    """Takes up what was being typed at the last end, and keeps what is typed now.

    :param bridge: reads and writes beside the window's thread
    :param notice: told what is in the way of keeping
    """

    def __init__(
        self,
        composer: Composer,
        bridge: Bridge,
        history: History,
        notice: Notice,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._composer, self._bridge, self._notice = composer, bridge, notice
        self._history = history
        # Until what was left is shown here none of it may be replaced.
        self._kept = KeptDrafts(history)
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.keep)
        bridge.read(self._read, self._take_up)

    def _read(self) -> tuple[KeptDrafts, Typed, str]:
        kept = KeptDrafts(self._history)
        return kept, *kept.take_up()

    def _take_up(self, found: tuple[KeptDrafts, Typed, str]) -> None:
        self._kept, drafts, problem = found
        self._composer.restore(drafts)
        self._say(problem)
        self._composer.prompt.textChanged.connect(self._autosave.start)
        if self._composer.unsent():
            self._autosave.start()

    def keep(self) -> None:
        """Keep what is being typed, beside the window's thread."""
        self._bridge.change(partial(self._kept.keep, self._composer.unsent()), self._say)

    def keep_last(self) -> None:
        """Keep what was typed before the bridge is closed: the program ends."""
        self._autosave.stop()
        self._bridge.change(partial(self._kept.keep, self._composer.unsent()))

    def _say(self, problem: str) -> None:
        # It is tried again with what is typed next; what is said already may not come again.
        if problem and not self._notice.text():
            self._notice.say(problem)
