"""The tables below the plot: the bill of the chosen span, and what lies between the marks."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from desktop.theme.roles import role_note
from desktop.watch.clock import clock
from desktop.watch.words import part_words
from monitor import figures
from monitor.bill_words import total_words
from monitor.energy.account import Line
from monitor.recorded import Cost, Span

ROW_PAD = 8

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class _Table(QTableWidget):
    """A table of which the first column is words and the rest are figures."""

    def __init__(self, headers: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(0, len(headers), parent)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().lineSpacing() + ROW_PAD)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(72)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, text in enumerate(headers):
            item = QTableWidgetItem(text)
            item.setTextAlignment(RIGHT if column else LEFT)
            self.setHorizontalHeaderItem(column, item)

    def fill(self, rows: Sequence[Sequence[str]], bold: int = -1, editable: bool = False) -> None:
        """Write the cells, in place where there are as many rows as before.

        :param bold: the row that is a sum, -1 for none
        :param editable: whether the first column can be
        """
        self.blockSignals(True)
        self.setRowCount(len(rows))
        for at, cells in enumerate(rows):
            for column, text in enumerate(cells):
                item = self.item(at, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.setItem(at, column, item)
                if item.text() != text:
                    item.setText(text)
                if column:
                    item.setTextAlignment(RIGHT)
                font = self.font()
                font.setBold(at == bold)
                item.setFont(font)
                flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
                if editable and column == 0 and at:
                    flags |= Qt.ItemFlag.ItemIsEditable
                item.setFlags(flags)
        self.blockSignals(False)


class BillTable(_Table):
    """The bill of a span: the total of the parts, then a row a channel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            (
                self.tr("Channel"),
                self.tr("Energy"),
                self.tr("95 % interval"),
                self.tr("Mean"),
                self.tr("Peak"),
                self.tr("Read"),
            ),
            parent,
        )
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName(self.tr("Bill of the span"))

    def show_cost(self, cost: Cost) -> None:
        """Show what a span cost."""
        total = cost.bill.total()
        total_row = (
            self.tr("Total of the parts"),
            total_words(cost.bill),
            figures.bounds(total.energy).strip("()"),
            figures.marked(total.kind, figures.power(cost.mean_w)),
            "",
            figures.percent(total.coverage),
        )
        # First, so that it is seen in a low window as well.
        self.fill([total_row, *map(self._row, cost.bill.by_channel())], bold=0)

    def _row(self, line: Line) -> tuple[str, ...]:
        channel = line.channel
        return (
            channel.label + role_note(channel.role),
            figures.marked(channel.kind, figures.energy(line.joules)),
            figures.bounds(line.energy).strip("()"),
            figures.marked(channel.kind, figures.power(line.mean_w)),
            figures.marked(channel.kind, figures.power(line.peak_w)),
            figures.percent(line.coverage),
        )


class PartsTable(_Table):
    """What each part of a recording between two marks cost. A row that is chosen is the span."""

    chosen = Signal(float, float)
    """Beginning and end of a part."""
    named = Signal(int, str)
    """The number of a mark, from 0, and another name for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            (
                self.tr("Beginning with"),
                self.tr("From"),
                self.tr("Length"),
                self.tr("Energy"),
                self.tr("95 % interval"),
                self.tr("Mean"),
                self.tr("Read"),
            ),
            parent,
        )
        self._spans: list[Span] = []
        self.setAccessibleName(self.tr("Parts between the marks"))
        self.setToolTip(self.tr("Choose a part to see its bill; a double click names its mark"))
        self.itemSelectionChanged.connect(self._on_selected)
        self.itemChanged.connect(self._on_changed)

    def show_parts(self, parts: Sequence[tuple[Span, Cost]]) -> None:
        """Show the parts, unless a name is being typed."""
        if self.state() == QAbstractItemView.State.EditingState:
            return
        self._spans = [span for span, _ in parts]
        rows = []
        for span, cost in parts:
            total = cost.bill.total()
            rows.append(
                (
                    part_words(span.number, span.name),
                    clock(span.start_s, 0.1),
                    clock(span.end_s - span.start_s, 0.1),
                    total_words(cost.bill),
                    figures.bounds(total.energy).strip("()"),
                    figures.marked(total.kind, figures.power(cost.mean_w)),
                    figures.percent(total.coverage),
                )
            )
        self.fill(rows, editable=True)

    def _on_selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows and rows[0].row() < len(self._spans):
            span = self._spans[rows[0].row()]
            self.chosen.emit(span.start_s, span.end_s)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        span = self._spans[item.row()]
        if span.number and item.text() != part_words(span.number, span.name):
            self.named.emit(span.number - 1, item.text())
