"""Benchmarks run to their end, stopped, killed and gone on with, on the real starter model."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from monitor.bench.events import (
    BenchEvent,
    Paused,
    Planned,
    Progressed,
    RunBegan,
    RunEnded,
    SuiteEnded,
    WarmUp,
)
from monitor.bench.plan import Entrant
from monitor.bench.runner import Runner
from monitor.bench.sentences import idle_line, total_line, verdicts
from monitor.bench.suites import Suite, SuiteError, find_suite
from monitor.bench.summary import SuiteResult, summarise
from monitor.bench.task import DatasetError
from monitor.energy.account import LOAD
from monitor.engine.client import Engine
from monitor.engine.messages import PrefillStarted, Scored
from monitor.loading import LoadOptions
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.store.history import History
from monitor.store.records import Status
from monitor.store.verdicts import Ending, SuiteVerdict

TWO_THREADS = LoadOptions(threads=2)

ANIMALS = ("dog", "cat", "horse", "cow", "hen", "duck", "goat", "sheep")
SOUNDS = ("barks", "meows", "neighs", "moos", "clucks", "quacks", "bleats", "baas")
MOODS = ("happy", "hungry", "sleepy", "lonely", "angry")
ITEMS = len(ANIMALS) * len(MOODS)
"""Three batches of the engine: the first is billed and stored while the last is computed."""


def write_items(folder: Path) -> Path:
    """Write the questions, one's own in JSON Lines."""
    path = folder / "animals.jsonl"
    lines = [
        {
            "question": f"What does a {mood} {animal} do?",
            "choices": [f"It {sound}.", "It sings.", "It reads."],
            "answer": 0,
        }
        for mood in MOODS
        for animal, sound in zip(ANIMALS, SOUNDS, strict=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_suite(items: Path) -> Path:
    """Write a suite of the questions, without measuring the idle machine."""
    path = items.with_name("animals.toml")
    path.write_text(
        f'title = "Animals"\nidle_s = 0\nwarm_up = 0\n[[parts]]\nname = "Sounds"\n'
        f'task = "custom"\ndata = "{items.name}"\n'
    )
    return path


@pytest.fixture
def items(tmp_path: Path) -> Path:
    """The questions, for the test to change."""
    return write_items(tmp_path)


@pytest.fixture
def suite_file(items: Path) -> Path:
    """Their suite."""
    return write_suite(items)


class Bench:
    """A runner with its services, and what it told."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.history = History(path)
        self.engine = engine
        self.sampler = Sampler()
        self.sampler.start()
        self.runner = Runner(self.sampler, self.engine, self.history)
        self.events: list[BenchEvent] = []

    def run(
        self,
        suite: Suite,
        entrants: list[Entrant],
        budget_j: float | None = None,
        react: Callable[[BenchEvent], None] = lambda event: None,
    ) -> SuiteResult:
        return self.follow(self.runner.run(suite, entrants, budget_j), react)

    def follow(
        self,
        events: Iterator[BenchEvent],
        react: Callable[[BenchEvent], None] = lambda event: None,
    ) -> SuiteResult:
        self.events = []
        for event in events:
            self.events.append(event)
            react(event)
        planned = next(event for event in self.events if isinstance(event, Planned))
        return summarise(self.history, planned.suite_id)

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        self.sampler.stop()
        self.history.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all, which keeps the model loaded from test to test; one that dies is replaced."""
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def bench(engine: Engine) -> Iterator[Bench]:
    made = Bench(database_path(), engine)
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(
    engine: Engine, shallow: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Bench, SuiteResult]]:
    """The suite run without a break, which nothing changes any more."""
    folder = tmp_path_factory.mktemp("whole")
    made = Bench(folder / "history.db", engine)
    suite = find_suite(str(write_suite(write_items(folder))))
    yield made, made.run(suite, [Entrant(shallow, TWO_THREADS)])
    made.close()


def outcomes(bench: Bench, result: SuiteResult, run: int = 0) -> list[tuple[Any, ...]]:
    """What must not depend on how a run came about: every score, to the last bit."""
    stored = bench.history.benchmarks.items(result.runs[run].record.id)
    return [(item.position, item.pred, item.correct, item.scores) for item in stored]


def test_a_suite_from_its_plan_to_its_results(whole: tuple[Bench, SuiteResult]) -> None:
    bench, result = whole
    assert result.suite.status is Status.DONE
    run = result.runs[0]
    assert run.row.sums.done == ITEMS
    assert run.accuracy
    assert run.row.start.chance == pytest.approx(1 / 3)
    items = bench.history.benchmarks.items(run.record.id)
    assert [item.position for item in items] == list(range(ITEMS))
    assert run.accuracy.value == pytest.approx(sum(i.correct or 0 for i in items) / ITEMS)
    # Every joule of the run is an item's, and each item has its share.
    joules = [item.energy_j for item in items]
    assert all(value is not None and value > 0 for value in joules)
    assert sum(value or 0 for value in joules) == pytest.approx(run.record.bill.total().joules)
    assert sum(item.seconds for item in items) == pytest.approx(run.record.seconds.total)
    # The run is a query of the history, with its bill, its curve, and the load beside it.
    assert run.record.kind == "bench"
    assert bench.history.trace(run.record.id)
    assert run.record.bill.phases() == ("prefill",)
    assert run.record.tokens.reused > 0
    progress = bench.told(Progressed)
    assert progress[-1].done == ITEMS
    assert progress[-1].left
    assert progress[-1].left.seconds == pytest.approx(0)
    assert isinstance(bench.events[-1], SuiteEnded)


def test_speed_and_prompts_and_written_answers(bench: Bench, starter: Path, tmp_path: Path) -> None:
    (tmp_path / "sums.jsonl").write_text(
        json.dumps({"prompt": "One, two, three,", "answer": "four", "match": "regex"}) + "\n"
        + json.dumps({"prompt": "The opposite of hot is", "answer": "purple"}) + "\n"
    )  # fmt: skip
    path = tmp_path / "mixed.toml"
    path.write_text(
        "idle_s = 0.3\nwarm_up = 1\n"
        '[[parts]]\nkind = "speed"\nprefill = 64\ndecode = 8\ntimes = 2\n'
        '[[parts]]\ntask = "custom"\nname = "Written"\ndata = "sums.jsonl"\n'
        '[[parts]]\nkind = "prompts"\nprompts = ["What is a watt?"]\nmax_tokens = 8\n'
    )
    result = bench.run(find_suite(str(path)), [Entrant(starter, TWO_THREADS)])
    assert result.suite.status is Status.DONE
    speed, written, prompts = result.runs
    assert speed.prefill
    assert speed.decode
    assert (speed.prefill.tokens, speed.decode.tokens) == (64, 8)
    assert speed.prefill.tokens_per_s > speed.decode.tokens_per_s > 0
    assert speed.prefill.per_token
    assert speed.prefill.sd is not None
    assert set(speed.record.bill.phases()) == {"warm-up", "prefill", "decode"}
    items = bench.history.benchmarks.items(speed.record.id)
    each_j = speed.merit.joules_per_item
    assert each_j
    assert sum(item.energy_j or 0 for item in items) == pytest.approx(each_j * len(items))
    assert "of warm-up in" not in total_line(result)
    assert "of warm-up" in total_line(result)
    assert written.accuracy
    assert written.accuracy.value == 0.5
    answers = bench.history.benchmarks.items(prompts.record.id)
    assert answers[0].answer
    assert answers[0].correct is None
    assert prompts.printed is None
    # Other tests may compute beside this one: what is drawn then is no idle, and that is said.
    is_idle = result.suite.idle_before_w is not None and result.suite.idle_after_w is not None
    assert is_idle is ("not known" not in idle_line(result))


def test_stopped_and_gone_on_with_it_ends_as_an_unbroken_run(
    bench: Bench, shallow: Path, suite_file: Path, whole: tuple[Bench, SuiteResult]
) -> None:
    stopped = bench.run(
        find_suite(str(suite_file)),
        [Entrant(shallow, TWO_THREADS)],
        react=lambda event: bench.runner.cancel() if isinstance(event, Scored) else None,
    )
    assert stopped.suite.status is Status.STOPPED
    assert 0 < stopped.runs[0].row.sums.done < ITEMS
    again = bench.follow(bench.runner.resume(stopped.suite.id[-8:]))
    assert again.suite.status is Status.DONE
    assert bench.told(RunBegan)[0].done == stopped.runs[0].row.sums.done
    assert outcomes(bench, again) == outcomes(*whole)
    bill = again.runs[0].record.bill.total().joules
    first = stopped.runs[0].record.bill.total().joules
    assert bill is not None
    assert first is not None
    assert bill > first > 0
    with pytest.raises(SuiteError, match="complete"):
        list(bench.runner.resume(again.suite.id))


def test_what_a_stop_cuts_off_is_billed_and_was_told_meanwhile(
    bench: Bench, shallow: Path, tmp_path: Path
) -> None:
    path = tmp_path / "speed.toml"
    path.write_text(
        "idle_s = 0\nwarm_up = 1\n"
        '[[parts]]\nkind = "speed"\nprefill = 64\ndecode = 4000\ntimes = 1\n'
    )
    since_warm_up: list[BenchEvent] = []
    told = 0.0

    def look() -> None:
        # Within the long decode, of which no item is done.
        nonlocal told
        deadline_s = time.monotonic() + 60
        while not told and time.monotonic() < deadline_s:
            time.sleep(0.05)
            spent = bench.runner.spent()
            told = (spent and spent.step == 0 and spent.step_j) or 0.0
        bench.runner.cancel()

    def react(event: BenchEvent) -> None:
        if isinstance(event, WarmUp):
            since_warm_up.clear()
        if isinstance(event, WarmUp | PrefillStarted):
            since_warm_up.append(event)
            is_item = since_warm_up[0] == WarmUp(is_over=True)
            if is_item and len(since_warm_up) == 3:  # the prefill is done; now come answer tokens
                threading.Thread(target=look).start()

    stopped = bench.run(find_suite(str(path)), [Entrant(shallow, TWO_THREADS)], react=react)
    assert stopped.suite.status is Status.STOPPED
    run = stopped.runs[0]
    assert run.row.sums.done == 1, "the prefill"
    assert told > 0
    bill = run.record.bill
    cut_j, warm_j = bill.total("cut").joules, bill.total("warm-up").joules
    assert cut_j
    assert warm_j
    assert run.merit.joules_per_item
    whole_j = bill.total().joules
    assert whole_j == pytest.approx(cut_j + warm_j + run.merit.joules_per_item)
    assert whole_j >= told
    assert "of unfinished items" in total_line(stopped)
    assert bench.runner.spent() is None


KILLED = """
import os, signal
from monitor.cli import main
from monitor.store.benchmarks import Benchmarks
store = Benchmarks.progress
def store_and_die(self, run_id, items, *rest):
    store(self, run_id, items, *rest)
    if items:
        os.kill(os.getpid(), signal.SIGKILL)
Benchmarks.progress = store_and_die
main()
"""
"""The command, killed once its first items are stored: from outside it might be over by then."""


def test_killed_by_the_system_and_gone_on_with(
    bench: Bench,
    suite_file: Path,
    shallow: Path,
    whole: tuple[Bench, SuiteResult],
) -> None:
    asked = ("bench", "run", str(suite_file), "--model", str(shallow), "--threads", "2")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *asked], capture_output=True, timeout=100
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (suite,) = bench.history.benchmarks.suites()
    (row,) = bench.history.benchmarks.runs(suite.id)
    assert 0 < row.sums.done < ITEMS
    bench.close()
    after = Bench(database_path(), bench.engine)
    assert after.history.benchmarks.suite(suite.id).status is Status.INTERRUPTED
    again = after.follow(after.runner.resume(suite.id))
    assert outcomes(after, again) == outcomes(*whole)
    after.close()


