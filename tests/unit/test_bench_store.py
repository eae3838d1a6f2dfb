"""Benchmarks as they are stored, and what is reckoned from them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from monitor import figures
from monitor.bench import forms
from monitor.bench.comparison import compare_runs
from monitor.bench.events import Left
from monitor.bench.idle import measure_idle
from monitor.bench.left import reckon_left
from monitor.bench.markdown import markdown_report
from monitor.bench.plan import Entrant, make_plan, plan_from_json
from monitor.bench.replay import differences, replay_lines
from monitor.bench.runlog import RunLog
from monitor.bench.sentences import gist, idle_line, total_line, verdicts
from monitor.bench.suites import Part, Suite, SuiteError
from monitor.bench.summary import RunResult, summarise
from monitor.bench.tables import (
    QUALITY_HEADER,
    RULES_HEADER,
    energy_cells,
    item_cells,
    model_name,
    points,
    quality_cells,
    sci_per_item,
    tables,
)
from monitor.bench.uncounted import AGAIN, CUT, WARM_UP
from monitor.bench.verdict import flips
from monitor.burn import Burner
from monitor.compare.board import Leaderboard
from monitor.compare.side_by_side import lay_side_by_side
from monitor.energy.account import LOAD, Bill, Phase
from monitor.energy.ledger import Ledger
from monitor.engine.messages import ChoiceScore
from monitor.loading import LoadOptions
from monitor.power.channel import Channel, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.store.bench_records import ItemRate, ItemRecord, RunStart, Sums
from monitor.store.filters import EVERYTHING
from monitor.store.history import History
from monitor.store.records import Seconds, Status, Tokens
from monitor.store.verdicts import Ending, PairVerdict, SuiteVerdict
from tests.unit.builders import (
    BILL,
    CPU,
    LACKING,
    channel,
    line,
    outcome,
    query_start,
    write_gguf,
)

PART = Part("Sounds", "quality", task="hellaswag", data="x")
PLAN = {
    "suite": json.loads(json.dumps(Suite("own", "Own", "", (PART,)).to_json())),
    "models": [
        {"path": "/models/a.gguf", "context": None, "threads": 2, "gpu_layers": -1,
         "name": "a Q4_0", "sha256": "aa"},
        {"path": "/models/b.gguf", "context": None, "threads": 2, "gpu_layers": -1,
         "name": "b Q8_0", "sha256": "bb"},
    ],
    "budget_j": None,
}  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


def item(position: int, correct: float, margin: float = 0.5, energy_j: float = 2.0) -> ItemRecord:
    return ItemRecord(
        position=position,
        row=position + 1,
        subject="birds" if position % 2 else "fish",
        prompt=f"Question {position} | with a bar",
        choices=("yes <b>", "no"),
        gold=(0,),
        scores=(ChoiceScore(-1.25, 2, False), ChoiceScore(-2.5, 3, True)),
        answer="",
        pred=0 if correct else 1,
        pred_norm=0 if correct else 1,
        correct=correct,
        correct_norm=correct,
        margin=margin if correct else -margin,
        prompt_tokens=12.5,
        completion_tokens=0,
        energy_j=energy_j,
        seconds=0.25,
    )


def run_start(suite_id: str, **changes: Any) -> RunStart:
    fields: dict[str, Any] = {
        "suite_id": suite_id, "step": 0, "part": "Sounds", "repeat": 0, "kind": "quality",
        "task": "hellaswag", "protocol": "lmh", "shots": 0, "data_path": "/data/x.txt",
        "data_sha256": "dd", "shots_sha256": "", "prompts_sha256": "pp", "chance": 0.25,
        "planned": 4,
    }  # fmt: skip
    return RunStart(**(fields | changes))


def stored_run(history: History, suite_id: str, items: Sequence[ItemRecord], **changes: Any) -> str:
    """Store a run of some items, in two steps as a running benchmark does."""
    began = history.begin(query_start(kind="bench", prompt="Sounds: 4 items"))
    row = history.benchmarks.begin_run(began.query_id, run_start(suite_id, **changes))
    sums = Sums()
    for some, status in ((items[:2], Status.RUNNING), (items[2:], Status.DONE)):
        sums = sums.plus(some)
        prefill = tuple(one for one in BILL.lines if one.phase in ("prefill", LOAD))
        history.benchmarks.progress(
            row.id,
            some,
            sums,
            outcome(
                status=status,
                tokens=Tokens(prompt=100, reused=50),
                seconds=Seconds(load=0.5, prefill=1.0, total=1.0),
                bill=replace(BILL, lines=prefill),
            ),
        )
    return row.id


@pytest.fixture
def suite_id(history: History) -> str:
    return history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})


FIRST = [item(0, 1.0), item(1, 0.0), item(2, 1.0), item(3, 0.0)]
SECOND = [item(0, 1.0, energy_j=1.0), item(1, 1.0, energy_j=1.0), item(2, 0.0, energy_j=1.0),
          item(3, 1.0, energy_j=1.0)]  # fmt: skip


def results(history: History, suite_id: str) -> list[RunResult]:
    return list(summarise(history, suite_id).runs)


def test_what_is_read_back_is_what_was_written(history: History, suite_id: str) -> None:
    run_id = stored_run(history, suite_id, FIRST)
    assert history.benchmarks.items(run_id) == FIRST
    row = history.benchmarks.run(run_id)
    assert row
    assert row.start == run_start(suite_id)
    assert (row.sums.done, row.sums.correct_sum, row.status) == (4, 2.0, Status.DONE)
    history.benchmarks.note_idle(suite_id, "before", 12.5, Kind.COUNTER)
    history.benchmarks.finish_suite(suite_id, Status.DONE, "", SuiteVerdict((), Ending.BUDGET))
    suite = history.benchmarks.suite(suite_id[-6:])
    assert (suite.plan, suite.idle_before_w, suite.idle_after_w) == (PLAN, 12.5, None)
    assert suite.verdict == SuiteVerdict((), Ending.BUDGET)
    assert history.benchmarks.run("nothing") is None


def test_a_suite_is_found_by_its_whole_identifier_or_what_is_its_alone(
    history: History, suite_id: str
) -> None:
    other = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    # As another program may have written them.
    history._store.write(
        lambda db: db.execute(
            "update bench_suites set id = iif(id = ?, 'suite1', 'suite12')", [suite_id]
        )
    ).result()
    assert history.benchmarks.suite("suite1").id == "suite1"
    assert history.benchmarks.suite("suite12").id == "suite12"
    with pytest.raises(KeyError, match="2 benchmarks match suit; give more"):
        history.benchmarks.suite("suit")
    with pytest.raises(KeyError, match=f"no benchmark {other}"):
        history.benchmarks.suite(other)


def test_the_same_question_is_kept_once(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)
    stored_run(history, suite_id, SECOND, step=1)
    assert history._store.read().table("bench_questions").count == 4
    assert history._store.read().table("bench_items").count == 8


def test_an_item_is_never_stored_without_its_bill(history: History, suite_id: str) -> None:
    run_id = stored_run(history, suite_id, FIRST)
    before = history.record(run_id)
    with pytest.raises(Exception, match="UNIQUE"):
        history.benchmarks.progress(
            run_id, FIRST[:1], Sums(done=99), outcome(text="never to be seen")
        )
    assert history.record(run_id) == before
    row = history.benchmarks.run(run_id)
    assert row
    assert row.sums.done == 4


def test_earlier_runs_alike_foretell_the_next(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)
    sha256 = query_start().sha256
    rate = history.benchmarks.past_rate(sha256, "quality", "hellaswag", 0)
    total = replace(BILL, lines=tuple(one for one in BILL.lines if one.phase == "prefill")).total()
    assert rate == ItemRate(
        pytest.approx(1.0 / 4), pytest.approx((total.joules or 0) / 4), total.kind
    ), "what is foretold is as sure as what it is reckoned from"
    assert history.benchmarks.past_rate(sha256, "quality", "hellaswag", 5) is None
    assert history.benchmarks.past_rate("cc", "quality", "hellaswag", 0) is None


def test_what_is_in_no_item_is_in_the_total_and_in_no_item(history: History, suite_id: str) -> None:
    plain_id = stored_run(history, suite_id, FIRST)
    run_id = stored_run(history, suite_id, FIRST, step=1)
    plain = history.record(plain_id)
    beside = (line(CPU, WARM_UP, 35.0), line(CPU, CUT, 75.0), line(CPU, AGAIN, 3.0))
    row = history.benchmarks.run(run_id)
    assert row
    history.benchmarks.progress(
        run_id,
        (),
        row.sums,
        outcome(
            tokens=plain.tokens,
            seconds=replace(plain.seconds, total=1.0 + 3 * 1.7),
            bill=replace(plain.bill, lines=(*plain.bill.lines, *beside)),
        ),
    )
    first, second = results(history, suite_id)
    items_j = plain.bill.total().joules
    assert items_j
    assert second.record.bill.total().joules == pytest.approx(items_j + 113.0)
    assert second.merit == first.merit, "an item takes what it took"
    assert sci_per_item(second) == pytest.approx(sci_per_item(first))
    # Nor does what is foretold of the next benchmark hold it.
    rate = history.benchmarks.past_rate(query_start().sha256, "quality", "hellaswag", 0)
    assert rate
    assert (rate.seconds, rate.joules) == (pytest.approx(0.25), pytest.approx(items_j / 4))
    told = total_line(summarise(history, suite_id))
    kind = beside[0].channel.kind
    words = [figures.marked(kind, f"{joules} J") for joules in (35, 75, 3)]
    assert (
        f", of it {words[0]} of warm-up, {words[1]} of unfinished items and "
        f"{words[2].replace('3 J', '3.00 J')} of items computed again"
    ) in told.replace("35.0", "35").replace("75.0", "75")
    # Laid side by side or ranked, items are compared.
    leaderboard = Leaderboard(history)
    board = leaderboard.board(leaderboard.exams(EVERYTHING)[0].key, EVERYTHING)
    assert board
    (entry,) = board.entries
    assert len(entry.run_ids) == 2
    assert entry.per_item
    assert entry.per_item.energy.joules == pytest.approx(items_j / 4)
    sides = lay_side_by_side(history, [plain_id, run_id])
    assert sides[1].per["item"].joules == pytest.approx(sides[0].per["item"].joules)
    replayed = forms.suite_json(summarise(history, suite_id), {plain_id: FIRST, run_id: FIRST})
    one, other = replayed["runs"]
    found = differences({**replayed, "runs": [one]}, {**replayed, "runs": [{**other, "step": 0}]})
    assert found["runs"][0]["energy_ratio"] == pytest.approx(1.0)


def test_a_summary_reckons_from_what_is_stored(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)
    run = results(history, suite_id)[0]
    assert run.accuracy
    assert run.accuracy.value == 0.5
    joules = run.record.bill.total().joules
    assert joules
    assert run.merit.joules_per_item == pytest.approx(joules / 4)
    assert run.merit.joules_per_correct == pytest.approx(joules / 2)
    # Half of the tokens were shared, and only those computed carry the energy.
    assert run.prefill_j_per_token == pytest.approx(joules / 50)
    assert run.decode_j_per_token is None
    subjects = {name: accuracy.value for name, accuracy in run.subjects.items()}
    assert subjects == {"birds": 0.0, "fish": 1.0}
    listed = markdown_report(summarise(history, suite_id))
    assert "| fish | 100.0 % ± 0.0 (34.2–100.0 %) |" in listed
    # Within each subject nothing scatters, so that by subject the mean of all is sure.
    assert run.stderr_by_subject == 0
    assert "| all | 50.0 % ± 0.0 (15.0–85.0 %) |" in listed
    assert forms.quality_json(run)["stderr"] == pytest.approx(0.288675)
    assert "energy × delay" in listed
    assert "SCI/item" in listed
    # Four items; then 2 mg of the device's making fall on the run beside its electricity.
    operational = run.record.footprint
    assert operational
    assert sci_per_item(run) == pytest.approx(operational.grams / 4)
    history.store.write(lambda db: db.execute("update queries set embodied_g = 0.002")).result()
    with_device = results(history, suite_id)[0]
    assert sci_per_item(with_device) == pytest.approx((operational.grams + 0.002) / 4)
    assert f"| {figures.mass((operational.grams + 0.002) / 4)} |" in markdown_report(
        summarise(history, suite_id)
    )


def test_flips_and_what_they_saved(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)
    stored_run(history, suite_id, SECOND[:3], step=1)
    first, second = results(history, suite_id)
    found = compare_runs(history, first, second)
    assert found.items == 3
    assert [(flip.item.position, flip.gained) for flip in found.flips] == [(1, True), (2, False)]
    # Only the items both have done are compared: 6 J against 3 J.
    assert found.joules_saved == pytest.approx(3.0)
    assert found.joules_saved_per_flip == pytest.approx(1.5)
    assert "2 of 3 items flipped: 1 now right, 1 now wrong" in found.sentence
    assert found.to_json()["gained"] == 1
    assert [flip["pred"] for flip in found.to_json()["flips"]] == [[1, 0], [0, 1]]
    lacking = replace(second, record=replace(second.record, bill=LACKING))
    found = compare_runs(history, first, lacking)
    assert found.joules_saved is None
    assert found.sentence.endswith("their energies are not compared.")
    assert compare_runs(history, lacking, lacking).joules_saved == pytest.approx(0.0)
    same = compare_runs(history, first, first)
    assert not same.flips
    assert same.joules_saved_per_flip is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"protocol": "llamacpp"}, "protocols"),
        ({"data_sha256": "ee"}, "datasets"),
        ({"task": "mmlu"}, "tasks"),
        ({"shots": 5}, "worked examples"),
        ({"shots_sha256": "ff"}, "worked examples"),
    ],
)
def test_runs_that_were_asked_otherwise_are_not_compared(
    history: History, suite_id: str, change: dict[str, Any], word: str
) -> None:
    stored_run(history, suite_id, FIRST)
    stored_run(history, suite_id, SECOND, step=1, **change)
    with pytest.raises(SuiteError, match=word):
        compare_runs(history, *results(history, suite_id))


def test_a_report_holds_every_figure_and_breaks_on_no_text(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST, part="Sounds | and fury")
    pair = PairVerdict("Sounds", 0, 1, 40, 20, 4, 99.0, True, 0)
    verdict = SuiteVerdict((pair, replace(pair, settled=False, better=None)), Ending.BUDGET)
    history.benchmarks.note_idle(suite_id, "before", 12.5, Kind.COUNTER)
    history.benchmarks.finish_suite(suite_id, Status.STOPPED, "", verdict)
    text = markdown_report(summarise(history, suite_id))
    assert "50.0 %" in text
    assert "Sounds \\| and fury" in text
    assert "a Q4_0 does better than b Q8_0 (20 : 4 of 40 items)" in text
    assert "cannot be told apart" in text
    assert "budget was spent" in text
    assert "before ● 12.5 W" in text
    assert "stopped" in text
    assert "`dd`" in text


PAIR = asdict(PairVerdict("Sounds", 0, 1, 40, 20, 4, 99.0, True, 0))


@pytest.mark.parametrize(
    "verdict",
    [
        "",
        "{damaged",
        "[]",
        {"suite": "x"},
        {"pairs": 3, "reason": "budget"},
        {"pairs": ["lost"], "reason": "budget"},
        {"pairs": [{"part": "Sounds"}], "reason": "budget"},
        {"pairs": [PAIR | {"second": 7}], "reason": "budget"},
        {"pairs": [PAIR | {"first": -1}], "reason": "budget"},
        {"pairs": [PAIR | {"wins": "many"}], "reason": "budget"},
        {"pairs": [PAIR | {"better": 2}], "reason": "budget"},
        {"pairs": [], "reason": ["budget"]},
    ],
)
def test_a_damaged_verdict_is_said_and_keeps_nothing_else_from_the_report(
    history: History, suite_id: str, verdict: str | dict[str, Any]
) -> None:
    stored_run(history, suite_id, FIRST)
    text = verdict if isinstance(verdict, str) else json.dumps(verdict)
    history.store.write(
        lambda db: db.execute("update bench_suites set verdict = ?", [text])
    ).result()
    result = summarise(history, suite_id)
    assert "50.0 %" in markdown_report(result)
    (sentence,) = verdicts(result)
    assert "can no longer be read" in sentence
    assert forms.suite_json(result, {result.runs[0].record.id: []})["verdict"] == {
        "pairs": (),
        "reason": "unreadable",
    }


def test_a_verdict_of_models_that_the_plan_no_longer_names_is_said_to_be_lost(
    history: History, suite_id: str
) -> None:
    stored_run(history, suite_id, FIRST)
    verdict = SuiteVerdict((PairVerdict(**PAIR),), Ending.COMPLETE)
    history.benchmarks.finish_suite(suite_id, Status.DONE, "", verdict)
    (sentence,) = verdicts(summarise(history, suite_id))
    assert "a Q4_0 does better than b Q8_0" in sentence
    history.store.write(lambda db: db.execute("update bench_suites set plan = '{damaged'")).result()
    (sentence,) = verdicts(summarise(history, suite_id))
    assert "can no longer be read" in sentence


def test_a_plan_whose_suite_is_damaged_keeps_the_figures_of_its_runs(
    history: History, suite_id: str
) -> None:
    stored_run(history, suite_id, FIRST)
    history.store.write(
        lambda db: db.execute("update bench_suites set plan = ?", ['{"suite": "lost"}'])
    ).result()
    result = summarise(history, suite_id)
    assert "50.0 %" in markdown_report(result)
    assert idle_line(result) == ""


def test_the_total_is_the_sum_of_the_table_and_loading_stands_beside_it(
    history: History, suite_id: str
) -> None:
    run_id = stored_run(history, suite_id, FIRST)
    history.benchmarks.finish_suite(suite_id, Status.STOPPED, "", None)
    bill = history.record(run_id).bill
    result = summarise(history, suite_id)
    total, load = figures.energy(bill.total().joules), figures.energy(bill.total(LOAD).joules)
    assert total != load
    assert total_line(result).startswith(f"{energy_cells(result.runs[0])[2]} and ")
    assert total in total_line(result)
    assert total_line(result).endswith(f"; loading the models took ◐ {load} beside that.")


def test_a_machine_that_was_not_idle_has_no_idle_figure(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)
    history.benchmarks.note_idle(suite_id, "before", 12.5, Kind.COUNTER)
    history.benchmarks.finish_suite(suite_id, Status.DONE, "", None)
    assert idle_line(summarise(history, suite_id)) == (
        "Idle machine: before ● 12.5 W, not known after, as other programs kept it busy."
    )


def test_nothing_is_idle_while_another_program_computes() -> None:
    sampler = Sampler(hz=10)
    sampler.start()
    try:
        sampler.wait_ready(5.0)
        with Burner(cores=1):
            assert measure_idle(sampler, 1.0, lambda: False) is None
    finally:
        sampler.stop()


def test_what_is_left_is_told_by_other_parts_until_a_part_has_begun(
    history: History, tmp_path: Path
) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"question": "Which?", "choices": ["a", "b"], "answer": 0}) + "\n")
    parts = tuple(Part(name, "quality", task="custom", data=str(own)) for name in ("A", "B"))
    speed = Part("Speed", "speed")
    entrant = Entrant(write_gguf(tmp_path / "a.gguf"), LoadOptions(threads=2))
    plan = make_plan(Suite("own", "Own", "", (speed, *parts)), [entrant], None)
    suite_id = history.benchmarks.begin_suite("own", "Own", plan.to_json(), {})

    def left(runs: dict[int, RunLog], ended: set[int]) -> Left | None:
        return reckon_left(plan, runs, ended, lambda _step: None)

    assert left({}, set()) is None
    stored_run(history, suite_id, FIRST, step=1, part="A")
    (row,) = history.benchmarks.runs(suite_id)
    run = RunLog(Sampler(), history, row, history.record(row.id), by_length=False)
    assert left({1: run}, {1}) is None, "nothing is known of a speed test by questions"
    found = left({1: run}, {0, 1})
    joules = run.bill.total().joules
    assert joules
    kind = run.bill.total().kind
    assert found == Left(pytest.approx(1.0 / 4), pytest.approx(joules / 4), True, kind)
    assert left({1: run}, {0, 1, 2}) == Left(0.0, 0.0, is_rough=False)


def test_a_replay_says_what_differs(history: History, suite_id: str) -> None:
    stored_run(history, suite_id, FIRST)

    def document(suite: str) -> dict[str, Any]:
        result = summarise(history, suite)
        items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
        made: dict[str, Any] = json.loads(json.dumps(forms.suite_json(result, items)))
        return made

    changed = {**PLAN, "models": [{**PLAN["models"][0], "sha256": "zz"}, PLAN["models"][1]]}  # type: ignore[index,dict-item]
    other = history.benchmarks.begin_suite("own", "Own", changed, {"llamawatt": "0.2.0"})
    stored_run(history, other, SECOND)
    before = document(suite_id)
    found = differences(before, document(other))
    assert found["conditions"] == {
        "llamawatt": ["0.1.0", "0.2.0"],
        "sha256 of a Q4_0": ["aa", "zz"],
    }
    assert found["runs"][0]["changed"] == [1, 2, 3]
    assert found["runs"][0]["accuracy"] == [0.5, 0.75]
    lines = "\n".join(replay_lines(found))
    assert "3 of 4 items came out otherwise" in lines
    assert "was 0.1.0, is 0.2.0" in lines
    # HellaSwag is printed by length: what only the other measure took otherwise is no change.
    alike = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    stored_run(history, alike, [replace(one, pred=9, correct=0.0) for one in FIRST])
    assert differences(before, document(alike))["runs"][0]["changed"] == []


def test_a_replay_names_model_and_repeat_and_settings_are_told(
    history: History, suite_id: str
) -> None:
    stored_run(history, suite_id, FIRST, step=0)
    stored_run(history, suite_id, FIRST, step=1, repeat=1)
    result = summarise(history, suite_id)
    items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
    made = json.loads(json.dumps(forms.suite_json(result, items)))
    model = result.runs[0].record.model
    assert model
    name = f"{model.name} {model.quantisation}"
    lines = replay_lines(differences(made, made))
    assert [line.split(":")[0] for line in lines] == [
        f"{name}, Sounds",
        f"{name}, Sounds, repeat 2",
    ]
    twice = [{"name": name, "sha256": model.sha256, "threads": count} for count in (2, 4)]
    other = history.benchmarks.begin_suite("own", "Own", {**PLAN, "models": twice}, {})
    stored_run(history, other, FIRST)
    (run,) = summarise(history, other).runs
    assert model_name(run) == f"{name} (threads {run.record.settings['threads']})"


def test_a_flip_shows_the_choices_that_flipped(history: History, suite_id: str) -> None:
    """HellaSwag is printed by length: without it both runs took the same choice."""
    stored_run(history, suite_id, [replace(one, pred=1, correct=0.0) for one in FIRST])
    stored_run(history, suite_id, [replace(one, pred=1, correct=0.0) for one in SECOND], step=1)
    found = compare_runs(history, *results(history, suite_id)).to_json()
    assert [flip["pred"] for flip in found["flips"]] == [[1, 0], [0, 1], [1, 0]]


def test_table_and_json_tell_the_same_of_a_task_scored_by_length(
    history: History, suite_id: str
) -> None:
    by_length = [replace(one, correct_norm=float(one.position < 3)) for one in FIRST]
    stored_run(history, suite_id, by_length)
    (run,) = results(history, suite_id)
    told = forms.run_json(run)
    joules, grams = run.record.bill.total().joules, run.record.footprint
    assert joules
    assert grams
    wh_per_1000 = joules / 4 * 1000 / 3600
    for ending, right in (("", 2), ("_norm", 3)):
        assert told[f"accuracy{ending}"] == right / 4
        assert told[f"joules_per_correct{ending}"] == pytest.approx(joules / right)
        assert told[f"grams_per_correct{ending}"] == pytest.approx(grams.grams / right)
        above_chance = 100 * (right / 4 - 0.25)
        assert told[f"points_above_chance_per_wh{ending}"] == pytest.approx(
            above_chance / wh_per_1000
        )
    cells = dict(zip(QUALITY_HEADER, quality_cells(run), strict=True))
    assert cells["score"].startswith("75.0 %")
    assert cells["points/Wh"] == points(told["points_above_chance_per_wh_norm"])
    # llama.cpp's protocol has no score by length, and then nothing is told by it.
    stored_run(
        history, suite_id, [replace(one, correct_norm=None) for one in FIRST],
        step=1, protocol="llamacpp",
    )  # fmt: skip
    other = forms.run_json(results(history, suite_id)[1])
    assert other["printed"] == "accuracy"
    assert other["joules_per_correct_norm"] is None


def test_what_all_was_deleted_of_is_listed_no_more(history: History, suite_id: str) -> None:
    first = stored_run(history, suite_id, FIRST)
    second = stored_run(history, suite_id, SECOND, step=1)

    def delete(*ids: str) -> None:
        history.edits.delete(history.browse.numbers_of(ids))

    delete(first)
    assert [suite.id for suite in history.benchmarks.suites()] == [suite_id]
    assert [run.row.is_deleted for run in results(history, suite_id)] == [True, False]
    assert "4 items, deleted" in markdown_report(summarise(history, suite_id))
    delete(second)
    assert history.benchmarks.suites() == []
    history.edits.restore(history.browse.numbers_of([second]))
    assert [suite.id for suite in history.benchmarks.suites()] == [suite_id]


@pytest.mark.parametrize(
    ("task", "chance", "names"),
    [
        ("hellaswag", 0.25, ["plain", "by length"]),
        ("custom", 0.25, ["plain", "by length"]),
        ("gsm8k", 0.0, ["strict", "flexible"]),
        ("custom", 0.0, []),
    ],
)
def test_rules_are_called_what_they_are(
    history: History, suite_id: str, task: str, chance: float, names: list[str]
) -> None:
    stored_run(history, suite_id, FIRST, task=task, chance=chance)
    result = summarise(history, suite_id)
    assert list(result.runs[0].by_rule) == names
    rows = dict(tables(result)).get(RULES_HEADER, [])
    assert [row[2] for row in rows] == names


def test_prompts_and_speed_tests_are_told_apart_by_what_they_asked(
    history: History, suite_id: str
) -> None:
    unjudged = [replace(one, correct=None, correct_norm=None) for one in FIRST]
    for step, prompts in enumerate(("pp", "qq")):
        stored_run(
            history, suite_id, unjudged, step=step, kind="prompts", task="", data_sha256="",
            prompts_sha256=prompts, chance=None,
        )  # fmt: skip
    with pytest.raises(SuiteError, match="prompts"):
        compare_runs(history, *results(history, suite_id))


def test_a_probability_mass_flips_only_with_the_choice_it_makes_likeliest() -> None:
    before, after = item(0, 0.61), item(0, 0.62)
    assert flips([before], [after], by_length=False) == []
    wrong = replace(after, pred=1)
    assert [flip.gained for flip in flips([before], [wrong], by_length=False)] == [False]


def test_the_table_shows_the_choice_that_was_judged() -> None:
    plain_right = replace(item(0, 1.0), pred=0, pred_norm=1)
    assert item_cells(plain_right, False, None)[3] == "yes <b>"
    assert item_cells(plain_right, True, None)[3] == "no"


def test_a_bill_may_hold_a_sensor_as_it_was_and_as_it_is(history: History, suite_id: str) -> None:
    """Its description changed between an interrupted run and its continuation."""
    run_id = stored_run(history, suite_id, FIRST)
    both = Bill((line(CPU, "prefill"), line(channel(below=0.2), "prefill")))
    history.benchmarks.progress(run_id, [], Sums(done=4), outcome(bill=both))
    assert len(history.record(run_id).bill.lines) == 2


def test_a_run_gone_on_with_finds_its_restless_sensor_again(
    history: History, suite_id: str
) -> None:
    """What a self-test found is part of the channel, so that its line goes on and is no second."""
    watts = replace(channel("constant:0", kind=Kind.POWER), noise_w=1.5)
    run_id = stored_run(history, suite_id, FIRST)
    first = Bill((line(watts, "prefill"),))
    history.benchmarks.progress(run_id, [], Sums(done=4), outcome(bill=first))
    stored = history.record(run_id).bill
    assert stored == first
    with Sampler(sources=[Constant(watts)]) as sampler:
        assert sampler.wait_ready()
        for tick in range(21):
            sampler.trace.record([Reading(watts.key, 1000 + tick / 10, power_w=10.0)])
        ledger = Ledger(sampler, stored)
        ledger.add([Phase("prefill", 1000.5, 1001.5)])
    history.benchmarks.progress(run_id, [], Sums(done=8), outcome(bill=ledger.bill))
    (kept,) = history.record(run_id).bill.lines
    assert kept.channel == watts
    assert kept.joules == pytest.approx((first.lines[0].joules or 0) + 10.0)


# --- the ledger ------------------------------------------------------------------------------


class Constant:
    """A source of ten watts, counted."""

    name = "constant"

    def __init__(self, of: Channel | None = None) -> None:
        self._of = of or channel("constant:0")

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "")

    def open(self) -> tuple[Any, ...]:
        return (self._of,)

    def read(self) -> list[Reading]:
        return []

    def close(self) -> None:
        pass


def test_many_short_phases_add_up_to_one_bill() -> None:
    sampler = Sampler(sources=[Constant()])
    with sampler:
        sampler._wait(lambda: bool(sampler.channels()), 2.0)
        for tick in range(101):
            at_s = 1000 + tick / 10
            sampler.trace.record([Reading("constant:0", at_s, counter_j=10 * tick / 10)])
        ledger = Ledger(sampler)
        parts = [
            ledger.add([Phase("prefill", 1000 + n / 4, 1000 + (n + 1) / 4)]) for n in range(20)
        ]
        assert sum(part.total().joules or 0 for part in parts) == pytest.approx(50.0)
        total = ledger.bill.total()
        assert total.joules == pytest.approx(50.0)
        assert len(ledger.bill.lines) == 1
        assert ledger.bill.lines[0].duration_s == pytest.approx(5.0)
        # Gone on with after an interruption, on top of what was billed before.
        again = Ledger(sampler, ledger.bill)
        again.add([Phase("prefill", 1006, 1007)])
        again.add([Phase(LOAD, 1007, 1008)])
        assert again.bill.total().joules == pytest.approx(60.0)
        assert again.bill.total(LOAD).joules == pytest.approx(10.0)
        assert again.bill.lines[0].phase == "prefill"


def test_a_reading_that_was_never_there_stays_unknown() -> None:
    sampler = Sampler(sources=[])
    assert Ledger(sampler).add([Phase("prefill", 0.0, 1.0)]).total().joules is None
    assert line(CPU, joules=None).joules is None


@pytest.mark.parametrize(
    ("plan", "models"),
    [
        ({"models": [{"path": "/models/a.gguf"}, 3, {"name": None}]}, ["?", "?"]),
        ({"models": "none"}, []),
        ([], []),
        (None, []),
    ],
)
def test_a_damaged_plan_keeps_no_benchmark_from_being_listed(
    history: History, plan: object, models: list[str]
) -> None:
    suite_id = history.benchmarks.begin_suite("own", "Own", PLAN, {"llamawatt": "0.1.0"})
    text = "{damaged" if plan is None else json.dumps(plan)
    history.store.write(
        lambda db: db.execute(
            "update bench_suites set plan = ?, versions = '[', verdict = ''", [text]
        )
    ).result()
    assert summarise(history, history.benchmarks.suites()[0].id).models == models
    result = summarise(history, suite_id)
    assert gist(result) == "" == idle_line(result)
    assert "Own" in markdown_report(result)
    with pytest.raises(SuiteError, match="The suite"):
        plan_from_json(result.suite.plan)
