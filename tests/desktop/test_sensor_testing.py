"""The sensors' self-test gives way to a model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.sensors import testing
from desktop.sensors.testing import SelfTestRow
from desktop.services import Services
from monitor.loading import LoadOptions
from monitor.store.sensor_traits import SensorTraits
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone


@pytest.fixture
def counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    zones = [RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(30.0))]
    with FakeSysfs(tmp_path / "sys", zones) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        yield


def test_a_test_ends_when_a_model_begins_to_work_and_is_made_up_for(
    qtbot: QtBot,
    counters: None,
    services: Services,
    bridge: Bridge,
    host: QWidget,
    starter: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(testing, "LOOK_MS", 20)
    monkeypatch.setattr(testing, "FIRST_MS", 100)
    services.sampler.wait_ready()
    row = SelfTestRow(bridge, services.history, services.sampler, host, seconds=30.0)
    qtbot.waitUntil(lambda: row.is_running, timeout=5_000)
    bridge.load(starter, LoadOptions())
    qtbot.waitUntil(lambda: "because a model began to work" in row.told.text(), timeout=5_000)
    assert SensorTraits(services.history.store).all() == {}
    # When the model is at rest again it tests by itself.
    qtbot.waitUntil(lambda: not bridge.busy, timeout=10_000)
    qtbot.waitUntil(lambda: row.is_running, timeout=2_000)
    # One that a person has stopped is not begun again.
    row.stop()
    qtbot.waitUntil(lambda: "Stopped; nothing was kept." in row.told.text(), timeout=2_000)
    qtbot.wait(250)
    assert not row.is_running


def test_what_is_known_of_the_sensors_is_asked_for_once_if_it_cannot_be_read(
    qtbot: QtBot,
    counters: None,
    services: Services,
    bridge: Bridge,
    host: QWidget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(testing, "FIRST_MS", 30)
    services.history.store.maintain(lambda db: db.execute("drop table sensor_traits")).result()
    failed: list[str] = []
    bridge.read_failed.connect(failed.append)
    SelfTestRow(bridge, services.history, services.sampler, host)
    qtbot.waitUntil(lambda: bool(failed), timeout=2_000)
    qtbot.wait(300)
    assert len(failed) == 1
    assert "cannot be read" in failed[0]


def test_a_test_that_a_person_began_and_stopped_is_not_begun_again(
    qtbot: QtBot,
    counters: None,
    services: Services,
    bridge: Bridge,
    host: QWidget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(testing, "FIRST_MS", 400)
    services.sampler.wait_ready()
    row = SelfTestRow(bridge, services.history, services.sampler, host, seconds=30.0)
    row.start()
    row.stop()
    qtbot.waitUntil(lambda: "Stopped; nothing was kept." in row.told.text(), timeout=5_000)
    qtbot.wait(700)
    assert not row.is_running
