"""The strip over the pages: what it says, and what gives way where there is little room."""

from typing import Any

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.window import MainWindow
from monitor.carbon.intensity import Zone
from monitor.store.history import History
from monitor.store.records import QueryRecord
from tests.unit.builders import LACKING, ZONE, outcome, query_start


@pytest.fixture
def answered(window: MainWindow) -> MainWindow:
    """The window after an answer, with the starter model chosen."""
    history = window._services.history
    window.strip.add_answer(stored(history))
    window.strip.show_context(61, 4096)
    return window


def stored(history: History, zone: Zone = ZONE, **changes: Any) -> QueryRecord:
    query_id = history.begin(query_start(zone=zone)).query_id
    history.finish(query_id, outcome(**changes))
    return history.record(query_id)


def test_the_session_says_what_it_lacks(answered: MainWindow) -> None:
    strip, history = answered.strip, answered._services.history
    assert "≥" not in strip._session.toolTip()
    strip.add_answer(stored(history, Zone("CAF", "Central African Republic", 2022, 0.0)))
    told = strip._session.toolTip().splitlines()[0]
    assert "2 answers" in told, "it was measured, though nothing is known of its grid"
    energy, grams = told.split(" · ")[-2:]
    assert (energy[0], grams[0]) == ("◐", "≥")
    strip.add_answer(stored(history, bill=LACKING))
    energy, grams = strip._session.toolTip().splitlines()[0].split(" · ")[-2:]
    assert (energy[0], grams[0]) == ("≥", "≥")


def is_whole(shown: QLabel) -> bool:
    return shown.fontMetrics().horizontalAdvance(shown.text()) <= shown.width()


@pytest.mark.parametrize("width", [1180, 1024, 900])
def test_nothing_in_it_is_cut_and_the_quantisation_stays(
    qtbot: QtBot, answered: MainWindow, width: int
) -> None:
    answered.resize(width, 640)
    qtbot.waitUntil(lambda: answered.strip.width() == width)
    strip = answered.strip
    strip.layout().activate()
    assert " · Q4_1 · " in strip._model.text()
    assert strip._model.sizeHint().width() <= strip._model.width(), "elided by Qt"
    shown = [each for each in strip.findChildren(QLabel) if each.text()]
    assert all(map(is_whole, shown))
    assert "J" in strip._session.text()
    assert "CO₂e" in strip._session.toolTip()
    right = strip._zone.mapTo(strip, strip._zone.rect().topRight()).x()
    assert right < width


def test_a_long_name_gives_way_at_its_end_and_all_of_it_is_in_the_tooltip(
    qtbot: QtBot, answered: MainWindow
) -> None:
    answered.resize(900, 640)
    qtbot.waitUntil(lambda: answered.strip.width() == 900)
    strip, model = answered.strip, answered.engine.model
    assert model
    strip._name = "A model whose name goes on and on, far beyond what any strip can hold"
    strip._fit()
    assert "… · Q4_1" in strip._model.text()
    assert strip._model.sizeHint().width() <= 900
    assert "SmolLM2-135M-Instruct · Q4_1" in strip._model.toolTip()


def test_a_load_is_shown_without_moving_what_is_written(qtbot: QtBot, answered: MainWindow) -> None:
    before = answered.strip._context.geometry()
    answered.strip.show_load(0.4)
    assert answered.strip._progress.isVisible()
    assert answered.strip._progress.value() == 40
    answered.strip.layout().activate()
    assert answered.strip._context.geometry() == before
    answered.strip.show_load(None)
    assert not answered.strip._progress.isVisible()


def test_a_long_name_is_cut_to_its_share_before_the_session_is_and_stays_as_watts_change(
    qtbot: QtBot, answered: MainWindow
) -> None:
    answered.resize(1180, 640)
    qtbot.waitUntil(lambda: answered.strip.width() == 1180)
    strip = answered.strip
    strip._name = "A-model-whose-name-goes-on-and-on-far-beyond-what-any-strip-can-ever-hold-v12.3"
    cuts = set()
    for power in ("○ 1.73 W", "○ 596 mW", "○ 22.6 W"):
        strip._power.setText(power)
        strip._fit()
        cuts.add(strip._model.text())
    assert len(cuts) == 1
    assert "CO₂e" in strip._session.text()
    assert "…" in strip._model.text()
