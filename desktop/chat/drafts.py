"""What is being typed, kept for the next start in case the program ends before it is sent."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QObject, QSettings, QTimer

from desktop.bridge import Bridge
from desktop.chat.composer import Composer
from desktop.notice import Notice
from monitor.store.errors import REFUSALS, told
from monitor.store.history import History

AUTOSAVE_MS = 2000
"""What is typed is kept so long after the last key."""

DRAFT_PREFERENCE = "draft"

ASIDE = "unsent/"
"""Where among the window's settings the last of it lies if the history could not be written to:
under the name of that history."""

BREAK = "\n\n"
"""Stands between the texts of two windows."""

Texts = Mapping[str, str]
"""What was typed and not sent, by conversation, "" for a new one."""

Replacement = tuple[Texts, Texts]
"""What a window has found or written, and what is to stand in its place."""

log = logging.getLogger(__name__)


def replaced(stored: Texts, own: Texts, typed: Texts) -> dict[str, str]:
    """Put what is typed in a window in place of what that window has found or written.

    What else is stored is another window's: it stays, before the text of this one. Nothing changes
    if it is done once more.
    """
    texts = {
        name: _replaced(stored.get(name, ""), own.get(name, ""), typed.get(name, ""))
        for name in {**stored, **typed}
    }
    return {name: text for name, text in texts.items() if text}


def _replaced(stored: str, own: str, typed: str) -> str:
    if stored and typed == own:
        return stored  # what another window made of it
    others = f"{BREAK}{stored}{BREAK}"
    if own:
        others = others.replace(f"{BREAK}{own}{BREAK}", BREAK, 1)
    is_there = f"{BREAK}{typed}{BREAK}" in others
    others = others[len(BREAK) : -len(BREAK)]
    return others if is_there else BREAK.join(filter(None, (others, typed)))


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
        # What of the stored drafts, and of those aside, was taken up here: only that is replaced.
        # Both belong to the thread of the bridge's changes.
        self._own: Texts = {}
        self._aside_taken = ""
        bridge.read(self._stored, self._restore)
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.keep)
        composer.prompt.textChanged.connect(self._autosave.start)

    # --- taking up -----------------------------------------------------------------------

    def _stored(self) -> tuple[Texts, str]:
        """Return the drafts in the history, and what is in the way of reading them."""
        try:
            return _by_conversation(self._history.preference(DRAFT_PREFERENCE, {})), ""
        except (*REFUSALS, ValueError) as error:
            log.warning("What was being typed could not be read: %s", error)
            return {}, told(self._history.store.path, error)

    def _restore(self, found: tuple[Texts, str]) -> None:
        """Take up what was being typed, as far as nothing was typed in its place meanwhile."""
        stored, problem = found
        self._say(problem)
        aside = self._read_aside()
        waiting = _replacements(aside)
        drafts = dict(stored)
        for own, typed in waiting:
            drafts = replaced(drafts, own, typed)
        self._composer.restore(drafts)
        shown = self._composer.unsent()
        own = {name: text for name, text in stored.items() if shown.get(name) == drafts.get(name)}
        is_taken = bool(waiting) and drafts.items() <= shown.items()
        self._bridge.change(partial(self._take_up, own, aside if is_taken else ""))

    def _take_up(self, own: Texts, aside: str) -> None:
        self._own = {**self._own, **own}
        self._aside_taken = aside

    def _read_aside(self) -> str:
        return str(QSettings().value(self._aside, ""))

    # --- keeping -------------------------------------------------------------------------

    def keep(self) -> None:
        """Keep what is being typed, beside the window's thread."""
        self._bridge.change(partial(self._write, self._composer.unsent()), self._say)

    def _write(self, typed: Texts) -> str:
        """Store what is typed; return what is in the way, "" if nothing is."""
        own = self._own
        try:
            self._history.change_preference(
                DRAFT_PREFERENCE,
                lambda stored: replaced(_by_conversation(stored), own, typed),
                {},
            )
        except (*REFUSALS, ValueError) as error:
            log.warning("What is being typed could not be kept: %s", error)
            return str(error)
        self._own = typed
        if self._aside_taken and self._read_aside() == self._aside_taken:
            QSettings().remove(self._aside)
        return ""

    def _say(self, problem: str) -> None:
        # It is tried again with what is typed next; what is said already may not come again.
        if problem and not self._notice.text():
            self._notice.say(problem)

    def keep_last(self) -> None:
        """Keep what was typed before the bridge is closed: the program ends."""
        self._autosave.stop()
        self._bridge.change(partial(self._keep_last, self._composer.unsent()))

    def _keep_last(self, typed: Texts) -> None:
        if self._write(typed):
            # Told of while it could still be read; it must not keep the window from closing.
            log.warning("What was typed is kept among the window's settings")
            self._put_aside(typed)

    def _put_aside(self, typed: Texts) -> None:
        """Have the next start do what could not be done to the history."""
        aside = self._read_aside()
        is_taken = aside == self._aside_taken
        waiting = [] if is_taken else _replacements(aside)
        if typed != self._own:
            waiting = [*waiting, (self._own, typed)]
        if waiting:
            QSettings().setValue(self._aside, json.dumps(waiting))
        elif is_taken:
            QSettings().remove(self._aside)


def _by_conversation(stored: Texts | str) -> Texts:
    """Return stored drafts; an earlier version kept one text only."""
    return {"": stored} if isinstance(stored, str) else stored


def _replacements(aside: str) -> list[Replacement]:
    """Read what lies aside; an earlier version put the texts aside without what they replace."""
    try:
        found = json.loads(aside or "[]")
        pairs = [({}, found)] if isinstance(found, dict) else found
        return [(_texts(own), _texts(typed)) for own, typed in pairs]
    except (AttributeError, TypeError, ValueError):
        log.warning("What was put aside among the window's settings cannot be read")
        return []


def _texts(found: Texts) -> Texts:
    return {str(name): str(text) for name, text in found.items()}
