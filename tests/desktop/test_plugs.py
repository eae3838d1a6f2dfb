"""Setting up wall plugs in a real dialog, with plugs that answer on loopback."""

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.sensors.probes import ProbeList
from desktop.services import Services
from desktop.settings.plugs import PlugsDialog
from monitor.plugs import add_plug, let_read, plugs, rename_plug, try_address
from monitor.power import local_http
from tests.hardware.plug_server import Device, serving, shelly, tasmota


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugs are asked, and their states shown, ten times as often as a person needs."""
    monkeypatch.setattr("monitor.power.sources.plug.PERIOD_S", 0.1)
    monkeypatch.setattr("desktop.settings.plugs.REFRESH_MS", 100)


@pytest.fixture
def device() -> Iterator[Device]:
    with serving(shelly()) as served:
        yield served


@pytest.fixture
def dialog(device: Device, bridge: Bridge, services: Services, host: QWidget) -> PlugsDialog:
    return opened(bridge, services, host)


def opened(bridge: Bridge, services: Services, host: QWidget) -> PlugsDialog:
    made = PlugsDialog(bridge, services.history, services.sampler, host)
    made.show()
    return made


def rows(dialog: PlugsDialog) -> list[str]:
    return [dialog.list.item(row).text() for row in range(dialog.list.count())]


def sampled(services: Services) -> list[str]:
    return [p.source for p in services.sampler.probes() if p.source.startswith("plug:")]


def test_an_address_can_be_typed_at_once(qtbot: QtBot, dialog: PlugsDialog) -> None:
    with qtbot.waitActive(dialog):
        dialog.show()
        dialog.activateWindow()
    focused = dialog.focusWidget()
    assert focused
    qtbot.keyClicks(focused, "192.168.1.20")
    assert dialog.address.text() == "192.168.1.20"


def test_a_plug_is_tried_added_and_shows_its_watts(
    qtbot: QtBot, dialog: PlugsDialog, device: Device, services: Services
) -> None:
    assert not dialog.add.isEnabled()
    qtbot.keyClicks(dialog.address, device.address)
    qtbot.keyClicks(dialog.new_name, "Desk")
    qtbot.keyClick(dialog.new_name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Added: a Shelly plug, ◐ 48.2 W now." in dialog.told.text())
    assert [plug.name for plug in plugs(services.history)] == ["Desk"]
    assert sampled(services) == [f"plug:{device.address}"]
    assert (dialog.address.text(), dialog.new_name.text()) == ("", "")
    qtbot.waitUntil(lambda: rows(dialog) == [f"Desk · Shelly · {device.address}\n◐ 48.2 W"])


def test_what_is_no_plug_is_told_and_what_was_typed_stays(
    qtbot: QtBot, dialog: PlugsDialog, services: Services
) -> None:
    with serving(Device({"/shelly": b"<html>"})) as router:
        dialog.address.setText(router.address)
        dialog.add.click()
        assert not dialog.add.isEnabled()
        qtbot.waitUntil(lambda: "no Shelly and no Tasmota plug" in dialog.problem.text())
        assert dialog.address.text() == router.address
    assert dialog.add.isEnabled()
    assert not dialog.anyway.isVisible()
    assert (rows(dialog), plugs(services.history)) == ([], ())


def test_an_address_elsewhere_is_asked_only_once_it_is_confirmed(
    qtbot: QtBot, dialog: PlugsDialog, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if loopback were somebody else's network.
    monkeypatch.setattr(local_http, "LOCAL", ())
    assert not dialog.anyway.isVisible()
    dialog.address.setText(device.address)
    dialog.add.click()
    qtbot.waitUntil(dialog.anyway.isVisible)
    assert "not of your own network" in dialog.problem.text()
    assert device.asked == []
    dialog.address.setText(f"{device.address} ")
    assert not dialog.anyway.isVisible()
    dialog.add.click()
    qtbot.waitUntil(dialog.anyway.isVisible)
    dialog.anyway.click()
    qtbot.waitUntil(lambda: "Added" in dialog.told.text())
    assert "◐ 48.2 W" in dialog.told.text()


def test_a_plug_is_renamed_and_removed(
    qtbot: QtBot, device: Device, bridge: Bridge, services: Services, host: QWidget
) -> None:
    with serving(tasmota()) as other:
        add_plug(services.history, try_address(device.address), "Desk")
        add_plug(services.history, try_address(other.address), "Shelf")
        dialog = opened(bridge, services, host)
        # Added by the command while the window was open: sampled from now on.
        qtbot.waitUntil(lambda: len(rows(dialog)) == len(sampled(services)) == 2)
        assert dialog.name.text() == "Desk"
        assert not dialog.rename.isEnabled()
        dialog.name.setText("Shelf")
        dialog.rename.click()
        qtbot.waitUntil(lambda: "Another plug is called" in dialog.problem.text())
        dialog.name.setText("Table")
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: rows(dialog)[0].startswith("Table ·"))
        assert not dialog.problem.isVisible()
        channels = services.sampler.channels
        qtbot.waitUntil(lambda: "Table" in {c.label for c in channels()})
        assert "Desk" not in {c.label for c in channels()}
        dialog.list.setCurrentRow(1)
        assert dialog.name.text() == "Shelf"
        dialog.remove.click()
        qtbot.waitUntil(lambda: len(rows(dialog)) == 1)
        assert sampled(services) == [f"plug:{device.address}"]
        dialog.remove.click()
        qtbot.waitUntil(lambda: rows(dialog) == [])
        assert not dialog.remove.isEnabled()
    assert (sampled(services), plugs(services.history)) == ([], ())


def test_a_plug_that_is_off_says_why_in_its_row(
    qtbot: QtBot, dialog: PlugsDialog, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog.address.setText(device.address)
    dialog.add.click()
    qtbot.waitUntil(lambda: "Added" in dialog.told.text())
    device.status = 503
    monkeypatch.setattr("desktop.settings.plugs.FRESH_S", 0.0)
    qtbot.waitUntil(lambda: "cannot answer now (503)" in rows(dialog)[0])


def test_a_plug_is_titled_by_its_name_on_the_sensors_page(
    qtbot: QtBot, device: Device, bridge: Bridge, services: Services, host: QWidget
) -> None:
    plug, cards = add_plug(services.history, try_address(device.address), "Desk"), ProbeList()
    qtbot.addWidget(cards)
    cards.show()

    def titles() -> list[tuple[str, str]]:
        channels = services.sampler.channels()
        cards.show_probes(services.sampler.probes(), channels, {})
        words = [(each.objectName(), each.text()) for each in cards.findChildren(QLabel)]
        return [each for each in words if each[1] in ("Desk", "Table") or plug.address in each[1]]

    for name in ("Desk", "Table"):
        let_read(services.sampler, plugs(services.history))
        # The reason under it may name the plug too, but says more than its name.
        expected = [("", name), ("muted", plug.address)]
        qtbot.waitUntil(lambda expected=expected: titles() == expected)
        rename_plug(services.history, plug.address, "Table")


def test_closing_waits_for_no_plug(
    qtbot: QtBot,
    dialog: PlugsDialog,
    bridge: Bridge,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for patience in ("READ_S", "ALTOGETHER_S"):
        monkeypatch.setattr(local_http, patience, 60.0)
    with serving(Device(silent=True)) as silent:
        dialog.address.setText(silent.address)
        dialog.add.click()
        qtbot.waitUntil(lambda: silent.asked != [])
        began_s = time.monotonic()
        bridge.close()
        assert time.monotonic() - began_s < 20, "the window waited for the plug"
    assert plugs(services.history) == ()
