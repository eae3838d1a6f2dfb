"""The CPU without a sensor: what this machine is taken for, and its energy from its real load."""

import statistics
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from monitor.power.channel import Domain, Kind, ProbeState, Reading, Role
from monitor.power.cpu import core_clock_ghz, rated_tdp_w, this_processor
from monitor.power.cpu_model import MODEL, Activity, activity, nominal_power, package_w
from monitor.power.sampler import Sampler
from monitor.power.sources import modelled as modelled_source
from monitor.power.sources.modelled import ModelledCpu
from tests.speed.fit_cpu_model import covered, factor, fit, left_out, median_error, points

# How far off the model is on CPUs it has not seen.


def test_a_cpu_left_out_of_the_fit_is_modelled_within_a_quarter_for_half_of_the_loads() -> None:
    modelled = left_out(points())
    assert len({point.cpu for point, _ in modelled}) == 4
    assert median_error([(model_w, point.truth_w) for point, model_w in modelled]) <= 0.23
    for cpu in {point.cpu for point, _ in modelled}:
        alone = [(model_w, point.truth_w) for point, model_w in modelled if point.cpu == cpu]
        assert median_error(alone) <= 0.30


def test_the_power_column_as_published_is_met_within_a_quarter_too() -> None:
    modelled = left_out(points())
    pairs = [(model_w, p.published_w) for p, model_w in modelled if p.published_w is not None]
    assert len(pairs) == len(modelled) - 4
    assert median_error(pairs) <= 0.23


def test_the_cubic_formula_is_more_than_twice_as_far_off() -> None:
    modelled = left_out(points())
    error = median_error([(model_w, point.truth_w) for point, model_w in modelled])
    assert median_error([(point.cubic_w, point.truth_w) for point, _ in modelled]) > 2 * error


def test_an_interval_found_without_a_cpu_holds_nine_in_ten_of_its_loads() -> None:
    inside = covered(points())
    assert len(inside) == 4
    assert statistics.fmean(inside.values()) >= 0.9
    assert min(inside.values()) >= 0.9


def test_a_clock_that_is_not_known_costs_width_not_coverage() -> None:
    clocked = left_out(points())
    unclocked = left_out(points(), points(fixed_clock_ghz=MODEL["reference_ghz"]))
    assert factor(unclocked) > factor(clocked)
    wide = MODEL["accuracy"]["fixed_clock"]["factor"]
    inside = [1 / wide <= point.truth_w / model_w <= wide for point, model_w in unclocked]
    assert statistics.fmean(inside) >= 0.9


def test_the_figures_that_ship_are_those_of_the_fit() -> None:
    measured = points()
    shares, accuracy = MODEL["shares"], MODEL["accuracy"]
    assert fit(measured) == pytest.approx(
        (shares["idle"], shares["awake"], shares["cores"]), abs=1e-4
    )
    unclocked = left_out(measured, points(fixed_clock_ghz=MODEL["reference_ghz"]))
    assert accuracy["live_clock"]["factor"] == pytest.approx(factor(left_out(measured)), abs=0.01)
    assert accuracy["fixed_clock"]["factor"] == pytest.approx(factor(unclocked), abs=0.01)
    assert accuracy["typical"]["factor"] == pytest.approx(1.5 * factor(unclocked), abs=0.02)


# What this machine is taken for.


@pytest.mark.parametrize(
    ("name", "tdp_w"),
    [
        ("Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 28.0),
        ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 28.0),
        ("13th Gen Intel(R) Core(TM) i9-13900K", 125.0),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95.0),
        ("Intel(R) Core(TM) Ultra 7 155H", 28.0),
        ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", 65.0),
        ("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", 69.0),
        ("Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz", 85.0),
        ("Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz", 240.0),
        ("AMD Ryzen 9 7950X 16-Core Processor", 170.0),
        ("AMD Ryzen 5 5600X 6-Core Processor", 65.0),
        ("AMD Ryzen 7 PRO 5850U with Radeon Graphics", 15.0),
        ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 28.0),
        ("AMD Ryzen Threadripper 1950X 16-Core Processor", 180.0),
        ("AMD Ryzen Threadripper PRO 5995WX 64-Cores", 280.0),
        ("AMD EPYC 8024P 8-Core Processor", 90.0),
        ("AMD FX(tm)-8350 Eight-Core Processor", 125.0),
        ("AMD EPYC", None),
        ("Some CPU nobody knows", None),
        ("", None),
    ],
)
def test_the_rating_is_found_by_the_name_the_kernel_writes(name: str, tdp_w: float | None) -> None:
    assert rated_tdp_w(name) == tdp_w


# This machine.


def test_this_machine_can_always_be_modelled_and_the_probe_names_the_inputs() -> None:
    probe = ModelledCpu().probe()
    assert (probe.source, probe.state) == ("model", ProbeState.AVAILABLE)
    assert nominal_power(this_processor()).reason in probe.reason
    assert "modelled" in probe.reason


def test_each_package_is_a_modelled_part_that_a_measured_one_would_replace() -> None:
    channels = ModelledCpu().open()
    assert len(channels) == len(this_processor().packages)
    assert sum(map(len, this_processor().packages.values())) == this_processor().threads
    for index, channel in enumerate(channels):
        assert (channel.kind, channel.role, channel.domain) == (
            Kind.MODELLED,
            Role.PART,
            Domain.CPU,
        )
        assert channel.device == f"package-{index}"
        assert "modelled" in channel.label


