"""A capsule holds all that is known, comes back as it was, and tells what a replay changed."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from monitor.bench.replay import differences as bench_differences
from monitor.commands.exchange import export, import_file
from monitor.energy.account import Bill, Phase
from monitor.energy.baseline import above_idle
from monitor.energy.difference import Verdict
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import ChatMessage
from monitor.exchange.capsule_reading import BenchmarkCapsule, QueryCapsule, read_capsule
from monitor.exchange.files import ExchangeError
from monitor.exchange.intake import Machine
from monitor.exchange.replay import difference_lines, differences, replay_of
from monitor.exchange.sealed import digest
from monitor.loading import LoadOptions
from monitor.models.library import Found
from monitor.paths import database_path
from monitor.power.channel import Kind
from monitor.power.curve import Curve
from monitor.repeat import CannotRepeat
from monitor.store.baselines import Baselines
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status
from tests.unit.builders import BILL, CPU, outcome, query_start, stored_query
from tests.unit.test_baseline import idle_of
from tests.unit.test_bench_store import FIRST, PLAN, stored_run
from tests.unit.test_gauge_store import LINES

TRACE = StoredTrace(
    {
        CPU.key: Curve(
            np.array([-0.5, 0.0, 0.1, 0.2]),
            np.array([0.0, 5.0, 6.5, 8.25]),
            np.array([np.nan, 10.0, 15.0, 17.5]),
            np.array([0, 0, 1, 0], np.uint8),
            np.array([False, True, False, False]),
        )
    },
    (Phase("prefill", 0.0, 0.1), Phase("decode", 0.1, 0.2)),
)

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Another machine's history, which the commands use from now on."""
    monkeypatch.setattr(
        "monitor.store.history.this_machine",
        lambda: {"id": "another", "name": "another", "system": "", "processor": "", "threads": 1,
                 "memory_bytes": 1},
    )  # fmt: skip
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "elsewhere"))
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def record(history: History) -> QueryRecord:
    """A query of a conversation, with all that can be known of one."""
    first = history.begin(query_start(kind="chat", prompt="Hello", system="Be brief."))
    history.finish(first.query_id, outcome(text="Hi."))
    start = query_start(
        kind="chat",
        system="Be brief.",
        conversation_id=first.conversation_id,
        parent_id=first.answer_id,
        pue=1.2,
    )
    began = history.begin(start)
    ended = outcome(trace=encode_trace(TRACE, 0.0), gauges=LINES)
    return history.finish(began.query_id, ended)


def written(record_id: str, path: Path) -> Path:
    result = CliRunner().invoke(export, ["capsule", record_id[-12:], "-o", str(path)])
    assert result.exit_code == 0, result.output
    return path


def query_capsule(path: Path) -> QueryCapsule:
    read = read_capsule(path)
    assert isinstance(read, QueryCapsule)
    return read


def take_in(path: Path) -> Result:
    return CliRunner().invoke(import_file, [str(path), "--json"])


# --- a query -----------------------------------------------------------------------------


def test_a_capsule_comes_back_as_it_was(record: QueryRecord, tmp_path: Path) -> None:
    read = query_capsule(written(record.id, tmp_path / "capsule.json"))
    assert record.model
    model = replace(record.model, path="tiny.Q4_K_M.gguf")
    assert read.record == replace(record, model=model, conversation_id=None)
    assert read.record.bill == BILL
    assert read.messages == (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Hello"),
        ChatMessage("assistant", "Hi."),
        ChatMessage("user", "What is a watt?"),
    )
    assert read.origin.model_file
    assert read.origin.model_file.size_bytes == 1000


def test_a_capsule_of_an_earlier_version_has_no_readings_between_counts(
    record: QueryRecord, tmp_path: Path
) -> None:
    path = written(record.id, tmp_path / "capsule.json")
    assert sketched_of(path) == [False, True, False, False]
    document = json.loads(path.read_text())
    document["trace"]["curves"][0].pop("sketched")
    path.write_text(json.dumps({**document, "content_sha256": digest(document)}))
    assert sketched_of(path) is None


def sketched_of(path: Path) -> list[bool] | None:
    trace = query_capsule(path).trace
    assert trace
    sketched = trace.curves[CPU.key].sketched
    return None if sketched is None else sketched.tolist()


def test_what_a_self_test_found_travels_along(history: History, tmp_path: Path) -> None:
    restless = replace(BILL.lines[0], channel=replace(BILL.lines[0].channel, noise_w=1.5))
    bill = replace(BILL, lines=(restless, *BILL.lines[1:]))
    record = history.finish(history.begin(query_start()).query_id, outcome(bill=bill))
    assert query_capsule(written(record.id, tmp_path / "capsule.json")).record.bill == bill


