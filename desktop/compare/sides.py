"""Two to four queries side by side: curves, phases, and what differs."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QStackedWidget,
    QStyleOptionHeader,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop.compare.cells import CellDelegate, width_of
from desktop.compare.model import Laid
from desktop.compare.overlay import LETTERS, Align, OverlayPlot, curve_of
from desktop.compare.phases import PhaseBars
from desktop.compare.sides_rows import SidesRows
from desktop.theme.palette import Theme
from desktop.theme.runs import translate
from desktop.theme.widgets import ChoiceBox, label, named
from monitor.attachments import split_attachments
from monitor.compare.report import side_lines
from monitor.figures import UNKNOWN

ROW_HEIGHT, LINE_HEIGHT = 28, 16
NAME_WIDTH, SIDE_WIDTH, CURVE_WIDTH = 124, 160, 250
"""Pixels a column has, and the curves at least."""

MOST_ASKED = 240
"""Characters of what was asked, of all queries together: two lines of a narrow window."""

HEADER_PADDING = 22
"""Pixels of a header's section that are left and right of its text."""


class SidesHeader(QHeaderView):
    """A header whose lines are each cut with an ellipsis; Qt takes both for one and cuts hard."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        """Cut what is drawn of a section."""
        super().initStyleOptionForIndex(option, section)
        room, right = self.sectionSize(section) - HEADER_PADDING, Qt.TextElideMode.ElideRight
        lines = option.text.split("\n")
        cut = [self.fontMetrics().elidedText(line, right, room) for line in lines]
        option.text = "\n".join(cut)


class SidesTable(QTableView):
    """Shows :class:`SidesRows`: as wide as its room, but every query legible."""

    def __init__(self, rows: SidesRows, theme: Theme) -> None:
        super().__init__()
        self._rows = rows
        self._delegate = CellDelegate(theme)
        self.setModel(rows)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName(self.tr("Figures side by side"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalHeader(SidesHeader())
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().hide()
        rows.modelReset.connect(self._fit)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._delegate.set_theme(theme)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room out again."""
        super().resizeEvent(event)
        self._fit()

    def needed(self) -> list[int]:
        """Return the width of each query's column at which no figure is cut."""
        columns = zip(*(row.cells for row in self._rows.rows), strict=True)
        font = self.font()
        return [max([SIDE_WIDTH, *(width_of(c, font) for c in cells)]) for cells in columns]

    def _fit(self) -> None:
        for at, row in enumerate(self._rows.rows):
            self.setRowHeight(at, ROW_HEIGHT + LINE_HEIGHT * row.lines)
        needed = self.needed()
        if needed:
            more = max(self.viewport().width() - NAME_WIDTH - sum(needed), 0) // len(needed)
            self.setColumnWidth(0, NAME_WIDTH)
            for at, width in enumerate(needed):
                self.setColumnWidth(at + 1, width + more)


def asked(prompts: Sequence[str]) -> str:
    """Say what was asked, or run: once where it is the same, else by letters; "" for nothing."""
    questions = []
    for prompt in prompts:
        files, question = split_attachments(prompt)
        questions.append(" ".join((question or ", ".join(files)).split()))
    if len(set(questions)) == 1:
        return _cut(questions[0], MOST_ASKED)
    most = MOST_ASKED // len(questions) - len(" · A: ")
    cut = (_cut(text, most) or UNKNOWN for text in questions)
    return " · ".join(f"{letter}: {text}" for letter, text in zip(LETTERS, cut, strict=False))


