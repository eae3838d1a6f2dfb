"""The watts of a moment: one figure, wherever in the window they are shown."""

import math
import time
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.live import moments as moments_module
from desktop.services import Services
from desktop.window import MainWindow
from monitor.energy.present import Present, present
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from tests.desktop.simulated import services_over
from tests.unit.builders import channel

# The offscreen platform has no other windows to raise one above.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)

CPU = replace(channel(label="CPU 0"), kind=Kind.POWER, period_s=0.001)
GPU = replace(CPU, key="t:gpu", label="GPU 0", domain=Domain.GPU, device="gpu-0")


class Restless:
    """A machine whose watts are never twice the same."""

    name = "simulated"

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return CPU, GPU

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        cpu_w, gpu_w = 300 + 250 * math.sin(2 * now_s), 500 + 400 * math.cos(1.7 * now_s)
        return [Reading(CPU.key, now_s, power_w=cpu_w), Reading(GPU.key, now_s, power_w=gpu_w)]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def services() -> Services:
    return services_over(Restless())


def totals(window: MainWindow) -> list[str]:
    """Return the total as the strip, the legend, the small window and the page show it."""
    assert window.watch.meter
    sums = [
        each.text().removeprefix("Total ").partition(" =")[0]
        for each in window.sensors_page.findChildren(QLabel)
        if each.isVisible() and each.text().startswith("Total ")
    ]
    return [
        window.strip.power_label.text(),
        window.dock._entries[""].text.removeprefix("Total "),
        window.watch.meter.power.text(),
        *sums,
    ]


def legend_of(window: MainWindow, part: Channel) -> str:
    return window.dock._entries[part.key].text.removeprefix(f"{part.label} ")


def on_page(window: MainWindow) -> list[str]:
    shown = window.sensors_page.findChildren(QLabel)
    return [each.text() for each in shown if each.isVisible()]


def test_watts_are_one_figure_wherever_they_are_shown(qtbot: QtBot, window: MainWindow) -> None:
    window.watch.open_meter()
    qtbot.waitUntil(lambda: "W" in window.strip.power_label.text())
    qtbot.waitUntil(lambda: "" in window.dock._entries)
    # Between two beats: the page that comes shows what the others do.
    window.show_page("sensors")
    qtbot.waitUntil(lambda: len(totals(window)) == 4)
    seen = set()
    for _ in range(4):
        found = totals(window)
        assert len(set(found)) == 1, found
        assert found[0].startswith("◐ ")
        # In its box, and in its row.
        for part in (CPU, GPU):
            assert on_page(window).count(legend_of(window, part)) >= 2
        seen.add(found[0])
        qtbot.wait(100)
        window.moments.go_on()
    assert len(seen) > 1, "they do change"


def test_the_sampler_is_looked_at_once_a_moment_and_not_while_nothing_is_shown(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Sampler] = []

    def counted(sampler: Sampler) -> Present:
        looks.append(sampler)
        return present(sampler)

    monkeypatch.setattr(moments_module, "present", counted)
    qtbot.waitUntil(lambda: bool(window.dock._entries))
    window.moments._timer.stop()  # the moments pass by the test
    window.watch.open_meter()
    window.show_page("sensors")
    looks.clear()
    window.moments.go_on()
    assert len(looks) == 1
    window.watch.toggle_meter()
    window.hide()
    window.moments.go_on()
    assert len(looks) == 1
    window.show()
    assert len(looks) == 2, "what is shown again is of now"
