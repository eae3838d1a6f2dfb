"""What is said above the pages is there until it is read or over, whatever is said meanwhile."""

import pytest
from PySide6.QtWidgets import QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from desktop.advice import ADVICE_PREFERENCE, Advice
from desktop.bridge import Bridge
from desktop.notice import Notice
from desktop.services import Services
from desktop.theme.palette import LIGHT


@pytest.fixture
def notice(qtbot: QtBot) -> Notice:
    made = Notice(LIGHT)
    qtbot.addWidget(made)
    return made


def test_what_has_another_topic_is_covered_and_comes_back(notice: Notice) -> None:
    notice.say("The answer is not stored", topic="unstored")
    notice.say("The conversation was deleted.", "Undo", lambda: None, topic="chat")
    assert notice.text() == "The conversation was deleted."
    notice.settle("chat")
    assert notice.text() == "The answer is not stored"
    notice.say("Read this")
    assert notice.text() == "Read this"
    notice._close.click()
    assert notice.text() == "The answer is not stored"
    notice.settle("unstored")
    assert notice.text() == ""


def test_what_is_over_goes_also_where_it_is_covered(notice: Notice) -> None:
    notice.say("The answer is not stored", topic="unstored")
    notice.say("The conversation was deleted.", "Undo", lambda: None, topic="chat")
    notice.settle("unstored")
    assert notice.text() == "The conversation was deleted."
    assert [button.text() for button in notice._buttons] == ["Undo"]
    notice.settle("chat")
    assert notice.text() == ""


def test_what_no_longer_holds_goes_and_leaves_what_is_said_besides(notice: Notice) -> None:
    notice.say("The answer is not stored", topic="unstored")
    notice.say("A query was deleted.", "Undo", lambda: None)
    notice.withdraw("A query was deleted.")
    assert notice.text() == "The answer is not stored"
    notice.say("A query was deleted.", "Undo", lambda: None)
    notice.say("Two answers are not stored", topic="unstored")
    notice.withdraw("A query was deleted.")
    assert notice.text() == "Two answers are not stored"
    notice._close.click()
    assert notice.text() == ""


def test_tab_leads_from_the_text_over_its_buttons_to_close(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    notice, field = Notice(LIGHT, window), QLineEdit(window)
    for actions in ([("Undo", print)], [("Show how", print), ("Later", print)]):
        notice.offer("Read this", actions)
        at, found = notice._text.nextInFocusChain(), []
        while at is not field:
            found.append(at)
            at = at.nextInFocusChain()
        assert [each for each in found if not each.isHidden()] == [*notice._buttons, notice._close]


def test_of_one_topic_and_of_none_the_latest_is_said(notice: Notice) -> None:
    notice.say("Read this")
    notice.say("The answer is not stored", topic="unstored")
    notice.say("Two answers are not stored", topic="unstored")
    notice.say("Read that")
    for text in ("Read that", "Two answers are not stored"):
        assert notice.text() == text
        notice._close.click()
    assert notice.text() == ""


def test_what_was_hidden_does_not_come_back(notice: Notice) -> None:
    notice.say("The answer is not stored", topic="unstored")
    notice.hide()
    notice.settle("chat")
    assert notice.text() == ""
    notice.say("Read this")
    notice._close.click()
    assert notice.text() == ""


def test_advice_covers_what_is_to_be_read_until_it_is_read_itself(
    qtbot: QtBot, bridge: Bridge, services: Services, notice: Notice
) -> None:
    advice = Advice(bridge, services, notice)
    notice.say("LlamaWatt is open in another window.")
    advice._show("The GPU lies idle.")
    assert notice.text() == "The GPU lies idle."
    notice.say("The history cannot be written.")
    notice._close.click()
    assert notice.text() == "The GPU lies idle."
    preference = services.history.preference
    assert preference(ADVICE_PREFERENCE) is None
    notice.press("Show how")
    assert notice.text() == ""
    qtbot.waitUntil(lambda: preference(ADVICE_PREFERENCE) == "The GPU lies idle.")


def test_what_advice_has_covered_comes_back(
    bridge: Bridge, services: Services, notice: Notice
) -> None:
    advice = Advice(bridge, services, notice)
    notice.say("LlamaWatt is open in another window.")
    advice._show("The GPU lies idle.")
    notice.press("Show how")
    assert notice.text() == "LlamaWatt is open in another window."
