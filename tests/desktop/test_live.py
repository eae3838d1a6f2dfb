"""The live plot's data: every zoom shows the truth, gaps stay gaps."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from desktop.live.dock import OPEN_PX, LiveDock
from desktop.live.model import LiveModel, Series, resample
from desktop.live.moments import Moments
from desktop.live.plot import nice_ceiling
from desktop.live.pyramid import Pyramid
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from desktop.window import MainWindow
from monitor.energy import present as present_module
from monitor.energy import standing as standing_module
from monitor.energy.present import present
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.power import sampler as sampler_module
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from tests.unit.builders import channel

BATCH_S, SLOW_W, FAST_W = 0.1, 8.0, 30.0
"""Of a counter that is published in batches, as Apple's are, and of one that is always right."""


class Counter:
    """A source of one counter.

    :param batch_s: it says nothing until so much time has passed; 0 for always
    """

    def __init__(self, name: str, power_w: float, batch_s: float = 0.0) -> None:
        self.name, self._power_w, self._batch_s = name, power_w, batch_s
        self._said_s = 0.0
        kind = replace(channel(name), kind=Kind.COUNTER, range_j=None)
        self.channel = replace(kind, period_s=batch_s or kind.period_s)

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return (self.channel,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        if now_s - self._said_s < 0.9 * self._batch_s:
            return []
        self._said_s = now_s
        return [Reading(self.channel.key, now_s, counter_j=self._power_w * now_s)]

    def close(self) -> None:
        """Nothing is held open."""


def drawn(series: Series) -> np.ndarray:
    """Return what a curve shows, a sample each."""
    count = series.pyramid.count
    return series.pyramid.view(0, count, count).high


def follow(model: LiveModel, holds: Callable[[], object]) -> None:
    """Draw, far more often than readings come, until something holds; that may take a while."""
    until_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until_s, "it did not happen in time"
        model.update()
        time.sleep(0.01)


def known_count(series: Series) -> int:
    """Return how many samples a curve shows that are known."""
    return int(np.isfinite(drawn(series)).sum()) if series.pyramid.count else 0


@given(
    chunks=st.lists(st.integers(0, 700), min_size=1, max_size=12),
    most=st.integers(3, 400),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_every_zoom_bounds_exactly_the_samples_it_stands_for(
    chunks: list[int], most: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    kept = 1 << 11
    pyramid = Pyramid(capacity=kept, levels=5)
    values = random.uniform(0, 100, sum(chunks)).astype(np.float32)
    values[random.random(len(values)) < 0.1] = np.nan
    at = 0
    for chunk in chunks:
        pyramid.extend(values[at : at + chunk].astype(np.float64))
        at += chunk
    view = pyramid.view(0, at, most)
    assert len(view.buckets) <= most + 2 or view.width == 1 << 5
    for bucket, low, high in zip(view.buckets, view.low, view.high, strict=True):
        samples = values[bucket * view.width : min((bucket + 1) * view.width, at)]
        if np.isnan(samples).all():
            assert np.isnan(low)
            assert np.isnan(high)
        else:
            assert (low, high) == (np.nanmin(samples), np.nanmax(samples))


@pytest.mark.parametrize(
    ("power_w", "top_w"), [(0.0, 1.0), (0.43, 0.5), (3.54, 4.0), (64, 80), (139, 200), (950, 1500)]
)
def test_axis_ends_on_a_round_number_above_the_curve(power_w: float, top_w: float) -> None:
    assert nice_ceiling(power_w) == pytest.approx(top_w)


def test_power_is_drawn_and_shown_in_the_strip(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: "W" in window.strip.power_label.text())
    assert window.strip.power_label.text().startswith("○")
    qtbot.waitUntil(lambda: bool(window.dock.plot._curves))
    curve = next(iter(window.dock.plot._curves.values()))

    def drawn_w() -> np.ndarray:
        # Where a busy machine kept the sensor unread the curve has a gap, as it should.
        watts = np.empty(0) if curve.yData is None else curve.yData
        return watts[np.isfinite(watts)]

    qtbot.waitUntil(lambda: len(drawn_w()) > 10)
    assert (drawn_w() > 0).all()


def test_hidden_plot_draws_nothing_and_paused_plot_stands_still(
    qtbot: QtBot, window: MainWindow
) -> None:
    plot = window.dock.plot
    qtbot.waitUntil(lambda: bool(plot._curves))
    window.dock.hide()
    assert not plot._timer.isActive()
    window.dock.show()
    assert plot._timer.isActive()
    plot.set_paused(True)
    qtbot.wait(250)
    curve = next(iter(plot._curves.values()))
    before = curve.xData.copy()
    qtbot.wait(400)
    assert np.array_equal(curve.xData, before)
    plot.set_paused(False)
    qtbot.waitUntil(lambda: not np.array_equal(curve.xData, before))


def test_phases_are_shaded_where_they_happened(qtbot: QtBot, window: MainWindow) -> None:
    now_s = window.live.time_of(0)
    window.live.follow(PrefillStarted(now_s + 1, 10, 0))
    window.live.follow(DecodeStarted(now_s + 2))
    window.live.follow(Done(now_s + 4, "end", 5, None))
    window.dock.plot.draw_at(now_s + 10)
    rects = [shade.rect() for shade in window.dock.plot._shades if shade.isVisible()]
    spans = [(round(rect.left(), 3), round(rect.right(), 3)) for rect in rects]
    assert spans == [(-9.0, -8.0), (-8.0, -6.0)]


def test_the_coloured_grounds_that_are_drawn_are_named(qtbot: QtBot, window: MainWindow) -> None:
    def named() -> list[str]:
        window.dock.refresh()
        return [entry.text for entry in window.dock._phases.values()]

    assert named() == []
    now_s = window.live.time_of(0)
    window.live.follow(PrefillStarted(now_s + 1, 10, 0))
    window.live.follow(DecodeStarted(now_s + 2))
    window.live.follow(Done(now_s + 4, "end", 5, None))
    window.dock.plot.draw_at(now_s + 10)
    assert named() == ["prefill", "decode"]
    window.dock.plot.draw_at(now_s + 62.5)
    assert named() == ["decode"]


def test_the_plot_is_folded_away_and_stays_so(qtbot: QtBot, window: MainWindow) -> None:
    dock, pages = window.dock, window.pages
    open_px, page_px = dock.height(), pages.height()
    dock.fold.click()
    qtbot.waitUntil(lambda: dock.height() < open_px / 2)
    assert not dock.plot.isVisible()
    qtbot.waitUntil(lambda: pages.height() > page_px)
    again = LiveDock(window.live, window.moments, LIGHT)
    qtbot.addWidget(again)
    assert again.fold.isChecked()
    window.set_theme(DARK)
    assert not dock.plot.isVisible()
    assert not dock.gauge_plot.isVisible()
    dock.fold.click()
    qtbot.waitUntil(lambda: dock.height() == open_px)
    assert dock.plot.isVisible()


@pytest.mark.parametrize("span_s", [60.0, 600.0, 3600.0])
def test_every_span_draws_at_most_two_points_a_pixel(
    qtbot: QtBot, window: MainWindow, span_s: float
) -> None:
    qtbot.waitUntil(lambda: bool(window.dock.plot._curves))
    series = window.live.series[0]
    series.pyramid.extend(np.random.default_rng(1).uniform(1, 5, 40_000))
    window.dock.plot.set_span(span_s)
    window.dock.plot.draw_at(window.live.time_of(series.pyramid.count))
    curve = window.dock.plot._curves[series.channel.key if series.channel else ""]
    assert 50 < len(curve.xData) <= 2 * window.dock.plot.width()


def test_a_part_that_is_published_in_batches_is_drawn_whole_and_the_total_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("desktop.live.model.LAG_S", 0.02)
    sources = [Counter("fast:cpu", FAST_W), Counter("slow:gpu", SLOW_W, BATCH_S)]
    with Sampler(50, sources) as sampler:
        assert sampler.wait_ready()
        model = LiveModel(sampler)
        follow(model, lambda: known_count(model.total) > 20)
        total, fast, slow = model.series
        assert present(sampler).total_w == pytest.approx(SLOW_W + FAST_W, rel=0.01)
    for series, power_w in ((slow, SLOW_W), (fast, FAST_W), (total, SLOW_W + FAST_W)):
        samples = drawn(series)
        known = samples[np.isfinite(samples)]
        first = np.flatnonzero(np.isfinite(samples))[0]
        assert len(known) == len(samples) - first, "once begun there is no hole in it"
        assert len(known) > 20
        assert known == pytest.approx(power_w, rel=0.02)


def test_a_silence_that_a_counter_bridged_is_level_at_what_it_counted() -> None:
    """And not at the watts of its ends, which nobody has seen in between."""
    trace, card = Trace(), replace(channel("a:gpu"), kind=Kind.COUNTER, range_j=None, period_s=0.1)
    trace.add(card)
    for tenth in range(1000):
        if 200 < tenth < 800:
            trace.miss([card.key])
        else:
            counted_j = 30.0 * tenth - 24.0 * (min(max(tenth, 200), 800) - 200)
            trace.record([Reading(card.key, tenth / 10, counted_j, 300.0)])
    grid_s = np.arange(15.05, 90.0, 0.1)
    power_w = resample(trace, card, grid_s)
    is_silent = (grid_s > 20.0) & (grid_s < 80.0)
    assert power_w[is_silent] == pytest.approx(60.0)
    assert power_w[~is_silent] == pytest.approx(300.0)


def test_a_part_that_goes_leaves_the_total_unknown_and_not_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("desktop.live.model.LAG_S", 0.02)
    sources = [Counter("fast:cpu", FAST_W), Counter("slow:gpu", SLOW_W, BATCH_S)]
    with Sampler(50, sources) as sampler:
        assert sampler.wait_ready()
        model = LiveModel(sampler)
        follow(model, lambda: known_count(model.total) > 5)
        sampler.remove("slow:gpu")
        model.update()
        removed = model.total.pyramid.count
        follow(model, lambda: model.total.pyramid.count > removed + 5)
        samples = drawn(model.total)
    known = np.flatnonzero(np.isfinite(samples[:removed]))
    assert samples[known] == pytest.approx(FAST_W + SLOW_W, rel=0.02)
    assert np.isnan(samples[known[-1] + 1 : removed]).all()
    after = samples[removed:]
    assert after == pytest.approx(FAST_W, rel=0.02), "what it was known of is the total now"


def test_a_part_that_is_not_read_stands_in_the_legend_without_a_figure(
    qtbot: QtBot, window: MainWindow
) -> None:
    """And so it is seen why the total is not known."""
    qtbot.waitUntil(lambda: bool(window.dock.plot._curves))
    silent = Counter("silent:gpu", SLOW_W, batch_s=1e9)
    window.live._sampler.add(silent)
    qtbot.waitUntil(lambda: silent.channel in window.live._sampler.channels())

    def is_told() -> bool:
        window.moments.go_on()
        entries = window.dock._entries
        return silent.channel.key in entries and entries[""].text == "Total —"

    # The window takes in what is there a moment later.
    qtbot.waitUntil(is_told)


def test_a_model_stands_in_for_a_sensor_in_the_total_and_is_drawn_beside_it(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (present_module, standing_module):
        monkeypatch.setattr(module, "SILENT_S", 1.2)
    monkeypatch.setattr(sampler_module, "LATE_S", 0.1)
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.02)
    sensor, model = Counter("cpu", FAST_W), Counter("model", SLOW_W)
    model.channel = replace(sensor.channel, key="model", label="Model", kind=Kind.MODELLED)
    with Sampler(50, [sensor, model]) as sampler:
        assert sampler.wait_ready()
        live = LiveModel(sampler)
        follow(live, lambda: known_count(live.total) > 5)
        assert live.kind is Kind.COUNTER
        sensor.read = list  # it says nothing from now on
        follow(live, lambda: live.kind is Kind.MODELLED)
        before = known_count(live.total)
        follow(live, lambda: known_count(live.total) > before + 5)
        keys = [s.channel.key for s in live.series if s.channel]
        assert keys == ["cpu", "model"]
        assert present(sampler).total_w == pytest.approx(SLOW_W)
        total_w = drawn(live.total)
        assert np.nanmin(total_w) == pytest.approx(SLOW_W)
        assert np.nanmax(total_w) == pytest.approx(FAST_W)
        assert np.isnan(total_w).any(), "while the sensor was waited for"


def test_cards_of_one_make_are_told_apart_in_the_legend(qtbot: QtBot) -> None:
    labels = {
        "first:gpu": ("AMD GPU 0 Radeon RX 7900 XTX", Domain.GPU),
        "second:gpu": ("AMD GPU 1 Radeon RX 6800", Domain.GPU),
        "third:soc": ("AMD GPU 2 with its processor (APU)", Domain.SOC),
    }
    sources = [Counter(key, FAST_W) for key in labels]
    for source in sources:
        label, domain = labels[source.name]
        source.channel = replace(source.channel, label=label, domain=domain)
    with Sampler(50, sources) as sampler:
        assert sampler.wait_ready()
        model = LiveModel(sampler)
        dock = LiveDock(model, Moments(sampler), LIGHT)
        qtbot.addWidget(dock)
        follow(model, lambda: known_count(model.total) > 5)
        dock.refresh()
        shown = [entry.text for entry in dock._entries.values()]
    assert [text.partition(" ●")[0] for text in shown] == [
        "Total",
        "AMD GPU 0",
        "AMD GPU 1",
        "AMD GPU 2 with its processor (APU)",
    ]


def test_a_folded_plot_is_as_low_at_the_next_start(qtbot: QtBot, services: Services) -> None:
    QSettings().setValue("live/folded", "yes")
    window = MainWindow(services, LIGHT)
    window.show()
    dock = window.dock
    qtbot.waitUntil(lambda: dock.height() == dock.sizeHint().height())
    assert dock.height() < 100
    dock.fold.click()
    qtbot.waitUntil(lambda: dock.height() >= OPEN_PX)
    window.close()
    window.deleteLater()
