"""The text of a question that was asked: as it was typed, however long its words are."""

from PySide6.QtCore import Qt

from desktop.chat.answer import AnswerText


class QuestionText(AnswerText):
    """Plain text that can be selected; a word or address wider than the page is broken."""

    least_height = 0

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(self.tr("Question"))
        self.document().setDocumentMargin(0)
        self.setPlainText(text)
