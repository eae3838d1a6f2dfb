"""Choosing what is run: models, suite, settings; what it should take; and what was run before."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.bench.earlier import EarlierList
from desktop.bench.model import BenchModel, Outlook
from desktop.theme.numbers import DecimalField, WholeField
from desktop.theme.widgets import ChoiceBox, add_field, label, named
from monitor import figures
from monitor.bench.plan import Entrant
from monitor.bench.suites import Suite, SuiteError, find_suite, list_suites
from monitor.figures import J_PER_WH
from monitor.loading import LoadOptions
from monitor.models.library import Found

FIELD_HEIGHT = 26

PATH = Qt.ItemDataRole.UserRole


class SetupView(QWidget):
    """The page before a benchmark runs."""

    opened = Signal(str)
    """A person wants to see the report of this suite."""

    def __init__(self, model: BenchModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._suites: list[Suite] = list_suites()
        self._outlook = Outlook()
        inside = named(QWidget(), "page")
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        layout = QGridLayout(inside)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.setHorizontalSpacing(14)
        layout.setVerticalSpacing(8)
        layout.addWidget(label(self.tr("Benchmark"), "title"), 0, 0, 1, 2)
        layout.addWidget(self._models_card(), 1, 0)
        layout.addWidget(self._suite_card(), 1, 1)
        layout.addLayout(self._start_row(), 2, 0, 1, 2)
        self.earlier = EarlierList(model)
        self.earlier.opened.connect(self.opened)
        layout.addWidget(self.earlier, 3, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        layout.setColumnStretch(1, 1)
        layout.setRowStretch(3, 1)
        model.looked.connect(self._show_outlook)
        model.refused.connect(self._show_problem)
        model.changed.connect(self.refresh)
        self._choose_suite("quick")

    # --- building ------------------------------------------------------------------------

    def _models_card(self) -> QFrame:
        card = named(QFrame(), "card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.addWidget(label(self.tr("Models")))
        self.models = QListWidget()
        self.models.setAccessibleName(self.tr("Models to run"))
        self.models.setMinimumHeight(84)
        self.models.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.models.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.models.itemChanged.connect(self.look)
        layout.addWidget(self.models, 1)
        hint = self.tr("Two or more are compared item by item. Other files: the model menu above.")
        layout.addWidget(label(hint, "muted", wrap=True))
        return card

    def _suite_card(self) -> QFrame:
        card = named(QFrame(), "card")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(12, 10, 12, 12)
        row = QHBoxLayout()
        self.suite = ChoiceBox()
        self.suite.setAccessibleName(self.tr("Suite"))
        for suite in self._suites:
            self.suite.addItem(suite.title)
        self.suite.currentIndexChanged.connect(self._on_suite)
        open_file = QPushButton(self.tr("Open a suite file …"))
        open_file.clicked.connect(self._open_file)
        row.addWidget(label(self.tr("Suite")))
        row.addWidget(self.suite, 1)
        row.addWidget(open_file)
        layout.addLayout(row)
        self._about = label("", "muted", wrap=True)
        layout.addWidget(self._about)
        layout.addStretch(1)
        layout.addLayout(self._settings())
        return card

    def _settings(self) -> QFormLayout:
        self.repeats = WholeField(minimum=1, maximum=99)
        self.limit = _number(0, 100_000, self.tr("all"))
        self.context = _number(0, 1 << 20, self.tr("as the items need"))
        self.context.setSingleStep(256)
        self.threads = _number(0, 512, self.tr("one a core"))
        self.layers = _number(-1, 999, self.tr("all that fit"))
        self.use_budget = QCheckBox(self.tr("end when so much is spent:"))
        self.budget = DecimalField(minimum=0.01, maximum=100_000, value=1.0, suffix=" Wh")
        self.budget.setEnabled(False)
        self.use_budget.toggled.connect(self.budget.setEnabled)
        self.use_budget.setToolTip(
            self.tr("Models then take turns, and it ends before if they are told apart")
        )
        form = QFormLayout()
        form.setVerticalSpacing(6)
        form.setHorizontalSpacing(10)
        pairs = (
            (self.tr("Repeats"), self.repeats, self.tr("Items a task"), self.limit),
            (self.tr("Context"), self.context, self.tr("Threads"), self.threads),
            (self.tr("GPU layers"), self.layers, "", None),
        )
        for text, field, other_text, other in pairs:
            row = QHBoxLayout()
            row.setSpacing(10)
            row.addWidget(field, 1)
            field.setAccessibleName(text)
            if other is not None:
                row.addWidget(label(other_text))
                row.addWidget(other, 1)
                other.setAccessibleName(other_text)
            add_field(form, text, row)
        spent = QHBoxLayout()
        spent.setSpacing(10)
        spent.addWidget(self.use_budget)
        spent.addWidget(self.budget, 1)
        self.budget.setMinimumHeight(FIELD_HEIGHT)
        self.budget.setAccessibleName(self.tr("Energy budget"))
        add_field(form, self.tr("Budget"), spent)
        for field in (self.repeats, self.limit, self.context, self.threads, self.layers):
            field.setMinimumHeight(FIELD_HEIGHT)
            field.valueChanged.connect(self.look)
        self.use_budget.toggled.connect(self.look)
        return form

    def _start_row(self) -> QHBoxLayout:
        self.start = named(QPushButton(self.tr("Start")), "primary")
        self.start.clicked.connect(self._start)
        self._say = label("", "muted", wrap=True)
        row = QHBoxLayout()
        row.addWidget(self._say, 1)
        row.addWidget(self.start)
        return row

    # --- what is chosen --------------------------------------------------------------------

    def show_models(self, models: list[Found], chosen: Path | None) -> None:
        """List the library; the model in use is ticked unless others are."""
        ticked: set[Path | None] = {entrant.path for entrant in self.entrants} or {chosen}
        self.models.blockSignals(True)
        self.models.clear()
        for model in models:
            item = QListWidgetItem(self._model_text(model))
            item.setData(PATH, str(model.path))
            if model.info:
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                is_ticked = model.path in ticked
                item.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
            else:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                item.setToolTip(model.problem)
            self.models.addItem(item)
        self.models.blockSignals(False)
        self.look()

    def _model_text(self, model: Found) -> str:
        if model.info is None:
            return f"{model.name} – {model.problem}"
        info = model.info
        size = f"{figures.count(info.parameters)}, {figures.size(info.size_bytes)}"
        return f"{info.name} · {info.quantisation} · {size}"

    @property
    def entrants(self) -> list[Entrant]:
        """The ticked models with the settings."""
        options = LoadOptions(
            self.context.value() or None, self.threads.value() or None, self.layers.value()
        )
        items = [self.models.item(row) for row in range(self.models.count())]
        return [
            Entrant(Path(item.data(PATH)), options)
            for item in items
            if item.checkState() is Qt.CheckState.Checked
        ]

    @property
    def chosen(self) -> Suite:
        """The suite with the settings."""
        suite = self._suites[self.suite.currentIndex()]
        return suite.with_settings(self.repeats.value(), self.limit.value() or None)

    @property
    def budget_j(self) -> float | None:
        """The budget in joules, ``None`` without one."""
        return self.budget.value() * J_PER_WH if self.use_budget.isChecked() else None

    def _choose_suite(self, name: str) -> None:
        names = [suite.name for suite in self._suites]
        self.suite.setCurrentIndex(names.index(name))
        self._on_suite()

    def _on_suite(self) -> None:
        suite = self._suites[self.suite.currentIndex()]
        self._about.setText(suite.about or self.tr("A suite of your own."))
        self.repeats.setValue(suite.repeats)
        self.look()

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, self.tr("Open a suite"), "", self.tr("Suites (*.toml)")
        )
        if name:
            self.open_suite(Path(name))

    def open_suite(self, path: Path) -> None:
        """Take a person's own suite into the list, and choose it."""
        try:
            suite = find_suite(str(path))
        except (SuiteError, OSError) as error:
            self._show_problem(str(error))
            return
        self._suites.append(suite)
        self.suite.addItem(suite.title)
        self.suite.setCurrentIndex(len(self._suites) - 1)

    # --- before it starts ------------------------------------------------------------------

    def look(self) -> None:
        """Find out anew what the choice would take."""
        if not self.entrants:
            self._show_outlook(Outlook(problem=self.tr("Tick at least one model.")))
        else:
            self._model.look(self.chosen, self.entrants, self.budget_j)

    def refresh(self) -> None:
        """Follow whether something else is under way."""
        self._show_outlook(self._outlook)

    def _show_outlook(self, outlook: Outlook) -> None:
        self._outlook = outlook
        is_free = not self._model.busy
        self.start.setEnabled(is_free and not outlook.problem)
        if outlook.problem:
            self._show_problem(outlook.problem)
            return
        lines = [self._estimate(outlook), *outlook.notices]
        if not is_free:
            lines = [self.tr("An answer or a benchmark is under way; it has to end first.")]
        self._set_text("\n".join(lines), "muted")

    def _estimate(self, outlook: Outlook) -> str:
        items = self.tr("%1 items").replace("%1", str(outlook.items))
        if outlook.seconds is None or outlook.joules is None:
            if len(outlook.unknown) == len(self.chosen.parts):
                text = self.tr(
                    "%1. No estimate yet: nothing of it was run before with these models."
                )
                return text.replace("%1", items)
            text = self.tr("%1. No estimate yet: these models have not run %2 before.")
            return text.replace("%1", items).replace("%2", ", ".join(outlook.unknown))
        text = self.tr("%1: about %2 and %3, by earlier runs on this machine.")
        return (
            text.replace("%1", items)
            .replace("%2", figures.duration(outlook.seconds))
            .replace("%3", figures.marked(outlook.kind, figures.energy(outlook.joules)))
        )

    def _show_problem(self, problem: str) -> None:
        self._set_text(problem, "warning")

    def _set_text(self, text: str, name: str) -> None:
        self._say.setText(text)
        if self._say.objectName() != name:
            self._say.setObjectName(name)
            self._say.style().polish(self._say)

    def _start(self) -> None:
        self._model.start(self.chosen, self.entrants, self.budget_j)


def _number(least: int, most: int, special: str) -> WholeField:
    """Return a field whose least value stands for something of its own."""
    field = WholeField(minimum=least, maximum=most, value=least)
    field.setSpecialValueText(special)
    return field
