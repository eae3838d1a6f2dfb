"""The tab of the models on this machine: search, table, and the chosen one in full."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.models.details import ModelDetails
from desktop.models.looking import Looking
from desktop.models.table import LibraryTable
from desktop.models.words import origin_words
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, menu_button, tool_button
from monitor.models.library import STARTER
from monitor.models.overview import Entry, Overview
from monitor.models.places import CHOSEN, OWN, Layout


class LibraryTab(QWidget):
    """Shows what :class:`Looking` finds."""

    load_wanted = Signal(object)
    """Path of a model."""
    folder_wanted = Signal(object)
    """Path of a model whose folder is to be shown."""
    remove_wanted = Signal(object)
    """Path of the folder or file by which a model is listed."""
    add_folder_wanted = Signal()
    add_files_wanted = Signal()

    def __init__(self, looking: Looking, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: Overview | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search by name, quantisation, folder or program"))
        self.search.setAccessibleName(self.tr("Search models"))
        self.search.setClearButtonEnabled(True)
        self.add = menu_button(self.tr("Add ▾"))
        self.add.menu().addAction(self.tr("Add a folder …"), self.add_folder_wanted.emit)
        self.add.menu().addAction(self.tr("Add files …"), self.add_files_wanted.emit)
        self.table = LibraryTable(theme)
        self.message = label("", "muted", wrap=True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.table)
        self._stack.addWidget(self.message)
        self.details = ModelDetails()
        self.told = label("", "muted", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(120)
        self.bar.setAccessibleName(self.tr("Looking for models"))
        self.stop = tool_button(self.tr("Stop"))
        self._build()
        self._connect(looking)
        self._show_state()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self.add)
        bottom = QHBoxLayout()
        bottom.addWidget(self.told, 1)
        bottom.addWidget(self.bar)
        bottom.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 8)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self.details)
        layout.addLayout(bottom)
        for widget in (self.bar, self.stop, self.details):
            widget.hide()

    def _connect(self, looking: Looking) -> None:
        looking.began.connect(self._on_began)
        looking.counted.connect(self._on_counted)
        looking.found.connect(self._show)
        self.stop.clicked.connect(looking.stop)
        self.search.textChanged.connect(self._narrow)
        self.search.returnPressed.connect(self.table.setFocus)
        self.table.chosen.connect(self._show_details)
        self.table.load_wanted.connect(self._load)
        self.details.load_wanted.connect(lambda: self._load(self.table.current()))
        self.details.folder_wanted.connect(
            lambda: self._with_current(lambda entry: self.folder_wanted.emit(entry.model.path))
        )
        self.details.remove_wanted.connect(
            lambda: self._with_current(
                lambda entry: self.remove_wanted.emit(self._listed_by(entry.model.path))
            )
        )

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.table.set_theme(theme)

    # --- what is found -------------------------------------------------------------------

    def _on_began(self) -> None:
        self._set_busy(True)
        self.told.setText(self.tr("Looking for models …"))

    def _on_counted(self, number: int) -> None:
        words = self.tr("Looking for models … %1 so far")
        self.told.setText(words.replace("%1", str(number)))

    def _set_busy(self, is_busy: bool) -> None:
        self.bar.setVisible(is_busy)
        self.stop.setVisible(is_busy)

    def _show(self, found: Overview) -> None:
        self._found = found
        self._set_busy(False)
        self.table.rows.show_entries(found.entries)
        self.told.setText(self._counts(found))
        self._show_state()

    def _counts(self, found: Overview) -> str:
        broken = sum(entry.model.info is None for entry in found.entries)
        count = len(found.entries)
        words = self.tr("1 model") if count == 1 else self.tr("%1 models")
        parts = [words.replace("%1", str(count))]
        if broken:
            parts.append(self.tr("%1 cannot be used").replace("%1", str(broken)))
        parts += [visit.problem for visit in found.visits if visit.problem]
        return " · ".join(parts)

    def _narrow(self, text: str) -> None:
        self.table.rows.narrow(text)
        self._show_state()

    def _show_state(self) -> None:
        """Show the table, or say why there is nothing in it."""
        has_rows = self.table.rows.rowCount() > 0
        self._stack.setCurrentIndex(0 if has_rows else 1)
        if self._found is None:
            self.message.setText(self.tr("Looking for models …"))
        elif self.search.text().strip() and self._found.entries:
            words = self.tr("No model is called “%1”.")
            self.message.setText(words.replace("%1", self.search.text().strip()))
        else:
            self.message.setText(
                self.tr(
                    "There is no model yet. Drop a GGUF file or a folder here, add one with the "
                    "button above, or fetch one on the tab beside."
                )
            )

    # --- the chosen one ------------------------------------------------------------------

    def _show_details(self, entry: Entry | None) -> None:
        self.details.setVisible(entry is not None)
        if entry:
            self.details.show_entry(entry, self._why_kept(entry))

    def _why_kept(self, entry: Entry) -> str:
        """Why a model cannot be removed from the list, "" if it can."""
        origin = entry.model.origin
        if origin == CHOSEN:
            return ""
        if origin == STARTER:
            return self.tr("It comes with LlamaWatt.")
        if origin == OWN:
            return self.tr("It lies in LlamaWatt's own folder; remove the file there.")
        words = self.tr("It is %1's. The tab Places says whether that is read.")
        return words.replace("%1", origin_words(origin))

    def _listed_by(self, path: Path) -> Path:
        """The chosen file or folder because of which a model is listed."""
        visits = self._found.visits if self._found else ()
        chosen = [each.place for each in visits if each.place.origin == CHOSEN]
        if any(place.layout is Layout.FILE and place.path == path for place in chosen):
            return path
        return next((place.path for place in chosen if path.is_relative_to(place.path)), path)

    def _with_current(self, does: Callable[[Entry], None]) -> None:
        if entry := self.table.current():
            does(entry)

    def _load(self, entry: Entry | None) -> None:
        if entry and entry.model.info:
            self.load_wanted.emit(entry.model.path)
