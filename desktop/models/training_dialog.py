"""Entering what training a model took: as it is known, as its card says, or from its hardware."""

from collections.abc import Callable

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
from desktop.models.training_hardware import HardwareTab
from desktop.theme.numbers import DecimalField
from desktop.theme.widgets import ChoiceBox, add_field, label, named, tool_button
from monitor import figures
from monitor.carbon.accelerators import UnknownAccelerator
from monitor.carbon.training import Method, Training, TrainingError, entered
from monitor.hub.card import Card, read_card

MASSES = ((1.0, "g"), (1e3, "kg"), (1e6, "t"))


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
        if known:
            self._show(known)

    def _show(self, known: Training) -> None:
        """Begin with what is known, so that it can be mended."""
        if known.method is Method.COMPUTED and self.hardware.show_training(known):
            self.tabs.setCurrentWidget(self.hardware)
        else:
            self.known.show_training(known)

    def accept(self) -> None:
        """Take what was entered, or say what is wrong with it; read a card first."""
        if self.tabs.currentWidget() is self.card and self.card.is_unread:
            self.card.ask()  # the Enter key after a repository's name
            return
        tabs: tuple[Callable[[], Training], ...] = (
            self.known.training,
            self.card.training,
            self.hardware.training,
        )
        try:
            training = tabs[self.tabs.currentIndex()]()
        except (TrainingError, UnknownAccelerator) as problem:
            self.problem.setText(str(problem))
            self.problem.show()
            return
        self.told.emit(training)
        super().accept()


class KnownTab(QWidget):
    """Grams and where they are from."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.amount = DecimalField()
        self.amount.setRange(0, 1e12)
        self.amount.setDecimals(3)
        self.amount.setAccessibleName(self.tr("CO₂e of the training"))
        self.unit = ChoiceBox()
        self.unit.addItems([name for _size, name in MASSES])
        self.unit.setCurrentIndex(len(MASSES) - 1)
        self.unit.setAccessibleName(self.tr("Unit"))
        self.source = QLineEdit()
        self.source.setPlaceholderText(self.tr("A paper, a report, your own meter"))
        mass = QHBoxLayout()
        mass.addWidget(self.amount, 1)
        mass.addWidget(self.unit)
        form = QFormLayout(self)
        form.setContentsMargins(14, 14, 14, 14)
        add_field(form, self.tr("CO₂e in all"), mass)
        add_field(form, self.tr("Where it is from"), self.source)
        self.amount.valueChanged.connect(lambda _value: self.edited.emit())
        self.source.textChanged.connect(lambda _text: self.edited.emit())

    def show_training(self, training: Training) -> None:
        """Show what is known."""
        size, name = figures.unit_for(training.grams, MASSES[::-1])
        self.unit.setCurrentText(name)
        self.amount.setValue(training.grams / size)
        self.source.setText(training.source)

    def training(self) -> Training:
        """Return what was entered.

        :raises TrainingError: if it is none
        """
        return entered(
            self.amount.value() * MASSES[self.unit.currentIndex()][0], self.source.text()
        )


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
        repository = self.repository.text().strip()
        if not repository:
            self.result.setText(self.tr("Give a repository, as owner/name."))
            return
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
