"""A bar of what a model would take of the memory that is free."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme.palette import Theme
from monitor import figures

BAR_HEIGHT, GAP, CHIP, RADIUS = 10, 6, 8, 4


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what is needed."""

    name: str
    size_bytes: int


class MemoryBar(QWidget):
    """Shows parts beside one another against what is free, and their sizes below.

    What goes beyond the free memory is drawn in the colour of warnings.

    :param name: whose memory it is
    """

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._theme = name, theme
        self._parts: tuple[Part, ...] = ()
        self._free_bytes = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """All of it in words."""
        parts = ", ".join(f"{part.name} {figures.size(part.size_bytes)}" for part in self._parts)
        return f"{self._sum()}: {parts}"

    @property
    def is_too_small(self) -> bool:
        """Whether more is needed than is free."""
        return self._needed_bytes > self._free_bytes

    @property
    def _needed_bytes(self) -> int:
        return sum(part.size_bytes for part in self._parts)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another theme's colours."""
        self._theme = theme
        self.update()

    def show_parts(self, parts: Sequence[Part], free_bytes: int) -> None:
        """Show what is needed and what is free."""
        self._parts, self._free_bytes = tuple(parts), free_bytes
        self.setAccessibleName(self.text)
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the bar and a line of text."""
        return QSize(240, BAR_HEIGHT + GAP + self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        """As high as it is drawn, however narrow."""
        return QSize(80, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bar and its legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bar(painter)
        self._paint_legend(painter)
        painter.end()

    def _paint_bar(self, painter: QPainter) -> None:
        track = QRectF(0.5, 0.5, self.width() - 1, BAR_HEIGHT - 1)
        shape = QPainterPath()
        shape.addRoundedRect(track, RADIUS, RADIUS)
        painter.fillPath(shape, QColor(self._theme.raised))
        painter.setClipPath(shape)
        scale = track.width() / max(self._free_bytes, self._needed_bytes, 1)
        left = track.left()
        for part, color in zip(self._parts, self._colors(), strict=False):
            width = part.size_bytes * scale
            painter.fillRect(QRectF(left, track.top(), width, track.height()), QColor(color))
            left += width
        if self.is_too_small:
            end = track.left() + self._free_bytes * scale
            beyond = QRectF(end, track.top(), track.right() - end, track.height())
            painter.fillRect(beyond, QColor(self._theme.warning))
        painter.setClipping(False)
        painter.setPen(QColor(self._theme.line))
        painter.drawPath(shape)

    def _paint_legend(self, painter: QPainter) -> None:
        metrics = self.fontMetrics()
        top = BAR_HEIGHT + GAP
        space = metrics.horizontalAdvance("  ")
        total = self._sum()
        end = self.width() - metrics.horizontalAdvance(total)
        left = 0
        for part, color in zip(self._parts, self._colors(), strict=False):
            text = f"{part.name} {figures.size(part.size_bytes)}"
            width = CHIP + space + metrics.horizontalAdvance(text)
            if left + width + space > end:
                break  # the whole of it is in the accessible name
            chip = QRectF(left, top + (metrics.height() - CHIP) / 2, CHIP, CHIP)
            painter.fillRect(chip, QColor(color))
            painter.setPen(QColor(self._theme.muted))
            painter.drawText(left + CHIP + space, top + metrics.ascent(), text)
            left += width + 2 * space
        painter.setPen(QColor(self._theme.warning if self.is_too_small else self._theme.text))
        box = QRectF(0, top, self.width(), metrics.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignRight, total)

    def _sum(self) -> str:
        needed, free = figures.size(self._needed_bytes), figures.size(self._free_bytes)
        return (
            self.tr("%1 of %2 free %3")
            .replace("%1", needed)
            .replace("%2", free)
            .replace("%3", self._name)
        )

    def _colors(self) -> tuple[str, str, str]:
        cpu, gpu, dram = self._theme.sequence[:3]
        return cpu, dram, gpu
