"""The leaderboard: how it is ranked and put together, and what can be done with its rows."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from desktop.compare.choice import Choice, Grouping
from desktop.compare.copies import as_markdown, as_tsv
from desktop.compare.model import CompareModel
from desktop.compare.rows import KEYS, MODEL, RANK
from desktop.compare.table import LeaderboardTable
from desktop.compare.weights import WeightsPanel
from desktop.theme.hidden import HiddenColumns
from desktop.theme.palette import Theme
from desktop.theme.widgets import ChoiceBox, label, menu_button, tool_button
from monitor.compare.side_by_side import FEWEST, MOST


class LeaderboardView(QWidget):
    """Shows the :attr:`CompareModel.standing`."""

    sides_wanted = Signal(object)
    """Places in the board of rows to lay side by side."""
    rows_chosen = Signal(object)
    """Places in the board of the selected rows."""
    said = Signal(str)

    def __init__(self, model: CompareModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._looks: tuple[Grouping, bool, str] | None = None
        self.table = LeaderboardTable(theme)
        self.rank_by = ChoiceBox()
        self.rank_by.setAccessibleName(self.tr("Rank by"))
        for key in KEYS:
            if key not in (RANK, MODEL):
                self.rank_by.addItem(self.table.rows.titles[key], key)
        self.group_by = ChoiceBox()
        self.group_by.setAccessibleName(self.tr("Group by"))
        for grouping, text in (
            (Grouping.NOTHING, self.tr("nothing")),
            (Grouping.FAMILY, self.tr("family")),
            (Grouping.QUANTISATION, self.tr("quantisation")),
            (Grouping.MACHINE, self.tr("machine")),
        ):
            self.group_by.addItem(text, grouping)
        self.weights = tool_button(self.tr("Weights …"))
        self.weights.setToolTip(self.tr("What counts for efficiency"))
        self.panel = WeightsPanel(self)
        self.sides = tool_button(self.tr("Side by side"))
        self.sides.setToolTip(self.tr("The newest runs of two to four selected rows"))
        self.copy = self._copy_button()
        self.hidden = HiddenColumns()
        self._build()
        self._connect()
        self._follow_selection([])

    def _copy_button(self) -> QToolButton:
        button = menu_button(self.tr("Copy ▾"))
        menu = button.menu()
        menu.addAction(self.tr("For a spreadsheet (TSV)"), self.copy_tsv)
        menu.addAction(self.tr("As Markdown"), self.copy_markdown)
        return button

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(6)
        for text, box in ((self.tr("Rank by"), self.rank_by), (self.tr("Group by"), self.group_by)):
            row.addWidget(label(text, "muted"))
            row.addWidget(box)
        row.addWidget(self.weights)
        row.addStretch(1)
        row.addWidget(self.hidden)
        row.addWidget(self.sides)
        row.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)

    def _connect(self) -> None:
        self.rank_by.activated.connect(lambda: self._rank(self.rank_by.currentData()))
        self.group_by.activated.connect(
            # Qt hands a StrEnum back as a plain text.
            lambda: self._model.choose(grouping=Grouping(self.group_by.currentData()))
        )
        self.weights.clicked.connect(self._open_weights)
        self.panel.weights_chosen.connect(lambda found: self._model.choose(weights=found))
        self.sides.clicked.connect(lambda: self.sides_wanted.emit(self.table.selected_rows()))
        self.table.sort_wanted.connect(self._on_header)
        self.table.rows_chosen.connect(self._follow_selection)
        self.table.fitted.connect(self._tell_hidden)
        copy = QShortcut(QKeySequence.StandardKey.Copy, self.table)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self.copy_tsv)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.table.set_theme(theme)

    def show_choice(self, choice: Choice) -> None:
        """Show what is chosen, and the rows in its order."""
        self.rank_by.setCurrentIndex(self.rank_by.findData(choice.sort))
        self.group_by.setCurrentIndex(self.group_by.findData(choice.grouping))
        standing = self._model.standing
        looks = (choice.grouping, choice.is_reversed, choice.sort)
        # A column that is only asked for yet has nothing to be shown by.
        is_reckoned = standing is None or standing.column.key == choice.sort
        if is_reckoned and (standing is not self.table.standing or looks != self._looks):
            self._looks = looks
            self.table.show_standing(standing, *looks)

    # --- choosing ------------------------------------------------------------------------

    def _rank(self, key: str, is_reversed: bool = False) -> None:
        self._model.choose(sort=key, is_reversed=is_reversed)

    def _on_header(self, key: str) -> None:
        choice = self._model.choice
        self._rank(key, key == choice.sort and not choice.is_reversed)

    def _open_weights(self) -> None:
        self.panel.show_weights(self._model.choice.weights)
        self.panel.open_below(self.weights)

    def _tell_hidden(self) -> None:
        """Say which columns there is no room for, and how to see them."""
        shown = self.table.shown_keys()
        names = [self.table.rows.titles[key] for key in KEYS if key not in shown]
        self.hidden.tell(names, self.tr("Make the window wider, or rank by one of them."))

    def _follow_selection(self, rows: list[int]) -> None:
        self.sides.setEnabled(FEWEST <= len(rows) <= MOST)
        self.rows_chosen.emit(rows)

    # --- copying -------------------------------------------------------------------------

    def copy_tsv(self) -> None:
        """Put the whole table on the clipboard as plain numbers."""
        if self._model.standing:
            QGuiApplication.clipboard().setText(as_tsv(self._model.standing))
            self.said.emit(self.tr("The table is on the clipboard, with all of its figures."))

    def copy_markdown(self) -> None:
        """Put the whole table on the clipboard as it is read."""
        if self._model.standing:
            QGuiApplication.clipboard().setText(as_markdown(self._model.standing))
            self.said.emit(self.tr("The table is on the clipboard as Markdown."))
