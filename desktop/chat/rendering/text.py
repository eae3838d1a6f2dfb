"""Blocks of text, tables and formulas: formatted, selectable, as tall as they need to be."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QFontDatabase,
    QFontInfo,
    QFontMetrics,
    QResizeEvent,
    QTextCursor,
    QTextLength,
    QTextTable,
)

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.blocks import Block, Kind
from desktop.chat.rendering.markdown import CELL_PADDING, formula_html, style_sheet, to_html
from desktop.theme.palette import Theme

FORMATTED_WHILE_OPEN = 4_000
"""Characters a block may have to be formatted anew with each piece that comes."""
FORMATTED_AT_ALL = 8_000
"""Characters a block may have to be formatted: a single paragraph of this length is noise."""


def mono_family() -> str:
    """Return the family of the system's fixed font."""
    return QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)).family()


class TextBlock(AnswerText):
    """Paragraphs, headings, lists and quotations, or a formula."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._block: Block | None = None
        self._plain = ""
        self.document().setIndentWidth(24)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )

    def show_block(self, block: Block) -> None:
        """Show a block in place of the one before, which it may go on."""
        before, self._block = self._block, block
        is_same = before and (before.kind, before.source) == (block.kind, block.source)
        if is_same and not self._plain:
            return
        size = len(block.source)
        if size <= FORMATTED_WHILE_OPEN or (not block.is_open and size <= FORMATTED_AT_ALL):
            self._plain = ""
            self.document().setLayoutEnabled(False)  # until all is set
            self._show_formatted(block)
            self.document().setLayoutEnabled(True)
        else:
            self._show_plain(block.source)

    def set_indent(self, width: int) -> None:
        """Stand so many pixels to the right of the page."""
        self.setViewportMargins(width, 0, 0, 0)

    def set_theme(self, theme: Theme) -> None:
        """Use another theme's colours from the next block shown on, even if it is the same."""
        self._theme = theme
        self._block = None

    def _show_plain(self, text: str) -> None:
        if self._plain and text.startswith(self._plain):
            self.append_plain(text[len(self._plain) :])
        else:
            self.setPlainText(text)
        self._plain = text

    def _show_formatted(self, block: Block) -> None:
        size_pt = QFontInfo(self.font()).pointSizeF()
        self.document().setDefaultStyleSheet(style_sheet(self._theme, size_pt, mono_family()))
        self.setHtml(
            formula_html(block.source) if block.kind is Kind.FORMULA else to_html(block.source)
        )
        # Between blocks stands what the layout of the answer puts there.
        cursor = QTextCursor(self.document())
        _set_margins(cursor, top=0)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        _set_margins(cursor, bottom=0)


def _set_margins(cursor: QTextCursor, top: int | None = None, bottom: int | None = None) -> None:
    margins = cursor.blockFormat()
    if top is not None:
        margins.setTopMargin(top)
    if bottom is not None:
        margins.setBottomMargin(bottom)
    cursor.setBlockFormat(margins)


NARROWEST = 130
"""Pixels a column keeps before the table is scrolled sideways."""


class TableBlock(TextBlock):
    """A table: bordered, its columns as wide as they want to be and there is room for."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._widths: list[int] = []
        self.setAccessibleName(self.tr("Table"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._share_width()

    def _show_formatted(self, block: Block) -> None:
        super()._show_formatted(block)
        table = self._table()
        if table:
            self._widths = self._wanted_widths(table)
            self._share_width()

    def _table(self) -> QTextTable | None:
        frames = self.document().rootFrame().childFrames()
        return next((frame for frame in frames if isinstance(frame, QTextTable)), None)

    def _wanted_widths(self, table: QTextTable) -> list[int]:
        font = self.font()
        font.setBold(True)
        metrics = QFontMetrics(font)
        widths = [0] * table.columns()
        for row in range(table.rows()):
            for column in range(table.columns()):
                cell = table.cellAt(row, column)
                cursor = cell.firstCursorPosition()
                cursor.setPosition(cell.lastPosition(), QTextCursor.MoveMode.KeepAnchor)
                width = metrics.horizontalAdvance(cursor.selectedText())
                widths[column] = max(widths[column], width + 2 * CELL_PADDING + 6)
        return widths

    def _share_width(self) -> None:
        table = self._table()
        if not table:
            return
        borders = len(self._widths) + 1
        room = self.viewport().width() - 2 * int(self.document().documentMargin()) - borders
        widths = shared(self._widths, room, NARROWEST)
        lengths = [QTextLength(QTextLength.Type.FixedLength, width) for width in widths]
        look = table.format()
        if look.columnWidthConstraints() != lengths:
            look.setColumnWidthConstraints(lengths)
            table.setFormat(look)


def shared(wanted: Sequence[int], room: int, least: int) -> list[int]:
    """Share a width among columns: the narrow ones have what they want, the others are equal.

    :param least: what a column keeps of what it wants, whether there is room or not
    """
    widths = list(wanted)
    left = room
    for taken, index in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        fair = max(left // (len(wanted) - taken), least)
        widths[index] = min(wanted[index], fair)
        left -= widths[index]
    return widths
