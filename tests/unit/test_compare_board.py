"""The leaderboard of a real history, the command that prints it, and queries side by side."""

import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.bench.sentences import total_line
from monitor.bench.suites import Part, Suite
from monitor.bench.summary import summarise
from monitor.bench.tables import energy_cells, quality_cells
from monitor.commands import terminal
from monitor.commands.compare import compare
from monitor.compare.board import Board, Leaderboard, UnknownExam
from monitor.compare.cascade import cascades
from monitor.compare.columns import find_column
from monitor.compare.forms import board_json, entry_json, sides_json
from monitor.compare.ranks import rank
from monitor.compare.report import board_table, difference_text, side_lines, sides_table
from monitor.compare.side_by_side import CannotCompare, Side, lay_side_by_side
from monitor.energy.account import DECODE, PREFILL, Bill
from monitor.energy.difference import Verdict
from monitor.engine.gguf import ModelInfo
from monitor.engine.messages import ChoiceScore
from monitor.power.channel import Kind
from monitor.repeating import earlier_runs
from monitor.store.bench_records import ItemRecord, Sums
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import Seconds, Status, Tokens
from monitor.store.repeats import Repeats
from monitor.terminal.record_view import record_view
from tests.unit.builders import (
    BILL,
    CORES,
    CPU,
    GPU,
    line,
    model_info,
    outcome,
    query_start,
    stored_query,
)
from tests.unit.test_bench_store import item, run_start

PARTS = (
    Part("Sounds", "quality", task="hellaswag", data="x"),
    Part("Facts", "quality", task="mmlu", data="y"),
    Part("Speed", "speed"),
)
PROMPT = Tokens(prompt=100)
FACTS: dict[str, Any] = {
    "part": "Facts",
    "task": "mmlu",
    "data_sha256": "ee",
    "shots": 5,
    "step": 1,
}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as history:
        yield history


def bill(joules: float, phase: str = PREFILL) -> Bill:
    return Bill(tuple(line(of, phase, joules * share) for of, share in ((CPU, 0.75), (CORES, 0.5))))


def begin_suite(history: History, name: str = "own", context: int | None = None) -> str:
    models = [{"sha256": letter * 64, "context": context} for letter in "abc"]
    plan = {"suite": json.loads(json.dumps(Suite(name, "Own", "", PARTS).to_json()))}
    return history.benchmarks.begin_suite(name, "Own", {**plan, "models": models}, {})


def stored_run(
    history: History,
    suite_id: str,
    model: str,
    items: Sequence[ItemRecord],
    *,
    of: Bill | None = None,
    tokens: Tokens = PROMPT,
    settings: dict[str, Any] | None = None,
    status: Status = Status.DONE,
    info: ModelInfo | None = None,
    **changes: Any,
) -> str:
    """Store a run of a model that is named by a letter, if it is not given as a whole."""
    info = info or replace(model_info(Path(f"/models/{model}.gguf")), name=model)
    start = query_start(kind="bench", model=info, sha256=model * 64)
    start = replace(start, settings={**start.settings, **(settings or {})})
    began = history.begin(start)
    history.benchmarks.begin_run(began.query_id, run_start(suite_id, **changes))
    joules = sum(each.energy_j or 0.0 for each in items)
    history.benchmarks.progress(
        began.query_id,
        items,
        Sums().plus(items),
        outcome(
            status=status,
            tokens=tokens,
            seconds=Seconds(prefill=1.0, decode=2.0 if tokens.completion else None, total=3.0),
            bill=of or bill(joules / 0.75),
        ),
    )
    return began.query_id


def items(right: int, of: int = 20, energy_j: float = 2.0) -> list[ItemRecord]:
    return [item(n, float(n < right), energy_j=energy_j) for n in range(of)]


def board(history: History, exam: str | None = None, **chosen: Any) -> Board:
    found = Leaderboard(history).board(exam, Filter(**chosen))
    assert found
    return found


def rows(found: Board) -> dict[str, float]:
    scores = [entry.score.value for entry in found.entries]
    return dict(zip(found.labels, scores, strict=True))


def test_an_empty_history_has_no_board(history: History) -> None:
    assert Leaderboard(history).board() is None
    assert Leaderboard(history).exams() == []


def test_what_was_asked_alike_is_one_exam(history: History) -> None:
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(10))
    stored_run(history, suite_id, "b", items(5, of=8), planned=8)
    stored_run(history, suite_id, "b", items(12), data_sha256="other")
    stored_run(history, suite_id, "b", items(12), protocol="llamacpp")
    exams = Leaderboard(history).exams()
    assert [exam.entrants for exam in exams] == [2, 1, 1]
    assert exams[0].title.startswith("Sounds · 20 items · ")  # another has that title
    assert any("(llamacpp)" in exam.title for exam in exams)
    assert rows(board(history)) == {"b Q4_K_M": 0.625, "a Q4_K_M": 0.5}
    assert board(history).pairs.score(0, 1).items == 8
    assert rows(board(history, "llamacpp")) == {"b Q4_K_M": 0.6}
    for text in ("Sounds", "nothing", ""):
        with pytest.raises(UnknownExam, match="hellaswag-"):
            board(history, text)


