"""What was read is billed, whatever came and went: once, and by everything that bills."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.energy.account import DECODE, PREFILL, WATCH, Bill, Phase, account
from monitor.energy.ledger import Ledger
from monitor.energy.precision import join_bills
from monitor.energy.standing import OPENING_S, standing
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.power import reader
from monitor.power.channel import (
    Channel,
    Domain,
    Kind,
    OpenAnew,
    Probe,
    ProbeState,
    Reading,
    Role,
    counted,
)
from monitor.power.curve import Gap
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from monitor.recorded import Recording, State, recorded_of
from monitor.recorder import Recorder, keep, lately
from monitor.recording import pack_curve
from monitor.running import RunningQuery
from monitor.store.curves import decode_trace
from monitor.store.history import History
from monitor.store.recordings import Recordings
from monitor.store.records import Status
from monitor.tally import Tally
from tests.unit.builders import ZONE, channel, query_start
from tests.unit.conftest import Eventually

pytestmark = pytest.mark.usefixtures("patient")

CPU = replace(channel(key="cpu", label="CPU"), kind=Kind.COUNTER, period_s=0.001, range_j=None)
CARD = replace(CPU, key="card", label="Card", domain=Domain.GPU, device="card")

MODEL = replace(CPU, key="model", label="CPU (modelled)", kind=Kind.MODELLED)
SOCKET = replace(CPU, key="socket", label="APU", domain=Domain.SOC)
SECOND = replace(CPU, key="second", label="CPU 1", device="package-1")

CPU_W, CARD_W, MODEL_W = 50.0, 40.0, 20.0


class Steady:
    """A source whose one counter advances as evenly as time."""

    def __init__(self, of: Channel, power_w: float) -> None:
        self.name, self._of, self._power_w = of.key, of, power_w

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is steady.")

    def open(self) -> tuple[Channel, ...]:
        return (self._of,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(self._of.key, now_s, counter_j=self._power_w * now_s)]

    def close(self) -> None:
        """Nothing is held open."""


class Losing(Steady):
    """Two counters, of which the second is not found any more when the source is opened anew.

    :param has_left: what it says of that one then
    """

    def __init__(self, has_left: bool) -> None:
        super().__init__(CPU, CPU_W)
        self._left, self.is_lost, self.told_s = has_left, False, math.inf

    def open(self) -> tuple[Channel, ...]:
        return (CPU,) if self.is_lost else (CPU, CARD)

    def read(self) -> list[Reading]:
        if self.is_lost and self.told_s == math.inf:
            self.told_s = time.monotonic()
            raise OpenAnew("one is missing")
        (shown,) = super().read()
        return [shown] if self.is_lost else [shown, replace(shown, key=CARD.key)]

    def has_left(self, channel: Channel) -> bool:
        assert channel == CARD
        return self._left


class Mirrored(Steady):
    """Two counters, of which the second is found to have shown the first one's count."""

    def __init__(self) -> None:
        super().__init__(CPU, CPU_W)
        self.is_found = False

    def open(self) -> tuple[Channel, ...]:
        return (CPU,) if self.is_found else (CPU, SECOND)

    def read(self) -> list[Reading]:
        (shown,) = super().read()
        return [shown, replace(shown, key=SECOND.key)]

    def find(self) -> None:
        """Find it at the next reading."""

        def change() -> list[Reading]:
            self.is_found = True
            del self.read
            raise OpenAnew("it was a mirror", [SECOND.key])

        self.read = change


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    with Sampler(50, [Steady(CPU, CPU_W), Steady(CARD, CARD_W)]) as running:
        assert running.wait_ready()
        yield running


def goes(sampler: Sampler) -> tuple[float, float, float]:
    """Let a person take the card away after a third of a second.

    :return: until when it was surely read, when it was gone, and a third of a second later
    """
    time.sleep(0.3)
    read_s = time.monotonic()
    assert sampler.wait_until(read_s, timeout_s=5)
    sampler.remove(CARD.key)
    gone_s = time.monotonic()
    assert {each.key for each in sampler.channels()} == {CPU.key}
    time.sleep(0.3)
    end_s = time.monotonic()
    assert sampler.wait_until(end_s, timeout_s=5)
    return read_s, gone_s, end_s


def joules_of(bill: Bill, key: str) -> float:
    return sum(line.joules or 0.0 for line in bill.lines if line.channel.key == key)