def test_modelled_energy_lies_between_idle_and_full_power() -> None:
    with Sampler(sources=[ModelledCpu()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        start_s = time.monotonic()
        time.sleep(0.4)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=10.0)
        nominal = nominal_power(this_processor())
        idle_w, full_w = (
            package_w(Activity(load, load, nominal.clock_ghz), nominal.power_w)
            for load in (0.0, 1.0)
        )
        for channel in sampler.channels():
            window = sampler.trace.window(channel.key, start_s, end_s)
            assert window.coverage == pytest.approx(1.0)
            assert window.mean_w is not None
            assert idle_w * 0.999 <= window.mean_w <= full_w * 1.001


def busy_and_total_s() -> list[tuple[float, float]]:
    """Processor time of each thread as the kernel tells it, busy time added up by its uses."""
    uses = ("user", "nice", "system", "irq", "softirq", "interrupt", "dpc")
    return [
        (
            sum(getattr(times, use, 0.0) for use in uses),
            sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0),
        )
        for times in psutil.cpu_times(percpu=True)
    ]


def looked_at(model: ModelledCpu) -> tuple[list[tuple[float, float]], list[Reading]]:
    """Look at the kernel's accounts and at the model, one right after the other."""
    for _ in range(100):
        began_s = time.monotonic()
        times, readings = busy_and_total_s(), model.read()
        # A busy machine may do something else in between.
        if time.monotonic() - began_s < 0.01:
            break
    return times, readings


@pytest.mark.parametrize("busy", [False, True])
def test_modelled_watts_are_those_of_the_load(busy: bool) -> None:
    processor, nominal = this_processor(), nominal_power(this_processor())
    model = ModelledCpu()
    model.open()
    times_before, before = looked_at(model)
    until_s = time.monotonic() + 0.4
    while time.monotonic() < until_s:
        if not busy:
            time.sleep(0.1)
    times_after, after = looked_at(model)
    clock_ghz = (processor.clock_is_live and core_clock_ghz()) or nominal.clock_ghz
    for index, threads in processor.packages.items():
        spent = [
            (new[0] - old[0], new[1] - old[1])
            for old, new in ((times_before[i], times_after[i]) for i in threads)
        ]
        loads = [busy_s / max(total_s for _, total_s in spent) for busy_s, _ in spent]
        doing = activity(loads, processor.physical_cores / len(processor.packages), clock_ghz)
        elapsed_s = after[index].time_s - before[index].time_s
        mean_w = (after[index].counter_j - before[index].counter_j) / elapsed_s
        # The kernel's accounts are in ticks of 10 ms, and the two were not looked at together.
        assert mean_w == pytest.approx(
            package_w(doing, nominal.power_w), abs=0.08 * nominal.power_w
        )


# The clock.


class Times(NamedTuple):
    user: float
    idle: float


class ClockedMachine:
    """Every thread is busy, and the clock tells what it is set to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, live: bool) -> None:
        self.clock_mhz: float | None = 3000.0
        self.clock_reads = 0
        self._busy_s = 0.0
        processor = replace(
            this_processor(), tdp_w=100.0, virtual=False, clock_ghz=3.0, clock_is_live=live
        )
        monkeypatch.setattr(modelled_source, "this_processor", lambda: processor)
        monkeypatch.setattr(psutil, "cpu_freq", self._cpu_freq)
        monkeypatch.setattr(psutil, "cpu_times", self._cpu_times)

    def _cpu_freq(self) -> SimpleNamespace | None:
        self.clock_reads += 1
        if self.clock_mhz is None:
            return None
        return SimpleNamespace(current=self.clock_mhz, max=0.0)

    def _cpu_times(self, percpu: bool) -> list[Times]:
        self._busy_s += 1.0
        return [Times(self._busy_s, 0.0)] * this_processor().threads

    def mean_w(self) -> float:
        model = ModelledCpu()
        model.open()
        before, after = model.read()[0], model.read()[0]
        return (after.counter_j - before.counter_j) / (after.time_s - before.time_s)


def full_load_w(clock_ghz: float) -> float:
    return package_w(Activity(1.0, 1.0, clock_ghz), 100.0)


@pytest.mark.parametrize("clock_mhz", [1200.0, 4500.0])
def test_a_live_clock_is_followed(monkeypatch: pytest.MonkeyPatch, clock_mhz: float) -> None:
    machine = ClockedMachine(monkeypatch, live=True)
    machine.clock_mhz = clock_mhz
    assert machine.mean_w() == pytest.approx(full_load_w(clock_mhz / 1000))


def test_a_clock_is_not_read_with_every_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = ClockedMachine(monkeypatch, live=True)
    model = ModelledCpu()
    model.open()
    for _ in range(5):
        model.read()
    assert machine.clock_reads == 1


def test_a_clock_that_tells_one_figure_for_ever_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = ClockedMachine(monkeypatch, live=False)
    machine.clock_mhz = 1200.0
    assert machine.mean_w() == pytest.approx(full_load_w(3.0))


@pytest.mark.parametrize("clock_mhz", [None, 0.0, 3.2, 3_200_000.0])
def test_a_clock_no_processor_has_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, clock_mhz: float | None
) -> None:
    machine = ClockedMachine(monkeypatch, live=True)
    machine.clock_mhz = clock_mhz
    assert core_clock_ghz() is None
    assert machine.mean_w() == pytest.approx(full_load_w(3.0))


@pytest.mark.parametrize("refusal", [FileNotFoundError, NotImplementedError, RuntimeError])
def test_a_system_that_refuses_to_tell_a_clock_is_no_error(
    monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]
) -> None:
    def refuse() -> None:
        raise refusal

    monkeypatch.setattr(psutil, "cpu_freq", refuse)
    assert core_clock_ghz() is None
