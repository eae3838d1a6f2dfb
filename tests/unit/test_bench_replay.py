"""A benchmark is repeated from its document: checked first, and with its data wherever it lies."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.bench import forms
from monitor.bench.download import fetched
from monitor.bench.plan import make_plan
from monitor.bench.prepare import prepare
from monitor.bench.replay import differences, plan_of, read_replayed
from monitor.bench.suites import Part, Suite, list_suites
from monitor.bench.summary import summarise
from monitor.bench.task import DatasetError
from monitor.bench.tasks import TASKS
from monitor.commands import terminal
from monitor.commands.bench import run_suite
from monitor.commands.bench_lookups import list_benchmarks
from monitor.engine.gguf import ModelFileError
from monitor.exchange.capsule import capsule_of
from monitor.exchange.node import Node, read_document
from monitor.hub.transfer import Record
from monitor.models.library import Found
from monitor.paths import database_path, home
from monitor.problem import Problem
from monitor.store.history import History
from monitor.store.records import Status
from tests.unit.builders import write_gguf
from tests.unit.test_bench_store import FIRST, stored_run

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder that only the machine had on which the benchmark was run."""
    folder = tmp_path / "home" / "ann" / "bench"
    (folder / "mmlu" / "test").mkdir(parents=True)
    (folder / "mmlu" / "test" / "birds_test.csv").write_text("Which sings?,1,2,3,4,A\n" * 4)
    (folder / "mmlu" / "dev").mkdir()
    (folder / "mmlu" / "dev" / "birds_dev.csv").write_text("Which flies?,1,2,3,4,B\n")
    return folder


def stored_suite(history: History, folder: Path, *parts: Part) -> str:
    """Store a finished benchmark of a model in a folder."""
    suite = Suite("own", "Own", "", parts)
    path = write_gguf(folder / "a.gguf")
    plan = {
        "suite": json.loads(json.dumps(suite.to_json())),
        "models": [
            {"path": str(path), "context": None, "threads": 2, "gpu_layers": -1, "name": "a Q4_0",
             "sha256": "aa"}
        ],
        "budget_j": None,
    }  # fmt: skip
    suite_id = history.benchmarks.begin_suite("own", "Own", plan, {"llamawatt": "0.1.0"})
    for step, part in enumerate(parts):
        prepared = prepare(part)
        stored_run(
            history, suite_id, FIRST, step=step, part=part.name, task=part.task,
            data_path=prepared.data_path, data_sha256=prepared.data_sha256,
            shots_sha256=prepared.shots_sha256, prompts_sha256=prepared.prompts_sha256,
        )  # fmt: skip
    history.benchmarks.finish_suite(suite_id, Status.DONE, "", None)
    return suite_id


def mmlu(folder: Path) -> Part:
    return Part(
        "Birds", "quality", task="mmlu", data=str(folder / "mmlu" / "test"), shots=1,
        shots_data=str(folder / "mmlu" / "dev"),
    )  # fmt: skip


def document_of(history: History, suite_id: str) -> dict[str, Any]:
    result = summarise(history, suite_id)
    items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
    made: dict[str, Any] = json.loads(json.dumps(forms.suite_json(result, items)))
    return made


@pytest.fixture
def document(history: History, there: Path) -> dict[str, Any]:
    """What ``bench run --json`` wrote."""
    return document_of(history, stored_suite(history, there, mmlu(there)))


def set_to(*path: str | int, value: Any) -> Change:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def without(*path: str | int) -> Change:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


def test_the_list_marks_what_was_deleted_in_part(history: History, there: Path) -> None:
    suite_id = stored_suite(history, there, mmlu(there))
    other = stored_run(history, suite_id, FIRST, step=1)
    history.edits.delete(history.browse.numbers_of([other]))
    # In a narrow terminal the state goes on in the next line.
    told = CliRunner().invoke(list_benchmarks).output
    assert "1 of 2" in told
    assert "deleted" in told
    history.edits.delete(history.browse.numbers_of([summarise(history, suite_id).runs[0].row.id]))
    assert json.loads(CliRunner().invoke(list_benchmarks, ["--json"]).output) == []


