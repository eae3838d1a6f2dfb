"""How long the phases of several queries lasted, to one scale."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop.compare.cells import small_font
from desktop.compare.overlay import LETTERS
from desktop.theme.palette import Theme
from monitor import figures
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.store.records import QueryRecord

ROW, BAR, LETTER, TOTAL = 26, 18, 22, 84
"""Pixels: height of a row and of its bar, width of a letter and of the time behind the bars."""


def durations(record: QueryRecord) -> dict[str, float]:
    """Return the seconds of the phases that happened, in order."""
    seconds = record.seconds
    known = ((LOAD, seconds.load), (PREFILL, seconds.prefill), (DECODE, seconds.decode))
    return {name: lasted_s for name, lasted_s in known if lasted_s}


class PhaseBars(QWidget):
    """A bar for each query: loading, prefill, decode."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._records: Sequence[QueryRecord] = ()
        self._names = {
            LOAD: self.tr("loading"),
            PREFILL: self.tr("prefill"),
            DECODE: self.tr("decode"),
        }
        self.setAccessibleName(self.tr("Durations of the phases"))

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.update()

    def legend(self) -> str:
        """Return what the colours mean, as rich text."""
        return "&nbsp;&nbsp;".join(
            f'<span style="background:{color}">&nbsp;&nbsp;{self._names[name]}&nbsp;&nbsp;</span>'
            for name, color in self._colors().items()
        )

    def _colors(self) -> dict[str, str]:
        return {
            LOAD: self._theme.load,
            PREFILL: self._theme.prefill,
            DECODE: self._theme.decode,
        }

    def show_records(self, records: Sequence[QueryRecord]) -> None:
        """Show other queries."""
        self._records = records
        self.setFixedHeight(ROW * len(records) + 4)
        self.setAccessibleDescription("\n".join(map(self._words, records)))
        self.setToolTip(self.accessibleDescription())
        self.update()

    def _words(self, record: QueryRecord) -> str:
        letter = LETTERS[list(self._records).index(record)]
        parts = [
            f"{self._names[name]} {figures.duration(lasted_s)}"
            for name, lasted_s in durations(record).items()
        ]
        return f"{letter}: {', '.join(parts) or figures.UNKNOWN}"

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw all bars."""
        painter = QPainter(self)
        longest_s = max((sum(durations(r).values()) for r in self._records), default=0.0)
        for row, record in enumerate(self._records):
            rect = QRectF(LETTER, row * ROW, self.width() - LETTER - TOTAL, ROW)
            color = self._theme.sequence[row % len(self._theme.sequence)]
            painter.setFont(self.font())
            painter.setPen(QColor(color))
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(2, rect.top(), LETTER, ROW), middle, LETTERS[row])
            if longest_s:
                self._draw_bar(painter, rect, durations(record), longest_s)

    def _draw_bar(
        self, painter: QPainter, row: QRectF, phases: dict[str, float], longest_s: float
    ) -> None:
        colors = self._colors()
        painter.setFont(small_font(self.font()))
        x, top = row.left(), row.top() + (ROW - BAR) / 2
        for name, lasted_s in phases.items():
            width = row.width() * lasted_s / longest_s
            piece = QRectF(x, top, width, BAR)
            painter.fillRect(piece, QColor(colors[name]))
            painter.setPen(QPen(QColor(self._theme.muted), 1))
            painter.drawRect(piece)
            x += width
            text = f"{self._names[name]} {figures.duration(lasted_s)}"
            for shown in (text, self._names[name]):
                if painter.fontMetrics().horizontalAdvance(shown) < width - 8:
                    painter.setPen(QColor(self._theme.text))
                    painter.drawText(piece, Qt.AlignmentFlag.AlignCenter, shown)
                    break
        painter.setPen(QColor(self._theme.muted))
        rest = QRectF(x + 6, row.top(), TOTAL - 6, ROW)
        shown = figures.duration(sum(phases.values())) if phases else figures.UNKNOWN
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, shown)
