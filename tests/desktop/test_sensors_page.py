"""What the window says of sensors and GPUs, on constructed machines."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from desktop.services import start_services
from desktop.settings.baseline import BaselineDialog
from desktop.settings.calibration import CalibrationDialog
from desktop.theme.palette import LIGHT
from desktop.window import PAGES, MainWindow
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, PciDevice, RaplZone, build_tree, can_deny

PACKAGE = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(30.0))
CORE = RaplZone("intel-rapl:0:0", "core", PowerCurve.constant(20.0))
DRAM = RaplZone("intel-rapl:0:1", "dram", PowerCurve.constant(5.0))


def open_window(qtbot: QtBot) -> MainWindow:
    window = MainWindow(start_services(), LIGHT)
    window.show()
    qtbot.waitUntil(lambda: window.chat.model is not None, timeout=10_000)
    return window


@pytest.fixture
def counted(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """A window on a machine with energy counters and a GPU llama.cpp cannot use."""
    with FakeSysfs(tmp_path / "sys", [PACKAGE, CORE, DRAM], [PciDevice()]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        window = open_window(qtbot)
        yield window
        window.close()


def texts(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.sensors_page.findChildren(QLabel))


def test_parts_are_told_from_what_they_contain(qtbot: QtBot, counted: MainWindow) -> None:
    counted.show_page("sensors")
    qtbot.waitUntil(
        lambda: all(watts in texts(counted) for watts in ("● 30.0 W", "● 5.00 W")), timeout=10_000
    )
    shown = texts(counted)
    assert shown.count("added to the total") == 2
    assert "inside a part, not added" in shown
    assert "● 5.00 W" in shown


def test_strip_and_legend_show_the_counted_total_of_the_parts(
    qtbot: QtBot, counted: MainWindow
) -> None:
    qtbot.waitUntil(lambda: counted.strip.power_label.text() == "● 35.0 W", timeout=10_000)
    assert [series.channel and series.channel.label for series in counted.live.series] == [
        None,
        "CPU 0",
        "DRAM 0",
    ]


def test_idle_gpu_is_announced_once_and_the_page_has_the_command(
    qtbot: QtBot, counted: MainWindow
) -> None:
    qtbot.waitUntil(lambda: "NVIDIA GPU" in counted.notice.text(), timeout=15_000)
    counted.notice.press("Show how")
    assert PAGES[counted.pages.currentIndex()] == "sensors"
    qtbot.waitUntil(lambda: "-DGGML_CUDA=on" in texts(counted), timeout=15_000)
    assert counted.notice.text() == ""
    history = counted._services.history
    qtbot.waitUntil(lambda: "NVIDIA" in (history.preference("advice_read") or ""), timeout=3_000)
    assert counted.advice._find() is None


@pytest.mark.skipif(not can_deny(), reason="no file here can be denied to this user")
def test_denied_counters_show_their_mend(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sys"
    build_tree(
        root, [RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(9.0), readable=False)]
    )
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    window = open_window(qtbot)
    window.show_page("sensors")
    qtbot.waitUntil(lambda: "udevadm" in texts(window), timeout=10_000)
    assert "denied" in texts(window)
    window.close()


def test_the_page_leads_to_idle_baseline_and_wall_calibration(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.show_page("sensors")
    buttons = {button.text(): button for button in window.sensors_page.findChildren(QToolButton)}
    for words, kind in (
        ("Idle baseline …", BaselineDialog),
        ("Wall calibration …", CalibrationDialog),
    ):
        buttons[words].click()
        dialog = window.findChild(kind)
        assert dialog.isVisible()
        dialog.close()
