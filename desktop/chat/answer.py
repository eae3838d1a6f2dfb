"""Model text on the screen: inert, and as tall as it needs to be."""

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QResizeEvent, QTextCursor, QTextDocument, QWheelEvent
from PySide6.QtWidgets import QFrame, QTextBrowser

MARKDOWN = (
    QTextDocument.MarkdownFeature.MarkdownDialectGitHub
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


class AnswerText(QTextBrowser):
    """Shows an answer: plain while it is written, as Markdown once it is whole.

    Nothing in it acts: HTML is shown as text, pictures are not fetched, links do not open.
    """

    least_height = 24
    """Pixels; of a text that is being written there is a line before its first word."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("answer")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.horizontalScrollBar().rangeChanged.connect(self._fit)
        self.setAccessibleName(self.tr("Answer"))
        self._fit()

    def append_plain(self, text: str) -> None:
        """Add text as it is; cheap, for while it streams."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)

    def show_markdown(self, text: str) -> None:
        """Show the whole answer formatted."""
        self.document().setMarkdown(text, MARKDOWN)

    def loadResource(self, _kind: int, _name: QUrl | str) -> None:
        """Load nothing: what a model writes must not reach for files or the network."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width."""
        super().resizeEvent(event)
        self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave scrolling to the conversation."""
        event.ignore()

    def _fit(self) -> None:
        # A long line of code scrolls sideways: its bar must not cover the last line.
        bar = self.horizontalScrollBar()
        bar_height = bar.sizeHint().height() if bar.maximum() > 0 else 0
        height = int(self.document().size().height()) + 4 + bar_height
        self.setFixedHeight(max(height, self.least_height))
