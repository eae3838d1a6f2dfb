"""How much energy answers may take: of one, and of a day."""

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.numbers import DecimalField
from desktop.theme.widgets import ChoiceBox, label, named
from monitor import figures
from monitor.energy.budget import Budget, Spent

UNITS = (("J", 1.0), ("kJ", 1e3), ("Wh", figures.J_PER_WH))

LARGEST = 1e9


class _Limit:
    """A box to tick, a figure and its unit.

    :param usual_j: what stands there before it was ever set
    """

    def __init__(self, title: str, usual_j: float, limit_j: float | None) -> None:
        self.box = QCheckBox(title)
        self.figure = DecimalField(decimals=2, minimum=0.01, maximum=LARGEST)
        self.figure.setAccessibleName(title)
        self.unit = ChoiceBox()
        self.unit.setAccessibleName(title)
        for name, joules in UNITS:
            self.unit.addItem(name, joules)
        joules = limit_j or usual_j
        at = max(index for index, (_, size) in enumerate(UNITS) if index == 0 or joules >= size)
        self.unit.setCurrentIndex(at)
        self.figure.setValue(joules / UNITS[at][1])
        self._before = (self.figure.value(), at, joules)
        self.box.setChecked(limit_j is not None)
        self.box.toggled.connect(self._enable)
        self._enable(limit_j is not None)

    def _enable(self, is_set: bool) -> None:
        self.figure.setEnabled(is_set)
        self.unit.setEnabled(is_set)

    @property
    def joules(self) -> float | None:
        if not self.box.isChecked():
            return None
        figure, at, joules = self._before
        if (self.figure.value(), self.unit.currentIndex()) == (figure, at):
            return joules  # not what the field has rounded it to
        return float(self.figure.value() * self.unit.currentData())


class BudgetDialog(QDialog):
    """Asks for a :class:`Budget`.

    :param budget: the present one
    :param spent: what this day's queries have drawn so far
    """

    def __init__(self, budget: Budget, spent: Spent, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Energy budget"))
        self._answer = _Limit(self.tr("An answer may take at most"), 100.0, budget.answer_j)
        self._day = _Limit(self.tr("A day may take at most"), 5 * figures.J_PER_WH, budget.day_j)
        grid = QGridLayout()
        for row, limit in enumerate((self._answer, self._day)):
            for column, widget in enumerate((limit.box, limit.figure, limit.unit)):
                grid.addWidget(widget, row, column)
        grid.setColumnStretch(0, 1)
        so_far = self.tr("Today so far: %1.").replace("%1", spent.words)
        words = self.tr(
            "An answer that has used its budget up is stopped; its text and its bill are kept. "
            "Benchmarks and commands count towards the day."
        )
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        named(buttons.button(QDialogButtonBox.StandardButton.Ok), "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addLayout(grid)
        layout.addWidget(label(f"{words} {so_far}", "muted", wrap=True))
        layout.addWidget(buttons)
        self.setMinimumWidth(460)
        self.adjustSize()

    @property
    def budget(self) -> Budget:
        """What was chosen."""
        return Budget(self._answer.joules, self._day.joules)


def budget_words(budget: Budget) -> str:
    """Write a budget briefly, "" without one: ``100 J, 5 Wh a day`` untranslated in its units."""
    answer = figures.energy(budget.answer_j) if budget.answer_j is not None else ""
    day = f"{figures.energy(budget.day_j)}/d" if budget.day_j is not None else ""
    return " · ".join(filter(None, (answer, day)))
