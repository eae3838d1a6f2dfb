"""Counters that are not what they seem: dead ones, and dies that show one counter twice."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.account import DECODE, Phase, account
from monitor.power import selftest
from monitor.power.channel import Kind, OpenAnew, ProbeState, counted
from monitor.power.rapl import look
from monitor.power.rapl.counter import DEAD_S, PERIOD_S
from monitor.power.rapl.look import ALIKE_S, ROUND_S, SAME_COUNT_S, Pair, Verdict
from monitor.power.sampler import Sampler
from monitor.power.sources import rapl as rapl_source
from monitor.power.sources.rapl import Rapl
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone, build_tree
from tests.unit.conftest import Eventually, MakeChannel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

STEADY = PowerCurve.constant(40.0)
COUNTED_UJ = 9_000_000_000
RANGE_J = 262_143.32885


def die(number: int, curve: PowerCurve = STEADY, start_uj: int = COUNTED_UJ) -> RaplZone:
    return RaplZone(f"intel-rapl:{number}", f"package-{number}", curve, start_uj=start_uj)


@pytest.fixture(name="running")
def _running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeSysfs]:
    def run(*zones: RaplZone) -> FakeSysfs:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
        return FakeSysfs(tmp_path / "sys", zones)

    return run


def keys(rapl: Rapl) -> list[str]:
    return [channel.key for channel in rapl.open()]


# Mirrors, on counters that run.


def test_dies_that_show_one_counter_are_counted_once_from_the_first_joule(
    running: Callable[..., FakeSysfs],
) -> None:
    core = RaplZone("intel-rapl:1:0", "core", PowerCurve.constant(20.0), start_uj=1)
    zones = [die(0), die(1), core, die(2), die(3, PowerCurve.constant(65.0), start_uj=1_000_000)]
    with running(*zones) as sysfs, Sampler(hz=20, sources=[Rapl()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert [channel.key for channel in sampler.channels()] == [
            "rapl:package-0",
            "rapl:package-3",
        ]
        reason = sampler.probes()[0].reason
        assert "CPU 1 shows the same counter as CPU 0 and is counted once" in reason
        assert "CPU 2 shows the same counter as CPU 0" in reason
        start_s = sampler.trace.latest("rapl:package-0")[0]
        assert sampler.wait_until(start_s + 0.4, timeout_s=5.0)
        end_s = sampler.trace.latest("rapl:package-0")[0]
        bill = account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])
        truth_j = sysfs.energy_j(zones[0], start_s, end_s) + sysfs.energy_j(
            zones[4], start_s, end_s
        )
        assert bill.total().joules == pytest.approx(truth_j, rel=0.1)


@pytest.mark.parametrize("power_w", [40.8, 39.0, 120.0, 3.0])
def test_packages_that_draw_nearly_the_same_are_two(
    running: Callable[..., FakeSysfs], power_w: float
) -> None:
    with running(die(0), die(1, PowerCurve.constant(power_w), start_uj=77_000_000)):
        rapl = Rapl()
        assert rapl.probe().reason == "Energy counters are readable."
        assert keys(rapl) == ["rapl:package-0", "rapl:package-1"]


def test_packages_with_memory_are_two_however_alike_they_work(
    running: Callable[..., FakeSysfs],
) -> None:
    # Intel's; AMD's, which may be mirrors, have no counter for memory.
    drams = [RaplZone(f"intel-rapl:{i}:0", "dram", STEADY, start_uj=COUNTED_UJ) for i in (0, 1)]
    with running(die(0), die(1), *drams):
        assert keys(Rapl()) == [
            "rapl:package-0",
            "rapl:package-0:dram",
            "rapl:package-1",
            "rapl:package-1:dram",
        ]


def test_two_equal_counters_that_stand_still_are_not_called_one() -> None:
    verdict, _ = compared(lambda _: 9_000.0, lambda _: 9_000.0)
    assert verdict is Verdict.UNKNOWN


def test_what_seemed_one_and_drifts_apart_is_counted_twice_after_a_new_look(
    running: Callable[..., FakeSysfs], eventually: Eventually
) -> None:
    # Alike for a second after the counters begin, then a third more.
    with running(die(0), die(1, PowerCurve(((0.0, 40.0), (1.0, 60.0))))):
        rapl = Rapl()
        assert keys(rapl) == ["rapl:package-0"]
        assert len(rapl.read()) == 1

        def fails() -> bool:
            try:
                rapl.read()
            except OSError as error:
                return "otherwise" in str(error)
            return False

        eventually(fails)
        with pytest.raises(OSError, match="otherwise"):
            rapl.read()
        assert rapl.probe().reason == "Energy counters are readable."
        assert keys(rapl) == ["rapl:package-0", "rapl:package-1"]
        assert len(rapl.read()) == 2


def test_what_is_found_to_be_one_while_it_is_read_is_named_and_withdrawn(
    running: Callable[..., FakeSysfs], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    core = RaplZone("intel-rapl:1:0", "core", PowerCurve.constant(20.0), start_uj=1)
    with running(die(0), die(1), core), monkeypatch.context() as hasty:
        # The look ends before anything is known, as it does where counters are published slowly.
        hasty.setattr(look, "LONGEST_S", 0.02)
        hasty.setattr(look, "STUCK_S", 0.02)
        rapl = Rapl()
        assert keys(rapl) == ["rapl:package-0", "rapl:package-1", "rapl:package-1:core"]
        withdrawn: set[str] = set()

        def finds() -> bool:
            time.sleep(0.01)
            try:
                rapl.read()
            except OpenAnew as change:
                withdrawn.update(change.withdrawn)
            return bool(withdrawn)

        eventually(finds)
    assert withdrawn == {"rapl:package-1", "rapl:package-1:core"}


# The comparison alone, on counters that are computed.


def compared(
    first: Callable[[float], float],
    second: Callable[[float], float],
    range_j: float | None = None,
    held_up_s: tuple[float, ...] = (0.0001,),
    seconds: float = ALIKE_S + 0.3,
) -> tuple[Verdict, float]:
    """Compare two counters until it is known what they are; returns when as well."""
    pair = Pair(0, 1, range_j)
    for i in range(int(seconds / ROUND_S)):
        time_s, held_s = i * ROUND_S, held_up_s[i % len(held_up_s)]
        pair.compare(time_s, first(time_s), second(time_s + held_s / 2), first(time_s + held_s))
        if pair.verdict is not Verdict.UNKNOWN:
            return pair.verdict, time_s
    return pair.verdict, seconds


def counter(
    power_w: float, start_j: float = 9_000.0, range_j: float = math.inf, late_s: float = 0.0
) -> Callable[[float], float]:
    """Return a counter that is refreshed each millisecond, as a function of time."""

    def read(time_s: float) -> float:
        refreshed_s = math.floor((time_s - late_s) * 1000 + 1e-6) / 1000
        return (start_j + power_w * refreshed_s) % range_j

    return read


def test_one_counter_is_found_sooner_where_both_show_the_same_number() -> None:
    verdict, seconds = compared(counter(40.0), counter(40.0))
    assert (verdict, seconds) == (Verdict.ONE, pytest.approx(SAME_COUNT_S, abs=2 * ROUND_S))
    verdict, seconds = compared(counter(40.0), counter(40.0, start_j=3.0))
    assert (verdict, seconds) == (Verdict.ONE, pytest.approx(ALIKE_S, abs=2 * ROUND_S))


def test_counts_that_have_just_begun_prove_nothing_by_being_small() -> None:
    verdict, seconds = compared(counter(40.0, 0.0), counter(40.0, 0.0))
    assert (verdict, seconds) == (Verdict.ONE, pytest.approx(ALIKE_S, abs=2 * ROUND_S))


@given(
    power_w=st.floats(2.0, 400.0),
    start_j=st.floats(0.0, RANGE_J, exclude_max=True),
    offset_j=st.sampled_from([0.0, 1.0, 777.0, 131_000.0]),
    late_s=st.sampled_from([0.0, 0.0004]),
    held_up_s=st.lists(st.sampled_from([0.0001, 0.001, 0.02, 0.3]), min_size=1, max_size=5),
)
def test_a_mirror_is_never_taken_for_two(
    power_w: float, start_j: float, offset_j: float, late_s: float, held_up_s: list[float]
) -> None:
    verdict, _ = compared(
        counter(power_w, start_j, RANGE_J),
        counter(power_w, start_j + offset_j, RANGE_J, late_s),
        RANGE_J,
        tuple(held_up_s),
    )
    assert verdict is Verdict.ONE


@given(
    power_w=st.floats(2.0, 400.0),
    share=st.sampled_from([-0.5, -0.05, -0.01, 0.01, 0.03, 0.2]),
    start_j=st.floats(0.0, RANGE_J, exclude_max=True),
    offset_j=st.floats(5.0, 131_000.0),
)
def test_packages_a_per_cent_apart_are_never_taken_for_one(
    power_w: float, share: float, start_j: float, offset_j: float
) -> None:
    verdict, _ = compared(
        counter(power_w, start_j, RANGE_J),
        counter(power_w * (1 + share), start_j + offset_j, RANGE_J),
        RANGE_J,
    )
    assert verdict is Verdict.TWO


def test_one_reading_that_was_held_up_proves_nothing() -> None:
    fresh, stale = counter(40.0, 50.0), counter(40.0, 50.0, late_s=0.05)

    def second(time_s: float) -> float:
        return (stale if round(time_s / ROUND_S) % 10 in (1, 5) else fresh)(time_s)

    verdict, _ = compared(counter(40.0), second)
    assert verdict is Verdict.ONE


def test_two_are_never_called_one_later() -> None:
    pair = Pair(0, 1, None)
    first, second = counter(40.0), counter(60.0, start_j=50.0)
    for i in range(40):
        pair.compare(i * ROUND_S, first(i * ROUND_S), second(i * ROUND_S), first(i * ROUND_S))
    assert pair.verdict is Verdict.TWO
    for i in range(40, 300):
        at_j = first(i * ROUND_S)
        pair.compare(i * ROUND_S, at_j, at_j, at_j)
    assert pair.verdict is Verdict.TWO


# Dead counters.


def test_a_counter_that_stays_at_zero_is_left_out(running: Callable[..., FakeSysfs]) -> None:
    psys = RaplZone("intel-rapl:1", "psys", PowerCurve.constant(0.0))
    uncore = RaplZone("intel-rapl:0:0", "uncore", PowerCurve.constant(0.0))
    with running(die(0), psys, uncore):
        rapl = Rapl()
        assert "because it stands still: Platform (psys)" in rapl.probe().reason
        # A graphics unit with nothing to do rightly counts nothing.
        assert keys(rapl) == ["rapl:package-0", "rapl:package-0:uncore"]


def test_a_counter_that_has_just_begun_is_no_dead_one(running: Callable[..., FakeSysfs]) -> None:
    with running(die(0, start_uj=0)):
        assert keys(Rapl()) == ["rapl:package-0"]


@pytest.mark.parametrize("start_uj", [0, COUNTED_UJ])
def test_a_package_that_stands_still_gives_way_to_its_model(
    running: Callable[..., FakeSysfs], make_channel: MakeChannel, start_uj: int
) -> None:
    stuck = die(0, PowerCurve.constant(0.0), start_uj)
    with running(stuck, die(1, start_uj=77_000_000)):
        rapl = Rapl()
        assert "because it stands still: CPU 0" in rapl.probe().reason
        models = [
            make_channel(f"model:{n}", kind=Kind.MODELLED, device=f"package-{n}") for n in (0, 1)
        ]
        in_use = counted((*rapl.open(), *models))
        assert [channel.key for channel in in_use] == ["rapl:package-1", "model:0"]


def test_memory_at_rest_is_no_dead_counter(running: Callable[..., FakeSysfs]) -> None:
    memory = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(0.01), start_uj=COUNTED_UJ)
    with running(die(0), memory):
        assert keys(Rapl()) == ["rapl:package-0", "rapl:package-0:dram"]


def test_a_counter_that_stops_later_is_a_gap_and_then_looked_at_anew(
    running: Callable[..., FakeSysfs], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(die(0), memory := RaplZone("intel-rapl:0:0", "dram", STEADY)) as sysfs:
        rapl = Rapl()
        assert len(keys(rapl)) == len(rapl.read()) == 2
        sysfs.freeze(memory)
        rapl.read()
        time.sleep(DEAD_S)
        # Not 0 W, counted.
        assert [reading.key for reading in rapl.read()] == ["rapl:package-0"]
        monkeypatch.setattr(rapl_source, "STOPPED_S", DEAD_S)
        with pytest.raises(OSError, match="DRAM 0 has stopped"):
            rapl.read()
        assert "because it stands still: DRAM 0" in rapl.probe().reason
        assert len(rapl.read()) == 1


def test_what_stands_still_inside_a_package_is_told(running: Callable[..., FakeSysfs]) -> None:
    # A graphics unit with nothing to do.
    uncore = RaplZone("intel-rapl:0:0", "uncore", PowerCurve.constant(0.0), start_uj=COUNTED_UJ)
    with running(die(0), uncore):
        rapl = Rapl()
        rapl.open()
        rapl.read()
        time.sleep(DEAD_S)
        assert len(rapl.read()) == 2


def test_a_machine_whose_counters_all_stand_still_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    monkeypatch.setattr(look, "SLOW_S", look.STUCK_S)
    inside = [
        RaplZone(f"intel-rapl:0:{n}", name, STEADY) for n, name in enumerate(("dram", "core"))
    ]
    build_tree(tmp_path, [die(0), *inside])
    rapl = Rapl()
    probe = rapl.probe()
    assert probe.state is ProbeState.ABSENT
    assert "stand still" in probe.reason
    assert probe.retry_s, "a host may begin to count for its guest"
    assert keys(rapl) == []


SLOW_S = 0.25


def test_a_counter_that_is_renewed_seldom_is_read_as_seldom_and_not_called_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    monkeypatch.setattr(look, "SLOW_S", 3 * SLOW_S)
    stuck = RaplZone("intel-rapl:1", "psys", PowerCurve.constant(0.0), start_uj=COUNTED_UJ)
    with FakeSysfs(tmp_path / "sys", [die(0), stuck], update_s=SLOW_S):
        # A renewal is late now and then where the machine is busy: it is looked again then.
        for _ in range(10):
            rapl = Rapl()
            reason = rapl.probe().reason
            (channel,) = rapl.open()
            assert channel.key == "rapl:package-0"
            if SLOW_S < channel.period_s < SLOW_S + 0.06:
                break
            rapl.close()
        # What it does not exceed, and hardly more than it is.
        assert SLOW_S < channel.period_s < SLOW_S + 0.06
        assert "renewed once in 0.3 s only" in reason
        # Whatever was learned on another host, or before it was as slow.
        quick = selftest.Traits(
            channel.key, selftest.Verdict.FOUND, 0.001, 61e-6, None, None, 100, 60.0
        )
        assert selftest.refined(channel, quick).period_s == channel.period_s
        until_s, told = time.monotonic() + 2 * SLOW_S, []
        while time.monotonic() < until_s:
            told.append(bool(rapl.read()))
            time.sleep(0.01)
        # It is no older than a renewal, but for those that are late. By the documented period it
        # would be told just after each renewal only.
        assert mean(told) > 0.7
    rapl.close()


def test_one_that_is_renewed_as_documented_is_known_at_once(
    running: Callable[..., FakeSysfs], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a busy machine may take for it.
    monkeypatch.setattr(look, "STUCK_S", 20.0)
    with running(die(0)):
        began_s, rapl = time.monotonic(), Rapl()
        (channel,) = rapl.open()
        assert time.monotonic() - began_s < look.STUCK_S
        assert (channel.period_s, channel.least_period_s) == (PERIOD_S, 0.0)
