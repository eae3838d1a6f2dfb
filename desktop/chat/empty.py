"""What stands in the place of a conversation that has not begun."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from desktop.theme.widgets import label, named
from monitor.prompts import Prompt, find_blank, shipped

SUGGESTIONS = 4
"""One of each of so many categories: what needs nothing filled in."""


class EmptyChat(QWidget):
    """Says what to do: begin with a question, or choose a model first."""

    suggested = Signal(str)
    """Text of a prompt that was chosen."""
    library_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = named(label("", wrap=True), "title")
        self._words = label("", "muted", wrap=True)
        for part in (self._title, self._words):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._suggestions = self._make_suggestions()
        self._library = named(QPushButton(self.tr("Open the model library")), "primary")
        self._library.clicked.connect(self.library_wanted)
        column = QWidget()
        column.setMaximumWidth(620)
        inner = QVBoxLayout(column)
        inner.setSpacing(12)
        inner.addStretch(1)
        for widget in (self._title, self._words, self._suggestions):
            inner.addWidget(widget)
        inner.addWidget(self._library, 0, Qt.AlignmentFlag.AlignHCenter)
        inner.addStretch(1)
        row = QHBoxLayout(self)
        row.addWidget(column)
        self.show_model(has_model=False)

    def _make_suggestions(self) -> QWidget:
        chosen: dict[str, Prompt] = {}
        for prompt in shipped():
            if find_blank(prompt.text) is None:
                chosen.setdefault(prompt.category, prompt)
        holder = QWidget()
        rows = QVBoxLayout(holder)
        rows.setContentsMargins(0, 6, 0, 0)
        rows.setSpacing(6)
        for prompt in list(chosen.values())[:SUGGESTIONS]:
            button = named(QPushButton(prompt.title), "suggestion")
            button.setToolTip(prompt.text)
            button.clicked.connect(lambda _checked, text=prompt.text: self.suggested.emit(text))
            rows.addWidget(button)
        return holder

    def show_model(self, has_model: bool) -> None:
        """Follow whether there is a model to ask."""
        self._suggestions.setVisible(has_model)
        self._library.setVisible(not has_model)
        if has_model:
            self._title.setText(self.tr("Ask anything"))
            self._words.setText(
                self.tr(
                    "Under each answer stands what it cost: its joules and how sure they are, its "
                    "CO₂, and its speed. The plot below shows the power as it is drawn."
                )
            )
        else:
            self._title.setText(self.tr("No model yet"))
            self._words.setText(
                self.tr(
                    "Drop a GGUF file on this window, or open the library: it finds what LM "
                    "Studio, Ollama and others have downloaded, and fetches more from Hugging "
                    "Face."
                )
            )