def test_a_suites_score_is_the_mean_of_its_parts(history: History) -> None:
    for model, right, more in (("a", 10, 20), ("b", 15, 5)):
        suite_id = begin_suite(history)
        stored_run(history, suite_id, model, items(right))
        stored_run(history, suite_id, model, items(more, energy_j=4.0), **FACTS)
    unfinished = begin_suite(history)
    stored_run(history, unfinished, "c", items(20))
    exam = Leaderboard(history).exams(Filter(models=("a", "b")))[0]
    assert (exam.title, exam.entrants, len(exam.papers)) == ("Own suite · mean of 2", 2, 2)
    found = board(history, exam.key)
    assert rows(found) == {"a Q4_K_M": 0.75, "b Q4_K_M": 0.5}
    first = found.entries[0].per_item
    assert first
    assert first.energy.joules == pytest.approx(3.0)
    assert found.entries[0].score.items == 40
    assert [entry.repeats for entry in found.entries] == [1, 1]
    assert any("rows with one run of a test are not told apart" in note for note in found.notes)
    assert "5-shot" in board(history, "Facts").exam.title


@pytest.mark.parametrize(
    "plan",
    [
        '{"suite": {"parts": [\x00\x00\x00',
        "[]",
        '{"suite": {"parts": "lost"}, "models": "lost"}',
        '{"suite": {"parts": ["lost", 3]}, "models": ["lost", 3]}',
    ],
)
def test_a_damaged_plan_takes_no_row_from_the_leaderboard(history: History, plan: str) -> None:
    damaged = begin_suite(history)
    stored_run(history, damaged, "c", items(5))
    for model, right in (("a", 10), ("b", 15)):
        suite_id = begin_suite(history, context=4096)
        stored_run(history, suite_id, model, items(right), settings={"context": 4096})
        stored_run(history, suite_id, model, items(right), settings={"context": 4096}, **FACTS)
    history.store.write(
        lambda db: db.execute("update bench_suites set plan = ? where id = ?", [plan, damaged])
    ).result()
    found = board(history, "hellaswag")
    assert rows(found) == {"b Q4_K_M": 0.75, "a Q4_K_M": 0.5, "c Q4_K_M": 0.25}
    assert [entry.setup.context for entry in found.entries] == [4096, 4096, None]
    (note,) = [note for note in found.notes if damaged[-8:] in note]
    assert "makes no board of a suite's mean" in note
    of_suite = board(history, "mean of 2")
    assert rows(of_suite) == {"b Q4_K_M": 0.75, "a Q4_K_M": 0.5}
    assert not any("plan" in note for note in of_suite.notes)


def test_a_suite_whose_plan_is_damaged_counts_beside_others_and_says_what_is_not_known(
    history: History,
) -> None:
    damaged, whole = begin_suite(history, context=4096), begin_suite(history, context=4096)
    for suite_id, model, right in ((damaged, "a", 10), (whole, "b", 15)):
        stored_run(history, suite_id, model, items(right), settings={"context": 4096})
        stored_run(history, suite_id, model, items(right), settings={"context": 4096}, **FACTS)
    sound = board(history, "mean of 2")
    assert rows(sound) == {"b Q4_K_M": 0.75, "a Q4_K_M": 0.5}
    assert not any("can no longer be read" in note for note in sound.notes)
    history.store.write(
        lambda db: db.execute("update bench_suites set plan = '{' where id = ?", [damaged])
    ).result()
    found = board(history, "mean of 2")
    assert [entry.setup.context for entry in found.entries] == [4096, None]
    (note,) = [note for note in found.notes if "can no longer be read" in note]
    assert damaged[-8:] in note
    assert "contexts chosen for its models are not told" in note
    assert note in board_json(found, [], [], None)["notes"]
    listed = [entry_json(entry)["unplanned"] for entry in found.entries]
    assert listed == [[], [damaged]]


def test_repeats_are_pooled_and_their_scatter_counts(history: History) -> None:
    suite_id = begin_suite(history)
    runs = [stored_run(history, suite_id, "a", items(10, energy_j=j)) for j in (1.0, 3.0)]
    entry = board(history).entries[0]
    assert entry.run_ids == tuple(runs)
    assert entry.score.items == 20
    assert entry.per_item
    assert entry.per_item.energy.joules == pytest.approx(2.0)
    # Of two runs the mean's standard error is 1 J, and Student's t is 12.7 rather than 1.96.
    assert entry.per_item.scatter_j == pytest.approx(12.706 / 1.96, rel=1e-3)
    assert entry.per_item.energy.random_j > 1.0
    assert entry.joules_per_correct
    assert entry.joules_per_correct.joules == pytest.approx(4.0)
    assert entry.wh_per_1000
    assert entry.wh_per_1000.joules == pytest.approx(2000 / 3600)
    assert entry.grams_per_1000
    assert entry.grams_per_1000.joules == pytest.approx(2000 / 3.6e6 * 344.0)


def test_what_is_set_up_otherwise_is_another_row(history: History) -> None:
    chosen = begin_suite(history, context=4096)
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(10))
    stored_run(history, suite_id, "a", items(11), settings={"context": 512})  # as long as needed
    stored_run(history, suite_id, "a", items(12), settings={"threads": 8})
    stored_run(history, chosen, "a", items(13))
    found = board(history)
    assert len(found.entries) == 3
    assert set(found.labels) == {
        "a Q4_K_M (2 threads, context 4096)",
        "a Q4_K_M (8 threads, context as needed)",
        "a Q4_K_M (2 threads, context as needed)",
    }


def test_machines_stay_apart_and_their_errors_add_up(history: History) -> None:
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(10))
    there = stored_run(history, suite_id, "a", items(10, energy_j=1.95))

    def move(db: Any) -> None:
        db.execute("insert into machines (id, name) values ('there', 'attic')")
        db.execute("update queries set machine_id = 'there' where id = ?", [there])

    history._store.write(move).result()
    found = board(history)
    assert len(found.entries) == 2
    assert any("attic" in label for label in found.labels)
    assert found.pairs.energy_verdict(0, 1) is Verdict.CANNOT_TELL
    assert "different sensors" in found.notes[-1]
    assert len(board(history, machines=("there",)).entries) == 1
    assert Leaderboard(history).machines()["there"] == "attic"


