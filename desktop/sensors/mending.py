"""Making a denied source readable: what would be done, and the buttons that do and undo it."""

from pathlib import Path

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Signal
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

TEXTS = (
    QT_TRANSLATE_NOOP("Mend", "Let one group read the processor's energy counters"),
    QT_TRANSLATE_NOOP(
        "Mend",
        "A udev rule gives the group %1 read access to the counters, now and after each start, "
        "and you join that group.",
    ),
    QT_TRANSLATE_NOOP(
        "Mend",
        "They are closed by default because a program that reads them can work out what other "
        "programs compute, keys among it (CVE-2020-8694): members of the group can do that, "
        "nobody else.",
    ),
    QT_TRANSLATE_NOOP("Mend", "Neither pkexec nor sudo is here. Run this as root:"),
    QT_TRANSLATE_NOOP("Mend", "%1 cannot be started (%2). Run this as root:"),
    QT_TRANSLATE_NOOP("Mend", "In a terminal it can ask for a password:"),
    QT_TRANSLATE_NOOP("Mend", "exit status %1"),
    QT_TRANSLATE_NOOP("Mend", "Cancelled; nothing was changed."),
    QT_TRANSLATE_NOOP("Mend", "Not allowed; nothing was changed. %1 says: %2"),
    QT_TRANSLATE_NOOP("Mend", "It ran as root and failed: %1"),
    QT_TRANSLATE_NOOP("Mend", "Done: the counters can be read now, and after each start."),
    QT_TRANSLATE_NOOP(
        "Mend",
        "Done. The group %1 can read the counters; you belong to it once you have logged out and "
        "in again, or restarted.",
    ),
    QT_TRANSLATE_NOOP(
        "Mend",
        "Undone: the rule is gone, and the group unless it was there before; the counters are "
        "root's again.",
    ),
    QT_TRANSLATE_NOOP("Mend", "This process can still read them: it runs as root."),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of :mod:`monitor.power.mend` in the window's language. From any thread."""
    return QCoreApplication.translate("Mend", text)


def is_mended() -> bool:
    """Say whether the rule is installed, so that it can be taken back."""
    return Path(RULE_FILE).exists()


class MendDialog(QDialog):
    """Says what a mend does and risks, shows what root would run, and runs it if told to.

    Where it is installed it can be taken back. Where the counters are closed all the same, as they
    are to whoever is not in the group, it can be installed again beside that, which adds this
    person. What runs is always what is shown: a button of the other script shows that first.

    :param is_denied: whether counters, all or some, are closed to this person
    """

    changed = Signal()
    """Something was installed or taken back."""

    def __init__(
        self, bridge: Bridge, mend: Mend, parent: QWidget | None = None, is_denied: bool = False
    ) -> None:
        super().__init__(parent)
        self._bridge, self._mend, self._is_denied = bridge, mend, is_denied
        self._is_running = False
        self._shows_undo = is_mended() and not is_denied
        self.setWindowTitle(mend.title)
        self.resize(640, 460)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(label(mend.why, wrap=True))
        self.plan = label("", "muted", wrap=True)
        layout.addWidget(self.plan)
        self.script = QPlainTextEdit()
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
            self.told.setText(self._installed_words())

    def _installed_words(self) -> str:
        if not self._is_denied:
            return self.tr("It is installed.")
        return self.tr(
            "It is installed, but the counters are closed to you. If you have installed it, log "
            "out and in again: then you belong to the group. If somebody else has, install it "
            "again: that adds you to the group."
        )

    def _buttons(self) -> QHBoxLayout:
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setFixedWidth(90)
        self.bar.setAccessibleName(self.tr("Waiting for the answer"))
        self.copy = QPushButton(self.tr("Copy the commands"))
        self.copy.clicked.connect(self._copy)
        self.undo = QPushButton()
        self.undo.clicked.connect(lambda: self._press(undo=True))
        self.install = named(QPushButton(), "primary")
        self.install.clicked.connect(lambda: self._press(undo=False))
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addStretch(1)
        for widget in (self.bar, self.undo, self.install, self.close_button):
            row.addWidget(widget)
        return row

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(by_hand(self.script.toPlainText()))
        self.told.setText(self.tr("Copied: paste it into a terminal."))

    def _press(self, undo: bool) -> None:
        """Run a script if it is the one that is shown; else show it."""
        if undo is self._shows_undo:
            self._run(undo)
        else:
            self._shows_undo = undo
            self.told.clear()
            self._show_running(False)

    def _run(self, undo: bool) -> None:
        self._show_running(True)
        self.told.setText(self.tr("The system asks for a password …"))
        mend = self._mend
        self._bridge.transfer(lambda: _attempt(mend, undo), self._end)

    def _end(self, outcome: Outcome) -> None:
        is_done = outcome.state is OutcomeState.DONE
        if is_done:
            # Installed, there is no more to be done than to take it back; and the other way round.
            self._is_denied, self._shows_undo = False, is_mended()
        self._show_running(False)
        self.told.setText(outcome.words)
        if is_done:
            self.changed.emit()

    def _show_running(self, is_running: bool) -> None:
        self._is_running = is_running
        undoes, is_there = self._shows_undo, is_mended()
        self.plan.setText(
            self.tr(
                "This is what takes it back, run as root. It closes the counters to everyone in "
                "the group."
            )
            if undoes
            else self.tr("This is what runs, as root. It can be taken back here at any time.")
        )
        script = self._mend.undo_script if undoes else self._mend.script
        if self.script.toPlainText() != script:
            self.script.setPlainText(script)
        self.bar.setVisible(is_running)
        self.install.setText(self.tr("Install …") if undoes else self.tr("Install"))
        self.undo.setText(self.tr("Take it back") if undoes else self.tr("Take it back …"))
        self.install.setVisible(self._is_denied or not is_there)
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
        return run(mend, undo, translate)
    except Exception as error:
        return Outcome(OutcomeState.FAILED, str(error), works_now=False)
