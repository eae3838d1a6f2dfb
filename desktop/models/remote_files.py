"""The models of a repository as a table: quantisation, size, whether it fits, what is here."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from monitor import figures
from monitor.hub.catalog import Listing, RemoteModel
from monitor.hub.names import shown

MODEL, SIZE, MEMORY, HERE = range(4)

USUAL = "Q4_K_M"
"""What is proposed where there is nothing to go on with: the quantisation most people take."""


class RemoteFiles(QTableWidget):
    """Shows a :class:`Listing`; the chosen row is what would be fetched."""

    changed = Signal()
    """Another model is chosen."""
    fetch_wanted = Signal()
    """A person pressed Enter on a model, or clicked it twice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 4, parent)
        self._models: Sequence[RemoteModel] = ()
        self._shares: list[float | None] = []
        self.setHorizontalHeaderLabels(
            [
                self.tr("Quantisation"),
                self.tr("Size"),
                self.tr("Memory"),
                self.tr("Here"),
            ]
        )
        self.setAccessibleName(self.tr("Models of the repository"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(MODEL, QHeaderView.ResizeMode.Stretch)
        self.itemSelectionChanged.connect(self.changed)
        self.itemActivated.connect(lambda _item: self.fetch_wanted.emit())

    def show_listing(
        self, listing: Listing | None, shares: Sequence[float | None], free_bytes: int
    ) -> None:
        """Show the models of a repository and propose one of them.

        :param shares: how much of each is here, 0 to 1
        :param free_bytes: memory that is free now
        """
        self._models = listing.models if listing else ()
        self._shares = list(shares)
        free = self.tr("%1 of memory are free now; the context takes some beside the model.")
        free = free.replace("%1", figures.size(free_bytes))
        self.clearContents()
        self.setRowCount(len(self._models))
        for row, model in enumerate(self._models):
            fits = model.size_bytes < free_bytes
            texts = {
                MODEL: self._words(model),
                SIZE: figures.size(model.size_bytes),
                MEMORY: self.tr("fits") if fits else self.tr("too large"),
                HERE: self._share_words(self._shares[row]),
            }
            for column, text in texts.items():
                item = QTableWidgetItem(text)
                item.setToolTip(free if column == MEMORY else shown(model.name))
                self.setItem(row, column, item)
        if self._models:
            self.selectRow(self._proposed())

    def set_share(self, model: RemoteModel, share: float | None) -> None:
        """Show how much of a model is here now, if it is among those shown."""
        if model in self._models:
            row = list(self._models).index(model)
            self._shares[row] = share
            self.setItem(row, HERE, QTableWidgetItem(self._share_words(share)))

    def chosen(self) -> tuple[RemoteModel, float | None] | None:
        """Return the chosen model and how much of it is here."""
        rows = self.selectionModel().selectedRows()
        return (self._models[rows[0].row()], self._shares[rows[0].row()]) if rows else None

    def _proposed(self) -> int:
        begun = [row for row, share in enumerate(self._shares) if share and share < 1]
        usual = [row for row, model in enumerate(self._models) if model.quantisation == USUAL]
        return next(iter([*begun, *usual]), 0)

    def _words(self, model: RemoteModel) -> str:
        """Return what tells a model from the others: its quantisation, or else its name."""
        named = [each.quantisation for each in self._models]
        is_enough = model.quantisation and named.count(model.quantisation) == 1
        words = model.quantisation if is_enough else shown(model.name.rpartition("/")[2])
        if len(model.parts) == 1:
            return words
        parts = self.tr("%1 in %2 parts").replace("%2", str(len(model.parts)))
        return parts.replace("%1", words)

    def _share_words(self, share: float | None) -> str:
        if not share:
            return ""
        return self.tr("yes") if share == 1 else f"{100 * share:.0f} %"
