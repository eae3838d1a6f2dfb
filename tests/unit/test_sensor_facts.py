"""What other tools got wrong about sensors and carbon, as far as no other file asserts it."""

import json
import re
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from itertools import chain, pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np
import pynvml
import pytest
from rich.console import Console

from monitor.bill_words import headline
from monitor.carbon.asking import ADDRESSES
from monitor.carbon.live import Provider
from monitor.energy.account import DECODE, Phase, account
from monitor.energy.baseline import above_idle
from monitor.meter import chosen_zone
from monitor.paths import database_path
from monitor.power.channel import Channel, Kind, ProbeState, Reading, Role
from monitor.power.cpu_model import activity, package_w
from monitor.power.sources import apple
from monitor.power.sources.nvml import Nvml
from monitor.power.sources.rapl import Rapl
from monitor.power.trace import Trace
from monitor.store.baselines import Baselines
from monitor.store.history import History
from monitor.terminal.record_view import record_view
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu
from tests.hardware.sysfs import RaplZone
from tests.speed.fit_cpu_model import points
from tests.unit.builders import BILL, REPOSITORY, ZONE, outcome, query_start, stored_query
from tests.unit.conftest import FakeGpus, StillSysfs
from tests.unit.test_apple import Chip, Clock, opened
from tests.unit.test_baseline import idle_of
from tests.unit.test_emi import Meter
from tests.unit.test_emi import opened as opened_meters

imitates_linux = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

NOT_SUPPORTED, GPU_IS_LOST, NO_DATA = 3, 15, 21

A4090, A5000 = "NVIDIA GeForce RTX 4090", "NVIDIA RTX A5000"
A2060S = "NVIDIA GeForce RTX 2060 SUPER"


@pytest.fixture
def no_gpu_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own GPUs out."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as stored:
        yield stored


def channels_of(gpus: FakeGpus, *told: FakeGpu) -> list[Channel]:
    gpus(told)
    with closing(Nvml()) as nvml:
        nvml.probe()
        return list(nvml.open())


# Counters.


@imitates_linux
def test_a_rapl_counter_is_known_to_refresh_every_millisecond(still_sysfs: StillSysfs) -> None:
    curve = PowerCurve.constant(10.0)
    still_sysfs(
        RaplZone("intel-rapl:0", "package-0", curve, start_uj=3_000_000),
        RaplZone("intel-rapl:0:0", "dram", curve, start_uj=3_000_000),
    )
    assert [channel.period_s for channel in Rapl().open()] == [0.001, 0.001]


# NVIDIA.


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
def test_an_nvidia_counter_is_taken_for_as_slow_as_the_slowest(fake_gpus: FakeGpus) -> None:
    (channel,) = channels_of(fake_gpus, FakeGpu(curve=PowerCurve.constant(90.0)))
    assert (channel.kind, channel.period_s) == (Kind.COUNTER, 0.1)


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
def test_the_one_second_mean_is_of_every_chip_after_ga100(fake_gpus: FakeGpus) -> None:
    chips = {(7, 5): 0.1, (8, 0): 0.1, (8, 9): 1.0, (9, 0): 1.0, (10, 0): 1.0, (12, 0): 1.0}
    gpus = [
        FakeGpu(uuid=f"GPU-{n}", has_energy=False, has_fields=False, compute_capability=chip)
        for n, chip in enumerate(chips)
    ]
    assert [c.period_s for c in channels_of(fake_gpus, *gpus)] == list(chips.values())


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
def test_an_h100_is_as_unsure_as_an_a100(fake_gpus: FakeGpus) -> None:
    a100, h100, ada = channels_of(
        fake_gpus,
        *(
            FakeGpu(uuid=f"GPU-{chip}", has_energy=False, compute_capability=chip)
            for chip in ((8, 0), (9, 0), (8, 9))
        ),
    )
    assert h100.accuracy == a100.accuracy
    assert h100.accuracy.below > ada.accuracy.below
    assert h100.accuracy.above > ada.accuracy.above