def test_a_capsule_can_be_read_without_our_program(record: QueryRecord, tmp_path: Path) -> None:
    document = json.loads(written(record.id, tmp_path / "capsule.json").read_text())
    assert document["format"] == "llamawatt-capsule"
    assert document["query"]["model"]["sha256"] == "ab" * 32
    assert "/models/" not in json.dumps(document)
    bill = document["bill"]
    decode = [each for each in bill["lines"] if each["phase"] == "decode"]
    parts = [each for each in decode if bill["channels"][each["channel"]]["role"] == "part"]
    assert sum(each["energy"]["joules"] for each in parts) == pytest.approx(52.4)
    assert set(parts[0]["energy"]) == {"joules", "below_j", "above_j", "random_j"}
    (curve,) = document["trace"]["curves"]
    assert curve["time_s"] == [-0.5, 0.0, 0.1, 0.2]
    assert curve["power_w"] == [None, 10.0, 15.0, 17.5]
    assert curve["energy_j"] == [0.0, 5.0, 6.5, 8.25]
    assert curve["sketched"] == [0, 1, 0, 0]


def test_a_capsule_tells_the_idle_machine_its_query_is_above(
    history: History, tmp_path: Path
) -> None:
    bare = stored_query(history)
    idle = Baselines(history.store).keep(idle_of(BILL, 5.0, 20.0, 2.0))
    query = stored_query(history, above_idle=above_idle(BILL, idle))
    told, untold = (
        json.loads(written(each.id, tmp_path / f"{each.id}.json").read_text())
        for each in (query, bare)
    )
    assert told["idle"]["id"] == told["query"]["energy"]["baseline"]["id"] == idle.id
    assert [line["median_w"] for line in told["idle"]["channels"]] == [5.0, 20.0, 2.0]
    assert untold["idle"] is None


def test_a_capsule_is_kept_as_the_other_machines_query(
    record: QueryRecord, tmp_path: Path, elsewhere: History
) -> None:
    path = tmp_path / "capsule.json"
    with pytest.MonkeyPatch.context() as here:
        here.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
        written(record.id, path)
    mine = stored_query(elsewhere)
    assert json.loads(take_in(path).output)["rows"] == 1
    assert json.loads(take_in(path).output)["known"] == 1
    again = elsewhere.record(record.id)
    # The model is known here by its hash, so that its file's place is this machine's.
    assert again == replace(record, conversation_id=None)
    trace = elsewhere.trace(record.id)
    assert trace
    assert trace.curves[CPU.key].energy_j.tolist() == pytest.approx([0.0, 5.0, 6.5, 8.25])
    assert trace.phases == TRACE.phases
    machines = elsewhere.browse.choices().machines
    assert len(machines) == 2
    assert {row.id for row in elsewhere.browse.rows()} == {mine.id, record.id}


MISTAKES: list[tuple[Change, str]] = [
    (lambda d: d["query"].pop("tokens"), "capsule.json, query: it lacks “tokens”."),
    (lambda d: d["query"]["tokens"].update(prompt="12"),
     "capsule.json, query, tokens: “prompt” should be a whole number, 0 or more, and is '12'."),
    (lambda d: d["query"].update(status="fine"), "“status” should be one of running, done"),
    (lambda d: d["query"].update(status="running"), "it is still running"),
    (lambda d: d["query"].update(started_at="2026-01-01T00:00:00"), "tell its time zone"),
    (lambda d: d["bill"]["lines"][1].update(channel=9), "lines 2: there is no channel 9"),
    (lambda d: d["bill"]["lines"][1].update(coverage=1.5), "“coverage” should be 0 to 1"),
    (lambda d: d["bill"]["lines"].append(d["bill"]["lines"][0]), "two lines for one phase"),
    (lambda d: d["bill"]["channels"][0].update(kind="guess"), "“kind” should be one of"),
    (lambda d: d["trace"]["curves"][0]["time_s"].pop(), "not of one length"),
    (lambda d: d["trace"]["curves"][0].update(time_s=[3, 2, 1, 0]), "its times go back"),
    (lambda d: d["trace"]["curves"][0]["sketched"].pop(), "not of one length"),
    (lambda d: d["trace"]["curves"][0].update(sketched=[0, 2, 0, 0]),
     "“sketched” should be 0 or 1 for each reading"),
    (lambda d: d.update(messages=[]), "its “messages” are empty"),
    (lambda d: d.update(version=2), "later version of LlamaWatt"),
    (lambda d: d.update(kind="dream"), "“kind” should be query or benchmark"),
    (lambda d: d.update(machine=[]), "“machine” should be an object"),
]  # fmt: skip


