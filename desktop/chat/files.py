"""Conversations as files: written for others to read, and taken in again."""

import json
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop.bridge import Bridge
from monitor.exchange.conversation import conversation_json, conversation_markdown
from monitor.exchange.conversation_reading import take_in_conversation
from monitor.exchange.files import ExchangeError, new_file
from monitor.store.history import History


class ConversationFiles(QObject):
    """Asks for files, and exports and imports conversations.

    :param bridge: reads and writes them beside the window's thread
    :param parent: above which dialogs are opened
    """

    said = Signal(str)
    """What came of it."""
    taken_in = Signal(str)
    """A conversation that was imported."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._window = bridge, history, parent

    def ask_export(self, conversation_id: str, title: str) -> None:
        """Ask for a file and write a conversation into it."""
        stem = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
        stem = " ".join(stem.split())[:60] or self.tr("Conversation")
        as_markdown = self.tr("Markdown, the branch that is shown (*.md)")
        as_json = self.tr("JSON, all branches with their bills (*.json)")
        name, form = QFileDialog.getSaveFileName(
            self._window, self.tr("Export the conversation"), stem, f"{as_markdown};;{as_json}"
        )
        if name:
            path = Path(name)
            if path.suffix.lower() not in (".md", ".json"):
                path = path.with_name(path.name + (".json" if form == as_json else ".md"))
            self.export_to(conversation_id, path)

    def export_to(self, conversation_id: str, path: Path) -> None:
        """Write a conversation into a file; its suffix says as what."""
        history = self._history

        def write() -> str:
            try:
                _write(history, conversation_id, path)
            except (ExchangeError, OSError) as error:
                return str(error)
            return self.tr("The conversation is written to %1.").replace("%1", str(path))

        self._bridge.work(write, self.said.emit)

    def ask_import(self) -> None:
        """Ask for a file and take in the conversation in it."""
        name, _ = QFileDialog.getOpenFileName(
            self._window,
            self.tr("Import a conversation"),
            "",
            self.tr("Conversations (*.json);;All files (*)"),
        )
        if name:
            self.import_from(Path(name))

    def import_from(self, path: Path) -> None:
        """Take a conversation in that LlamaWatt has written."""
        history = self._history

        def read() -> tuple[str, str]:
            try:
                taken = take_in_conversation(history, path)
            except (ExchangeError, OSError) as error:
                return "", str(error)
            return taken.id, ""

        def show(done: tuple[str, str]) -> None:
            conversation_id, problem = done
            if problem:
                self.said.emit(problem)
            else:
                self.taken_in.emit(conversation_id)

        self._bridge.change(read, show)


def _write(history: History, conversation_id: str, path: Path) -> None:
    """Write a conversation as its file's suffix says: all branches, or the one that is shown."""
    if path.suffix.lower() == ".json":
        told = conversation_json(history, conversation_id)
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    else:
        text = conversation_markdown(history.talks.talk(conversation_id))
    with new_file(path, force=True) as file:
        file.write(text)
