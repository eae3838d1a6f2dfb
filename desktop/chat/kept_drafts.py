"""Where typed text is kept until it is sent: in the history, or beside it while it refuses."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QCoreApplication, QSettings

from monitor.store.errors import REFUSALS, told
from monitor.store.history import History

DRAFT_PREFERENCE = "draft"

ASIDE = "unsent/"
"""Where among the window's settings lies what the history refused: under that history's name."""

BREAK = "\n\n"
"""Stands between the texts of several windows where they are shown as one."""

UNREADABLE = (AttributeError, TypeError, ValueError)
"""What is raised by something else than drafts."""

Typed = Mapping[str, str]
"""What one window has to be sent, by conversation, "" for a new one."""

Kept = Mapping[str, Sequence[str]]
"""The texts that windows have left, the oldest first, by conversation."""

log = logging.getLogger(__name__)


class Change(NamedTuple):
    """What a window has done to the drafts. Done twice it changes no more than done once.

    :param found: what the window took up, or had written itself
    :param typed: what stands in the place of that now
    """

    found: Kept
    typed: Typed

    def done_to(self, kept: Kept) -> Kept:
        """Return what becomes of drafts, to which other windows may have done something as well.

        Nothing is dropped but what the window itself had found.
        """
        done = {name: self._done_to(name, kept.get(name, ())) for name in {**kept, **self.typed}}
        return {name: texts for name, texts in done.items() if texts}

    def _done_to(self, name: str, texts: Sequence[str]) -> Sequence[str]:
        found, typed = self.found.get(name, ()), self.typed.get(name, "")
        if texts and typed == BREAK.join(found):
            return texts  # as it was found: another window may have gone on with it
        others = [text for text in texts if text not in found]
        return others if not typed or typed in others else [*others, typed]


class KeptDrafts:
    """What windows have left to be sent, as one window reads and changes it.

    Where the history refuses to be written to, the change is put aside, for the next window to do
    it. Its methods may be called on any thread, by one at a time.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        digest = hashlib.sha256(os.fsencode(history.store.path.resolve())).hexdigest()
        self._place = ASIDE + digest[:16]
        # What of the drafts, and of the changes aside, is this window's to replace.
        self._found: Kept = {}
        self._own_aside: list[Change] = []

    def take_up(self) -> tuple[Typed, str]:
        """Return what was left, to be replaced by what is typed now.

        :return: the texts, and what is in the way of reading those in the history
        """
        self._own_aside = self._aside()
        problem = self._find()
        if problem:  # what lies aside tells what it was to replace there
            self._found = {n: texts for each in self._own_aside for n, texts in each.found.items()}
        drafts = self._found
        for change in self._own_aside:
            drafts = change.done_to(drafts)
        return _joined(drafts), problem

    def keep(self, typed: Typed) -> str:
        """Keep what is typed in place of what was taken up or kept before.

        :return: what is in the way of the history, "" if nothing is
        """
        change = Change(self._found, typed)
        try:
            self._history.change_preference(
                DRAFT_PREFERENCE, lambda stored: change.done_to(_kept(stored)), {}
            )
        except (*REFUSALS, *UNREADABLE) as error:
            log.warning("What is being typed is put aside, for the history refuses: %s", error)
            self._put_aside([change] if change.done_to(self._found) != self._found else [])
            return str(error)
        self._found = change.done_to(self._found)
        self._put_aside([])
        return ""

    def go_back(self, typed: Typed) -> None:
        """Keep what is typed in a history that has gone back to a backup: the drafts there are
        older. What belongs to a conversation the backup does not hold is left for a new one."""
        drafts = dict(typed)
        # What the window that has closed over it put aside is done with this.
        self._own_aside = [each for each in self._aside() if each.typed == typed]
        if not self._find():
            strays = [drafts.pop(name) for name in typed if not self._has_place(name)]
            drafts = {**_joined(self._found), **drafts}
            drafts[""] = BREAK.join(filter(None, (drafts.get(""), *strays)))
        self.keep(drafts)

    def _has_place(self, conversation_id: str) -> bool:
        if not conversation_id or conversation_id in self._found:
            return True
        try:
            return bool(self._history.talks.find(conversation_id))
        except KeyError:
            return False
        except REFUSALS:
            return True  # it cannot be told: the text stays where it belongs

    # --- where it is kept ----------------------------------------------------------------

    def _find(self) -> str:
        """Look what is in the history; return what is in the way of that, "" if nothing is."""
        try:
            self._found = _kept(self._history.preference(DRAFT_PREFERENCE, {}))
        except (*REFUSALS, *UNREADABLE) as error:
            log.warning("What was being typed could not be read: %s", error)
            return told(self._history.store.path, error)
        return ""

    def _aside(self) -> list[Change]:
        text = str(QSettings().value(self._place, ""))
        try:
            return _changes(json.loads(text or "[]"))
        except UNREADABLE:
            log.warning("What was put aside among the window's settings cannot be read")
            return []

    def _put_aside(self, changes: list[Change]) -> None:
        """Have these changes lie aside in place of the window's own; others' stay."""
        if changes == self._own_aside:
            return
        aside = [each for each in self._aside() if each not in self._own_aside] + changes
        if aside:
            QSettings().setValue(self._place, json.dumps(aside))
        else:
            QSettings().remove(self._place)
        self._own_aside = changes


def _joined(kept: Kept) -> Typed:
    return {name: BREAK.join(texts) for name, texts in kept.items()}


def _kept(stored: Any) -> Kept:
    """Read drafts; earlier versions kept one text, then one text a conversation.

    :raises ValueError: for something else, with what to do about it
    """
    if isinstance(stored, str):
        stored = {"": stored}
    try:
        return {
            str(name): [texts] if isinstance(texts, str) else [str(text) for text in texts]
            for name, texts in stored.items()
        }
    except (AttributeError, TypeError) as error:
        words = QCoreApplication.translate(
            "KeptDrafts",
            "The unsent texts in the history cannot be read: something else stands in their place. "
            "What you type is kept beside the history, and is here again at the next start. To "
            "mend it, delete “%1” from the table “preferences” of the history.",
        )
        raise ValueError(words.replace("%1", DRAFT_PREFERENCE)) from error


def _changes(found: Any) -> list[Change]:
    """Read changes; an earlier version put the texts aside without what they replace."""
    pairs = [({}, found)] if isinstance(found, dict) else found
    return [
        Change(_kept(before), {str(name): str(text) for name, text in typed.items()})
        for before, typed in pairs
    ]
