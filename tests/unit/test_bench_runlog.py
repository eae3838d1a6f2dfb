"""What a run's log bills of what was stopped and of warm-ups, and what it tells meanwhile."""

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monitor import figures
from monitor.bench.runlog import Finished, RunLog
from monitor.bench.sentences import total_line
from monitor.bench.summary import RunResult, SuiteResult, summarise
from monitor.bench.uncounted import CUT, WARM_UP
from monitor.clock import unix_s
from monitor.energy.account import DECODE, PREFILL, Phase
from monitor.power.channel import Channel, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.store.history import History
from monitor.store.records import Status, Tokens
from tests.unit.builders import channel, query_start
from tests.unit.conftest import Eventually
from tests.unit.test_bench_store import PLAN, item, run_start

WATTS = 10.0
CPU = replace(channel("steady:cpu"), range_j=None)


class SteadySource:
    """A processor that draws ten watts whatever it does."""

    name = "steady"

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is there.")

    def open(self) -> tuple[Channel, ...]:
        return (CPU,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(CPU.key, now_s, counter_j=WATTS * now_s)]

    def close(self) -> None:
        return


@dataclass(frozen=True)
class Bench:
    """A run that has begun, on a sampler that has read for a while."""

    history: History
    sampler: Sampler
    log: RunLog
    suite_id: str
    since_s: float

    @property
    def result(self) -> SuiteResult:
        return summarise(self.history, self.suite_id)

    @property
    def run(self) -> RunResult:
        (run,) = self.result.runs
        return run


@pytest.fixture
def bench(tmp_path: Path, eventually: Eventually) -> Iterator[Bench]:
    with closing(History(tmp_path / "history.db")) as history:
        suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
        began = history.begin(query_start(kind="bench"))
        row = history.benchmarks.begin_run(began.query_id, run_start(suite_id, planned=2))
        with Sampler(hz=50, sources=[SteadySource()]) as sampler:
            eventually(lambda: sampler.trace.latest(CPU.key))
            since_s = time.monotonic()
            eventually(lambda: sampler.trace.latest(CPU.key)[0] > since_s + 0.36)
            log = RunLog(sampler, history, row, history.record(row.id), by_length=False)
            yield Bench(history, sampler, log, suite_id, since_s)


def test_what_was_cut_and_the_warm_up_are_billed_apart_from_the_items(bench: Bench) -> None:
    log, since_s = bench.log, bench.since_s
    log.begin(PREFILL, since_s)
    log.begin(DECODE, since_s + 0.05)
    log.note_beside(WARM_UP, since_s + 0.1)
    log.begin(PREFILL, since_s + 0.1)
    done = (Phase(PREFILL, since_s + 0.1, since_s + 0.2),)
    log.note(Finished((item(0, 1.0),), (1.0,), done, Tokens(prompt=9)))
    log.begin(PREFILL, since_s + 0.2)
    log.begin(DECODE, since_s + 0.25)
    log.note_beside(CUT, since_s + 0.35)
    log.end(Status.STOPPED)
    record = bench.run.record
    assert record.bill.phases() == (WARM_UP, PREFILL, CUT)
    assert record.bill.total(WARM_UP).joules == pytest.approx(1.0, rel=0.05)
    assert record.bill.total(CUT).joules == pytest.approx(1.5, rel=0.05)
    assert record.bill.total().joules == pytest.approx(3.5, rel=0.02)
    assert record.seconds.total == pytest.approx(0.35)
    assert bench.run.merit.joules_per_item == pytest.approx(1.0, rel=0.05)
    assert bench.run.row.sums.done == 1
    assert "of warm-up and" in total_line(bench.result)
    assert "of unfinished items" in total_line(bench.result)
    # The curve is shaded by what was computed, whatever came of it.
    trace = bench.history.trace(record.id)
    assert trace
    assert {phase.name for phase in trace.phases} == {PREFILL, DECODE}


def test_stopped_before_the_first_item_it_still_has_a_bill(bench: Bench) -> None:
    log, since_s = bench.log, bench.since_s
    log.begin(PREFILL, since_s)
    log.begin(DECODE, since_s + 0.1)
    log.end(Status.FAILED, "The engine died.")  # nobody could say what came of it
    run = bench.run
    assert run.row.sums.done == 0
    assert run.merit.joules_per_item is None
    joules = run.record.bill.total(CUT).joules
    assert joules is not None
    assert joules >= 3.5 * 0.95
    assert figures.energy(joules) in total_line(bench.result)


def test_joules_are_told_while_the_first_item_is_computed(bench: Bench) -> None:
    log, since_s = bench.log, bench.since_s
    assert log.spent(math.inf).total().joules is None
    assert log.begun_s == math.inf
    log.begin(PREFILL, since_s)
    log.begin(DECODE, since_s + 0.1)
    assert log.begun_s == since_s
    assert log.spent(since_s + 0.3).total().joules == pytest.approx(3.0, rel=0.02)
    first = log.spent(math.inf).total().joules
    assert first is not None
    assert first >= 3.5 * 0.95
    phases = (Phase(PREFILL, since_s, since_s + 0.3),)
    log.note(Finished((item(0, 1.0),), (1.0,), phases, Tokens(prompt=9)))
    assert log.spent(math.inf).total().joules == pytest.approx(3.0, rel=0.02), "not billed yet"
    log.settle(finish=True)
    assert log.spent(math.inf).total().joules == pytest.approx(3.0, rel=0.02)


def test_what_lies_between_two_items_is_no_cut_item(bench: Bench) -> None:
    bench.log.begin(PREFILL, bench.since_s)
    bench.log.note_beside(CUT, bench.since_s + 0.002)
    bench.log.end(Status.STOPPED)
    assert not bench.run.record.bill.lines


def test_a_warm_up_is_stored_before_there_is_an_item(bench: Bench) -> None:
    bench.log.begin(PREFILL, bench.since_s)
    bench.log.note_beside(WARM_UP, bench.since_s + 0.3)
    assert bench.log.settle() == ()
    assert bench.run.record.bill.total().joules == pytest.approx(3.0, rel=0.02)


def test_a_pause_is_no_part_of_what_was_computed(bench: Bench) -> None:
    log, since_s = bench.log, bench.since_s

    def computed(place: int, start_s: float, end_s: float) -> None:
        phases = (Phase(PREFILL, start_s, end_s),)
        log.note(Finished((item(place, 1.0),), (1.0,), phases, Tokens(prompt=9)))
        log.settle(finish=True)

    def billed() -> tuple[float, float]:
        sql = "select billed_from_ms / 1e3, billed_to_ms / 1e3 from queries where id = ?"
        found: tuple[float, float] = bench.history.store.read().execute(sql, [log.id]).fetchone()
        return found

    earlier_s = since_s - 100.0
    computed(0, earlier_s, earlier_s + 0.1)
    computed(1, earlier_s + 0.2, earlier_s + 0.3)
    assert billed() == pytest.approx((unix_s(earlier_s), unix_s(earlier_s + 0.3)), abs=0.01)
    computed(2, since_s, since_s + 0.1)
    assert billed() == pytest.approx((unix_s(since_s), unix_s(since_s + 0.1)), abs=0.01)
