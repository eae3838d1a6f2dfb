"""The bill: what a query cost, part by part, and how sure that is."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.energy.account import DECODE, LOAD, PREFILL, Bill, Phase, account
from monitor.power.channel import Accuracy, Channel, Kind, Reading, Role
from monitor.power.trace import Trace
from tests.unit.conftest import MakeChannel

PHASES = (Phase(LOAD, 0.0, 2.0), Phase(PREFILL, 2.0, 4.0), Phase(DECODE, 4.0, 9.0))


def feed(
    trace: Trace,
    channel: Channel,
    power_w: float,
    span_s: tuple[float, float] = (0.0, 10.0),
    every_s: float = 0.1,
) -> None:
    """Record constant watts over a span, as the channel's kind would show them."""
    trace.add(channel)
    count = round((span_s[1] - span_s[0]) / every_s)
    for index in range(count + 1):
        time_s = span_s[0] + index * every_s
        if channel.kind is Kind.POWER:
            trace.record([Reading(channel.key, time_s, power_w=power_w)])
        else:
            trace.record([Reading(channel.key, time_s, counter_j=power_w * time_s)])


def billed(
    *fed: tuple[Channel, float], phases: Sequence[Phase] = PHASES, every_s: float = 0.1
) -> Bill:
    trace = Trace()
    for channel, power_w in fed:
        feed(trace, channel, power_w, every_s=every_s)
    return account(trace, [channel for channel, _ in fed], phases)


def test_each_channel_and_phase_has_a_line(make_channel: MakeChannel) -> None:
    bill = billed((make_channel("a"), 10.0), (make_channel("b", kind=Kind.POWER), 20.0))
    seen = {(line.channel.key, line.phase): line.joules for line in bill.lines}
    assert seen == pytest.approx(
        {
            ("a", LOAD): 20.0,
            ("a", PREFILL): 20.0,
            ("a", DECODE): 50.0,
            ("b", LOAD): 40.0,
            ("b", PREFILL): 40.0,
            ("b", DECODE): 100.0,
        }
    )
    for line in bill.lines:
        expected_w = 10.0 if line.channel.key == "a" else 20.0
        assert line.mean_w == pytest.approx(expected_w)
        assert line.peak_w == pytest.approx(expected_w)
        assert line.coverage == pytest.approx(1.0)


def test_load_is_billed_beside_the_total_never_inside(make_channel: MakeChannel) -> None:
    bill = billed((make_channel(), 10.0))
    assert bill.phases() == (PREFILL, DECODE)
    assert bill.total().joules == pytest.approx(70.0)
    assert bill.total(LOAD).joules == pytest.approx(20.0)
    (joined,) = bill.by_channel()
    assert joined.joules == pytest.approx(70.0)
    assert joined.duration_s == pytest.approx(7.0)


@pytest.mark.parametrize("role", [Role.INSIDE, Role.WHOLE])
def test_what_is_inside_or_the_whole_is_shown_but_never_added(
    make_channel: MakeChannel, role: Role
) -> None:
    bill = billed((make_channel("part"), 10.0), (make_channel("other", role=role), 500.0))
    assert bill.total().joules == pytest.approx(70.0)
    assert {line.channel.key for line in bill.lines} == {"part", "other"}
    assert {line.channel.key for line in bill.by_channel()} == {"part", "other"}


channels = st.tuples(
    st.sampled_from(Role),
    st.sampled_from(Kind),
    st.floats(0.0, 500.0),
    st.tuples(st.integers(0, 9), st.integers(1, 10)),
)
cuts = st.lists(st.floats(0.0, 10.0), min_size=2, max_size=4, unique=True)


