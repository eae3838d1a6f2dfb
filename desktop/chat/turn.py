"""One question, its answer, and the bill under it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.chat.answer import AnswerText
from desktop.chat.model import ChatTurn
from desktop.theme.bill import headline
from desktop.theme.widgets import label, named
from monitor.store.records import QueryRecord, Status


class TurnView(QWidget):
    """A question, its answer, and the bill under it."""

    bill_opened = Signal(object)

    def __init__(self, turn: ChatTurn) -> None:
        super().__init__()
        self._turn = turn
        question = label(turn.question, wrap=True)
        question.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        frame = named(QFrame(), "question")
        inner = QHBoxLayout(frame)
        inner.setContentsMargins(12, 8, 12, 8)
        inner.addWidget(question)
        self._answer = AnswerText()
        self._stage = label("", "muted")
        self._problem = label("", "warning", wrap=True)
        self._bill = named(QPushButton(), "bill")
        self._bill.setToolTip(self.tr("Open the bill"))
        self._bill.setCursor(Qt.CursorShape.PointingHandCursor)
        self._bill.clicked.connect(lambda: self.bill_opened.emit(self._turn.record))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (frame, self._answer, self._stage, self._problem):
            layout.addWidget(widget)
        layout.addWidget(self._bill, 0, Qt.AlignmentFlag.AlignLeft)
        self.refresh()

    def add_text(self, text: str) -> None:
        """Show more of the answer."""
        self._answer.setVisible(True)
        self._answer.append_plain(text)
        self._stage.setText(self.tr("writing … %1 tokens").replace("%1", str(self._turn.tokens)))

    def refresh(self) -> None:
        """Show the turn's stage, or its end."""
        turn, record = self._turn, self._turn.record
        self._stage.setText(turn.stage)
        self._stage.setVisible(bool(turn.stage))
        self._bill.setVisible(record is not None)
        self._problem.setText(turn.problem)
        self._problem.setVisible(bool(turn.problem))
        if record is None:
            self._answer.setVisible(bool(turn.answer))
            return
        self._answer.show_markdown(turn.answer)
        self._answer.setVisible(bool(turn.answer))
        self._bill.setText(headline(record))
        problem = self._problem_of(record)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def _problem_of(self, record: QueryRecord) -> str:
        if record.status is Status.FAILED:
            return record.error
        if record.status is Status.STOPPED:
            return self.tr("Stopped. The energy until then is below.")
        if record.status is Status.INTERRUPTED:
            return self.tr("LlamaWatt ended during this answer; what was stored is below.")
        if record.finish_reason == "context":
            return self.tr("The context is full, so the answer ends here. Begin a new chat.")
        if record.finish_reason == "length":
            limit = self.tr("The answer ends at its limit of %1 tokens. Ask it to go on.")
            return limit.replace("%1", str(record.settings["max_tokens"]))
        if not record.tokens.completion:
            return self.tr("The model ended its answer before the first word. Ask differently.")
        return ""