def test_a_run_measured_otherwise_than_the_newest_counts_for_the_score_only(
    history: History,
) -> None:
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(10), of=Bill((line(GPU, PREFILL, 900.0),)))
    stored_run(history, suite_id, "a", items(20))
    entry = board(history).entries[0]
    assert (entry.score.value, entry.left_out) == (0.75, 1)
    assert entry.per_item
    assert entry.per_item.energy.joules == pytest.approx(2.0)
    assert entry.per_item.kind is Kind.COUNTER
    assert "its score only" in " ".join(board(history).notes)


def test_a_run_of_which_a_part_was_not_read_is_no_measure_for_the_others(history: History) -> None:
    suite_id = begin_suite(history)
    whole = Bill((line(CPU, PREFILL, 10.0), line(GPU, PREFILL, 90.0)))
    lacking = Bill((line(CPU, PREFILL, 10.0), line(GPU, PREFILL, None)))
    patchy = Bill((whole.lines[0], replace(whole.lines[1], coverage=0.5)))
    for each in (whole, lacking, patchy):
        stored_run(history, suite_id, "a", items(10), of=each)
    entry = board(history).entries[0]
    assert entry.left_out == 2
    assert entry.per_item
    assert entry.per_item.energy.joules == pytest.approx(100 / 20)


def test_a_row_whose_best_runs_lack_a_part_is_marked(history: History) -> None:
    suite_id = begin_suite(history)
    tokens = Tokens(prompt=12, completion=6)
    lacking = Bill((line(CPU, DECODE, 20.0), line(GPU, DECODE, None)))
    stored_run(history, suite_id, "a", items(10), of=lacking, tokens=tokens)
    whole = Bill((line(CPU, DECODE, 20.0), line(GPU, DECODE, 90.0)))
    stored_run(history, suite_id, "b", items(8), of=whole, tokens=tokens)
    found = board(history)
    table = board_table(found, rank(found, find_column("score")), [None, None], 200)
    header, cells = table.header, table.rows
    marked = [name for name, cell in zip(header, cells[0], strict=True) if cell.startswith("≥")]
    assert marked == ["J/item", "J/token", "Wh/1,000", "J/correct", "g CO₂e/1,000"]
    assert not any(cell.startswith("≥") for cell in cells[1])
    told = [entry_json(entry) for entry in found.entries]
    assert [each["is_lower_bound"] for each in told] == [True, False]
    assert [each["joules_per_token_is_lower_bound"] for each in told] == [True, False]
    result = summarise(history, suite_id)
    assert [quality_cells(run)[3][0] for run in result.runs] == ["≥", "◐"]
    assert "≤" in quality_cells(result.runs[0])[7]
    assert [energy_cells(run)[2][0] for run in result.runs] == ["≥", "◐"]
    assert not any("too short" in energy_cells(run)[3] for run in result.runs)
    assert total_line(result).startswith("≥ ◐ 130 J and ≥ ")


def test_bills_of_another_method_are_never_compared(history: History) -> None:
    suite_id = begin_suite(history)
    old = stored_run(history, suite_id, "a", items(10))
    stored_run(history, suite_id, "b", items(10, energy_j=1.0))
    history._store.write(
        lambda db: db.execute("update queries set method = 0 where id = ?", [old])
    ).result()
    found = board(history)
    assert found.pairs.energy(0, 1) is None
    assert any("another method" in note for note in found.notes)
    side = lay_side_by_side(history, [entry.run_ids[0] for entry in found.entries])[1]
    assert not side.differences
    assert "method" in side.note


def test_what_was_never_measured_is_unknown_and_not_free(history: History) -> None:
    suite_id = begin_suite(history)
    dark = [replace(each, energy_j=None) for each in items(10)]
    stored_run(history, suite_id, "a", dark, of=Bill((line(CPU, PREFILL, None),)))
    entry = board(history).entries[0]
    assert (entry.per_item, entry.per_token, entry.wh_per_1000, entry.tokens_per_s) == (None,) * 4


def test_deleted_and_running_runs_and_other_days_are_left_out(history: History) -> None:
    suite_id = begin_suite(history)
    gone = stored_run(history, suite_id, "a", items(10))
    stored_run(history, suite_id, "b", items(10), status=Status.RUNNING)
    stored_run(history, suite_id, "c", items(4, of=6), status=Status.STOPPED)
    history._store.write(
        lambda db: db.execute("update queries set deleted_at = 'now' where id = ?", [gone])
    ).result()
    assert list(rows(board(history))) == ["c Q4_K_M"]
    tomorrow = date.today() + timedelta(days=1)
    assert Leaderboard(history).exams(Filter(since=tomorrow)) == []
    assert Leaderboard(history).exams(Filter(until=tomorrow, quantisations=("Q4_K_M",)))


def test_tokens_are_those_of_the_setups_own_benchmarks(history: History) -> None:
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(10))
    stored_run(
        history, suite_id, "a", [], of=bill(40.0 / 0.75, DECODE),
        tokens=Tokens(prompt=0, completion=20), kind="speed", task="", chance=None,
        settings={"context": 640},
    )  # fmt: skip
    stored_query(history)  # another model's, in a chat
    entry = board(history).entries[0]
    assert entry.per_token
    assert entry.per_token.joules == pytest.approx(2.0)
    assert entry.per_token.low_j < 2.0 < entry.per_token.high_j
    assert (entry.per_token_kind, entry.tokens_per_s) == (Kind.COUNTER, 10.0)