def test_the_lists_headings_are_whole_in_a_narrow_terminal(
    history: History, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_suite(history, there, mmlu(there))
    monkeypatch.setattr(terminal.stdout, "_width", 60)
    told = CliRunner().invoke(list_benchmarks).output.splitlines()
    assert told[0].split() == ["id", "when", "benchmark", "models", "result"]


def test_a_whole_document_is_taken(document: dict[str, Any]) -> None:
    replayed = read_replayed(Node(document, "run.json"))
    suite, entrants, budget_j = plan_of(replayed, [])
    assert (suite.to_json()["parts"][0]["data"], budget_j) == (
        document["runs"][0]["data"]["path"], None,
    )  # fmt: skip
    assert make_plan(suite, entrants, budget_j).prepared[0].planned == 4
    assert differences(document, document)["runs"][0]["changed"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("versions"), "lacks “versions”"),
        (without("runs"), "lacks “runs”"),
        (without("runs", 0, "outcomes"), "runs 1: it lacks “outcomes”"),
        (set_to("runs", 0, "outcomes", value=[[1, 2]]), "“outcomes” should be a list of"),
        (set_to("runs", 0, "step", value="0"), "“step” should be a whole number"),
        (set_to("runs", 0, "energy", "total_j", value="9"), "“total_j” should be a number"),
        (without("plan"), "no result of a benchmark that can be repeated"),
        (without("plan", "models"), "lacks “models”"),
        (without("plan", "models", 0, "path"), "models 1: it lacks “path”"),
        (set_to("plan", "models", 0, "context", value="4096"), "“context” should be a whole"),
        (set_to("plan", "models", 0, "kv_type", value="q1"), "“kv_type” should be one of f16"),
        (set_to("plan", "budget_j", value="abc"), "“budget_j” should be a number"),
        (set_to("plan", "suite", "repeats", value="two"), "“repeats” should be a number"),
        (set_to("plan", "suite", "title", value=5), "“title” and “about” should be texts"),
        (set_to("plan", "suite", "parts", value=[]), "at least one benchmark"),
        (set_to("plan", "suite", "parts", 0, value="MMLU"), "part 1: it should be an object"),
        (set_to("plan", "suite", "parts", 0, "limit", value="4"), "part 1: “limit” should be"),
        (set_to("plan", "suite", "parts", 0, "kind", value="party"), "needs a task, or a kind"),
        (set_to("plan", "suite", "parts", 0, "task", value="nosuch"), "no benchmark “nosuch”"),
        (set_to("plan", "suite", "parts", 0, "colour", value="red"), "“colour” is not known"),
    ],
)
def test_a_damaged_document_is_told_before_anything_begins(
    history: History, document: dict[str, Any], tmp_path: Path, change: Change, told: str
) -> None:
    change(document)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    done = CliRunner().invoke(run_suite, ["--replay", str(path)])
    assert isinstance(done.exception, Problem)
    assert "run.json" in str(done.exception)
    assert told in str(done.exception)
    assert len(history.benchmarks.suites()) == 1, "nothing was begun"


def test_a_list_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("[1, 2]")
    done = CliRunner().invoke(run_suite, ["--replay", str(tmp_path / "run.json")])
    assert "should hold one JSON object" in str(done.exception)


def test_a_model_that_is_not_here_is_told(document: dict[str, Any], there: Path) -> None:
    (there / "a.gguf").unlink()
    with pytest.raises(ModelFileError, match="a Q4_0 is not on this machine"):
        plan_of(read_replayed(Node(document, "run.json")), [])


@pytest.fixture
def capsule(history: History, there: Path, tmp_path: Path) -> Path:
    """A capsule of the benchmark; what it was made of is moved away."""
    path = tmp_path / "capsule.json"
    path.write_text(json.dumps(capsule_of(history, stored_suite(history, there, mmlu(there)))))
    there.rename(tmp_path / "elsewhere")
    return path


