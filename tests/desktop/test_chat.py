"""Chatting in the window with the real starter model."""

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from desktop.chat.answer import AnswerText
from desktop.chat.turn import TurnView
from desktop.history.query_view import QueryDialog
from desktop.services import start_services
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor.store.database import Store
from monitor.store.records import Status
from tests.desktop.talking import ANSWER_MS, STORY, begin_story, limit, send, views, wait_idle


def shown_answer(view: TurnView) -> str:
    return str(view.answer.text())


def bill_text(view: TurnView) -> str:
    return view.findChild(QPushButton, "bill").text()


def test_answer_streams_and_its_bill_stands_below(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 80, temperature=0.0)
    send(qtbot, window, STORY)
    assert window.chat_page.prompt.toPlainText() == ""
    (view,) = views(window)
    qtbot.waitUntil(lambda: bool(shown_answer(view)), timeout=ANSWER_MS)
    assert window.engine.busy, "text must be shown while it is written"
    wait_idle(qtbot, window)
    record = window.chat.turns[0].record
    assert record is not None
    assert record.status is Status.DONE
    assert record.text.split()[-1].rstrip(".") in shown_answer(view)
    assert "J" in bill_text(view)
    assert "CO₂e" in bill_text(view)
    assert "○" in bill_text(view), "without a sensor the figure is marked as modelled"
    phases = [phase.name for phase in window.live.phases]
    assert phases == ["load", "prefill", "decode"]


def test_second_turn_reuses_the_first_and_belongs_to_one_conversation(
    qtbot: QtBot, window: MainWindow
) -> None:
    for question in ("Name a colour in one word.", "And another?"):
        send(qtbot, window, question)
        wait_idle(qtbot, window)
    first, second = (turn.record for turn in window.chat.turns)
    assert first is not None
    assert second is not None
    assert second.tokens.reused > 0
    assert first.conversation_id == second.conversation_id is not None


def test_stop_keeps_text_and_energy(qtbot: QtBot, window: MainWindow) -> None:
    begin_story(qtbot, window)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    wait_idle(qtbot, window)
    record = window.chat.turns[0].record
    assert record is not None
    assert record.status is Status.STOPPED
    assert record.text == window.chat.turns[0].answer
    assert record.bill.total().joules


def test_killed_engine_keeps_the_answer_and_the_next_prompt_works(
    qtbot: QtBot, window: MainWindow
) -> None:
    begin_story(qtbot, window)
    pid = window._services.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_idle(qtbot, window)
    record = window.chat.turns[0].record
    assert record is not None
    assert record.status is Status.FAILED
    assert record.text
    assert record.bill.total().joules
    limit(window, 8)
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    answer = window.chat.turns[1].record
    assert answer is not None
    assert answer.status is Status.DONE


