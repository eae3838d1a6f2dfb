"""An answer as it was written, character by character: tinted by warmth, marked, pointed at."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QTextCharFormat, QTextCursor, QTextLayout
from PySide6.QtWidgets import QTextEdit

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.characters import Offsets, plain
from desktop.chat.rendering.heat import tint
from desktop.theme.palette import Theme

Span = tuple[int, int, float]
"""Start and end, in characters of the answer, and warmth from 0 to 1; in their order."""


class RawText(AnswerText):
    """The whole of an answer, unformatted."""

    hovered = Signal(int)
    """The character under the pointer; -1 when it leaves."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._text = ""
        self._offsets = Offsets("")
        self._spans: Sequence[Span] = ()
        self._stretch = (0, 0)
        self._pointed = -1
        self.setAccessibleName(self.tr("Answer as it was written"))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.viewport().setMouseTracking(True)

    def show_text(self, text: str) -> None:
        """Show a text; it may go on the one shown before."""
        if text == self._text:
            return
        before, self._text = self._text, text
        self._offsets = Offsets(text)
        if before and text.startswith(before) and not before.endswith("\r"):
            self.append_plain(plain(text[len(before) :]))
        else:
            self.setPlainText(plain(text))
        if self._spans:
            self._tint()
        self._mark()

    def show_heat(self, spans: Sequence[Span]) -> None:
        """Tint stretches of the text by their warmth, and nothing else."""
        if spans or self._spans:
            self._spans = spans
            self._tint()

    def mark(self, start: int, end: int) -> None:
        """Mark a stretch of the text in place of the one before; none if it is empty."""
        self._stretch = (start, end)
        self._mark()

    def set_theme(self, theme: Theme) -> None:
        """Draw with another theme's colours."""
        self._theme = theme
        self._tint()
        self._mark()

    def _tint(self) -> None:
        """Tint as formats of the layout: the document, and what is selected in it, stays."""
        document = self.document()
        runs = self._runs()
        run = 0
        line = document.begin()
        while line.isValid():
            start, end = line.position(), line.position() + line.length() - 1
            parts = []
            while run < len(runs) and runs[run][0] < end:
                first, last, look = runs[run]
                part = QTextLayout.FormatRange()
                part.start = max(first - start, 0)
                part.length = min(last, end) - start - part.start
                part.format = look
                if part.length > 0:
                    parts.append(part)
                if last > end:
                    break
                run += 1
            line.layout().setFormats(parts)
            line = line.next()
        document.markContentsDirty(0, document.characterCount())

    def _runs(self) -> list[tuple[int, int, QTextCharFormat]]:
        """Return the spans in Qt's units, neighbours of one tint joined, inside the text."""
        joined: list[tuple[int, int, str]] = []
        for start, end, warmth in self._spans:
            start, end = max(start, 0), min(end, len(self._text))
            color = tint(warmth, self._theme)
            if joined and joined[-1][1] == start and joined[-1][2] == color:
                joined[-1] = (joined[-1][0], end, color)
            elif end > start:
                joined.append((start, end, color))
        looks = {color: self._look(color) for color in {color for *_, color in joined}}
        to_qt = self._offsets.to_qt
        return [(to_qt(start), to_qt(end), looks[color]) for start, end, color in joined]

    def _look(self, ground: str) -> QTextCharFormat:
        look = QTextCharFormat()
        look.setBackground(QColor(ground))
        look.setForeground(QColor(self._theme.text))
        return look

    def _mark(self) -> None:
        start, end = (min(max(offset, 0), len(self._text)) for offset in self._stretch)
        marks = []
        if end > start:
            selection = QTextEdit.ExtraSelection()
            cursor = QTextCursor(self.document())
            cursor.setPosition(self._offsets.to_qt(start))
            cursor.setPosition(self._offsets.to_qt(end), QTextCursor.MoveMode.KeepAnchor)
            selection.cursor = cursor
            look = QTextCharFormat()
            look.setBackground(QColor(self._theme.accent))
            look.setForeground(QColor(self._theme.on_accent))
            selection.format = look
            marks.append(selection)
        self.setExtraSelections(marks)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell which character is pointed at."""
        super().mouseMoveEvent(event)
        point = event.position().toPoint()
        position = (
            self.document().documentLayout().hitTest(point.toPointF(), Qt.HitTestAccuracy.FuzzyHit)
        )
        offset = self._offsets.to_python(position)
        self._point_at(offset if 0 <= offset < len(self._text) else -1)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is pointed at any more."""
        super().leaveEvent(event)
        self._point_at(-1)

    def _point_at(self, offset: int) -> None:
        if offset != self._pointed:
            self._pointed = offset
            self.hovered.emit(offset)
