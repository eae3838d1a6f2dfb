"""One question with its answer and what stands under it."""

from pytestqt.qtbot import QtBot

from desktop.chat.turn import TurnView
from desktop.chat.turns import ChatTurn
from desktop.theme.palette import LIGHT
from monitor.energy.credit import Credit
from monitor.energy.interval import Interval
from monitor.power.channel import Kind
from monitor.store.history import History
from tests.unit.builders import outcome, query_start


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
