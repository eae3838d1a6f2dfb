"""Icons drawn in the theme's colours from the SVG files in ``resources/icons``."""

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from resources import resource_text

SIZES = (16, 20, 24, 32, 48, 64)


@cache
def icon(name: str, color: str) -> QIcon:
    """Return an icon in one colour, sharp at every usual size and scaling; drawn once.

    :param name: the file's name without ``.svg``
    :param color: drawn wherever the file says ``currentColor``
    """
    drawing = resource_text(f"icons/{name}.svg").replace("currentColor", color)
    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    result = QIcon()
    for size in SIZES:
        pixmap = QPixmap(QSize(size, size))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter, QRectF(0, 0, size, size))
        painter.end()
        result.addPixmap(pixmap)
    return result
