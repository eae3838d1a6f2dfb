"""Gauges in the dock and on a query's page: chosen, remembered, drawn with gaps, explained."""

import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.history.model import HistoryModel
from desktop.history.query_view import QueryView
from desktop.live.dock import LiveDock
from desktop.live.gauge_menu import GaugeButton
from desktop.live.gauge_plot import LANE_SHARE, scale_end
from desktop.live.gauges import LiveGauges, joined, thinned
from desktop.live.model import LiveModel
from desktop.live.moments import Moments
from desktop.theme.palette import DARK, LIGHT
from desktop.window import MainWindow
from monitor.details import Details
from monitor.paths import database_path
from monitor.power.channel import Channel, Domain, Probe, ProbeState, Reading
from monitor.power.gauge import (
    GAP_S,
    Gauge,
    GaugeCurve,
    GaugeLine,
    GaugeReading,
    GaugeSummary,
    Quantity,
    Stretch,
)
from monitor.power.sampler import Sampler
from monitor.store.history import History
from tests.unit.builders import stored_query

HEAT = Gauge("gpu:temperature", "GPU 0 temperature", Quantity.TEMPERATURE, Domain.GPU, "0")
CLOCK = Gauge("gpu:clock", "GPU 0 clock", Quantity.CLOCK, Domain.GPU, "0")
MEMORY = Gauge("gpu:memory", "GPU 0 memory", Quantity.MEMORY, Domain.GPU, "0", 24 * 2.0**30)
HELD = Gauge("gpu:throttle", "GPU 0 throttled", Quantity.THROTTLE, Domain.GPU, "0")


class QuietGpu:
    """A source that names its gauges and reads none: a test records what it wants to see drawn."""

    name = "quiet"

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is there.")

    def open(self) -> tuple[Channel, ...]:
        return ()

    def read(self) -> list[Reading]:
        return []

    def close(self) -> None:
        return

    def gauges(self) -> tuple[Gauge, ...]:
        return HEAT, CLOCK, MEMORY, HELD

    def read_gauges(self) -> list[GaugeReading]:
        return []


@pytest.fixture
def sampler(qtbot: QtBot) -> Iterator[Sampler]:
    with Sampler(sources=[QuietGpu()]) as sampler:
        qtbot.waitUntil(lambda: len(sampler.gauges()) == 4)
        yield sampler


@pytest.fixture
def dock(qtbot: QtBot, sampler: Sampler) -> LiveDock:
    dock = LiveDock(LiveModel(sampler), Moments(sampler), LIGHT)
    qtbot.addWidget(dock)
    dock.resize(1000, 300)
    dock.show()
    dock.plot._timer.stop()  # frames are drawn by the tests
    return dock


def entries(button: GaugeButton) -> dict[str, QAction]:
    """Open the menu as a person does, and return what stands in it."""
    button.menu().aboutToShow.emit()
    return {a.text().partition("\t")[0]: a for a in button.menu().actions() if a.text()}


def record(sampler: Sampler, gauge: Gauge, values: dict[float, float], note: str = "") -> None:
    sampler.gauge_trace.record(GaugeReading(gauge.key, at, v, note) for at, v in values.items())


def legend(dock: LiveDock) -> str:
    return " | ".join(entry.text for entry in dock.gauge_legend._entries.values())


# --- choosing ------------------------------------------------------------------------------


def test_the_dock_is_calm_until_a_gauge_is_chosen_and_remembers_it(
    qtbot: QtBot, window: MainWindow
) -> None:
    dock = window.dock
    assert not dock.gauge_plot.isVisible()
    assert not dock.gauge_legend.isVisible()
    qtbot.waitUntil(lambda: "CPU use" in entries(dock.gauges))
    assert not any(action.isChecked() for action in entries(dock.gauges).values())
    entries(dock.gauges)["CPU use"].trigger()
    assert dock.gauge_plot.isVisible()
    (curve,) = dock.gauge_plot._curves.values()
    qtbot.waitUntil(lambda: curve.xData is not None and len(curve.xData) > 1)
    assert (curve.yData >= 0).all()
    assert (curve.yData <= LANE_SHARE).all()
    qtbot.waitUntil(lambda: legend(dock).startswith("CPU use") and legend(dock).endswith("%"))
    # Another window of the same person, later.
    other = LiveGauges(window._services.sampler)
    button = GaugeButton(other)
    qtbot.addWidget(button)
    assert [gauge.label for gauge in other.lanes()[Quantity.UTILISATION]] == ["CPU use"]
    entries(dock.gauges)["Show none"].trigger()
    assert not dock.gauge_plot.isVisible()
    assert not dock.gauge_legend.isVisible()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_several_are_ticked_without_opening_the_menu_again(qtbot: QtBot, dock: LiveDock) -> None:
    menu = dock.gauges.menu()
    heat, clock = (entries(dock.gauges)[gauge.label] for gauge in (HEAT, CLOCK))
    menu.popup(dock.mapToGlobal(QPoint(0, 0)))
    heat, clock = (next(a for a in menu.actions() if g.label in a.text()) for g in (HEAT, CLOCK))
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(heat).center())
    menu.setActiveAction(clock)
    qtbot.keyClick(menu, Qt.Key.Key_Space)
    assert menu.isVisible()
    assert dock.gauge_plot._curves.keys() == {HEAT.key, CLOCK.key}
    menu.close()
    assert "GPU 0 throttled" not in entries(dock.gauges), "it is marked on the power plot instead"


