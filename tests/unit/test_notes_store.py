"""What is doubtful in a bill, and why something was not read, is kept with it wherever it goes."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from monitor.bench.runlog import Finished, RunLog
from monitor.cli import main
from monitor.energy.account import PREFILL, Phase
from monitor.energy.notes import NO_NOTES, Notes, Unread
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.exchange.capsule_reading import QueryCapsule, read_capsule
from monitor.exchange.files import ExchangeError
from monitor.exchange.sealed import sealed
from monitor.paths import database_path
from monitor.power.channel import Channel, Doubt, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.recorder import Recorder, keep
from monitor.recording_forms import recording_json, recording_view
from monitor.running import RunningQuery
from monitor.store.endings import Ending, _write
from monitor.store.history import History
from monitor.store.identifiers import new_id, utc_now
from monitor.store.merge import merge
from monitor.store.recordings import Recordings
from monitor.store.records import Status, Tokens
from monitor.store.rescue import rescue
from tests.unit.builders import half_read, outcome, query_start, stored_query
from tests.unit.conftest import MakeChannel
from tests.unit.test_bench_store import PLAN, item, run_start

pytestmark = pytest.mark.usefixtures("patient")

NOTES = Notes(
    (Doubt("nvml:GPU-1", "%1: its counter and its watts disagree, %2 J.", ("GPU 0", "187")),),
    (Unread("rapl:package-0", "CPU 0", 0.25, "it did not answer"), Unread("b", "Card", 0.0, "")),
)
WORDS = [
    "GPU 0: its counter and its watts disagree, 187 J.",
    "CPU 0 was read 25 % of the time: it did not answer.",
    "Card was not read.",
]


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def test_notes_come_back_as_they_were(history: History, tmp_path: Path) -> None:
    record, plain = stored_query(history, notes=NOTES), stored_query(history)
    assert record.notes == NOTES
    assert history.record(record.id).notes == NOTES
    assert history.record(plain.id).notes == NO_NOTES
    assert NOTES.words() == WORDS
    # From a damaged file as well.
    rescue(history.store.path, tmp_path / "rescued.db")
    with closing(History(tmp_path / "rescued.db")) as saved:
        assert saved.record(record.id).notes == NOTES


def test_history_show_tells_them_in_words_and_in_json(history: History) -> None:
    record = stored_query(history, notes=NOTES)
    shown = CliRunner().invoke(main, ["history", "show", record.id]).stdout
    assert all(words in " ".join(shown.split()) for words in WORDS)
    document = json.loads(CliRunner().invoke(main, ["history", "show", record.id, "--json"]).stdout)
    assert [each["text"] for each in document["doubts"]] == WORDS[:1]
    assert document["unread"] == [
        {"channel": "rapl:package-0", "label": "CPU 0", "coverage": 0.25,
         "reason": "it did not answer"},
        {"channel": "b", "label": "Card", "coverage": 0.0, "reason": ""},
    ]  # fmt: skip


def test_an_end_that_waited_in_a_file_still_has_its_notes(history: History) -> None:
    began = history.begin(query_start())
    machine_id = str(history.store.read().execute("select id from machines").fetchone()[0])
    end = Ending(began.query_id, new_id(), utc_now(), machine_id, outcome(notes=NOTES))
    _write(history.store.path.with_name(f"unsaved-{began.query_id}.json"), end)
    with closing(History(history.store.path)) as later:
        assert later.record(began.query_id).notes == NOTES


def test_a_merge_brings_them(tmp_path: Path, history: History, make_channel: MakeChannel) -> None:
    recorded = half_read(make_channel("m:cpu", kind=Kind.POWER))
    noted = replace(recorded, recording=replace(recorded.recording, notes=NOTES))
    with closing(History(tmp_path / "laptop.db")) as laptop:
        query, recording = stored_query(laptop, notes=NOTES), keep(laptop, noted)
        merge(history.store, laptop.store.path)
    assert history.record(query.id).notes == NOTES
    assert Recordings(history.store).get(recording.id).notes == NOTES


def test_a_capsule_brings_them_and_refuses_what_cannot_be(history: History, tmp_path: Path) -> None:
    record, path = stored_query(history, notes=NOTES), tmp_path / "capsule.json"
    made = CliRunner().invoke(main, ["export", "capsule", record.id, "-o", str(path)])
    assert made.exit_code == 0, made.output
    read = read_capsule(path)
    assert isinstance(read, QueryCapsule)
    assert read.record.notes == NOTES
    document = json.loads(path.read_text())
    document["query"]["unread"][0]["coverage"] = 1.5
    del document["content_sha256"]
    path.write_text(json.dumps(sealed(document)))
    with pytest.raises(ExchangeError):
        read_capsule(path)


def test_a_recording_tells_its_notes_and_a_span_of_it_those_that_concern_it(
    history: History, make_channel: MakeChannel
) -> None:
    recorded = half_read(labelled("CPU", make_channel, "m:cpu", kind=Kind.POWER))
    notes = Notes((Doubt("m:cpu", "Odd."),), (Unread("m:cpu", "CPU", 0.75, "it hung"),))
    noted = replace(recorded, recording=replace(recorded.recording, notes=notes))
    stored = Recordings(history.store).load(keep(history, noted).id)
    assert stored.recording.notes == notes
    assert recording_json(stored.recording)["unread"][0]["reason"] == "it hung"
    console = Console(file=io.StringIO(), width=200)
    console.print(recording_view(stored))
    assert isinstance(console.file, io.StringIO)
    assert "CPU was read 75 % of the time: it hung." in console.file.getvalue()
    first, second = stored.part(0.0, 60.0).recording, stored.part(60.0, 120.0).recording
    assert (first.notes.doubts, second.notes.doubts) == (notes.doubts, notes.doubts)
    (unread,) = first.notes.unread
    assert (unread.coverage, unread.reason) == (pytest.approx(0.5, abs=0.01), "it hung")
    assert second.notes.unread == ()


def labelled(label: str, make_channel: MakeChannel, key: str, **fields: Any) -> Channel:
    return replace(make_channel(key, **fields), label=label)


class Odd:
    """Two parts, of which one is doubtful and the other says nothing after a while."""

    name = "odd"

    def __init__(self, make_channel: MakeChannel) -> None:
        self.one = labelled("One", make_channel, "odd:one", period_s=0.005)
        self.two = labelled("Two", make_channel, "odd:two", device="two", period_s=0.005)
        self.is_mute = False

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is odd.")

    def open(self) -> tuple[Channel, ...]:
        return self.one, self.two

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        told = (self.one,) if self.is_mute else (self.one, self.two)
        return [Reading(each.key, now_s, counter_j=50.0 * now_s) for each in told]

    def doubts(self) -> tuple[Doubt, ...]:
        return (Doubt("odd:one", "%1 is odd.", ("One",)),)

    def close(self) -> None:
        """Nothing is held open."""


def test_what_a_query_lacks_is_kept_with_it_and_what_a_moment_lacks_is_not(
    history: History, make_channel: MakeChannel
) -> None:
    source = Odd(make_channel)
    with Sampler(50, [source]) as sampler:
        assert sampler.wait_ready()
        records = []
        for mute_s in (0.0, 0.3):
            query = RunningQuery(sampler, history, history.begin(query_start()).query_id)
            start_s = time.monotonic()
            query.note(PrefillStarted(start_s, tokens=4, reused=0))
            query.note(DecodeStarted(start_s + 0.05))
            time.sleep(0.1)
            source.is_mute = bool(mute_s)
            time.sleep(mute_s)
            end_s = time.monotonic()
            query.note(Done(end_s, tokens=1, first_token_s=start_s + 0.06, reason="stop"))
            records.append(query.finish(Status.DONE, ""))
    well, lacking = records
    assert [doubt.words() for doubt in well.notes.doubts] == ["One is odd."]
    assert well.notes.unread == ()
    (unread,) = lacking.notes.unread
    assert (unread.key, unread.label) == ("odd:two", "Two")
    assert "not in the last" in unread.reason
    assert history.record(lacking.id).notes == lacking.notes


def test_a_recording_and_a_benchmark_keep_what_was_said_while_they_ran(
    history: History, make_channel: MakeChannel
) -> None:
    source = Odd(make_channel)
    suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    began = history.begin(query_start(kind="bench"))
    row = history.benchmarks.begin_run(began.query_id, run_start(suite_id, planned=1))
    record = history.record(row.id)
    with Sampler(50, [source]) as sampler:
        assert sampler.wait_ready()
        recorder = Recorder(sampler, history, write_s=0.05, piece_s=0.1)
        recorder.start("odd")
        run = RunLog(sampler, history, row, record, by_length=False)
        source.is_mute = True
        start_s = time.monotonic()
        time.sleep(0.2)
        end_s = time.monotonic()
        phases = (Phase(PREFILL, start_s, end_s),)
        run.note(Finished((item(0, 1.0),), (1.0,), phases, Tokens(prompt=9)))
        run.settle(finish=True)
        run.end(Status.DONE)
        recording = recorder.stop()
    for notes in (recording.notes, Recordings(history.store).get(recording.id).notes,
                  history.record(record.id).notes):  # fmt: skip
        assert [doubt.words() for doubt in notes.doubts] == ["One is odd."]
        assert [each.key for each in notes.unread] == ["odd:two"]
