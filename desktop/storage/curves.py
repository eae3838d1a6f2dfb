"""How long power curves are kept as they were read, and what becomes of them then."""

from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.storage.work import LongWork
from desktop.theme.numbers import WholeField
from desktop.theme.widgets import ChoiceBox, add_field, label, tool_button
from monitor import figures
from monitor.store.history import History
from monitor.store.retention import Freed, Rules, preview, read_rules, thin, write_rules

LONGEST_DAYS = 3650


class CurvesTab(QWidget):
    """The rules, what they would free, and the button that applies them."""

    def __init__(
        self, bridge: Bridge, history: History, work: LongWork, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._store, self._work = bridge, history.store, work
        self._asked = 0
        self.thins = QCheckBox(self.tr("Thin curves as they grow old"))
        self.whole, self.fine = _days_box(), _days_box()
        self.then = ChoiceBox()
        self.then.addItem(self.tr("a point each ten seconds"), False)
        self.then.addItem(self.tr("nothing: the curve is removed"), True)
        form = QFormLayout()
        add_field(form, self.tr("Every reading is kept for"), self.whole)
        add_field(form, self.tr("then a point a second, until"), self.fine)
        add_field(form, self.tr("and after that"), self.then)
        self._foretold = label("", "muted", wrap=True)
        self.apply = tool_button(self.tr("Thin now"))
        self.apply.clicked.connect(self._thin)
        self.thins.toggled.connect(self._on_changed)
        self.whole.valueChanged.connect(self._on_changed)
        self.fine.valueChanged.connect(self._on_changed)
        self.then.activated.connect(self._on_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        promise = self.tr(
            "Bills are never thinned: every joule, interval and mark stays. Only the curve that "
            "is drawn of an old query loses detail; the joules under it stay the same."
        )
        layout.addWidget(label(promise, "muted", wrap=True))
        layout.addWidget(self.thins)
        layout.addLayout(form)
        layout.addWidget(self._foretold)
        layout.addWidget(self.apply)
        layout.addStretch(1)

    def refresh(self) -> None:
        """Read the rules in force, beside the window's thread."""
        self._bridge.read(lambda: read_rules(self._store), self._show_rules)

    def rules(self) -> Rules:
        """Return the rules as they are set."""
        if not self.thins.isChecked():
            return Rules(None, None)
        whole = self.whole.value()
        return Rules(whole, max(self.fine.value(), whole), bool(self.then.currentData()))

    def _show_rules(self, rules: Rules) -> None:
        for widget in (self.thins, self.whole, self.fine, self.then):
            widget.blockSignals(True)
        default = Rules()
        self.thins.setChecked(rules.whole_days is not None)
        self.whole.setValue(rules.whole_days or default.whole_days or LONGEST_DAYS)
        self.fine.setValue(rules.fine_days or LONGEST_DAYS)
        self.then.setCurrentIndex(int(rules.drops))
        for widget in (self.thins, self.whole, self.fine, self.then):
            widget.blockSignals(False)
        self._foretell()

    def _on_changed(self) -> None:
        rules = self.rules()
        self._bridge.change(lambda: write_rules(self._store, rules))
        self._foretell()

    def _foretell(self) -> None:
        """Say what thinning by these rules would free."""
        is_on = self.thins.isChecked()
        for widget in (self.whole, self.fine, self.then):
            widget.setEnabled(is_on)
        self._asked += 1
        asked, rules = self._asked, self.rules()
        self._bridge.work(
            lambda: preview(self._store, rules) if asked == self._asked else None, self._show_freed
        )

    def _show_freed(self, freed: Freed | None) -> None:
        if freed is None:
            return
        count = freed.thinned + freed.dropped
        self.apply.setEnabled(count > 0)
        if not count:
            self._foretold.setText(self.tr("No curve is old enough to be thinned."))
            return
        text = self.tr("%1 curves are old enough; thinning them would free about %2 of %3.")
        self._foretold.setText(
            text.replace("%1", f"{count:,}")
            .replace("%2", figures.size(freed.bytes_freed))
            .replace("%3", figures.size(freed.bytes_before))
        )

    def _thin(self) -> None:
        rules = self.rules()
        self._work.run(
            self.tr("Thinning curves …"),
            lambda progress, cancelled: thin(
                self._store, rules, progress=progress, cancelled=cancelled
            ),
            self._tell_freed,
        )

    def _tell_freed(self, freed: Freed) -> str:
        text = self.tr("%1 curves were thinned and %2 removed: %3 are free.")
        if not freed.is_complete:
            text = self.tr("Stopped. %1 curves were thinned and %2 removed so far: %3 are free.")
        text = text.replace("%1", f"{freed.thinned:,}").replace("%2", f"{freed.dropped:,}")
        return text.replace("%3", figures.size(freed.bytes_freed))


def _days_box() -> WholeField:
    box = WholeField()
    box.setRange(1, LONGEST_DAYS)
    box.setSuffix(box.tr(" days"))
    return box