# --- drawing -------------------------------------------------------------------------------


def test_each_unit_has_a_lane_with_a_scale_in_it(dock: LiveDock, sampler: Sampler) -> None:
    now_s = time.monotonic()
    record(sampler, HEAT, {now_s - 3 + at / 2: 50 + at for at in range(6)})
    record(sampler, CLOCK, {now_s - 3 + at / 2: 1900.0 for at in range(6)})
    for gauge in (HEAT, CLOCK, MEMORY):
        entries(dock.gauges)[gauge.label].trigger()
    dock.plot.draw_at(now_s)
    ticks = [text for _, text in dock.gauge_plot.getAxis("left")._tickLevels[0]]
    assert ticks == ["100 °C", "3 GHz", "1 GiB"]
    curves = dock.gauge_plot._curves
    assert curves[HEAT.key].yData == pytest.approx(2 + LANE_SHARE * np.arange(50, 56) / 100)
    assert curves[HEAT.key].xData == pytest.approx(np.arange(-3, 0, 0.5))
    assert curves[CLOCK.key].yData == pytest.approx(1 + LANE_SHARE * 1900 / 3000)
    assert curves[MEMORY.key].xData is None or not len(curves[MEMORY.key].xData)
    # As a busy machine may have drawn for longer than a reading is of the present.
    record(sampler, HEAT, {time.monotonic(): 55.0})
    record(sampler, CLOCK, {time.monotonic(): 1900.0})
    dock.refresh()
    assert legend(dock) == "GPU 0 temperature 55 °C | GPU 0 clock 1.90 GHz | GPU 0 memory —"


def test_a_gauge_that_falls_silent_has_no_present_value(dock: LiveDock, sampler: Sampler) -> None:
    entries(dock.gauges)[HEAT.label].trigger()
    record(sampler, HEAT, {time.monotonic() - GAP_S - 0.5: 70.0})
    dock.refresh()
    assert legend(dock) == "GPU 0 temperature —"


def test_nothing_is_drawn_while_the_dock_is_hidden_or_held_still(
    qtbot: QtBot, dock: LiveDock, sampler: Sampler
) -> None:
    frames: list[float] = []
    dock.plot.drawn.connect(lambda end_s, _span_s: frames.append(end_s))
    entries(dock.gauges)[HEAT.label].trigger()
    dock.hide()
    frames.clear()
    dock.plot._timer.setInterval(10)
    qtbot.wait(60)
    assert frames == []
    dock.show()
    dock.plot.set_paused(True)
    dock.plot.draw()
    assert frames == []
    dock.plot.set_paused(False)
    dock.plot.draw()
    assert len(frames) == 1