def computed_in_a_second(process: psutil.Process) -> float:
    """Return the processor's seconds that a process takes of the next second."""
    before = process.cpu_times()
    time.sleep(1.0)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def test_paused_nothing_is_computed_until_it_goes_on(
    bench: Bench, starter: Path, suite_file: Path
) -> None:
    held_s: list[float] = []
    released_s: list[float] = []

    def go_on() -> None:
        # The batch under way is finished first, however long that takes.
        assert bench.engine.pid is not None
        engine = psutil.Process(bench.engine.pid)
        while computed_in_a_second(engine) > 0.5:
            pass
        released_s.append(time.monotonic())
        bench.runner.go_on()

    def react(event: BenchEvent) -> None:
        if isinstance(event, Scored) and not held_s:
            bench.runner.pause()
            held_s.append(time.monotonic())
            threading.Thread(target=go_on).start()

    suite = find_suite(str(suite_file)).with_settings(None, 24)
    result = bench.run(suite, [Entrant(starter, TWO_THREADS)], react=react)
    assert result.suite.status is Status.DONE
    assert bench.told(Paused)
    batches = [(event.start_s, event.end_s) for event in bench.told(Scored)]
    # The batch under way is finished; the next begins only after the pause.
    assert len([start_s for start_s, _ in batches if held_s[0] < start_s < released_s[0]]) <= 1
    assert not [batch for batch in batches if batch[0] < released_s[0] < batch[1]]
    assert batches[-1][0] > released_s[0]
    # The pause is not billed.
    total_s = result.runs[0].record.seconds.total
    assert total_s == pytest.approx(sum(end_s - start_s for start_s, end_s in batches))
    assert total_s < batches[-1][1] - batches[0][0] - 0.5


