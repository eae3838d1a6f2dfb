"""What training a model took, and how many of a person's answers equal that."""

from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.models.training_dialog import TrainingDialog
from desktop.theme.equivalents import EquivalentLine
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.carbon.equivalents import PREFERENCE
from monitor.carbon.training import Comparison, Training, compare_answers
from monitor.energy.interval import Interval
from monitor.models.training_report import equals_words, method_words, spread_words
from monitor.store.history import History

TEXTS = (
    QT_TRANSLATE_NOOP("Training", "entered"),
    QT_TRANSLATE_NOOP("Training", "told by its card"),
    QT_TRANSLATE_NOOP("Training", "computed"),
    QT_TRANSLATE_NOOP("Training", "time × TDP, an upper figure"),
    QT_TRANSLATE_NOOP("Training", "As much as about %1 of your answers"),
    QT_TRANSLATE_NOOP("Training", "%1 or more, as your answers differ"),
    QT_TRANSLATE_NOOP("Training", "Between %1 and %2, as your answers differ"),
    QT_TRANSLATE_NOOP("Training", "1 answer, %2"),
    QT_TRANSLATE_NOOP("Training", "%1 answers, %2 on average"),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""

SELECTABLE = (
    Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
)


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.models.training_report` in the window's language."""
    return QCoreApplication.translate("Training", text)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is shown of a model.

    :param wanted: whether everyday equivalents are
    """

    model: str
    training: Training | None
    compared: Comparison | None
    wanted: bool


class TrainingCard(QFrame):
    """Shows the training of the model it was told of last, and lets a person enter it."""

    changed = Signal()
    """A training was entered or forgotten."""

    def __init__(self, bridge: Bridge, history: History, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history
        self._model = ""
        self._known: _Known | None = None
        self.figure = label("", "figure")
        self.source = label("", "muted", wrap=True)
        self.equals = label("", wrap=True)
        self.spread = label("", "muted", wrap=True)
        self.equivalents = EquivalentLine()
        for each in (self.figure, self.source, self.equals):
            each.setTextInteractionFlags(SELECTABLE)
        self.enter = tool_button(self.tr("Enter …"))
        self.forget = tool_button(self.tr("Forget"))
        self.enter.clicked.connect(self.ask)
        self.forget.clicked.connect(self._forget)
        self._build()
        self._show(None)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label(self.tr("Training"), "muted"))
        head.addWidget(self.figure, 1)
        head.addWidget(self.forget)
        head.addWidget(self.enter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        for widget in (self.equals, self.spread, self.equivalents, self.source):
            layout.addWidget(widget)

    def show_model(self, name: str) -> None:
        """Show a model's training, once it is read.

        :param name: as in the history and :attr:`monitor.engine.gguf.ModelInfo.name`
        """
        if name != self._model:
            self._show(None)
        self._model = name
        history = self._history

        def read() -> _Known:
            found = history.trainings.known().get(name)
            compared = compare_answers(found, history.trainings.answers(name)) if found else None
            return _Known(name, found, compared, bool(history.preference(PREFERENCE, True)))

        self._bridge.read(read, self._show)

    def _show(self, known: _Known | None) -> None:
        if known and known.model != self._model:
            return  # of a model that was left meanwhile
        self._known = known
        training = known.training if known else None
        self.enter.setEnabled(known is not None)
        self.enter.setText(self.tr("Change …") if training else self.tr("Enter …"))
        self.enter.setAccessibleName(self.tr("Enter what its training took"))
        self.forget.setVisible(training is not None)
        for each in (self.equals, self.spread, self.source):
            each.hide()
        self.figure.setText("")
        self.equivalents.set_wanted(known is not None and known.wanted)
        self.equivalents.show_amounts(None, None)
        if training and known:
            self._show_training(training, known.compared)
        elif known:
            self._put(
                self.source, self.tr("Not known. A paper, its card or its hardware may tell.")
            )

    def _show_training(self, training: Training, compared: Comparison | None) -> None:
        self.figure.setText(f"{figures.mass(training.grams)} CO₂e")
        self._put(self.source, f"{method_words(training, translate)}: {training.source}")
        joules = training.energy_j
        energy = Interval(joules, 0.0, 0.0, 0.0) if joules is not None else None
        self.equivalents.show_amounts(energy, training.grams)
        if compared:
            self._put(self.equals, equals_words(compared, translate))
            self._put(self.spread, spread_words(compared, translate))
        else:
            self._put(self.spread, self.tr("Ask it something to see how many answers equal this."))

    @staticmethod
    def _put(where: QLabel, text: str) -> None:
        where.setText(text)
        where.show()

    def ask(self) -> None:
        """Let the person enter a training."""
        if self._known is None:
            return
        model = self._known.model
        dialog = TrainingDialog(self._bridge, model, self._known.training, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.told.connect(lambda training: self.keep(model, training))
        dialog.open()

    def keep(self, model: str, training: Training) -> None:
        """Keep a model's training and show it."""
        trainings = self._history.trainings
        self._bridge.change(lambda: trainings.keep(model, training), self._on_changed)

    def _forget(self) -> None:
        model, trainings = self._model, self._history.trainings
        self._bridge.change(lambda: trainings.forget(model), self._on_changed)

    def _on_changed(self, _done: object) -> None:
        self.changed.emit()
        self.show_model(self._model)
