"""What a model thought before it answered, folded away under one line."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from desktop.chat.answer import AnswerText
from desktop.theme.widgets import label, named, tool_button


class ThinkingBlock(QWidget):
    """A button that unfolds the thought; while it goes on, its last line stands beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._thought = ""
        self._is_open = False
        self._figures = ""
        self._fold = named(tool_button(self.tr("Thinking …"), checkable=True), "fold")
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.toggled.connect(self._unfold)
        self._fold.setMinimumWidth(60)
        self._last_line = label("", "muted")
        self._last_line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._body = named(AnswerText(), "thought")
        self._body.setAccessibleName(self.tr("Thought"))
        self._body.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self._fold)
        head.addWidget(self._last_line, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._body)
        self._unfold(False)

    @property
    def button(self) -> QToolButton:
        """What folds and unfolds."""
        return self._fold

    def show_thought(self, thought: str, is_open: bool) -> None:
        """Show a thought, which may go on the one shown before.

        :param is_open: whether the model is still thinking
        """
        before, self._thought = self._thought, thought
        self._is_open = is_open
        if before and thought.startswith(before):
            self._body.append_plain(thought[len(before) :])
        elif thought != before:
            self._body.setPlainText(thought)
        self._tell()

    def set_figures(self, words: str) -> None:
        """Say what the thought cost in place of the plain heading."""
        self._figures = words
        self._tell()

    def _tell(self) -> None:
        words = self._figures or self.tr("Thought")
        words = self.tr("Thinking …") if self._is_open else words
        self._fold.setText(words)
        self._fold.setAccessibleName(words)
        lines = self._thought.rstrip().rsplit("\n", 1)
        is_told = self._is_open and not self._fold.isChecked()
        width = max(self._last_line.width() - 4, 0)
        shown = self._last_line.fontMetrics().elidedText(
            lines[-1][-400:], Qt.TextElideMode.ElideLeft, width
        )
        self._last_line.setText(shown if is_told else "")

    def _unfold(self, is_unfolded: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_unfolded else Qt.ArrowType.RightArrow
        self._fold.setArrowType(arrow)
        self._body.setVisible(is_unfolded)
        self._tell()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the last line to the new width."""
        super().resizeEvent(event)
        self._tell()
