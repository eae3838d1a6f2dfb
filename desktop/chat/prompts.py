"""The library of prompts: to choose one for the chat, and to keep one's own."""

from dataclasses import replace
from functools import partial

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.keyboard.matching import match
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import ChoiceBox, label, named, tool_button
from monitor.prompts import CATEGORIES, Prompt, forget, keep, own, shipped, use
from monitor.store.history import History
from monitor.store.identifiers import new_id

SAVE_MS = 400

ALL, YOURS = "", "own"
"""Beside the categories of prompts."""


class PromptsDialog(QDialog):
    """Prompts by category, with a search; one's own are kept as they are written.

    :param typed: what stands in the chat's prompt, to be kept for use again
    """

    chosen = Signal(str)
    """The text of a prompt that is to be put into the chat."""

    def __init__(
        self,
        bridge: Bridge,
        history: History,
        theme: Theme,
        parent: QWidget | None = None,
        typed: str = "",
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Prompts"))
        self.resize(860, 540)
        self._bridge, self._history = bridge, history
        self._typed = typed.strip()
        self._own: tuple[Prompt, ...] = ()
        self._listed: list[Prompt] = []
        self._shown: Prompt | None = None
        self._forgotten: Prompt | None = None
        self._timer = QTimer(self, interval=SAVE_MS, singleShot=True)
        self._timer.timeout.connect(self._save)
        self._build()
        self.set_theme(theme)
        self._list()
        bridge.read(lambda: own(history), self._on_own)

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search prompts"))
        self.search.setAccessibleName(self.tr("Search prompts"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._list())
        self.search.installEventFilter(self)
        self._search_icon = self.search.addAction(
            self.windowIcon(), QLineEdit.ActionPosition.LeadingPosition
        )
        names = {ALL: self.tr("All"), YOURS: self.tr("Yours")} | self._category_names()
        self._places = list(names)
        self.categories = QListWidget()
        self.categories.ensurePolished()  # rows marked before have the height of no style
        self.categories.addItems(list(names.values()))
        self.categories.setCurrentRow(0)
        self.categories.setFixedWidth(120)
        self.categories.setAccessibleName(self.tr("Categories"))
        self.categories.currentRowChanged.connect(lambda _row: self._list())
        self.list = QListWidget()
        self.list.ensurePolished()
        self.list.setFixedWidth(252)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setAccessibleName(self.tr("Prompts"))
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemDoubleClicked.connect(lambda _item: self.insert())
        middle = QHBoxLayout()
        middle.setSpacing(10)
        middle.addWidget(self.categories)
        middle.addWidget(self.list)
        middle.addLayout(self._editor(), 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addLayout(middle, 1)
        layout.addLayout(self._bottom())

    def _category_names(self) -> dict[str, str]:
        return {
            "reasoning": self.tr("Reasoning"),
            "code": self.tr("Code"),
            "writing": self.tr("Writing"),
            "knowledge": self.tr("Knowledge"),
            "instruction": self.tr("Instruction"),
        }

    def _editor(self) -> QVBoxLayout:
        self.title = QLineEdit()
        self.title.setAccessibleName(self.tr("Title"))
        self.title.textEdited.connect(self._on_edited)
        self.category = ChoiceBox()
        self.category.setAccessibleName(self.tr("Category"))
        for category, text in self._category_names().items():
            self.category.addItem(text, category)
        self.category.activated.connect(self._on_edited)
        self.text = QPlainTextEdit()
        self.text.setAccessibleName(self.tr("Text of the prompt"))
        self.text.setTabChangesFocus(True)
        self.text.textChanged.connect(self._on_edited)
        self._told = label("", "muted", wrap=True)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.category)
        column = QVBoxLayout()
        column.addLayout(head)
        column.addWidget(self.text, 1)
        column.addWidget(self._told)
        return column

    def _bottom(self) -> QHBoxLayout:
        self.new = tool_button(self.tr("New prompt"))
        self.new.clicked.connect(lambda: self._add("", "", CATEGORIES[0]))
        self.keep_typed = tool_button(self.tr("Keep what is typed in the chat"))
        self.keep_typed.clicked.connect(lambda: self._add("", self._typed, CATEGORIES[0]))
        self.keep_typed.setVisible(bool(self._typed))
        self.copy = tool_button(self.tr("Change a copy"))
        self.copy.setToolTip(self.tr("Make a prompt of your own of it"))
        self.copy.clicked.connect(self._copy)
        self.delete = tool_button(self.tr("Delete"))
        self.delete.clicked.connect(self._delete)
        self.undo = tool_button(self.tr("Undo delete"))
        self.undo.clicked.connect(self._undo_delete)
        self.undo.hide()
        close = QPushButton(self.tr("Close"))
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        self._insert = named(QPushButton(self.tr("Insert")), "primary")
        self._insert.setDefault(True)
        self._insert.clicked.connect(self.insert)
        row = QHBoxLayout()
        for button in (self.new, self.keep_typed, self.copy, self.delete, self.undo):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(close)
        row.addWidget(self._insert)
        return row

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._search_icon.setIcon(icon("search", theme.muted))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrow keys of the search move through the list."""
        if (
            watched is self.search
            and isinstance(event, QKeyEvent)
            and event.type() is QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down)
        ):
            QApplication.sendEvent(self.list, event)
            return True
        return super().eventFilter(watched, event)

    # --- what is listed ------------------------------------------------------------------

    def _on_own(self, prompts: tuple[Prompt, ...]) -> None:
        # What was added meanwhile is not read yet.
        known = {prompt.id for prompt in prompts}
        self._own = (*(one for one in self._own if one.id not in known), *prompts)
        if self._shown and not self._shown.is_own and self.list.currentRow() == 0:
            self._shown = None  # it was only the first until now
        self._list()

    def _list(self) -> None:
        """List what fits the category and the search; what is shown stays shown if it can."""
        typed = self.search.text().strip()
        place = self._places[max(self.categories.currentRow(), 0)]
        self._listed = [
            prompt
            for prompt in (*self._own, *shipped())
            if (place in (ALL, prompt.category) or (place == YOURS and prompt.is_own))
            and (not typed or _fits(prompt, typed))
        ]
        if typed:
            self._listed.sort(key=lambda prompt: -(match(typed, prompt.title) or 0.0))
        ids = [prompt.id for prompt in self._listed]
        shown = self._shown.id if self._shown else None
        with QSignalBlocker(self.list):
            self.list.clear()
            self.list.addItems([prompt.title or self.tr("New prompt") for prompt in self._listed])
            self.list.setCurrentRow(ids.index(shown) if shown in ids else 0 if ids else -1)
        self._on_row(self.list.currentRow())

    def _on_row(self, row: int) -> None:
        prompt = self._listed[row] if row >= 0 else None
        if prompt and self._shown and prompt.id == self._shown.id:
            return
        self._save()
        self._show(prompt)

    def _show(self, prompt: Prompt | None) -> None:
        self._shown = prompt
        is_own = prompt is not None and prompt.is_own
        with QSignalBlocker(self.text):
            self.title.setText(prompt.title if prompt else "")
            self.text.setPlainText(prompt.text if prompt else "")
        self.category.setCurrentIndex(CATEGORIES.index(prompt.category) if prompt else -1)
        hint = self.tr(
            "What to ask. Put {a few words in braces} where something is to be filled in."
        )
        self.title.setPlaceholderText(self.tr("Title") if is_own else "")
        self.text.setPlaceholderText(hint if is_own else "")
        self.title.setReadOnly(not is_own)
        self.text.setReadOnly(not is_own)
        self.category.setEnabled(is_own)
        self.copy.setVisible(prompt is not None and not is_own)
        self.delete.setVisible(is_own)
        self._insert.setEnabled(bool(prompt and prompt.text))
        self._tell()

    def _tell(self) -> None:
        if self._shown is None:
            self._told.setText(
                self.tr("Nothing fits. Search for another word, or write a prompt of your own.")
                if self.search.text().strip()
                else self.tr("There is none of your own yet: “New prompt” begins one.")
            )
        elif self._shown.is_own:
            self._told.setText(self.tr("Yours; it is kept as you write."))
        else:
            self._told.setText(self.tr("It comes with LlamaWatt. A copy of it can be changed."))

    # --- a person's own ------------------------------------------------------------------

    def _add(self, title: str, text: str, category: str) -> None:
        """Begin a prompt of one's own; it is kept once it has a text."""
        self._save()
        # One that was begun and left empty was never kept.
        self._own = tuple(one for one in self._own if one.text)
        prompt = Prompt(new_id(), title, category, text, is_own=True)
        self._own = (prompt, *self._own)
        if text:
            self._bridge.change(partial(keep, self._history, prompt), self._on_kept)
        self._show(prompt)
        with QSignalBlocker(self.search), QSignalBlocker(self.categories):
            self.search.clear()
            self.categories.setCurrentRow(self._places.index(YOURS))
        self._list()
        (self.title if text else self.text).setFocus()

    def _copy(self) -> None:
        if shown := self._shown:
            self._add(shown.title, shown.text, shown.category)

    def _on_edited(self) -> None:
        self._insert.setEnabled(bool(self.text.toPlainText().strip()))
        self._timer.start()

    def _save(self) -> None:
        """Keep what was written, if it is anything new."""
        self._timer.stop()
        shown = self._shown
        if shown is None or not shown.is_own:
            return
        written = replace(
            shown,
            title=self.title.text().strip(),
            category=self.category.currentData(),
            text=self.text.toPlainText().strip(),
        )
        if written == shown:
            return
        if not written.text:
            self._told.setText(self.tr("A prompt without a text is not kept: write one."))
            return
        self._shown = written
        self._put(written)
        self._bridge.change(partial(keep, self._history, written), self._on_kept)

    def _on_kept(self, kept: Prompt) -> None:
        """Take the title it was given, unless the person has written on."""
        if any(one.id == kept.id and one.text == kept.text for one in self._own):
            self._put(kept)
            shown = self._shown
            is_written_on = shown is None or self.title.text().strip() != shown.title
            if shown and shown.id == kept.id and not (is_written_on or self.title.hasFocus()):
                self.title.setText(kept.title)
                self._shown = replace(shown, title=kept.title)

    def _put(self, prompt: Prompt) -> None:
        self._own = tuple(prompt if one.id == prompt.id else one for one in self._own)
        for row, listed in enumerate(self._listed):
            if listed.id == prompt.id:
                self._listed[row] = prompt
                self.list.item(row).setText(prompt.title or self.tr("New prompt"))

    def _delete(self) -> None:
        if gone := self._shown:
            self._timer.stop()
            # As it is written now, kept or not: undoing brings back all of it.
            self._forgotten = replace(
                gone, title=self.title.text(), text=self.text.toPlainText().strip()
            )
            self._own = tuple(one for one in self._own if one.id != gone.id)
            self._bridge.change(partial(forget, self._history, gone.id))
            self._shown = None
            self.undo.setVisible(bool(self._forgotten.text))
            self._list()

    def _undo_delete(self) -> None:
        if gone := self._forgotten:
            self._save()
            self._forgotten = None
            self.undo.hide()
            self._own = (gone, *self._own)
            self._bridge.change(partial(keep, self._history, gone), self._on_kept)
            self._show(gone)
            self._list()

    # --- the end -------------------------------------------------------------------------

    def insert(self) -> None:
        """Put the prompt that is shown into the chat."""
        text = self.text.toPlainText().strip()
        if self._shown and text:
            self._save()
            self._bridge.change(partial(use, self._history, self._shown.id))
            self.chosen.emit(text)
            self.accept()

    def done(self, result: int) -> None:
        """Keep what was written, however the dialog ends."""
        self._save()
        super().done(result)


def _fits(prompt: Prompt, typed: str) -> bool:
    words, text = typed.casefold().split(), prompt.text.casefold()
    return match(typed, prompt.title) is not None or all(word in text for word in words)
