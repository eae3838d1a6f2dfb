"""Entering a carbon intensity of one's own."""

from datetime import date

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.numbers import DecimalField, WholeField
from desktop.theme.widgets import add_field, label, named
from monitor.carbon.choice import choose_own
from monitor.carbon.own import FIRST_YEAR, LAST_YEAR, MOST_G_PER_KWH, MOST_LETTERS, OwnFigure


class OwnTab(QWidget):
    """The figure with its name, source and year."""

    wanted = Signal(object)
    """A change of what is chosen; called with where choices are kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figure = DecimalField(decimals=1, maximum=MOST_G_PER_KWH, singleStep=10)
        self.figure.setSuffix(self.tr(" g CO₂e/kWh"))
        self.figure.setSpecialValueText(self.tr("not entered"))
        self.name, self.source = QLineEdit(), QLineEdit()
        self.name.setPlaceholderText(self.tr("Rooftop"))
        self.source.setPlaceholderText(self.tr("my supplier's statement of 2026"))
        for field in (self.name, self.source):
            field.setMaxLength(MOST_LETTERS)
            field.textChanged.connect(self._mind_button)
        self.year = WholeField(minimum=FIRST_YEAR, maximum=LAST_YEAR, value=date.today().year)
        self.figure.valueChanged.connect(self._mind_button)
        self.use = named(QPushButton(self.tr("Use this figure")), "primary")
        self.use.setAutoDefault(False)
        self.use.clicked.connect(self._use)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_field(form, self.tr("Carbon intensity"), self.figure)
        add_field(form, self.tr("Name"), self.name)
        add_field(form, self.tr("Source"), self.source)
        add_field(form, self.tr("Year"), self.year)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        promise = self.tr(
            "For a supplier's contract, panels on the roof, or a figure from another table. It "
            "is kept with every answer it is used for, under this name and source."
        )
        layout.addWidget(label(promise, "muted", wrap=True))
        layout.addLayout(form)
        layout.addWidget(self.use, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addStretch(1)
        self._mind_button()

    def show_own(self, own: OwnFigure | None) -> None:
        """Show the figure there is; what a person is about to enter stays."""
        if own is None:
            return
        self.figure.setValue(own.g_per_kwh)
        self.name.setText(own.name)
        self.source.setText(own.source)
        self.year.setValue(own.year)

    def _mind_button(self) -> None:
        texts = self.name.text().strip() and self.source.text().strip()
        self.use.setEnabled(bool(texts) and self.figure.value() > 0)

    def _use(self) -> None:
        # Where a click takes no focus (macOS), what was typed is not settled yet.
        if not all([self.figure.settle(), self.year.settle()]):
            return
        given = (
            self.figure.value(),
            self.name.text().strip(),
            self.source.text().strip(),
            self.year.value(),
        )
        self.wanted.emit(lambda kept: choose_own(kept, OwnFigure(*given)))