def sure(each: ItemRecord, lead: float) -> ItemRecord:
    scores = (ChoiceScore(0.0, 1, True), ChoiceScore(-lead * 2, 1, False))
    return replace(each, scores=scores, choices=("a", "bb"))


def test_a_cascade_of_stored_runs(history: History) -> None:
    suite_id = begin_suite(history)
    small = [sure(each, float(5 if each.correct else 1)) for each in items(10, energy_j=1.0)]
    stored_run(history, suite_id, "a", small)
    stored_run(history, suite_id, "b", items(20, energy_j=4.0))
    found = board(history)
    (cascade,) = cascades(history, found)
    assert [found.labels[row] for row in (cascade.small, cascade.large)] == ["a Q4_K_M", "b Q4_K_M"]
    # What the small model is unsure of is what it gets wrong: half of the items passed on do.
    assert [(p.share, p.score, p.joules_per_item) for p in cascade.points] == [
        (0.0, 0.5, 1.0),
        (0.5, 1.0, 3.0),
        (1.0, 1.0, 5.0),
    ]
    assert cascade.kind is Kind.COUNTER


# --- side by side -----------------------------------------------------------------------------


def test_queries_side_by_side(history: History) -> None:
    half = Bill(tuple(line(of.channel, of.phase, (of.joules or 0) / 2) for of in BILL.lines))
    first = stored_query(history)
    second = stored_query(history, "Another.", bill=half)
    third = stored_query(history, bill=Bill(()))
    one, two, none = lay_side_by_side(history, [first.id, second.id, third.id])
    assert not one.differences
    total = two.differences["total"].measured
    assert total.joules == pytest.approx((half.total().joules or 0) - (BILL.total().joules or 0))
    assert set(two.differences) == {"total", "prefill", "decode", "load"}
    assert one.per["answer token"].joules == pytest.approx(52.4 / 6)
    assert one.per["prompt token"].joules == pytest.approx(5.24 / 9)
    assert two.per_differences["answer token"].measured.joules == pytest.approx(-26.2 / 6)
    assert (none.energies, none.per, none.differences) == ({}, {}, {})
    json.dumps(sides_json([one, two, none]))


def test_a_prompt_that_was_stopped_has_no_joules_a_token(history: History) -> None:
    """How many of its tokens were processed is not known; all of them were not."""
    whole = stored_query(history)
    prefill = Bill(tuple(each for each in BILL.lines if each.phase == "prefill"))
    stopped = stored_query(
        history,
        bill=prefill,
        status=Status.STOPPED,
        tokens=Tokens(prompt=1753),
        seconds=Seconds(prefill=8.29, total=8.29),
    )
    assert stopped.fresh_tokens is None
    _, side = lay_side_by_side(history, [whole.id, stopped.id])
    assert "prompt token" not in side.per
    assert "prompt token" not in side.per_differences
    assert "prefill" in side.energies
    header, rows = sides_table(lay_side_by_side(history, [stopped.id, whole.id]))
    named = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert named["J/answer token"][header[1]] == "—"
    assert named["J/answer token"][header[2]] != "—"
    console = Console(file=io.StringIO(), width=120)
    console.print(record_view(stopped))
    assert isinstance(console.file, io.StringIO)
    assert "stopped within 1753 tokens in 8.29 s" in console.file.getvalue()


def told(history: History, *ids: str) -> Side:
    return lay_side_by_side(history, ids)[1]


def runs_stored(
    history: History, prompt: str, joules: Sequence[float], group: str = "", seed: int = 7
) -> list[str]:
    """Store runs of a prompt with a loaded model; in a group if it is named."""
    seconds = Seconds(load=None, prefill=0.1, first_token=0.12, decode=1.7, total=1.8)
    ids = []
    for each in joules:
        began = history.begin(query_start(prompt=prompt, seed=seed))
        history.finish(began.query_id, outcome(bill=bill(each / 0.75), seconds=seconds))
        ids.append(began.query_id)
        if group:
            Repeats(history.store).join(began.query_id, group)
    return ids


def test_two_single_runs_get_no_verdict_and_are_told_how_to_get_one(history: History) -> None:
    (first,), (second,) = (runs_stored(history, "Hi", [j], seed=int(j)) for j in (10.0, 14.0))
    side = told(history, first, second)
    assert side.differences["total"].verdict is None
    assert difference_text(side.differences["total"].measured).startswith("+40 % (+")
    (sentence,) = side_lines(side)
    assert "how much they scatter is not known" in sentence
    assert f"`llamawatt history again {second[-8:]} --repeat 5`" in sentence
    assert sides_json([side])[0]["difference"]["total"]["verdict"] is None


def test_runs_of_the_same_thing_are_never_told_apart(history: History) -> None:
    ids = runs_stored(history, "Say “hi” – now!", [10.0, 14.0, 9.0, 12.0])
    for pair in itertools.combinations(ids, 2):
        found = told(history, *pair).differences["total"]
        assert (found.is_same, found.verdict) == (True, Verdict.CANNOT_TELL)
    assert "a run of the same prompt" in side_lines(told(history, *ids[:2]))[0]


