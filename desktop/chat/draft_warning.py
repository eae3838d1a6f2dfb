"""What stands in the way of the question that is being typed."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from desktop.chat.asking import Asking
from desktop.chat.outlook import Outlook
from desktop.theme.widgets import named


class DraftWarning(QLabel):
    """A line above the prompt, hidden while the question can be sent and answered as it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "warning")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.hide()

    def show_outlook(self, outlook: Outlook) -> None:
        """Say that the question is too long, or what is left out to make room for it."""
        measured = outlook.measured
        is_told = measured is not None and (measured.dropped > 0 or outlook.is_too_long)
        if is_told:
            is_long = outlook.is_too_long
            self.setText(self._too_long(outlook) if is_long else self._dropped_words(outlook))
        self.setVisible(is_told and bool(outlook.text))

    def show_waiting(self, asking: Asking) -> None:
        """Say what a question that cannot be sent now waits for, and how that is ended."""
        self.setText(self._waiting_words(asking))
        self.show()

    def show_reading(self) -> None:
        """Say that an attached file is not there yet."""
        self.setText(self.tr("A file is still being read. Send this when it stands above."))
        self.show()

    def show_measuring(self) -> None:
        """Say that a long question is being counted, to be sent if there is room for it."""
        self.setText(self.tr("The question is being measured; it is sent if the context holds it."))
        self.show()

    def _too_long(self, outlook: Outlook) -> str:
        known = self.tr("The question alone is longer than the context and cannot be sent.")
        guessed = self.tr("The question alone is probably longer than the context.")
        way = self.tr("Shorten it, or load the model with a larger context (Ctrl+,).")
        return f"{known if outlook.is_hopeless else guessed} {way}"

    def _dropped_words(self, outlook: Outlook) -> str:
        """Name what would be left out, by its first words."""
        assert outlook.measured is not None
        told = self.tr(
            "The context is full: the oldest %1 messages will be left out, from “%2” on. Begin a "
            "new chat, or load the model with a larger context, to keep them."
        )
        first = " ".join(outlook.oldest.split())
        first = first if len(first) <= 40 else first[:39].rstrip() + "…"
        return told.replace("%1", str(outlook.measured.dropped)).replace("%2", first)

    def _waiting_words(self, asking: Asking) -> str:
        if blocked_by := asking.engine.blocked_by:
            return f"{blocked_by} {self.tr('Send this when it has ended.')}"
        if asking.chat.is_answer_elsewhere:
            return self.tr(
                "An answer is being written in another conversation. Send this when it has ended, "
                "or press Esc to stop it."
            )
        if asking.chat.answering:
            return self.tr("An answer is being written. Send this when it has ended, or press Esc.")
        return self.tr("The engine is at work. Send this when it has ended, or press Esc.")
