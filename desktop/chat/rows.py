"""The list of conversations: a title, and below it when it was, what it cost, or what was found."""

import html
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAbstractTextDocumentLayout, QColor, QPainter, QTextDocument
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.theme.bill import when_words
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from monitor import figures
from monitor.store.conversation_search import HIT_END, HIT_START
from monitor.store.conversations import Listed

LISTED = Qt.ItemDataRole.UserRole

MARGIN, GAP, PIN = 8, 2, 12
"""Pixels around a row, between its lines, and of the pin."""


class ConversationsModel(QAbstractListModel):
    """Conversations as they were read, the first at the top."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Listed] = []
        self.answering_id: str | None = None

    def show_answering(self, conversation_id: str | None) -> None:
        """Say of this conversation that an answer is being written in it."""
        if conversation_id != self.answering_id:
            self.answering_id = conversation_id
            if self.rows:
                self.dataChanged.emit(self.index(0), self.index(len(self.rows) - 1))

    def show(self, rows: Sequence[Listed]) -> None:
        """Take what was read in place of what was there."""
        if list(rows) == self.rows:
            return
        if [row.id for row in rows] == [row.id for row in self.rows]:
            self.rows = list(rows)
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:
        """How many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the title for eyes and screen readers, or the whole row."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"<p>{html.escape(row.title)}</p><p>{html.escape(self.detail(row))}</p>"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            pinned = self.tr("pinned, ") if row.pinned else ""
            return f"{row.title}, {pinned}{self.detail(row)}"
        return row if role == LISTED else None

    def detail(self, row: Listed) -> str:
        """Say when a conversation was used last and what it has cost."""
        is_answered = row.id == self.answering_id
        parts = [self.tr("writing …") if is_answered else when_words(row.updated_at)]
        if row.energy_j is not None:
            energy = figures.marked(row.energy_kind, figures.energy(row.energy_j))
            least = self.tr("at least %1").replace("%1", energy)
            parts.append(least if row.is_lower_bound else energy)
        return " · ".join(parts)


class ConversationDelegate(QStyledItemDelegate):
    """Draws a row of :class:`ConversationsModel`."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self._pin = icon("pin", theme.muted)

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        """Two lines; three where something was found."""
        lines = 3 if index.data(LISTED).snippet else 2
        return QSize(0, lines * option.fontMetrics.lineSpacing() + GAP + 2 * MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        """Draw ground, title, pin, and what stands below."""
        self.initStyleOption(option, index)
        option.text = ""
        QApplication.style().drawControl(
            QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget
        )
        row: Listed = index.data(LISTED)
        model = index.model()
        inner = option.rect.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        line = option.fontMetrics.lineSpacing()
        painter.save()
        painter.setFont(option.font)
        title = inner.adjusted(0, 0, -PIN - GAP if row.pinned else 0, 0)
        title.setHeight(line)
        elided = option.fontMetrics.elidedText(
            row.title, Qt.TextElideMode.ElideRight, title.width()
        )
        painter.setPen(QColor(self._theme.text))
        painter.drawText(title, Qt.AlignmentFlag.AlignVCenter, elided)
        if row.pinned:
            top = inner.top() + (line - PIN) // 2
            self._pin.paint(painter, inner.right() - PIN + 1, top, PIN, PIN)
        if row.snippet:
            box = QRectF(inner.left(), inner.top() + line + GAP, inner.width(), 2 * line)
            self._draw_snippet(painter, option, row.snippet, box)
        else:
            below = inner.adjusted(0, line + GAP, 0, 0)
            detail = option.fontMetrics.elidedText(
                model.detail(row), Qt.TextElideMode.ElideRight, below.width()
            )
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(below, Qt.AlignmentFlag.AlignTop, detail)
        painter.restore()

    def _draw_snippet(
        self, painter: QPainter, option: QStyleOptionViewItem, snippet: str, box: QRectF
    ) -> None:
        """Draw what was found on two lines, the words themselves in the theme's text colour."""
        text = html.escape(snippet).replace(HIT_END, "</b>")
        text = text.replace(HIT_START, f'<b style="color:{self._theme.text}">')
        document = QTextDocument()
        document.setDocumentMargin(0)
        document.setDefaultFont(option.font)
        document.setTextWidth(box.width())
        document.setHtml(f'<span style="color:{self._theme.muted}">{text}</span>')
        painter.translate(box.topLeft())
        painter.setClipRect(QRectF(0, 0, box.width(), box.height()))
        document.documentLayout().draw(painter, QAbstractTextDocumentLayout.PaintContext())
