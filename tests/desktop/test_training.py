"""Training in the window: entered in three ways, compared with a person's own answers."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.models.training import TrainingCard
from desktop.models.training_dialog import TrainingDialog
from desktop.services import Services
from desktop.theme.equivalents import TEXTS, EquivalentLine, EquivalentSwitch
from monitor.carbon.equivalents import PREFERENCE, WORDS
from monitor.carbon.training import Method, Training, entered
from monitor.energy.account import Bill
from monitor.energy.interval import Interval
from monitor.hub.card import parse_card
from tests.unit.builders import CPU, line, stored_query


@pytest.fixture
def bridge(qtbot: QtBot, services: Services) -> Iterator[Bridge]:
    bridge = Bridge(services)
    yield bridge
    bridge.close()
    services.close()


@pytest.fixture
def card(qtbot: QtBot, bridge: Bridge, services: Services) -> TrainingCard:
    card = TrainingCard(bridge, services.history)
    qtbot.addWidget(card)
    card.show()
    card.show_model("tiny")
    qtbot.waitUntil(card.enter.isEnabled)
    return card


def open_dialog(qtbot: QtBot, card: TrainingCard) -> TrainingDialog:
    card.enter.click()
    dialog = card.findChild(TrainingDialog)
    assert isinstance(dialog, TrainingDialog)
    return dialog


def test_what_is_not_known_is_said_and_entered(
    qtbot: QtBot, card: TrainingCard, services: Services
) -> None:
    assert "Not known" in card.source.text()
    assert card.forget.isHidden()
    dialog = open_dialog(qtbot, card)
    dialog.accept()
    assert dialog.isVisible()
    assert "more than 0 g" in dialog.problem.text()
    dialog.known.amount.setValue(420)
    assert dialog.problem.isHidden()
    dialog.known.source.setText("its paper")
    with qtbot.waitSignal(card.changed):
        dialog.accept()
    qtbot.waitUntil(lambda: card.figure.text() == "420 t CO₂e")
    assert card.source.text() == "entered: its paper"
    assert services.history.trainings.known() == {"tiny": entered(420e6, "its paper")}
    with qtbot.waitSignal(card.changed):
        card.forget.click()
    qtbot.waitUntil(lambda: "Not known" in card.source.text())


def test_it_is_laid_beside_ones_own_answers(
    qtbot: QtBot, card: TrainingCard, services: Services
) -> None:
    history = services.history
    for joules in (10.0, 30.0):
        stored_query(history, bill=Bill((line(CPU, "decode", joules),)))
    history.trainings.keep("tiny", Training(1e6, "a paper", 20.0 * 310e6))
    card.show_model("tiny")
    qtbot.waitUntil(lambda: card.equals.text() == "As much as about 310 million of your answers")
    assert card.spread.text().endswith("as your answers differ (2 answers, ● 20.0 J on average)")


def test_the_hardware_is_reckoned_as_it_is_typed(
    qtbot: QtBot, card: TrainingCard, services: Services
) -> None:
    dialog = open_dialog(qtbot, card)
    tab = dialog.hardware
    dialog.tabs.setCurrentWidget(tab)
    dialog.accept()
    assert "The time must be more than 0" in dialog.problem.text()
    tab.hardware.setCurrentText("A100 PCIe 40GB")
    assert tab.watts.value() == 250
    tab.hours.setValue(100)
    tab.count.setValue(8)
    tab.zone.setCurrentText("germany")
    assert 300 < tab.intensity.value() < 400
    tab.intensity.setValue(500)
    assert "100 kg CO₂e, 200 kWh: time × TDP, an upper figure" in tab.result.text()
    with qtbot.waitSignal(card.changed):
        dialog.accept()
    found = services.history.trainings.known()["tiny"]
    assert found.method is Method.COMPUTED
    assert found.grams == pytest.approx(100_000)
    assert dict(found.details)["place"] == "own figure"
    qtbot.waitUntil(lambda: "computed, time × TDP" in card.source.text())
    # What was entered is there again to be mended.
    again = TrainingDialog(card._bridge, "tiny", found)
    qtbot.addWidget(again)
    assert again.tabs.currentWidget() is again.hardware
    assert again.hardware.training() == found


def test_a_clouds_region_is_a_place_with_its_figure(qtbot: QtBot, bridge: Bridge) -> None:
    dialog = TrainingDialog(bridge, "tiny", None)
    qtbot.addWidget(dialog)
    tab = dialog.hardware
    tab.hours.setValue(100)
    tab.zone.setCurrentText("AWS us-east-1 (Ashburn, USA)")
    assert tab.intensity.value() == 367.8
    found = tab.training()
    assert "AWS us-east-1 2019 367.8 g/kWh (ML CO2 Impact)" in found.source
    assert dict(found.details)["region"] == "us-east-1"
    again = TrainingDialog(bridge, "tiny", found)
    qtbot.addWidget(again)
    assert again.hardware.training() == found
    tab.intensity.setValue(300)
    assert "AWS us-east-1, own figure 300 g/kWh" in tab.training().source


def test_hardware_of_another_name_needs_its_watts(qtbot: QtBot, bridge: Bridge) -> None:
    dialog = TrainingDialog(bridge, "tiny", None)
    qtbot.addWidget(dialog)
    tab = dialog.hardware
    tab.hours.setValue(36)
    tab.hardware.setCurrentText("My own chip")
    tab.watts.setValue(100)
    assert "My own chip (100 W: as entered)" in tab.training().source


def test_a_card_is_taken_as_it_says(qtbot: QtBot, bridge: Bridge) -> None:
    dialog = TrainingDialog(bridge, "tiny", None)
    qtbot.addWidget(dialog)
    tab = dialog.card
    dialog.tabs.setCurrentWidget(tab)
    dialog.accept()
    assert "Read a card" in dialog.problem.text()
    tab.repository.setText("who/quiz")
    tab.show_card(parse_card("who/other", "---\nco2_eq_emissions: 5\n---\n"))
    assert tab.is_unread, "the card of a repository that is no longer asked for"
    tab.show_card(parse_card("who/quiz", "# says nothing"))
    assert "does not say" in tab.result.text()
    tab.show_card(parse_card("who/quiz", "---\nco2_eq_emissions: 1200\n---\n"))
    assert "1.20 kg CO₂e" in tab.result.text()
    with qtbot.waitSignal(dialog.told) as told:
        dialog.accept()
    (training,) = told.args or [None]
    assert training.grams == 1200
    assert training.source == "model card of who/quiz"


def test_an_equivalent_is_shown_small_with_its_source(qtbot: QtBot) -> None:
    shown = EquivalentLine()
    qtbot.addWidget(shown)
    assert shown.isHidden()
    shown.show_amounts(Interval(90.0, 9.0, 18.0, 0.0), 0.244)
    assert not shown.isHidden()
    assert shown.text() == "≈ an LED bulb for 10 s · 1.0 m by petrol car"
    assert shown.textFormat() is Qt.TextFormat.PlainText
    assert "9.0–12 s" in shown.toolTip()
    assert "https://www.epa.gov" in shown.accessibleDescription()
    shown.set_wanted(False)
    assert shown.isHidden()
    shown.show_amounts(Interval(9.0, 0.0, 0.0, 0.0), None)
    assert shown.isHidden()
    shown.set_wanted(True)
    assert shown.text() == "≈ an LED bulb for 1.0 s"
    shown.show_amounts(None, None)
    assert shown.isHidden()


def test_every_equivalent_can_be_translated() -> None:
    assert {text for _context, text in map(_of, TEXTS)} == set(WORDS.values())


def _of(text: object) -> tuple[str, str]:
    return ("", text) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type, return-value]


def test_the_switch_is_remembered(qtbot: QtBot, bridge: Bridge, services: Services) -> None:
    switch = EquivalentSwitch(bridge, services.history)
    qtbot.addWidget(switch)
    with qtbot.waitSignal(switch.switched) as read:
        pass
    assert read.args == [True]
    with qtbot.waitSignal(switch.switched) as turned:
        switch.click()
    assert turned.args == [False]
    qtbot.waitUntil(lambda: services.history.preference(PREFERENCE) is False)
    again = EquivalentSwitch(bridge, services.history)
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: not again.isChecked())
