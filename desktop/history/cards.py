"""Cards and small tables of a query's page."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from desktop.history.limited_text import LimitedText
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.energy.interval import Interval
from monitor.power.channel import Kind

LONGEST_WORD = 20
"""Characters; a label cannot break a word, and would make the page as wide as a longer one."""


def energy_cell(kind: Kind | None, energy: Interval | None, is_partial: bool = False) -> str:
    """Write an energy with its mark, and its interval on a second line.

    :param is_partial: whether a part of it was not read, so that it was more
    """
    shown = figures.marked(kind, figures.energy(energy.joules if energy else None))
    shown = figures.at_least(shown, is_partial)
    return f"{shown}\n{figures.bounds(energy).strip('()')}".rstrip()


def grid(rows: Sequence[Sequence[str]], header: bool = True, bold_last: bool = False) -> QWidget:
    """Return a table of texts that can be selected.

    :param header: whether the first row is one; else the first column is
    :param bold_last: whether the last row is a sum
    """
    made = QWidget()
    layout = QGridLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(10)
    layout.setVerticalSpacing(4)
    for at, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if not header and column and max(map(len, cell.split()), default=0) > LONGEST_WORD:
                layout.addWidget(_breaking(cell), at, column)
                continue
            is_muted = (header and at == 0) or (not header and column == 0)
            text = label(cell, "muted" if is_muted else "")
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            text.setWordWrap(column == (0 if header else 1))
            text.setAlignment(Qt.AlignmentFlag.AlignTop)
            if bold_last and at == len(rows) - 1:
                text.setStyleSheet("font-weight: 600")
            if header and column:
                text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            layout.addWidget(text, at, column)
    layout.setColumnStretch(0 if header else 1, 1)
    return made


def _breaking(text: str) -> LimitedText:
    """Return a text that is broken anywhere, and copied without the breaks."""
    made = LimitedText(text)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # as the other cells
    made.setStyleSheet("border: none; padding: 0; background: transparent")
    made.document().setDocumentMargin(0)
    return made


def card(title: str, *content: QWidget) -> QFrame:
    """Return a card with a heading."""
    made = named(QFrame(), "card")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(12, 10, 12, 12)
    layout.setSpacing(8)
    heading = label(title)
    heading.setStyleSheet("font-weight: 600")
    layout.addWidget(heading)
    for widget in content:
        layout.addWidget(widget)
    return made
