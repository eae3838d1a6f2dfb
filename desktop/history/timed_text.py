"""An answer as plain text, in which the word of a moment is marked and heat is laid under it."""

from bisect import bisect_left, bisect_right
from itertools import pairwise

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QTextEdit

from desktop.history.limited_text import LimitedText
from desktop.history.tint import LEVELS, tint
from desktop.theme.palette import Theme
from monitor.energy.heat import Heat, Warmth

NOT_READ = -1
"""Stands for the level of tokens whose joules are not known."""


class _Heat(QSyntaxHighlighter):
    """Lays colours under the text.

    :param levels: for each position of the document the level of :func:`tint`
    """

    def __init__(self, document: QTextDocument, levels: np.ndarray, theme: Theme) -> None:
        super().__init__(document)
        self._levels = levels
        # Of the whole document at once: an answer may have thousands of paragraphs.
        self._changes: list[int] = (np.flatnonzero(np.diff(levels)) + 1).tolist()
        self._formats = {level: QTextCharFormat() for level in range(NOT_READ, LEVELS)}
        for level in range(LEVELS):
            self._formats[level].setBackground(QColor(tint(theme, level)))
        self._formats[NOT_READ].setForeground(QColor(theme.muted))
        self._formats[NOT_READ].setFontItalic(True)

    def highlightBlock(self, text: str) -> None:
        """Colour a paragraph, run by run."""
        first = self.currentBlock().position()
        last = first + self.currentBlock().length() - 1
        inside = slice(bisect_right(self._changes, first), bisect_left(self._changes, last))
        for start, end in pairwise([first, *self._changes[inside], last]):
            if end > start:
                self.setFormat(start - first, end - start, self._formats[int(self._levels[start])])


class TimedText(LimitedText):
    """Shows an answer; characters are counted as Python does.

    The mouse points at a character, and so does the caret.
    """

    pointed = Signal(int)
    """The character pointed at."""

    def __init__(self, text: str, theme: Theme) -> None:
        # Qt counts units of UTF-16, and would take "\r\n" for one.
        super().__init__(text.replace("\r", " "))
        self._theme = theme
        self._heat: _Heat | None = None
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
        self._places = np.concatenate([[0], np.cumsum(1 + (codes > 0xFFFF))])
        self.setAccessibleName(self.tr("Answer"))
        self.cursorPositionChanged.connect(
            lambda: self.pointed.emit(self._character(self.textCursor().position()))
        )

    def mark(self, start: int, end: int, follow: bool) -> None:
        """Mark the characters from one to before another.

        :param follow: whether to scroll to where they are
        """
        selection = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self.document())
        cursor.setPosition(int(self._places[start]))
        cursor.setPosition(int(self._places[end]), QTextCursor.MoveMode.KeepAnchor)
        selection.cursor = cursor
        selection.format.setBackground(QColor(self._theme.accent))
        selection.format.setForeground(QColor(self._theme.on_accent))
        self.setExtraSelections([selection] if end > start else [])
        if follow and end > start:
            self._scroll_to(int(self._places[start]))

    def show_heat(self, heat: Heat, warmth: Warmth) -> None:
        """Lay the tokens' warmth under them."""
        self.hide_heat()
        last = len(self._places) - 1
        widths = np.diff(self._places[np.minimum(heat.ends, last)], prepend=0)
        steps = np.nan_to_num(np.floor(warmth.values * LEVELS), nan=NOT_READ)
        steps = np.minimum(steps, LEVELS - 1).astype(int)
        levels = np.full(self._places[-1] + 1, NOT_READ)
        levels[: widths.sum()] = np.repeat(steps, widths)
        self._heat = _Heat(self.document(), levels, self._theme)

    def hide_heat(self) -> None:
        """Take the colours away."""
        if self._heat:
            self._heat.setDocument(None)
            self._heat = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Point at the character under the mouse."""
        super().mouseMoveEvent(event)
        at = self.cursorForPosition(event.position().toPoint()).position()
        self.pointed.emit(self._character(at))

    def _character(self, place: int) -> int:
        return int(np.searchsorted(self._places, place, side="right")) - 1

    def _scroll_to(self, place: int) -> None:
        """Bring a place into view without moving the caret."""
        cursor = QTextCursor(self.document())
        cursor.setPosition(place)
        if self.viewport().rect().contains(self.cursorRect(cursor)):
            return
        block = cursor.block()
        line = block.layout().lineForTextPosition(place - block.position()).lineNumber()
        shown = self.viewport().height() // self.fontMetrics().lineSpacing()
        self.verticalScrollBar().setValue(block.firstLineNumber() + max(line, 0) - shown // 2)