def test_the_scatter_of_stored_runs_decides_over_two_of_them(history: History) -> None:
    less = runs_stored(history, "Hi", [10.0, 14.0, 9.0, 12.0, 11.0], seed=1)
    more = runs_stored(history, "Hi", [13.0, 11.0, 14.5, 10.0, 15.0], seed=2)
    far = runs_stored(history, "Hi", [40.0, 44.0, 39.0, 42.0], seed=3)
    runs_stored(history, "Hi there", [500.0, 5.0], seed=1)  # another prompt: none of theirs
    side = told(history, less[2], more[4])
    found = side.differences["total"]
    assert found.measured.verdict is Verdict.HIGHER
    assert found.compared
    assert (found.verdict, found.compared.counts) == (Verdict.CANNOT_TELL, (5, 5))
    basis, settling = side_lines(side)
    assert basis == "The verdict compares 5 runs with 5 runs of the first."
    assert f"About {found.compared.repeats_needed} more runs of each would settle" in settling
    assert told(history, less[0], far[0]).differences["total"].verdict is Verdict.HIGHER
    (alone,) = runs_stored(history, "Hi", [11.0], seed=4)
    found = told(history, less[0], alone).differences["total"]
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.compared
    assert found.compared.counts == (5, 1)


def test_what_was_repeated_as_a_group_is_compared_as_a_group(history: History) -> None:
    """Also with the same prompt, before and after: they are two occasions."""
    before = runs_stored(history, "Hi", [10.0, 10.1, 9.9, 10.05], "before")
    after = runs_stored(history, "Hi", [12.0, 12.1, 11.9, 12.05], "after")
    found = told(history, before[0], after[0]).differences["total"]
    assert (found.is_same, found.verdict) == (False, Verdict.HIGHER)
    assert told(history, before[0], before[1]).differences["total"].is_same


def test_a_query_beside_the_group_that_repeated_it_is_a_single_run(history: History) -> None:
    (own,) = runs_stored(history, "Hi", [20.0])
    group = runs_stored(history, "Hi", [10.0, 10.1, 9.9, 10.05], "again")
    for pair, counts, verdict in (
        ((group[0], own), (4, 1), Verdict.HIGHER),
        ((own, group[0]), (1, 4), Verdict.LOWER),
    ):
        found = told(history, *pair).differences["total"]
        assert found.compared
        assert (found.verdict, found.compared.counts) == (verdict, counts)


def test_runs_are_laid_beside_what_was_stored_before_them(history: History) -> None:
    cold = stored_query(history, "Hi")
    first = runs_stored(history, "Hi", [10.0, 10.2, 9.8], "first")
    runs_stored(history, "Hi", [12.0, 12.2, 11.8], "now")
    found = [each.id for each in earlier_runs(history, cold, "now")]
    assert sorted(found) == sorted(first)
    # Of a member of a group, its group.
    assert sorted(e.id for e in earlier_runs(history, history.record(first[0]), "now")) == first
    other = stored_query(history, "Ho")
    runs_stored(history, "Ho", [1.0, 1.1], "ho")
    assert [each.id for each in earlier_runs(history, other, "ho")] == [other.id]


def test_a_run_that_does_not_count_says_so_of_the_verdict_of_the_others(history: History) -> None:
    loaded = {}
    for name, seed in (("one", 1), ("two", 2)):
        began = history.begin(query_start(prompt="Hi", seed=seed))
        loaded[name] = history.finish(began.query_id, outcome(bill=bill(15.0))).id
        Repeats(history.store).join(loaded[name], name)
    one = runs_stored(history, "Hi", [10.0, 10.1, 9.9], "one", seed=1)
    two = runs_stored(history, "Hi", [20.0, 20.1, 19.9], "two", seed=2)
    for first, second, counted in (
        (one[0], two[0], (True, True)),
        (loaded["one"], two[0], (False, True)),
        (one[0], loaded["two"], (True, False)),
        (loaded["one"], loaded["two"], (False, False)),
    ):
        side = told(history, first, second)
        found = side.differences["total"]
        assert (found.verdict, found.counts) == (Verdict.HIGHER, counted)
        said = " ".join(side_lines(side))
        assert ("The first itself is not among its runs" in said) is not counted[0]
        assert ("It itself is not among its runs" in said) is not counted[1]
        assert sides_json([side])[0]["difference"]["total"]["counted"] == list(counted)
    same = told(history, one[0], loaded["one"])
    assert same.differences["total"].is_same
    assert "It itself is not among its runs that count" in " ".join(side_lines(same))


def test_a_run_that_was_read_otherwise_says_that_the_verdict_is_of_the_others(
    history: History,
) -> None:
    both = Bill((line(CPU, joules=200.0), line(GPU, joules=2000.0)))
    lacking = Bill((line(CPU, joules=200.0), line(GPU, joules=None)))
    ids = {}
    for name in ("one", "two"):
        for each in (both, both, both, lacking):
            began = history.begin(query_start(prompt=name))
            seconds = replace(outcome().seconds, load=None)
            ids[name] = history.finish(began.query_id, outcome(bill=each, seconds=seconds)).id
    found = told(history, ids["one"], ids["two"]).differences["total"]
    assert found.compared
    assert (found.compared.counts, found.counts) == ((3, 3), (False, False))


def test_what_loaded_the_model_or_was_deleted_is_no_run_of_a_query(history: History) -> None:
    loaded = stored_query(history, "Hi")
    warm = runs_stored(history, "Hi", [10.0, 10.2, 9.8])
    gone = runs_stored(history, "Hi", [30.0])
    history.edits.delete(history.browse.numbers_of(gone))
    repeats = Repeats(history.store)
    assert repeats.alike(warm[0]) == repeats.alike(loaded.id) == tuple(warm)
    assert repeats.alike(warm[0], without=warm) == (loaded.id,)
    assert repeats.alike(stored_query(history, "?!").id) == ()


