"""What goes along with a question: presets and attached files."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QListWidget, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.chat.attachments import MOST_FILES, AttachmentBar
from desktop.chat.presets import PresetDialog
from desktop.theme.palette import LIGHT
from monitor.presets import (
    Preset,
    checked,
    default_preset,
    keep_preset,
    own_presets,
    shipped_presets,
)
from monitor.store.history import History


def texts(widget: QWidget) -> str:
    return "\n".join(one.text() for one in widget.findChildren(QLabel) if one.isVisible())


def items(listed: QListWidget) -> list[str]:
    return [listed.item(row).text() for row in range(listed.count())]


# --- presets ---------------------------------------------------------------------------------


def presets_of(qtbot: QtBot, bridge: Bridge, history: History, current: Preset) -> PresetDialog:
    """Open the dialog and wait until it knows a person's own presets."""
    dialog = PresetDialog(bridge, history, current)
    qtbot.addWidget(dialog)
    dialog.show()
    names = {one.name for one in own_presets(history)}
    qtbot.waitUntil(lambda: names <= set(items(dialog.list)))
    return dialog


def choose(dialog: PresetDialog, name: str) -> None:
    rows = [row for row, text in enumerate(items(dialog.list)) if text.startswith(name)]
    dialog.list.setCurrentRow(rows[0])


