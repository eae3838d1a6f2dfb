"""Making a denied source readable: what would be done, and the buttons that do and undo it."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.theme.widgets import label, named
from monitor.power.mend import RULE_FILE, Mend, Outcome, OutcomeState, by_hand, run


def is_mended() -> bool:
    """Say whether the rule is installed, so that it can be taken back."""
    return Path(RULE_FILE).exists()


class MendDialog(QDialog):
    """Says what a mend does and risks, shows what root would run, and runs it if told to."""

    changed = Signal()
    """Something was installed or taken back."""

    def __init__(self, bridge: Bridge, mend: Mend, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._mend = bridge, mend
        self._is_running = False
        self.setWindowTitle(mend.title)
        self.resize(640, 460)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(label(mend.why, wrap=True))
        plan = self.tr("This is what runs, as root. It can be taken back here at any time.")
        layout.addWidget(label(plan, "muted", wrap=True))
        self.script = QPlainTextEdit(mend.script)
        self.script.setReadOnly(True)
        self.script.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.script.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.script.setAccessibleName(self.tr("The commands"))
        layout.addWidget(self.script, 1)
        self.told = label("", wrap=True)
        layout.addWidget(self.told)
        layout.addLayout(self._buttons())
        self._show_running(False)
        if is_mended():
            self.told.setText(
                self.tr(
                    "It is installed. Where the counters are still closed, log out and in again: "
                    "then you belong to the group."
                )
            )

    def _buttons(self) -> QHBoxLayout:
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setFixedWidth(90)
        self.bar.setAccessibleName(self.tr("Waiting for the answer"))
        self.copy = QPushButton(self.tr("Copy the commands"))
        self.copy.clicked.connect(self._copy)
        self.undo = QPushButton(self.tr("Take it back"))
        self.undo.clicked.connect(lambda: self._run(undo=True))
        self.install = named(QPushButton(self.tr("Install")), "primary")
        self.install.clicked.connect(lambda: self._run(undo=False))
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addStretch(1)
        for widget in (self.bar, self.undo, self.install, self.close_button):
            row.addWidget(widget)
        return row

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(by_hand(self._mend.script))
        self.told.setText(self.tr("Copied: paste it into a terminal."))

    def _run(self, undo: bool) -> None:
        self._show_running(True)
        self.told.setText(self.tr("The system asks for a password …"))
        mend = self._mend
        self._bridge.transfer(lambda: _attempt(mend, undo), self._end)

    def _end(self, outcome: Outcome) -> None:
        self._show_running(False)
        self.told.setText(outcome.words)
        if outcome.state is OutcomeState.DONE:
            self.changed.emit()

    def _show_running(self, is_running: bool) -> None:
        self._is_running = is_running
        is_there = is_mended()
        self.bar.setVisible(is_running)
        self.install.setVisible(not is_there)
        self.undo.setVisible(is_there)
        for button in (self.copy, self.undo, self.install, self.close_button):
            button.setEnabled(not is_running)

    def reject(self) -> None:
        """Escape closes, unless the system is asking for a password."""
        if not self._is_running:
            super().reject()


def _attempt(mend: Mend, undo: bool) -> Outcome:
    """Run a mend; whatever goes wrong is an outcome, so that the dialog never waits for ever."""
    try:
        return run(mend, undo)
    except Exception as error:
        return Outcome(OutcomeState.FAILED, str(error), works_now=False)
