"""The side of the chat page: every conversation, found by its words."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.chat.files import ConversationFiles
from desktop.chat.rows import ConversationDelegate, ConversationsModel
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, menu_button, named, tool_button
from monitor.store.conversations import Listed
from monitor.store.history import History

WIDTH = 236

PAGE = 200
"""So many are read at once."""

SEARCH_MS = 80
"""So long typing rests before it is searched."""

WRITING_MS = 1000
"""So often the list is read anew while an answer is written, for what it has cost so far."""


class ConversationsSide(QWidget):
    """Lists, finds, renames, pins and deletes conversations; has them written to files and read.

    :param bridge: reads and changes the history
    """

    new_wanted = Signal()
    opened = Signal(str)
    """A conversation's identifier."""
    found = Signal(str, str)
    """A conversation's identifier, and the query in it that holds what was searched for."""
    deleted = Signal(str)
    said = Signal(str, str, object)
    """What came of it, the text of a button beside it, and what pressing that does."""
    refused = Signal(str)
    """Why something cannot be done before the answer under way has ended."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._current: str | None = None
        self._asked = 0
        self.is_read = False
        self._limit, self._shows_deleted = PAGE, False
        self.setFixedWidth(WIDTH)
        self.files = ConversationFiles(bridge, history, self)
        self.files.said.connect(lambda words: self.said.emit(words, "", None))
        self.files.taken_in.connect(self._on_taken_in)
        self._build(theme)
        self._searching = QTimer(self, interval=SEARCH_MS, singleShot=True)
        self._searching.timeout.connect(self.refresh)
        self._writing = QTimer(self, interval=WRITING_MS)
        self._writing.timeout.connect(self._follow_cost)
        self.set_theme(theme)

    def _build(self, theme: Theme) -> None:
        self.new = QPushButton(self.tr("New chat"))
        self.new.setToolTip(self.tr("Begin a new conversation (Ctrl+N)"))
        self.new.clicked.connect(self.new_wanted)
        self._more = menu_button("⋯")
        self._more.setAccessibleName(self.tr("More"))
        self._more.setToolTip(self.tr("Import and export conversations"))
        menu = self._more.menu()
        menu.addAction(self.tr("Import a conversation …"), self.files.ask_import)
        menu.addAction(self.tr("Deleted conversations …"), lambda: self._show_deleted(True))
        self._export_action = menu.addAction(self.tr("Export this one …"), self.ask_export)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search titles and texts"))
        self.search.setAccessibleName(self.tr("Search conversations"))
        self.search.setToolTip(self.tr("Search conversations (Ctrl+F)"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._searching.start())
        self.search.returnPressed.connect(self._open_first)
        self.list = named(QListView(), "conversations")
        self.model = ConversationsModel(self)
        self._delegate = ConversationDelegate(theme, self)
        self.list.setModel(self.model)
        self.list.setItemDelegate(self._delegate)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName(self.tr("Conversations"))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.clicked.connect(lambda index: self._open(self.model.rows[index.row()]))
        self.list.activated.connect(lambda index: self._open(self.model.rows[index.row()]))
        delete = QShortcut(QKeySequence.StandardKey.Delete, self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.delete)
        self.list.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._deleted_row = self._make_deleted_row()
        self._nothing = label("", "muted", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.new, 1)
        top.addWidget(self._more)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self.search)
        layout.addWidget(self._deleted_row)
        layout.addWidget(self._nothing)
        layout.addWidget(self.list, 1)

    def _make_deleted_row(self) -> QWidget:
        """What stands over the list while it shows what was deleted."""
        back = tool_button(self.tr("Back"))
        back.clicked.connect(lambda: self._show_deleted(False))
        words = self.tr("Deleted; kept for 30 days. A click brings one back.")
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label(words, "muted", wrap=True), 1)
        row.addWidget(back, 0, Qt.AlignmentFlag.AlignTop)
        holder.hide()
        return holder

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.new.setIcon(icon("plus", theme.text))
        self._delegate.set_theme(theme)
        self.list.viewport().update()

    def set_enabled(self, is_enabled: bool) -> None:
        """Let conversations be opened, or not while a question has no other place."""
        why = self.tr("The question is being stored: then others can be opened. Esc takes it back.")
        self.list.setToolTip("" if is_enabled else why)
        self.new.setToolTip(self.tr("Begin a new conversation (Ctrl+N)") if is_enabled else why)
        self.list.setEnabled(is_enabled)
        self.new.setEnabled(is_enabled)
        self._more.setEnabled(is_enabled)

    # --- the list ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the list anew."""
        text, talks = self.search.text(), self._history.talks
        limit, is_deleted = self._limit, self._shows_deleted
        self._asked += 1
        asked = self._asked

        def take(rows: list[Listed]) -> None:
            if asked == self._asked:
                self._show(rows, text)

        self._bridge.read(lambda: talks.listed(text, limit, is_deleted), take)

    def _on_scrolled(self, value: int) -> None:
        """Read more as one comes near the end of what was read."""
        bar = self.list.verticalScrollBar()
        if len(self.model.rows) >= self._limit and value > bar.maximum() - bar.pageStep():
            self._limit += PAGE
            self.refresh()

    def _show_deleted(self, is_wanted: bool) -> None:
        """List what was deleted, or what was not."""
        self._shows_deleted, self._limit = is_wanted, PAGE
        self._deleted_row.setVisible(is_wanted)
        self.refresh()

    def _show(self, rows: list[Listed], text: str) -> None:
        self.is_read = True
        # Of rows that are all alike the height is asked for once, not for each of them.
        self.list.setUniformItemSizes(not any(row.snippet for row in rows))
        self.model.show(rows)
        kept, gone = self.tr("Conversations are kept here."), self.tr("Nothing is deleted.")
        unheard = self.tr("No conversation holds these words.")
        usual = gone if self._shows_deleted else kept
        self._nothing.setText(unheard if text.strip() else usual)
        self._nothing.setVisible(not rows)
        self._mark_current()

    def show_current(self, conversation_id: str | None) -> None:
        """Mark the conversation that is open."""
        self._current = conversation_id
        self._export_action.setEnabled(conversation_id is not None)
        self._mark_current()

    def show_answering(self, conversation_id: str | None) -> None:
        """Mark the conversation in which an answer is being written."""
        self.model.show_answering(conversation_id)
        if conversation_id is None:
            self._writing.stop()
        elif not self._writing.isActive():
            self._writing.start()

    def _follow_cost(self) -> None:
        if self.isVisible() and not self.search.text():  # what was found is told without its cost
            self.refresh()

    def _mark_current(self) -> None:
        for at, row in enumerate(self.model.rows):
            if row.id == self._current:
                if self.list.currentIndex().row() != at:
                    self.list.setCurrentIndex(self.model.index(at))
                return
        self.list.clearSelection()
        self.list.setCurrentIndex(self.model.index(-1))

    def _open(self, row: Listed) -> None:
        if self._shows_deleted:
            self._bring_back(row)
        elif row.hit_query_id:
            self.found.emit(row.id, row.hit_query_id)
        else:
            self.opened.emit(row.id)

    def _open_first(self) -> None:
        if self.model.rows:
            self._open(self.model.rows[0])

    def _chosen(self) -> Listed | None:
        """Return the row that is marked, ``None`` if none is."""
        index = self.list.currentIndex()
        return self.model.rows[index.row()] if index.isValid() else None

    def _on_taken_in(self, conversation_id: str) -> None:
        self.refresh()
        self.opened.emit(conversation_id)

    # --- what is done with one -----------------------------------------------------------

    def _show_menu(self, position: QPoint) -> None:
        index = self.list.indexAt(position)
        if not index.isValid() or self._shows_deleted:
            return
        row = self.model.rows[index.row()]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename … (F2)"), lambda: self._ask_rename(row))
        pin = self.tr("Unpin") if row.pinned else self.tr("Pin to the top")
        menu.addAction(pin, lambda: self._change(self._history.talks.pin, row.id, not row.pinned))
        menu.addAction(self.tr("Export …"), lambda: self.files.ask_export(row.id, row.title))
        menu.addSeparator()
        menu.addAction(self.tr("Delete (Del)"), lambda: self._delete(row))
        menu.aboutToHide.connect(self._mark_current)  # the click has marked the row it was on
        menu.popup(self.list.viewport().mapToGlobal(position))

    def _change(self, change: Callable[..., object], *values: object) -> None:
        self._bridge.change(lambda: change(*values), lambda _done: self.refresh())

    def ask_rename(self) -> None:
        """Ask for another title of the conversation that is marked."""
        if row := self._chosen():
            self._ask_rename(row)

    def _ask_rename(self, row: Listed) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self.tr("Rename"))
        dialog.setLabelText(self.tr("Title of the conversation:"))
        dialog.setTextValue(row.title)
        dialog.resize(420, dialog.sizeHint().height())

        def rename(title: str) -> None:
            if title.strip():
                self._change(self._history.talks.rename, row.id, title)

        dialog.textValueSelected.connect(rename)
        dialog.open()

    def delete(self) -> None:
        """Delete the conversation that is marked; it can be undone."""
        if (row := self._chosen()) and not self._shows_deleted:
            self._delete(row)

    def _delete(self, row: Listed) -> None:
        if row.id == self.model.answering_id:
            words = self.tr("An answer is being written in “%1”: stop it (Esc), then delete it.")
            self.refused.emit(words.replace("%1", row.title))
            return
        talks = self._history.talks

        self._change(talks.delete, [row.id])
        self.deleted.emit(row.id)
        words = self.tr("“%1” is deleted. What it cost stays in the history.")
        undo = partial(self._bring_back, row)
        self.said.emit(words.replace("%1", row.title), self.tr("Undo"), undo)

    def _bring_back(self, row: Listed) -> None:
        """Take back that a conversation was deleted, and open it."""

        def show_again(_done: object) -> None:
            self._show_deleted(False)
            self.opened.emit(row.id)

        self._bridge.change(lambda: self._history.talks.restore([row.id]), show_again)

    def ask_export(self) -> None:
        """Ask for a file and write the conversation that is open into it."""
        if self._current:
            titles = {row.id: row.title for row in self.model.rows}
            self.files.ask_export(self._current, titles.get(self._current, ""))