def test_what_is_written_is_used_in_the_chat(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    dialog.system.setPlainText("Answer in rhymes.\n")
    for name, value in (("temperature", 0.25), ("max_tokens", 0), ("seed", 4294967295)):
        dialog.fields._figures[name].setValue(value)
    dialog.fields._stop.setPlainText("END\n\\n\\n\n\nC:\\\\temp")
    dialog.accept()
    assert dialog.preset == Preset(
        "",
        "Answer in rhymes.",
        checked(
            {
                "temperature": 0.25,
                "max_tokens": None,
                "seed": 4294967295,
                "stop": ["END", "\n\n", "C:\\temp"],
            }
        ),
    )


def test_what_the_chat_has_is_shown_and_comes_back_unchanged(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    current = Preset(
        "", "Be kind.", checked({"top_k": 0, "min_p": 0.055, "seed": 0, "stop": ["\\n", "\n"]})
    )
    dialog = presets_of(qtbot, bridge, history, current)
    assert items(dialog.list)[0] == "This chat"
    choose(dialog, "Precise")
    choose(dialog, "This chat")
    dialog.accept()
    assert dialog.preset == current


def test_a_preset_is_recognised_by_what_it_does(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    own_one = keep_preset(history, Preset("Rhymes", "In rhymes."))
    dialog = presets_of(qtbot, bridge, history, replace(own_one, name="", is_own=False))
    assert dialog.list.currentItem().text() == "Rhymes"
    choose(dialog, "Precise")
    dialog.fields._figures["temperature"].setValue(0.7)
    dialog.accept()
    assert dialog.preset == shipped_presets()[0]


def test_presets_are_saved_renamed_and_deleted_with_undo(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    dialog.system.setPlainText("In rhymes.")
    dialog.keep("Rhymes")
    qtbot.waitUntil(lambda: dialog.list.currentItem().text() == "Rhymes")
    dialog.system.setPlainText("In short rhymes.")
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.save.isEnabled())
    dialog.system.setPlainText("In long rhymes.")
    dialog.rename_shown("Verse")
    qtbot.waitUntil(lambda: dialog.list.currentItem().text() == "Verse")
    assert [(one.name, one.system) for one in own_presets(history)] == [
        ("Verse", "In short rhymes.")
    ]
    # What is not saved yet has outlived the new name.
    assert dialog.system.toPlainText() == "In long rhymes."
    dialog.save.click()
    qtbot.waitUntil(lambda: not dialog.save.isEnabled())
    dialog.delete.click()
    qtbot.waitUntil(lambda: "Verse" not in items(dialog.list))
    assert own_presets(history) == ()
    assert dialog.system.toPlainText() == "In long rhymes."
    dialog.undo.click()
    qtbot.waitUntil(lambda: "Verse" in items(dialog.list))
    assert own_presets(history)[0].system == "In long rhymes."
    assert not dialog.undo.isVisible()


def test_a_name_that_is_taken_is_told(qtbot: QtBot, bridge: Bridge, history: History) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    dialog.keep("Precise")
    qtbot.waitUntil(lambda: "comes with LlamaWatt: choose another name" in texts(dialog))


def test_new_chats_begin_with_the_preset_that_is_marked(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    choose(dialog, "Tutor")
    dialog.is_default.click()
    qtbot.waitUntil(lambda: "Tutor · new chats" in items(dialog.list))
    assert default_preset(history).name == "Tutor"
    assert dialog.is_default.isChecked()
    dialog.is_default.click()
    qtbot.waitUntil(lambda: "Balanced · new chats" in items(dialog.list))


def test_what_was_written_outlives_a_look_at_another_preset(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    dialog.system.setPlainText("Something long that was typed.")
    choose(dialog, "Creative")
    assert dialog.system.toPlainText() == ""
    choose(dialog, "This chat")
    assert dialog.system.toPlainText() == "Something long that was typed."


def test_the_first_escape_does_not_drop_what_was_written(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    dialog.system.setPlainText("Something long that was typed.")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert "Cancel once more" in texts(dialog)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert dialog.preset == shipped_presets()[0]


def test_too_many_stop_texts_are_told_and_nothing_is_lost(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    many = "\n".join(f"stop {number}" for number in range(17))
    dialog.fields._stop.setPlainText(many)
    dialog.accept()
    assert dialog.isVisible()
    assert "16 at most" in texts(dialog)
    choose(dialog, "Precise")
    assert dialog.fields._stop.toPlainText() == many


def test_figures_of_chance_rest_at_temperature_0(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    field = dialog.fields._figures["top_p"]
    assert field.isEnabled()
    choose(dialog, "Precise")
    assert not field.isEnabled()
    choose(dialog, "Creative")
    assert field.isEnabled()


def test_scrolling_over_a_figure_does_not_turn_it(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = presets_of(qtbot, bridge, history, shipped_presets()[0])
    field = dialog.fields._figures["temperature"]
    dialog.system.setFocus()
    middle = QPointF(field.rect().center())
    wheel = QWheelEvent(
        middle,
        field.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, wheel)
    assert field.value() == 0.7


# --- attached files --------------------------------------------------------------------------


@pytest.fixture
def bar(qtbot: QtBot, bridge: Bridge) -> AttachmentBar:
    bar = AttachmentBar(bridge, LIGHT)
    qtbot.addWidget(bar)
    return bar


def names(bar: AttachmentBar) -> list[str]:
    return [one.name for one in bar.attachments()]


def chips(bar: AttachmentBar) -> list[str]:
    return [chip.text() for chip in bar.findChildren(QToolButton) if chip.isVisible()]


def write(folder: Path, name: str, data: bytes = b"text") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_files_are_attached_and_removed(qtbot: QtBot, bar: AttachmentBar, tmp_path: Path) -> None:
    assert not bar.isVisible()
    one, two = write(tmp_path, "one.txt", b"a" * 1500), write(tmp_path, "two.py")
    with qtbot.waitSignal(bar.changed):
        bar.add([one, two])
    assert bar.isVisible()
    assert names(bar) == ["one.txt", "two.py"]
    assert chips(bar)[0] == "one.txt · 1.50 kB"
    with qtbot.waitSignal(bar.changed):
        bar._chips[0].click()
    assert names(bar) == ["two.py"]
    with qtbot.waitSignal(bar.changed):
        bar.put(())
    assert not bar.isVisible()
    assert bar.attachments() == ()


def test_files_that_cannot_go_along_are_told_and_the_others_are_attached(
    qtbot: QtBot, bar: AttachmentBar, tmp_path: Path
) -> None:
    good, bad = write(tmp_path, "good.txt"), write(tmp_path, "bad.bin", b"\x00\x01")
    with qtbot.waitSignal(bar.problem) as told:
        bar.add([bad, tmp_path / "missing.txt", good])
    assert names(bar) == ["good.txt"]
    assert "bad.bin is not a text file" in told.args[0]
    assert "There is no file" in told.args[0]


def test_a_guessed_encoding_is_told(qtbot: QtBot, bar: AttachmentBar, tmp_path: Path) -> None:
    with qtbot.waitSignal(bar.changed):
        bar.add([write(tmp_path, "old.txt", "Grüße".encode("cp1252"))])
    assert "Windows-1252" in chips(bar)[0]
    assert "save it as UTF-8" in bar._chips[0].toolTip()


def test_a_file_added_again_is_read_anew(qtbot: QtBot, bar: AttachmentBar, tmp_path: Path) -> None:
    path = write(tmp_path, "notes.txt", b"first")
    for text in ("first", "second"):
        path.write_text(text)
        with qtbot.waitSignal(bar.changed):
            bar.add([path])
        assert [one.text for one in bar.attachments()] == [text]


def test_there_is_an_end_to_how_many_go_along(
    qtbot: QtBot, bar: AttachmentBar, tmp_path: Path
) -> None:
    paths = [write(tmp_path, f"{number}.txt") for number in range(MOST_FILES + 1)]
    with qtbot.waitSignal(bar.problem) as told:
        bar.add(paths)
    assert len(bar.attachments()) == MOST_FILES
    assert f"{MOST_FILES}.txt is not attached: {MOST_FILES} files may go along" in told.args[0]


def test_files_that_are_let_fall_are_attached(
    qtbot: QtBot, bar: AttachmentBar, tmp_path: Path
) -> None:
    data = QMimeData()
    path = write(tmp_path, "dropped file.txt")
    data.setUrls([QUrl("https://example.org/page.txt"), QUrl.fromLocalFile(str(path))])
    drop = QDropEvent(
        QPointF(1, 1),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(bar.changed):
        bar.dropEvent(drop)
    assert names(bar) == ["dropped file.txt"]