@given(st.lists(channels, max_size=6), cuts)
def test_total_is_the_sum_of_the_parts(
    make_channel: MakeChannel,
    drawn: list[tuple[Role, Kind, float, tuple[int, int]]],
    moments_s: list[float],
) -> None:
    trace, listed = Trace(), []
    for index, (role, kind, power_w, (first_s, last_s)) in enumerate(drawn):
        channel = make_channel(f"channel-{index}", role=role, kind=kind)
        listed.append(channel)
        feed(trace, channel, power_w, (first_s, max(first_s, last_s)), 0.25)
    moments_s = sorted(moments_s)
    names = (PREFILL, DECODE, LOAD)
    phases = [
        Phase(name, *span_s) for name, span_s in zip(names, pairwise(moments_s), strict=False)
    ]
    bill = account(trace, listed, phases)

    def summed(*wanted: str) -> float | None:
        read = [
            line.joules
            for line in bill.lines
            if line.phase in wanted and line.channel.role is Role.PART and line.joules is not None
        ]
        return math.fsum(read) if read else None

    assert bill.total().joules == pytest.approx(summed(PREFILL, DECODE))
    for name in names:
        assert bill.total(name).joules == pytest.approx(summed(name))
    joined = [
        line.joules
        for line in bill.by_channel()
        if line.channel.role is Role.PART and line.joules is not None
    ]
    assert bill.total().joules == pytest.approx(math.fsum(joined) if joined else None)


@pytest.mark.parametrize(
    ("kinds", "weakest"),
    [
        ([Kind.COUNTER], Kind.COUNTER),
        ([Kind.COUNTER, Kind.POWER], Kind.POWER),
        ([Kind.MODELLED, Kind.COUNTER], Kind.MODELLED),
        ([Kind.POWER, Kind.MODELLED, Kind.COUNTER], Kind.MODELLED),
        ([], None),
    ],
)
def test_total_is_as_weak_as_its_weakest_part(
    make_channel: MakeChannel, kinds: list[Kind], weakest: Kind | None
) -> None:
    bill = billed(*((make_channel(f"{kind}", kind=kind, device=kind), 10.0) for kind in kinds))
    assert bill.total().kind is weakest


def test_kind_of_what_is_not_added_does_not_weaken_the_total(make_channel: MakeChannel) -> None:
    plug = make_channel("plug", kind=Kind.POWER, role=Role.WHOLE)
    assert billed((make_channel(), 10.0), (plug, 90.0)).total().kind is Kind.COUNTER


@pytest.mark.parametrize(
    ("refreshes", "resolved"), [(1.0, False), (9.5, False), (10.5, True), (40.0, True)]
)
@pytest.mark.parametrize(
    ("kind", "period_s", "every_s", "refresh_s"),
    [
        (Kind.COUNTER, 0.05, 0.1, 0.05),
        (Kind.COUNTER, 0.5, 0.1, 0.5),
        (Kind.MODELLED, 0.05, 0.1, 0.1),
        (Kind.POWER, 0.02, 0.02, 0.02),
        (Kind.POWER, 0.001, 0.1, 0.1),
    ],
)
def test_a_phase_shorter_than_ten_refreshes_is_unresolved(
    make_channel: MakeChannel,
    kind: Kind,
    period_s: float,
    every_s: float,
    refresh_s: float,
    refreshes: float,
    resolved: bool,
) -> None:
    """A counter is read where a phase begins and ends; watts only as often as they are sampled."""
    channel = make_channel(kind=kind, period_s=period_s)
    trace = Trace()
    feed(trace, channel, 50.0, (0.0, 1.2 + 40.0 * refresh_s), every_s)
    bill = account(trace, [channel], [Phase(DECODE, 1.0, 1.0 + refreshes * refresh_s)])
    assert [line.resolved for line in bill.lines] == [resolved]
    assert bill.total().resolved is resolved


def test_short_phases_are_resolved_together_if_their_sum_is_long_enough(
    make_channel: MakeChannel,
) -> None:
    phases = (Phase(PREFILL, 2.0, 2.8), Phase(DECODE, 2.8, 3.6))
    bill = billed((make_channel(period_s=0.1), 50.0), phases=phases)
    assert [line.resolved for line in bill.lines] == [False, False]
    assert not bill.total(PREFILL).resolved
    assert bill.total().resolved


def test_one_slow_part_leaves_the_total_unresolved(make_channel: MakeChannel) -> None:
    slow = make_channel("slow", period_s=1.0)
    bill = billed((make_channel(), 50.0), (slow, 10.0), phases=[Phase(DECODE, 1.0, 5.0)])
    assert {line.channel.key: line.resolved for line in bill.lines} == {
        "test:one": True,
        "slow": False,
    }
    assert not bill.total().resolved