@given(
    steps=st.lists(st.floats(0.3, 5.0), min_size=1, max_size=60),
    width_s=st.sampled_from([0.1, 0.5, 2.0, 8.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_strokes_hold_every_reading_and_cross_no_gap(
    steps: list[float], width_s: float, seed: int
) -> None:
    time_s = np.cumsum(steps)
    value = np.random.default_rng(seed).uniform(0, 100, len(steps))
    strokes = thinned(GaugeCurve(time_s, value), width_s)
    assert len(strokes.time_s) == len(strokes.value) == len(strokes.joined)
    assert len(strokes.time_s) <= 2 * (time_s[-1] / width_s + 2)
    assert (strokes.value.min(), strokes.value.max()) == (value.min(), value.max())
    assert strokes.joined[-1] == 0
    # What is narrower than a stroke cannot be seen.
    silent = np.flatnonzero(np.diff(time_s) > max(GAP_S, width_s))
    for before, after in zip(time_s[silent], time_s[silent + 1], strict=True):
        crossing = (strokes.time_s[:-1] <= before) & (strokes.time_s[1:] >= after)
        assert not strokes.joined[:-1][crossing].any()


@pytest.mark.parametrize(
    ("quantity", "top", "text"),
    [
        (Quantity.UTILISATION, 100.0, "100 %"),
        (Quantity.TEMPERATURE, 150.0, "150 °C"),
        (Quantity.CLOCK, 1500.0, "1.5 GHz"),
        (Quantity.MEMORY, 8 * 2.0**30, "8 GiB"),
        (Quantity.MEMORY, 0.5 * 2**30, "512 MiB"),
    ],
)
def test_a_scale_ends_on_a_number_written_without_noughts(
    quantity: Quantity, top: float, text: str
) -> None:
    assert scale_end(quantity, top) == text


# --- throttling ----------------------------------------------------------------------------


def test_a_throttled_stretch_is_marked_and_says_why(dock: LiveDock, sampler: Sampler) -> None:
    now_s = time.monotonic()
    record(sampler, HELD, {now_s - 9 + at / 2: 0.0 for at in range(6)})
    record(sampler, HELD, {now_s - 6 + at / 2: 1.0 for at in range(5)}, "power cap")
    record(sampler, HELD, {now_s - 3.5: 0.0})
    record(sampler, HELD, {now_s - 0.5: 1.0}, "too hot")
    dock.plot.draw_at(now_s)
    marks = [mark for mark in dock.plot._throttles._marks if mark.isVisible()]
    spans = [(round(m.rect().left(), 2), round(m.rect().right(), 2)) for m in marks]
    assert spans == [(-6.25, -3.75), (-0.75, -0.25)]
    assert [mark.toolTip().split("\n")[1] for mark in marks] == [
        "GPU 0: power cap",
        "GPU 0: too hot",
    ]
    described = dock.plot.accessibleDescription()
    assert described == "Throttled in this time: GPU 0: power cap; GPU 0: too hot"
    record(sampler, HELD, {time.monotonic(): 1.0}, "too hot")
    dock.refresh()
    assert dock._throttled.isVisible()
    assert dock._throttled.text() == "GPU 0 throttled"
    assert dock._throttled.toolTip() == "GPU 0: too hot"
    record(sampler, HELD, {time.monotonic(): 0.0})
    dock.refresh()
    dock.plot.draw_at(now_s + 70)
    assert not dock._throttled.isVisible()
    assert not any(mark.isVisible() for mark in marks)
    assert dock.plot.accessibleDescription() == ""


def test_stretches_too_near_to_be_told_apart_are_one_mark_with_both_reasons() -> None:
    found = joined(
        [Stretch(5.0, 6.0, "GPU 1: a"), Stretch(0.0, 4.5, "GPU 0: b"), Stretch(9.0, 9.5, "c")], 1.0
    )
    assert found == [Stretch(0.0, 6.0, "GPU 0: b\nGPU 1: a"), Stretch(9.0, 9.5, "c")]


def test_an_hour_of_flickering_marks_stays_drawable(dock: LiveDock, sampler: Sampler) -> None:
    now_s = time.monotonic()
    record(sampler, HELD, {now_s - 3600 + at / 2: float(at % 3 == 0) for at in range(7200)})
    dock.plot.set_span(3600.0)
    dock.plot.draw_at(now_s)
    assert 1 <= len(dock.plot._throttles._marks) <= dock.plot.width() / 3


# --- in the history ------------------------------------------------------------------------


LINES = (
    GaugeLine(HEAT, GaugeSummary(71.0, 60.0, 78.0, 9, ())),
    GaugeLine(CLOCK, GaugeSummary(1905.0, 1740.0, 1980.0, 9, ())),
    GaugeLine(HELD, GaugeSummary(0.4, 0.0, 1.0, 10, ("power cap",))),
)


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def texts(view: QueryView) -> list[str]:
    view.settle()
    return [found.text() for found in view.findChildren(QLabel)]


def test_a_querys_page_tells_what_ran_hot_and_what_was_held_back(
    qtbot: QtBot, history: History
) -> None:
    view = QueryView(DARK)
    qtbot.addWidget(view)
    view.show_details(Details(stored_query(history, gauges=LINES)))
    told = texts(view)
    assert "GPU 0 was throttled 40 % of the time: power cap." in told
    at = told.index("While it ran")
    assert told[at + 1 : at + 13] == [
        "Gauge", "Mean", "Range", "GPU 0 temperature", "71 °C", "60–78 °C",
        "GPU 0 clock", "1.91 GHz", "1.74–1.98 GHz", "GPU 0 throttled", "40 %", "of the time",
    ]  # fmt: skip
    view.show_details(Details(stored_query(history)))
    assert "While it ran" not in texts(view)


def test_a_throttled_query_is_marked_in_the_list(qtbot: QtBot, window: MainWindow) -> None:
    history = window._services.history
    stored_query(history, "Calm")
    stored_query(history, "Held back", gauges=LINES)
    model = HistoryModel(window.bridge, history)
    assert isinstance(window.bridge, Bridge)
    with qtbot.waitSignal(model.loaded):
        model.refresh()
    shown = [model.index(row, 2).data() for row in range(model.rowCount())]
    assert shown == ["[throttled] Held back", "Calm"]
