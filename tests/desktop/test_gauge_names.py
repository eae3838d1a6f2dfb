"""Gauges and devices by the names the window gives them, in its own language."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QTranslator
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.live.gauge_legend import GaugeLegend
from desktop.live.gauge_menu import GaugeButton
from desktop.live.gauges import LiveGauges
from desktop.sensors.gauges import GaugeTable
from desktop.sensors.words import source_name
from desktop.theme.devices import short_name
from desktop.theme.gauges import NOTES, TEXTS, device_name, gauge_name, note_words
from desktop.theme.palette import LIGHT
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.gauge import Gauge, GaugeReading, GaugeTrace, Quantity
from monitor.power.hwmon.amd_metrics import BITS, RESIDENCY_AT
from monitor.power.nvml.gauges import READERS, THROTTLED_BY
from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES
from monitor.power.sources.amdgpu import AmdGpu
from monitor.power.sources.intelgpu import IntelGpu
from monitor.power.sources.own import OwnCost
from monitor.power.sources.plug import source_name as plug_source
from monitor.power.sources.processor import TOO_HOT, ProcessorGauges
from tests.hardware.hwmon import AMD, INTEL, FakeCard

GERMAN = {
    "%1 temperature": "Temperatur von %1",
    "%1 memory in use": "Belegter Speicher von %1",
    "Engine CPU use": "Last der Engine",
    "power cap": "Leistungsgrenze",
}

HEAT = Gauge("g:temperature", "GPU 0 temperature", Quantity.TEMPERATURE, Domain.GPU, "0")
HELD = Gauge("g:throttle", "GPU 0 throttled", Quantity.THROTTLE, Domain.GPU, "0")


class German(QTranslator):
    """Knows a few texts."""

    def translate(
        self, _context: str, text: str, _disambiguation: str | None = None, _n: int = -1
    ) -> str:
        return GERMAN.get(text, text)


@pytest.fixture
def german(qapp: QCoreApplication) -> Iterator[None]:
    translator = German()
    qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def gauge(label: str, domain: Domain = Domain.GPU, device: str = "0") -> Gauge:
    return Gauge(label, label, Quantity.UTILISATION, domain, device)


def part(label: str, domain: Domain = Domain.GPU, device: str = "0") -> Channel:
    accuracy = Accuracy(0.1, 0.1, 0.0, "a test")
    return Channel(label, label, domain, device, Kind.COUNTER, Role.PART, 0.1, 0.0, accuracy)


# Names in the window's language.


@pytest.mark.usefixtures("german")
def test_a_gauge_is_named_in_the_windows_language() -> None:
    assert gauge_name(HEAT) == "Temperatur von GPU 0"
    assert gauge_name(gauge("GPU 1 memory in use")) == "Belegter Speicher von GPU 1"
    assert gauge_name(gauge("Engine CPU use")) == "Last der Engine"
    assert note_words("power cap, pl1") == "Leistungsgrenze, pl1"


@pytest.mark.usefixtures("german")
def test_menu_legend_and_table_show_that_name(qtbot: QtBot) -> None:
    class Gpu(Sampler):
        def gauges(self) -> tuple[Gauge, ...]:
            return HEAT, HELD

    sampler = Gpu()
    gauges = LiveGauges(sampler)
    button = GaugeButton(gauges)
    gauges.chosen = frozenset({HEAT.key})
    legend = GaugeLegend(gauges, LIGHT)
    table = GaugeTable(sampler.gauges(), ())
    for widget in (button, legend, table):
        qtbot.addWidget(widget)
    button.menu().aboutToShow.emit()
    assert button.menu().actions()[0].text().startswith("Temperatur von GPU 0\t")
    legend.show_values(0.0)
    assert any("Temperatur von GPU 0" in label.text() for label in legend.findChildren(QLabel))

    trace = GaugeTrace()
    trace.record([GaugeReading(HELD.key, time.monotonic(), 1.0, "power cap")])
    table.show_values(trace)
    assert "Leistungsgrenze" in {label.text() for label in table.findChildren(QLabel)}
    assert "Temperatur von GPU 0" in {each.toolTip() for each in table.findChildren(QLabel)}


def put_cards(root: Path) -> None:
    """Lay out an AMD and an Intel card that tell all that their drivers can."""
    amd = {"name": "amdgpu", "power1_average": 40_000_000, "temp1_input": 1, "freq1_input": 1}
    files = {"gpu_busy_percent": 1, "mem_info_vram_used": 1}
    FakeCard(AMD, 0, "0000:03:00.0", (amd,), files).put(root)
    intel = {"name": "i915", "energy1_input": 1, "temp1_input": 1}
    gt = {"gt/gt0/rps_act_freq_mhz": 1, "gt/gt0/throttle_reason_status": 0}
    FakeCard(INTEL, 1, "0000:04:00.0", (intel,), card_files=gt).put(root)


def test_every_label_and_note_that_a_source_gives_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_cards(tmp_path)
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    labels = [f"GPU 0 {words}" for words, _ in READERS.values()]
    for source in (AmdGpu(), IntelGpu(), ProcessorGauges(), OwnCost()):
        source.probe()
        source.open()
        labels += [each.label for each in source.gauges()]
    assert len(labels) >= len(READERS) + 4 + 3 + 4 + 1
    known = set(map(str, TEXTS))
    for label in labels:
        device = device_name(gauge(label))
        assert {label, label.replace(device, "%1", 1)} & known, label
    told_by_amd = {
        *BITS.values(),
        *(words for at in RESIDENCY_AT.values() for words in at.values()),
    }
    assert {*THROTTLED_BY.values(), *told_by_amd, TOO_HOT} == set(map(str, NOTES))


# Devices.


@pytest.mark.parametrize(
    ("label", "short"),
    [
        ("GPU 0 GeForce RTX 4090", "GPU 0"),
        ("AMD GPU 1", "AMD GPU 1"),
        ("AMD GPU 12 Radeon RX 7900 XTX", "AMD GPU 12"),
        ("Intel GPU 0", "Intel GPU 0"),
        ("CPU 0", "CPU 0"),
        ("CPU 0.1", "CPU 0.1"),
        ("Apple Neural Engine", "Apple Neural Engine"),
    ],
)
def test_a_short_name_keeps_what_tells_a_device_from_others(label: str, short: str) -> None:
    assert short_name(part(label)) == short


def test_an_socs_name_says_that_its_watts_hold_the_processors() -> None:
    label = "AMD GPU 0 with its processor (APU)"
    assert short_name(part(label, Domain.SOC)) == label


def test_an_apus_processor_and_graphics_have_a_row_each(qtbot: QtBot) -> None:
    gauges = [
        gauge("LlamaWatt CPU use", Domain.SYSTEM, "own"),
        gauge("AMD GPU 0 with its processor (APU) load", Domain.SOC, "package-0"),
        gauge("CPU use", Domain.CPU, "package-0"),
    ]
    apu = part("AMD GPU 0 with its processor (APU)", Domain.SOC, "package-0")
    table = GaugeTable(gauges, [apu])
    qtbot.addWidget(table)
    grid = table.layout()
    names = [grid.itemAtPosition(row, 0).widget().text() for row in range(1, 4)]
    assert names == ["CPU", apu.label, "LlamaWatt itself"]
    assert all(grid.itemAtPosition(row, 1) for row in range(1, 4))


def test_every_source_has_a_name() -> None:
    names = [make().name for make in SOURCES]
    assert [name for name in names if source_name(name) == name] == []
    assert source_name(plug_source("10.0.0.7")) == "Wall plug 10.0.0.7"