def easy_suite(folder: Path) -> Suite:
    """Two hundred questions any model answers, and one that only counts tokens gets wrong."""
    words = ["the dog barked loudly at the postman", "xq zzkv wplm"]
    lines = [{"question": f"Finish it, {n}:", "choices": words, "answer": 0} for n in range(200)]
    (folder / "easy.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = folder / "easy.toml"
    path.write_text('idle_s = 0\nwarm_up = 0\n[[parts]]\ntask = "custom"\ndata = "easy.jsonl"\n')
    return find_suite(str(path))


def test_a_budget_ends_what_cannot_be_told_apart(
    bench: Bench, starter: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.gguf"
    shutil.copy(starter, twin)
    entrants = [Entrant(starter, TWO_THREADS), Entrant(twin, TWO_THREADS)]
    # Enough for some items of both while other programs compute, too little for all when none does.
    result = bench.run(easy_suite(tmp_path), entrants, 45.0)
    verdict = result.suite.verdict
    assert verdict
    assert verdict.reason is Ending.BUDGET
    assert not verdict.pairs[0].settled
    assert result.suite.status is Status.DONE
    done = [run.row.sums.done for run in result.runs]
    assert 0 < min(done) <= max(done) < 200
    spent_j = sum(run.record.bill.total().joules or 0 for run in result.runs)
    assert spent_j > 45.0 / 2, "loading takes part of it, but not the most"


def test_a_budget_goes_to_what_is_judged_and_is_kept(
    bench: Bench, starter: Path, tmp_path: Path
) -> None:
    easy_suite(tmp_path)
    path = tmp_path / "mixed.toml"
    path.write_text(
        "idle_s = 0\nwarm_up = 0\n"
        '[[parts]]\nkind = "speed"\nprefill = 128\ndecode = 16\ntimes = 5\n'
        '[[parts]]\ntask = "custom"\ndata = "easy.jsonl"\n'
    )
    budget_j = 24.0
    result = bench.run(find_suite(str(path)), [Entrant(starter, TWO_THREADS)], budget_j)
    (run,) = result.runs
    assert run.row.start.kind == "quality", "nothing is left for the speed test"
    bill = run.record.bill
    spent_j = (bill.total().joules or 0.0) + (bill.total(LOAD).joules or 0.0)
    items = bench.history.benchmarks.items(run.record.id)
    # What was computed last went beyond it, and nothing was begun after that.
    last = items[-len(bench.told(Scored)[-1].questions) :]
    assert spent_j - sum(item.energy_j or 0.0 for item in last) < budget_j <= spent_j
    assert [item.position for item in items] == list(range(len(items)))
    assert "It ended because the budget was spent." in verdicts(result)


def test_a_budget_spent_before_anything_is_compared_is_told(
    bench: Bench, starter: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.gguf"
    shutil.copy(starter, twin)
    entrants = [Entrant(starter, TWO_THREADS), Entrant(twin, TWO_THREADS)]
    # Less than the first item takes on any machine, the model being loaded already or not.
    result = bench.run(easy_suite(tmp_path), entrants, 0.001)
    assert result.suite.verdict == SuiteVerdict((), Ending.BUDGET)
    assert verdicts(result) == ["It ended because the budget was spent."]


def test_models_that_differ_are_told_apart_before_all_is_done(
    bench: Bench, starter: Path, shallow: Path, tmp_path: Path
) -> None:
    hollow = tmp_path / "hollow.gguf"
    weights = bytearray(shallow.read_bytes())
    weights[-15_000_000:] = bytes(15_000_000)
    hollow.write_bytes(weights)
    entrants = [Entrant(starter, TWO_THREADS), Entrant(hollow, TWO_THREADS)]
    result = bench.run(easy_suite(tmp_path), entrants, 3600.0)
    verdict = result.suite.verdict
    assert verdict
    assert verdict.reason is Ending.SETTLED
    assert verdict.pairs[0].better == 0
    assert all(run.row.sums.done < 200 for run in result.runs)


def test_what_changed_since_is_refused(bench: Bench, shallow: Path, suite_file: Path) -> None:
    stopped = bench.run(
        find_suite(str(suite_file)),
        [Entrant(shallow, TWO_THREADS)],
        react=lambda event: bench.runner.cancel() if isinstance(event, Scored) else None,
    )
    data = suite_file.with_name("animals.jsonl")
    data.write_text(data.read_text().replace("reads", "writes"))
    with pytest.raises(SuiteError, match="questions have changed"):
        list(bench.runner.resume(stopped.suite.id))
    with pytest.raises(KeyError, match="no benchmark"):
        list(bench.runner.resume("ffffffff"))


def test_what_was_deleted_is_not_gone_on_with(
    bench: Bench, shallow: Path, suite_file: Path
) -> None:
    stopped = bench.run(
        find_suite(str(suite_file)),
        [Entrant(shallow, TWO_THREADS)],
        react=lambda event: bench.runner.cancel() if isinstance(event, Scored) else None,
    )
    run = stopped.runs[0]
    numbers = bench.history.browse.numbers_of([run.record.id])
    bench.history.edits.delete(numbers)
    with pytest.raises(SuiteError, match=f"history delete --undo {run.record.id}"):
        list(bench.runner.resume(stopped.suite.id))
    assert bench.history.benchmarks.suite(stopped.suite.id).status is Status.STOPPED
    bench.history.edits.restore(numbers)
    assert bench.follow(bench.runner.resume(stopped.suite.id)).suite.status is Status.DONE


def test_nothing_is_stored_of_what_cannot_begin(
    bench: Bench, shallow: Path, suite_file: Path
) -> None:
    data = suite_file.with_name("animals.jsonl")
    data.write_text(data.read_text() + '{"question": "half a ro')
    with pytest.raises(DatasetError, match=r"(row|line) 41"):
        list(bench.runner.run(find_suite(str(suite_file)), [Entrant(shallow)]))
    assert not bench.history.benchmarks.suites()
    assert not bench.history.records()


def test_an_engine_that_dies_leaves_what_was_done(
    bench: Bench, shallow: Path, suite_file: Path
) -> None:
    def kill(event: BenchEvent) -> None:
        if isinstance(event, Scored) and bench.engine.pid:
            bench.engine._process._popen.send_signal(signal.SIGKILL)  # type: ignore[union-attr]

    result = bench.run(find_suite(str(suite_file)), [Entrant(shallow, TWO_THREADS)], react=kill)
    assert result.suite.status is Status.FAILED
    assert "ended from outside" in result.suite.error
    assert result.runs[0].row.sums.done > 0
    again = bench.follow(bench.runner.resume(result.suite.id))
    assert again.suite.status is Status.DONE
    assert again.runs[0].row.sums.done == ITEMS
    assert bench.told(RunEnded)


# --- the command -----------------------------------------------------------------------------

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_quality_in_the_form_others_read(
    llamawatt: Command, here: Command, shallow: Path, items: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    done = llamawatt(
        "bench", "quality", "--model", str(shallow), "--task", "custom", "--data", str(items),
        "--limit", "6", "--shots", "2", "--items", str(out), "--threads", "2", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    needed = {
        "id", "task", "protocol", "items", "accuracy", "accuracy_norm", "stderr", "wilson_low",
        "wilson_high", "energy", "joules_per_item", "joules_per_correct", "seconds",
    }  # fmt: skip
    assert needed <= document.keys()
    assert document["items"] == 6
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 6
    line = lines[0]
    assert {
        "task", "index", "context", "choices", "gold", "pred", "pred_norm", "correct",
        "correct_norm", "energy_j", "seconds",
    } <= line.keys()  # fmt: skip
    assert line["context"].count("Question:") == 3
    assert {"text", "loglikelihood", "tokens", "greedy"} == line["choices"][0].keys()
    assert document["accuracy"] == sum(line["correct"] for line in lines) / 6
    values = [choice["loglikelihood"] for choice in line["choices"]]
    assert line["pred"] == values.index(max(values))
    shown = here("history", "show", document["id"], "--json")
    assert json.loads(shown.stdout)["energy"]["total_j"] == document["energy"]["total_j"]
    path = tmp_path / "quality.json"
    path.write_text(done.stdout)
    again = here("bench", "run", "--replay", str(path), "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["differences"]["runs"][0]["changed"] == []


def test_speed_in_the_form_others_read(here: Command, shallow: Path, tmp_path: Path) -> None:
    done = here(
        "bench", "speed", "--model", str(shallow), "--pp", "32", "--tg", "8", "--repeat", "2",
        "--threads", "2", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    for phase, tokens in (("pp", 32), ("tg", 8)):
        found = document[phase]
        assert found["tokens"] == tokens
        assert found["tokens_per_s"] > 0
        assert found["low"] <= found["joules_per_token"] <= found["high"]
    assert document["id"]
    assert document["energy"]["kind"] == "modelled"
    assert document["versions"]["processor"]
    path = tmp_path / "speed.json"
    path.write_text(done.stdout)
    again = here("bench", "run", "--replay", str(path), "--json")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)["differences"]
    assert found["conditions"] == {}
    assert found["runs"][0]["same_questions"]


def test_a_run_is_replayed_and_compared(
    here: Command, shallow: Path, suite_file: Path, tmp_path: Path
) -> None:
    first = here(
        "bench", "run", str(suite_file), "--model", str(shallow), "--limit", "4",
        "--threads", "2", "--json",
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    path = tmp_path / "run.json"
    path.write_text(first.stdout)
    again = here("bench", "run", "--replay", str(path), "--json")
    assert again.returncode == 0, again.stderr
    found = json.loads(again.stdout)["differences"]
    assert found["conditions"] == {}
    assert found["runs"][0]["changed"] == []
    assert found["runs"][0]["same_questions"]
    assert found["runs"][0]["energy_ratio"] > 0
    runs = [
        json.loads(first.stdout)["runs"][0]["id"],
        json.loads(again.stdout)["run"]["runs"][0]["id"],
    ]
    compared = here("bench", "compare", *runs, "--json")
    assert json.loads(compared.stdout)["flips"] == []
    other = here(
        "bench", "quality", "--model", str(shallow), "--task", "custom",
        "--data", str(suite_file.with_name("animals.jsonl")),
        "--limit", "4", "--shots", "1", "--threads", "2", "--json",
    )  # fmt: skip
    refused = here("bench", "compare", runs[0], json.loads(other.stdout)["id"])
    assert refused.returncode == 1
    assert "cannot be compared" in refused.stderr
    listed = json.loads(here("bench", "list", "--json").stdout)
    assert len(listed) == 3
    report = here("bench", "show", listed[-1]["id"][-8:], "--markdown")
    assert "# Animals" in report.stdout
    assert "| model | part |" in report.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quality", "--task", "hellaswag"), "bench get hellaswag"),
        (("quality", "--task", "hellaswag", "--data", "nowhere.txt"), "no file"),
        (("quality", "--task", "mmlu", "--data", "x", "--protocol", "llamacpp"), "not scored by"),
        (("run", "nosuch"), "no suite"),
        (("run",), "Name a suite"),
        (("run", "quick", "--budget", "5"), "is no energy"),
        (("run", "speed", "--limit", "1"), "Speed has no items to limit"),
        (("run", "quick", "--ctx", "999999"), "trained on contexts"),
        (("resume", "ffffffff"), "no benchmark"),
        (("show", "ffffffff"), "no benchmark"),
        (("compare", "ffffffff", "eeeeeeee"), "no query"),
    ],
)
def test_what_a_person_may_get_wrong(
    here: Command, arguments: tuple[str, ...], message: str
) -> None:
    done = here("bench", *arguments)
    assert done.returncode in (1, 2)
    assert message in " ".join(done.stderr.split())
    assert not done.stdout