def test_runs_in_which_a_part_was_not_read_are_left_out_and_counted(history: History) -> None:
    both = Bill((line(CPU, joules=200.0), line(GPU, joules=2000.0)))
    lacking = Bill((line(CPU, joules=200.0), line(GPU, joules=None)))
    patchy = Bill((both.lines[0], replace(both.lines[1], coverage=0.6)))
    other: list[str] = []
    seconds = outcome().seconds
    for name, bills in (("one", [both] * 4), ("two", [both, both, both, lacking, patchy])):
        for each in bills:
            began = history.begin(query_start(prompt=name))
            done = outcome(bill=each, seconds=replace(seconds, load=None))
            other.append(history.finish(began.query_id, done).id)
    side = told(history, other[0], other[4])
    found = side.differences["total"]
    assert found.compared
    assert found.compared.difference.joules == pytest.approx(0.0)
    assert (found.compared.counts, found.compared.left_out) == ((4, 3), 2)
    assert "2 runs are left out" in " ".join(side_lines(side))
    assert told(history, other[0], other[8]).note == (
        "Too little was read of it to compare it (GPU 0 60% of the time)."
    )
    alone = told(history, other[0], other[7])
    assert "It was measured of cpu and the first of cpu and gpu" in alone.note
    header, rows = sides_table(lay_side_by_side(history, [other[0], other[7]]))
    assert header[1:]
    assert rows[0][2].startswith("≥ ● 200 J")
    assert history.browse.rows()[1].partly_read
    assert not history.browse.rows()[2].partly_read


def test_one_of_two_gpus_that_was_not_read_is_not_compared_as_if_it_had_slept(
    history: History,
) -> None:
    second = replace(GPU, key="nvml:gpu-1", label="GPU 1")
    whole = Bill((line(GPU, joules=100.0), line(second, joules=100.0)))
    lacking = Bill((line(GPU, joules=100.0), line(second, joules=None)))
    ids = [stored_query(history, name, bill=b).id for name, b in (("a", whole), ("b", lacking))]
    side = told(history, *ids)
    assert not side.differences
    assert "(GPU 1 0% of the time)" in side.note
    # Nor with another machine, whose total is whole.
    lone = stored_query(history, "c", bill=Bill((line(CPU, joules=100.0),)))
    history.store.write(
        lambda db: [
            db.execute("insert into machines (id, name) values ('other', 'Other')"),
            db.execute("update queries set machine_id = 'other' where id = ?", [lone.id]),
        ]
    ).result()
    assert "(GPU 1 0% of the time)" in told(history, ids[1], lone.id).note
    assert told(history, ids[0], lone.id).differences["total"].measured.joules == -100.0


def written(position: int, energy_j: float) -> ItemRecord:
    return replace(item(position, 1.0, energy_j=energy_j), scores=(), choices=(), answer="So.")


def test_benchmarks_of_the_same_prompts_are_compared_prompt_by_prompt(history: History) -> None:
    suite_id = begin_suite(history)
    prompts_j = [10.0, 30.0, 90.0, 200.0, 400.0]
    more_j = [each + step for each, step in zip(prompts_j, (3.0, 3.3, 2.9, 3.1, 3.0), strict=True)]
    ids = [
        stored_run(
            history, suite_id, model, [written(n, each) for n, each in enumerate(joules)],
            kind="prompts", task="",
        )
        for model, joules in (("a", prompts_j), ("b", more_j))
    ]  # fmt: skip
    side = told(history, *ids)
    found = side.per_differences["item"]
    assert found.compared
    assert (found.compared.paired, found.compared.counts) == (True, (5, 5))
    assert found.verdict is Verdict.HIGHER
    assert side_lines(side) == ["The verdict compares the two prompt by prompt, over 5 prompts."]


def test_runs_side_by_side_are_compared_by_item(history: History) -> None:
    suite_id = begin_suite(history)
    ids = [stored_run(history, suite_id, "a", items(4, of=n)) for n in (10, 20)]
    one, two = lay_side_by_side(history, ids)
    assert two.differences["total"].verdict is None
    assert "Run the suite again" in side_lines(two)[0]
    assert two.per_differences["item"].measured.joules == pytest.approx(0.0)
    assert (one.items, two.items) == (10, 20)
    more = [
        stored_run(history, suite_id, "b", items(4, of=10, energy_j=each), repeat=n)
        for n, each in enumerate((3.0, 3.1, 2.9))
    ]
    found = lay_side_by_side(history, [ids[0], more[0]])[1].per_differences["item"]
    assert found.compared
    assert (found.verdict, found.compared.counts) == (Verdict.HIGHER, (1, 3))
    assert lay_side_by_side(history, more[:2])[1].differences["total"].is_same


def test_what_cannot_be_laid_side_by_side(history: History) -> None:
    query = stored_query(history)
    for ids, word in (([query.id], "two to four"), ([query.id] * 2, "twice"),
                      ([query.id] * 5, "two to four")):  # fmt: skip
        with pytest.raises(CannotCompare, match=word):
            lay_side_by_side(history, ids)
    less = stored_query(history, bill=Bill((line(CPU),)))
    side = lay_side_by_side(history, [query.id, less.id])[1]
    assert side.note.startswith("It was measured of cpu and the first of cpu and gpu")


# --- the command -------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(compare, arguments, catch_exceptions=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def filled(home: Path) -> list[str]:
    """A history with two models; the identifiers of their runs."""
    with closing(History(home / "history.db")) as history:
        suite_id = begin_suite(history)
        return [
            stored_run(history, suite_id, "a", items(10, energy_j=1.0)),
            stored_run(history, suite_id, "b", items(18, energy_j=4.0)),
        ]