def test_a_part_that_was_not_read_leaves_the_others_and_the_coverage_says_so(
    make_channel: MakeChannel,
) -> None:
    silent, working = make_channel("silent"), make_channel("working")
    trace = Trace()
    trace.add(silent)
    feed(trace, working, 10.0)
    bill = account(trace, [silent, working], PHASES)
    assert bill.total().joules == pytest.approx(70.0)
    assert bill.total().coverage == 0.0
    assert not bill.total().resolved
    for line in bill.lines:
        if line.channel is silent:
            assert (line.joules, line.energy, line.mean_w, line.peak_w) == (None,) * 4
            assert (line.coverage, line.resolved) == (0.0, False)


@pytest.mark.parametrize("listed", [True, False])
def test_a_bill_without_any_reading_has_no_total_rather_than_zero(
    make_channel: MakeChannel, listed: bool
) -> None:
    bill = account(Trace(), [make_channel()] if listed else [], PHASES)
    total = bill.total()
    assert (total.joules, total.energy, total.kind) == (None, None, None)
    assert (total.coverage, total.resolved) == (0.0, False)


def test_a_phase_of_no_length_is_left_out(make_channel: MakeChannel) -> None:
    phases = (Phase(PREFILL, 2.0, 2.0), Phase(DECODE, 2.0, 4.0))
    assert [line.phase for line in billed((make_channel(), 1.0), phases=phases).lines] == [DECODE]


def test_sensor_accuracy_sets_the_systematic_part(make_channel: MakeChannel) -> None:
    accuracy = Accuracy(below=0.1, above=0.2, offset_w=3.0, source="a test")
    bill = billed((make_channel(accuracy=accuracy), 50.0), phases=[Phase(DECODE, 2.0, 6.0)])
    energy = bill.total().energy
    assert energy is not None
    assert energy.joules == pytest.approx(200.0)
    assert energy.below_j == pytest.approx(0.1 * 200.0 + 3.0 * 4.0)
    assert energy.above_j == pytest.approx(0.2 * 200.0 + 3.0 * 4.0)


def test_totals_add_systematic_doubt_linearly_and_random_doubt_in_quadrature(
    make_channel: MakeChannel,
) -> None:
    accuracy = Accuracy(below=0.1, above=0.1, offset_w=0.0, source="a test")
    bill = billed(
        *((make_channel(key, accuracy=accuracy, step_j=1.0), 50.0) for key in ("a", "b")),
        phases=[Phase(DECODE, 2.0, 6.0)],
    )
    lines = [line.energy for line in bill.lines if line.energy is not None]
    energy = bill.total().energy
    assert energy is not None
    assert energy.below_j == pytest.approx(40.0)
    assert lines[0].random_j > 0.0
    assert energy.random_j == pytest.approx(math.sqrt(2) * lines[0].random_j)


def test_a_coarser_counter_is_less_sure(make_channel: MakeChannel) -> None:
    fine, coarse = (
        billed((make_channel(step_j=step_j), 50.0)).total().energy for step_j in (0.001, 20.0)
    )
    assert fine is not None
    assert coarse is not None
    # Both ends of a window fall anywhere in a step: its length over the root of 12, each.
    assert coarse.random_j > 20.0 / math.sqrt(12) > fine.random_j


def test_low_end_is_never_negative(make_channel: MakeChannel) -> None:
    accuracy = Accuracy(below=1.0, above=1.0, offset_w=100.0, source="a test")
    energy = billed((make_channel(accuracy=accuracy), 1.0)).total().energy
    assert energy is not None
    assert energy.below_j > energy.joules
    assert energy.low_j == 0.0


@pytest.mark.parametrize("kind", Kind)
def test_time_that_was_not_read_raises_the_upper_end_only(
    make_channel: MakeChannel, kind: Kind
) -> None:
    channel = make_channel(kind=kind)
    trace = Trace()
    feed(trace, channel, 50.0, (0.0, 4.0))
    bill = account(trace, [channel], [Phase(DECODE, 2.0, 6.0)])
    (line,) = bill.lines
    assert line.coverage == pytest.approx(0.5)
    assert line.energy is not None
    assert line.energy.joules == pytest.approx(100.0)
    assert line.energy.above_j == pytest.approx(100.0)
    assert line.energy.below_j == pytest.approx(0.0, abs=1e-9)
    assert line.mean_w == pytest.approx(50.0)
    assert bill.total().coverage == pytest.approx(0.5)