# Offset and gain of three cards against a meter (arXiv 2312.02741), from idle to their limits.
ERRORS = {
    A4090: ((8, 9), -12.0, 1.045, 450.0),
    A5000: ((8, 6), 9.0, 0.905, 230.0),
    A2060S: ((7, 5), 12.0, 0.987, 175.0),
}


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
def test_the_interval_holds_what_cards_that_were_measured_really_drew(fake_gpus: FakeGpus) -> None:
    gpus = [
        FakeGpu(uuid=f"GPU-{name}", name=name, has_energy=False, compute_capability=chip)
        for name, (chip, *_) in ERRORS.items()
    ]
    for channel, (_, offset_w, gain, limit_w) in zip(
        channels_of(fake_gpus, *gpus), ERRORS.values(), strict=True
    ):
        for true_w in np.linspace(15.0, limit_w, 8):
            trace = Trace()
            trace.add(channel)
            told_w = float(offset_w + gain * true_w)
            trace.record(Reading(channel.key, n / 10, power_w=told_w) for n in range(1, 112))
            energy = account(trace, [channel], [Phase(DECODE, 0.5, 10.5)]).total().energy
            assert energy
            assert energy.joules == pytest.approx(10 * told_w)
            assert energy.low_j <= 10 * true_w <= energy.high_j, (channel.label, true_w)


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
def test_whichever_error_a_call_ends_with_it_is_no_reading_and_no_other_gpus_concern(
    fake_gpus: FakeGpus,
) -> None:
    steady = PowerCurve.constant(90.0)
    failing = [
        FakeGpu(uuid=f"GPU-{error}-{counts}", curve=steady, has_energy=counts, lost_error=error,
                lost_from_s=11.0, energy_step_s=0.002)
        for error in (NOT_SUPPORTED, GPU_IS_LOST, NO_DATA)
        for counts in (True, False)
    ]  # fmt: skip
    epoch_s = fake_gpus([*failing, FakeGpu(uuid="GPU-sound", curve=steady)], elapsed_s=10.0)
    with closing(Nvml()) as nvml:
        nvml.probe()
        assert len(nvml.open()) == len(nvml.read()) == 7
        time.sleep(max(0.0, epoch_s + 11.01 - time.monotonic()))
        for _ in range(2):
            assert [reading.key for reading in nvml.read()] == ["nvml:GPU-sound"]


# What a GPU cannot be told from others without.
NAMING = {"nvmlDeviceGetName", "nvmlDeviceGetUUID"}


def calls_of_a_gpu() -> set[str]:
    """Return the calls of NVML that take the handle of a GPU, wherever they are made."""
    power = REPOSITORY / "monitor/power"
    sources = [power / "sources/nvml.py", *(power / "nvml").glob("*.py")]
    made = re.findall(r"pynvml\.(nvmlDevice\w+)\(", "".join(s.read_text() for s in sources))
    return {call for call in made if "Handle" not in call and "Count" not in call}


@imitates_linux
@pytest.mark.usefixtures("no_gpu_on_the_bus")
@pytest.mark.parametrize("error", [NOT_SUPPORTED, NO_DATA])
def test_no_call_of_nvml_is_needed_but_those_that_name_a_gpu(
    error: int, fake_gpus: FakeGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = calls_of_a_gpu()
    assert len(calls) >= 12
    assert calls > NAMING
    fake_gpus([FakeGpu(curve=PowerCurve.constant(90.0), energy_step_s=0.002)])

    def refuse(*_: object) -> NoReturn:
        raise pynvml.NVMLError(error)

    for call in calls:
        with monkeypatch.context() as patched, closing(Nvml()) as nvml:
            patched.setattr(pynvml, call, refuse)
            probe = nvml.probe()
            if call in NAMING:
                assert (probe.state, nvml.open()) == (ProbeState.ABSENT, ()), call
                continue
            assert probe.state is ProbeState.AVAILABLE, call
            (channel,) = nvml.open()
            assert [reading.key for reading in nvml.read()] == [channel.key], call
            told = {gauge.key for gauge in nvml.gauges()}
            assert {reading.key for reading in nvml.read_gauges()} == told, call


def test_nvml_comes_from_nvidias_package_and_not_from_its_namesake() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*declared["dependencies"], *chain(*declared["optional-dependencies"].values())]
    names = {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in wanted}
    assert "nvidia-ml-py" in names
    assert "pynvml" not in names


# Windows.


def test_a_meters_channel_is_a_package_by_the_whole_of_its_name() -> None:
    near = ("RAPL_Package0_PKG_Limit", "GPU_RAPL_Package0_PKG", "RAPL_Package_PKG", "Package0PKG")
    names = ("RAPL_Package0_PKG", *near, "RAPL_Package1_PKG")
    started_j, step_j = ([each * number for number in range(1, 7)] for each in (100.0, 0.02))
    source = opened_meters(Meter(names, started_j, step_j))
    parts = [channel.key for channel in source.open() if channel.role is Role.PART]
    assert parts == ["emi:package-0:pkg", "emi:package-1:pkg"]


# Apple.


def test_only_the_counter_of_that_very_name_is_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As 36 W became 107 W (M5 Max) by adding whatever had CPU in its name.
    chip = Chip(
        cpu_total_mj=36, gpu_mj=10, efficiency_cluster_mj=5, performance_cluster_mj=30,
        performance_core_manager_mj=4, cpu_total_mj_sram=20, pcpu_mj=31, ecpu_mj=5, gpu_mj_cs=9,
    )  # fmt: skip
    clock = Clock(chip, monkeypatch)
    source, trace = opened(chip), Trace()
    channels = source.open()
    for channel in channels:
        trace.add(channel)
    began_s = clock.now_s
    for _ in range(60):
        trace.record(source.read())
        clock.sleep(apple.POLL_S)
    bill = account(trace, channels, [Phase(DECODE, began_s + 1, began_s + 11)])
    assert {c.key for c in channels if c.role is Role.PART} == {
        "apple:cpu_total_mj",
        "apple:gpu_mj",
    }
    assert bill.total().joules == pytest.approx(460.0, rel=0.01)