Begin = Callable[[Sampler, float], Callable[[float], Bill]]


def by_ledger(sampler: Sampler, start_s: float) -> Callable[[float], Bill]:
    ledger = Ledger(sampler)
    return lambda end_s: ledger.add([Phase(PREFILL, start_s, end_s)])


def by_tally(sampler: Sampler, start_s: float) -> Callable[[float], Bill]:
    return Tally(sampler, start_s).bill


def by_itself(sampler: Sampler, start_s: float) -> Callable[[float], Bill]:
    phase = partial(Phase, WATCH, start_s)
    return lambda end_s: account(sampler.trace, sampler.channels(), [phase(end_s)])


@pytest.mark.parametrize("begin", [by_ledger, by_tally, by_itself])
def test_joules_do_not_vanish_with_their_source(sampler: Sampler, begin: Begin) -> None:
    start_s = time.monotonic()
    bill = begin(sampler, start_s)
    read_s, gone_s, end_s = goes(sampler)
    made = bill(end_s)
    assert joules_of(made, CPU.key) == pytest.approx(CPU_W * (end_s - start_s), rel=0.01)
    card = next(line for line in made.lines if line.channel.key == CARD.key)
    assert card.joules is not None
    assert CARD_W * (read_s - start_s) <= card.joules * 1.001
    assert card.joules <= CARD_W * (gone_s - start_s)
    # Taken away it is missed no more: not here, and not in what comes after.
    assert read_s - start_s <= card.duration_s * 1.001
    assert card.duration_s <= gone_s - start_s
    assert made.total().coverage == pytest.approx(1.0, abs=0.1)


def test_what_came_after_its_going_has_no_line_of_it(sampler: Sampler) -> None:
    ledger = Ledger(sampler)
    start_s = time.monotonic()
    _, gone_s, end_s = goes(sampler)
    phases = [Phase(PREFILL, start_s, gone_s), Phase(DECODE, gone_s, end_s)]
    bill = account(sampler.trace, sampler.channels(), phases)
    keys = {(line.channel.key, line.phase) for line in bill.lines}
    assert keys == {(CPU.key, PREFILL), (CARD.key, PREFILL), (CPU.key, DECODE)}
    assert bill.total(DECODE).joules == pytest.approx(CPU_W * (end_s - gone_s), rel=0.01)
    ledger.add(phases[:1])
    later = ledger.add(phases[1:])
    assert {line.channel.key for line in later.lines} == {CPU.key}
    assert joules_of(ledger.bill, CARD.key) > 0


@pytest.mark.parametrize("has_left", [True, False], ids=["left", "lost"])
def test_a_part_is_missed_in_every_slice_until_it_is_said_to_have_left(
    has_left: bool, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(reader, "RETRY_S", 0.02)
    source = Losing(has_left)
    with Sampler(50, [source]) as sampler:
        assert sampler.wait_ready()
        start_s = time.monotonic()
        tally, ledger = Tally(sampler, start_s), Ledger(sampler)
        assert sampler.wait_until(start_s + 0.1, timeout_s=5)
        source.is_lost = True
        eventually(lambda: sampler.trace.latest(CPU.key)[0] > source.told_s)
        later_s = time.monotonic()
        time.sleep(0.1)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=5)
        listed = {channel.key for channel in sampler.channels()}
        (probe,) = sampler.probes()
        slices = [ledger.add([Phase(WATCH, later_s, end_s)]), tally.bill(end_s)]
    assert listed == ({CPU.key} if has_left else {CPU.key, CARD.key})
    assert ("Card: not found any more." in probe.reason) is not has_left
    later, whole = slices
    assert later.total().joules == pytest.approx(CPU_W * (end_s - later_s), rel=0.05)
    assert {line.channel.key for line in later.lines} == listed
    assert (later.total().coverage == 0.0) is not has_left
    (card,) = (line for line in whole.lines if line.channel.key == CARD.key)
    assert card.joules > 0
    # It is missed until it was looked for, or to the end.
    assert (card.duration_s < later_s - start_s) is has_left


