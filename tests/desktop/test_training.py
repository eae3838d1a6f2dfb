"""Training in the window: entered in three ways, compared with a person's own answers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.models.training import TrainingCard
from desktop.models.training_dialog import TrainingDialog
from desktop.services import Services
from desktop.theme.equivalents import TEXTS, EquivalentLine, EquivalentSwitch
from monitor.carbon.accelerators import Accelerator
from monitor.carbon.equivalents import PREFERENCE, WORDS
from monitor.carbon.training import Method, Place, Training, computed, entered
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
    dialog.known.mass.number.setValue(420)
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


def test_an_energy_that_is_told_is_kept_and_shown_again(
    qtbot: QtBot, card: TrainingCard, services: Services
) -> None:
    dialog = open_dialog(qtbot, card)
    known = dialog.known
    known.mass.number.setValue(420)
    known.energy.number.setValue(1.2)
    known.source.setText("its paper")
    dialog.accept()
    assert "350,000 g/kWh" in dialog.problem.text(), "1.2 MWh cannot emit 420 t"
    known.energy.unit.setCurrentText("GWh")
    assert dialog.problem.isHidden()
    with qtbot.waitSignal(card.changed):
        dialog.accept()
    found = services.history.trainings.known()["tiny"]
    assert found == entered(420e6, "its paper", 1.2e9 * 3600)
    qtbot.waitUntil(lambda: card.source.text() == "1.20 GWh, entered: its paper")
    again = TrainingDialog(card._bridge, "tiny", found)
    qtbot.addWidget(again)
    assert again.known.training() == found


H100_OF_500_W: dict[str, Any] = {
    "hardware": "H100", "tdp_w": 500.0, "count": 1, "hours": 100.0, "place": "DEU",
    "g_per_kwh": 342.06, "pue": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "details",
    [
        H100_OF_500_W,
        {**H100_OF_500_W, "tdp_w": 350.5, "hours": 1234.56, "pue": 1.125},
        {**H100_OF_500_W, "place": "Mars", "g_per_kwh": 12.3456},
    ],
)
def test_what_was_reckoned_is_the_same_after_it_was_looked_at(
    qtbot: QtBot, bridge: Bridge, details: dict[str, Any]
) -> None:
    place = Place(details["place"], details["g_per_kwh"])
    chip = Accelerator(details["hardware"], "", details["tdp_w"], "as entered")
    stored = computed(chip, details["count"], details["hours"], place, details["pue"])
    again = TrainingDialog(bridge, "tiny", stored)
    qtbot.addWidget(again)
    again.hardware.settle()
    assert again.hardware.watts.value() == details["tdp_w"]
    mended = again.hardware.training()
    assert (mended.grams, mended.energy_j, mended.details) == (
        stored.grams, stored.energy_j, stored.details
    )  # fmt: skip
    with qtbot.waitSignal(again.told) as told:
        again.accept()
    assert told.args == [stored]


@pytest.mark.parametrize(
    ("grams", "kwh", "shown"),
    [
        (1_234_567.8, 1_082_990.4, ("1.2345678 t", "1.0829904 GWh")),
        (0.0004, None, ("0.0004 g", "not entered MWh")),
        (1e6 / 3, 1000 / 3, ("333.333333333 kg", "333.333333333 kWh")),
    ],
)
def test_an_amount_is_kept_to_its_last_digit_until_it_is_edited(
    qtbot: QtBot, bridge: Bridge, grams: float, kwh: float | None, shown: tuple[str, str]
) -> None:
    stored = entered(grams, "a paper", kwh and kwh * 3.6e6)
    again = TrainingDialog(bridge, "tiny", stored)
    qtbot.addWidget(again)
    known = again.known
    amounts = (known.mass, known.energy)
    assert tuple(f"{each.number.text()} {each.unit.currentText()}" for each in amounts) == shown
    known.source.setText("its report")
    assert known.training() == replace(stored, source="its report")
    known.mass.unit.setCurrentText("kg")
    known.mass.number.setValue(2.5)
    assert known.mass.amount() == 2500


def test_looking_at_what_a_card_told_does_not_make_it_ones_own(
    qtbot: QtBot, bridge: Bridge
) -> None:
    of_card = Training(
        1200.0, "model card of who/quiz", method=Method.CARD, details=(("location", "Ghent"),)
    )
    again = TrainingDialog(bridge, "tiny", of_card)
    qtbot.addWidget(again)
    with qtbot.waitSignal(again.told) as told:
        again.accept()
    assert told.args == [of_card]
    again.known.mass.number.setValue(1.3)
    with qtbot.waitSignal(again.told) as told:
        again.accept()
    assert told.args == [entered(1300.0, "model card of who/quiz")]


@pytest.fixture
def dialog(qtbot: QtBot, bridge: Bridge) -> TrainingDialog:
    """A dialog that begins to reckon: all is there but what it ran on, and where."""
    made = TrainingDialog(bridge, "tiny", None)
    qtbot.addWidget(made)
    made.tabs.setCurrentWidget(made.hardware)
    made.hardware.hours.setValue(36)
    return made


def test_hardware_of_another_name_needs_its_watts(dialog: TrainingDialog) -> None:
    tab = dialog.hardware
    tab.hardware.setCurrentText("My own chip")
    dialog.accept()
    assert "no accelerator “My own chip”" in dialog.problem.text(), "700 W are the H100's"
    tab.watts.setValue(100)
    assert dialog.problem.isHidden()
    assert "My own chip (100 W: as entered)" in tab.training().source


@pytest.mark.parametrize("name", ["Germny", "moon-base-1"])
def test_another_place_is_never_taken_for_one_that_is_not_known(
    dialog: TrainingDialog, name: str
) -> None:
    tab = dialog.hardware
    told: list[Training] = []
    dialog.told.connect(told.append)
    tab.zone.setCurrentText("Germany")
    tab.zone.setCurrentText(name)
    dialog.accept()
    assert f"no zone or region “{name}”" in dialog.problem.text()
    assert tab.result.text() == ""
    assert not told
    tab.intensity.setValue(45)
    dialog.accept()
    (training,) = told
    assert dict(training.details)["place"] == name
    assert dict(training.details)["g_per_kwh"] == 45
    dialog.hardware.show_training(training)
    assert dialog.hardware.training() == training


def test_a_place_without_a_name_needs_its_figure(dialog: TrainingDialog) -> None:
    tab = dialog.hardware
    tab.zone.setCurrentText("")
    dialog.accept()
    assert "Say where it stood" in dialog.problem.text()
    tab.intensity.setValue(45)
    assert "own figure 45 g/kWh" in tab.training().source


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_a_name_is_chosen_by_any_part_of_it_and_what_is_typed_stays(
    qtbot: QtBot, dialog: TrainingDialog
) -> None:
    tab = dialog.hardware
    dialog.show()
    for box, typed, chosen in (
        (tab.zone, "us-east", "Google Cloud us-east1 (Moncks Corner, USA)"),
        (tab.hardware, "4090", "RTX 4090"),
    ):
        line = box.lineEdit()
        assert line
        line.setFocus()
        line.clear()
        qtbot.keyClicks(line, typed)
        assert box.currentText() == typed
        popup = box.completer().popup()
        assert popup.isVisible()
        qtbot.keyClick(popup, Qt.Key.Key_Down)
        qtbot.keyClick(popup, Qt.Key.Key_Return)
        assert box.currentText() == chosen
        assert dialog.isVisible()
    assert (tab.watts.value(), tab.intensity.value()) == (450, 560)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
@pytest.mark.parametrize(
    ("typed", "meant", "g_per_kwh"),
    [
        ("DEU", "Germany", 342.06),
        ("de", "Germany", 342.06),
        ("us-east-1", "AWS us-east-1 (Ashburn, USA)", 367.8),
    ],
)
def test_a_code_is_written_out_once_it_is_typed(
    qtbot: QtBot, dialog: TrainingDialog, typed: str, meant: str, g_per_kwh: float
) -> None:
    tab = dialog.hardware
    line = tab.zone.lineEdit()
    assert line
    line.clear()
    qtbot.keyClicks(line, typed)
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert tab.zone.currentText() == meant
    assert tab.intensity.value() == g_per_kwh
    tab.hardware.setCurrentText("h100")
    tab.settle()
    assert tab.hardware.currentText() == "H100 SXM"


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


def test_a_card_is_named_by_its_pages_address_and_nonsense_is_not_asked_for(
    qtbot: QtBot, dialog: TrainingDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "desktop.models.training_dialog.read_card",
        lambda name, _tick: parse_card(name, "---\nco2_eq_emissions: 1200\n---\n"),
    )
    tab = dialog.card
    tab.repository.setText("quiz")
    tab.ask()
    assert "“quiz” is no repository" in tab.result.text()
    tab.repository.setText("https://huggingface.co/who/quiz/tree/main")
    tab.ask()
    qtbot.waitUntil(lambda: "1.20 kg CO₂e, by the model card of who/quiz" in tab.result.text())


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
