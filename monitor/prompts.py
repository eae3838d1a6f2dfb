"""Prompts kept for use again: some that ship, and a person's own.

Own ones lie in the preference ``prompts``, the one used last first.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from monitor.store.history import History
from monitor.store.identifiers import new_id
from resources import resource_text

PREFERENCE = "prompts"

CATEGORIES = ("reasoning", "code", "writing", "knowledge", "instruction")

LONGEST_TITLE = 80

_BLANK = re.compile(r"\{[^{}\n]{1,60}\}")


class PromptError(Exception):
    """A prompt that cannot be kept; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to ask with.

    :param id: of a shipped one its category and name, of an own one a UUID; "" for one that was
      never kept
    :param title: by which it is found
    :param category: one of :data:`CATEGORIES`
    :param text: may hold blanks to fill in: ``{a few words}``
    """

    id: str
    title: str
    category: str
    text: str
    is_own: bool


@cache
def shipped() -> tuple[Prompt, ...]:
    """Return the prompts that come with LlamaWatt, category by category."""
    content = tomllib.loads(resource_text("prompts.toml"))
    return tuple(
        Prompt(f"{category}/{name}", fields["title"], category, fields["text"].strip(), False)
        for category in CATEGORIES
        for name, fields in content[category].items()
    )


def own(history: History) -> tuple[Prompt, ...]:
    """Return a person's own prompts, the one used last first."""
    return tuple(Prompt(**row, is_own=True) for row in history.preference(PREFERENCE, []))


def keep(history: History, prompt: Prompt) -> Prompt:
    """Keep a prompt as one's own: a new one, a copy of a shipped one, or a change of an own one.

    :param prompt: without a title it is called by the beginning of its text
    :returns: the prompt as it is kept, with its identifier
    :raises PromptError: if there is nothing to keep
    """
    text = prompt.text.strip()
    if not text:
        raise PromptError("An empty prompt cannot be kept: write its text first.")
    if prompt.category not in CATEGORIES:
        raise PromptError(f"A prompt is one of {', '.join(CATEGORIES)}: choose a category.")
    kept = replace(
        prompt,
        id=prompt.id if prompt.is_own and prompt.id else new_id(),
        title=_shortened(prompt.title) or _shortened(text),
        text=text,
        is_own=True,
    )
    present = own(history)
    if any(one.id == kept.id for one in present):
        _write(history, (kept if one.id == kept.id else one for one in present))
    else:
        _write(history, (kept, *present))
    return kept


def forget(history: History, prompt_id: str) -> None:
    """Remove one's own prompt; nothing happens if there is none of that identifier."""
    _write(history, (one for one in own(history) if one.id != prompt_id))


def use(history: History, prompt_id: str) -> None:
    """Put one's own prompt first: it was used just now. A shipped one keeps its place."""
    present = own(history)
    if any(one.id == prompt_id for one in present):
        _write(history, sorted(present, key=lambda one: one.id != prompt_id))


def find_blank(text: str, start: int = 0) -> tuple[int, int] | None:
    """Return where the next blank to fill in begins and ends, its braces included."""
    found = _BLANK.search(text, start)
    return found.span() if found else None


def _shortened(text: str) -> str:
    """Make a title of a text: one line that is not too long."""
    title = " ".join(text.split())
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…"


def _write(history: History, prompts: Iterable[Prompt]) -> None:
    rows: list[dict[str, Any]] = []
    for prompt in prompts:
        row = asdict(prompt)
        del row["is_own"]
        rows.append(row)
    history.set_preference(PREFERENCE, rows)