@pytest.mark.usefixtures("home")
def test_an_empty_store_says_what_to_do_next() -> None:
    for arguments in ((), ("--list",)):
        found = run(*arguments)
        assert (found.exit_code, found.stdout) == (0, "")
        assert "llamawatt bench run quick" in found.stderr
    assert json.loads(run("--json").stdout)["entries"] == []
    assert json.loads(run("--list", "--json").stdout) == []


@pytest.mark.usefixtures("filled")
def test_a_test_whose_items_are_lost_says_why_it_lists_nothing(home: Path) -> None:
    with closing(History(home / "history.db")) as history:
        history.store.write(lambda db: db.execute("delete from bench_items")).result()
    found = run()
    assert (found.exit_code, found.stdout) == (0, "")
    assert "items of its runs are missing" in " ".join(found.stderr.split())


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("width", [80, 160])
def test_the_leaderboard_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(terminal.stdout, "_width", width)
    found = run("--good-enough", "50", "--weights", "score=1,energy=2", "--cascades")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [each for each in lines if "b Q4_K_M" in each and "★" in each and "90.0 %" in each]
    assert "● 4.00 J" in row
    assert ("J/correct" in lines[1]) is (width == 160)
    assert "Within 50 points of the best" in " ".join(lines)
    assert "efficiency = (1 × share(score)" in " ".join(lines)
    assert "Simulated" in found.stdout