def test_a_query_keeps_the_joules_of_a_card_that_fell_asleep(
    sampler: Sampler, tmp_path: Path
) -> None:
    with closing(History(tmp_path / "history.db")) as history:
        query = RunningQuery(sampler, history, history.begin(query_start()).query_id)
        start_s = time.monotonic()
        query.note(PrefillStarted(start_s, tokens=4, reused=0))
        query.note(DecodeStarted(start_s + 0.01))
        read_s, gone_s, end_s = goes(sampler)
        query.note(Done(end_s, tokens=1, first_token_s=start_s + 0.02, reason="stop"))
        record = query.finish(Status.DONE, "")
        card_j = joules_of(record.bill, CARD.key)
        assert CARD_W * (read_s - start_s) * 0.999 <= card_j <= CARD_W * (gone_s - start_s)
        assert record.bill == history.record(record.id).bill
        trace = history.trace(record.id)
        assert trace is not None
        assert set(trace.curves) == {CPU.key, CARD.key}


# The model and what it models.


def cpu_trace(read: list[tuple[float, float]]) -> Trace:
    """A minute of the model, read every five seconds, and of a counter that was read at times."""
    trace = Trace()
    for each in (CPU, MODEL):
        trace.add(each)
    trace.record(Reading(MODEL.key, s, counter_j=MODEL_W * s) for s in np.arange(0.0, 60.1, 5.0))
    for number, (from_s, to_s) in enumerate(read):
        if number:
            trace.add(CPU)
        times_s = np.arange(from_s, to_s + 0.01, 0.1)
        trace.record(Reading(CPU.key, s, counter_j=CPU_W * s) for s in times_s)
    return trace


def cpu_bill(trace: Trace, start_s: float, end_s: float, there: Channel = CPU) -> dict[str, float]:
    bill = account(trace, [there], [Phase(WATCH, start_s, end_s)])
    return {line.channel.key: line.joules for line in bill.lines}


def test_a_model_stands_in_for_what_is_silent_once_it_was_waited_for() -> None:
    trace = cpu_trace([(0.0, 20.0)])
    assert cpu_bill(trace, 5.0, 9.0) == {CPU.key: pytest.approx(4 * CPU_W)}
    assert cpu_bill(trace, 25.0, 29.0) == {CPU.key: None}
    assert cpu_bill(trace, 35.0, 39.0) == {MODEL.key: pytest.approx(4 * MODEL_W)}


def test_a_fault_of_a_moment_is_a_gap_and_changes_the_kind_of_no_bill() -> None:
    trace = cpu_trace([(0.0, 20.0), (26.0, 60.0)])
    (line,) = account(trace, [CPU], [Phase(WATCH, 10.0, 50.0)]).lines
    assert (line.channel, line.coverage) == (CPU, pytest.approx(34 / 40))
    assert line.joules == pytest.approx(34 * CPU_W)
    (inside,) = account(trace, [CPU], [Phase(WATCH, 21.0, 25.0)]).lines
    assert (inside.channel, inside.joules) == (CPU, None)


def test_a_model_stands_in_at_once_for_what_has_gone() -> None:
    trace = cpu_trace([(0.0, 50.0)])
    assert cpu_bill(trace, 51.0, 59.0, CPU) == {CPU.key: None}, "it may be read again"
    trace.leave([CPU.key], 54.0)
    assert cpu_bill(trace, 54.0, 59.0, MODEL) == {MODEL.key: pytest.approx(5 * MODEL_W)}
    assert cpu_bill(trace, 51.0, 59.0, MODEL) == {CPU.key: None, MODEL.key: pytest.approx(100.0)}
    trace.add(CPU)
    trace.record(Reading(CPU.key, s, counter_j=CPU_W * s) for s in (57.0, 60.0))
    after = {CPU.key: pytest.approx(2 * CPU_W), MODEL.key: pytest.approx(3 * MODEL_W)}
    assert cpu_bill(trace, 54.0, 59.0) == after, "it keeps what it had, though the sensor is back"


def test_what_a_sensor_and_its_model_each_read_of_a_phase_is_billed_whole_and_once() -> None:
    trace = cpu_trace([(0.0, 20.0), (45.0, 60.0)])
    bill = account(trace, [CPU], [Phase(WATCH, 10.0, 50.0)])
    assert {line.channel.key: (line.joules, line.duration_s) for line in bill.lines} == {
        CPU.key: (pytest.approx(15 * CPU_W), pytest.approx(25.0)),
        MODEL.key: (pytest.approx(15 * MODEL_W), pytest.approx(15.0)),
    }
    total = bill.total()
    assert (total.kind, total.coverage) == (Kind.MODELLED, pytest.approx(15 / 25))
    assert total.energy is not None
    assert total.energy.above_j == pytest.approx(sum(line.energy.above_j for line in bill.lines))


