"""The model of a processor's watts: its shape, and what it takes a processor for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Accuracy
from monitor.power.cpu import Processor
from monitor.power.cpu_model import Activity, activity, nominal_power, package_w

loads = st.floats(0.0, 1.0)
clocks = st.floats(0.4, 6.0)


def processor(
    tdp_w: float | None = 100.0,
    virtual: bool = False,
    threads: int = 8,
    clock_ghz: float | None = 4.0,
    clock_is_live: bool = True,
) -> Processor:
    return Processor(
        name="Some CPU",
        packages={0: tuple(range(threads))},
        physical_cores=threads // 2,
        tdp_w=tdp_w,
        clock_ghz=clock_ghz,
        clock_is_live=clock_is_live,
        virtual=virtual,
    )


# The shape.


def watts(busy_threads: float, threads: int = 16, clock_ghz: float = 3.0) -> float:
    """Watts of a package rated 100 W with half as many cores as threads, some of them busy."""
    whole = int(busy_threads)
    loads = [1.0] * whole + [busy_threads - whole] * (whole < threads)
    return package_w(activity(loads, threads / 2, clock_ghz), 100.0)


@given(st.lists(loads, min_size=1, max_size=64), loads, clocks)
def test_one_more_busy_thread_is_never_fewer_watts(
    busy: list[float], another: float, clock_ghz: float
) -> None:
    cores = 16.0
    fewer = package_w(activity(busy, cores, clock_ghz), 100.0)
    assert package_w(activity([*busy, another], cores, clock_ghz), 100.0) >= fewer


@given(loads, loads, clocks, clocks)
def test_a_faster_clock_costs_more_and_only_where_there_is_work(
    busiest: float, cores: float, one: float, other: float
) -> None:
    slow, fast = sorted((one, other))
    slow_w = package_w(Activity(busiest, cores, slow), 100.0)
    assert package_w(Activity(busiest, cores, fast), 100.0) >= slow_w
    assert package_w(Activity(0.0, 0.0, fast), 100.0) == package_w(Activity(0.0, 0.0, slow), 100.0)


def test_the_first_busy_thread_wakes_the_package_and_costs_far_more_than_the_next() -> None:
    assert watts(1) - watts(0) > 5 * (watts(2) - watts(1))


def test_a_second_thread_on_each_core_adds_nothing_that_could_be_told() -> None:
    assert watts(16) == watts(8) > watts(7)


def test_full_load_takes_far_more_than_idle_and_about_what_is_rated_at_most() -> None:
    assert 0.0 < watts(0) < 20.0
    assert watts(16) > 3 * watts(0)
    assert watts(16, clock_ghz=5.0) < 110.0


def test_watts_grow_with_the_rating() -> None:
    doing = activity([1.0, 0.0], 1.0, 3.0)
    assert package_w(doing, 200.0) == pytest.approx(2 * package_w(doing, 100.0))


def test_a_package_whose_threads_are_not_known_is_idle() -> None:
    assert activity([], 4.0, 3.0) == Activity(0.0, 0.0, 3.0)


# What a processor is taken for.


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


def test_a_clock_that_is_not_followed_makes_the_model_less_sure() -> None:
    fixed = nominal_power(processor(clock_is_live=False))
    assert fixed.clock_ghz == 4.0
    assert wider(fixed.accuracy, nominal_power(processor()).accuracy)
    assert wider(nominal_power(processor(tdp_w=None)).accuracy, fixed.accuracy)


def test_a_clock_nobody_tells_is_taken_as_a_common_one() -> None:
    unknown = nominal_power(processor(clock_ghz=None, clock_is_live=False))
    assert 2.0 < unknown.clock_ghz < 4.0
