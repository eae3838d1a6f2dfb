"""The dialog of the model library."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.models.drops import dropped_paths
from desktop.models.library_tab import LibraryTab
from desktop.models.looking import Looking
from desktop.models.places import PlacesTab, Surroundings
from desktop.models.training import TrainingCard
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor.engine.gguf import ModelFileError
from monitor.models.chosen import add_path, forget_path
from monitor.models.overview import Entry, Overview
from monitor.models.places import programs, read_program, unread_programs
from monitor.store.history import History


class ModelsDialog(QDialog):
    """The models on this machine, and where they are read from.

    :param bridge: runs what reads folders
    :param history: keeps what a person adds
    """

    chosen = Signal(object)
    """Path of the model that is to be loaded."""
    changed = Signal()
    """Something was added to the library, or taken out of it."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self.looking = Looking(bridge, history, self)
        self.setWindowTitle(self.tr("Models"))
        self.resize(860, 560)
        self.setAcceptDrops(True)
        self.library = LibraryTab(self.looking, theme)
        self.training = TrainingCard(bridge, history)
        self.library.details.add(self.training)
        self.places = PlacesTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.library, self.tr("On this machine"))
        self.tabs.addTab(self.places, self.tr("Places"))
        self.problem = label("", "warning", wrap=True)
        self.problem.hide()
        close = tool_button(self.tr("Close"))
        close.clicked.connect(self.close)
        bottom = QHBoxLayout()
        bottom.addWidget(self.problem, 1)
        bottom.addStretch(0)
        bottom.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(bottom)
        self._connect()
        self.library.search.setFocus()
        self._let_enter_be()

    def _connect(self) -> None:
        self.looking.found.connect(self._on_found)
        self.finished.connect(self.looking.stop)
        self.library.load_wanted.connect(self._load)
        self.library.table.chosen.connect(self._show_training)
        self.library.folder_wanted.connect(
            lambda path: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
        )
        self.library.add_files_wanted.connect(self._ask_files)
        self.library.remove_wanted.connect(self._ask_remove)
        self.places.remove_wanted.connect(self._ask_remove)
        self.places.switched.connect(self._switch)
        for tab in (self.library.add_folder_wanted, self.places.folder_wanted):
            tab.connect(self._ask_folder)

    def _show_training(self, entry: Entry | None) -> None:
        info = entry.model.info if entry else None
        self.training.setVisible(info is not None)
        if info:
            self.training.show_model(info.name)

    def add_tab(self, widget: QWidget, title: str) -> None:
        """Put another tab behind the first."""
        self.tabs.insertTab(1, widget, title)
        self._let_enter_be()

    def _let_enter_be(self) -> None:
        """Enter in a field is for that field: no button is pressed by it from afar."""
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.library.set_theme(theme)

    def showEvent(self, event: QShowEvent) -> None:
        """Look anew whenever it is opened: files come and go."""
        super().showEvent(event)
        if not event.spontaneous():
            self.refresh()

    def refresh(self) -> None:
        """Look for models again."""
        self.looking.look()

    def _on_found(self, found: Overview) -> None:
        history = self._history
        self._bridge.read(
            lambda: Surroundings(found.visits, programs(), frozenset(unread_programs(history))),
            self.places.show_surroundings,
        )

    def _load(self, path: Path) -> None:
        self.chosen.emit(path)
        self.close()

    # --- adding and removing -------------------------------------------------------------

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Add a folder with models"))
        if name:
            self.add_paths([Path(name)])

    def _ask_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, self.tr("Add models"), "", self.tr("GGUF models (*.gguf);;All files (*)")
        )
        self.add_paths([Path(name) for name in names])

    def add_paths(self, paths: Sequence[Path]) -> None:
        """Take folders and files into the library; say why of those that cannot be."""
        history = self._history

        def add() -> list[str]:
            problems = []
            for path in paths:
                try:
                    add_path(history, path)
                except ModelFileError as error:
                    problems.append(str(error))
            return problems

        if paths:
            self._bridge.change(add, self._on_changed)

    def _ask_remove(self, path: Path) -> None:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(self.tr("Remove %1 from the list?").replace("%1", str(path)))
        box.setInformativeText(
            self.tr("On disk nothing is changed. A folder takes all its models with it.")
        )
        go = box.addButton(self.tr("Remove"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(lambda button: self.remove_path(path) if button is go else None)
        box.open()

    def remove_path(self, path: Path) -> None:
        """Take a folder or file out of the library; on disk it stays."""
        history = self._history

        def remove() -> list[str]:
            try:
                forget_path(history, path)
            except ModelFileError as error:
                return [str(error)]
            return []

        self._bridge.change(remove, self._on_changed)

    def _switch(self, key: str, reads: bool) -> None:
        history = self._history

        def switch() -> list[str]:
            read_program(history, key, reads)
            return []

        self._bridge.change(switch, self._on_changed)

    def _on_changed(self, problems: list[str]) -> None:
        self.problem.setText("\n".join(problems))
        self.problem.setVisible(bool(problems))
        self.changed.emit()
        self.refresh()

    # --- dropping ------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and GGUF files."""
        if dropped_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add them to the library."""
        event.acceptProposedAction()
        self.add_paths(dropped_paths(event.mimeData()))
