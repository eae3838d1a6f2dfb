"""The files that go along with the next question, as chips over the prompt."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QToolButton, QWidget

from desktop.bridge import Bridge
from desktop.theme.flow import FlowLayout
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import named, tool_button
from monitor import figures
from monitor.attachments import Attachment, AttachmentError, read_attachment

MOST_FILES = 10


class AttachmentBar(QWidget):
    """A chip for each attached file, pressed to remove it; hidden while there are none.

    Files are read beside the window's thread, as they are when they are added.
    """

    problem = Signal(str)
    """A file that cannot go along; the text says why and what to do."""
    changed = Signal()
    reading_changed = Signal()
    """A file begins to be read, or has been."""

    def __init__(self, bridge: Bridge, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._theme = bridge, theme
        self._attached: list[Attachment] = []
        self._reading = 0
        self._chips: list[QToolButton] = []
        self._flow = FlowLayout(self)
        self.setAccessibleName(self.tr("Attached files"))
        self.setAcceptDrops(True)
        self.hide()

    def choose(self) -> None:
        """Let the person choose files to attach."""
        dialog = QFileDialog(self.window(), self.tr("Attach text files"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(lambda names: self.add([Path(name) for name in names]))
        dialog.open()

    def add(self, paths: Sequence[Path]) -> None:
        """Read files and attach them; one that is attached already is read anew."""
        chosen = list(paths)
        self._reading += 1
        self.reading_changed.emit()
        self._bridge.transfer(lambda: [_attempt(path) for path in chosen], self._take)

    @property
    def is_reading(self) -> bool:
        """Whether a file is still being read."""
        return self._reading > 0

    def _take(self, read: list[Attachment | str]) -> None:
        self._reading -= 1
        self.reading_changed.emit()
        problems = [one for one in read if isinstance(one, str)]
        for one in read:
            if isinstance(one, Attachment):
                known = [attached.path for attached in self._attached]
                if one.path in known:
                    self._attached[known.index(one.path)] = one
                elif len(self._attached) < MOST_FILES:
                    self._attached.append(one)
                else:
                    told = self.tr("%1 is not attached: %2 files may go along with a question.")
                    problems.append(told.replace("%1", one.name).replace("%2", str(MOST_FILES)))
        self._show()
        if problems:
            self.problem.emit("\n".join(problems))

    def attachments(self) -> tuple[Attachment, ...]:
        """Return what is attached."""
        return tuple(self._attached)

    def put(self, attachments: Sequence[Attachment]) -> None:
        """Attach these, as they were read, in place of what is attached."""
        if tuple(attachments) != self.attachments():
            self._attached = list(attachments)
            self._show()

    def _remove(self, attachment: Attachment) -> None:
        place = self._attached.index(attachment)
        del self._attached[place]
        self._show()
        if self._chips:
            self._chips[min(place, len(self._chips) - 1)].setFocus()

    def _show(self) -> None:
        self._flow.clear()
        self._chips = [self._chip(attachment) for attachment in self._attached]
        for chip in self._chips:
            self._flow.addWidget(chip)
        self.setVisible(bool(self._chips))
        self.changed.emit()

    def _chip(self, attachment: Attachment) -> QToolButton:
        size = figures.size(attachment.size_bytes)
        name = self.fontMetrics().elidedText(attachment.name, Qt.TextElideMode.ElideMiddle, 220)
        chip = named(tool_button(f"{name} · {size}"), "chip")
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setIcon(icon("close", self._theme.text))
        chip.setAccessibleName(self.tr("Remove %1").replace("%1", f"{attachment.name}, {size}"))
        told = self.tr("%1, as it was sent with the question. Press to remove it.")
        if attachment.encoding:
            told = self.tr("%1, read as %2. Press to remove it.")
        if attachment.is_guessed:
            chip.setText(f"{name} · {size} · {attachment.encoding}")
            told = self.tr(
                "%1, taken for %2: if letters are wrong, save it as UTF-8. Press to remove it."
            )
        chip.setToolTip(told.replace("%1", str(attachment.path)).replace("%2", attachment.encoding))
        chip.clicked.connect(lambda: self._remove(attachment))
        return chip

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        for chip in self._chips:
            chip.setIcon(icon("close", theme.text))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files that are dragged over it."""
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Attach the files that are let fall."""
        self.add(dropped_files(event.mimeData()))
        event.acceptProposedAction()


def dropped_files(data: QMimeData) -> list[Path]:
    """Return the files on this computer that are dragged, in their order."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def _attempt(path: Path) -> Attachment | str:
    try:
        return read_attachment(path)
    except AttachmentError as error:
        return str(error)
