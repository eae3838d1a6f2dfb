"""One question, its answer, the bill under it, and what can be done with them."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop.chat.branches import BranchSwitch
from desktop.chat.question import QuestionText
from desktop.chat.rendering.links import ask_to_open
from desktop.chat.rendering.view import AnswerView
from desktop.chat.turns import ChatTurn
from desktop.theme.beside import beside_text
from desktop.theme.bill import headline, unread_notes
from desktop.theme.flow import FlowLayout
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.attachments import split_attachments
from monitor.bill_words import total_words
from monitor.energy.credit import credit_words
from monitor.energy.parts import is_lower_bound, is_too_short
from monitor.running import BUDGET
from monitor.store.records import QueryRecord, Status

LONG_QUESTION = 1200
"""Characters beyond which a question, with a file attached perhaps, is shown folded."""

ICON = QSize(16, 16)

WORTH_TELLING = 32
"""Tokens that were in the context already, from which on it is told: the head of a template is
not."""

SHORTEST_BILL = 160
"""Pixels to which a bill may be cut where the window is narrow; it is whole in its own window."""


class TurnView(QWidget):
    """A question, its answer, and the bill under it."""

    bill_opened = Signal(object)
    edit_wanted = Signal()
    again_wanted = Signal()
    heat_wanted = Signal(bool)
    """The answer is to be tinted by its joules a token, or no longer."""
    branch_chosen = Signal(str)
    """The end of the branch to show."""

    def __init__(self, turn: ChatTurn, theme: Theme) -> None:
        super().__init__()
        self.turn = turn
        self.answer = AnswerView(theme)
        self.answer.link_wanted.connect(lambda address: ask_to_open(self, address))
        self._stage = label("", "muted")
        self._seconds = QTimer(self, interval=1000)
        self._seconds.timeout.connect(self._show_stage)
        self._problem = label("", "warning", wrap=True)
        self._beside = label("", "muted", wrap=True)
        self._beside.hide()
        self.legend = label("", "muted", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._question_frame())
        layout.addWidget(self.questions, 0, Qt.AlignmentFlag.AlignRight)
        for widget in (self.answer, self.legend, self._stage, self._problem):
            layout.addWidget(widget)
        layout.addLayout(self._answer_row())
        layout.addWidget(self._beside)
        self.legend.hide()
        self.set_theme(theme)
        self.refresh()

    def _question_frame(self) -> QFrame:
        files, text = split_attachments(self.turn.question)
        is_long = bool(files) or len(text) > LONG_QUESTION
        if len(text) > LONG_QUESTION:
            text = f"{text[:LONG_QUESTION].rstrip()} …"
        self.question = QuestionText(text)
        attached = label(self.tr("With %1").replace("%1", ", ".join(files)), "muted", wrap=True)
        attached.setVisible(bool(files))
        self._whole = named(QPushButton(self.tr("Show all of it")), "bill")
        self._whole.setVisible(is_long)
        self._whole.clicked.connect(self._unfold)
        self.edit = self._small(self.tr("Edit"), self.tr("Ask otherwise, beside this question"))
        self.edit.clicked.connect(self.edit_wanted)
        self.questions = BranchSwitch(self.tr("question"))
        self.questions.chosen.connect(self.branch_chosen)
        frame = named(QFrame(), "question")
        grid = QGridLayout(frame)
        grid.setContentsMargins(12, 8, 8, 8)
        grid.setSpacing(4)
        grid.addWidget(self.question, 0, 0)
        grid.addWidget(self.edit, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(attached, 1, 0)
        grid.addWidget(self._whole, 2, 0, Qt.AlignmentFlag.AlignLeft)
        grid.setColumnStretch(0, 1)
        return frame

    def _unfold(self) -> None:
        self.question.setPlainText(self.turn.question)
        self._whole.hide()

    def _answer_row(self) -> FlowLayout:
        self.bill = named(QPushButton(), "bill")
        self.bill.setToolTip(self.tr("Open the bill"))
        self.bill.setCursor(Qt.CursorShape.PointingHandCursor)
        self.bill.clicked.connect(lambda: self.bill_opened.emit(self.turn.record))
        self.answers = BranchSwitch(self.tr("answer"))
        self.answers.chosen.connect(self.branch_chosen)
        self.copy = self._small(self.tr("Copy"), self.tr("Copy the answer as Markdown"))
        self.copy.clicked.connect(self._copy)
        self.again = self._small(
            self.tr("Regenerate"), self.tr("Answer once more, beside this answer")
        )
        self.again.clicked.connect(self.again_wanted)
        self.heat = self._small(self.tr("Heat"), self.tr("Tint the answer by its joules a token"))
        self.heat.setCheckable(True)
        self.heat.toggled.connect(self.heat_wanted)
        self.bill.setMinimumWidth(SHORTEST_BILL)
        # In one widget: where the bill is long they go to the next line together.
        self._deeds = QWidget()
        deeds = QHBoxLayout(self._deeds)
        deeds.setContentsMargins(0, 0, 0, 0)
        deeds.setSpacing(4)
        for button in (self.copy, self.again, self.heat):
            deeds.addWidget(button)
        self.credit = label("", "muted")
        self.credit.setContentsMargins(5, 3, 8, 3)  # as the bill beside or above it
        row = FlowLayout(gap=4)
        for widget in (self.bill, self.credit, self.answers, self._deeds):
            row.addWidget(widget)
        return row

    def _small(self, name: str, tip: str) -> QToolButton:
        button = named(tool_button(name), "small")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setIconSize(ICON)
        button.setToolTip(tip)
        return button

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.answer.set_theme(theme)
        for button, name in (
            (self.edit, "edit"),
            (self.copy, "copy"),
            (self.again, "again"),
            (self.heat, "heat"),
        ):
            button.setIcon(icon(name, theme.muted))

    # --- what the turn has come to -------------------------------------------------------

    def add_text(self, text: str) -> None:
        """Show more of the answer."""
        self.answer.setVisible(True)
        self.answer.append(text)
        self._show_stage()

    def _show_stage(self) -> None:
        """Say what is being done; of a prompt that is being read, each second anew."""
        turn, words = self.turn, self.turn.stage
        if turn.stage and turn.reading:
            told = [turn.reading.words(self.tr), *self._energy_so_far()]
            words = f"{turn.stage} {' · '.join(told)}"
        elif turn.stage and turn.tokens and turn.record is None:
            words = self._writing_words()
        self._stage.setText(words)
        self._stage.setVisible(bool(turn.stage))
        if not (turn.stage and turn.reading):
            self._seconds.stop()
        elif not self._seconds.isActive():
            self._seconds.start()

    def _writing_words(self) -> str:
        """Say how much is written, and what it has come to so far: figures of one moment."""
        so_far = self.turn.so_far
        tokens = so_far.tokens if so_far else self.turn.tokens
        written = self.tr("writing … %1 tokens").replace("%1", f"{tokens:,}")
        if so_far is None:
            return written
        parts = [written, *self._energy_so_far()]
        if so_far.tokens_per_s is not None:
            parts.append(figures.rate(so_far.tokens_per_s))
        return " · ".join(parts)

    def _energy_so_far(self) -> list[str]:
        """Return what it has come to, as far as that is known, to stand beside other figures."""
        so_far = self.turn.so_far
        if so_far is None or so_far.bill.total().joules is None:
            return []
        return [self.tr("%1 so far").replace("%1", total_words(so_far.bill))]

    def refresh(self) -> None:
        """Show the turn's stage, or its end."""
        turn, record = self.turn, self.turn.record
        self._show_stage()
        is_over = record is not None or (not turn.stage and bool(turn.answer))
        self.bill.setVisible(record is not None)
        self.credit.setVisible(record is not None and turn.credit is not None)
        self._deeds.setVisible(is_over)
        self.heat.setVisible(record is not None and bool(turn.answer))
        self.edit.setVisible(is_over)
        self.answer.setVisible(bool(turn.answer))
        if turn.answer and not self.answer.text():
            # Shown once more while it is written, or kept without its record.
            (self.answer.append if turn.stage else self.answer.set_text)(turn.answer)
        problem = turn.problem
        if record is not None:
            if self.answer.text() != turn.answer:
                self.answer.set_text(turn.answer)
            self.answer.finish()
            self.answer.set_thinking_figures(self._thinking_words(record))
            problem = self._problem_of(record)
            if turn.has_budget and record.bill.total().joules is None:
                problem += " " + self.tr("No energy was measured: the budget could not be kept.")
        if turn.dropped:
            words = self.tr("The oldest %1 messages were left out: the context was full.")
            problem = f"{words.replace('%1', str(turn.dropped))} {problem}".strip()
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self.show_branches()

    def _show_bill(self, record: QueryRecord) -> None:
        """Write what the answer cost, and what the tokens that were reused saved."""
        words, tip, credit = headline(record), self.tr("Open the bill"), self.turn.credit
        self.credit.setVisible(credit is not None)
        if credit:
            saved = figures.marked(credit.kind, figures.energy(credit.energy.joules))
            self.credit.setText(self.tr("reuse saved %1").replace("%1", saved))
            self.credit.setToolTip(credit_words(credit, self.tr))
            tip += f"\n{words}\n{credit_words(credit, self.tr)}"
        elif record.tokens.reused >= WORTH_TELLING:
            reused = self.tr("%1 tokens reused").replace("%1", str(record.tokens.reused))
            tip += f"\n{reused}"
        tip = "\n".join((tip, *unread_notes(record.bill)))
        self._beside.setText(beside_text(record))
        self._beside.setVisible(bool(self._beside.text()))
        if is_too_short(record.bill):
            tip += "\n" + self.tr(
                "Too short to resolve: it lasted fewer than ten readings. Measure it again from "
                "the History page to know it better."
            )
        self.bill.setText(words)
        self.bill.setToolTip(tip)

    def show_branches(self) -> None:
        """Show what stands beside the question and the answer, and what reuse saved."""
        if self.turn.record:
            self._show_bill(self.turn.record)
        self.questions.show_branches(self.turn.questions)
        self.answers.show_branches(self.turn.answers)

    def show_heat(self, spans: Sequence[tuple[int, int, float]] | None, legend: str = "") -> None:
        """Tint the answer, or show it as it was.

        :param legend: what the tints mean, or why there are none
        """
        self.answer.show_heat(spans)
        self.legend.setText(legend)
        self.legend.setVisible(bool(legend))
        if spans is None and self.heat.isChecked():
            self.heat.blockSignals(True)
            self.heat.setChecked(False)
            self.heat.blockSignals(False)

    def set_enabled(self, is_free: bool, is_still: bool) -> None:
        """Let this turn be asked or answered otherwise, or other branches be looked at.

        :param is_free: nothing is computed
        :param is_still: no answer is being written in this conversation
        """
        for button in (self.edit, self.again):
            button.setEnabled(is_free)
        for switch in (self.questions, self.answers):
            switch.setEnabled(is_still)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.turn.answer)

    def _problem_of(self, record: QueryRecord) -> str:
        if record.status is Status.FAILED:
            return record.error
        if record.finish_reason == BUDGET:
            return self.tr(
                "Stopped: its energy budget is used up. Raise the budget below, or ask it to go on."
            )
        if record.status is Status.STOPPED:
            is_measured = record.bill.total().energy is not None
            told = self.tr("Stopped. The energy until then is below.")
            return told if is_measured else self.tr("Stopped.")
        if record.status is Status.INTERRUPTED:
            return self.tr("LlamaWatt ended during this answer; what was stored is below.")
        if record.finish_reason == "context":
            return self.tr(
                "The context is full, so the answer ends here. Ask it to go on, or load the model "
                "with a larger context."
            )
        if record.finish_reason == "length":
            limit = self.tr("The answer ends at its limit of %1 tokens. Ask it to go on.")
            return limit.replace("%1", str(record.settings["max_tokens"]))
        if not record.tokens.completion:
            return self.tr("The model ended its answer before the first word. Ask differently.")
        return ""

    def _thinking_words(self, record: QueryRecord) -> str:
        """Say how long a model thought and what part of the joules that was, "" if it did not."""
        if not record.tokens.thinking:
            return ""
        parts = [
            self.tr("Thought for %1").replace("%1", figures.duration(record.seconds.thinking)),
            self.tr("%1 tokens").replace("%1", str(record.tokens.thinking)),
            figures.rate(record.thinking_per_s),
        ]
        total_j = record.bill.total().joules
        if record.thinking_j is not None and total_j and not is_lower_bound(record.bill):
            share = f"{100 * record.thinking_j / total_j:.0f} %"
            parts.append(self.tr("%1 of the joules").replace("%1", share))
        return " · ".join(parts)
