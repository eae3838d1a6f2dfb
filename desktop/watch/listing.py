"""The list of recordings: the last minutes, what is recorded now, and what was kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.theme.palette import Theme
from desktop.watch.clock import clock
from desktop.watch.model import LATELY, LATELY_S, RUNNING
from desktop.watch.words import detail_of, title_of
from monitor.recorded import Recording

ENTRY = Qt.ItemDataRole.UserRole

MARGIN, GAP = 8, 2

REST_MS = 150
"""A row is opened by keys once they have rested on it for so long: an hour's curve takes a while to
read, and a person who holds a key down passes many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the list.

    :param name: an identifier, or what stands for one; see :meth:`WatchModel.open`
    :param recording: ``None`` for the last minutes
    """

    name: str
    title: str
    detail: str
    recording: Recording | None


class _Entries(QAbstractListModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Entry] = []

    def show(self, rows: list[Entry]) -> None:
        if [row.name for row in rows] == [row.name for row in self.rows]:
            self.rows = rows
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.title}, {row.detail}"
        if role == Qt.ItemDataRole.ToolTipRole and row.recording and row.recording.note:
            return row.recording.note
        return row if role == ENTRY else None


class _Painter(QStyledItemDelegate):
    """Draws a title, and below it the detail in a lesser colour."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, _index: Any) -> QSize:
        return QSize(0, 2 * option.fontMetrics.lineSpacing() + GAP + 2 * MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        self.initStyleOption(option, index)
        option.text = ""
        style = QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        row: Entry = index.data(ENTRY)
        inner = option.rect.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        is_running = row.name == RUNNING
        painter.save()
        painter.setFont(option.font)
        for text, color in (
            (row.title, self.theme.warning if is_running else self.theme.text),
            (row.detail, self.theme.muted),
        ):
            shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, inner.width())
            painter.setPen(QColor(color))
            painter.drawText(inner, Qt.AlignmentFlag.AlignTop, shown)
            inner = inner.adjusted(0, option.fontMetrics.lineSpacing() + GAP, 0, 0)
        painter.restore()


class RecordingList(QListView):
    """Lists recordings; a click opens one, and so do the keys that go from row to row."""

    opened = Signal(str)
    """What was chosen; see :meth:`WatchModel.open`."""
    delete_wanted = Signal(object)
    """A person wants this :class:`Recording` deleted."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("conversations")
        self._entries, self._painter = _Entries(self), _Painter(theme, self)
        self._kept: Sequence[Recording] = ()
        self._running: Recording | None = None
        self._shown = LATELY
        self.setModel(self._entries)
        self.setItemDelegate(self._painter)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName(self.tr("Recordings"))
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._open)
        self.clicked.connect(self._open)
        self.activated.connect(self._open)
        self._fill()

    @property
    def entries(self) -> list[Entry]:
        """What is listed."""
        return self._entries.rows

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._painter.theme = theme
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete what is marked by the key for it; open what other keys lead to."""
        before = self._marked
        if event.matches(QKeySequence.StandardKey.Delete):
            self._rest.stop()
            if before and before.recording:
                self.delete_wanted.emit(before.recording)
            return
        super().keyPressEvent(event)
        if self._marked is not before:
            self._rest.start()

    @property
    def _marked(self) -> Entry | None:
        entry: Entry | None = self.currentIndex().data(ENTRY)
        return entry

    def _open(self) -> None:
        self._rest.stop()
        if marked := self._marked:
            self._shown = marked.name
            self.opened.emit(marked.name)

    def show_kept(self, kept: Sequence[Recording]) -> None:
        """List what is kept."""
        self._kept = kept
        self._fill()

    def show_running(self, running: Recording | None) -> None:
        """List what is recorded now, if anything is."""
        self._running = running
        self._fill()

    def show_opened(self, name: str) -> None:
        """Mark the row that is shown, unless keys have just led to another."""
        self._shown = name
        if not self._rest.isActive():
            self._mark(name)

    def _mark(self, name: str) -> None:
        for row, entry in enumerate(self.entries):
            if entry.name == name:
                self.setCurrentIndex(self._entries.index(row))

    def _fill(self) -> None:
        minutes = str(round(LATELY_S / 60))
        title = self.tr("The last %1 minutes").replace("%1", minutes)
        rows = [Entry(LATELY, title, self.tr("not kept"), None)]
        running = self._running
        if running:
            name = running.name or self.tr("Recording now")
            rows.append(Entry(RUNNING, name, clock(running.duration_s), running))
        rows += [
            Entry(each.id, title_of(each), detail_of(each), each)
            for each in self._kept
            if running is None or each.id != running.id
        ]
        marked = self._marked if self._rest.isActive() else None
        self._entries.show(rows)
        self._mark(marked.name if marked else self._shown)
