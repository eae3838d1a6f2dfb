"""An answer cut into what is drawn by one widget each: text, tables, code, formulas.

Text is several paragraphs, headings and lists, so that a person can select across them; it is
cut where a paragraph or an item begins once it is long, and a long table goes on under a head of
its own, so that what grows is never much.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from desktop.chat.rendering.characters import displayable

LONG_TEXT = 1500
"""Characters after which the next paragraph or item begins a block of its own."""
LONG_TABLE = 48
"""Cells after which the next row begins a table of its own."""


class Kind(Enum):
    """What a block is drawn as."""

    TEXT = "text"
    TABLE = "table"
    CODE = "code"
    FORMULA = "formula"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of an answer.

    :param source: Markdown, the code without its fences, or a formula with its marks
    :param start: offset in the answer of its first line
    :param head: of a table that began in an earlier block: its first two lines
    :param language: of code, as its fence names it
    :param indent: columns it stands to the right of the page, as a part of a list's item
    :param is_open: whether more of the stream may come to belong to it
    """

    kind: Kind
    source: str
    start: int
    head: str = ""
    language: str = ""
    indent: int = 0
    is_open: bool = False


class _Line(NamedTuple):
    start: int
    text: str

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip(" "))


class Cutter:
    """Cuts a growing text again and again, looking only at what may still change.

    A block is settled once a whole line after it begins another: until its end has come, a line
    may turn out to be a fence or a row of a table.
    """

    def __init__(self) -> None:
        self._settled: list[Block] = []
        self._start = 0
        self._head = ""
        self._looked_at = 0

    def cut(self, text: str, is_whole: bool) -> list[Block]:
        """Return all blocks of a text that begins with the one given before.

        :param is_whole: whether nothing will come after it
        """
        lines_end = text.rfind("\n") + 1
        if lines_end > self._looked_at:
            self._looked_at = lines_end
            self._settle(self._cut(text[:lines_end]))
        blocks = self._cut(text)
        if blocks and not is_whole:
            blocks[-1] = replace(blocks[-1], is_open=True)
        return self._settled + blocks

    def _cut(self, text: str) -> list[Block]:
        """Cut what is not settled."""
        indent = self._settled[-1].indent if self._settled else 0
        return _cut(text, self._start, indent, self._head)

    def _settle(self, blocks: list[Block]) -> None:
        if blocks:
            self._start, self._head = blocks[-1].start, blocks[-1].head
            self._settled += blocks[:-1]


def _cut(text: str, start: int, indent: int, head: str) -> list[Block]:
    """Cut a text from an offset on.

    :param indent: of the block before
    :param head: of the table that goes on there, if one does
    """
    lines = []
    for line in displayable(text[start:]).split("\n"):
        lines.append(_Line(start, line.rstrip("\r").replace("\r", " ").replace("\t", "    ")))
        start += len(line) + 1
    blocks: list[Block] = []
    at = 0
    if head:
        blocks, at = _rows(lines, 0, head, indent)
    while at < len(lines):
        if lines[at].is_blank:
            at += 1
            continue
        if _is_table(lines, at):
            head = f"{lines[at].text.strip()}\n{lines[at + 1].text.strip()}"
            parts, after = _rows(lines, at + 2, head, lines[at].indent)
            # The first has its head in its own lines.
            blocks += [replace(parts[0], start=lines[at].start, head=""), *parts[1:]]
            at = after
        else:
            block, at = _code(lines, at) or _formula(lines, at) or _text(lines, at, indent)
            blocks.append(block)
        indent = blocks[-1].indent
    return blocks


# --- code --------------------------------------------------------------------------------

_FENCE = re.compile(r" *(?P<fence>`{3,}|~{3,})(?P<info>.*)")


def _opening(line: _Line) -> re.Match[str] | None:
    if not line.text.lstrip().startswith(("```", "~~~")):
        return None
    found = _FENCE.fullmatch(line.text)
    return None if found and found["fence"][0] == "`" and "`" in found["info"] else found


def _code(lines: list[_Line], at: int) -> tuple[Block, int] | None:
    opening = _opening(lines[at])
    if not opening:
        return None
    indent, fence = lines[at].indent, opening["fence"]
    closing = re.compile(rf" *{re.escape(fence[0])}{{{len(fence)},}} *")
    inside = []
    after = at + 1
    while after < len(lines):
        line = lines[after]
        after += 1
        if closing.fullmatch(line.text):
            break
        inside.append(line.text[min(line.indent, indent) :])
    else:
        # The end of the text, not of a line: nothing stands there yet.
        if inside and not inside[-1]:
            inside.pop()
    words = opening["info"].strip(" {}").split()
    language = words[0].lstrip(".") if words else ""
    code = "\n".join(inside)
    return Block(Kind.CODE, code, lines[at].start, language=language, indent=indent), after