def test_model_that_has_gone_gives_the_question_back(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.engine.choose_model(tmp_path / "gone.gguf", load=False)
    send(qtbot, window, "A question I do not want to type twice")
    wait_idle(qtbot, window)
    qtbot.waitUntil(lambda: bool(window.notice.text()))
    assert "no file" in window.notice.text()
    assert window.chat_page.prompt.toPlainText() == "A question I do not want to type twice"
    assert window.chat.turns == []


def test_bad_file_is_refused_with_a_sentence_and_the_model_stays(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_text("<html>")
    before = window.engine.model
    window.models.open_file(bad)
    qtbot.waitUntil(lambda: "web page" in window.notice.text())
    assert window.engine.model == before


def test_opened_file_is_loaded_and_stays_in_the_library(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, starter: Path
) -> None:
    copy = tmp_path / "Mine.Q4_1.gguf"
    copy.symlink_to(starter)
    window.models.open_file(copy)
    qtbot.waitUntil(
        lambda: window.engine.model == copy and window.engine.is_loaded, timeout=ANSWER_MS
    )
    wait_idle(qtbot, window)
    # A link to a file that is listed already is the same model.
    qtbot.waitUntil(lambda: "SmolLM2" in window.strip._model.text())
    window.engine.unload()
    wait_idle(qtbot, window)
    moved = tmp_path / "Moved.Q4_1.gguf"
    shutil.copy(starter, moved)
    window.models.open_file(moved)
    qtbot.waitUntil(lambda: any(m.path == moved for m in window.models.models))
    wait_idle(qtbot, window)


def test_bill_opens_with_its_curve(qtbot: QtBot, window: MainWindow) -> None:
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    qtbot.mouseClick(views(window)[0].findChild(QPushButton, "bill"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(window.findChildren(QueryDialog)))
    dialog = window.findChild(QueryDialog)
    from desktop.history.curve import CurvePlot

    curve = dialog.findChild(CurvePlot)
    qtbot.waitUntil(lambda: any(len(item.xData) > 3 for item in curve.listDataItems()))
    dialog.close()


def test_stored_conversation_opens_again_tomorrow(qtbot: QtBot, window: MainWindow) -> None:
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    answer = window.chat.turns[0].answer
    conversation = window.chat.conversation_id
    assert conversation is not None
    window.chat.new_conversation()
    assert views(window) == [] or not window.chat.turns
    window.chat.open_conversation(conversation)
    qtbot.waitUntil(lambda: len(window.chat.turns) == 1)
    turn = window.chat.turns[0]
    assert (turn.question, turn.answer) == ("What is a watt?", answer)
    assert turn.record is not None
    assert turn.record.bill.total().joules


def test_shift_enter_breaks_the_line_and_blank_prompts_are_not_sent(
    qtbot: QtBot, window: MainWindow
) -> None:
    prompt = window.chat_page.prompt
    prompt.setPlainText("   ")
    qtbot.keyClick(prompt, Qt.Key.Key_Return)
    assert window.chat.turns == []
    prompt.clear()
    qtbot.keyClicks(prompt, "a")
    qtbot.keyClick(prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(prompt, "b")
    assert prompt.toPlainText() == "a\nb"
    assert not window.engine.busy


def test_model_text_is_inert(qtbot: QtBot) -> None:
    view = AnswerText()
    qtbot.addWidget(view)
    view.resize(400, 200)
    view.show_markdown(
        "<script>alert(1)</script> <b>bold?</b> ![x](http://127.0.0.1:9/x.png) "
        "![y](file:///etc/passwd) [link](http://example.invalid)"
    )
    view.show()
    text = view.toPlainText()
    assert "<script>" in text
    assert "<b>" in text
    assert not view.openLinks()
    assert view.loadResource(2, "file:///etc/hostname") is None


def test_unloading_gives_the_memory_back_and_the_next_question_loads_again(
    qtbot: QtBot, window: MainWindow
) -> None:
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    engine = window._services.engine
    assert engine.pid is not None
    window.engine.unload()
    qtbot.waitUntil(lambda: not window.engine.is_loaded)
    assert engine.pid is None
    send(qtbot, window, "And a joule?")
    wait_idle(qtbot, window)
    record = window.chat.turns[1].record
    assert record is not None
    assert record.seconds.load


def test_full_disk_keeps_the_answer_on_the_screen(qtbot: QtBot, window: MainWindow) -> None:
    """A connection that refuses to write stands for a disk that is full."""
    begin_story(qtbot, window, tokens=80)
    store = window._services.history.store
    refuse_to_write(store, True)
    wait_idle(qtbot, window)
    turn = window.chat.turns[0]
    assert turn.answer
    assert turn.record is not None
    assert turn.record.text == turn.answer
    assert "cannot be written at the moment" in window.notice.text()
    assert list(store.path.parent.glob("unsaved-*.json"))
    (view,) = views(window)
    assert turn.answer.split()[0] in shown_answer(view)
    # A draft that cannot be kept either does not hide where the answer is.
    window.chat_page.prompt.setPlainText("And a joule?")
    window.drafts.keep()
    done: list[object] = []
    window.bridge.change(lambda: None, done.append)
    qtbot.waitUntil(lambda: bool(done))
    assert "cannot be written at the moment" in window.notice.text()
    # With room again it is stored, and nothing is said of it any more.
    refuse_to_write(store, False)
    qtbot.waitUntil(lambda: not window._services.history.unstored(), timeout=ANSWER_MS)
    assert not list(store.path.parent.glob("unsaved-*.json"))
    limit(window, 8)
    send(qtbot, window, "And a joule?")
    wait_idle(qtbot, window)
    assert "cannot be written at the moment" not in window.notice.text()


def refuse_to_write(store: Store, does_refuse: bool) -> None:
    statement = f"pragma query_only = {int(does_refuse)}"
    store.maintain(lambda db: db.execute(statement)).result()


@pytest.mark.parametrize("is_full", [False, True])
def test_what_was_typed_is_there_again_at_the_next_start(
    qtbot: QtBot, window: MainWindow, is_full: bool
) -> None:
    refuse_to_write(window._services.history.store, is_full)
    window.chat_page.prompt.setPlainText("Half a thought")
    window.close()
    again = MainWindow(start_services(), LIGHT)
    qtbot.waitUntil(lambda: again.chat_page.prompt.toPlainText() == "Half a thought")
    again.close()
    again.deleteLater()


def has_ended(process: psutil.Process) -> bool:
    """Whether a child is gone with all of its threads, noticed by its program or not."""
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return found is not None


def test_engine_that_died_between_two_questions_is_replaced(
    qtbot: QtBot, window: MainWindow
) -> None:
    send(qtbot, window, "What is a watt?")
    wait_idle(qtbot, window)
    pid = window._services.engine.pid
    assert pid is not None
    engine = psutil.Process(pid)
    engine.kill()
    qtbot.waitUntil(lambda: has_ended(engine))
    send(qtbot, window, "And a joule?")
    wait_idle(qtbot, window)
    record = window.chat.turns[1].record
    assert record is not None
    assert record.status is Status.DONE


def test_stop_while_the_model_is_still_loading_ends_the_query(
    qtbot: QtBot, window: MainWindow
) -> None:
    send(qtbot, window, "What is a watt?")
    window.engine.stop()
    wait_idle(qtbot, window)
    turns = window.chat.turns
    assert not turns or (turns[0].record and turns[0].record.status is Status.STOPPED)
    if not turns:
        assert window.chat_page.prompt.toPlainText() == "What is a watt?"


def test_question_given_back_stands_before_what_was_typed_since(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.engine.choose_model(tmp_path / "gone.gguf", load=False)
    send(qtbot, window, "First question")
    window.chat_page.prompt.setPlainText("next draft")
    wait_idle(qtbot, window)
    qtbot.waitUntil(lambda: "First" in window.chat_page.prompt.toPlainText())
    assert window.chat_page.prompt.toPlainText() == "First question\n\nnext draft"


def test_long_lines_of_code_can_be_reached(qtbot: QtBot) -> None:
    view = AnswerText()
    qtbot.addWidget(view)
    view.resize(400, 100)
    view.show()
    view.show_markdown("```\n" + "x" * 500 + "\n```")
    qtbot.waitUntil(lambda: view.horizontalScrollBar().maximum() > 0)
    assert view.height() > view.document().size().height()


def test_escape_stops_the_answer_whatever_page_is_shown(qtbot: QtBot, window: MainWindow) -> None:
    begin_story(qtbot, window)
    window.show_page("history")
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    wait_idle(qtbot, window)
    record = window.chat.turns[0].record
    assert record is not None
    assert record.status is Status.STOPPED


def test_answer_cut_at_its_limit_says_so(qtbot: QtBot, window: MainWindow) -> None:
    limit(window, 12)
    send(qtbot, window, STORY)
    wait_idle(qtbot, window)
    (view,) = views(window)
    assert "limit of 12 tokens" in "\n".join(label.text() for label in view.findChildren(QLabel))
    assert "/ 4,096" in window.strip._context.text()
