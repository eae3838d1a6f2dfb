"""The rows of the search of everything: heads of groups and hits, and how they are painted."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.keyboard.hits import LONGEST_LIST, Hit
from desktop.theme.icons import icon
from desktop.theme.palette import Theme

Index = QModelIndex | QPersistentModelIndex

NO_INDEX = QModelIndex()

PAD, ICON, GAP = 10, 18, 10


class FinderRows(QAbstractListModel):
    """A row is the title of a group, or a hit of it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[str | Hit] = []

    def show(self, groups: Sequence[tuple[str, list[Hit]]], typed: str) -> None:
        """Show groups of hits, the one with what fits best first."""
        self.beginResetModel()
        ranked = sorted(groups, key=lambda group: -_best(group[1], typed))
        self._rows = []
        for title, hits in ranked:
            if hits:
                self._rows += [title, *hits[:LONGEST_LIST]]
        self.endResetModel()

    def rowCount(self, parent: Index = NO_INDEX) -> int:
        """Count heads and hits."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a row's text, and all that is known of it to a screen reader."""
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title if isinstance(row, Hit) else row
        if role == Qt.ItemDataRole.AccessibleTextRole and isinstance(row, Hit):
            return f"{row.title}, {row.detail}" if row.detail else row.title
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let hits be chosen, and nothing else."""
        if not isinstance(self.hit(index), Hit):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def hit(self, index: Index) -> Hit | None:
        """Return the hit of a row, ``None`` for a head."""
        row = self._rows[index.row()] if index.isValid() else None
        return row if isinstance(row, Hit) else None

    def index_of(self, hit: Hit | None) -> QModelIndex:
        """Return where a hit is now, or the first one if it is gone."""
        for row, one in enumerate(self._rows):
            if isinstance(one, Hit) and hit and (one.title, one.detail) == (hit.title, hit.detail):
                return self.index(row)
        return self.index(1) if self._rows else NO_INDEX

    def step(self, index: Index, step: int) -> QModelIndex:
        """Return the hit so many hits further on, the last or the first where there are no more.

        A single step from the end goes to the beginning, and back.
        """
        places = [row for row, one in enumerate(self._rows) if isinstance(one, Hit)]
        if not places:
            return NO_INDEX
        if index.row() not in places:
            return self.index(places[0])
        wanted = places.index(index.row()) + step
        if abs(step) == 1:
            wanted %= len(places)
        return self.index(places[min(max(wanted, 0), len(places) - 1)])


class RowPainter(QStyledItemDelegate):
    """Paints a head small, a hit as icon, title, and detail in a lesser colour."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._icons: dict[str, QIcon] = {}
        self._theme = theme

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self._icons.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Give every row room for its line."""
        line = QFontMetrics(option.font).lineSpacing()
        return QSize(200, line + (16 if _hit_of(index) else 12))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        painter.save()
        rect = option.rect.adjusted(PAD, 0, -PAD, 0)
        if hit := _hit_of(index):
            if option.state & QStyle.StateFlag.State_Selected:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(self._theme.raised))
                painter.drawRoundedRect(option.rect, 6, 6)
                bar = option.rect.adjusted(0, 6, 0, -6)
                bar.setWidth(3)
                painter.setBrush(QColor(self._theme.accent))
                painter.drawRoundedRect(bar, 1.5, 1.5)
            self._paint_hit(painter, rect, option.font, hit)
        else:
            font = QFont(option.font)
            font.setBold(True)
            font.setPointSizeF(font.pointSizeF() * 0.9)
            painter.setFont(font)
            painter.setPen(QColor(self._theme.muted))
            place = Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft
            painter.drawText(rect.adjusted(0, 0, 0, -3), place, index.data())
        painter.restore()

    def _paint_hit(self, painter: QPainter, rect: QRect, font: QFont, hit: Hit) -> None:
        if hit.icon not in self._icons:
            self._icons[hit.icon] = icon(hit.icon, self._theme.muted)
        self._icons[hit.icon].paint(painter, QRect(rect.left(), rect.top(), ICON, rect.height()))
        rect.setLeft(rect.left() + ICON + GAP)
        metrics = QFontMetrics(font)
        detail = " ".join(hit.detail.split())
        # The title may take all the room the detail leaves, and two thirds of it at least.
        needed = metrics.horizontalAdvance(detail) + GAP if detail else 0
        room = max(rect.width() - needed, rect.width() * 2 // 3)
        title = metrics.elidedText(" ".join(hit.title.split()), Qt.TextElideMode.ElideRight, room)
        painter.setFont(font)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor(self._theme.text))
        painter.drawText(rect, middle | Qt.AlignmentFlag.AlignLeft, title)
        rest = rect.width() - metrics.horizontalAdvance(title) - GAP
        painter.setPen(QColor(self._theme.muted))
        shown = metrics.elidedText(detail, Qt.TextElideMode.ElideRight, rest)
        painter.drawText(rect, middle | Qt.AlignmentFlag.AlignRight, shown)


def _hit_of(index: Index) -> Hit | None:
    model = index.model()
    return model.hit(index) if isinstance(model, FinderRows) else None


def _best(hits: list[Hit], typed: str) -> float:
    return max((hit.fit(typed) or 0.0 for hit in hits[:LONGEST_LIST]), default=0.0)