# --- formulas ----------------------------------------------------------------------------

_MARKS = {"$$": "$$", "\\[": "\\]"}


def _formula(lines: list[_Line], at: int) -> tuple[Block, int] | None:
    """A formula between marks that have lines of their own; it holds no blank line."""
    first = lines[at].text.strip()
    closing = _MARKS.get(first[:2])
    if not closing:
        return None
    body = [first]
    rest = first[2:]
    after = at + 1
    while closing not in rest:
        if after == len(lines) or lines[after].is_blank or _begins_other(lines, after, closing):
            return None
        rest = lines[after].text.strip()
        body.append(rest)
        after += 1
    if rest.partition(closing)[2].strip(" .,;:"):
        return None
    source, indent = "\n".join(body), lines[at].indent
    return Block(Kind.FORMULA, source, lines[at].start, indent=indent), after


def _begins_other(lines: list[_Line], at: int, closing: str) -> bool:
    """Whether a line cannot be the inside of a formula that ends with ``closing``."""
    text = lines[at].text.strip()
    if _opening(lines[at]) or _is_table(lines, at):
        return True
    return text[:2] in _MARKS and not (text[:2] == closing and closing not in text[2:])


# --- tables ------------------------------------------------------------------------------

_DELIMITER = re.compile(r" *\|? *:?-+:? *(\| *:?-+:? *)*\|? *")


def _columns(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row.strip().strip("|"))) + 1


def _is_table(lines: list[_Line], at: int) -> bool:
    if at + 1 >= len(lines) or "|" not in lines[at].text:
        return False
    head, rule = lines[at].text, lines[at + 1].text
    if "|" not in rule or not _DELIMITER.fullmatch(rule):
        return False
    return not head.lstrip().startswith(">") and _columns(head) == _columns(rule)


def _rows(lines: list[_Line], at: int, head: str, indent: int) -> tuple[list[Block], int]:
    """Cut a table's rows into blocks under the same head; the first may have none yet."""
    rows_each = max(LONG_TABLE // _columns(head.split("\n")[0]), 1)
    end = at
    while end < len(lines) and "|" in lines[end].text and not _opening(lines[end]):
        end += 1
    blocks = []
    for first in range(at, max(end, at + 1), rows_each):
        part = lines[first : min(first + rows_each, end)]
        source = "\n".join([head, *(line.text.strip() for line in part)])
        start = part[0].start if part else 0
        blocks.append(Block(Kind.TABLE, source, start, head, indent=indent))
    return blocks, end


# --- text --------------------------------------------------------------------------------

_FIRST_ITEM = re.compile(r"1[.)] ")
_NEXT_ITEM = re.compile(r"([-*+]|\d+[.)]) ")


def _text(lines: list[_Line], at: int, indent: int) -> tuple[Block, int]:
    """Text until something else begins.

    After code inside a list's item, what is indented as much goes on with the item.
    """
    indent = indent if lines[at].indent >= indent else 0
    size = len(lines[at].text)
    may_be_formula = _is_mark(lines[at])
    after = at + 1
    while after < len(lines):
        line = lines[after]
        if line.is_blank:
            may_be_formula = False
        elif line.indent < indent or _begins_block(lines, after):
            break
        is_long = size >= LONG_TEXT and not may_be_formula
        if is_long and _may_be_cut(lines, after):
            break
        may_be_formula = may_be_formula or _is_mark(line)
        size += len(line.text) + 1
        after += 1
    source = "\n".join(line.text[min(line.indent, indent) :] for line in lines[at:after])
    return Block(Kind.TEXT, source.rstrip(), lines[at].start, indent=indent), after


def _is_mark(line: _Line) -> bool:
    """Whether a formula begins here that has not ended: what follows decides what it is."""
    return line.text.strip()[:2] in _MARKS


def _begins_block(lines: list[_Line], at: int) -> bool:
    return bool(_opening(lines[at]) or _formula(lines, at) or _is_table(lines, at))


def _may_be_cut(lines: list[_Line], at: int) -> bool:
    """Whether a paragraph or an item of the outermost list begins."""
    text = lines[at].text
    # A list that counts "1. 1. 1." would begin again at one.
    is_beginning = lines[at - 1].is_blank or _NEXT_ITEM.match(text)
    is_outermost = bool(text.strip()) and not lines[at].indent
    return bool(is_beginning) and is_outermost and not _FIRST_ITEM.match(text)
