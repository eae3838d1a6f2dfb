"""Entering what training a model took: as it is known, as its card says, or from its hardware."""

from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.models.asking import Asking
from desktop.models.every_digit import show_every_digit
from desktop.models.training_hardware import HardwareTab
from desktop.theme.numbers import DecimalField
from desktop.theme.widgets import ChoiceBox, add_field, label, named, tool_button
from monitor import figures
from monitor.carbon.training import Method, Training, TrainingError, entered
from monitor.hub.access import HubError
from monitor.hub.card import Card, read_card
from monitor.hub.catalog import repository_name

MASSES = ((1.0, "g"), (1e3, "kg"), (1e6, "t"))

ENERGIES = ((3.6e6, "kWh"), (3.6e9, "MWh"), (3.6e12, "GWh"))


DIGITS = 12
"""Significant ones of an amount in a field; what is known has fewer, but for a unit's rounding."""


class TrainingDialog(QDialog):
    """Asks for a training in one of three ways; :attr:`told` follows when it is accepted."""

    told = Signal(object)
    """The :class:`monitor.carbon.training.Training` that was entered."""

    def __init__(
        self, bridge: Bridge, model: str, known: Training | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Training of %1").replace("%1", model))
        self.resize(560, 360)
        self.known = KnownTab()
        self.card = CardTab(bridge)
        self.hardware = HardwareTab()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.known, self.tr("I know the figure"))
        self.tabs.addTab(self.card, self.tr("From a model card"))
        self.tabs.addTab(self.hardware, self.tr("Reckon it"))
        self.problem = label("", "warning", wrap=True)
        self.problem.hide()
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        for button in buttons.buttons():
            button.setIcon(QIcon())  # the style's own match nothing else here
        named(buttons.button(QDialogButtonBox.StandardButton.Save), "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)
        for tab in (self.known, self.card, self.hardware):
            tab.edited.connect(self.problem.hide)
        self.tabs.currentChanged.connect(self.problem.hide)
        self._known, self._as_shown = known, None if known is None else self._show(known)
        self.tabs.currentWidget().setFocus()

    def _show(self, known: Training) -> Training | None:
        """Begin with what is known, so that it can be mended; return what the fields make of it."""
        tab: HardwareTab | KnownTab = self.hardware
        if known.method is not Method.COMPUTED or not self.hardware.show_training(known):
            tab = self.known
            tab.show_training(known)
        self.tabs.setCurrentWidget(tab)
        with suppress(TrainingError):
            return tab.training()
        return None

    def accept(self) -> None:
        """Take what was entered, or say what is wrong with it; read a card first."""
        if self.tabs.currentWidget() is self.card and self.card.is_unread:
            self.card.ask()  # the Enter key after a repository's name
            return
        self.hardware.settle()
        tabs: tuple[Callable[[], Training], ...] = (
            self.known.training,
            self.card.training,
            self.hardware.training,
        )
        try:
            training = tabs[self.tabs.currentIndex()]()
        except TrainingError as problem:
            self.problem.setText(str(problem))
            self.problem.show()
            return
        if self._known and training == self._as_shown:
            training = self._known  # with how it came about, and what no field shows of it
        self.told.emit(training)
        super().accept()


class KnownTab(QWidget):
    """Grams, the energy if it is told, and where they are from."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mass = AmountField(MASSES, self.tr("CO₂e of the training"), self.tr("Unit of mass"))
        self.energy = AmountField(
            ENERGIES, self.tr("Energy of the training"), self.tr("Unit of energy")
        )
        self.energy.unit.setCurrentText("MWh")
        widest = max(each.unit.sizeHint().width() for each in (self.mass, self.energy))
        for amount in (self.mass, self.energy):
            amount.unit.setMinimumWidth(widest)
        self.source = QLineEdit()
        self.source.setPlaceholderText(self.tr("A paper, a report, your own meter"))
        form = QFormLayout(self)
        form.setContentsMargins(14, 14, 14, 14)
        add_field(form, self.tr("CO₂e in all"), self.mass)
        add_field(form, self.tr("Energy, if it is told"), self.energy)
        add_field(form, self.tr("Where it is from"), self.source)
        self.setFocusProxy(self.mass)
        for amount in (self.mass, self.energy):
            amount.edited.connect(self.edited)
        self.source.textChanged.connect(lambda _text: self.edited.emit())

    def show_training(self, training: Training) -> None:
        """Show what is known."""
        self.mass.show_amount(training.grams)
        if training.energy_j is not None:
            self.energy.show_amount(training.energy_j)
        self.source.setText(training.source)

    def training(self) -> Training:
        """Return what was entered.

        :raises TrainingError: if it is none
        """
        return entered(self.mass.amount(), self.source.text(), self.energy.amount() or None)


class AmountField(QWidget):
    """A number with its unit beside it.

    :param units: how much each is, and its name, from the smallest
    :param name: of the number, for screen readers; ``unit_name`` is that of the unit
    """

    edited = Signal()

    def __init__(self, units: figures.Units, name: str, unit_name: str) -> None:
        super().__init__()
        self._units = units
        self.number = DecimalField()
        self.number.setRange(0, 1e12)
        self.number.setDecimals(3)
        self.number.setSpecialValueText(self.tr("not entered"))
        self.number.setAccessibleName(name)
        self.unit = ChoiceBox()
        self.unit.addItems([each for _size, each in units])
        self.unit.setCurrentIndex(len(units) - 1)
        self.unit.setAccessibleName(unit_name)
        self._given: float | None = None
        """The amount that is shown, until another is entered: a unit's size may round it."""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.number, 1)
        row.addWidget(self.unit)
        self.setFocusProxy(self.number)
        self.number.valueChanged.connect(self._on_edited)
        self.unit.currentIndexChanged.connect(self._on_edited)

    def show_amount(self, amount: float) -> None:
        """Show an amount in the unit that fits it."""
        size, name = figures.unit_for(amount, self._units[::-1])
        self.unit.setCurrentText(name)
        show_every_digit(self.number, float(f"{amount / size:.{DIGITS}g}"))
        self._given = amount

    def _on_edited(self) -> None:
        self._given = None
        self.edited.emit()

    def amount(self) -> float:
        """Return what was entered, 0 if nothing; to its last digit if it is as it was shown."""
        if self._given is not None:
            return self._given
        return self.number.value() * self._units[self.unit.currentIndex()][0]


class CardTab(QWidget):
    """The field ``co2_eq_emissions`` of a card on Hugging Face, read when a person asks."""

    edited = Signal()

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._found: Training | None = None
        self._is_told = False
        self._asking = Asking(bridge, self.show_card, self._refuse, self)
        self.repository = QLineEdit()
        self.repository.setPlaceholderText("meta-llama/Llama-3.1-8B")
        self.repository.setAccessibleName(self.tr("Repository on Hugging Face"))
        self.read = tool_button(self.tr("Read its card"))
        self.result = label("", wrap=True)
        self.read.clicked.connect(self.ask)
        self.repository.textChanged.connect(self._forget)
        row = QHBoxLayout()
        row.addWidget(self.repository, 1)
        row.addWidget(self.read)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        about = self.tr(
            "Some model cards state the grams their training emitted. The card of the model this "
            "one was made from often does."
        )
        layout.addWidget(label(about, "muted", wrap=True))
        layout.addLayout(row)
        layout.addWidget(self.result)
        layout.addStretch(1)

    @property
    def is_unread(self) -> bool:
        """Whether a repository is named whose card nothing was said of yet."""
        return bool(self.repository.text().strip()) and not self._is_told

    def ask(self) -> None:
        """Read the card, beside the window's thread."""
        if not self.repository.text().strip():
            self.result.setText(self.tr("Give a repository, as owner/name."))
            return
        try:
            repository = repository_name(self.repository.text())
        except HubError as problem:
            self._refuse(str(problem))
            return
        self.repository.setText(repository)  # of its page's address, perhaps
        self.result.setText(self.tr("Reading …"))
        self._asking.ask(lambda tick: read_card(repository, tick))

    def show_card(self, card: Card | None) -> None:
        """Show what a card says of training."""
        if card and card.repository != self.repository.text().strip():
            return  # another was named meanwhile
        self._found, self._is_told = card.training if card else None, True
        if card is None:
            self.result.setText(self.tr("It has no card, or gives it only to whom it knows."))
        elif card.training is None:
            self.result.setText(self.tr("Its card does not say what training emitted."))
        else:
            words = self.tr("%1 CO₂e, by the %2").replace("%2", card.training.source)
            self.result.setText(words.replace("%1", figures.mass(card.training.grams)))

    def _refuse(self, problem: str) -> None:
        self._is_told = True
        self.result.setText(problem)

    def _forget(self) -> None:
        self._found, self._is_told = None, False
        self.result.setText("")
        self.edited.emit()

    def training(self) -> Training:
        """Return what the card says.

        :raises TrainingError: if none was read that says something
        """
        if self._found is None:
            raise TrainingError(self.tr("Read a card that states its training's emissions first."))
        return self._found
