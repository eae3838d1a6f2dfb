"""Colours for code, worked out a few milliseconds at a time so that no frame waits for them."""

import time
from collections.abc import Iterator
from functools import cache

from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Generic,
    Keyword,
    Literal,
    Name,
    Operator,
    String,
    Token,
)
from pygments.util import ClassNotFound  # type: ignore[import-untyped]
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QColor, QTextBlock, QTextCharFormat, QTextDocument, QTextLayout

from desktop.theme.palette import Theme

SLICE_S = 0.004
"""The window's thread is kept so long at a time."""
PAUSE_MS = 15
LONGEST = 200_000
"""Characters of code beyond which it stays plain."""

ROLES = {
    Comment: "comment",
    Comment.Preproc: "keyword",
    Keyword: "keyword",
    Keyword.Constant: "number",
    Keyword.Type: "type",
    Operator.Word: "keyword",
    String: "string",
    Literal: "number",
    Name.Function: "function",
    Name.Class: "type",
    Name.Namespace: "type",
    Name.Builtin: "function",
    Name.Exception: "type",
    Name.Decorator: "function",
    Name.Tag: "keyword",
    Name.Attribute: "type",
    Name.Constant: "number",
    Generic.Deleted: "deleted",
    Generic.Inserted: "inserted",
    Generic.Heading: "keyword",
    Generic.Subheading: "keyword",
}
"""The colour of what a lexer finds, by the nearest of its kinds that stands here."""


@cache
def role_of(kind: object) -> str:
    """Return the colour's name for a kind of token, "" for plain."""
    while kind is not None and kind is not Token:
        if kind in ROLES:
            return ROLES[kind]
        kind = kind.parent  # type: ignore[attr-defined]
    return ""


@cache
def lexer_of(language: str) -> Lexer | None:
    """Return what reads a language; None if none is known by that name."""
    try:
        return get_lexer_by_name(language) if language else None
    except ClassNotFound:
        return None


def warm_up() -> None:
    """Load what the first block of code needs, on any thread: it takes tens of milliseconds."""
    if lexer := lexer_of("python"):
        list(lexer.get_tokens("x = 1"))


class Highlighting(QObject):
    """Colours the lines of a document, from the first to the last, as formats of its layout."""

    def __init__(self, document: QTextDocument, theme: Theme) -> None:
        super().__init__(document)
        self._document = document
        self._formats: dict[str, QTextCharFormat] = {}
        self._tokens: Iterator[tuple[int, object, str]] = iter(())
        self._line = QTextBlock()
        self._column = 0
        self._ranges: list[QTextLayout.FormatRange] = []
        self._timer = QTimer(self, interval=PAUSE_MS)
        self._timer.timeout.connect(self._go_on)
        self.set_theme(theme)

    @property
    def is_busy(self) -> bool:
        """Whether lines are still without their colours."""
        return self._timer.isActive()

    def set_theme(self, theme: Theme) -> None:
        """Use a theme's colours from now on."""
        for role, color in theme.code.items():
            self._formats[role] = QTextCharFormat()
            self._formats[role].setForeground(QColor(color))

    def begin(self, code: str, language: str) -> None:
        """Colour the document, whose text begins with this code, from the start."""
        lexer = lexer_of(language.lower())
        if lexer is None or len(code) > LONGEST:
            self._timer.stop()
            return
        # Lexers take a line for one by its end.
        self._tokens = iter(lexer.get_tokens_unprocessed(code + "\n"))
        self._line = self._document.begin()
        self._column = 0
        self._ranges = []
        self._timer.start()

    def settle(self) -> None:
        """Colour what is left at once."""
        if self.is_busy:
            self._go_on(float("inf"))

    def _go_on(self, slice_s: float = SLICE_S) -> None:
        until_s = time.perf_counter() + slice_s
        first = self._line
        for _, kind, text in self._tokens:
            self._add(text, self._formats.get(role_of(kind)))
            if time.perf_counter() > until_s:
                break
        else:
            self._timer.stop()
            self._end_line()
        if first.isValid():
            start = first.position()
            end = self._line.position() if self._line.isValid() else self._document.characterCount()
            self._document.markContentsDirty(start, max(end - start, 1))

    def _add(self, text: str, look: QTextCharFormat | None) -> None:
        for index, piece in enumerate(text.split("\n")):
            if index:
                self._end_line()
                self._line = self._line.next()
            length = len(piece) if piece.isascii() else len(piece.encode("utf-16-le")) // 2
            if look is not None and length:
                part = QTextLayout.FormatRange()
                part.start, part.length, part.format = self._column, length, look
                self._ranges.append(part)
            self._column += length

    def _end_line(self) -> None:
        if self._line.isValid():
            self._line.layout().setFormats(self._ranges)
        self._ranges = []
        self._column = 0
