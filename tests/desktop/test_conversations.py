"""Conversations in the window: branches, search, files, and what a question would take."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.chat.presets import PresetDialog
from desktop.chat.side import ConversationsSide
from desktop.window import MainWindow
from monitor.energy.budget import Budget
from monitor.loading import LoadOptions
from monitor.running import BUDGET
from monitor.store.records import Status
from tests.desktop.talking import SHORT, ask, limit, send, views, wait_idle
from tests.integration.test_meter import with_template


def titles(side: ConversationsSide) -> list[str]:
    return [row.title for row in side.model.rows]


def said(window: MainWindow) -> str:
    """Return all words of the last turn but its answer."""
    return "\n".join(part.text() for part in views(window)[-1].findChildren(QLabel))


def test_a_question_is_asked_otherwise_and_answered_again_beside_the_first(
    qtbot: QtBot, window: MainWindow
) -> None:
    limit(window, 16)
    ask(qtbot, window, "What is a watt?")
    ask(qtbot, window, "And a volt?")
    first = [turn.answer for turn in window.chat.turns]
    views(window)[1].again.click()
    wait_idle(qtbot, window)
    qtbot.waitUntil(lambda: len(window.chat.turns[1].answers) == 2)
    shown = views(window)[1].answers
    assert shown.words.text().startswith("2/2 · ○")
    assert [turn.question for turn in window.chat.turns] == ["What is a watt?", "And a volt?"]
    second = window.chat.turns[1].answer
    shown.before.click()
    qtbot.waitUntil(lambda: window.chat.turns[1].answer == first[1])
    views(window)[0].edit.click()
    assert window.chat_page.prompt.toPlainText() == "What is a watt?"
    ask(qtbot, window, "What is a joule?")
    qtbot.waitUntil(lambda: len(window.chat.turns[0].questions) == 2)
    assert [turn.question for turn in window.chat.turns] == ["What is a joule?"]
    switch = views(window)[0].questions
    assert switch.words.text().startswith("2/2")
    switch.before.click()
    qtbot.waitUntil(lambda: len(window.chat.turns) == 2)
    # Nothing is erased; a branch is shown as far as it was gone on with last.
    assert [turn.answer for turn in window.chat.turns] == [first[0], second]
    joules = [branch.cost.energy_j for branch in window.chat.turns[0].questions]
    own = [turn.record.bill.total().joules for turn in window.chat.turns if turn.record]
    assert all(joules)
    assert joules[0] > sum(filter(None, own)), "the branch counts the answer beside it too"


def test_leaving_an_edit_changes_nothing(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 8)
    ask(qtbot, window, "What is a watt?")
    qtbot.keyClick(window.chat_page.prompt, Qt.Key.Key_Up)
    assert window.chat_page.prompt.toPlainText() == "What is a watt?"
    window.chat_page.composer.stop_editing()
    assert window.chat_page.prompt.toPlainText() == ""
    ask(qtbot, window, "And a volt?")
    assert len(window.chat.turns) == 2


def test_conversations_are_found_renamed_pinned_deleted_and_brought_back(
    qtbot: QtBot, window: MainWindow
) -> None:
    limit(window, 8)
    side = window.chat_page.side
    for question in ("Tell me of the Matterhorn.", "Tell me of the Zugspitze."):
        ask(qtbot, window, question)
        window.commands.actions["new"].does()
    qtbot.waitUntil(lambda: len(side.model.rows) == 2)
    assert titles(side)[0] == "Tell me of the Zugspitze."
    side.search.setText("matterh")
    qtbot.waitUntil(lambda: len(side.model.rows) == 1)
    row = side.model.rows[0]
    assert row.title == "Tell me of the Matterhorn."
    assert row.energy_j
    qtbot.keyClick(side.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(window.chat.turns))
    assert window.chat.turns[0].question == "Tell me of the Matterhorn."
    side.search.clear()
    talks = window._services.history.talks
    side._change(talks.rename, row.id, "Mountains")
    side._change(talks.pin, row.id, True)
    qtbot.waitUntil(lambda: side.model.rows[0].pinned)
    assert titles(side)[0] == "Mountains"
    side.delete()
    qtbot.waitUntil(lambda: "Mountains" in window.notice.text())
    qtbot.waitUntil(lambda: len(side.model.rows) == 1)
    assert window.chat.turns == [], "what is deleted is not shown any more"
    window.notice.press("Undo")
    qtbot.waitUntil(lambda: titles(side)[0] == "Mountains")
    qtbot.waitUntil(lambda: bool(window.chat.turns))


def test_a_conversation_is_written_to_files_and_read_back(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    limit(window, 8)
    ask(qtbot, window, "What is a watt?")
    side, conversation_id = window.chat_page.side, window.chat.conversation_id
    assert conversation_id is not None
    for name in ("talk.md", "talk.json"):
        side.files.export_to(conversation_id, tmp_path / name)
        qtbot.waitUntil(lambda name=name: name in window.notice.text())
    written = (tmp_path / "talk.md").read_text()
    assert "What is a watt?" in written
    assert "○" in written, "each answer stands with its bill"
    assert window._services.history.talks.listed()
    history = window._services.history
    history.talks.delete([conversation_id])
    window.chat.new_conversation()
    side.files.import_from(tmp_path / "talk.json")
    qtbot.waitUntil(lambda: window.chat.conversation_id == conversation_id)
    record = window.chat.turns[0].record
    assert record is not None
    assert record.bill.total().joules
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    side.files.import_from(bad)
    qtbot.waitUntil(lambda: "bad.json" in window.notice.text())


def test_a_full_context_says_what_will_be_left_out_before_it_is_sent(
    qtbot: QtBot, window: MainWindow
) -> None:
    model = window.engine.model
    assert model is not None
    limit(window, 8)
    window.engine.choose_model(model, load=True, options=LoadOptions(context=256))
    wait_idle(qtbot, window)
    for number in range(2):
        ask(qtbot, window, f"Remember number {number}: " + "word " * 60)
    window.chat_page.prompt.setPlainText("One more: " + "word " * 60)
    warning = window.chat_page.composer._warning
    qtbot.waitUntil(lambda: warning.isVisible())
    assert "oldest 2 messages" in warning.text()
    assert "Remember number 0" in warning.text()
    assert " of 256 tokens" in window.chat_page.composer.tools.context.text()
    window.chat_page.composer.send()
    wait_idle(qtbot, window)
    assert window.chat.turns[-1].record is not None
    assert window.chat.turns[-1].record.status is Status.DONE
    assert "oldest 2 messages were left out" in said(window)


def test_a_budget_ends_the_answer_and_says_so(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 1500, temperature=0.0)
    window.asking.budget = Budget(answer_j=8.0)
    ask(qtbot, window, "Write a very long story about dragons.")
    record = window.chat.turns[0].record
    assert record is not None
    assert record.finish_reason == BUDGET
    assert record.text == window.chat.turns[0].answer
    # By how much it is overdrawn is a matter of how soon a busy machine has the engine told.
    assert (record.bill.total().joules or 0.0) >= 6.0
    assert record.tokens.completion < 1500
    assert "budget is used up" in said(window)
    window.asking.budget = Budget(day_j=1.0)
    ask(qtbot, window, "And what then?")
    qtbot.waitUntil(lambda: "Today's budget" in window.notice.text())
    assert window.chat_page.prompt.toPlainText() == "And what then?"


def test_an_answer_is_foretold_once_there_are_enough_and_scored(
    qtbot: QtBot, window: MainWindow
) -> None:
    limit(window, 4)
    history = window._services.history
    label = window.chat_page.composer.tools.forecast
    for number in range(8):
        assert "about" not in label.text(), "a guess from too few is none"
        ask(qtbot, window, f"Number {number}?")
    window.chat_page.prompt.setPlainText("One more number?")
    qtbot.waitUntil(lambda: label.text().startswith("about ○"))
    window.chat_page.composer.send()
    wait_idle(qtbot, window)
    record = window.chat.turns[-1].record
    assert record is not None
    forecast = history.forecasts.of(record.id)
    assert forecast is not None
    assert forecast.low_j < forecast.energy_j < forecast.high_j
    assert record.model is not None
    assert history.forecasts.score(record.model.sha256).made == 1


def test_thoughts_are_folded_and_told_apart(
    qtbot: QtBot, window: MainWindow, starter: Path, tmp_path: Path
) -> None:
    thinker = with_template(starter, tmp_path / "Thinker.Q4_1.gguf", "<think>\n")
    window.engine.choose_model(thinker, load=False)
    limit(window, 24)
    ask(qtbot, window, "What is a watt?")
    record = window.chat.turns[0].record
    assert record is not None
    assert record.tokens.thinking == 24
    buttons = [part.text() for part in views(window)[0].findChildren(type(views(window)[0].edit))]
    assert any("24 tokens" in text and "of the joules" in text for text in buttons), buttons


def test_heat_tints_the_answer_and_says_what_it_means(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 24)
    ask(qtbot, window, "What is a watt?")
    view = views(window)[0]
    view.heat.click()
    qtbot.waitUntil(lambda: view.legend.isVisible())
    assert "a token" in view.legend.text()
    assert "fitted to the power curve" in view.legend.text()
    assert view.answer.is_heated
    view.heat.click()
    assert not view.legend.isVisible()
    assert not view.answer.is_heated


def test_a_load_that_fails_offers_ways_out_and_one_of_them_works(
    qtbot: QtBot, window: MainWindow
) -> None:
    model = window.engine.model
    assert model is not None
    limit(window, 8)
    impossible = LoadOptions(context=512, kv_type="q4_0", flash_attention="off")
    window.engine.choose_model(model, load=False, options=impossible)
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    words = [button.text() for button in window.notice._buttons]
    assert len(words) > 1, window.notice.text()
    assert window.chat_page.prompt.toPlainText() == "What is a watt?"
    window.notice.press(words[0])
    qtbot.waitUntil(lambda: window.engine.is_loaded, timeout=60_000)
    wait_idle(qtbot, window)
    assert window.engine.options != impossible
    send(qtbot, window, window.chat_page.prompt.toPlainText())
    wait_idle(qtbot, window)
    record = window.chat.turns[-1].record
    assert record is not None
    assert record.status is Status.DONE


def test_files_go_along_with_a_question(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    limit(window, 8)
    note = tmp_path / "note.txt"
    note.write_text("The code word is heron.")
    composer = window.chat_page.composer
    composer.attached.add([note])
    qtbot.waitUntil(lambda: bool(composer.attached.attachments()))
    ask(qtbot, window, "What is the code word?")
    record = window.chat.turns[0].record
    assert record is not None
    assert "heron" in record.prompt
    assert record.prompt.endswith("What is the code word?")
    assert composer.attached.attachments() == ()


def test_the_setup_of_a_conversation_stays_with_it(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 9, temperature=0.0)
    ask(qtbot, window, "What is a watt?")
    first = window.chat.conversation_id
    assert first is not None
    window.chat.new_conversation()
    assert window.chat.setup.sampling == SHORT.sampling, "a new chat begins as the default"
    window.chat.open_conversation(first)
    qtbot.waitUntil(lambda: window.chat.conversation_id == first)
    assert window.chat.setup.sampling["max_tokens"] == 9


def test_what_is_being_typed_stays_with_its_conversation(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 8)
    prompt, side = window.chat_page.prompt, window.chat_page.side
    ask(qtbot, window, "What is a watt?")
    first = window.chat.conversation_id
    assert first is not None
    prompt.setPlainText("half a thought")
    window.commands.actions["edit"].does()
    assert prompt.toPlainText() == "What is a watt?"
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert prompt.toPlainText() == "half a thought"
    window.commands.actions["edit"].does()
    prompt.setPlainText("reworded")
    window.commands.actions["new"].does()
    assert prompt.toPlainText() == ""
    prompt.setPlainText("of the new chat")
    side.opened.emit(first)
    qtbot.waitUntil(lambda: window.chat.conversation_id == first)
    assert prompt.toPlainText() == "half a thought\n\nreworded"
    drafts = window.chat_page.composer.unsent()
    assert drafts == {"": "of the new chat", first: "half a thought\n\nreworded"}
    window.drafts.keep()
    history = window._services.history
    kept = {name: [text] for name, text in drafts.items()}
    qtbot.waitUntil(lambda: history.preference("draft") == kept)


def test_a_question_that_is_not_stored_yet_is_a_draft(qtbot: QtBot, window: MainWindow) -> None:
    send(qtbot, window, "What is a watt?")
    assert window.chat_page.composer.unsent() == {"": "What is a watt?"}
    window.engine.stop()
    wait_idle(qtbot, window)


def test_a_setup_chosen_before_the_first_question_is_used(qtbot: QtBot, window: MainWindow) -> None:
    window.chat_page.setup.open_presets()
    dialog = window.chat_page.findChild(PresetDialog)
    qtbot.waitUntil(lambda: dialog.list.count() > 3)
    dialog.system.setPlainText("Answer in one word.")
    dialog.accept()
    qtbot.waitUntil(lambda: window.chat.setup.system == "Answer in one word.")
    ask(qtbot, window, "What is a watt?")
    record = window.chat.turns[0].record
    assert record is not None
    assert record.system == "Answer in one word."


def test_keys_of_the_chat_do_nothing_to_a_page_that_is_hidden(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.chat_page.prompt.setPlainText("not yet")
    window.show_page("history")
    window.commands.actions["send"].does()
    assert window.chat.turns == []
    assert window.chat_page.isVisible(), "the key leads there first"


def test_deleted_conversations_are_listed_and_brought_back(
    qtbot: QtBot, window: MainWindow
) -> None:
    limit(window, 4)
    side = window.chat_page.side
    ask(qtbot, window, "What is a watt?")
    qtbot.waitUntil(lambda: len(side.model.rows) == 1)
    side.list.setCurrentIndex(side.model.index(0))
    side.delete()
    qtbot.waitUntil(lambda: side.model.rows == [])
    side._show_deleted(True)
    qtbot.waitUntil(lambda: len(side.model.rows) == 1)
    side.list.clicked.emit(side.model.index(0))
    qtbot.waitUntil(lambda: bool(window.chat.turns))
    assert window.chat.turns[0].question == "What is a watt?"