def test_joined_phases_keep_the_mean_of_what_was_read_and_the_highest_peak(
    make_channel: MakeChannel,
) -> None:
    channel = make_channel(kind=Kind.POWER)
    trace = Trace()
    trace.add(channel)
    for index in range(81):
        power_w = 100.0 if index < 40 else 200.0
        trace.record([Reading(channel.key, index * 0.1, power_w=power_w)])
    phases = (Phase(PREFILL, 2.0, 3.0), Phase(DECODE, 5.0, 10.0))
    (joined,) = account(trace, [channel], phases).by_channel()
    assert joined.joules == pytest.approx(100.0 + 600.0)
    assert joined.mean_w == pytest.approx(700.0 / 4.0)
    assert joined.peak_w == pytest.approx(200.0)
    assert joined.coverage == pytest.approx(4.0 / 6.0)
    assert joined.duration_s == pytest.approx(6.0)


def test_what_slow_watts_have_still_to_show_at_the_end_is_systematic(
    make_channel: MakeChannel,
) -> None:
    """From 20 to 120 W with a refresh each half second: a quarter of one is late, each time."""
    channel = make_channel(kind=Kind.POWER, period_s=0.5)
    trace = Trace()
    trace.add(channel)
    joules = 0.0
    for index in range(100):
        power_w = 20.0 if index < 40 else 120.0
        joules += 0.1 * (20.0 if index <= 40 else 120.0)
        reading = Reading(channel.key, index * 0.1, joules, power_w)
        trace.record([reading])
    (rising,) = account(trace, [channel], [Phase(DECODE, 3.5, 8.0)]).lines
    (steady,) = account(trace, [channel], [Phase(DECODE, 5.5, 8.0)]).lines
    assert rising.energy
    assert rising.energy.above_j == pytest.approx(25.0)
    assert rising.energy.below_j == 0.0
    assert steady.energy
    assert steady.energy.above_j == pytest.approx(0.0, abs=1e-6)
    twice = account(trace, [channel], [Phase(PREFILL, 3.5, 8.0), Phase(DECODE, 3.5, 8.0)])
    total = twice.total().energy
    assert total
    assert total.above_j == pytest.approx(50.0)


def test_a_burst_between_two_readings_makes_watts_less_sure_than_a_step(
    make_channel: MakeChannel,
) -> None:
    channel = make_channel(kind=Kind.POWER)

    def random_j(*raised: int) -> float:
        trace = Trace()
        trace.add(channel)
        for index in range(60):
            power_w = 150.0 if index in raised else 50.0
            trace.record([Reading(channel.key, index * 0.1, power_w=power_w)])
        (line,) = account(trace, [channel], [Phase(DECODE, 1.0, 5.0)]).lines
        assert line.energy
        return line.energy.random_j

    step, burst = random_j(*range(30, 60)), random_j(30)
    assert 0.0 < step < burst
    assert random_j(20, 30, 40) > burst
    assert random_j() < 0.01


def test_watts_that_are_noisy_at_rest_are_doubted_by_as_much_as_noise_adds(
    make_channel: MakeChannel,
) -> None:
    """Two watts from one refresh of 0.1 s to the next, each by another chance, for 5 s."""
    chance = random.Random(5)
    apart_j = []
    for _ in range(300):
        told_w = [50 + chance.gauss(0, 2) for _ in range(50)]
        apart_j.append(0.1 * math.fsum(told_w) - 5 * 50)
    channel = replace(make_channel(kind=Kind.POWER, period_s=0.1), noise_w=2.0)
    (line,) = billed((channel, 50.0), phases=[Phase(DECODE, 2.0, 7.0)]).lines
    assert line.energy
    assert line.energy.random_j == pytest.approx(2.0 * math.sqrt(0.1 * 5.0))
    assert line.energy.random_j == pytest.approx(pstdev(apart_j), rel=0.1)