def test_a_package_is_a_part_until_something_is_read_that_contains_it() -> None:
    apu = replace(CPU, key="apu", domain=Domain.SOC, kind=Kind.POWER)
    trace = cpu_trace([(0.0, 60.0)])
    trace.add(apu)
    trace.record(Reading(apu.key, s, power_w=70.0) for s in np.arange(30.0, 60.1, 0.1))
    before = account(trace, [CPU, apu], [Phase(WATCH, 10.0, 20.0)])
    assert before.total().joules == pytest.approx(10 * CPU_W)
    assert before.total().coverage == 0.0, "what the rest of it drew is not known"
    later = account(trace, [CPU, apu], [Phase(WATCH, 40.0, 50.0)])
    assert later.total().joules == pytest.approx(10 * 70.0)
    # Together neither is lost, nor is the package added where it lies within the other.
    both = join_bills([before, later])
    assert both.total().joules == pytest.approx(10 * CPU_W + 10 * 70.0)
    roles = [line.channel.role for line in both.by_channel() if line.channel.key == CPU.key]
    assert roles == [Role.PART, Role.INSIDE]


def apu_trace(*awake_s: tuple[float, float]) -> tuple[Trace, Channel]:
    """A package that is read for a minute, and what it lies in, read at times."""
    apu = replace(CPU, key="apu", domain=Domain.SOC, kind=Kind.POWER)
    trace = cpu_trace([(0.0, 60.0)])
    trace.add(apu)
    for from_s, to_s in awake_s:
        times_s = np.arange(from_s, to_s + 0.05, 0.1)
        trace.add(apu)
        trace.record(Reading(apu.key, at_s, power_w=70.0) for at_s in times_s)
        trace.leave([apu.key], to_s + 0.05)
    return trace, apu


@pytest.mark.parametrize(
    ("awake", "alone_s"), [((30.0, 60.0), 30.0), ((0.0, 30.0), 30.0), ((29.0, 31.0), 58.0)]
)
def test_a_package_has_what_the_socket_it_lies_in_did_not_read_of_a_span(
    awake: tuple[float, float], alone_s: float
) -> None:
    trace, _apu = apu_trace(awake)
    bill = account(trace, [CPU], [Phase(WATCH, 0.0, 60.0)])
    whole_j = alone_s * CPU_W + (60 - alone_s) * 70.0
    assert bill.total().joules == pytest.approx(whole_j, rel=0.005)
    assert bill.total().coverage == pytest.approx(1.0, abs=0.03)
    halves = [account(trace, [CPU], [Phase(WATCH, at_s, at_s + 30)]) for at_s in (0.0, 30.0)]
    joules = [half.total().joules for half in halves]
    assert sum(each for each in joules if each) == pytest.approx(whole_j, rel=0.005)


def test_a_socket_takes_nothing_of_a_silence_before_its_first_reading() -> None:
    trace = Trace()
    for of, power_w, read in (
        (CPU, CPU_W, [(0.0, 10.0), (25.0, 60.0)]),
        (SOCKET, 70.0, [(40.0, 60.0)]),
    ):
        trace.add(of)
        times_s = np.concatenate([np.arange(from_s, to_s + 0.05, 0.1) for from_s, to_s in read])
        trace.record(Reading(of.key, s, counter_j=power_w * s) for s in times_s)
    bill = account(trace, [CPU, SOCKET], [Phase(WATCH, 0.0, 60.0)])
    assert bill.total().joules == pytest.approx(40 * CPU_W + 20 * 70.0)
    assert bill.total().coverage == pytest.approx(1.0)


def test_a_model_keeps_what_it_read_before_its_sensor_was_there() -> None:
    bill = account(cpu_trace([(8.0, 60.0)]), [CPU], [Phase(WATCH, 0.0, 60.0)])
    assert bill.total().joules == pytest.approx(8 * MODEL_W + 52 * CPU_W, rel=0.01)
    assert bill.total().coverage == pytest.approx(1.0)


moments = st.lists(st.floats(0.0, 60.0), max_size=8, unique=True).map(sorted)


