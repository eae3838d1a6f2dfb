"""How a cell of the leaderboard is drawn: a figure, a lesser line, a bar with its whisker."""

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.theme.palette import Theme

CELL = Qt.ItemDataRole.UserRole
"""Role under which a model answers with a :class:`Cell`."""

HEIGHT, BAR_HEIGHT, PADDING, CAP = 42, 7, 8, 3.5
BRACKET, INDENT = 7, 10
"""Pixels from the left edge at which rows that tie are joined, and by which the rank gives way."""

TINT = 0.55
"""Share of the accent in a bar: its whisker, in the text's colour, must stand out from it."""

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure as a share of the longest bar, with the ends of its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What is drawn.

    :param note: lesser lines below; a bar takes their place
    :param mark: at the right edge, in the accent's colour, or a muted one if it is pale
    :param joins: whether a line leads to the row above and to the one below
    :param is_picked: whether the row is the one that is good enough
    :param is_leading: whether it is the row's first
    """

    text: str
    note: str = ""
    bar: Bar | None = None
    mark: str = ""
    is_pale: bool = False
    joins: tuple[bool, bool] = (False, False)
    is_picked: bool = False
    is_leading: bool = False


class CellDelegate(QStyledItemDelegate):
    """Draws a :class:`Cell` where the model has one, else what is usual."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """As wide as its texts."""
        cell = index.data(CELL)
        if not isinstance(cell, Cell):
            return super().sizeHint(option, index)
        return QSize(width_of(cell, option.font), HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one."""
        cell = index.data(CELL)
        if not isinstance(cell, Cell):
            super().paint(painter, option, index)
            return
        painter.save()
        painter.setClipRect(option.rect)
        if cell.is_picked and not option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(self._theme.decode))
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        self._draw_edges(painter, QRectF(option.rect), cell)
        self._draw_texts(painter, QRectF(option.rect), cell, option)
        painter.restore()

    def _draw_edges(self, painter: QPainter, rect: QRectF, cell: Cell) -> None:
        if cell.is_picked and cell.is_leading:
            strip = QRectF(rect.left(), rect.top() + 4, 3, rect.height() - 8)
            painter.fillRect(strip, QColor(self._theme.accent))
        if any(cell.joins):
            x, middle = rect.left() + BRACKET, rect.center().y()
            above, below = cell.joins
            painter.setPen(QPen(QColor(self._theme.muted), 1))
            top = rect.top() if above else middle
            painter.drawLine(QPointF(x, top), QPointF(x, rect.bottom() + 1 if below else middle))
            painter.drawLine(QPointF(x, middle), QPointF(x + 4, middle))

    def _draw_texts(
        self, painter: QPainter, rect: QRectF, cell: Cell, option: QStyleOptionViewItem
    ) -> None:
        inside = rect.adjusted(PADDING + (INDENT if cell.is_leading else 0), 4, -PADDING, -4)
        if cell.mark:
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.setPen(QColor(self._theme.muted if cell.is_pale else self._theme.accent))
            painter.drawText(inside, side, cell.mark)
            inside.adjust(0, 0, -18, 0)
        lesser = [""] if cell.bar else cell.note.splitlines()
        height = inside.height() / (1 + len(lesser))
        side = option.displayAlignment & Qt.AlignmentFlag.AlignHorizontal_Mask
        lines = [
            QRectF(inside.left(), inside.top() + n * height, inside.width(), height)
            for n in range(1 + len(lesser))
        ]
        painter.setFont(option.font)
        painter.setPen(QColor(self._theme.text))
        _draw_line(painter, lines[0], side, cell.text)
        if cell.bar:
            self._draw_bar(painter, lines[1], cell.bar)
            return
        painter.setFont(small_font(option.font))
        painter.setPen(QColor(self._theme.muted))
        for line, text in zip(lines[1:], lesser, strict=True):
            _draw_line(painter, line, side, text, Qt.TextElideMode.ElideRight)

    def _draw_bar(self, painter: QPainter, rect: QRectF, bar: Bar) -> None:
        middle = rect.center().y()
        track = QRectF(rect.left(), middle - BAR_HEIGHT / 2, rect.width(), BAR_HEIGHT)
        painter.fillRect(track, QColor(self._theme.raised))
        filled = QRectF(track)
        filled.setWidth(track.width() * bar.value)
        painter.fillRect(filled, _mixed(self._theme.surface, self._theme.accent, TINT))
        if bar.low is None or bar.high is None:
            return
        left, right = (track.left() + track.width() * share for share in (bar.low, bar.high))
        painter.setPen(QPen(QColor(self._theme.text), 1))
        painter.drawLine(QPointF(left, middle), QPointF(right, middle))
        for x in (left, right):
            painter.drawLine(QPointF(x, middle - CAP), QPointF(x, middle + CAP))


def _mixed(ground: str, color: str, share: float) -> QColor:
    one, other = QColor(ground), QColor(color)
    return QColor.fromRgbF(
        one.redF() + (other.redF() - one.redF()) * share,
        one.greenF() + (other.greenF() - one.greenF()) * share,
        one.blueF() + (other.blueF() - one.blueF()) * share,
    )


def width_of(cell: Cell, font: QFont) -> int:
    """Return the pixels a cell's texts need, without its mark."""
    lesser = QFontMetrics(small_font(font))
    widths = [QFontMetrics(font).horizontalAdvance(cell.text)]
    widths += [lesser.horizontalAdvance(line) for line in cell.note.splitlines()]
    return max(widths) + 2 * PADDING + 1


def small_font(font: QFont) -> QFont:
    """Return the font of lesser lines."""
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * 0.86)
    return small


def _draw_line(
    painter: QPainter,
    rect: QRectF,
    side: Qt.AlignmentFlag,
    text: str,
    elide: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
) -> None:
    shown = painter.fontMetrics().elidedText(text, elide, int(rect.width()) + 1)
    painter.drawText(rect, int(side | Qt.AlignmentFlag.AlignVCenter), shown)
