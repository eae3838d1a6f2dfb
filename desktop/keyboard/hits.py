"""Where the search of everything looks, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from desktop.keyboard.actions import Action
from desktop.keyboard.matching import match
from monitor.prompts import Prompt, own, shipped
from monitor.store.history import History

LONGEST_LIST = 6
"""Hits of a source that are shown: what is not among them is found by typing more."""

OTHER_WORDS = 0.9
"""What is found by other words than its title counts by so much."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found.

    :param title: shown and matched
    :param detail: shown beside it in a lesser colour: a snippet, a place, a shortcut
    :param icon: the file's name in ``resources/icons`` without ``.svg``
    :param does: called in the window's thread when it is chosen
    :param also: other words it is found by, less surely than by its title
    """

    title: str
    detail: str
    icon: str
    does: Callable[[], None]
    also: str = ""

    def fit(self, typed: str) -> float | None:
        """Return how well it fits what was typed by its title or other words; see :func:`match`."""
        score = match(typed, self.title)
        if score is None and (also := match(typed, f"{self.title} {self.also}")) is not None:
            score = OTHER_WORDS * also
        return score


@dataclass(frozen=True, slots=True)
class FinderSource:
    """Something to be searched.

    :param title: over its hits
    :param find: returns the hits of a text, the best first, and what was used last for "";
      called beside the window's thread
    """

    title: str
    find: Callable[[str], list[Hit]]


def matching_source(
    title: str, everything: Callable[[], Iterable[Hit]], without_text: int = 0
) -> FinderSource:
    """Return a source of few hits, which are matched by their titles, else by their details.

    :param everything: all its hits; called beside the window's thread
    :param without_text: how many of the first are shown before anything is typed
    """

    def find(typed: str) -> list[Hit]:
        hits = list(everything())
        if not typed.strip():
            return hits[:without_text]
        scored = [(score, hit) for hit in hits if (score := _score(typed, hit)) is not None]
        # Sorting is stable: what fits alike keeps the order of the source.
        return [hit for _score, hit in sorted(scored, key=lambda one: -one[0])]

    return FinderSource(title, find)


def action_source(title: str, actions: Iterable[Action], without_text: int = 6) -> FinderSource:
    """Return the source of what can be done."""
    return matching_source(
        title,
        lambda: [
            Hit(action.title, action.key_text, "action", action.does, action.also)
            for action in actions
            if action.does
        ],
        without_text,
    )


def prompt_source(title: str, history: History, insert: Callable[[Prompt], None]) -> FinderSource:
    """Return the source of prompts, a person's own first.

    :param insert: called in the window's thread with the one that is chosen
    """
    return matching_source(
        title,
        lambda: [
            Hit(prompt.title, prompt.text, "prompts", partial(insert, prompt))
            for prompt in (*own(history), *shipped())
        ],
    )


def _score(typed: str, hit: Hit) -> float | None:
    score = hit.fit(typed)
    if score is None and all(word in hit.detail.casefold() for word in typed.casefold().split()):
        return 0.0
    return score
