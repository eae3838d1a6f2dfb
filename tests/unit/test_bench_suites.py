"""Suites in TOML, what they come to with models and files, and what is wrong with bad ones."""

import hashlib
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from monitor.bench.plan import Entrant, make_plan, plan_from_json
from monitor.bench.prepare import prepare
from monitor.bench.suites import (
    QUALITY,
    Part,
    Suite,
    SuiteError,
    find_suite,
    list_suites,
    suite_from_json,
)
from monitor.bench.task import DatasetError
from monitor.loading import LoadOptions, LoadProblem
from tests.unit.builders import write_gguf


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def own_items(folder: Path, count: int = 3) -> Path:
    path = folder / "items.jsonl"
    lines = [
        {"question": f"Q{n}?", "choices": ["yes", "no"], "answer": n % 2} for n in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_those_that_ship_can_be_read_and_say_what_they_are() -> None:
    suites = {suite.name: suite for suite in list_suites()}
    assert suites.keys() == {"quick", "speed", "prompts", "leaderboard"}
    assert all(suite.about and suite.title for suite in suites.values())
    quick = [prepare(part) for part in suites["quick"].parts]
    by_task = {part.part.task: part.planned for part in quick if part.task}
    assert min(by_task.values()) >= 25
    assert {"mmlu", "arc_challenge", "hellaswag", "truthfulqa_mc1"} <= by_task.keys()
    assert any(part.kind == "speed" for part in suites["quick"].parts)
    shots = {part.task: part.shots for part in suites["leaderboard"].parts}
    assert (shots["arc_challenge"], shots["hellaswag"], shots["mmlu"]) == (25, 10, 5)
    assert prepare(suites["prompts"].parts[0]).planned == 20


def test_a_suite_survives_being_stored(tmp_path: Path) -> None:
    for suite in list_suites():
        assert suite_from_json(json.loads(json.dumps(suite.to_json()))) == suite
    with pytest.raises(SuiteError):
        suite_from_json({"name": "x"})


def test_paths_are_beside_the_suite_wherever_it_is_run_from(tmp_path: Path) -> None:
    own_items(tmp_path)
    path = write(tmp_path, '[[parts]]\ntask = "custom"\ndata = "items.jsonl"\n')
    part = find_suite(str(path)).parts[0]
    assert Path(part.data) == tmp_path / "items.jsonl"
    assert prepare(part).planned == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one"),
        ("parts = 3", "at least one"),
        ("[[parts]]\nname = 'x'", "a task, or a kind"),
        ("[[parts]]\nkind = 'party'", "a task, or a kind"),
        ("[[parts]]\ntask = 'nosuch'\ndata = 'x'", "no benchmark"),
        ("[[parts]]\ntask = 'mmlu'", "needs the file"),
        ("[[parts]]\ntask = 'mmlu'\ndata = 'x'\nprotocol = 'llamacpp'", "scored by lmh"),
        ("[[parts]]\ntask = 'mmlu'\ndata = 'x'\nshots = 'five'", "whole number"),
        ("[[parts]]\ntask = 'mmlu'\ndata = 'x'\ncolour = 'red'", "“colour” is not known"),
        ("[[parts]]\nkind = 'prompts'", "no prompts"),
        ("[[parts]]\nkind = 'prompts'\nprompts = [1]", "list of texts"),
        ("repeats = 0\n[[parts]]\nkind = 'speed'", "1 or more"),
        ("repeats = 'two'\n[[parts]]\nkind = 'speed'", "should be a number"),
        ("sleep = 3\n[[parts]]\nkind = 'speed'", "“sleep” is not known"),
        ("[[parts\n", "cannot be read as a suite"),
        ("title = 5\n[[parts]]\nkind = 'speed'", "should be texts"),
        ("[[parts]]\nkind = 'speed'\ndecode = 0", "1 or more"),
        ("[[parts]]\ntask = 'mmlu'\ndata = 'x'\nlimit = 0", "1 or more"),
        ("[[parts]]\nkind = 'quality'", "no benchmark"),
        ("[[parts]]\nkind = 'speed'\nprompts_data = 'x'", "kind prompts"),
        ("[[parts]]\nkind = 'prompts'\nprompts_data = 'nowhere.txt'", "no file"),
        ("settings = 3\n[[parts]]\nkind = 'speed'", r"list of tables: \[\[settings\]\]"),
        ("[[parts]]\nkind = 'speed'\n[[settings]]\ncores = 2", "“cores” is not known. There are"),
        (
            "[[parts]]\nkind = 'speed'\n[[settings]]\nthreads = 0",
            "settings 1: “threads” .*1 or more",
        ),
        ("[[parts]]\nkind = 'speed'\n[[settings]]\nkv_type = 'q2'", "f16, q8_0, q4_0, and is “q2”"),
        ("[[parts]]\nkind = 'speed'\n[[settings]]\n[[settings]]", "settings are the same"),
        ("idle_s = inf\n[[parts]]\nkind = 'speed'", "should be a number"),
    ],
)
def test_a_faulty_suite_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        find_suite(str(write(tmp_path, text)))


