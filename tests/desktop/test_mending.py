"""The dialog that opens closed counters: what is shown is what runs, in the window's language."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QTranslator
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.sensors import mending
from desktop.sensors.mending import TEXTS, MendDialog, translate
from monitor.power.mend import BEGUN, OutcomeState, by_hand, rapl_mend, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="udev and pkexec are Linux's")


class Marking(QTranslator):
    """Sets what is translated in guillemets, and notes it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def translate(
        self, context: str, text: str, _disambiguation: str | None = None, _n: int = -1
    ) -> str:
        if context != "Mend":
            return text
        self.asked.add(text)
        return f"«{text}»"


@pytest.fixture
def marking(qapp: QCoreApplication) -> Iterator[Marking]:
    translator = Marking()
    qapp.installTranslator(translator)
    yield translator
    qapp.removeTranslator(translator)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the rule is looked for, instead of in this machine's /etc."""
    place = tmp_path / "70-llamawatt-rapl.rules"
    monkeypatch.setattr(mending, "RULE_FILE", str(place))
    return place


def put(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def shown(dialog: QWidget) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))


def copied(dialog: MendDialog) -> str:
    dialog.copy.click()
    return QGuiApplication.clipboard().text()


def visible(dialog: MendDialog) -> set[QPushButton]:
    return {each for each in (dialog.install, dialog.undo) if not each.isHidden()}


def test_what_is_shown_and_copied_is_what_the_button_runs(
    qtbot: QtBot, bridge: Bridge, host: QWidget, rule: Path, programs: Path
) -> None:
    mend = rapl_mend("ada")
    dialog = MendDialog(bridge, mend, host)
    assert visible(dialog) == {dialog.install}
    assert dialog.script.toPlainText() == mend.script
    assert copied(dialog) == by_hand(mend.script)
    # Installed: from now on the one thing to be done is to take it back.
    put(programs, "pkexec", f": > {rule}; echo '{BEGUN}'")
    dialog.install.click()
    qtbot.waitUntil(lambda: "Done" in dialog.told.text())
    assert visible(dialog) == {dialog.undo}
    assert dialog.script.toPlainText() == mend.undo_script
    assert copied(dialog) == by_hand(mend.undo_script)
    assert "takes it back" in dialog.plan.text()

    again = MendDialog(bridge, mend, host)
    assert again.script.toPlainText() == mend.undo_script
    assert "It is installed" in again.told.text()


def test_whoever_is_not_in_the_group_can_join_it_without_closing_it_to_others(
    qtbot: QtBot, bridge: Bridge, host: QWidget, rule: Path, programs: Path
) -> None:
    """Somebody else has installed it: the rule is there, and the counters are closed to this."""
    rule.touch()
    ran = programs.parent / "ran"
    put(programs, "pkexec", f"printf '%s' \"$3\" > {ran}; echo '{BEGUN}'")
    mend = rapl_mend("bob")
    dialog = MendDialog(bridge, mend, host, is_denied=True)
    assert visible(dialog) == {dialog.install, dialog.undo}
    assert "install it again" in dialog.told.text()
    # What takes it back is shown before it can be run.
    dialog.undo.click()
    assert dialog.script.toPlainText() == mend.undo_script
    assert "to everyone" in dialog.plan.text()
    dialog.install.click()
    assert dialog.script.toPlainText() == mend.script
    assert copied(dialog) == by_hand(mend.script)
    assert not ran.exists()
    dialog.install.click()
    qtbot.waitUntil(lambda: "Done" in dialog.told.text())
    assert ran.read_text() == mend.script
    assert visible(dialog) == {dialog.undo}

    other = MendDialog(bridge, mend, host, is_denied=True)
    other.undo.click()
    other.undo.click()
    qtbot.waitUntil(lambda: "Undone" in other.told.text())
    assert ran.read_text() == mend.undo_script


def test_the_dialog_speaks_the_windows_language(
    qtbot: QtBot, bridge: Bridge, host: QWidget, rule: Path, programs: Path, marking: Marking
) -> None:
    dialog = MendDialog(bridge, rapl_mend("ada", translate), host)
    assert dialog.windowTitle().startswith("«Let one group")
    assert "the group llamawatt read" in shown(dialog)
    assert "» «They are closed" in shown(dialog)
    put(programs, "pkexec", "exit 126")
    dialog.install.click()
    qtbot.waitUntil(lambda: dialog.told.text() == "«Cancelled; nothing was changed.»")


@pytest.mark.parametrize(
    ("name", "does", "state"),
    [
        ("", "", OutcomeState.NO_HELPER),
        ("pkexec", "exit 126", OutcomeState.CANCELLED),
        ("pkexec", "exit 127", OutcomeState.REFUSED),
        ("sudo", "exit 1", OutcomeState.REFUSED),
        ("pkexec", f"echo '{BEGUN}'; exit 3", OutcomeState.FAILED),
        ("pkexec", f"echo '{BEGUN}'", OutcomeState.DONE),
    ],
)
@pytest.mark.parametrize("undo", [False, True])
def test_every_outcome_can_be_translated(
    programs: Path, marking: Marking, name: str, does: str, state: OutcomeState, undo: bool
) -> None:
    if name:
        put(programs, name, does)
    outcome = run(rapl_mend("ada", translate), undo, translate)
    assert outcome.state is state
    assert outcome.words.startswith("«")
    assert marking.asked <= set(map(str, TEXTS))


def test_a_helper_that_cannot_be_started_is_told_of(programs: Path, marking: Marking) -> None:
    (programs / "pkexec").write_bytes(b"\x7fELF no program")
    (programs / "pkexec").chmod(0o755)
    outcome = run(rapl_mend("ada"), translate=translate)
    assert outcome.state is OutcomeState.NO_HELPER
    assert outcome.words.startswith("«")
    assert "pkexec cannot be started (Exec format error)" in outcome.words
    assert marking.asked <= set(map(str, TEXTS))
