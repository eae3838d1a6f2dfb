"""The whole of an answer on the screen, while it is written and after."""

import time
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QMenu, QTextBrowser, QVBoxLayout, QWidget

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.blocks import Block, Cutter, Kind
from desktop.chat.rendering.code import CodeBlock
from desktop.chat.rendering.raw import RawText, Span
from desktop.chat.rendering.text import TableBlock, TextBlock
from desktop.chat.rendering.thinking import ThinkingBlock
from desktop.theme.palette import Theme
from monitor.engine.thinking import split_thinking

FRAME_MS = 100
"""What has come is shown so often."""
BUDGET_S = 0.008
"""Blocks that are not drawn within it wait for the next turn of the window's thread."""
SPACING = 9
INDENT = 24

BlockWidget = TextBlock | CodeBlock
_MADE: dict[Kind, type[BlockWidget]] = {
    Kind.TEXT: TextBlock,
    Kind.FORMULA: TextBlock,
    Kind.TABLE: TableBlock,
    Kind.CODE: CodeBlock,
}


class AnswerView(QWidget):
    """Shows an answer formatted, or as it was written with its warmth and marks.

    Nothing in it acts: HTML is text, pictures are not fetched, a link only says that it is wanted.
    The same text ends as the same view, whether it came whole or in pieces.
    """

    link_wanted = Signal(str)
    """A link was pressed: its address."""
    hovered = Signal(int)
    """The character of the text under the pointer while it is shown as written; -1 for none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._pieces: list[str] = []
        self._is_whole = False
        self._answer = ""
        self._cutter = Cutter()
        self._blocks: list[Block] = []
        self._shown: list[Block | None] = []
        self._widgets: list[BlockWidget] = []
        self._thinking = ThinkingBlock()
        self._thinking.setVisible(False)
        self._raw: RawText | None = None
        self._heat: Sequence[Span] | None = None
        self._mark = (0, 0)
        self._formatted = QWidget()
        self._column = QVBoxLayout(self._formatted)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACING)
        self._column.addWidget(self._thinking)
        self._both = QVBoxLayout(self)
        self._both.setContentsMargins(0, 0, 0, 0)
        self._both.addWidget(self._formatted)
        self._frame = QTimer(self, singleShot=True, interval=FRAME_MS)
        self._frame.timeout.connect(self._show_more)
        self._rest = QTimer(self, singleShot=True, interval=0)
        self._rest.timeout.connect(lambda: self._draw(BUDGET_S))
        self.setAccessibleName(self.tr("Answer"))

    # --- the text ------------------------------------------------------------------------

    def text(self) -> str:
        """Return the answer as it was written, all that has come."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def append(self, text: str) -> None:
        """Take a piece of the stream; it is shown with the next frame."""
        self._pieces.append(text)
        self._is_whole = False
        if not self._frame.isActive():
            self._frame.start()

    def set_text(self, text: str) -> None:
        """Show a whole answer; what takes long is drawn after this returns."""
        self._pieces = [text]
        self.finish()

    def finish(self) -> None:
        """Say that nothing more will come."""
        self._is_whole = True
        self._frame.stop()
        self._show_more()

    def settle(self) -> None:
        """Draw all that has come before returning."""
        self._frame.stop()
        self._show_more(float("inf"))
        for widget in self._widgets:
            if isinstance(widget, CodeBlock):
                widget.settle()

    def set_thinking_figures(self, words: str) -> None:
        """Say over the folded thought what it cost."""
        self._thinking.set_figures(words)

    def set_theme(self, theme: Theme) -> None:
        """Draw with another theme's colours."""
        self._theme = theme
        for widget in self._widgets:
            widget.set_theme(theme)
        if self._raw:
            self._raw.set_theme(theme)
        self._shown = [None] * len(self._shown)
        self._draw(BUDGET_S)

    # --- formatted -----------------------------------------------------------------------

    def _show_more(self, budget_s: float = BUDGET_S) -> None:
        text = self.text()
        if self._raw and not self._raw.isHidden():
            self._raw.show_text(text)
        thinking = split_thinking(text)
        self._thinking.setVisible(bool(thinking.thought))
        if thinking.thought:
            self._thinking.show_thought(thinking.thought, thinking.is_open and not self._is_whole)
        if not self._answer or not thinking.answer.startswith(self._answer):
            self._cutter = Cutter()
        self._answer = thinking.answer
        self._blocks = self._cutter.cut(self._answer, self._is_whole)
        self._draw(budget_s)

    def _draw(self, budget_s: float) -> None:
        """Draw the blocks that are not drawn as they are now, from the first on."""
        until_s = time.perf_counter() + budget_s
        for index, block in enumerate(self._blocks):
            if index < len(self._shown) and self._shown[index] == block:
                continue
            if time.perf_counter() > until_s:
                self._rest.start()
                return
            self._draw_block(index, block)
        for widget in self._widgets[len(self._blocks) :]:
            self._take(widget)
        del self._widgets[len(self._blocks) :], self._shown[len(self._blocks) :]

    def _draw_block(self, index: int, block: Block) -> None:
        if index == len(self._shown):
            self._widgets.append(self._made(index, block))
            self._shown.append(block)
        elif type(self._widgets[index]) is not _MADE[block.kind]:
            self._take(self._widgets[index])
            self._widgets[index] = self._made(index, block)
        self._shown[index] = block
        widget = self._widgets[index]
        level = 1 + (block.indent - 1) // 4 if block.indent > 1 else 0
        widget.set_indent(INDENT * level)
        widget.show_block(block)

    def _made(self, index: int, block: Block) -> BlockWidget:
        widget = _MADE[block.kind](self._theme)
        for text in _texts(widget):
            text.anchorClicked.connect(lambda url: self.link_wanted.emit(url.toString()))
            text.selectionChanged.connect(lambda text=text: self._select_only(text))
        self._column.insertWidget(1 + index, widget)
        widget.show()
        return widget

    def _take(self, widget: QWidget) -> None:
        self._column.removeWidget(widget)
        widget.hide()
        widget.deleteLater()

    # --- as written ----------------------------------------------------------------------

    def show_heat(self, spans: Sequence[Span] | None) -> None:
        """Show the text as it was written, tinted; None goes back to the formatted one.

        :param spans: start and end in characters of the text, and warmth from 0 to 1, in their
            order
        """
        self._heat = spans
        self._raw_text().show_heat(spans or ())
        self._choose()

    @property
    def is_heated(self) -> bool:
        """Whether the text is shown tinted."""
        return self._heat is not None

    def mark(self, start: int, end: int) -> None:
        """Mark a stretch of the text as it was written.

        :param start: the first character
        :param end: after the last character; an empty stretch takes the mark away
        """
        self._mark = (start, end)
        self._raw_text().mark(start, end)
        self._choose()

    def _raw_text(self) -> RawText:
        """Return the text as it was written, made when it is first asked for."""
        if self._raw is None:
            self._raw = RawText(self._theme)
            self._raw.hide()
            self._raw.hovered.connect(self.hovered)
            self._both.addWidget(self._raw)
        return self._raw

    def _choose(self) -> None:
        """Show the one or the other: formatted, or as it was written."""
        start, end = self._mark
        is_raw = self._heat is not None or end > start
        raw = self._raw_text()
        if is_raw:
            raw.show_text(self.text())
        raw.setVisible(is_raw)
        self._formatted.setVisible(not is_raw)

    # --- copying -------------------------------------------------------------------------

    def _select_only(self, chosen: QTextBrowser) -> None:
        """What is selected is in one place: the choice before is given up."""
        if chosen.textCursor().hasSelection():
            for text in _texts(self):
                if text is not chosen and text.textCursor().hasSelection():
                    cursor = text.textCursor()
                    cursor.clearSelection()
                    text.setTextCursor(cursor)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to copy what is selected, or all of it."""
        self.menu(event.globalPos()).popup(event.globalPos())

    def menu(self, place: QPoint) -> QMenu:
        """Return what can be done with the answer at a place of the screen."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        chosen = next((t for t in _texts(self) if t.textCursor().hasSelection()), None)
        copying = menu.addAction(self.tr("Copy"))
        copying.setEnabled(chosen is not None)
        if chosen:
            copying.triggered.connect(chosen.copy)
        whole = self.tr("Copy whole answer as Markdown")
        menu.addAction(whole, lambda: QGuiApplication.clipboard().setText(self.text()))
        for text in _texts(self):
            address = text.anchorAt(text.viewport().mapFromGlobal(place))
            if address and text.isVisible():
                copy_link = self.tr("Copy the link's address")
                menu.addAction(copy_link, partial(QGuiApplication.clipboard().setText, address))
        return menu


def _texts(widget: QWidget) -> list[AnswerText]:
    own = [widget] if isinstance(widget, AnswerText) else []
    return own + widget.findChildren(AnswerText)