def test_a_limit_that_leaves_a_speed_test_whole_is_told(tmp_path: Path) -> None:
    entrant = Entrant(write_gguf(tmp_path / "a.gguf"), LoadOptions(threads=2))
    suite = find_suite("quick")
    limited = make_plan(suite.with_settings(None, 2), [entrant], None)
    assert [step.planned for step in limited.steps][:2] == [6, 2]
    assert limited.notices == (
        "Speed: all its 6 measurements are run; a limit is for questions and prompts.",
    )
    assert not make_plan(suite, [entrant], None).notices


def test_a_missing_suite_names_those_there_are() -> None:
    with pytest.raises(SuiteError, match="leaderboard, prompts, quick, speed"):
        find_suite("nosuch")
    with pytest.raises(SuiteError, match="no file"):
        find_suite("nosuch.toml")


def test_prompts_are_taken_from_a_text_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text('"Hello" said the cat.\n\nWhat is a watt?\n')
    path = write(tmp_path, "[[parts]]\nkind = 'prompts'\nprompts_data = 'p.txt'")
    assert find_suite(str(path)).parts[0].prompts == ('"Hello" said the cat.', "What is a watt?")
    path.write_text(path.read_text() + "\nlimit = 1")
    assert find_suite(str(path)).parts[0].prompts == ('"Hello" said the cat.',)
    (tmp_path / "p.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(SuiteError, match="UTF-8"):
        find_suite(str(path))


# --- prepared --------------------------------------------------------------------------------


def part_of(path: Path, **settings: object) -> Part:
    return Part(name="Own", kind=QUALITY, task="custom", data=str(path), **settings)  # type: ignore[arg-type]


def test_hashes_tell_every_change(tmp_path: Path) -> None:
    path = own_items(tmp_path, 6)
    plain = prepare(part_of(path))
    with_shots = prepare(part_of(path, shots=2))
    fewer = prepare(part_of(path, limit=5))
    assert plain.data_sha256 == with_shots.data_sha256 == fewer.data_sha256
    assert len({plain.prompts_sha256, with_shots.prompts_sha256, fewer.prompts_sha256}) == 3
    assert prepare(part_of(path)).prompts_sha256 == plain.prompts_sha256
    path.write_text(path.read_text().replace("Q0?", "Q0!"))
    changed = prepare(part_of(path))
    assert changed.data_sha256 != plain.data_sha256
    assert changed.prompts_sha256 != plain.prompts_sha256


def test_a_folders_hash_is_of_the_files_that_are_read(tmp_path: Path) -> None:
    for name in ("b_test.csv", "a_test.csv"):
        (tmp_path / name).write_text("What?,1,2,3,4,A\n")
    before = prepare(Part(name="x", kind=QUALITY, task="mmlu", data=str(tmp_path), shots=0))
    # As it always was, so that stored runs stay comparable: names and bytes, in order.
    digest = hashlib.sha256()
    for name in ("a_test.csv", "b_test.csv"):
        digest.update(name.encode() + (tmp_path / name).read_bytes())
    assert before.data_sha256 == digest.hexdigest()
    (tmp_path / ".DS_Store").write_bytes(b"\0Finder")
    (tmp_path / "._a_test.csv").write_bytes(b"\0macOS")
    after = prepare(before.part)
    assert after.data_sha256 == before.data_sha256
    (tmp_path / "a_test.csv").write_text("Who?,1,2,3,4,A\n")
    assert prepare(before.part).data_sha256 != before.data_sha256


def test_examples_do_not_depend_on_where_one_begins(tmp_path: Path) -> None:
    prepared = prepare(part_of(own_items(tmp_path, 12), shots=3))
    whole = list(prepared.asked())
    assert list(prepared.asked(7)) == whole[7:]
    assert list(prepared.asked(2, 5)) == whole[2:5]
    assert all(asked.prompt.count("Question:") == 4 for asked in whole)


def test_chance_is_what_guessing_reaches(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    lines = [
        {"question": "a", "choices": ["1", "2"], "answer": 0},
        {"question": "b", "choices": ["1", "2", "3", "4"], "answer": 0},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert prepare(part_of(path)).chance == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_truthfulqa_takes_no_examples_but_its_own(tmp_path: Path) -> None:
    """lm-evaluation-harness passes over a number of examples that is given for it."""
    items = Path(str(files("resources") / "suites" / "quick" / "truthfulqa.json"))
    part = Part("T", QUALITY, task="truthfulqa_mc1", data=str(items), shots=2)
    with pytest.raises(DatasetError, match="six worked examples of its own"):
        prepare(part)
    assert prepare(replace(part, shots=0)).shots == 0


def test_a_public_set_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="bench get hellaswag"):
        prepare(Part(name="x", kind=QUALITY, task="hellaswag", data="public"))


# --- planned ---------------------------------------------------------------------------------


def entrant(folder: Path, name: str, **options: int) -> Entrant:
    return Entrant(write_gguf(folder / f"{name}.gguf"), LoadOptions(**options))


def suite_of(*parts: Part, repeats: int = 1) -> Suite:
    return Suite("own", "Own", "", parts, repeats=repeats)


def test_models_lead_in_turn_from_repeat_to_repeat(tmp_path: Path) -> None:
    part = part_of(own_items(tmp_path))
    entrants = [entrant(tmp_path, "a"), entrant(tmp_path, "b")]
    plan = make_plan(suite_of(part, repeats=2), entrants, None)
    assert [step.model_number for step in plan.steps] == [0, 1, 1, 0]
    assert [step.repeat for step in plan.steps] == [0, 0, 1, 1]
    by_turns = make_plan(suite_of(part, Part("S", "speed")), entrants, 100.0)
    assert [(s.part, s.model_number) for s in by_turns.steps] == [
        ("Own", 0), ("Own", 1), ("S", 0), ("S", 1),
    ]  # fmt: skip


def test_every_model_is_run_under_every_setting(tmp_path: Path) -> None:
    text = "[[parts]]\nkind = 'speed'\n[[settings]]\nthreads = 2\n[[settings]]\nkv_type = 'q8_0'\n"
    suite = find_suite(str(write(tmp_path, text)))
    assert suite_from_json(json.loads(json.dumps(suite.to_json()))) == suite
    plan = make_plan(suite, [entrant(tmp_path, "a", gpu_layers=0), entrant(tmp_path, "b")], None)
    assert [(e.path.stem, e.options) for e in plan.entrants] == [
        ("a", LoadOptions(threads=2, gpu_layers=0)),
        ("a", LoadOptions(kv_type="q8_0", gpu_layers=0)),
        ("b", LoadOptions(threads=2)),
        ("b", LoadOptions(kv_type="q8_0")),
    ]
    names = [step.model for step in plan.steps]
    assert names == [model["name"] for model in plan.to_json()["models"]]
    assert names[0].endswith("(threads 2, kv type f16)")
    assert names[1].endswith("(threads auto, kv type q8_0)")
    # Stored and gone on with, they are not crossed again.
    assert plan_from_json(json.loads(json.dumps(plan.to_json()))).steps == plan.steps


def test_settings_that_exclude_one_another_are_refused_before_anything_is_run(
    tmp_path: Path,
) -> None:
    text = "[[parts]]\nkind = 'speed'\n[[settings]]\nkv_type = 'q8_0'\nflash_attention = 'off'\n"
    with pytest.raises(LoadProblem, match="only with flash attention"):
        make_plan(find_suite(str(write(tmp_path, text))), [entrant(tmp_path, "a")], None)


def test_a_context_is_chosen_for_the_longest_item_and_shortage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    line = {"question": "word " * 4000, "choices": ["yes", "no"], "answer": 0}
    path.write_text(json.dumps(line) + "\n")
    plan = make_plan(suite_of(part_of(path)), [entrant(tmp_path, "a")], None)
    # The file says the model was made for 2048 tokens.
    assert plan.options_of(plan.steps[0]).context == 2048
    assert any("beginning is cut" in notice for notice in plan.notices)
    short = make_plan(suite_of(part_of(own_items(tmp_path))), [entrant(tmp_path, "a")], None)
    assert short.options_of(short.steps[0]).context == 512
    assert not short.notices
    tiny = make_plan(suite_of(part_of(path)), [entrant(tmp_path, "a", context=64)], None)
    assert tiny.options_of(tiny.steps[0]).context == 64


def test_a_context_that_cannot_do_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    small = entrant(tmp_path, "a", context=256)
    with pytest.raises(SuiteError, match="context of 512 tokens"):
        make_plan(suite_of(Part("Speed", "speed")), [small], None)
    (tmp_path / "w.jsonl").write_text('{"prompt": "Say yes.", "answer": "yes"}\n')
    tiny = entrant(tmp_path, "b", context=64)
    with pytest.raises(SuiteError, match="needs a context"):
        make_plan(suite_of(part_of(tmp_path / "w.jsonl")), [tiny], None)


def test_a_base_model_is_told_of_before_it_is_asked(tmp_path: Path) -> None:
    prompts = Part("Prompts", "prompts", prompts=("What is a watt?",))
    plan = make_plan(suite_of(prompts), [entrant(tmp_path, "a")], None)
    assert any("no chat template" in notice for notice in plan.notices)


def test_what_cannot_be_planned(tmp_path: Path) -> None:
    part = part_of(own_items(tmp_path))
    with pytest.raises(SuiteError, match="at least one model"):
        make_plan(suite_of(part), [], None)
    with pytest.raises(SuiteError, match="same name"):
        make_plan(suite_of(part, part), [entrant(tmp_path, "a")], None)