@pytest.mark.parametrize("width", [60, 80, 100, 110, 130, 150])
def test_at_every_width_models_are_named_and_no_heading_is_cut(
    home: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    name = "SmolLM2-135M-Instruct"
    with closing(History(home / "history.db")) as history:
        info = replace(model_info(Path(f"/models/{name}.gguf")), name=name)
        stored_run(history, begin_suite(history), "a", items(10), info=info)
    monkeypatch.setattr(terminal.stdout, "_width", width)
    _, header, *rows = run("--weights", "score=1").stdout.splitlines()
    titles = {"rank", "model", "efficiency", "score", "J/item", "J/token", "Wh/1,000", "J/correct",
              "g CO₂e/1,000", "speed", "size", "memory", "training"}  # fmt: skip
    headings = re.split(r" {2,}", header.strip())
    assert {*headings[:4]} <= {*headings} <= titles
    assert headings[:5] == ["rank", "model", "efficiency", "score", "J/item"]
    assert ("training" in headings) is (width == 150)
    # At 60 there is nothing left that could give way.
    assert (name if width > 60 else "SmolLM2-135M-") in rows[0]


def test_a_figure_gives_way_to_a_word_of_a_models_name(history: History) -> None:
    name = "SmolLM2-135M-Instruct"
    info = replace(model_info(Path(f"/models/{name}.gguf")), name=name)
    stored_run(history, begin_suite(history), "a", items(10), info=info)
    found = board(history)
    ranked = rank(found, find_column("score"))
    for width in range(60, 160):
        table = board_table(found, ranked, [None], width)
        needed = [max(map(len, cells)) for cells in zip(table.header, *table.rows, strict=True)]
        needed[table.header.index("model")] = len(name)
        assert sum(needed) + 2 * (len(needed) - 1) <= width


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(
    ("key", "title"),
    [("correct", "J/correct"), ("training", "training"), ("wh", "Wh/1,000"), ("token", "J/token")],
)
def test_the_column_that_ranks_stays_however_narrow(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str, title: str, width: int
) -> None:
    info = replace(model_info(Path("/models/x.gguf")), name="SmolLM2-135M-Instruct")
    with closing(History(home / "history.db")) as history:
        stored_run(history, begin_suite(history), "a", items(10), info=info)
    monkeypatch.setattr(terminal.stdout, "_width", width)
    headings = re.split(r" {2,}", run("--sort", key).stdout.splitlines()[1].strip())
    assert headings[:3] == ["rank", "model", "score"]
    assert title in headings
    assert ("J/item" in headings) is (width == 80)


@pytest.mark.usefixtures("filled")
def test_a_narrow_leaderboard_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(width: int) -> str:
        monkeypatch.setattr(terminal.stdout, "_width", width)
        return " ".join(run().stdout.split())

    narrow = told(44)
    assert (
        "No room for: 95 % intervals, training, memory, Wh/1,000, size, g CO₂e/1,000, J/correct, "
        "speed, J/token. A wider terminal or --json shows them."
    ) in narrow
    assert "in brackets" not in narrow
    assert "±: standard error; =: cannot be told apart" in narrow
    wide = told(200)
    assert "No room" not in wide
    assert "±: standard error; in brackets 95 %; =:" in wide


def test_of_many_cascades_those_are_told_that_pay(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(History(home / "history.db")) as history:
        suite_id = begin_suite(history)
        for model, right, joules in (("a", 10, 1.0), ("b", 18, 4.0), ("c", 19, 9.0)):
            known = [sure(each, 5.0 if each.correct else 1.0) for each in items(right, 20, joules)]
            stored_run(history, suite_id, model, known)
    monkeypatch.setattr(terminal.stdout, "_width", 120)
    assert len(json.loads(run("--cascades", "--json").stdout)["cascades"]) == 3
    told = run("--cascades").stdout.split("came to:\n")[1]
    assert "a Q4_K_M → b Q4_K_M: passing on 50 % would have scored 90.0 % for ● 3.00 J" in told
    assert "b Q4_K_M → c Q4_K_M: passing on 10 % would have scored 95.0 % for ● 4.90 J" in told
    assert "a Q4_K_M → c" not in told  # as many right, for 5.50 J
    assert "These are those of 3 pairs that score most for their energy." in told


@pytest.mark.usefixtures("filled")
def test_single_runs_are_not_told_apart_by_energy() -> None:
    document = json.loads(run("--json", "--sort", "energy").stdout)
    first, second = document["entries"]
    assert (first["rank"], first["tied_with"]) == (1, [second["id"]])
    assert any("single runs scatter is not known" in note for note in document["notes"])
    assert document["good_enough"]["sure"] is False


def test_the_leaderboard_as_json(filled: list[str], home: Path) -> None:
    with closing(History(home / "history.db")) as history:
        row = history.benchmarks.run(filled[0])
        assert row
        for name, right, joules in (("a", 10, 1.0), ("b", 18, 4.02)):
            stored_run(history, row.start.suite_id, name, items(right, energy_j=joules), repeat=1)
    document = json.loads(
        run("--json", "--sort", "energy", "--cascades", "--weights", "speed").stdout
    )
    first, second = document["entries"]
    assert (first["label"], first["rank"], first["frontier"]) == ("a Q4_K_M", 1, "on")
    assert (second["rank"], second["tied_with"]) == (2, [])
    assert first["joules_per_item"]["value"] == pytest.approx(1.0)
    assert first["joules_per_token"] is None
    assert document["good_enough"]["sure"] is False
    assert document["cascades"][0]["simulated"] is True
    assert document["cascades"][0]["points"][-1]["threshold"] is None
    assert set(document["efficiency"]["of"].values()) == {None}
    (exam,) = json.loads(run("--list", "--json").stdout)
    assert exam["key"] == document["test"]["key"]
    assert "Sounds · 20 items" in run("--list").stdout


def test_rows_of_unlike_numbers_of_items_say_so_and_are_compared_by_what_they_share(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(History(home / "history.db")) as history:
        suite_id = begin_suite(history)
        late = [item(n, float(n >= 12), energy_j=4.0) for n in range(40)]
        for repeat in range(2):
            stored_run(history, suite_id, "a", late, repeat=repeat, planned=40)
            stored_run(history, suite_id, "b", items(1, of=12, energy_j=1.0), repeat=repeat)
    document = json.loads(run("--json").stdout)
    assert [each["items"] for each in document["entries"]] == [40, 12]
    sentence = document["good_enough"]["sentence"]
    assert "By the 12 items both have done: within 2 points" in sentence
    assert "(a Q4_K_M, 0.0 %)" in sentence
    assert "b Q4_K_M's (8.3 %): ● 1.00 J an item, saving 75 %" in sentence
    assert any("(12 to 40)" in note for note in document["notes"])
    monkeypatch.setattr(terminal.stdout, "_width", 80)
    assert "items" in run().stdout.splitlines()[1]


@pytest.mark.usefixtures("filled")
def test_where_no_cascade_can_be_simulated_it_is_said_why() -> None:
    found = run("--cascades", "--model", "a")
    assert "No cascade can be simulated: that takes two models" in " ".join(found.stdout.split())
    assert "None of" not in found.stdout


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--test", "mmlu"), "hellaswag-"),
        (("--sort", "beauty"), "energy"),
        (("--sort", "efficiency"), "--weights"),
        (("--weights", "beauty=1"), "score, energy, speed, size"),
        (("--weights", "score=much"), "name=number"),
        (("--machine", "attic"), "There are: "),
        (("--since", "yesterday"), "2026-11-24"),
        (("onlyone",), "two to four"),
        (("--since", "2026-12-01", "--until", "2026-11-01"), "no day is between"),
    ],
)
def test_a_mistake_is_answered_with_what_can_be_chosen(
    arguments: tuple[str, ...], word: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert word in found.stderr


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_where_nothing_matches_it_is_not_said_that_nothing_was_judged(
    arguments: tuple[str, ...],
) -> None:
    found = run("--since", "2999-01-01", *arguments)
    assert (found.exit_code, found.stdout) == (0, "")
    assert found.stderr.strip() == (
        "Nothing was judged that matches. Leave out a condition to see more."
    )


@pytest.mark.usefixtures("filled")
def test_who_names_models_for_queries_is_told_how_they_are_chosen() -> None:
    found = run("SmolLM2", "Qwen")
    assert found.exit_code == 1
    told = " ".join(found.stderr.split())
    assert "There is no query SmolLM2." in told
    assert "--model chooses some of them" in told
    assert "--model" not in run("3fa85f64", "9b1c22aa").stderr


def test_side_by_side_on_a_terminal(filled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.stdout, "_width", 80)
    found = run(*(run_id[-8:] for run_id in filled))
    assert found.exit_code == 0
    assert "these two: +300 %" in " ".join(found.stdout.split())
    assert "no verdict is given" in " ".join(found.stdout.split())
    assert "J/item" in found.stdout
    sides = json.loads(run("--json", *filled).stdout)
    assert sides[1]["difference"]["total"]["verdict"] is None
    assert sides[1]["difference"]["total"]["percent"]["low"] > 200
    missing = run(filled[0], "ffffffff")
    assert (missing.exit_code, "no query" in missing.stderr) == (1, True)


def test_only_one_machine_and_only_since_a_day(filled: list[str]) -> None:
    machine = json.loads(run("--json").stdout)["entries"][0]["machine"]
    for named in (machine["name"], machine["id"][:8]):
        assert len(json.loads(run("--json", "--machine", named).stdout)["entries"]) == len(filled)
    tomorrow = (date.today() + timedelta(days=1)).isoformat()
    assert json.loads(run("--json", "--since", tomorrow).stdout)["entries"] == []
