"""Stepping through what was asked or answered at the same place."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.store.branches import Branch


class BranchSwitch(QWidget):
    """ "‹ 2/3 › ○ 12 J": hidden where there is but one.

    :param what: stands there, for screen readers
    """

    chosen = Signal(str)
    """The end of the branch to show."""

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._branches: Sequence[Branch] = ()
        self._at = 0
        self.before = named(tool_button("‹"), "small")
        self.before.setAccessibleName(self.tr("Earlier %1").replace("%1", what))
        self.after = named(tool_button("›"), "small")
        self.after.setAccessibleName(self.tr("Later %1").replace("%1", what))
        self.words = label("", "muted")
        self.before.clicked.connect(lambda: self._step(-1))
        self.after.clicked.connect(lambda: self._step(1))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.before, self.words, self.after):
            row.addWidget(widget)
        self.hide()

    def show_branches(self, branches: Sequence[Branch]) -> None:
        """Take the alternatives, one of which is shown."""
        self._branches = branches
        self.setVisible(len(branches) > 1)
        if len(branches) < 2:
            return
        self._at = next((at for at, each in enumerate(branches) if each.is_shown), 0)
        shown = branches[self._at]
        text = f"{self._at + 1}/{len(branches)}"
        cost = shown.cost
        if cost.energy_j is not None:
            energy = figures.marked(cost.kind, figures.energy(cost.energy_j))
            text += f" · {figures.at_least(energy, cost.is_lower_bound)}"
        self.words.setText(text)
        self.words.setToolTip(self.tr("What this branch and all that follows in it has cost"))
        self.before.setEnabled(self._at > 0)
        self.after.setEnabled(self._at < len(branches) - 1)

    def _step(self, by: int) -> None:
        at = self._at + by
        if 0 <= at < len(self._branches):
            self.chosen.emit(self._branches[at].leaf_id)
