"""What stored queries would have emitted elsewhere, in a real dialog over a real history."""

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.history.recosting import RecostDialog
from desktop.services import Services
from monitor import figures
from monitor.carbon.choice import choose_pue
from monitor.carbon.intensity import Zone
from monitor.store.filters import EVERYTHING, Filter
from tests.unit.builders import BILL, LACKING, outcome, query_start, stored_query


def opened(
    qtbot: QtBot, bridge: Bridge, services: Services, host: QWidget, chosen: Filter
) -> RecostDialog:
    made = RecostDialog(bridge, services.history, chosen, host)
    made.show()
    qtbot.waitUntil(lambda: "measured queries" in made.told.text())
    return made


def test_grams_follow_the_zone_and_the_pue_at_once(
    qtbot: QtBot, bridge: Bridge, services: Services, host: QWidget
) -> None:
    for prompt in ("one", "two"):
        stored_query(services.history, prompt)
    dialog = opened(qtbot, bridge, services, host, EVERYTHING)
    as_it_was = dialog.stored.text()
    qtbot.keyClicks(dialog.zones.search, "norw")
    qtbot.waitUntil(lambda: "Norway" in dialog.where.text())
    assert "of what was reckoned" in dialog.change.text()
    joules = BILL.total().joules
    assert joules
    grams = 2 * joules / 3.6e6 * 30.75
    assert dialog.other.text() == figures.mass(grams)
    dialog.pue.setValue(2.0)
    qtbot.waitUntil(lambda: dialog.other.text() == figures.mass(2 * grams))
    assert dialog.stored.text() == as_it_was, "what is stored stays"


def test_a_figure_of_another_year_takes_the_place_of_the_zones(
    qtbot: QtBot, bridge: Bridge, services: Services, host: QWidget
) -> None:
    stored_query(services.history)
    dialog = opened(qtbot, bridge, services, host, EVERYTHING)
    of_the_zone = dialog.other.text()
    assert not dialog.year.isEnabled()
    dialog.own.setValue(45)
    dialog.year.setValue(2019)
    joules = BILL.total().joules
    assert joules
    qtbot.waitUntil(lambda: dialog.where.text() == "your figure, 2019 · 45 g CO₂e/kWh")
    assert dialog.other.text() == figures.mass(joules / 3.6e6 * 45)
    assert not dialog.zones.isEnabled()
    dialog.own.setValue(0)
    qtbot.waitUntil(lambda: dialog.other.text() == of_the_zone)
    assert dialog.zones.isEnabled()


def test_grams_of_unlike_queries_are_told_with_their_number_and_never_divided(
    qtbot: QtBot, bridge: Bridge, services: Services, host: QWidget
) -> None:
    history = services.history
    stored_query(history)
    caf = Zone("CAF", "Central African Republic", 2022, 0.0)
    history.finish(history.begin(query_start(zone=caf)).query_id, outcome(bill=LACKING))
    dialog = opened(qtbot, bridge, services, host, EVERYTHING)
    assert dialog.stored.text().startswith("≥ ")
    assert dialog.stored.text().endswith(" of one query")
    assert dialog.other.text().endswith(" of 2 queries")
    assert "not of the same queries" in dialog.change.text()
    assert "×" not in dialog.change.text()
    assert "≥ ◐" in dialog.told.text()


def test_it_begins_with_what_is_reckoned_with_now(
    qtbot: QtBot, bridge: Bridge, services: Services, host: QWidget
) -> None:
    choose_pue(services.history, 1.5)
    dialog = opened(qtbot, bridge, services, host, Filter(text="unheard"))
    assert dialog.pue.value() == 1.5
    assert dialog.zones.zone
    assert dialog.zones.zone.code == "WORLD"
    assert "No energy was measured" in dialog.change.text()
    assert "0 measured" in dialog.told.text()