@given(at_s=moments, span_s=moments.filter(lambda times_s: len(times_s) >= 3))
def test_each_moment_is_billed_once_and_alike_in_every_span(
    at_s: list[float], span_s: list[float]
) -> None:
    read = [(a, b) for a, b in zip(at_s[::2], at_s[1::2], strict=False) if b - a > 0.2]
    trace, shares_s = cpu_trace(read), []
    for start_s, end_s in [(span_s[0], span_s[-1]), *pairwise(span_s)]:
        found = standing(trace, [CPU], start_s, end_s)
        stretches = sorted(stretch for each in found for stretch in each.stretches)
        assert [start_s, *(to_s for _, to_s in stretches)] == [
            *(from_s for from_s, _ in stretches),
            end_s,
        ]
        modelled = [each for each in found if each.channel == MODEL]
        shares_s.append(sum(b - a for each in modelled for a, b in each.stretches))
    assert sum(shares_s[1:]) == pytest.approx(shares_s[0])


READ_S = 0.25

# What happens to a sensor, and for how many seconds it stays so.
fates = st.lists(
    st.tuples(st.sampled_from(["read", "silent", "left", "opened"]), st.floats(0.3, 25.0)),
    min_size=2,
    max_size=7,
)


@settings(max_examples=40)
@given(
    cpu=fates,
    card=fates,
    model=st.floats(0.0, 60.0),
    cuts=st.lists(st.floats(5.0, 60.0), max_size=6),
)
def test_slices_billed_as_time_goes_on_add_up_to_the_whole(
    cpu: list[tuple[str, float]],
    card: list[tuple[str, float]],
    model: float,
    cuts: list[float],
) -> None:
    """Nothing that comes later changes what a slice was billed by, and for how long."""
    events = [(0.0, "opened", each) for each in (CPU, CARD, MODEL)]
    for of, fates_of in ((CPU, cpu), (CARD, card)):
        events += happening(of, [("read", 1.0), *fates_of])
    # The model may fail some time as well.
    events += happening(MODEL, [("read", model), ("silent", 20.0), ("read", 60.0)])
    whole, slices = billed_as_time_goes_on(events, cuts)
    sums = {line.channel.billed_as: line for line in join_bills(slices).by_channel()}
    assert sums.keys() == {line.channel.billed_as for line in whole.lines}
    for line in whole.lines:
        summed = sums[line.channel.billed_as]
        assert summed.duration_s == pytest.approx(line.duration_s)
        assert summed.coverage == pytest.approx(line.coverage, abs=1e-6)
        assert summed.joules == pytest.approx(line.joules)


@settings(max_examples=40)
@given(
    cpu=fates,
    socket=fates,
    socket_s=st.floats(0.0, 55.0),
    model=st.floats(0.0, 60.0),
    cuts=st.lists(st.floats(5.0, 60.0), max_size=6),
)
def test_slices_add_up_whenever_a_socket_is_read_for_the_first_time(
    cpu: list[tuple[str, float]],
    socket: list[tuple[str, float]],
    socket_s: float,
    model: float,
    cuts: list[float],
) -> None:
    """It takes nothing from the package within it that was before."""
    events = [(0.0, "opened", CPU), (0.0, "opened", MODEL), (socket_s, "opened", SOCKET)]
    events += happening(CPU, [("read", 1.0), *cpu])
    events += happening(SOCKET, [("read", 1.0), *socket], socket_s)
    events += happening(MODEL, [("read", model), ("silent", 20.0), ("read", 60.0)])
    whole, slices = billed_as_time_goes_on(events, cuts)
    sums = {line.channel.billed_as: line for line in join_bills(slices).by_channel()}
    for line in whole.lines:
        summed = sums[line.channel.billed_as]
        assert summed.joules == pytest.approx(line.joules)
        # What neither socket nor model has ever read is either's gap.
        if line.channel == CPU:
            assert summed.duration_s == pytest.approx(line.duration_s)


