"""Pieces of an HTML page. What is called a cell or a body is markup; all else is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from monitor.exchange.report_style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is fetched and nothing runs, whatever a text should smuggle in."""


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def section(title: str, body: str) -> str:
    """Return a section under its heading."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """Return a table.

    :param rows: of cells, as markup
    :param left: so many columns of texts come first, and columns of figures after them
    """
    heads = "".join(
        f"<th>{escape(name)}</th>" if place < left else f'<th class="figure">{escape(name)}</th>'
        for place, name in enumerate(header)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{heads}</tr>{body}</table></div>'


def figure_cell(text: str, under: str = "") -> str:
    """Return a cell with a figure, and its interval under it."""
    small = f"<small>{escape(under)}</small>" if under else ""
    return f'<td class="figure">{escape(text)}{small}</td>'
