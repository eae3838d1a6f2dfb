"""What holds of every bill, whatever tree of zones a machine has and whatever its counters do."""

import math
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.energy.account import Bill, Phase, account
from monitor.power.channel import Channel, Domain, Kind, Reading, Role, counted
from monitor.power.curve import Gap
from monitor.power.trace import Trace
from tests.unit.conftest import EXACT

HEAVIEST_W = 400.0


class Event(Enum):
    """What may happen to a channel in place of a reading as it should be."""

    MISSED = auto()
    SILENT = auto()
    RESET = auto()
    REOPENED = auto()
    ASLEEP = auto()
    NOT_A_NUMBER = auto()
    NEGATIVE = auto()


@dataclass
class Zone:
    """A channel, and what it has truly drawn."""

    channel: Channel
    start_j: float
    drawn_j: float = 0.0
    since_reset_j: float = 0.0
    first_j: float | None = None
    """What it had drawn at its first reading."""

    def draw(self, joules: float) -> None:
        self.drawn_j += joules
        self.since_reset_j += joules

    def reading(self, time_s: float, power_w: float) -> Reading:
        if self.channel.kind is Kind.POWER:
            return Reading(self.channel.key, time_s, power_w=power_w)
        counter_j = self.start_j + self.since_reset_j
        if self.channel.range_j:
            counter_j %= self.channel.range_j
        return Reading(self.channel.key, time_s, counter_j=counter_j)


def channel(
    key: str, role: Role, domain: Domain, device: str, kind: Kind, range_j: float | None
) -> Channel:
    period_s = 0.1 if kind is Kind.POWER else 0.001
    return Channel(key, key, domain, device, kind, role, period_s, 0.0, EXACT, range_j)


@st.composite
def trees(draw: st.DrawFn) -> list[Zone]:
    """Sockets with what lies in and beside them, GPUs, the whole machine, and a model of it all."""
    ranges_j = st.sampled_from([None, 300.0, 1_000.0, 65_712.999613])
    found: list[Channel] = []
    for socket in range(draw(st.integers(1, 3))):
        package = f"package-{socket}"
        found.append(
            channel(f"model:{package}", Role.PART, Domain.CPU, package, Kind.MODELLED, None)
        )
        if draw(st.booleans()):
            key = f"rapl:{package}"
            range_j = draw(ranges_j)
            found.append(channel(key, Role.PART, Domain.CPU, package, Kind.COUNTER, range_j))
            for name in draw(st.sets(st.sampled_from(["core", "uncore", "dram"]))):
                role = Role.PART if name == "dram" else Role.INSIDE
                domain = Domain.DRAM if name == "dram" else Domain.CPU
                inner = channel(
                    f"{key}:{name}", role, domain, package, Kind.COUNTER, draw(ranges_j)
                )
                found.append(inner)
    for index in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from([Kind.COUNTER, Kind.POWER]))
        found.append(channel(f"nvml:{index}", Role.PART, Domain.GPU, f"GPU-{index}", kind, None))
    if draw(st.booleans()):
        found.append(channel("plug", Role.WHOLE, Domain.SYSTEM, "plug", Kind.POWER, None))
    starts_j = st.floats(0.0, 1.0)
    return [Zone(c, draw(starts_j) * (c.range_j or 1e6)) for c in found]


steps = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.1, 0.1, 0.35, 1.0, 4.0]),
        st.dictionaries(st.integers(0, 11), st.sampled_from(Event), max_size=3),
    ),
    min_size=2,
    max_size=14,
)


def happen(trace: Trace, zone: Zone, event: Event, time_s: float) -> None:
    """Let something go wrong with a channel."""
    key, is_power = zone.channel.key, zone.channel.kind is Kind.POWER
    match event:
        case Event.MISSED:
            trace.miss([key])
        case Event.SILENT:
            trace.record([Reading(key, time_s)])
        case Event.RESET:
            zone.start_j = zone.since_reset_j = 0.0
        case Event.REOPENED:
            # Not from zero: who opens it finds it somewhere.
            trace.add(zone.channel)
            zone.start_j += 50.0
        case Event.ASLEEP:
            trace.miss([key], Gap.ASLEEP)
        case Event.NOT_A_NUMBER | Event.NEGATIVE:
            value = math.nan if event is Event.NOT_A_NUMBER else -1.0
            watts, joules = (value, None) if is_power else (None, value)
            trace.record([Reading(key, time_s, counter_j=joules, power_w=watts)])


NO_READING = {Event.MISSED, Event.SILENT, Event.NOT_A_NUMBER, Event.NEGATIVE}


def run(
    zones: list[Zone], course: list[tuple[float, dict[int, Event]]], random: Random
) -> tuple[Trace, float]:
    """Live through a course of events; return what was recorded, and when it ended."""
    trace, time_s = Trace(256), 0.0
    for zone in zones:
        trace.add(zone.channel)
    for dt_s, events in course:
        time_s += dt_s
        for index, zone in enumerate(zones):
            power_w = random.uniform(0.0, HEAVIEST_W)
            zone.draw(power_w * dt_s)
            event = events.get(index)
            if event:
                happen(trace, zone, event, time_s)
            if event not in NO_READING:
                trace.record([zone.reading(time_s, power_w)])
                zone.first_j = zone.drawn_j if zone.first_j is None else zone.first_j
    return trace, time_s