def billed_as_time_goes_on(
    events: list[tuple[float, str, Channel]], cuts: list[float]
) -> tuple[Bill, list[Bill]]:
    """Return the bill of a minute but for its beginning, and those of its slices.

    Each slice is billed when the next readings have come, and not what comes later.
    """
    trace, there, at = Trace(), {}, 0
    events, slices = sorted(events, key=lambda event: event[0]), []
    for start_s, end_s in pairwise(sorted({4.0, *cuts, 60.0})):
        while at < len(events) and events[at][0] <= end_s + READ_S:
            befall(trace, there, *events[at])
            at += 1
        slices.append(
            account(trace, counted(tuple(there.values())), [Phase(WATCH, start_s, end_s)])
        )
    whole = account(trace, counted(tuple(there.values())), [Phase(WATCH, 4.0, 60.0)])
    return whole, slices


def happening(
    of: Channel, fates: list[tuple[str, float]], at_s: float = 0.0
) -> list[tuple[float, str, Channel]]:
    """Return what happens to a sensor, and when."""
    events = []
    for fate, length_s in fates:
        if fate == "read":
            events += [(at_s + s, "read", of) for s in np.arange(0.0, length_s, READ_S)]
        else:
            events.append((at_s, fate, of))
        at_s += length_s
    return [event for event in events if event[0] < 60.0]


def befall(trace: Trace, there: dict[str, Channel], at_s: float, what: str, of: Channel) -> None:
    """Let it happen to a trace, and to what is listed."""
    if what == "silent":
        # Else a counter that is read again tells what it drew meanwhile, which no slice knew.
        trace.miss([of.key], Gap.RESET)
    elif what == "left":
        trace.leave([of.key], at_s)
        there.pop(of.key, None)
    elif what == "opened":
        trace.add(of)
        there[of.key] = of
    elif what == "read" and (of == MODEL or of.key in there):
        trace.record([Reading(of.key, at_s, counter_j=50.0 * at_s)])


@settings(max_examples=20)
@given(
    cpu=fates,
    cpu_s=st.floats(0.0, 5.0),
    socket=fates,
    socket_s=st.floats(7.5, 55.0),
    model=st.floats(0.0, 60.0),
    start_s=st.floats(1.0, 50.0),
    cuts=st.lists(st.floats(0.0, 60.0), max_size=4, unique=True),
)
def test_spans_of_a_recording_are_billed_as_they_were_live(
    cpu: list[tuple[str, float]],
    cpu_s: float,
    socket: list[tuple[str, float]],
    socket_s: float,
    model: float,
    start_s: float,
    cuts: list[float],
) -> None:
    trace, there = Trace(), {}
    events = [(0.0, "opened", MODEL), (cpu_s, "opened", CPU), (socket_s, "opened", SOCKET)]
    events += happening(CPU, [("read", 1.0), *cpu], cpu_s)
    events += happening(SOCKET, [("read", 1.0), *socket], socket_s)
    events += happening(MODEL, [("read", model), ("silent", 20.0), ("read", 60.0)])
    for event in sorted(events, key=lambda event: event[0]):
        befall(trace, there, *event)
    channels = counted(tuple(there.values()))

    def live(from_s: float, to_s: float) -> Bill:
        return account(trace, channels, [Phase(WATCH, from_s, to_s)])

    bill, length_s = live(start_s, 60.0), 60.0 - start_s
    whole = Recording("", "", "", "2026-11-26T12:00:00+00:00", length_s, State.DONE, bill, ZONE, 1)
    curves = {}
    for key in {line.channel.key for line in bill.lines}:
        read = trace.curve(key, start_s - OPENING_S, 60.0)
        curves[key] = replace(read, time_s=read.time_s - start_s)
    recorded = recorded_of(whole, [curves], ())
    # One begins just before the socket's first reading.
    inside = [max(cut, start_s) for cut in sorted([*cuts, socket_s - 1.0, 60.0])]
    for from_s, to_s in [(start_s, 60.0), *pairwise(inside)]:
        if to_s - from_s > 1e-3:
            span = (from_s - start_s, to_s - start_s)
            part = recorded.part(*span)
            for again in (part.recording.bill, part.cost(0.0, to_s - from_s).bill):
                assert read_of(again) == pytest.approx(read_of(live(from_s, to_s)), rel=1e-4)


def read_of(bill: Bill) -> dict[tuple[str, Role, str], float]:
    """Return joules of what was read, and seconds of what was added."""
    read = [line for line in bill.lines if line.joules is not None]
    joules = {(*line.channel.billed_as, "J"): line.joules for line in read}
    return joules | {
        (*line.channel.billed_as, "s"): line.duration_s
        for line in read
        if line.channel.role is Role.PART
    }


