"""The small window: what it shows, where it comes back to, and how it goes."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QRect, QSettings, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.live.moments import Moments
from desktop.theme.palette import DARK, LIGHT
from desktop.watch.floating import PLACE, FloatingMeter, Reckoned, look, place_on
from monitor.energy.account import Bill
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.sampler import Sampler
from monitor.tally import Tally
from tests.unit.builders import channel, line

# The offscreen platform has no other windows to raise one above.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)

CPU = replace(channel(label="CPU 0"), kind=Kind.COUNTER, period_s=0.001)
GPU = replace(CPU, key="t:gpu", label="GPU 0", domain=Domain.GPU, device="gpu-0", kind=Kind.POWER)
PLUG = replace(GPU, key="t:plug", label="Plug", domain=Domain.SYSTEM, role=Role.WHOLE)
COOL = Gauge(
    "t:cpu:temperature", "CPU 0 temperature", Quantity.TEMPERATURE, Domain.CPU, "package-0"
)
HOT = Gauge("t:gpu:temperature", "GPU 0 temperature", Quantity.TEMPERATURE, Domain.GPU, "gpu-0")
CLOCK = Gauge("t:gpu:clock", "GPU 0", Quantity.CLOCK, Domain.GPU, "gpu-0")


class Machine:
    """A processor of 20 W that is counted, a GPU of 100 W that tells its watts, and a plug."""

    name = "simulated"
    has_heat = True
    has_gpu = True

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return CPU, GPU, PLUG

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        counter_j = 20.0 * now_s % (CPU.range_j or 0)
        read = [Reading(CPU.key, now_s, counter_j), Reading(PLUG.key, now_s, power_w=150.0)]
        return [*read, Reading(GPU.key, now_s, power_w=100.0)] if self.has_gpu else read

    def gauges(self) -> tuple[Gauge, ...]:
        return (COOL, HOT, CLOCK) if self.has_heat else (CLOCK,)

    def read_gauges(self) -> list[GaugeReading]:
        now_s = time.monotonic()
        values = {COOL: 45.0, HOT: 71.0, CLOCK: 1_800.0}
        return [GaugeReading(gauge.key, now_s, values[gauge]) for gauge in self.gauges()]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def sampler(machine: Machine) -> Iterator[Sampler]:
    with Sampler(50, [machine]) as sampler:
        assert sampler.wait_ready()
        yield sampler


def at_once(question: Callable[[], object], answer: Callable[[object], None]) -> None:
    answer(question())


@pytest.fixture
def moments(sampler: Sampler) -> Moments:
    return Moments(sampler)


@pytest.fixture
def meter(sampler: Sampler, moments: Moments) -> Iterator[FloatingMeter]:
    meter = FloatingMeter(sampler, moments, at_once, LIGHT)
    yield meter
    meter.close()
    meter.deleteLater()


def joules(meter: FloatingMeter) -> float:
    return float(meter.energy.text().split()[1])


def test_it_shows_watts_joules_and_the_hottest_device(qtbot: QtBot, meter: FloatingMeter) -> None:
    started_s = time.monotonic()
    meter.open()
    opened_s = time.monotonic()
    qtbot.waitUntil(lambda: "120 W" in meter.power.text())
    qtbot.waitUntil(lambda: time.monotonic() - opened_s > 1.0)
    qtbot.waitUntil(lambda: "J" in meter.energy.text())
    # As weak as its weakest part; the plug is the whole and no part.
    assert meter.power.text().startswith("◐")
    assert meter.energy.text().startswith("◐")

    def least_j() -> float:
        meter.refresh()
        return 0.7 * 120 * (time.monotonic() - opened_s)

    # A busy machine may have read the sensors a while ago; it does not stay behind.
    qtbot.waitUntil(lambda: joules(meter) > least_j())
    assert joules(meter) < 1.02 * 120 * (time.monotonic() - started_s)
    assert meter.heat.text() == "71 °C · GPU 0"
    assert "–" in meter.energy.toolTip(), "the interval is told as well"


def test_where_nothing_tells_a_temperature_none_is_shown(
    qtbot: QtBot, meter: FloatingMeter, machine: Machine
) -> None:
    Machine.has_heat = False
    try:
        with Sampler(50, [Machine()]) as sampler:
            assert sampler.wait_ready()
            cold = FloatingMeter(sampler, Moments(sampler), at_once, LIGHT)
            cold.open()
            assert not cold.heat.isVisible()
            assert cold.power.isVisible()
            cold.close()
    finally:
        Machine.has_heat = True


def test_a_part_that_is_not_read_makes_the_watts_unknown(
    qtbot: QtBot, meter: FloatingMeter, machine: Machine
) -> None:
    meter.open()
    qtbot.waitUntil(lambda: "120 W" in meter.power.text())
    assert meter.power.toolTip() == "◐ integrated from the sensor's watts"
    machine.has_gpu = False
    qtbot.waitUntil(lambda: meter.power.text() == "—")
    assert meter.power.toolTip() == "Not read, so that the total is not known: GPU 0."


def test_joules_that_lack_a_part_are_at_least_that(meter: FloatingMeter) -> None:
    lines = line(CPU, joules=2_000.0), replace(line(GPU, joules=900.0), coverage=0.55)
    meter.show_reckoned(Reckoned(Bill(lines), None))
    assert meter.energy.text().startswith("≥ ◐ 2900 J · ")
    assert "≥ ◐ 2900 J (" in meter.energy.toolTip()
    told = "GPU 0 was read for 55 % of the time: it was at least this."
    assert meter.energy.toolTip().endswith(f"\n{told}")
    meter.show_reckoned(Reckoned(Bill(lines[:1]), None))
    assert meter.energy.text().startswith("● 2000 J · ")
    assert "at least" not in meter.energy.toolTip()


def test_joules_begin_anew_by_double_click_button_and_opening(
    qtbot: QtBot, meter: FloatingMeter
) -> None:
    meter.open()
    for begin in (
        lambda: qtbot.mouseDClick(meter, Qt.MouseButton.LeftButton, pos=QPoint(20, 30)),
        lambda: qtbot.mouseClick(meter.reset_button, Qt.MouseButton.LeftButton),
        lambda: (meter.close(), meter.open()),
    ):
        qtbot.wait(250)
        meter.refresh()
        before_j = joules(meter)
        begin()

        def begun_anew(before_j: float = before_j) -> bool:
            meter.refresh()
            return "J" in meter.energy.text() and joules(meter) < before_j

        qtbot.waitUntil(begun_anew)


def test_it_stays_on_top_without_a_frame_and_the_program_ends_without_it(
    meter: FloatingMeter,
) -> None:
    flags = meter.windowFlags()
    assert flags & Qt.WindowType.WindowStaysOnTopHint
    assert flags & Qt.WindowType.FramelessWindowHint
    assert not meter.testAttribute(Qt.WidgetAttribute.WA_QuitOnClose)


def test_it_is_dragged_and_comes_back_where_it_was(
    qtbot: QtBot, meter: FloatingMeter, sampler: Sampler
) -> None:
    meter.open()
    qtbot.mousePress(meter, Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    meter.move(100, 80)
    qtbot.mouseRelease(meter, Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    qtbot.keyClick(meter, Qt.Key.Key_Right)
    assert meter.pos() == QPoint(112, 80)
    meter.close()
    again = FloatingMeter(sampler, Moments(sampler), at_once, LIGHT)
    again.open()
    assert again.pos() == QPoint(112, 80)
    again.close()


def test_where_the_system_moved_it_it_stays_as_its_figures_grow(
    qtbot: QtBot, meter: FloatingMeter
) -> None:
    QSettings().setValue(PLACE, QPoint(10, 10))
    meter.open()
    qtbot.waitUntil(lambda: bool(meter.heat.text()))
    meter.move(140, 90)  # with Alt and the mouse, say: no event of the mouse comes here
    meter.energy.setMinimumWidth(meter.energy.minimumWidth() + 120)
    width_px = meter.width()
    meter.refresh()
    assert meter.width() > width_px
    assert meter.pos() == QPoint(140, 90)


SCREENS = [QRect(0, 0, 1920, 1040), QRect(1920, 0, 1280, 1024)]


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        (None, QPoint(1919 - 200 - 12, 12)),
        (QRect(50, 60, 200, 80), QPoint(50, 60)),
        (QRect(2000, 900, 200, 80), QPoint(2000, 900)),
        (QRect(5000, 3000, 200, 80), QPoint(1720, 960)),
        (QRect(-150, -20, 200, 80), QPoint(0, 0)),
        (QRect(3100, 100, 200, 80), QPoint(3000, 100)),
        (QRect(1800, 100, 200, 80), QPoint(1720, 100)),
    ],
)
def test_a_place_off_the_screens_is_corrected(wanted: QRect | None, place: QPoint) -> None:
    assert place_on(SCREENS, wanted, QSize(200, 80)) == place


def test_a_place_on_a_screen_that_is_gone_is_corrected(qtbot: QtBot, meter: FloatingMeter) -> None:
    QSettings().setValue(PLACE, QPoint(9_000, 9_000))
    meter.open()
    assert meter.screen().availableGeometry().contains(meter.geometry())


def test_escape_and_the_cross_close_it_and_nothing_is_drawn_then(
    qtbot: QtBot, meter: FloatingMeter, moments: Moments
) -> None:
    for close in (
        lambda: qtbot.keyClick(meter, Qt.Key.Key_Escape),
        lambda: qtbot.mouseClick(meter.close_button, Qt.MouseButton.LeftButton),
    ):
        meter.open()
        qtbot.waitUntil(lambda: not meter._is_reading)
        close()
        assert not meter.isVisible()
        meter.power.setText("as it was")
        moments.go_on()
        assert meter.power.text() == "as it was"
        assert moments._now is None, "nobody has looked at the sampler"


def test_its_text_fits_in_large_letters_and_follows_the_theme(
    qtbot: QtBot, meter: FloatingMeter
) -> None:
    font = meter.power.font()
    font.setPointSizeF(font.pointSizeF() * 2)
    meter.power.setFont(font)
    meter.open()
    qtbot.waitUntil(lambda: "120 W" in meter.power.text())
    needed = QFontMetrics(font).horizontalAdvance(meter.power.text())
    assert meter.power.width() >= needed

    def ground() -> float:
        return meter.grab().toImage().pixelColor(meter.width() // 2, 4).lightnessF()

    assert ground() > 0.85
    meter.set_theme(DARK)
    assert ground() < 0.3


def test_everything_in_it_has_a_name(meter: FloatingMeter) -> None:
    for widget in meter.findChildren(QWidget):
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
            assert widget.accessibleName()
    assert meter.accessibleName()


def test_figures_go_on_after_one_that_could_not_be_reckoned(
    qtbot: QtBot, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = ["the first time"]

    def fail_once(sampler: Sampler, tally: Tally) -> Reckoned:
        if failures:
            raise RuntimeError(failures.pop())
        return look(sampler, tally)

    def as_the_bridge_does(
        question: Callable[[], Reckoned], answer: Callable[[Reckoned], None]
    ) -> None:
        with suppress(RuntimeError):
            answer(question())

    monkeypatch.setattr("desktop.watch.floating.look", fail_once)
    meter = FloatingMeter(sampler, Moments(sampler), as_the_bridge_does, LIGHT)
    qtbot.addWidget(meter)
    meter.show()
    assert not failures
    assert meter.energy.text() == ""
    meter.refresh()
    assert meter.energy.text() != ""
