"""Cost of a frame of the live plot: 8 channels over an hour at 20 Hz, 900 x 300.

Run with ``pytest tests/speed -m speed -n 0 -s``. The budget is 8 ms a frame, whatever the span.
"""

import time

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop.live.gauge_plot import GaugePlot
from desktop.live.model import LiveModel, Series
from desktop.live.plot import LivePlot
from desktop.live.pyramid import Pyramid
from desktop.theme.palette import LIGHT
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.gauge import CAPACITY, PERIOD_S, GaugeReading, Quantity
from monitor.power.sampler import Sampler
from tests.desktop.test_gauges import QuietGpu

pytestmark = pytest.mark.speed

CHANNELS, HZ, FRAMES = 8, 20, 60


class StillModel(LiveModel):
    """A model whose series are set by hand."""

    def update(self) -> None:
        """Take in nothing."""


def test_a_frame_costs_the_same_whatever_the_span(qtbot: QtBot) -> None:
    model = StillModel(Sampler(HZ, sources=[]))
    random = np.random.default_rng(1)
    for index, kind in enumerate(np.resize(list(Kind), CHANNELS - 1)):
        channel = Channel(
            f"test:{index}", f"Test {index}", Domain.GPU, str(index), Kind(kind), Role.PART, 0.05,
            0.0, Accuracy(0, 0, 0, ""),
        )  # fmt: skip
        series = Series(channel, Pyramid())
        series.pyramid.extend(random.uniform(20, 60, 3600 * HZ) + index * 10)
        model._channels[channel.key] = series
    model.total.pyramid.extend(random.uniform(200, 400, 3600 * HZ))
    plot = LivePlot(model, LIGHT)
    qtbot.addWidget(plot)
    plot.resize(900, 300)
    plot.show()
    plot._timer.stop()
    end_s = model.time_of(3600 * HZ)
    for span_s in (60.0, 600.0, 3600.0):
        plot.set_span(span_s)
        times_ms = []
        for frame in range(FRAMES):
            start_s = time.perf_counter()
            plot.draw_at(end_s - frame * 0.01)
            plot.grab()
            times_ms.append((time.perf_counter() - start_s) * 1e3)
        assert all(len(curve.xData) > 100 for curve in plot._curves.values())
        print(f"span {span_s:6.0f} s: median {np.median(times_ms):.2f} ms a frame (budget 8)")


def test_gauges_and_throttle_marks_cost_less_than_the_power(qtbot: QtBot) -> None:
    """An hour of three gauges in lanes of their own, and a throttle that flickers throughout."""
    with Sampler(sources=[QuietGpu()]) as sampler:
        qtbot.waitUntil(lambda: len(sampler.gauges()) == 4)
        model = StillModel(sampler)
        model.gauges.chosen = frozenset(gauge.key for gauge in model.gauges.choosable())
        end_s, random = time.monotonic(), np.random.default_rng(1)
        for gauge in sampler.gauges():
            is_throttle = gauge.quantity is Quantity.THROTTLE
            values = random.uniform(40, 90, CAPACITY)
            if is_throttle:
                values = values > 65
            times_s = end_s + (np.arange(CAPACITY) - CAPACITY) * PERIOD_S
            sampler.gauge_trace.record(
                GaugeReading(gauge.key, float(at_s), float(value), "power cap")
                for at_s, value in zip(times_s, values, strict=True)
            )
        plot = GaugePlot(model.gauges, LIGHT)
        qtbot.addWidget(plot)
        plot.resize(900, 100)
        plot.set_theme(LIGHT)
        plot.show()
        for span_s in (60.0, 600.0, 3600.0):
            times_ms = []
            for frame in range(FRAMES):
                start_s = time.perf_counter()
                found = model.gauges.throttled(end_s - span_s, end_s, 3 * span_s / 900)
                plot.draw_at(end_s - frame * 0.01, span_s)
                plot.grab()
                times_ms.append((time.perf_counter() - start_s) * 1e3)
            assert found
            assert all(len(curve.xData) > 100 for curve in plot._curves.values())
            print(f"span {span_s:6.0f} s: median {np.median(times_ms):.2f} ms a frame of gauges")