def billed(trace: Trace, zones: list[Zone], *times_s: float) -> Bill:
    channels = counted(tuple(zone.channel for zone in zones))
    phases = [Phase(str(n), *span) for n, span in enumerate(pairwise(times_s))]
    return account(trace, channels, phases)


@settings(max_examples=40)
@given(trees(), steps, st.randoms(use_true_random=False))
def test_no_figure_is_negative_or_no_number_and_the_total_is_the_sum_of_the_parts(
    zones: list[Zone], course: list[tuple[float, dict[int, Event]]], random: Random
) -> None:
    trace, end_s = run(zones, course, random)
    bill = billed(trace, zones, 0.0, end_s / 3, end_s)
    for line in bill.lines:
        assert 0 <= line.coverage <= 1
        for figure in (line.joules, line.mean_w, line.peak_w):
            assert figure is None or 0 <= figure < math.inf
        if line.energy:
            assert 0 <= line.energy.low_j <= line.energy.joules <= line.energy.high_j < math.inf
    parts = [line.joules for line in bill.lines if line.channel.role is Role.PART]
    read = [joules for joules in parts if joules is not None]
    total = bill.total()
    assert (total.joules is None) == (not read)
    if total.energy:
        assert total.joules == pytest.approx(sum(read))
        assert 0 <= total.energy.low_j <= total.energy.joules <= total.energy.high_j < math.inf
    # Each package and each GPU once at any time: measured where it is, else modelled.
    billed_s: dict[tuple[str, str], float] = {}
    for line in bill.lines:
        if line.channel.role is Role.PART and line.phase == "0":
            device = (line.channel.domain, line.channel.device)
            billed_s[device] = billed_s.get(device, 0.0) + line.duration_s
    assert billed_s == dict.fromkeys(billed_s, pytest.approx(end_s / 3))


@settings(max_examples=40)
@given(trees(), steps, st.randoms(use_true_random=False), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_adjacent_windows_add_up_to_their_union(
    zones: list[Zone],
    course: list[tuple[float, dict[int, Event]]],
    random: Random,
    first: float,
    second: float,
) -> None:
    trace, end_s = run(zones, course, random)
    low, high = sorted((first, second))
    cuts_s = [0.0, low * end_s, high * end_s, end_s]
    pieces, whole = billed(trace, zones, *cuts_s), billed(trace, zones, 0.0, end_s)
    for zone in zones:
        key = zone.channel.key
        of_pieces = [line.joules or 0.0 for line in pieces.lines if line.channel.key == key]
        (of_whole, *_) = [
            line.joules or 0.0 for line in whole.lines if line.channel.key == key
        ] or [0.0]
        assert sum(of_pieces) == pytest.approx(of_whole, abs=1e-6)
    assert (pieces.total().joules or 0.0) == pytest.approx(whole.total().joules or 0.0, abs=1e-6)


@settings(max_examples=40)
@given(
    trees(),
    st.lists(st.sampled_from([0.05, 0.1, 0.2]), min_size=2, max_size=20),
    st.randoms(use_true_random=False),
)
def test_wraps_alone_lose_and_make_no_joule(
    zones: list[Zone], spacings_s: list[float], random: Random
) -> None:
    counters = [zone for zone in zones if zone.channel.kind is not Kind.POWER]
    trace, end_s = run(counters, [(dt_s, {}) for dt_s in spacings_s], random)
    for line in billed(trace, counters, 0.0, end_s).lines:
        (zone,) = [zone for zone in counters if zone.channel.key == line.channel.key]
        assert zone.first_j is not None
        # When within a refresh it was drawn is not known, at either end.
        refresh_j = zone.channel.period_s * HEAVIEST_W
        assert line.joules == pytest.approx(zone.drawn_j - zone.first_j, abs=refresh_j)


@settings(max_examples=40)
@given(trees(), steps, st.randoms(use_true_random=False))
def test_no_counter_is_billed_more_than_was_drawn_and_a_refresh(
    zones: list[Zone], course: list[tuple[float, dict[int, Event]]], random: Random
) -> None:
    # A counter that starts again close below its range cannot be told from one that wraps.
    counters = [z for z in zones if z.channel.kind is not Kind.POWER and not z.channel.range_j]
    trace, end_s = run(counters, course, random)
    for line in billed(trace, counters, 0.0, end_s).lines:
        (zone,) = [zone for zone in counters if zone.channel.key == line.channel.key]
        refresh_j = zone.channel.period_s * HEAVIEST_W
        assert (line.joules or 0.0) <= zone.drawn_j * (1 + 1e-9) + refresh_j
