"""The list of repositories a search found."""

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.theme.icons import icon
from desktop.theme.palette import Theme

ROW = int(Qt.ItemDataRole.UserRole)

PAD, GAP, LOCK = 8, 2, 16

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """One repository.

    :param name: ``owner/name``
    :param details: what is told of it, in a few words
    :param gated: whether terms are to be accepted first
    """

    name: str
    details: str
    gated: bool = False


class Repositories(QListWidget):
    """Shows rows; a click or Enter chooses one."""

    chosen = Signal(str)
    """Name of a repository a person wants to see."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._delegate = _RowDelegate(theme, self)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(self.tr("Repositories"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Not the selection: walking through the list with the arrows asks the network nothing.
        self.itemClicked.connect(self._on_chosen)
        self.itemActivated.connect(self._on_chosen)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._delegate.theme = theme
        self.viewport().update()

    def show_rows(self, rows: list[Row]) -> None:
        """Show other rows."""
        self.clear()
        for row in rows:
            item = QListWidgetItem(row.name)
            item.setData(ROW, row)
            told = [row.name, row.details, self.tr("terms to accept first") if row.gated else ""]
            item.setToolTip("\n".join(filter(None, told)))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join(filter(None, told)))
            self.addItem(item)

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(ROW).name)


class _RowDelegate(QStyledItemDelegate):
    """Draws a name, what is told of it below, and a lock where terms are to be accepted."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Two lines."""
        return QSize(0, 2 * option.fontMetrics.height() + GAP + 2 * PAD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        drawn = QStyleOptionViewItem(option)
        self.initStyleOption(drawn, index)
        drawn.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, drawn, painter, option.widget)
        row: Row = index.data(ROW)
        area = option.rect.adjusted(PAD, PAD, -PAD, -PAD)
        if row.gated:
            place = QRect(area.right() - LOCK, area.top(), LOCK, LOCK)
            icon("lock", self.theme.muted).paint(painter, place)
            area.setRight(place.left() - PAD)
        height = option.fontMetrics.height()
        painter.save()
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        owner, _, name = row.name.partition("/")
        details = f"{owner} · {row.details}"
        middle, right = Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight
        for font, color, text, mode, top in (
            (bold, self.theme.text, name, middle, area.top()),
            (option.font, self.theme.muted, details, right, area.top() + height + GAP),
        ):
            painter.setFont(font)
            painter.setPen(color)
            elided = painter.fontMetrics().elidedText(text, mode, area.width())
            line = QRect(area.left(), top, area.width(), height)
            painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), elided)
        painter.restore()
