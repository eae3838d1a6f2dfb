"""The places models are read from: one's own folders and files, and other programs' folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.models.words import origin_words
from desktop.theme.widgets import label, named, tool_button
from monitor.models.library import Visit
from monitor.models.places import CHOSEN, Program


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the tab shows.

    :param visits: what was found in each place
    :param programs: all that are known, installed or not
    :param unread: keys of those a person does not want to be read
    """

    visits: tuple[Visit, ...]
    programs: tuple[Program, ...]
    unread: frozenset[str]


class PlacesTab(QWidget):
    """Shows :class:`Surroundings`, and what can be changed about them."""

    remove_wanted = Signal(object)
    """Path of a folder or file that is to be taken out of the library."""
    switched = Signal(str, bool)
    """Key of a program, and whether its folders are to be read."""
    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add = tool_button(self.tr("Add a folder …"))
        self.add.clicked.connect(self.folder_wanted)
        self.switches: dict[str, QCheckBox] = {}
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        layout.addWidget(
            label(
                self.tr(
                    "Models are read where they are, with all folders below; nothing is copied, "
                    "moved or deleted."
                ),
                "muted",
                wrap=True,
            )
        )
        layout.addWidget(self._scroll, 1)

    def text(self) -> str:
        """Return all that is said."""
        labels = self.findChildren(type(label()))
        return "\n".join(each.text() for each in labels)

    def show_surroundings(self, around: Surroundings) -> None:
        """Show what was found where."""
        height = self._scroll.verticalScrollBar().value()
        inside = named(QWidget(), "page")
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(label(self.tr("Your folders and files"), "figure"))
        keys = {program.key for program in around.programs}
        for visit in around.visits:
            if visit.place.origin not in keys:
                layout.addLayout(self._own_row(visit))
        layout.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addSpacing(8)
        layout.addWidget(label(self.tr("Other programs"), "figure"))
        self.switches.clear()
        for program in around.programs:
            visits = [each for each in around.visits if each.place.origin == program.key]
            layout.addLayout(self._program_row(program, visits, program.key not in around.unread))
        layout.addStretch(1)
        before = self._scroll.takeWidget()
        self._scroll.setWidget(inside)
        if before:
            before.deleteLater()
        self._scroll.verticalScrollBar().setValue(height)

    def _own_row(self, visit: Visit) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addLayout(_lines(self._path_lines(visit)), 1)
        row.addWidget(label(self._count(visit.models), "muted"))
        if visit.place.origin == CHOSEN:
            remove = tool_button(self.tr("Remove"))
            remove.setAccessibleName(
                self.tr("Remove %1 from the list").replace("%1", str(visit.place.path))
            )
            remove.clicked.connect(lambda: self.remove_wanted.emit(visit.place.path))
            row.addWidget(remove)
        return row

    def _path_lines(self, visit: Visit) -> list[tuple[str, str]]:
        lines = [(str(visit.place.path), "")]
        if visit.problem:
            lines.append((visit.problem, "warning"))
        elif not _is_there(visit.place.path) and visit.place.origin == CHOSEN:
            gone = self.tr("It is not there now; its models are listed again when it is.")
            lines.append((gone, "warning"))
        elif visit.place.origin != CHOSEN:
            lines.append((origin_words(visit.place.origin), "muted"))
        return lines

    def _program_row(self, program: Program, visits: Sequence[Visit], is_read: bool) -> QHBoxLayout:
        switch = QCheckBox(program.title)
        switch.setChecked(is_read)
        switch.setMinimumWidth(150)
        switch.toggled.connect(lambda checked: self.switched.emit(program.key, checked))
        self.switches[program.key] = switch
        lines = [(str(folder), "muted") for folder in program.folders]
        lines += [(visit.problem, "warning") for visit in visits if visit.problem]
        row = QHBoxLayout()
        row.addWidget(switch, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(_lines(lines or [(self.tr("not found on this machine"), "muted")]), 1)
        if program.folders:
            models = sum(visit.models for visit in visits)
            count = self._count(models) if is_read else self.tr("not read")
            row.addWidget(label(count, "muted"), 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _count(self, models: int) -> str:
        words = self.tr("1 model") if models == 1 else self.tr("%1 models")
        return words.replace("%1", str(models))


def _lines(texts: Sequence[tuple[str, str]]) -> QVBoxLayout:
    """Texts below one another, each with the name the style sheet knows it by."""
    column = QVBoxLayout()
    column.setSpacing(0)
    for text, name in texts:
        column.addWidget(label(text, name, wrap=True))
    return column


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