def _cut(text: str, most: int) -> str:
    """Cut a text to so many characters, wherever that is: not every script has blanks."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


class SidesView(QWidget):
    """Shows what is :class:`Laid` side by side; how to get there before anything is."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._laid: Laid | None = None
        self.plot = OverlayPlot(theme)
        self.bars = PhaseBars(theme)
        self.rows = SidesRows(self)
        self.table = SidesTable(self.rows, theme)
        self.align = ChoiceBox()
        self.align.setAccessibleName(self.tr("What the curves are aligned at"))
        self.align.addItem(self.tr("from prefill"), Align.PREFILL)
        self.align.addItem(self.tr("from the first token"), Align.FIRST_TOKEN)
        self.align.activated.connect(self._draw_curves)
        self._asked = label("", "muted", wrap=True)
        self._asked.hide()
        self._curve_note = label("", "muted", wrap=True)
        self._notes = label("", "warning", wrap=True)
        empty = label(
            self.tr(
                "Nothing is side by side yet.\n\nSelect two to four queries on the History page "
                "and choose Compare, or select two to four rows of the leaderboard and choose "
                "Side by side: their newest runs are laid here."
            ),
            "muted",
            wrap=True,
        )
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(self._full())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._asked)
        layout.addWidget(self._stack)

    def _full(self) -> QWidget:
        top = QHBoxLayout()
        top.addWidget(label(self.tr("Total power")))
        top.addStretch(1)
        top.addWidget(self.align)
        left = named(QWidget(), "plain")
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.plot, 100)
        column.addWidget(self._curve_note)
        self._phase_legend = label("", "legend")
        self._phase_legend.setTextFormat(Qt.TextFormat.RichText)
        self._phase_legend.setText(self.bars.legend())
        phases = QHBoxLayout()
        phases.addWidget(label(self.tr("Phases")))
        phases.addStretch(1)
        phases.addWidget(self._phase_legend)
        column.addLayout(phases)
        column.addWidget(self.bars)
        column.addStretch(1)  # takes the room where there is no curve
        right = QWidget()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.table, 1)
        beside.addWidget(self._notes)
        left.setMinimumWidth(CURVE_WIDTH)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.addWidget(left)
        self._splitter.addWidget(right)
        self._splitter.setChildrenCollapsible(False)
        return self._splitter

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the room out again."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """Give the table what its columns need, and the curves the rest."""
        # Two queries leave the room of three: their verdicts stand on one line.
        wanted = NAME_WIDTH + max(sum(self.table.needed()), 3 * SIDE_WIDTH) + 20
        left = max(self.width() - wanted, CURVE_WIDTH)
        self._splitter.setSizes([left, self.width() - left])

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.plot.set_theme(theme)
        self.bars.set_theme(theme)
        self.table.set_theme(theme)
        self._phase_legend.setText(self.bars.legend())

    def show_laid(self, laid: Laid) -> None:
        """Show some queries."""
        self._laid = laid
        self.rows.show_sides(laid.sides)
        self.bars.show_records([side.record for side in laid.sides])
        self._asked.setText(asked([side.record.prompt for side in laid.sides]))
        self._asked.setVisible(bool(self._asked.text()))
        notes: dict[str, list[str]] = {}
        for letter, side in zip(LETTERS, laid.sides, strict=False):
            for line in side_lines(side, translate):
                notes.setdefault(line, []).append(letter)
        told = (f"{', '.join(letters)}: {line}" for line, letters in notes.items())
        self._notes.setText("\n".join(told))
        self._notes.setVisible(bool(notes))
        self._stack.setCurrentIndex(1)
        self._make_room()
        self._draw_curves()

    def _draw_curves(self) -> None:
        if self._laid is None:
            return
        align = Align(self.align.currentData())  # Qt hands a StrEnum back as a plain text.
        found = [
            trace and curve_of(number, side.record, trace, align)
            for number, (side, trace) in enumerate(
                zip(self._laid.sides, self._laid.traces, strict=True)
            )
        ]
        drawn = [curve for curve in found if curve]
        self.plot.show_curves(drawn, align)
        self.plot.setVisible(bool(drawn))
        missing = [LETTERS[number] for number, curve in enumerate(found) if not curve]
        text = self.tr("No curve to draw: %1").replace("%1", ", ".join(missing))
        self._curve_note.setText(text if missing else "")
        self._curve_note.setVisible(bool(missing))