@pytest.mark.usefixtures("brief_opening")
def test_a_sensor_found_as_a_recording_begins_takes_nothing_of_its_model(tmp_path: Path) -> None:
    with (
        Sampler(50, [Steady(MODEL, MODEL_W)]) as sampler,
        closing(History(tmp_path / "history.db")) as history,
    ):
        assert sampler.wait_until(time.monotonic() + 3 * BRIEF_S, timeout_s=5)
        recorder = Recorder(sampler, history)
        recorder.start()
        assert sampler.wait_until(time.monotonic() + BRIEF_S / 2, timeout_s=5)
        sampler.add(Steady(CPU, CPU_W))
        assert sampler.wait_ready()
        time.sleep(2 * BRIEF_S)
        # The model may just have become one that is read every five seconds.
        assert sampler.wait_until(time.monotonic(), timeout_s=10)
        last = lately(sampler, history, recorder.elapsed_s)
        recorder.stop()
        stored = Recordings(history.store).load(recorder.id)
    for each in (last, stored):
        live, again = each.recording.bill, each.cost(0.0, each.recording.duration_s).bill
        assert {line.channel.key for line in live.lines} == {CPU.key, MODEL.key}
        assert read_of(again).keys() == read_of(live).keys()
        # The model's time before the sensor would be a tenth; a late last reading is a thousandth.
        assert again.total().joules == pytest.approx(live.total().joules, rel=0.01)


BRIEF_S = 0.15


