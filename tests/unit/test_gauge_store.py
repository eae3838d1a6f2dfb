"""What gauges told is kept with each query: read back, listed, merged, and forgotten with it."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from monitor.bench.runlog import Finished, RunLog
from monitor.bench.summary import summarise
from monitor.bench.tables import part_name
from monitor.energy.account import PREFILL, Phase
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.forms import record_json
from monitor.gauge_report import throttle_words
from monitor.paths import database_path
from monitor.power.channel import Channel, Domain, Probe, ProbeState, Reading
from monitor.power.gauge import Gauge, GaugeLine, GaugeReading, GaugeSummary, Quantity
from monitor.power.sampler import Sampler
from monitor.running import RunningQuery
from monitor.store import history as history_module
from monitor.store.endings import Ending, _write
from monitor.store.history import History
from monitor.store.identifiers import new_id, utc_now
from monitor.store.merge import merge
from monitor.store.records import Status, Tokens
from monitor.store.upkeep import purge_deleted
from monitor.terminal.history_rows import rows_table
from monitor.terminal.record_view import record_view
from tests.unit.builders import outcome, query_start, stored_query
from tests.unit.conftest import Eventually
from tests.unit.test_bench_store import PLAN, item, run_start

HEAT = Gauge("nvml:GPU-1:temperature", "GPU 0 temperature", Quantity.TEMPERATURE, Domain.GPU, "1")
CLOCK = Gauge("nvml:GPU-1:clock", "GPU 0 clock", Quantity.CLOCK, Domain.GPU, "1")
MEMORY = Gauge("nvml:GPU-1:memory", "GPU 0 memory", Quantity.MEMORY, Domain.GPU, "1", 24 * 2.0**30)
HELD = Gauge("nvml:GPU-1:throttle", "GPU 0 throttling", Quantity.THROTTLE, Domain.GPU, "1")

LINES = (
    GaugeLine(HEAT, GaugeSummary(71.25, 60.0, 78.0, 9, ())),
    GaugeLine(CLOCK, GaugeSummary(1905.5, 1740.0, 1980.0, 9, ())),
    GaugeLine(MEMORY, GaugeSummary(5.25 * 2**30, 5 * 2.0**30, 5.5 * 2**30, 9, ())),
    GaugeLine(HELD, GaugeSummary(0.4, 0.0, 1.0, 10, ("power cap", "too hot"))),
)
CALM = (*LINES[:3], GaugeLine(HELD, GaugeSummary(0.0, 0.0, 0.0, 10, ())))


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def stored_gauges(history: History) -> int:
    return int(history.store.read().table("query_gauges").count)


def test_what_gauges_told_comes_back_as_it_was(history: History) -> None:
    record = stored_query(history, gauges=LINES)
    plain = stored_query(history)
    assert record.gauges == LINES
    assert history.record(record.id).gauges == LINES
    assert history.record(plain.id).gauges == ()
    assert (record.throttled, plain.throttled) == (True, None)
    assert stored_query(history, gauges=CALM).throttled is False


def test_a_gauge_whose_description_changed_keeps_the_earlier_one_with_earlier_queries(
    history: History,
) -> None:
    before = stored_query(history, gauges=LINES)
    larger = replace(MEMORY, capacity=48 * 2.0**30)
    after = stored_query(history, gauges=(GaugeLine(larger, LINES[2].summary),))
    again = stored_query(history, gauges=LINES)
    assert history.record(before.id).gauges == LINES
    assert history.record(after.id).gauges[0].gauge == larger
    assert history.record(again.id).gauges == LINES
    assert history.store.read().table("gauges").count == len(LINES) + 1


def test_the_form_tells_units_and_that_nothing_is_known_of_throttling(history: History) -> None:
    form = json.loads(json.dumps(record_json(stored_query(history, gauges=LINES))))
    assert form["throttled"] is True
    assert form["gauges"][0] == {
        "key": HEAT.key, "label": "GPU 0 temperature", "quantity": "temperature", "unit": "°C",
        "domain": "gpu", "device": "1", "capacity": None, "mean": 71.25, "low": 60.0,
        "high": 78.0, "samples": 9, "notes": [],
    }  # fmt: skip
    assert form["gauges"][3]["notes"] == ["power cap", "too hot"]
    plain = record_json(stored_query(history))
    assert (plain["gauges"], plain["throttled"]) == ([], None)


def test_a_throttled_run_is_marked_in_every_list(history: History) -> None:
    stored_query(history, "Calm", gauges=CALM)
    held = stored_query(history, "Held back", gauges=LINES)
    stored_query(history, "Unknown")
    marked = {row.prompt: row.throttled for row in history.browse.rows()}
    assert marked == {"Calm": False, "Held back": True, "Unknown": False}
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(rows_table(history.browse.rows(), 140), record_view(held))
    text = console.export_text()
    assert "[throttled] Held back" in text
    assert text.count("[throttled]") == 1
    assert "71 °C (up to 78 °C), 1.91 GHz (down to 1.74 GHz), 5.25 GiB (up to 5.50 GiB)" in text
    assert "GPU 0 was throttled 40 % of the time: power cap, too hot" in text


def test_each_reason_is_named_once_and_in_the_persons_language() -> None:
    notes = ("power cap", "power cap, temperature", "temperature")
    held = replace(LINES[3], summary=replace(LINES[3].summary, notes=notes))
    (words,) = throttle_words([held])
    assert words.endswith("of the time: power cap, temperature")
    (words,) = throttle_words([held], "%2 gedrosselt: %1", str.upper)
    assert words == "40 % gedrosselt: GPU 0: POWER CAP, TEMPERATURE"


def test_an_end_that_waited_in_a_file_still_has_its_gauges(history: History) -> None:
    began = history.begin(query_start())
    machine_id = str(history.store.read().execute("select id from machines").fetchone()[0])
    end = Ending(began.query_id, new_id(), utc_now(), machine_id, outcome(gauges=LINES))
    _write(history.store.path.with_name(f"unsaved-{began.query_id}.json"), end)
    assert history.record(began.query_id).gauges == ()
    with closing(History(history.store.path)) as later:
        assert later.record(began.query_id).gauges == LINES


def test_a_merge_brings_gauges_with_their_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: History
) -> None:
    own = stored_query(history, gauges=LINES)
    machine = {"id": "laptop", "name": "Laptop", "system": "", "processor": "", "threads": 2,
               "memory_bytes": 8}  # fmt: skip
    monkeypatch.setattr(history_module, "this_machine", lambda: machine)
    with closing(History(tmp_path / "laptop.db")) as laptop:
        other = stored_query(laptop, gauges=CALM)
        merge(history.store, laptop.store.path)
    assert history.record(other.id).gauges == CALM
    assert history.record(own.id).gauges == LINES
    machines = history.store.read().execute("select machine_id from gauges order by id")
    assert [m == "laptop" for (m,) in machines.fetchall()] == [False] * 4 + [True] * 4
    assert merge(history.store, tmp_path / "laptop.db").queries == 0
    assert stored_gauges(history) == 8


def test_what_is_purged_takes_its_gauges_along(history: History) -> None:
    gone, kept = stored_query(history, gauges=LINES), stored_query(history, gauges=LINES)
    history.edits.delete(history.browse.numbers_of([gone.id]))
    assert stored_gauges(history) == 8
    assert purge_deleted(history.store, older_than=timedelta(seconds=-1)) == 1
    assert stored_gauges(history) == 4
    assert history.record(kept.id).gauges == LINES
    assert history.store.read().execute("pragma foreign_key_check").fetchall() == []


class WarmingSource:
    """A GPU of which nothing is known but how it warms up, a degree a reading, and is held back."""

    name = "warming"

    def __init__(self) -> None:
        self.celsius = 50.0

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is there.")

    def open(self) -> tuple[Channel, ...]:
        return ()

    def read(self) -> list[Reading]:
        return []

    def close(self) -> None:
        return

    def gauges(self) -> tuple[Gauge, ...]:
        return HEAT, HELD, MEMORY

    def read_gauges(self) -> list[GaugeReading]:
        now_s = time.monotonic()
        self.celsius += 1
        return [
            GaugeReading(HEAT.key, now_s, self.celsius),
            GaugeReading(HELD.key, now_s, 1.0, "too hot"),
        ]


def test_a_query_keeps_what_gauges_told_from_its_first_token_to_its_last(
    history: History, eventually: Eventually
) -> None:
    with Sampler(sources=[WarmingSource()]) as sampler:
        trace = sampler.gauge_trace

        def reading() -> float:
            latest = trace.latest(HEAT.key)
            return latest.value if latest else 0.0

        eventually(lambda: reading() >= 51)
        began = history.begin(query_start())
        run = RunningQuery(sampler, history, began.query_id)
        run.note(PrefillStarted(time.monotonic(), 10, 0))
        eventually(lambda: reading() >= 52)
        run.note(DecodeStarted(time.monotonic()))
        eventually(lambda: reading() >= 53)
        run.note(Done(time.monotonic(), "end", 5, None))
        eventually(lambda: reading() >= 54)
        record = run.finish(Status.DONE, "")
    heat, held = record.gauges  # the memory was never read: a gap, and no line
    assert (heat.summary.low, heat.summary.high, heat.summary.samples) == (52, 53, 2)
    assert held.summary == GaugeSummary(1.0, 1.0, 1.0, 2, ("too hot",))
    assert history.record(record.id).throttled is True


class SilentSource(WarmingSource):
    """A GPU that tells nothing by itself: a test records what it should have told."""

    def read_gauges(self) -> list[GaugeReading]:
        return []


def test_a_benchmark_run_keeps_what_gauges_told_of_its_own_batches(
    history: History, eventually: Eventually
) -> None:
    suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    began = history.begin(query_start(kind="bench"))
    row = history.benchmarks.begin_run(began.query_id, run_start(suite_id, planned=2))
    with Sampler(sources=[SilentSource()]) as sampler:
        eventually(lambda: len(sampler.gauges()) == 3)
        sampler.gauge_trace.record(
            # 90 degrees while another model had its turn, between the two batches of this run.
            GaugeReading(HEAT.key, at, degrees)
            for at, degrees in ((0.5, 40.0), (1.5, 60.0), (2.5, 90.0), (3.2, 70.0), (3.6, 80.0))
        )
        sampler.gauge_trace.record([GaugeReading(HELD.key, 3.5, 1.0, "power cap")])
        for batch, (start_s, end_s) in enumerate(((1.0, 2.0), (3.0, 4.0))):
            record = history.record(row.id)  # the second batch is of a run that was interrupted
            found = history.benchmarks.run(row.id)
            assert found
            log = RunLog(sampler, history, found, record, by_length=False)
            phases = (Phase(PREFILL, start_s, end_s),)
            log.note(Finished((item(batch, 1.0),), (1.0,), phases, Tokens(prompt=9)))
            log.settle(finish=True)
        log.end(Status.DONE)
    heat, held = history.record(row.id).gauges
    assert heat.summary == GaugeSummary(70.0, 60.0, 80.0, 3, ())
    assert held.summary.notes == ("power cap",)
    (run,) = summarise(history, suite_id).runs
    assert part_name(run) == "Sounds (2 items, throttled)"
