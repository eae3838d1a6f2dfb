"""What can be done with the queries that are selected."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QWidget

from desktop.theme.widgets import label, tool_button
from monitor.store.records import QueryRow

FEWEST_TO_COMPARE, MOST_TO_COMPARE = 2, 4


class ActionBar(QWidget):
    """Buttons for the selected rows of the history table."""

    compare_wanted = Signal()
    tag_wanted = Signal(str)
    delete_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[QueryRow] = []
        self._count = label("", "muted")
        self.compare = tool_button(self.tr("Compare"))
        self.tag = tool_button(self.tr("Tag …"))
        self.delete = tool_button(self.tr("Delete"))
        self.export = tool_button(self.tr("Export …"))
        self.compare.clicked.connect(self.compare_wanted)
        self.tag.clicked.connect(self._ask_tag)
        self.delete.clicked.connect(self.delete_wanted)
        self.export.clicked.connect(self.export_wanted)
        self.export.setToolTip(self.tr("The selected queries, as a file"))
        self.compare.setToolTip(self.tr("Two to four queries side by side"))
        self.delete.setToolTip(self.tr("Delete the selected queries (Delete); Ctrl+Z undoes it"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for widget in (self._count, self.compare, self.tag, self.export, self.delete):
            row.addWidget(widget)
        self.show_selection([])

    def show_selection(self, rows: list[QueryRow]) -> None:
        """Follow the table's selection."""
        self._rows = rows
        self._count.setText(self.tr("%1 selected").replace("%1", f"{len(rows):,}"))
        self._count.setVisible(self.is_counting)
        self.compare.setEnabled(FEWEST_TO_COMPARE <= len(rows) <= MOST_TO_COMPARE)
        self.tag.setEnabled(bool(rows))
        self.delete.setEnabled(bool(rows))
        self.export.setEnabled(bool(rows))

    @property
    def is_counting(self) -> bool:
        """Whether it says how many are selected: that of one goes without saying."""
        return len(self._rows) > 1

    def _ask_tag(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(self.tr("Tag"))
        dialog.setLabelText(self.tr("A word or two by which these queries can be found again:"))
        dialog.textValueSelected.connect(self.tag_wanted)
        dialog.open()
