"""The sensors' self-test gives way to a model, and its row always says something that is true."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.sensors import testing
from desktop.sensors.testing import SelfTestRow, rest_words
from desktop.services import Services
from monitor.loading import LoadOptions
from monitor.power.channel import Channel, Kind
from monitor.power.selftest import Traits, Verdict
from monitor.store.sensor_traits import SensorTraits
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone
from tests.unit.builders import channel


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
    qtbot.waitUntil(lambda: row.is_running)
    bridge.load(starter, LoadOptions())
    qtbot.waitUntil(lambda: "because a model began to work" in row.told.text())
    assert SensorTraits(services.history.store).all() == {}
    # When the model is at rest again it tests by itself.
    qtbot.waitUntil(lambda: not bridge.busy)
    qtbot.waitUntil(lambda: row.is_running)
    # One that a person has stopped is not begun again.
    row.stop()
    qtbot.waitUntil(lambda: "Stopped; nothing was kept." in row.told.text())
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
    qtbot.waitUntil(lambda: bool(failed))
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
    qtbot.waitUntil(lambda: "Stopped; nothing was kept." in row.told.text())
    qtbot.wait(700)
    assert not row.is_running


# What its row says at rest.

CPU = channel("rapl:package-0", label="CPU 0")
GPU = channel("nvml:GPU-a", label="GPU 0", kind=Kind.POWER)
MODEL = channel("model:cpu", kind=Kind.MODELLED)
PLUG = channel("plug:desk", kind=Kind.POWER)


def found(of: Channel, minute: int, step_j: float | None = None) -> dict[str, Traits]:
    """Return what a test found of a channel, that ended so many minutes after 12:00 UTC."""
    when = f"2026-11-27T12:{minute:02}:00.000+00:00"
    return {of.key: Traits(of.key, Verdict.FOUND, 0.1, step_j, None, None, 300, 60.0, when)}


@pytest.mark.parametrize(
    ("channels", "known", "words"),
    [
        ((CPU, MODEL), {}, "Not tested on this machine yet: refresh times are as documented."),
        ((CPU, GPU, MODEL, PLUG), found(CPU, 5) | found(GPU, 9), "Tested on %9."),
        ((CPU, GPU), found(CPU, 5), "Tested on %5. Not tested yet: GPU 0."),
        # What was found of a sensor that has gone since, or of a counter where watts are read now.
        ((CPU,), found(GPU, 5), "Not tested on this machine yet"),
        ((GPU,), found(GPU, 5, step_j=0.001), "Not tested on this machine yet"),
        ((MODEL, PLUG), {}, "There is no sensor to test: none in this machine can be read."),
        # Nothing is known yet.
        ((CPU,), None, "A test learns in a minute"),
        ((), {}, "A test learns in a minute"),
    ],
)
def test_at_rest_it_says_when_the_sensors_were_tested(
    channels: tuple[Channel, ...], known: dict[str, Traits] | None, words: str
) -> None:
    for minute in (5, 9):
        when = datetime(2026, 11, 27, 12, minute, tzinfo=UTC).astimezone()
        words = words.replace(f"%{minute}", f"{when.day} Nov 2026, {when:%H:%M}")
    told = rest_words(channels, known)
    assert told == words if words.endswith(".") else told.startswith(words)


def test_that_a_model_is_at_work_is_said_until_it_has_ended(
    qtbot: QtBot,
    counters: None,
    services: Services,
    bridge: Bridge,
    host: QWidget,
    starter: Path,
) -> None:
    row = SelfTestRow(bridge, services.history, services.sampler, host)
    row.show_channels((CPU,))
    row.read()
    qtbot.waitUntil(lambda: "Not tested on this machine yet" in row.told.text())
    bridge.load(starter, LoadOptions())
    row.start()
    assert "A model is at work." in row.told.text()
    qtbot.waitUntil(lambda: not bridge.busy)
    qtbot.waitUntil(lambda: "Not tested on this machine yet" in row.told.text())
