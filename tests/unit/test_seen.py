"""What was read of a source that has gone is billed all the same, by everything that bills."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.energy.account import DECODE, PREFILL, WATCH, Bill, Phase
from monitor.energy.ledger import Ledger
from monitor.energy.seen import Seen
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.running import RunningQuery
from monitor.store.history import History
from monitor.store.records import Status
from monitor.tally import Tally
from tests.unit.builders import channel, query_start

CPU = replace(channel(key="cpu", label="CPU"), kind=Kind.COUNTER, period_s=0.001, range_j=None)
CARD = replace(CPU, key="card", label="Card", domain=Domain.GPU, device="card")

CPU_W, CARD_W = 50.0, 40.0


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


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    with Sampler(50, [Steady(CPU, CPU_W), Steady(CARD, CARD_W)]) as running:
        assert running.wait_ready()
        yield running


def goes(sampler: Sampler) -> tuple[float, float, float]:
    """Let the card go after a third of a second.

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
    seen = Seen(sampler)
    return lambda end_s: seen.bill([Phase(WATCH, start_s, end_s)])


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
    assert card.coverage <= (gone_s - start_s) / (end_s - start_s)


def test_what_came_after_its_going_has_no_line_of_it(sampler: Sampler) -> None:
    seen, ledger = Seen(sampler), Ledger(sampler)
    start_s = time.monotonic()
    _, gone_s, end_s = goes(sampler)
    phases = [Phase(PREFILL, start_s, gone_s), Phase(DECODE, gone_s, end_s)]
    keys = {(line.channel.key, line.phase) for line in seen.bill(phases).lines}
    assert keys == {(CPU.key, PREFILL), (CARD.key, PREFILL), (CPU.key, DECODE)}
    assert seen.bill(phases).total(DECODE).joules == pytest.approx(
        CPU_W * (end_s - gone_s), rel=0.01
    )
    ledger.add(phases[:1])
    later = ledger.add(phases[1:])
    assert {line.channel.key for line in later.lines} == {CPU.key}
    assert joules_of(ledger.bill, CARD.key) > 0


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
