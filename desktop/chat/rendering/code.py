"""A block of code: its language, a button that copies it, and its lines, never wrapped."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QFontDatabase, QFontInfo, QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from desktop.chat.answer import AnswerText
from desktop.chat.rendering.blocks import Block
from desktop.chat.rendering.highlighting import Highlighting
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button

COPIED_MS = 2_000
GROWTH = 1.25
"""Code that grows is coloured anew each time it is so many times as long."""


class CodeBlock(QWidget):
    """Code in a frame of its own."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._block: Block | None = None
        self._colored = 0
        self._text = named(AnswerText(), "codeText")
        self._text.setAccessibleName(self.tr("Code"))
        self._text.setLineWrapMode(QTextBrowser.LineWrapMode.NoWrap)
        self._text.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(QFontInfo(self.font()).pointSizeF() * 0.95)
        self._text.document().setDefaultFont(font)
        self._text.document().setDocumentMargin(10)
        self._highlighting = Highlighting(self._text.document(), theme)
        frame = named(QFrame(), "code")
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.setSpacing(0)
        inside.addWidget(self._head())
        inside.addWidget(self._text)
        self._around = QVBoxLayout(self)
        self._around.addWidget(frame)
        self.set_indent(0)

    def _head(self) -> QWidget:
        self._language = label("", "muted")
        self._copy = named(tool_button(self.tr("Copy")), "codeCopy")
        self._copy.setAccessibleName(self.tr("Copy the code"))
        self._copy.clicked.connect(self._copy_code)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._copied.timeout.connect(lambda: self._copy.setText(self.tr("Copy")))
        head = named(QWidget(), "codeHead")
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 3, 4, 3)
        row.addWidget(self._language, 1)
        row.addWidget(self._copy)
        return head

    def show_block(self, block: Block) -> None:
        """Show code in place of what stood here, which it may go on."""
        before, self._block = self._block, block
        self._language.setText(block.language or self.tr("code"))
        if before and before.source and block.source.startswith(before.source):
            if added := block.source[len(before.source) :]:
                self._text.append_plain(added)
        else:
            self._text.setPlainText(block.source)
            self._colored = 0
        is_new = not before or before.language != block.language
        length = len(block.source)
        if is_new or not block.is_open or length > self._colored * GROWTH:
            self._colored = length
            self._highlighting.begin(block.source, block.language)

    def set_indent(self, width: int) -> None:
        """Stand so many pixels to the right of the page."""
        self._around.setContentsMargins(width, 0, 0, 0)

    def settle(self) -> None:
        """Colour all of it at once."""
        self._highlighting.settle()

    def set_theme(self, theme: Theme) -> None:
        """Use another theme's colours from the next block shown on, even if it is the same."""
        self._highlighting.set_theme(theme)
        self._colored = 0

    def _copy_code(self) -> None:
        if self._block:
            QGuiApplication.clipboard().setText(self._block.source)
            self._copy.setText(self.tr("Copied"))
            self._copied.start()
