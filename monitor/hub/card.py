"""Model cards: the text a repository presents itself with, and what its training emitted."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.carbon.training import Method, Training
from monitor.hub.access import NotGiven, Repository, ask_text
from monitor.hub.catalog import NAME
from monitor.hub.waiting import Tick, idly

FILE = "README.md"

HEAD_LETTERS = 1 << 16
"""Longest metadata that is read; what is longer holds tables of results."""

BESIDE = ("training_type", "geographical_location", "hardware_used")
"""What a card may say beside the grams (huggingface.co/docs/hub/model-cards-co2)."""

SHOWN_LETTERS, SHOWN_LINES, SHOWN_CELLS = 8_000, 250, 200
"""As much as a window lays out in a moment; tables take by far the longest."""

HEAD = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"(^```.*?(?:^```[ \t]*$|\Z))", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
PICTURE = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>")
GAP = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    :param repository: whose it is
    :param content: as it lies there
    :param licence: as the card states it, "" if it does not
    :param base_models: repositories it says its model is made from
    :param training: what the training emitted, ``None`` if it does not say
    """

    repository: str
    content: str
    licence: str
    base_models: tuple[str, ...]
    training: Training | None

    @property
    def text(self) -> str:
        """Its Markdown for a person: no metadata, pictures or HTML, and no more than a window
        can lay out at once."""
        whole = HEAD.sub("", self.content, count=1)[: SHOWN_LETTERS * 4]
        pieces = [
            piece if piece.startswith("```") else _plain(piece) for piece in FENCE.split(whole)
        ]
        text = GAP.sub("\n\n", _shorter_tables("".join(pieces))).strip()
        shown = "\n".join(text.split("\n")[:SHOWN_LINES])[:SHOWN_LETTERS]
        return shown if shown == text else f"{shown.rstrip()} …"


def read_card(repository: str, tick: Tick = idly) -> Card | None:
    """Fetch a repository's card; ``None`` if it has none, or gives it to nobody asking now.

    :raises HubError: if the hub cannot be reached
    """
    try:
        content = ask_text(Repository(repository), FILE, tick)
    except NotGiven:
        return None
    return parse_card(repository, content)


def parse_card(repository: str, content: str) -> Card:
    """Read a card of any shape; what makes no sense in it is as if it were not there."""
    head = _head(content)
    bases = head.get("base_model")
    named = bases if isinstance(bases, list) else [bases]
    return Card(
        repository,
        content,
        _text(head.get("license")),
        tuple(each for each in named if isinstance(each, str) and NAME.fullmatch(each)),
        _training(repository, head.get("co2_eq_emissions")),
    )


def _head(content: str) -> Mapping[str, Any]:
    """Return the metadata; every scalar as its text, so that nothing is constructed from it."""
    import yaml  # type: ignore[import-untyped]

    found = HEAD.match(content)
    if not found or len(found[1]) > HEAD_LETTERS:
        return {}
    try:
        head = yaml.load(found[1], yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return {}
    return head if isinstance(head, dict) else {}


def _training(repository: str, told: Any) -> Training | None:
    """Return what ``co2_eq_emissions`` says: grams, or a mapping that holds them.

    The field is for training (huggingface.co/docs/hub/model-cards-co2). Cards that state what the
    *use* of a model emits say so in their source, as those LlamaWatt writes do; that is not taken
    for training.
    """
    fields = told if isinstance(told, dict) else {"emissions": told}
    source = _text(fields.get("source"))
    try:
        grams = float(fields.get("emissions", ""))
    except (TypeError, ValueError):
        return None
    if not (math.isfinite(grams) and grams > 0) or "inference" in source.casefold():
        return None
    where = f"model card of {repository}"
    return Training(
        grams,
        f"{where}: {source}" if source else where,
        method=Method.CARD,
        details=tuple((name, text) for name in BESIDE if (text := _text(fields.get(name)))),
    )


def _text(value: Any) -> str:
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _plain(markdown: str) -> str:
    """Leave out comments and tags, and of pictures all but what they are said to show."""
    return TAG.sub("", PICTURE.sub(r"\1", COMMENT.sub("", markdown)))


def _shorter_tables(markdown: str) -> str:
    """Leave out the rows of tables beyond so many cells in all."""
    cells, kept = 0, []
    for line in markdown.split("\n"):
        if line.lstrip().startswith("|"):
            cells += line.count("|")
            if cells > SHOWN_CELLS:
                continue
        kept.append(line)
    return "\n".join(kept)