# The modelled processor.


@pytest.mark.parametrize(("least", "most", "within"), [(0.2, 0.8, 0.15), (0.4, 0.6, 0.25)])
def test_a_half_loaded_cpu_is_not_modelled_at_half_of_its_watts(
    least: float, most: float, within: float
) -> None:
    middle = [point for point in points() if point.some_cores and least <= point.load <= most]
    errors = [package_w(point.doing, point.rated_w) / point.truth_w - 1 for point in middle]
    assert abs(statistics.median(errors)) < within
    # TDP x (0.1 + 0.9 load^3), on the same measurements.
    assert statistics.median(point.cubic_w / point.truth_w - 1 for point in middle) < -0.5


def test_a_straight_line_is_off_by_a_few_percent_where_the_cubic_is_off_by_half() -> None:
    middle = [point for point in points() if 0.2 <= point.load <= 0.8]
    straight = [point.rated_w * point.load / point.truth_w - 1 for point in middle]
    cubic = [point.cubic_w / point.truth_w - 1 for point in middle]
    assert statistics.median(straight) == pytest.approx(-0.03, abs=0.005)
    assert statistics.median(cubic) == pytest.approx(-0.53, abs=0.005)


def test_watts_are_concave_in_the_number_of_busy_cores() -> None:
    watts = [
        package_w(activity([1.0] * busy + [0.0] * (8 - busy), 8.0, 3.0), 100.0) for busy in range(9)
    ]
    steps = [later - earlier for earlier, later in pairwise(watts)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(steps))
    assert watts[4] > (watts[0] + watts[8]) / 2


# Carbon.


def printed(text: object) -> str:
    out = StringIO()
    Console(file=out, width=200, color_system=None).print(text)
    return " ".join(out.getvalue().split())


def test_live_figures_are_asked_for_where_the_services_are() -> None:
    # The path, the header and what is sent: test_carbon_live.
    assert ADDRESSES == {
        Provider.ELECTRICITY_MAPS: "https://api.electricitymaps.com/v3",
        Provider.GREAT_BRITAIN: "https://api.carbonintensity.org.uk",
    }


def test_until_a_zone_is_chosen_an_answers_grams_are_said_to_be_the_worlds(
    history: History,
) -> None:
    began = history.begin(query_start(zone=chosen_zone(history)))
    record = history.finish(began.query_id, outcome())
    assert "(WORLD 20" in headline(record)
    told = printed(record_view(record))
    assert re.search(r"CO₂e at [\d.]+ g/kWh \(WORLD 20\d\d, Ember", told)


def test_grams_are_of_the_gross_energy_beside_which_what_is_above_idle_stands(
    history: History,
) -> None:
    idle = Baselines(history.store).keep(idle_of(BILL, 1.0, 5.0, 0.5))
    above = above_idle(BILL, idle)
    record = stored_query(history, above_idle=above)
    total = record.bill.total()
    assert above
    assert total.joules
    assert above.joules < 0.9 * total.joules
    assert record.footprint
    assert record.footprint.grams == pytest.approx(total.joules / 3.6e6 * ZONE.g_per_kwh)
    line = headline(record)
    assert re.match(rf"\S+ {total.joules:.1f} J .* J above idle", line), line


# At its start, and what its plot costs.

LOOK = """
import json, sys
asked = []
network = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda event, told: asked.append([event, str(told)]) if event in network else None)
import monitor.carbon.feed, monitor.cli, monitor.hub.access, monitor.meter, monitor.sensing
import time
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from desktop.live.model import LiveModel
from desktop.live.plot import LivePlot
from desktop.theme.palette import LIGHT
from monitor.engine.messages import DecodeStarted
from monitor.power.sampler import Sampler
app = QApplication([])
model = LiveModel(Sampler(sources=[]))
window, plot = QWidget(), LivePlot(model, LIGHT)
QVBoxLayout(window).addWidget(plot)
window.resize(1800, 300)
window.show()
drawn = [plot.viewport().metaObject().className(), plot._timer.isActive()]
plot.draw()
idle_ms = plot._timer.interval()
model.follow(DecodeStarted(time.monotonic()))
plot.draw()
drawn += [idle_ms, model.busy, plot._timer.interval()]
window.showMinimized()
until_s = time.monotonic() + 20.0
while plot._timer.isActive() and time.monotonic() < until_s:
    QTest.qWait(5)
print(json.dumps([asked, *drawn, plot._timer.isActive()]))
"""


def test_starting_asks_no_network_and_the_plot_is_raster_capped_and_still_when_minimised() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    asked, canvas, runs, idle_ms, is_busy, busy_ms, runs_minimised = json.loads(done.stdout)
    assert asked == []
    assert canvas == "QWidget"
    assert (runs, is_busy, runs_minimised) == (True, True, False)
    assert idle_ms >= busy_ms >= 100, "ten frames a second at most"