@pytest.fixture
def brief_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sensors open much sooner than that after their model."""
    for module in ("energy.standing", "recorded", "recorder"):
        monkeypatch.setattr(f"monitor.{module}.OPENING_S", BRIEF_S)


def test_spans_of_a_recording_add_up_though_a_model_stood_in() -> None:
    trace = cpu_trace([(0.0, 20.0)])
    bill = account(trace, [MODEL], [Phase(WATCH, 0.0, 60.0)])
    whole = Recording("", "", "", "2026-11-26T12:00:00+00:00", 60.0, State.DONE, bill, ZONE, 1.0)
    # The model was read from the beginning on, as a spare.
    recorded = recorded_of(whole, [{key: trace.curve(key) for key in (CPU.key, MODEL.key)}], ())

    def joules(start_s: float, end_s: float) -> float | None:
        return recorded.cost(start_s, end_s).bill.total().joules

    assert bill.total().joules == pytest.approx(20 * CPU_W + 30 * MODEL_W)
    assert joules(0.0, 60.0) == pytest.approx(bill.total().joules)
    assert joules(1.0, 11.0) == pytest.approx(10 * CPU_W)
    assert joules(0.0, 15.0) + joules(15.0, 60.0) == pytest.approx(bill.total().joules)
    # What is drawn and exported is what is billed.
    model = recorded.billed()[MODEL.key]
    assert model.time_s[0] == pytest.approx(30.0)
    assert model.energy_j[-1] - model.energy_j[0] == pytest.approx(30 * MODEL_W)
    assert model.gap[0] == Gap.MISSED


# Sources that come, go and are withdrawn, while the sampler runs.


def test_a_query_after_its_sensor_has_gone_is_billed_by_the_model(
    tmp_path: Path, eventually: Eventually
) -> None:
    sources = [Steady(CPU, CPU_W), Steady(MODEL, MODEL_W), Steady(CARD, CARD_W)]
    with Sampler(50, sources) as sampler, closing(History(tmp_path / "history.db")) as history:
        assert sampler.wait_ready()
        query = RunningQuery(sampler, history, history.begin(query_start()).query_id)
        time.sleep(0.1)
        sampler.remove(CPU.key)
        removed_s = time.monotonic()
        # The model is read as often as a sensor once the sampler has seen to it.
        eventually(lambda: sampler.trace.window(MODEL.key, removed_s, time.monotonic()).samples > 5)
        start_s = time.monotonic()
        query.note(PrefillStarted(start_s, tokens=4, reused=0))
        query.note(DecodeStarted(start_s + 0.2))
        time.sleep(0.5)
        end_s = time.monotonic()
        query.note(Done(end_s, tokens=1, first_token_s=start_s + 0.2, reason="stop"))
        record = query.finish(Status.DONE, "")
        trace = history.trace(record.id)
    total = record.bill.total()
    assert total.kind is Kind.MODELLED
    assert total.joules == pytest.approx((MODEL_W + CARD_W) * (end_s - start_s), rel=0.05)
    assert {line.channel.key for line in record.bill.lines} == {MODEL.key, CARD.key}
    assert trace is not None
    assert set(trace.curves) == {MODEL.key, CARD.key}


def test_items_that_are_billed_after_a_card_has_gone_have_its_joules(sampler: Sampler) -> None:
    ledger, start_s = Ledger(sampler), time.monotonic()
    read_s, _, _ = goes(sampler)
    length_s = (read_s - start_s) / 4
    items = [Phase(PREFILL, start_s + n * length_s, start_s + (n + 1) * length_s) for n in range(4)]
    for item in items:
        card_j = joules_of(ledger.add([item]), CARD.key)
        assert card_j == pytest.approx(CARD_W * length_s, rel=0.01)
    packed = pack_curve(sampler.trace, sampler.channels(), items, read_s)
    assert packed is not None
    assert set(decode_trace(packed).curves) == {CPU.key, CARD.key}


def test_the_last_minutes_keep_the_joules_of_a_card_that_has_gone(
    sampler: Sampler, tmp_path: Path
) -> None:
    with closing(History(tmp_path / "history.db")) as history:
        read_s, gone_s, _ = goes(sampler)
        last = lately(sampler, history, 600.0)
        first_s = sampler.trace.curve(CARD.key).time_s[0]
        began_s = min(first_s, sampler.trace.curve(CPU.key).time_s[0])
        card_j = joules_of(last.recording.bill, CARD.key)
        assert CARD_W * (read_s - first_s) * 0.999 <= card_j <= CARD_W * (gone_s - first_s)
        assert last.recording.bill.total().coverage == pytest.approx(1.0, abs=0.1)
        stored = Recordings(history.store).load(keep(history, last, "kept").id)
        assert joules_of(stored.recording.cost.bill, CARD.key) == pytest.approx(card_j)
        span = stored.cost(0.0, stored.recording.duration_s)
        assert joules_of(span.bill, CARD.key) == pytest.approx(card_j, rel=0.01)
        assert span.bill.total().coverage == pytest.approx(1.0, abs=0.1)
        later = stored.cost(gone_s - began_s + 0.01, stored.recording.duration_s)
        assert {line.channel.key for line in later.bill.lines} == {CPU.key}


def test_a_phase_between_two_readings_keeps_its_joules() -> None:
    slow = replace(CARD, period_s=0.5)
    trace = Trace()
    trace.add(slow)
    trace.record(Reading(slow.key, s, counter_j=CARD_W * s) for s in (10.0, 10.5, 11.0))
    (line,) = account(trace, [], [Phase(PREFILL, 10.1, 10.4)]).lines
    assert line.joules == pytest.approx(0.3 * CARD_W)


def test_what_turns_out_to_be_a_mirror_is_on_no_bill(tmp_path: Path) -> None:
    source = Mirrored()
    with Sampler(50, [source]) as sampler, closing(History(tmp_path / "history.db")) as history:
        assert sampler.wait_ready()
        recorder = Recorder(sampler, history, write_s=0.05, piece_s=0.1)
        recorder.start()
        ledger, tally = Ledger(sampler), Tally(sampler, start_s := time.monotonic())
        time.sleep(0.4)
        middle_s = time.monotonic()
        assert sampler.wait_until(middle_s, timeout_s=5)
        ledger.add([Phase(PREFILL, start_s, middle_s)])
        assert joules_of(ledger.bill, SECOND.key) > 0
        assert joules_of(tally.bill(middle_s), SECOND.key) > 0
        assert SECOND.key in recorder.recorded().curves
        source.find()
        while not source.is_found or sampler.channels() != (CPU,):
            time.sleep(0.01)
        time.sleep(0.2)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=5)
        ledger.add([Phase(PREFILL, middle_s, end_s)])
        for bill in (ledger.bill, tally.bill(end_s), recorder.stop().bill):
            assert {line.channel.key for line in bill.lines} == {CPU.key}
            assert 0.9 * CPU_W * (middle_s - start_s) <= bill.total().joules
            assert bill.total().joules <= 1.1 * CPU_W * (end_s - start_s)
        stored = Recordings(history.store).load(recorder.id)
        assert set(stored.curves) == {CPU.key}
