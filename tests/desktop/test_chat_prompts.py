"""The library of prompts as a person sees it."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QListWidget, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.chat.prompts import PromptsDialog
from desktop.theme.palette import DARK
from monitor.prompts import Prompt, keep, own, shipped
from monitor.store.history import History


def texts(widget: QWidget) -> str:
    return "\n".join(one.text() for one in widget.findChildren(QLabel) if one.isVisible())


def items(listed: QListWidget) -> list[str]:
    return [listed.item(row).text() for row in range(listed.count())]


def prompts_of(qtbot: QtBot, bridge: Bridge, history: History, typed: str = "") -> PromptsDialog:
    """Open the library and wait until it lists all there is."""
    dialog = PromptsDialog(bridge, history, DARK, typed=typed)
    qtbot.addWidget(dialog)
    dialog.show()
    count = len(shipped()) + len(own(history))
    qtbot.waitUntil(lambda: dialog.list.count() == count)
    return dialog


def test_categories_and_search_narrow_the_list(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    keep(history, Prompt("", "Haiku", "writing", "Count syllables.", is_own=True))
    dialog = prompts_of(qtbot, bridge, history)
    assert items(dialog.list)[0] == "Haiku"
    dialog.categories.setCurrentRow(items(dialog.categories).index("Code"))
    assert items(dialog.list) == [one.title for one in shipped() if one.category == "code"]
    dialog.search.setText("bug")
    assert items(dialog.list) == ["Find the bug"]
    assert dialog.text.toPlainText().startswith("This code should")
    dialog.categories.setCurrentRow(0)
    dialog.search.setText("syllables")
    assert items(dialog.list) == ["Haiku"]
    dialog.search.setText("zzz")
    assert items(dialog.list) == []
    assert "Nothing fits" in texts(dialog)
    dialog.insert()
    assert dialog.isVisible()


def test_a_prompt_is_inserted_by_keyboard_and_comes_first_the_next_time(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    for title in ("Older", "Newer"):
        keep(history, Prompt("", title, "writing", f"The {title} text", is_own=True))
    dialog = prompts_of(qtbot, bridge, history)
    assert items(dialog.list)[:2] == ["Newer", "Older"]
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.keyClick(dialog.search, Qt.Key.Key_Down)
        qtbot.keyClick(dialog.search, Qt.Key.Key_Return)
    assert chosen.args == ["The Older text"]
    assert not dialog.isVisible()
    qtbot.waitUntil(lambda: [one.title for one in own(history)] == ["Older", "Newer"])


def test_what_ships_cannot_be_changed_but_a_copy_can(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = prompts_of(qtbot, bridge, history)
    original = shipped()[0]
    assert dialog.text.isReadOnly()
    assert dialog.title.isReadOnly()
    dialog.copy.click()
    assert not dialog.text.isReadOnly()
    assert items(dialog.list) == [original.title]
    dialog.title.clear()
    qtbot.keyClicks(dialog.title, "Mine")
    dialog.text.setPlainText("My words")
    qtbot.waitUntil(lambda: [one.text for one in own(history)] == ["My words"])
    assert own(history)[0].title == "Mine"
    assert own(history)[0].category == original.category
    assert shipped()[0] == original


def test_a_title_that_is_being_written_outlasts_the_answer_to_an_earlier_one(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = prompts_of(qtbot, bridge, history)
    title = shipped()[0].title
    dialog.copy.click()
    # Written, and on to the text, before the copy is on the disk.
    dialog.title.setText("Mine")
    dialog.text.setFocus()
    # What is changed is answered in its order.
    answered: list[object] = []
    bridge.change(lambda: None, answered.append)
    qtbot.waitUntil(lambda: bool(answered))
    assert [one.title for one in own(history)] == [title]
    assert dialog.title.text() == "Mine"


def test_what_is_written_is_kept_however_the_dialog_is_left(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = prompts_of(qtbot, bridge, history)
    dialog.new.click()
    dialog.text.setPlainText("Written just before Esc")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    qtbot.waitUntil(lambda: [one.title for one in own(history)] == ["Written just before Esc"])
    dialog = prompts_of(qtbot, bridge, history)
    dialog.text.setPlainText("Written before another was chosen")
    dialog.list.setCurrentRow(1)
    qtbot.waitUntil(lambda: "another" in own(history)[0].text)


def test_the_chat_s_own_text_is_kept(qtbot: QtBot, bridge: Bridge, history: History) -> None:
    dialog = prompts_of(qtbot, bridge, history)
    assert not dialog.keep_typed.isVisible()
    dialog = prompts_of(qtbot, bridge, history, typed="Name three rivers\nof Asia.")
    dialog.keep_typed.click()
    qtbot.waitUntil(lambda: items(dialog.list) == ["Name three rivers of Asia."])
    assert own(history)[0].text == "Name three rivers\nof Asia."


def test_a_prompt_begun_and_left_empty_is_not_kept(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    dialog = prompts_of(qtbot, bridge, history)
    dialog.new.click()
    dialog.new.click()
    assert items(dialog.list) == ["New prompt"]
    assert not dialog._insert.isEnabled()
    dialog.accept()
    dialog = prompts_of(qtbot, bridge, history)
    assert own(history) == ()


def test_deleting_a_prompt_can_be_undone(qtbot: QtBot, bridge: Bridge, history: History) -> None:
    kept = keep(history, Prompt("", "Haiku", "writing", "Count syllables.", is_own=True))
    dialog = prompts_of(qtbot, bridge, history)
    assert dialog.title.text() == "Haiku"
    dialog.text.setPlainText("Count syllables twice.")
    dialog.delete.click()
    qtbot.waitUntil(lambda: own(history) == ())
    assert "Haiku" not in items(dialog.list)
    dialog.undo.click()
    qtbot.waitUntil(lambda: own(history) == (replace(kept, text="Count syllables twice."),))
    assert dialog.title.text() == "Haiku"
    assert not dialog.undo.isVisible()
