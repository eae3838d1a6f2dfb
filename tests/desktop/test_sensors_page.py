"""What the window says of sensors and GPUs, on constructed machines."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QScrollArea, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.live.moments import Moments
from desktop.sensors import mending
from desktop.sensors.boxes import Boxes
from desktop.sensors.channels import ChannelTable
from desktop.sensors.mending import MendDialog
from desktop.sensors.page import SensorsPage
from desktop.sensors.probes import ProbeList
from desktop.sensors.scheme import scheme_of
from desktop.services import Services, start_services
from desktop.settings.baseline import BaselineDialog
from desktop.settings.calibration import CalibrationDialog
from desktop.theme.palette import DARK, LIGHT
from desktop.window import PAGES, MainWindow
from monitor import figures
from monitor.power import feed, reader
from monitor.power.channel import (
    Accuracy,
    Channel,
    Domain,
    Doubt,
    Kind,
    Probe,
    ProbeState,
    Reading,
    Role,
)
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.mend import BEGUN
from monitor.power.sampler import Sampler
from monitor.power.selftest import Traits, Verdict
from monitor.store.sensor_traits import SensorTraits
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, PciDevice, RaplZone, build_tree, can_deny

PACKAGE = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(30.0))
CORE = RaplZone("intel-rapl:0:0", "core", PowerCurve.constant(20.0))
DRAM = RaplZone("intel-rapl:0:1", "dram", PowerCurve.constant(5.0))
PSYS = RaplZone("intel-rapl:1", "psys", PowerCurve.constant(44.0))
CLOSED = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(9.0), readable=False)

ACCURACY = Accuracy(0.05, 0.05, 0.5, "a test")


def open_window(qtbot: QtBot) -> MainWindow:
    window = MainWindow(start_services(), LIGHT)
    window.show()
    qtbot.waitUntil(lambda: window.engine.model is not None)
    return window


@pytest.fixture
def counted(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """A window on a machine with energy counters and a GPU llama.cpp cannot use."""
    zones = [PACKAGE, CORE, DRAM, PSYS]
    with FakeSysfs(tmp_path / "sys", zones, [PciDevice()]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        window = open_window(qtbot)
        yield window
        window.close()
        window.deleteLater()


OpenPage = Callable[..., SensorsPage]


@pytest.fixture
def open_page(qtbot: QtBot) -> Iterator[OpenPage]:
    """Show the page alone, over real services; all of it is closed in the end."""
    opened: list[tuple[SensorsPage, Bridge, Services]] = []

    def show(sampler: Sampler | None = None) -> SensorsPage:
        services = start_services()
        bridge = Bridge(services)
        shown = sampler or services.sampler
        moments = Moments(shown, bridge)
        page = SensorsPage(shown, moments, LIGHT, bridge, services.history, test_s=1.0)
        opened.append((page, bridge, services))
        page.resize(1000, 700)
        page.show()
        return page

    yield show
    for page, bridge, services in opened:
        page.close()
        bridge.close()
        services.close()
        page.deleteLater()


def texts(widget: QWidget) -> str:
    if isinstance(widget, MainWindow):
        widget = widget.sensors_page
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def button(widget: QWidget, text: str) -> QToolButton:
    buttons = [
        each
        for each in widget.findChildren(QToolButton)
        if each.isVisible() and text in each.text()
    ]
    assert len(buttons) == 1, text
    return buttons[0]


def said(page: SensorsPage) -> str:
    """Return what a screen reader is told of the boxes."""
    frames = page.findChildren(QFrame)
    return " ".join(frame.accessibleDescription() for frame in frames if frame.isVisible())


# What is measured, and what of it is added.


def test_parts_are_told_from_what_they_contain_and_what_contains_them(
    qtbot: QtBot, counted: MainWindow
) -> None:
    counted.show_page("sensors")
    total = "Total ● 35.0 W = CPU ● 30.0 W + DRAM ● 5.00 W"
    qtbot.waitUntil(lambda: total in texts(counted))
    qtbot.waitUntil(lambda: texts(counted).count("● 44.0 W") == 2)
    lines = texts(counted).split("\n")
    assert lines.count("added") == 2
    # The core; LlamaWatt's window, its sampler and its engine.
    assert lines.count("inside, not added") == 4
    assert lines.count("cross-check, not added") == 1
    tips = {
        label.text(): label.toolTip()
        for label in counted.sensors_page.findChildren(QLabel)
        if label.toolTip()
    }
    assert "Intel documents no bound" in tips["±5 % ±0.5 W"]
    assert "As documented" in tips["1.00 ms"]
    told = said(counted.sensors_page)
    assert "Inside CPU 0, not added again: CPU 0 core ● 20.0 W" in told
    assert "The whole machine, a cross-check, not added: Platform (psys) ● 44.0 W" in told


def test_what_is_not_measured_is_left_out_and_a_plug_may_be_added(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_tree(tmp_path / "sys", [])
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    page = open_page()
    qtbot.waitUntil(lambda: "Total ○" in texts(page))
    with qtbot.waitSignal(page.plugs_wanted):
        button(page, "Wall plugs …").click()
    assert "DRAM: not measured here, left out of the total." in said(page)
    assert "is not measured here: a wall plug would be a cross-check" in texts(page)


def channel(
    key: str,
    device: str,
    domain: Domain = Domain.CPU,
    role: Role = Role.PART,
    kind: Kind = Kind.COUNTER,
) -> Channel:
    return Channel(key, key, domain, device, kind, role, 0.1, 0.0, ACCURACY)


def test_each_inside_lies_in_the_part_of_its_device() -> None:
    channels = (
        channel("cpu0", "package-0"),
        channel("core0", "package-0", role=Role.INSIDE),
        channel("dram0", "package-0", Domain.DRAM),
        channel("cpu1", "package-1"),
        channel("core1", "package-1", role=Role.INSIDE),
        channel("gpu", "GPU-a", Domain.GPU),
        channel("memory", "GPU-a", Domain.GPU, Role.INSIDE),
        channel("own", "own", role=Role.INSIDE, kind=Kind.MODELLED),
        channel("plug", "plug", Domain.SYSTEM, Role.WHOLE, Kind.POWER),
    )
    scheme = scheme_of(channels)
    inside = {part.channel.key: [each.key for each in part.inside] for part in scheme.parts}
    assert inside == {
        "cpu0": ["core0"],
        "dram0": [],
        "cpu1": ["core1"],
        "gpu": ["memory"],
    }
    # Which processor runs this program is not known.
    assert [each.key for each in scheme.spread] == ["own"]
    assert [each.key for each in scheme.wholes] == ["plug"]
    assert scheme.missing == ()


def test_the_processor_of_an_soc_lies_within_it() -> None:
    channels = (
        channel("soc", "package-0", Domain.SOC),
        channel("cpu", "package-0", role=Role.INSIDE),
        channel("own", "own", role=Role.INSIDE, kind=Kind.MODELLED),
    )
    scheme = scheme_of(channels)
    (part,) = scheme.parts
    assert [each.key for each in part.inside] == ["cpu", "own"]
    assert scheme.missing == (Domain.DRAM,)


def test_memory_inside_a_part_is_not_missing() -> None:
    channels = (
        channel("module", "package-0", Domain.SOC),
        channel("memory", "package-0", Domain.DRAM, role=Role.INSIDE),
    )
    scheme = scheme_of(channels)
    assert [each.key for each in scheme.parts[0].inside] == ["memory"]
    assert scheme.missing == ()


def test_a_module_is_drawn_around_its_gpu_and_is_not_the_machine(qtbot: QtBot) -> None:
    gpus = [channel(f"gpu {n}", f"GPU-{n}", Domain.GPU) for n in "ab"]
    module = channel("module a", "GPU-a", Domain.GPU, Role.WHOLE, Kind.POWER)
    plug = channel("plug", "plug", Domain.SYSTEM, Role.WHOLE, Kind.POWER)
    told = {"gpu a": 300.0, "gpu b": 200.0, "module a": 450.0, "plug": 900.0}
    for channels, machine in (
        ((*gpus, module), "a wall plug would be"),
        ((*gpus, module, plug), ""),
    ):
        boxes = Boxes(scheme_of(channels), LIGHT)
        qtbot.addWidget(boxes)
        boxes.show()
        boxes.show_watts(told)
        assert machine in texts(boxes)
        assert "◐ 450 W" in texts(boxes)
        said_of_it = boxes.accessibleDescription()
        assert "Total ● 500 W" in said_of_it
        assert "Around gpu a, not added: module a ◐ 450 W." in said_of_it
        assert ("The whole machine, a cross-check, not added: plug ◐ 900 W." in said_of_it) is (
            not machine
        )
        (held,) = [
            frame for frame in boxes.findChildren(QFrame, "whole") if "module a" in texts(frame)
        ]
        assert "gpu a" in texts(held)
        assert "gpu b" not in texts(held)
        assert "what lies around one holds it already" in texts(boxes)


def test_however_many_measure_the_whole_machine_the_drawing_gets_no_wider(qtbot: QtBot) -> None:
    plugs = [
        channel(f"plug of the {room}", room, Domain.SYSTEM, Role.WHOLE, Kind.POWER)
        for room in ("cellar", "kitchen", "office", "attic", "hall", "garage", "garden", "loft")
    ]
    boxes = Boxes(scheme_of([channel("cpu", "package-0"), *plugs]), LIGHT)
    qtbot.addWidget(boxes)
    boxes.resize(680, boxes.heightForWidth(680))
    boxes.show()
    assert boxes.minimumSizeHint().width() <= 680
    drawn = [each for each in boxes.findChildren(QLabel) if each.isVisible()]
    assert {plug.label for plug in plugs} <= {each.text() for each in drawn}
    for each in drawn:
        assert boxes.rect().contains(QRect(each.mapTo(boxes, QPoint(0, 0)), each.size()))
        assert each.width() >= each.minimumSizeHint().width(), each.text()


def test_each_term_of_the_sum_is_as_weak_as_its_weakest_part(qtbot: QtBot) -> None:
    boxes = Boxes(
        scheme_of(
            [
                channel("cpu", "package-0"),
                channel("gpu a", "GPU-a", Domain.GPU),
                channel("gpu b", "GPU-b", Domain.GPU, kind=Kind.POWER),
            ]
        ),
        LIGHT,
    )
    qtbot.addWidget(boxes)
    boxes.show_watts({"cpu": 30.0, "gpu a": 300.0, "gpu b": 200.0})
    assert "Total ◐ 530 W = CPU ● 30.0 W + GPU ◐ 500 W" in boxes.accessibleDescription()
    boxes.show_watts({"cpu": 30.0, "gpu a": 300.0, "gpu b": None})
    assert f"+ GPU {figures.UNKNOWN}." in boxes.accessibleDescription(), "nothing has no kind"


def test_a_doubt_is_a_warning_on_the_sources_card_and_in_the_channels_row(qtbot: QtBot) -> None:
    sound, odd = (
        channel("nvml:sound", "GPU-a", Domain.GPU),
        channel("nvml:odd", "GPU-b", Domain.GPU),
    )
    probe = Probe("nvml", ProbeState.AVAILABLE, "Reading both.")
    doubted = replace(probe, doubts=(Doubt("nvml:odd", "Its counter is odd."),))
    cards, table = ProbeList(), ChannelTable(scheme_of([sound, odd]), {}, LIGHT)
    for widget in (cards, table):
        qtbot.addWidget(widget)
        widget.show()
    for told, is_doubtful in ((probe, False), (doubted, True)):
        cards.show_probes([told], [sound, odd], {"nvml:odd": 50.0})
        table.show_doubts([told])
        qtbot.waitUntil(lambda: "available" in texts(cards))
        assert ("available, but doubtful" in texts(cards)) is is_doubtful
        assert ("Its counter is odd." in texts(cards)) is is_doubtful
        warnings = [each for each in table.findChildren(QLabel, "warning") if each.isVisible()]
        assert [each.toolTip() for each in warnings] == ["Its counter is odd."] * is_doubtful


def test_a_part_without_a_reading_makes_the_total_unknown_not_smaller() -> None:
    scheme = scheme_of((channel("a", "package-0"), channel("b", "package-1")))
    assert scheme.total_w({"a": 3.0, "b": 4.0}) == 7.0
    assert scheme.total_w({"a": 3.0, "b": None}) is None


# Rows, gauges and their cost.


class Machine:
    """Two sockets with memory and four GPUs, each with what is inside it, and gauges."""

    name = "machine"

    def __init__(self) -> None:
        self._channels: list[Channel] = []
        for socket in ("package-0", "package-1"):
            self._channels += [
                channel(f"cpu {socket}", socket),
                channel(f"core {socket}", socket, role=Role.INSIDE),
                channel(f"dram {socket}", socket, Domain.DRAM),
            ]
        for gpu in range(4):
            self._channels += [
                channel(f"gpu {gpu}", f"GPU-{gpu}", Domain.GPU),
                channel(f"memory {gpu}", f"GPU-{gpu}", Domain.GPU, Role.INSIDE),
            ]

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "Scripted.")

    def open(self) -> tuple[Channel, ...]:
        return tuple(self._channels)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(each.key, now_s, counter_j=20 * now_s) for each in self._channels]

    def gauges(self) -> tuple[Gauge, ...]:
        return tuple(
            Gauge(f"{gpu}:{quantity}", f"GPU {gpu} {quantity}", quantity, Domain.GPU, f"GPU-{gpu}")
            for gpu in range(4)
            for quantity in (Quantity.TEMPERATURE, Quantity.THROTTLE)
        )

    def read_gauges(self) -> list[GaugeReading]:
        now_s, told = time.monotonic(), []
        for gpu in range(4):
            told.append(GaugeReading(f"{gpu}:temperature", now_s, 50.0 + gpu))
            note = "power cap" if gpu == 3 else ""
            told.append(GaugeReading(f"{gpu}:throttle", now_s, float(gpu == 3), note))
        return told

    def close(self) -> None:
        pass


class Asked(Sampler):
    """A sampler that counts how often the window asks it."""

    times = 0

    def channels(self) -> tuple[Channel, ...]:
        self.times += threading.current_thread() is threading.main_thread()
        return super().channels()


def test_a_large_machine_has_a_row_for_each_channel_and_device(
    qtbot: QtBot, open_page: OpenPage
) -> None:
    with Asked(10.0, [Machine()]) as sampler:
        page = open_page(sampler)
        qtbot.waitUntil(lambda: "Total ● 160 W" in texts(page))
        table = page.findChild(ChannelTable)
        assert table.height() < 15 * 32
        qtbot.waitUntil(lambda: texts(page).split("\n").count("● 20.0 W") == 2 * 14)
        lines = texts(page).split("\n")
        assert "53 °C" in lines
        assert "power cap" in lines
        # A theme's colours come without a flicker of what is read.
        page.set_theme(DARK)
        qtbot.waitUntil(lambda: texts(page).split("\n").count("● 20.0 W") == 2 * 14)
        page.hide()
        asked = sampler.times
        qtbot.wait(1_100)
        assert sampler.times == asked


def test_strip_and_legend_show_the_counted_total_of_the_parts(
    qtbot: QtBot, counted: MainWindow
) -> None:
    qtbot.waitUntil(lambda: counted.strip.power_label.text() == "● 35.0 W")
    assert [series.channel and series.channel.label for series in counted.live.series] == [
        None,
        "CPU 0",
        "DRAM 0",
    ]


# Sources.


def test_idle_gpu_is_announced_once_and_the_page_has_the_command(
    qtbot: QtBot, counted: MainWindow
) -> None:
    qtbot.waitUntil(lambda: "NVIDIA GPU" in counted.notice.text())
    counted.notice.press("Show how")
    assert PAGES[counted.pages.currentIndex()] == "sensors"
    qtbot.waitUntil(lambda: "-DGGML_CUDA=on" in texts(counted))
    assert counted.notice.text() == ""
    history = counted._services.history
    qtbot.waitUntil(lambda: "NVIDIA" in (history.preference("advice_read") or ""))
    assert counted.advice._find() is None


def test_absent_sources_are_one_line_until_it_is_opened(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSysfs(tmp_path / "sys", [PACKAGE]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        page = open_page()
        qtbot.waitUntil(lambda: "Total ●" in texts(page))
        assert "This machine has no battery." not in texts(page)
        button(page, "Not on this machine").click()
        assert "Battery: This machine has no battery." in texts(page)
        page.refresh()
        assert "This machine has no battery." in texts(page)


def test_a_source_that_vanishes_is_seen_and_what_the_sum_lacks_is_named(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given up and opened anew as always, in a fraction of the time.
    monkeypatch.setattr(reader, "RETRY_S", 0.1)
    monkeypatch.setattr(reader, "DEAD_S", 0.2)
    monkeypatch.setattr(feed, "SILENT_S", 0.5)
    with FakeSysfs(tmp_path / "sys", [PACKAGE]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        page = open_page()
        qtbot.waitUntil(lambda: "Total ● 30.0 W" in texts(page))
        machine.remove(PACKAGE)
        qtbot.waitUntil(lambda: "not answering" in texts(page).split("\n"))
        card = texts(page.probe_list.urgent)
        assert "Processor's energy counters (RAPL)" in card
        assert "It was last read" in card
        assert "It is asked again by itself" in card
        qtbot.waitUntil(lambda: "Restarted" in texts(page.probe_list.urgent))
        # The box and the row of the channel stay.
        qtbot.waitUntil(lambda: texts(page).split("\n").count("not read") >= 2)
        assert "Not read, so that the total is not known: CPU 0" in texts(page)
        assert "Not read, so that the total is not known: CPU 0." in said(page)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no file hangs here")
def test_the_self_test_names_a_source_that_hangs(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sys"
    build_tree(root, [PACKAGE])
    counter = root / "class/powercap/intel-rapl:0/energy_uj"
    counter.unlink()
    os.mkfifo(counter)
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    page = open_page()
    assert page.test_row is not None
    page.test_row.start()
    words = "Not tested, because it did not answer: Processor's energy counters (RAPL)."
    qtbot.waitUntil(lambda: words in texts(page))
    os.close(os.open(counter, os.O_RDWR | os.O_NONBLOCK))


@pytest.mark.skipif(not can_deny(), reason="no file here can be denied to this user")
def test_counters_of_which_some_are_closed_are_mended_from_the_page(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_dram = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(5.0))
    with FakeSysfs(tmp_path / "sys", [CLOSED, open_dram]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        page = open_page()
        qtbot.waitUntil(lambda: "DRAM 0" in texts(page))
        button(page, "Mend …").click()
        dialog = page.window().findChild(MendDialog)
        assert dialog.install.isVisible()
        assert "groupadd" in dialog.script.toPlainText()
        dialog.close()


def put_pkexec(folder: Path, script: str) -> None:
    program = folder / "pkexec"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def denied(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SensorsPage, Path, Path]:
    """A page on a machine whose counters are closed; its /sys, and where pkexec is looked for."""
    if not can_deny():
        pytest.skip("no file here can be denied to this user")
    root, programs = tmp_path / "sys", tmp_path / "bin"
    build_tree(root, [CLOSED])
    programs.mkdir()
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    monkeypatch.setenv("PATH", str(programs))
    return open_page(), root, programs


def test_who_is_not_in_the_group_of_a_rule_that_is_there_is_offered_to_join(
    qtbot: QtBot,
    denied: tuple[SensorsPage, Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, _, _ = denied
    rule = tmp_path / "70-llamawatt-rapl.rules"
    rule.touch()
    monkeypatch.setattr(mending, "RULE_FILE", str(rule))
    qtbot.waitUntil(lambda: "denied" in texts(page))
    button(page, "Mend …").click()
    dialog = page.window().findChild(MendDialog)
    assert dialog.install.isVisible()
    assert "usermod" in dialog.script.toPlainText()
    dialog.close()


@pytest.mark.skipif(sys.platform != "linux", reason="pkexec is of Linux")
def test_closed_counters_are_mended_from_the_page(
    qtbot: QtBot, denied: tuple[SensorsPage, Path, Path]
) -> None:
    page, root, programs = denied
    counter = root / "class/powercap/intel-rapl:0/energy_uj"
    qtbot.waitUntil(lambda: "denied" in texts(page))
    button(page, "Mend …").click()
    dialog = page.window().findChild(MendDialog)
    assert "CVE-2020-8694" in texts(dialog)
    assert "groupadd" in dialog.script.toPlainText()
    # Refused first: nothing has changed, and the person may try again.
    put_pkexec(programs, "exit 126")
    dialog.install.click()
    qtbot.waitUntil(lambda: "nothing was changed" in texts(dialog))
    assert dialog.install.isEnabled()
    # What root's script does to the kernel's file is done here to the constructed one, which
    # then counts for a few seconds.
    count = f"echo $n 1<> {counter}; /bin/sleep 0.01"
    put_pkexec(
        programs,
        f"/bin/rm {counter}; echo 1000 > {counter}; "
        f"for n in $(/usr/bin/seq 1001 1600); do {count}; done >/dev/null 2>&1 & echo '{BEGUN}'",
    )
    dialog.install.click()
    qtbot.waitUntil(lambda: "can be read now" in texts(dialog))
    dialog.close()

    def counts_for(words: str, is_there: bool) -> bool:
        with counter.open("r+") as file:  # written over, never cut: the sampler reads on
            file.write(f"{int(time.monotonic() * 9e6 % 262143328850):020d}\n")
        return (words in texts(page)) is is_there

    qtbot.waitUntil(lambda: counts_for("denied", is_there=False))
    qtbot.waitUntil(lambda: counts_for("CPU 0", is_there=True))


# The self-test.


def test_what_the_test_learned_stands_in_the_rows(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waves = tuple((at / 50, 60.0 + 7 * (at % 9)) for at in range(2000))
    uneven = RaplZone("intel-rapl:0", "package-0", PowerCurve(waves))
    with FakeSysfs(tmp_path / "sys", [uneven], update_s=0.02, goes_first=True) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        page = open_page()
        qtbot.waitUntil(lambda: "CPU 0" in texts(page))
        # By itself, as nothing is known of this machine's sensors.
        assert page.test_row is not None
        qtbot.waitUntil(lambda: "Not tested on this machine yet" in texts(page))
        page.test_row.start_first()
        qtbot.waitUntil(lambda: page.test_row.is_running)
        assert page.test_row.cancel.isVisible()
        for _ in range(5):
            qtbot.waitUntil(lambda: "Tested." in texts(page))
            known = page.test_row._traits.all().values()
            if any(each.verdict is Verdict.FOUND for each in known):
                break
            page.test_row.start()  # a busy machine read too late to be sure
        qtbot.waitUntil(lambda: "ms learned" in texts(page))
        assert not page.test_row.cancel.isVisible()
        # Once is enough.
        page.test_row.start_first()
        qtbot.wait(300)
        assert not page.test_row.is_running
        # What came of it is news until somebody has seen it and gone elsewhere.
        assert "Tested." in page.test_row.told.text()
        page.hide()
        page.show()
        assert page.test_row.told.text().startswith("Tested on ")


def test_a_test_can_be_stopped(qtbot: QtBot, open_page: OpenPage) -> None:
    page = open_page()
    assert page.test_row is not None
    page.test_row.start()
    page.test_row.stop()
    qtbot.waitUntil(lambda: "nothing was kept" in texts(page))
    assert not page.test_row.is_running


def test_cancel_leaves_page_and_keys_where_they_are(qtbot: QtBot, open_page: OpenPage) -> None:
    page = open_page()
    page.resize(1000, 300)
    row = page.test_row
    assert row is not None
    qtbot.waitUntil(lambda: "Model of the processor's power" in texts(page))
    row.start()
    row.cancel.setFocus()
    assert row.cancel.hasFocus()
    qtbot.mouseClick(row.cancel, Qt.MouseButton.LeftButton)
    assert row.begin.hasFocus()
    qtbot.waitUntil(lambda: not row.is_running)
    scroll = page.findChild(QScrollArea)
    assert scroll.verticalScrollBar().maximum() > 0
    assert scroll.verticalScrollBar().value() == 0
    assert row.begin.hasFocus()


def test_a_test_that_begins_by_itself_moves_nothing(qtbot: QtBot, open_page: OpenPage) -> None:
    """What a person is about to click on stays below the mouse."""
    page = open_page()
    row = page.test_row
    assert row is not None
    qtbot.waitUntil(lambda: "Model of the processor's power" in texts(page))
    QApplication.processEvents()
    before = page.probe_list.mapTo(page, QPoint(0, 0))
    row.start()
    QApplication.processEvents()
    assert row.cancel.isVisible()
    assert page.probe_list.mapTo(page, QPoint(0, 0)) == before
    row.stop()
    qtbot.waitUntil(lambda: not row.is_running)
    QApplication.processEvents()
    assert page.probe_list.mapTo(page, QPoint(0, 0)) == before


def test_however_much_came_of_a_test_nothing_moves_and_all_of_it_can_be_read(
    qtbot: QtBot, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "The history cannot be written: " + "the disk is full <& slow>, " * 20
    page = open_page()
    row = page.test_row
    assert row is not None
    qtbot.waitUntil(lambda: "There is no sensor to test" in texts(page))
    QApplication.processEvents()
    before = page.probe_list.mapTo(page, QPoint(0, 0))
    assert row.told.toolTip() == "", "there is room for it"
    monkeypatch.setattr(row, "_run", lambda _test: long)
    row.start()
    qtbot.waitUntil(lambda: not row.is_running)
    QApplication.processEvents()
    assert page.probe_list.mapTo(page, QPoint(0, 0)) == before
    for width in (1000, 800, 1200):
        page.resize(width, 700)
        QApplication.processEvents()
        shown, room = QLabel.text(row.told), row.told.width()
        assert shown.endswith("…")
        assert room - 30 < row.told.fontMetrics().horizontalAdvance(shown) <= room
    whole = QTextDocument()
    whole.setHtml(row.told.toolTip())
    assert whole.toPlainText() == row.told.accessibleName() == long.strip()


def test_a_sensor_that_stood_still_is_said_to(
    qtbot: QtBot, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = start_services()
    still = Traits("rapl:package-0", Verdict.STILL, None, None, None, None, 9, 60.0)
    SensorTraits(services.history.store).keep([still])
    services.close()
    with FakeSysfs(tmp_path / "sys", [PACKAGE]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        page = open_page()
        qtbot.waitUntil(lambda: "stood still" in texts(page))


# Where the page leads.


def test_the_page_leads_to_idle_baseline_and_wall_calibration(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.show_page("sensors")
    for words, kind in (
        ("Idle baseline …", BaselineDialog),
        ("Wall calibration …", CalibrationDialog),
    ):
        button(window.sensors_page, words).click()
        dialog = window.findChild(kind)
        assert dialog.isVisible()
        dialog.close()
