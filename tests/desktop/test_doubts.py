"""Doubts of a channel's figures: in the window's language there, in English elsewhere."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QTranslator
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop.sensors.channels import ChannelTable
from desktop.sensors.probes import ProbeList
from desktop.sensors.scheme import scheme_of
from desktop.theme.doubts import TEXTS
from desktop.theme.palette import LIGHT
from monitor.power import containment
from monitor.power.channel import Doubt, Probe, ProbeState
from monitor.power.nvml.gpu import AT_ODDS
from tests.unit.builders import GPU

TOLD = Doubt(GPU.key, AT_ODDS, ("GPU 0", "100", "200", "60"))
GERMAN = "%1: In %4 s wurden %2 J gezählt, aber %3 J aus den Watt berechnet."


class German(QTranslator):
    """Knows that text."""

    def translate(
        self, context: str, text: str, _disambiguation: str | None = None, _n: int = -1
    ) -> str:
        return GERMAN if (context, text) == ("Doubts", AT_ODDS) else text


@pytest.fixture
def german(qapp: QCoreApplication) -> Iterator[None]:
    translator = German()
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def warnings(widget: QWidget) -> list[QLabel]:
    return [each for each in widget.findChildren(QLabel, "warning") if not each.isHidden()]


def test_what_a_source_doubts_can_be_translated() -> None:
    told = {AT_ODDS, containment.AT_ODDS, containment.NOT_BELIEVED}
    assert told <= set(TEXTS)


@pytest.mark.usefixtures("german")
def test_a_doubt_is_told_in_the_windows_language(qtbot: QtBot) -> None:
    probe = Probe("nvml", ProbeState.AVAILABLE, "Reading it.", doubts=(TOLD,))
    cards, table = ProbeList(), ChannelTable(scheme_of([GPU]), {}, LIGHT)
    for widget in (cards, table):
        qtbot.addWidget(widget)
    cards.show_probes([probe], [GPU], {GPU.key: 50.0})
    table.show_doubts([probe])
    words = "GPU 0: In 60 s wurden 100 J gezählt, aber 200 J aus den Watt berechnet."
    assert words in [each.text() for each in warnings(cards)]
    (mark,) = warnings(table)
    assert (mark.toolTip(), mark.accessibleDescription()) == (words, words)
    # What commands write is English, whatever the window speaks.
    assert probe.doubt == (
        "GPU 0: its energy counter and its watts disagree, 100 J against 200 J over 60 s. "
        "The counter is billed."
    )
