"""A run's items, and the flips between two runs, as tables with the chosen item in full."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from monitor import figures
from monitor.bench.tables import item_cells, signed
from monitor.bench.verdict import Flip, is_right
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRecord

NOWHERE = QModelIndex()

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class TextTable(QAbstractTableModel):
    """Rows of texts, made when they are looked at.

    :param headers: of the columns
    :param figures_in: columns that hold figures
    """

    def __init__(
        self, headers: Sequence[str], figures_in: set[int], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._headers, self._figures_in = list(headers), figures_in
        self.rows: Sequence[Any] = ()

    def cells(self, row: Any) -> Sequence[str]:
        """Return a row's texts."""
        raise NotImplementedError

    def show_rows(self, rows: Sequence[Any]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Any = NOWHERE) -> int:
        """Rows; none below a row."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Any = NOWHERE) -> int:
        """Columns."""
        return 0 if parent.isValid() else len(self._headers)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Headers, aligned as their columns."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headers[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if section in self._figures_in else LEFT
        return None

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Texts of one cell."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.cells(self.rows[index.row()])[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT if index.column() in self._figures_in else LEFT
        return None


class ItemsModel(TextTable):
    """A run's items, all of them or only those the model got wrong."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__((), {0, 4, 5, 6}, parent)
        self._headers = [
            self.tr("No."),
            self.tr("Question"),
            self.tr("Right"),
            self.tr("The model's"),
            self.tr("Margin"),
            self.tr("Energy"),
            self.tr("Time"),
        ]
        self._items: Sequence[ItemRecord] = ()
        self._by_length, self._wrong_only = False, False
        self._kind: Kind | None = None

    def show_items(self, items: Sequence[ItemRecord], by_length: bool, kind: Kind | None) -> None:
        """Show a run's items.

        :param by_length: whether the score by length is the one that counts
        """
        self._items, self._by_length, self._kind = items, by_length, kind
        self._filter()

    def set_wrong_only(self, wrong_only: bool) -> None:
        """Show only what the model got wrong, or all."""
        self._wrong_only = wrong_only
        self._filter()

    def _filter(self) -> None:
        if not self._wrong_only:
            self.show_rows(self._items)
            return
        wrong = [item for item in self._items if is_right(item, self._by_length) is False]
        self.show_rows(wrong)

    def cells(self, row: ItemRecord) -> Sequence[str]:
        """Return an item's texts."""
        return (*item_cells(row, self._by_length, self._kind), figures.duration(row.seconds))


class FlipsModel(TextTable):
    """Items on which two runs differ."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__((), {0, 3, 4}, parent)
        self._headers = [
            self.tr("No."),
            self.tr("Question"),
            self.tr("Change"),
            self.tr("Margin before"),
            self.tr("Margin after"),
        ]

    def cells(self, row: Flip) -> Sequence[str]:
        """Return a flip's texts."""
        margins = [
            "" if item.margin is None else signed(item.margin, 3) for item in (row.item, row.other)
        ]
        change = self.tr("now right") if row.gained else self.tr("now wrong")
        return (
            str(row.item.position + 1),
            " ".join(row.item.prompt.split())[:90],
            change,
            *margins,
        )


def item_words(item: ItemRecord) -> str:
    """Write an item in full: question, choices with their log-likelihoods, or the answer."""
    lines = [item.prompt, ""]
    for index, choice in enumerate(item.choices):
        mark = "✓" if index in item.gold or not item.gold else " "
        taken = "→" if index in (item.pred, item.pred_norm) else " "
        value = f"{item.scores[index].loglikelihood:10.3f}" if index < len(item.scores) else ""
        lines.append(f"{taken}{mark} {value}  {choice}")
    if item.answer:
        lines += ["", item.answer.strip()]
    return "\n".join(lines)


def flip_words(flip: Flip) -> str:
    """Write an item on which two runs differ: as the first scored it, then as the second did."""
    return f"{item_words(flip.item)}\n\n{item_words(flip.other)}"
