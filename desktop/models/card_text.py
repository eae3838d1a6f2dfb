"""The text of a model card: what strangers wrote, shown and nothing more."""

from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextCharFormat, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QTextBrowser, QWidget

MARKDOWN = (
    QTextDocument.MarkdownFeature.MarkdownDialectGitHub
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


class CardText(QTextBrowser):
    """Shows Markdown in which nothing acts: no picture is fetched and no link opens."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)
        self.setAccessibleName(self.tr("Model card"))
        self.document().setDocumentMargin(8)

    def show_markdown(self, text: str) -> None:
        """Show a card from its beginning."""
        self.document().setMarkdown(text, MARKDOWN)
        self._calm_headings()
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(0)

    def _calm_headings(self) -> None:
        """Make headings little larger than text: a card is read in a corner of a dialog."""
        whole = QTextCursor(self.document())
        whole.beginEditBlock()  # else each heading would be laid out by itself
        block = self.document().begin()
        while block.isValid():
            if level := block.blockFormat().headingLevel():
                calm = QTextCharFormat()
                calm.setProperty(QTextFormat.Property.FontSizeAdjustment, int(level == 1))
                cursor = QTextCursor(block)
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                cursor.mergeCharFormat(calm)
            block = block.next()
        whole.endEditBlock()

    def loadResource(self, _kind: int, _name: QUrl | str) -> None:
        """Load nothing: a card must not reach for files or the network."""
