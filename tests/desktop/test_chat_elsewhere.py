"""What a person does while an answer is written or a benchmark runs."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QShortcut
from pytestqt.qtbot import QtBot

from desktop.window import MainWindow
from monitor.loading import LoadOptions
from monitor.store.conversations import Listed
from monitor.store.records import Status
from tests.desktop.talking import (
    ANSWER_MS,
    LONG,
    STORY,
    ask,
    begin_story,
    limit,
    send,
    views,
    wait_idle,
)


def talk_with_two(qtbot: QtBot, window: MainWindow) -> tuple[str, str]:
    """Have one conversation, then begin another whose answer is being written."""
    limit(window, 8)
    ask(qtbot, window, "What is a watt?")
    first = window.chat.conversation_id
    window.chat.new_conversation()
    begin_story(qtbot, window)
    second = window.chat.conversation_id
    assert first
    assert second
    return first, second


def row_of(window: MainWindow, conversation_id: str) -> Listed:
    """Return a conversation as the list has it now: while it is written it is listed anew."""
    rows = window.chat_page.side.model.rows
    return next(row for row in rows if row.id == conversation_id)


def open_by_click(qtbot: QtBot, window: MainWindow, conversation_id: str) -> None:
    side = window.chat_page.side
    qtbot.waitUntil(lambda: conversation_id in [r.id for r in side.model.rows])
    at = next(n for n, row in enumerate(side.model.rows) if row.id == conversation_id)
    place = side.list.visualRect(side.model.index(at)).center()
    qtbot.mouseClick(side.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: window.chat.conversation_id == conversation_id)


def test_another_conversation_is_read_while_the_answer_goes_on_in_its_own(
    qtbot: QtBot, window: MainWindow
) -> None:
    first, second = talk_with_two(qtbot, window)
    side = window.chat_page.side
    open_by_click(qtbot, window, first)
    assert [turn.question for turn in window.chat.turns] == ["What is a watt?"]
    shown = window.chat.turns[0].answer
    assert side.model.detail(row_of(window, second)).startswith("writing …")
    # It has ended by now, or goes on: in neither case does it come in here.
    qtbot.wait(300)
    assert views(window)[0].answer.text() == shown
    send(qtbot, window, "Not yet")
    assert "in another conversation" in window.chat_page.composer._warning.text()
    assert window.chat_page.prompt.toPlainText() == "Not yet"
    side.list.setCurrentIndex(side.model.index(side.model.rows.index(row_of(window, second))))
    side.delete()
    assert "is being written in “" in window.notice.text()

    def now() -> str:
        return side.model.detail(row_of(window, second))

    before = now()
    qtbot.waitUntil(lambda: now() != before)
    assert now().startswith("writing …"), "the cost goes on with the answer"
    open_by_click(qtbot, window, second)
    (view,) = views(window)
    assert view.answer.text() == window.chat.turns[0].answer
    written = len(window.chat.turns[0].answer)
    qtbot.waitUntil(lambda: len(view.answer.text()) > written, timeout=ANSWER_MS)
    window.engine.stop()
    wait_idle(qtbot, window)
    qtbot.waitUntil(lambda: window.notice.text() == "")
    record = window.chat.turns[0].record
    assert record
    assert record.conversation_id == second
    assert view.answer.text() == record.text
    assert not view.bill.isHidden()
    assert not now().startswith("writing")


def test_what_stands_in_the_way_moves_no_button(qtbot: QtBot, window: MainWindow) -> None:
    talk_with_two(qtbot, window)
    composer = window.chat_page.composer

    def tops() -> list[int]:
        buttons = (composer.send_button, composer.stop_button, composer.tools.attach)
        return [button.mapTo(window, button.rect().topLeft()).y() for button in buttons]

    before = tops()
    send(qtbot, window, "Not yet")
    qtbot.waitUntil(composer._warning.isVisible)
    qtbot.wait(50)
    assert tops() == before
    window.engine.stop()
    wait_idle(qtbot, window)


def test_what_has_to_wait_is_said_until_it_can_be_done(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, LONG, temperature=0.0)
    warning = window.chat_page.composer._warning
    assert not window.engine.is_loaded
    send(qtbot, window, STORY)
    send(qtbot, window, "Not yet")
    qtbot.waitUntil(lambda: len(window.chat.turns[0].answer) > 20, timeout=ANSWER_MS)
    assert warning.isVisible(), "it stands there also when the model is loaded meanwhile"
    assert "is being written" in warning.text()
    window.strip.unload_wanted.emit()
    assert "can be unloaded" in window.notice.text()
    assert window.engine.is_loaded
    window.engine.stop()
    wait_idle(qtbot, window)
    assert not warning.isVisible()
    assert window.notice.text() == ""


def test_one_types_on_after_a_click_in_the_list(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 2)
    ask(qtbot, window, "What is a watt?")
    first = window.chat.conversation_id
    assert first
    side, prompt = window.chat_page.side, window.chat_page.prompt
    side.new.setFocus()
    qtbot.mouseClick(side.new, Qt.MouseButton.LeftButton)
    assert window.focusWidget() is prompt
    limit(window, 2)
    ask(qtbot, window, "And a joule?")
    second = window.chat.conversation_id
    open_by_click(qtbot, window, first)
    assert window.focusWidget() is prompt
    side.list.setFocus()
    qtbot.keyClick(side.list, Qt.Key.Key_Up)
    assert window.focusWidget() is side.list
    assert window.chat.conversation_id == first
    qtbot.keyClick(side.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.chat.conversation_id == second)
    assert window.focusWidget() is prompt


def test_one_types_on_after_asking_again(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 2)
    ask(qtbot, window, "What is a watt?")
    prompt = window.chat_page.prompt
    again = views(window)[0].again
    again.setFocus()
    qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    assert window.engine.busy
    assert window.focusWidget() is prompt
    wait_idle(qtbot, window)
    qtbot.waitUntil(lambda: len(window.chat.turns[0].answers) == 2)
    before = views(window)[0].answers.before
    before.setFocus()
    qtbot.mouseClick(before, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.chat.turns[0].answers[0].is_shown)
    assert window.focusWidget() is prompt


def test_an_answer_that_ends_elsewhere_is_there_when_one_comes_back(
    qtbot: QtBot, window: MainWindow
) -> None:
    _first, second = talk_with_two(qtbot, window)
    window.new_chat()
    assert window.chat.turns == []
    assert window.strip._context.text() == "context 0 / 4,096"
    window.chat_page.prompt.setPlainText("A thought in between")
    window.engine.stop()
    wait_idle(qtbot, window)
    assert window.chat.turns == []
    assert "1 answer" not in window.notice.text()
    open_by_click(qtbot, window, second)
    record = window.chat.turns[0].record
    assert record
    assert record.status is Status.STOPPED
    assert views(window)[0].answer.text() == record.text
    assert window.chat_page.prompt.toPlainText() == ""
    window.chat.new_conversation()
    assert window.chat_page.prompt.toPlainText() == "A thought in between"


def test_what_an_answer_costs_is_told_while_it_is_written(qtbot: QtBot, window: MainWindow) -> None:
    begin_story(qtbot, window)
    qtbot.waitUntil(lambda: window.chat.turns[0].so_far is not None, timeout=ANSWER_MS)
    (view,) = views(window)
    qtbot.waitUntil(lambda: "t/s" in view._stage.text(), timeout=ANSWER_MS)
    assert "○" in view._stage.text(), "no figure without its kind"
    assert "J so far" in view._stage.text()
    window.engine.stop()
    wait_idle(qtbot, window)


def test_escape_in_the_chat_never_stops_a_benchmark(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"question": "What does a dog do?", "choices": ["It barks.", "It sings."], "answer": 0}\n'
        * 200
    )
    suite = tmp_path / "one.toml"
    suite.write_text(
        'title = "One"\nidle_s = 0\nwarm_up = 0\n[[parts]]\ntask = "custom"\ndata = "a.jsonl"\n'
    )
    window.show_page("bench")
    with qtbot.waitSignal(window.bench.looked):
        window.bench_page.setup.open_suite(suite)
    qtbot.waitUntil(window.bench_page.setup.start.isEnabled)
    window.bench_page.setup.start.click()
    qtbot.waitUntil(lambda: window.bench.running is not None, timeout=ANSWER_MS)
    window.bench_page.running.pause.setChecked(True)
    window.show_page("chat")
    send(qtbot, window, "May I?")
    told = window.chat_page.composer._warning.text()
    assert "A benchmark is running; it can be stopped on the Bench page." in told
    assert "Esc" not in told
    qtbot.keyClick(window.chat_page.prompt, Qt.Key.Key_Escape)
    assert window.bench.is_running
    assert "can be stopped on the Bench page" in window.notice.text()
    window.notice.press("Go there")
    assert window.bench_page.isVisible()
    assert window.notice.text() == ""
    window.show_page("chat")
    with qtbot.waitSignal(window.bench.ended, timeout=ANSWER_MS):
        window.bench.stop()
    assert "was stopped" in window.notice.text()
    assert "has ended" not in window.notice.text()
    window.show_page("bench")
    assert window.notice.text() == ""


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_a_menu_that_escape_closes_leaves_the_answer_alone(
    qtbot: QtBot, window: MainWindow
) -> None:
    begin_story(qtbot, window)
    menu = views(window)[0].answer.menu(window.mapToGlobal(window.rect().center()))
    menu.popup(window.mapToGlobal(window.rect().center()))
    qtbot.waitUntil(menu.isVisible)
    qtbot.keyClick(menu, Qt.Key.Key_Escape)
    assert not menu.isVisible()
    # The key may be held a little longer than the menu is there.
    keys = {key.key().toString(): key for key in window.findChildren(QShortcut)}
    assert not keys["Esc"].autoRepeat()
    written = len(window.chat.turns[0].answer)
    qtbot.waitUntil(lambda: len(window.chat.turns[0].answer) > written, timeout=ANSWER_MS)
    window.engine.stop()
    wait_idle(qtbot, window)


def test_an_edited_question_has_its_files_as_chips(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    limit(window, 4)
    path = tmp_path / "note.txt"
    path.write_text("A watt is a joule a second.\n")
    composer = window.chat_page.composer
    with qtbot.waitSignal(composer.attached.changed):
        composer.attached.add([path])
    ask(qtbot, window, "What is a watt?")
    asked = window.chat.turns[0].question
    path.unlink()
    window.chat_page.prompt.setPlainText("next")
    composer.edit(0)
    assert window.chat_page.prompt.toPlainText() == "What is a watt?"
    assert not window.chat_page.prompt.textCursor().hasSelection()
    assert [one.name for one in composer.attached.attachments()] == ["note.txt"]
    assert "as it was sent" in composer.attached._chips[0].toolTip()
    composer.stop_editing()
    assert window.chat_page.prompt.toPlainText() == "next"
    assert composer.attached.attachments() == ()
    composer.edit(0)
    composer.send()
    wait_idle(qtbot, window)
    assert window.chat.turns[0].question == asked
    qtbot.waitUntil(lambda: len(window.chat.turns[0].questions) == 2)
    composer.edit(0)
    composer.attached._chips[0].click()
    composer.send()
    wait_idle(qtbot, window)
    assert window.chat.turns[0].question == "What is a watt?"


def test_a_long_address_is_shown_to_its_end(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 2)
    address = "https://example.org/" + "abcdefghij" * 40
    ask(qtbot, window, address)
    text = views(window)[0].question
    qtbot.waitUntil(lambda: text.document().size().width() <= text.viewport().width())
    assert text.toPlainText() == address
    lines = text.document().firstBlock().layout().lineCount()
    assert lines > 2
    assert text.height() >= lines * text.fontMetrics().height()


def test_a_question_that_is_too_long_is_not_sent(qtbot: QtBot, window: MainWindow) -> None:
    model = window.engine.model
    assert model
    limit(window, 8)
    window.engine.choose_model(model, load=True, options=LoadOptions(context=256))
    wait_idle(qtbot, window)
    composer = window.chat_page.composer
    window.chat_page.prompt.setPlainText("word " * 400)
    qtbot.waitUntil(lambda: "cannot be sent" in composer._warning.text())
    assert not composer.send_button.isEnabled()
    qtbot.keyClick(window.chat_page.prompt, Qt.Key.Key_Return)
    assert not window.engine.busy
    assert window.chat.turns == []
    window.chat_page.prompt.setPlainText("word")
    assert composer.send_button.isEnabled()
    # Enter at once, before it is measured: one is refused, the other one only waits a moment.
    send(qtbot, window, "word " * 500)
    assert "being measured" in composer._warning.text()
    qtbot.waitUntil(lambda: "cannot be sent" in composer._warning.text())
    assert window.chat.turns == []
    send(qtbot, window, "together " * 60)
    assert window.chat.turns == []
    qtbot.waitUntil(lambda: len(window.chat.turns) == 1)
    assert window.chat_page.prompt.toPlainText() == ""
    wait_idle(qtbot, window)
    record = window.chat.turns[0].record
    assert record
    assert record.error == ""


def test_what_is_far_too_long_is_not_sent_to_a_model_that_is_not_loaded(
    qtbot: QtBot, window: MainWindow
) -> None:
    assert not window.engine.is_loaded
    composer = window.chat_page.composer
    send(qtbot, window, "word " * 30_000)
    qtbot.waitUntil(lambda: "cannot be sent" in composer._warning.text())
    assert not window.engine.busy
    assert window.chat.turns == []
    assert not composer.send_button.isEnabled()


def test_nothing_is_said_of_a_forecast_while_nothing_is_asked(
    qtbot: QtBot, window: MainWindow
) -> None:
    tools = window.chat_page.composer.tools
    label, context = tools.forecast, tools.context
    assert not label.isVisible()
    assert not context.isVisible(), "no model is loaded, and nothing is said to it"
    window.chat_page.prompt.setPlainText("What is a watt?")
    qtbot.waitUntil(label.isVisible)
    # The starter's own template makes 36 of it once it is loaded.
    assert context.text() == "next: about 32 of 4,096 tokens"
    assert label.text() == "no forecast yet"
    label.show_forecast(None, None, known=7)
    assert "after 1 more answer of" in label.toolTip()


def test_what_was_said_of_a_file_goes_with_the_question(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    limit(window, 4)
    window.notice.say("What a person has to read")
    attached = window.chat_page.composer.attached
    for gone in (
        lambda: ask(qtbot, window, "Without it, then."),
        lambda: window.show_page("bench"),
    ):
        window.show_page("chat")
        with qtbot.waitSignal(attached.problem):
            attached.add([tmp_path / "missing.txt"])
        assert "There is no file" in window.notice.text()
        gone()
        assert window.notice.text() == "What a person has to read"
    window.show_page("history")
    assert window.notice.text() == "What a person has to read"


def test_the_deeds_of_an_answer_stay_together(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 4)
    ask(qtbot, window, "What is a watt?")
    (view,) = views(window)
    for width in (960, 1100, 1200, 1300, 1400):
        window.resize(width, 700)
        qtbot.wait(30)
        tops = {button.mapTo(view, button.rect().topLeft()).y() for button in
                (view.copy, view.again, view.heat)}  # fmt: skip
        assert len(tops) == 1, width


def test_the_field_stands_under_the_conversation(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 2)
    window.resize(1400, 620)
    ask(qtbot, window, "line\n" * 60)
    bar = window.chat_page.transcript.verticalScrollBar()
    qtbot.waitUntil(bar.isVisible)
    view, prompt = views(window)[0], window.chat_page.prompt

    def left(widget: object) -> int:
        return widget.mapTo(window, widget.rect().topLeft()).x()  # type: ignore[attr-defined]

    qtbot.waitUntil(lambda: abs(left(view) - left(prompt)) <= 1)


def test_a_step_that_leads_nowhere_is_grey(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 2)
    ask(qtbot, window, "What is a watt?")
    window.chat_page.regenerate()
    wait_idle(qtbot, window)
    switch = views(window)[0].answers
    qtbot.waitUntil(switch.isVisible)
    assert switch.before.isEnabled()
    assert not switch.after.isEnabled()
    grey = switch.after.grab().toImage()
    switch.after.setEnabled(True)
    assert switch.after.grab().toImage() != grey


def test_the_context_that_is_told_is_of_the_conversation_that_is_shown(
    qtbot: QtBot, window: MainWindow
) -> None:
    limit(window, 4)
    ask(qtbot, window, "What is a watt?")
    before = window.strip._context.text()
    assert before != "context 0 / 4,096"
    conversation = window.chat.conversation_id
    assert conversation
    window.new_chat()
    assert window.strip._context.text() == "context 0 / 4,096"
    window.chat.open_conversation(conversation)
    qtbot.waitUntil(lambda: window.strip._context.text() == before)


def test_a_question_whose_file_is_still_read_says_what_it_waits_for(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("A watt is a joule a second.")
    composer = window.chat_page.composer
    composer.attached.add([tmp_path / "note.txt"])
    send(qtbot, window, "What is a watt?")
    assert "still being read" in composer._warning.text()
    assert window.chat.turns == []
    qtbot.waitUntil(lambda: bool(composer.attached.attachments()))
    qtbot.waitUntil(composer._warning.isHidden)