def test_each_mistake_is_told_in_a_sentence(record: QueryRecord, tmp_path: Path) -> None:
    path = written(record.id, tmp_path / "capsule.json")
    sound = path.read_text()
    for change, told in MISTAKES:
        document = json.loads(sound)
        change(document)
        path.write_text(json.dumps({**document, "content_sha256": digest(document)}))
        with pytest.raises(ExchangeError) as error:
            read_capsule(path)
        assert told in str(error.value)


def test_a_changed_capsule_is_refused(record: QueryRecord, tmp_path: Path) -> None:
    path = written(record.id, tmp_path / "capsule.json")
    path.write_text(path.read_text().replace("A joule a second", "A joule a minute"))
    with pytest.raises(ExchangeError, match="was changed after it was written"):
        read_capsule(path)


def test_what_is_not_there_or_not_ended_makes_no_capsule(history: History, tmp_path: Path) -> None:
    result = CliRunner().invoke(export, ["capsule", "feedc0de"])
    assert "There is no query feedc0de." in result.output
    assert "There is no benchmark feedc0de." in result.output
    began = history.begin(query_start())
    result = CliRunner().invoke(export, ["capsule", began.query_id])
    assert "still running" in str(result.exception)


# --- repeating a query -------------------------------------------------------------------


def test_a_query_is_put_again_as_it_was(record: QueryRecord, tmp_path: Path) -> None:
    read = query_capsule(written(record.id, tmp_path / "capsule.json"))
    found = Found("tiny.Q4_K_M", Path("/elsewhere/tiny.Q4_K_M.gguf"), None)
    ask = replay_of(read, [found])
    assert ask.model == found.path
    assert ask.messages == read.messages
    assert ask.options == LoadOptions(4096, 2, -1)
    assert asdict(ask.sampling) == {
        "temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.0,
        "seed": 7, "stop": ("\n\n",), "max_tokens": None,
    }  # fmt: skip
    with pytest.raises(ModelFileError, match=r"No model file tiny.Q4_K_M.gguf is in the library"):
        replay_of(read, [])


def test_a_replay_tells_what_was_not_the_same(record: QueryRecord, tmp_path: Path) -> None:
    read = query_capsule(written(record.id, tmp_path / "capsule.json"))
    same = differences(read, read.record, read.origin.machine)
    assert (same.conditions, same.first_difference) == ((), None)
    assert same.energy
    assert same.energy.verdict is Verdict.CANNOT_TELL
    assert "same to the last character" in difference_lines(same)[0]
    dear = Bill(tuple(replace(each, energy=replace(each.energy, joules=3 * each.energy.joules))
                      for each in BILL.lines if each.energy))  # fmt: skip
    other = replace(
        read.record,
        text="A joule a minute.",
        settings={**read.record.settings, "threads": 8},
        bill=dear,
    )
    found = differences(read, other, Machine("another", "Other", "", "Fast", 8, None))
    assert {each.what for each in found.conditions} == {"machine", "processor", "threads"}
    assert found.first_difference == "A joule a second.".index("second")
    assert found.energy
    assert found.energy.verdict is Verdict.HIGHER
    assert any(each.startswith("Energy, measured: +200.0 %") for each in difference_lines(found))
    by_another = replace(other, bill=replace(dear, method=99))
    assert differences(read, by_another, read.origin.machine).energy is None


def test_what_was_no_question_is_not_put_again(history: History, tmp_path: Path) -> None:
    stored = stored_query(history)
    read = query_capsule(written(stored.id, tmp_path / "capsule.json"))
    imported = replace(read, record=replace(read.record, kind="import", model=None))
    with pytest.raises(CannotRepeat, match="cannot be put again"):
        replay_of(imported, [])


# --- a benchmark -------------------------------------------------------------------------


def test_a_benchmarks_capsule_is_what_a_replay_takes(history: History, tmp_path: Path) -> None:
    suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    run_id = stored_run(history, suite_id, FIRST)
    running = CliRunner().invoke(export, ["capsule", suite_id])
    assert "still running" in str(running.exception)
    history.benchmarks.note_idle(suite_id, "before", 21.5, Kind.COUNTER)
    history.benchmarks.finish_suite(suite_id, Status.DONE, "", None)
    path = written(run_id, tmp_path / "capsule.json")
    read = read_capsule(path)
    assert isinstance(read, BenchmarkCapsule)
    assert [model["path"] for model in read.document["plan"]["models"]] == ["a.gguf", "b.gguf"]
    assert bench_differences(read.document, read.document)["conditions"] == {}
    document = json.loads(path.read_text())
    assert document["idle"]["before_w"] == 21.5
    (run,) = document["runs"]
    assert run["data"]["sha256"] == "dd"
    assert [each["correct"] for each in run["questions"]] == [1.0, 0.0, 1.0, 0.0]
    assert run["bill"]["lines"][0]["energy"]["joules"] > 0
    refused = take_in(path)
    assert "bench run --replay" in str(refused.exception)
