"""The report to be shared, on paper: its page as rich text, its charts as pictures."""

import os
import re
from pathlib import Path

from PySide6.QtCore import QByteArray, QMarginsF, QRectF, QThread, QUrl
from PySide6.QtGui import QImage, QPageLayout, QPageSize, QPainter, QPdfWriter, QTextDocument
from PySide6.QtSvg import QSvgRenderer

from desktop.theme.palette import LIGHT

CHART = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
VIEW_BOX = re.compile(r'viewBox="0 0 (\d+) (\d+)"')

FINENESS = 3.0
"""Pixels of a picture to one of the chart."""

OTHERS = "#a9b1ba"
"""What is all others together in a chart."""

PLAINER = (
    ("</span><b>", " </span><b>"),
    ("</b><span>", "</b> <span>"),
    ("<small>", " <small>"),
    ("<table", '<table width="100%" cellpadding="5"'),
    ('<ul class="legend">', "<p>"),
    ("</ul>", "</p>"),
    ("<li>", ""),
    ("</li>", " &nbsp; "),
    ("</svg>", "</svg>&nbsp;"),
)
"""What a page's style sheet does with room around things, rich text does with blanks."""

TEXT_STYLE = f"""
    body, p, td, th, li, span {{ font-size: 9pt; color: {LIGHT.text}; }}
    h1 {{ font-size: 17pt; }} h2 {{ font-size: 12pt; }} h3 {{ font-size: 10pt; }}
    .muted, .note, small, th {{ color: {LIGHT.muted}; }}
"""


def write_pdf(html: str, path: Path) -> None:
    """Print a page of :func:`monitor.exchange.html_report.html_report`.

    :raises OSError: if the file cannot be written
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()  # QPdfWriter itself does not say why it cannot write
        printing = _Printing(html, part)
        printing.start()
        printing.wait()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Printing(QThread):
    """Prints on a thread of Qt's own: laying a text out needs its timers, which others lack."""

    def __init__(self, html: str, path: Path) -> None:
        super().__init__()
        self._html, self._path = html, path

    def run(self) -> None:
        """Print; waited for by whoever began it."""
        _print(self._html, self._path)


def _print(html: str, path: Path) -> None:
    document = QTextDocument()
    document.setDefaultStyleSheet(TEXT_STYLE)
    charts: list[str] = []

    def picture(found: re.Match[str]) -> str:
        drawn = _draw(found[0])
        name = f"chart:{len(charts)}"
        charts.append(name)
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(name), drawn)
        return f'<img src="{name}" width="{round(drawn.width() / FINENESS)}">'

    for styled, plain in PLAINER:
        html = html.replace(styled, plain)
    document.setHtml(CHART.sub(picture, STYLE.sub("", html)))
    writer = QPdfWriter(str(path))
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageOrientation(QPageLayout.Orientation.Landscape)
    writer.setPageMargins(QMarginsF(15, 15, 15, 15))
    document.print_(writer)


def _draw(svg: str) -> QImage:
    """Draw a chart; Qt knows no style sheets of pages, so that each class becomes its colours."""
    told = svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    for name, look in _looks().items():
        told = told.replace(f'class="{name}"', look)
    renderer = QSvgRenderer(QByteArray(told.encode()))
    size = VIEW_BOX.search(svg)
    width, height = (int(size[1]), int(size[2])) if size else (12, 12)
    image = QImage(
        round(width * FINENESS), round(height * FINENESS), QImage.Format.Format_ARGB32_Premultiplied
    )
    image.fill(0)
    painter = QPainter(image)
    renderer.render(painter, QRectF(image.rect()))
    painter.end()
    return image


def _looks() -> dict[str, str]:
    looks = {f"s{at}": f'fill="{color}"' for at, color in enumerate((*LIGHT.sequence, OTHERS))}
    return looks | {
        "grid": f'stroke="{LIGHT.line}" stroke-width="1"',
        "whisker": f'stroke="{LIGHT.text}" stroke-width="1.3"',
        "label": f'fill="{LIGHT.muted}" font-size="12" font-family="sans-serif"',
        "family": f'stroke="{LIGHT.muted}" stroke-width="1" fill="none"',
        "frontier": f'stroke="{LIGHT.text}" stroke-width="1.4" stroke-dasharray="5 4" fill="none"',
    }
