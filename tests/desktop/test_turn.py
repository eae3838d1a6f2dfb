"""One question with its answer and what stands under it."""

from unittest.mock import Mock

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.chat.turn import TurnView
from desktop.chat.turns import ChatTurn
from desktop.theme.palette import LIGHT
from monitor.energy.account import Bill
from monitor.energy.credit import Credit
from monitor.energy.interval import Interval
from monitor.engine.messages import PrefillStarted, PromptRead
from monitor.power.channel import Kind
from monitor.reading import Reading
from monitor.running import SoFar
from monitor.store.history import History
from monitor.store.records import Status, Tokens
from tests.unit.builders import BILL, CPU, LACKING, line, outcome, query_start
from tests.unit.test_beside import busy


def test_what_reuse_saved_stands_beside_the_bill_and_neither_is_cut(
    qtbot: QtBot, history: History
) -> None:
    began = history.begin(query_start())
    record = history.finish(began.query_id, outcome())
    credit = Credit(120, Interval(0.8, 0.1, 0.1, 0.0), Kind.COUNTER, is_own=True)
    view = TurnView(ChatTurn("What?", answer="It.", record=record, credit=credit), LIGHT)
    qtbot.addWidget(view)
    view.resize(780, 300)
    view.show()
    assert view.credit.text() == "reuse saved ● 800 mJ"
    for each in (view.bill, view.credit, view.again):
        assert each.isVisible()
        assert each.width() >= each.sizeHint().width()
    assert view.credit.geometry().right() <= view.width()
    assert not TurnView(ChatTurn("What?", answer="It.", record=record), LIGHT).credit.text()


def test_what_others_computed_meanwhile_stands_under_the_bill(
    qtbot: QtBot, history: History
) -> None:
    for others, is_told in ((70.0, True), (1.0, False)):
        began = history.begin(query_start())
        record = history.finish(began.query_id, outcome(gauges=busy(others)))
        view = TurnView(ChatTurn("What?", answer="It.", record=record), LIGHT)
        qtbot.addWidget(view)
        said = [each.text() for each in view.findChildren(QLabel) if not each.isHidden()]
        assert any("Other programs used 70 %" in text for text in said) is is_told


def test_of_an_answer_that_lacks_a_part_no_share_is_told_and_nothing_was_too_short(
    qtbot: QtBot, history: History
) -> None:
    short = Bill((line(CPU, joules=1.0, resolved=False),))
    for bill, is_short, is_shared in ((BILL, False, True), (LACKING, False, False),
                                      (short, True, True)):  # fmt: skip
        began = history.begin(query_start())
        tokens = Tokens(prompt=12, completion=6, thinking=3)
        record = history.finish(began.query_id, outcome(bill=bill, tokens=tokens, thinking_j=0.5))
        view = TurnView(ChatTurn("What?", answer="It.", record=record), LIGHT)
        qtbot.addWidget(view)
        assert ("Too short to resolve" in view.bill.toolTip()) is is_short
        assert ("of the joules" in view._thinking_words(record)) is is_shared


def test_figures_of_an_answer_under_way_are_of_one_moment(qtbot: QtBot) -> None:
    turn = ChatTurn("What?", stage="writing …")
    view = TurnView(turn, LIGHT)
    qtbot.addWidget(view)

    def told(tokens: int) -> str:
        turn.tokens = tokens
        view.add_text("word ")
        return view._stage.text()

    assert told(1_200) == "writing … 1,200 tokens"
    turn.so_far = SoFar(BILL, 1_210, 40.0)
    for tokens in (1_211, 1_280):
        assert told(tokens).startswith("writing … 1,210 tokens · ")
        assert told(tokens).endswith(" so far · 40.0 t/s")
    assert "≥" not in told(1_290)
    turn.so_far = SoFar(LACKING, 1_300, 40.0)
    assert "tokens · ≥ ● " in told(1_301)


def test_a_prompt_that_is_read_shows_how_far_that_is_and_what_it_has_come_to(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_s = 1_000.0
    monkeypatch.setattr("monitor.reading.time", Mock(monotonic=lambda: start_s + 20.0))
    turn = ChatTurn("What?", stage="reading the prompt …")
    turn.reading = Reading.begun(PrefillStarted(start_s, tokens=1_000, reused=0))
    view = TurnView(turn, LIGHT)
    qtbot.addWidget(view)
    assert view._stage.text() == "reading the prompt … 1,000 tokens · 20 s"
    turn.reading = turn.reading.after(PromptRead(start_s + 10.0, tokens=500))
    turn.so_far = SoFar(BILL, 0, None)
    view._seconds.setInterval(1)
    qtbot.waitUntil(lambda: "50 % of 1,000 tokens" in view._stage.text())
    assert view._stage.text().endswith(" · 20 s · 50.0 t/s · ◐ 57.6 J so far")
    turn.reading, turn.stage = None, "writing …"
    view.refresh()
    assert view._stage.text() == "writing …"
    assert not view._seconds.isActive()


def test_an_answer_stopped_before_anything_was_measured_points_at_no_energy(
    qtbot: QtBot, history: History
) -> None:
    for bill, told in ((BILL, "Stopped. The energy until then is below."), (Bill(()), "Stopped.")):
        began = history.begin(query_start())
        record = history.finish(began.query_id, outcome(status=Status.STOPPED, bill=bill))
        view = TurnView(ChatTurn("What?", record=record), LIGHT)
        qtbot.addWidget(view)
        assert view._problem.text() == told