def replayed(capsule: Path, *given: tuple[str, Path]) -> Suite:
    library = [Found("a", capsule.with_name("elsewhere") / "a.gguf", None)]
    return plan_of(read_replayed(read_document(capsule, 1 << 30)), library, given)[0]


def test_a_capsule_names_no_folder_of_the_machine_it_is_from(capsule: Path) -> None:
    text = capsule.read_text()
    assert str(capsule.parent) not in text
    plan = json.loads(text)["plan"]
    assert plan["models"][0]["path"] == "a.gguf"
    assert (plan["suite"]["parts"][0]["data"], plan["suite"]["parts"][0]["shots_data"]) == (
        "test", "dev",
    )  # fmt: skip


def test_a_capsule_finds_its_data_where_a_person_says(capsule: Path) -> None:
    with pytest.raises(DatasetError, match=r"test of the part “Birds”.*--data test=PATH"):
        replayed(capsule)
    here = capsule.with_name("elsewhere") / "mmlu"
    suite = replayed(capsule, ("test", here / "test"), ("dev", here / "dev"))
    assert (
        prepare(suite.parts[0]).prompts_sha256
        == json.loads(capsule.read_text())["runs"][0]["prompts_sha256"]
    )
    with pytest.raises(DatasetError, match="holds something else"):
        replayed(capsule, ("test", here / "dev"), ("dev", here / "dev"))
    with pytest.raises(DatasetError, match="no data is called “val”"):
        replayed(capsule, ("val", here / "test"))
    done = CliRunner().invoke(run_suite, ["--replay", str(capsule), "--data", "test"])
    assert "NAME=PATH" in done.output
    done = CliRunner().invoke(run_suite, ["quick", "--data", "test=x"])
    assert "--data goes with --replay" in done.output


def test_a_capsule_finds_what_ships(history: History, there: Path, tmp_path: Path) -> None:
    quick = next(suite for suite in list_suites() if suite.name == "quick")
    part = next(part for part in quick.parts if part.task == "mmlu")
    path = tmp_path / "capsule.json"
    path.write_text(json.dumps(capsule_of(history, stored_suite(history, there, part))))
    assert json.loads(path.read_text())["plan"]["suite"]["parts"][0]["data"] == "mmlu.jsonl"
    there.rename(tmp_path / "elsewhere")
    found = replayed(path).parts[0]
    assert (Path(found.data), Path(found.shots_data)) == (Path(part.data), Path(part.shots_data))


def test_a_capsule_finds_what_was_fetched(history: History, there: Path, tmp_path: Path) -> None:
    path = tmp_path / "capsule.json"
    part = replace(mmlu(there), data=str(there / "mmlu" / "test" / "birds_test.csv"),
                   shots_data=str(there / "mmlu" / "dev" / "birds_dev.csv"))  # fmt: skip
    path.write_text(json.dumps(capsule_of(history, stored_suite(history, there, part))))
    there.rename(tmp_path / "elsewhere")
    source = TASKS["mmlu"].source
    assert source
    for file, kept in (
        (source.file, "test/birds_test.csv"),
        (source.shots_file, "dev/birds_dev.csv"),
    ):
        place = home() / "benchmarks" / "mmlu" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        data = (tmp_path / "elsewhere" / "mmlu" / kept).read_bytes()
        place.write_bytes(data)
        record = Record(source.repository, file, "1", len(data), "")
        place.with_name(f"{place.name}.source.json").write_text(json.dumps(asdict(record)))
    assert fetched(TASKS["mmlu"])
    found = replayed(path).parts[0]
    assert Path(found.data) == home() / "benchmarks" / "mmlu" / source.file
    assert Path(found.shots_data) == home() / "benchmarks" / "mmlu" / source.shots_file


def test_data_that_has_changed_is_told_before_anything_is_computed(
    document: dict[str, Any], there: Path
) -> None:
    (there / "mmlu" / "test" / "birds_test.csv").write_text("Which swims?,1,2,3,4,A\n" * 4)
    with pytest.raises(DatasetError, match="holds something else"):
        plan_of(read_replayed(Node(document, "run.json")), [])
