"""The modelled CPU: plausible watts from load, and an honest account of how far off they are."""

import csv
import statistics
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Accuracy, Domain, Kind, ProbeState, Role
from monitor.power.cpu import Processor, rated_tdp_w, this_processor
from monitor.power.sampler import Sampler
from monitor.power.sources.modelled import ModelledCpu, load_power_w, nominal_power

MEASURED = Path(__file__).resolve().parents[3] / "shared/data/cpu-load"

TDP_W = {"EPYC_8024P": 90.0, "Threadripper": 180.0, "E3-1240": 69.0, "E5-2620": 2 * 85.0}

loads = st.floats(0.0, 1.0)


def processor(tdp_w: float | None = 100.0, virtual: bool = False, threads: int = 8) -> Processor:
    return Processor(
        name="Some CPU",
        packages={0: tuple(range(threads))},
        physical_cores=threads // 2,
        tdp_w=tdp_w,
        virtual=virtual,
    )


# The curve.


@given(loads, loads)
def test_more_load_is_never_fewer_watts(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert load_power_w(low, 100.0) <= load_power_w(high, 100.0)


def test_full_load_takes_far_more_than_idle() -> None:
    assert load_power_w(1.0, 100.0) > 3 * load_power_w(0.0, 100.0)


@given(loads, loads)
def test_power_is_concave_in_load(one: float, other: float) -> None:
    middle_w = load_power_w((one + other) / 2, 100.0)
    chord_w = (load_power_w(one, 100.0) + load_power_w(other, 100.0)) / 2
    assert middle_w >= chord_w - 1e-9


def test_the_first_busy_threads_cost_most() -> None:
    first_w = load_power_w(0.25, 100.0) - load_power_w(0.0, 100.0)
    last_w = load_power_w(1.0, 100.0) - load_power_w(0.75, 100.0)
    assert first_w > 2 * last_w


@given(st.floats(1.0, 500.0))
def test_an_idle_package_takes_power_and_a_busy_one_no_more_than_is_rated(tdp_w: float) -> None:
    assert 0.0 < load_power_w(0.0, tdp_w) < 0.2 * tdp_w
    assert load_power_w(1.0, tdp_w) <= tdp_w


def measurements() -> list[tuple[float, float, float]]:
    """Load, rated watts and measured watts of four CPUs with some of their threads fully busy."""
    if not MEASURED.is_dir():
        pytest.skip(f"the measurements are not here: {MEASURED}")
    points = []
    for name, tdp_w in TDP_W.items():
        (file,) = MEASURED.glob(f"*{name}*some_cores*.csv")
        with file.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))[1:]  # The first is an artefact of the start.
        points += [(float(r["cpu_load"]) / 100, tdp_w, float(r["rapl_power"])) for r in rows]
    return points


def test_measured_cpus_are_modelled_better_than_by_a_cube_of_the_load() -> None:
    modelled, cubed = [], []
    for load, tdp_w, truth_w in measurements():
        modelled.append(abs(load_power_w(load, tdp_w) / truth_w - 1))
        cubed.append(abs(tdp_w * (0.1 + 0.9 * load**3) / truth_w - 1))
    assert statistics.median(modelled) < 0.5 * statistics.median(cubed)


def test_measured_cpus_lie_within_the_accuracy_stated_for_a_rated_one() -> None:
    accuracy = nominal_power(processor()).accuracy
    inside = []
    for load, tdp_w, truth_w in measurements():
        model_w = load_power_w(load, tdp_w)
        inside.append(model_w * (1 - accuracy.below) <= truth_w <= model_w * (1 + accuracy.above))
    assert len(inside) >= 30
    assert statistics.mean(inside) >= 0.9


# What full power is taken from.


def wider(one: Accuracy, other: Accuracy) -> bool:
    return one.below > other.below and one.above > other.above


def test_a_known_processor_is_taken_at_its_rating_and_says_so() -> None:
    nominal = nominal_power(processor(tdp_w=100.0))
    assert nominal.power_w == 100.0
    assert "Some CPU" in nominal.reason
    assert "100 W" in nominal.reason


def test_an_unknown_processor_says_so_and_is_less_sure() -> None:
    nominal = nominal_power(processor(tdp_w=None))
    assert nominal.power_w > 0.0
    assert "unknown" in nominal.reason
    assert f"{nominal.power_w:g} W" in nominal.reason
    assert wider(nominal.accuracy, nominal_power(processor()).accuracy)


@pytest.mark.parametrize("tdp_w", [None, 280.0])
def test_a_virtual_machine_says_so_and_is_less_sure(tdp_w: float | None) -> None:
    nominal = nominal_power(processor(tdp_w, virtual=True))
    assert "virtual machine" in nominal.reason
    assert "8 of its host's threads" in nominal.reason
    assert nominal.accuracy == nominal_power(processor(tdp_w=None)).accuracy
    assert wider(nominal.accuracy, nominal_power(processor()).accuracy)


def test_a_virtual_machine_takes_its_share_of_the_host_and_no_more_than_is_rated() -> None:
    small, large = (nominal_power(processor(280.0, virtual=True, threads=n)) for n in (4, 16))
    assert large.power_w == pytest.approx(4 * small.power_w)
    assert large.power_w < 280.0
    whole = nominal_power(processor(65.0, virtual=True, threads=128))
    assert whole.power_w == 65.0


@pytest.mark.parametrize("virtual", [False, True])
def test_every_accuracy_names_its_source(virtual: bool) -> None:
    accuracy = nominal_power(processor(virtual=virtual)).accuracy
    assert accuracy.source
    assert 0.0 < accuracy.below < 1.0
    assert accuracy.above > 0.0


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
        nominal_w = nominal_power(this_processor()).power_w
        for channel in sampler.channels():
            window = sampler.trace.window(channel.key, start_s, end_s)
            assert window.coverage == pytest.approx(1.0)
            assert window.mean_w is not None
            idle_w, full_w = load_power_w(0.0, nominal_w), load_power_w(1.0, nominal_w)
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


@pytest.mark.parametrize("busy", [False, True])
def test_modelled_watts_are_those_of_the_load(busy: bool) -> None:
    nominal_w = nominal_power(this_processor()).power_w
    model = ModelledCpu()
    model.open()
    times_before, before = busy_and_total_s(), model.read()
    until_s = time.monotonic() + 0.4
    while time.monotonic() < until_s:
        if not busy:
            time.sleep(0.1)
    times_after, after = busy_and_total_s(), model.read()
    for index, threads in this_processor().packages.items():
        busy_s = sum(times_after[i][0] - times_before[i][0] for i in threads)
        total_s = sum(times_after[i][1] - times_before[i][1] for i in threads)
        expected_w = load_power_w(busy_s / total_s, nominal_w)
        elapsed_s = after[index].time_s - before[index].time_s
        mean_w = (after[index].counter_j - before[index].counter_j) / elapsed_s
        # The kernel's accounts are in ticks of 10 ms, and the two were not looked at together.
        assert mean_w == pytest.approx(expected_w, abs=0.08 * nominal_w)
