"""Where a question is written: the prompt, what goes along with it, and what stands in its way."""

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.chat.asking import Asking
from desktop.chat.attachments import AttachmentBar
from desktop.chat.draft_warning import DraftWarning
from desktop.chat.outlook import Outlook, may_be_too_long
from desktop.chat.prompt import PromptEdit
from desktop.chat.tools import ComposerTools
from desktop.chat.transcript import READABLE_WIDTH
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named, tool_button
from monitor.attachments import Attachment, taken_apart, with_attachments
from monitor.prompts import find_blank


class Composer(QWidget):
    """Asks what is typed.

    :param bridge: reads attached files
    """

    drafted = Signal(str, object)
    """What would be sent as it stands, and in which turn's place (``None`` behind the last)."""

    def __init__(
        self, asking: Asking, bridge: Bridge, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._asking, self._chat, self._engine = asking, asking.chat, asking.engine
        self._editing: int | None = None
        self._sent: tuple[str, tuple[Attachment, ...]] = ("", ())
        self._outlook = Outlook()
        self._waits_for_measure = False
        self._is_told_to_wait = False
        self._aside: tuple[str, tuple[Attachment, ...]] = ("", ())
        self._drafts: dict[str, str] = {}
        self._conversation = ""
        self._build(bridge, theme)
        self._engine.busy_changed.connect(lambda _busy: self.update_buttons())
        self._engine.model_changed.connect(self.update_buttons)
        asking.returned.connect(self._on_returned)
        self._chat.reset.connect(self._on_reset)
        self._chat.begun.connect(self._on_begun)
        self.set_theme(theme)

    # --- building ------------------------------------------------------------------------

    def _build(self, bridge: Bridge, theme: Theme) -> None:
        self.prompt = PromptEdit()
        self.prompt.setAccessibleName(self.tr("Prompt"))
        self.prompt.submitted.connect(self.send)
        self.prompt.textChanged.connect(self._on_typed)
        self.prompt.last_wanted.connect(self.edit_last)
        self.attached = AttachmentBar(bridge, theme)
        self.attached.changed.connect(self._on_typed)
        self.attached.reading_changed.connect(self.update_buttons)
        self.prompt.files_dropped.connect(self.attached.add)
        self._warning = DraftWarning()
        column = QWidget()
        column.setMaximumWidth(READABLE_WIDTH)
        inner = QVBoxLayout(column)
        inner.setContentsMargins(16, 6, 16, 8)
        inner.setSpacing(6)
        inner.addWidget(self._edit_banner())
        inner.addWidget(self.attached)
        inner.addWidget(self._warning)  # above: below, it would push the buttons up as it comes
        field = QHBoxLayout()
        field.setSpacing(8)
        field.addWidget(self.prompt, 1)
        field.addLayout(self._buttons())
        inner.addLayout(field)
        self.tools = ComposerTools(self._asking, theme)
        self.tools.attach_wanted.connect(self.attached.choose)
        inner.addWidget(self.tools)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(column)

    def _edit_banner(self) -> QWidget:
        self._banner = QWidget()
        words = self.tr("Editing a question: sent, it begins a branch; the old one stays.")
        leave = tool_button(self.tr("Cancel"))
        leave.clicked.connect(self.stop_editing)
        row = QHBoxLayout(self._banner)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label(words, "muted"), 1)
        row.addWidget(leave)
        self._banner.hide()
        return self._banner

    def _buttons(self) -> QVBoxLayout:
        self.send_button = named(QPushButton(self.tr("Send")), "primary")
        self.send_button.clicked.connect(self.send)
        self.stop_button = QPushButton(self.tr("Stop"))
        self.stop_button.setToolTip(self.tr("Stop the answer; what it cost so far is kept (Esc)"))
        self.stop_button.clicked.connect(self._stop)
        buttons = QVBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.send_button)
        buttons.addWidget(self.stop_button)
        buttons.addStretch(1)
        return buttons

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.stop_button.setIcon(icon("stop", theme.text))
        self.attached.set_theme(theme)
        self.tools.set_theme(theme)

    # --- what is shown -------------------------------------------------------------------

    def show_outlook(self, outlook: Outlook) -> None:
        """Say what the question would take of the context, and in joules."""
        self._outlook = outlook
        self.tools.show_outlook(outlook)
        self._warning.show_outlook(outlook)
        self._mind_send()
        if outlook.measured is None:
            if self._waits_for_measure:
                self._warning.show_measuring()
            elif self._is_told_to_wait:
                self._warning.show_waiting(self._asking)
        elif self._waits_for_measure and self._is_of_draft(outlook):
            self.send()

    def update_buttons(self) -> None:
        """Let send and stop what can be sent and stopped."""
        blocked = self._engine.blocked_by
        self._is_told_to_wait = self._is_told_to_wait and self._engine.busy
        self.stop_button.setEnabled(self._engine.busy and not blocked)
        self.send_button.setToolTip(blocked or self.tr("Send (Enter)"))
        usual = self.tr("Ask something …  (Enter sends, Shift+Enter breaks)")
        self.prompt.setPlaceholderText(blocked or usual)
        self._mind_send()
        self._draft()

    def _mind_send(self) -> None:
        ready = not self._engine.busy and self._engine.model is not None
        ready = ready and not self.attached.is_reading and not self._is_known_too_long()
        self.send_button.setEnabled(ready and bool(self._text()))

    def _is_known_too_long(self) -> bool:
        """Whether it is certain that what would be sent cannot be answered."""
        return self._outlook.is_hopeless and self._is_of_draft(self._outlook)

    def _has_to_be_measured(self) -> bool:
        """Whether what would be sent may be too long, and is not measured yet."""
        outlook = self._outlook
        is_measured = outlook.measured is not None and self._is_of_draft(outlook)
        return not is_measured and may_be_too_long(self._text(), self._engine.options)

    def _is_of_draft(self, outlook: Outlook) -> bool:
        return (outlook.text, outlook.at) == (self._text(), self._editing)

    def set_gutter(self, width: int) -> None:
        """Leave so many pixels on the right, as the conversation does to its scroll bar."""
        self._row.setContentsMargins(0, 0, width, 0)

    def _stop(self) -> None:
        self._engine.stop()
        self.prompt.setFocus()  # the button, which has it, can soon not be pressed any more

    # --- what the person does ------------------------------------------------------------

    def _text(self) -> str:
        """Return what would be sent: the files that are attached, then what was typed."""
        return with_attachments(self.prompt.toPlainText().strip(), self.attached.attachments())

    def _on_typed(self) -> None:
        # What was to be sent is another text now.
        self._waits_for_measure = self._is_told_to_wait = False
        self._mind_send()
        self._draft()

    def _draft(self) -> None:
        self.drafted.emit(self._text(), self._editing)

    def send(self) -> None:
        """Put the question, if there is one and the model is free.

        One that may be too long waits until it is measured.
        """
        self._waits_for_measure = False
        if self.attached.is_reading:  # it would go along with the next question instead
            self._warning.show_reading()
            return
        if self._engine.busy and self._text():
            self._is_told_to_wait = True
            self._warning.show_waiting(self._asking)
            return
        if self._is_known_too_long():
            return  # the warning says so
        if self._engine.model is not None and self._has_to_be_measured():
            self._waits_for_measure = True
            self._warning.show_measuring()
            return
        typed, text = self.prompt.toPlainText(), self._text()
        files, place = self.attached.attachments(), self._editing
        is_current = self._is_of_draft(self._outlook)
        self._editing, aside = None, self._aside
        self._aside = ("", ())
        if self._asking.send(text, place, self._outlook.forecast if is_current else None):
            self._sent = (typed, files)
            self.prompt.clear()
            self.attached.put(())
            self._aside = aside
            self._leave_edit()
            self._put_back()
        else:
            self._editing, self._aside = place, aside

    def edit(self, at: int) -> None:
        """Take a turn's question into the field, to be asked otherwise in its place."""
        if self._engine.busy:
            return
        if self._editing is None:
            self._aside = (self.prompt.toPlainText(), self.attached.attachments())
        self._editing = at
        self._banner.show()
        self._take_up(self._chat.turns[at].question)
        self.prompt.setFocus()

    def _take_up(self, question: str) -> None:
        """Write a question that was asked, its files beside it as they were sent."""
        files, text = taken_apart(question)
        self.attached.put(files)
        self._write(text)

    def _write(self, text: str) -> None:
        """Put a text into the field in place of what is there; it can be undone."""
        cursor = self.prompt.textCursor()
        cursor.select(cursor.SelectionType.Document)
        cursor.insertText(text)

    def _put_back(self) -> None:
        """Bring back what was being written before a question was taken to be edited."""
        (typed, files), self._aside = self._aside, ("", ())
        self.attached.put(files)
        if typed:
            self._write(typed)

    def edit_last(self) -> None:
        """Ask the last question otherwise."""
        if self._chat.turns:
            self.edit(len(self._chat.turns) - 1)

    @property
    def is_editing(self) -> bool:
        """Whether a question that was asked is being edited."""
        return self._editing is not None

    def stop_editing(self) -> None:
        """Leave the question as it is, and go on with what was being written before."""
        if self._editing is not None:
            self._leave_edit()
            self._write("")
            self._put_back()

    def _on_reset(self) -> None:
        """Show what was being written in the conversation that is shown now."""
        self._leave_edit()
        (before, files), self._aside = self._aside, ("", ())
        if files:
            self.attached.put((*files, *self.attached.attachments()))
        typed = "\n\n".join(filter(None, (before, self.prompt.toPlainText())))
        shown = self._chat.conversation_id or ""
        if shown != self._conversation:
            self._drafts[self._conversation] = typed
            self._conversation = shown
            typed = self._drafts.pop(shown, "")
        if typed != self.prompt.toPlainText():
            self._write(typed)

    def _on_begun(self, conversation_id: str) -> None:
        """What is typed from now on belongs to the conversation that has begun."""
        self._conversation = conversation_id

    def _leave_edit(self) -> None:
        """What is in the field is a question behind the last from now on."""
        self._editing = None
        self._banner.hide()
        self._draft()

    def insert(self, text: str) -> None:
        """Put a prompt of the library where the cursor is; its first blank is selected."""
        cursor = self.prompt.textCursor()
        start = cursor.selectionStart()
        cursor.insertText(text)
        if blank := find_blank(text):
            cursor.setPosition(start + blank[0])
            cursor.setPosition(start + blank[1], cursor.MoveMode.KeepAnchor)
            self.prompt.setTextCursor(cursor)
        self.prompt.setFocus()

    def unsent(self) -> dict[str, str]:
        """Return what was typed and is not stored yet, by conversation, "" for a new one.

        In the one that is shown that is the question under way, and the field.
        """
        asked = self._sent[0].strip() if self._asking.unstored else ""
        parts = (asked, self._aside[0].strip(), self.prompt.toPlainText())
        shown = {self._conversation: "\n\n".join(filter(None, parts))}
        return {name: text for name, text in (self._drafts | shown).items() if text}

    def restore(self, drafts: Mapping[str, str]) -> None:
        """Take up what was typed before the program was closed, before what was typed since."""
        for name, text in drafts.items():
            if name == self._conversation:
                gap = "\n\n" if self.prompt.toPlainText() else ""
                QTextCursor(self.prompt.document()).insertText(f"{text}{gap}")
                self.prompt.document().clearUndoRedoStacks()
            else:
                self._drafts[name] = "\n\n".join(filter(None, (text, self._drafts.get(name))))

    def _on_returned(self, question: str, at: int | None) -> None:
        """Put a question back that could not be asked, before what was typed since."""
        if at is not None:
            self.edit(at)
            self._take_up(question)
            return
        since, added = self.prompt.toPlainText().strip(), self.attached.attachments()
        typed, files = self._sent
        if with_attachments(typed.strip(), files) == question:
            question = typed  # its files are attached once more as they were read
        else:
            files = ()
        self.attached.put((*files, *added))
        self._write("\n\n".join(filter(None, (question, since))))
