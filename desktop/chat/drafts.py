"""What is being typed, kept for the next start in case the program ends before it is sent."""

import hashlib
import json
import logging
import os

from PySide6.QtCore import QObject, QSettings, QTimer

from desktop.bridge import Bridge
from desktop.chat.composer import Composer
from desktop.notice import Notice
from monitor.store.database import StoreError
from monitor.store.history import History

AUTOSAVE_MS = 2000
"""What is typed is kept so long after the last key."""

DRAFT_PREFERENCE = "draft"

ASIDE = "unsent/"
"""Where among the window's settings the last of it lies if the history could not be written to:
under the name of that history."""

log = logging.getLogger(__name__)


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
        self._composer, self._bridge = composer, bridge
        self._history, self._notice = history, notice
        digest = hashlib.sha256(os.fsencode(history.store.path.resolve())).hexdigest()
        self._aside = ASIDE + digest[:16]
        bridge.read(lambda: history.preference(DRAFT_PREFERENCE, ""), self._restore)
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.keep)
        composer.prompt.textChanged.connect(self._autosave.start)

    def _restore(self, drafts: dict[str, str] | str) -> None:
        """Take up what was being typed; an earlier version kept one text only."""
        aside = json.loads(str(QSettings().value(self._aside, "{}")))
        kept = {"": drafts} if isinstance(drafts, str) else drafts
        self._composer.restore(kept | aside)

    def keep(self) -> None:
        """Keep what is being typed, beside the window's thread."""
        draft, history = self._composer.unsent(), self._history

        def keep() -> str:
            try:
                history.set_preference(DRAFT_PREFERENCE, draft)
            except StoreError as error:
                log.warning("What is being typed could not be kept: %s", error)
                return str(error)
            return ""

        self._bridge.change(keep, self._on_kept)

    def _on_kept(self, problem: str) -> None:
        if not problem:
            QSettings().remove(self._aside)
        # It is tried again with what is typed next; what is said already may not come again.
        elif not self._notice.text():
            self._notice.say(problem)

    def keep_last(self) -> None:
        """Keep what was typed before this returns: the program ends."""
        self._autosave.stop()
        unsent = self._composer.unsent()
        try:
            self._history.set_preference(DRAFT_PREFERENCE, unsent)
            QSettings().remove(self._aside)
        except StoreError as error:
            # Told of while it could still be read; it must not keep the window from closing.
            log.warning("What was typed is kept among the window's settings: %s", error)
            QSettings().setValue(self._aside, json.dumps(unsent))
