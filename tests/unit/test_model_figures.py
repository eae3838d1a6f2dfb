"""What a model took on this machine: its newest answers and speed tests, and no one else's."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.commands.models import models
from monitor.energy.account import Bill
from monitor.models.overview import Measured, overview
from monitor.models.places import FILES_PREFERENCE
from monitor.models.report import token_energy
from monitor.paths import database_path
from monitor.power.channel import Kind
from monitor.store.history import History
from monitor.store.machine import this_machine
from monitor.store.model_figures import NEWEST, ModelFigures, read_model_figures
from monitor.store.records import Seconds, Status, Tokens
from tests.unit.builders import (
    BILL,
    CPU,
    LACKING,
    NOTHING_KNOWN,
    channel,
    line,
    model_info,
    outcome,
    query_start,
    write_gguf,
)


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no program of whoever runs the tests be read."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def bill(joules: float, kind: Kind = Kind.COUNTER) -> Bill:
    return Bill((line(channel(kind=kind) if kind is not Kind.COUNTER else CPU, joules=joules),))


def answered(history: History, joules: float = 10.0, tokens: int = 5, **changes: Any) -> str:
    start = changes.pop("start", {})
    began = history.begin(query_start(**start))
    fields: dict[str, Any] = {
        "bill": bill(joules),
        "tokens": Tokens(prompt=3, completion=tokens),
        "seconds": Seconds(decode=2.0, total=2.1),
    }
    history.finish(began.query_id, outcome(**(fields | changes)))
    return began.query_id


def read(history: History) -> list[ModelFigures]:
    return read_model_figures(history.store, this_machine()["id"])


def test_what_lacks_a_part_is_marked(history: History) -> None:
    answered(history)
    (found,) = read(history)
    assert (found.is_partly_read, token_energy(found)) == (False, "● 2.00 J")
    answered(history, bill=LACKING)
    (found,) = read(history)
    assert found.is_partly_read
    assert token_energy(found).startswith("≥ ● ")


def test_answers_are_added_up_with_their_interval_and_weakest_kind(history: History) -> None:
    answered(history, 10.0, 5)
    answered(history, 50.0, 10, bill=bill(50.0, Kind.MODELLED))
    (found,) = read(history)
    assert found.answers == 2
    assert found.joules_per_token == pytest.approx(60 / 15)
    assert found.low_j is not None
    assert found.high_j is not None
    assert found.low_j < 4.0 < found.high_j
    assert found.kind is Kind.MODELLED
    assert found.tokens_per_s == pytest.approx(15 / 4)


def test_only_decode_counts(history: History) -> None:
    answered(history, bill=BILL, tokens=6)
    (found,) = read(history)
    assert found.joules_per_token == pytest.approx((12.4 + 40.0) / 6)


def test_an_answer_without_energy_still_tells_its_speed(history: History) -> None:
    answered(history, bill=NOTHING_KNOWN)
    (found,) = read(history)
    assert (found.joules_per_token, found.low_j, found.kind) == (None, None, None)
    assert found.tokens_per_s == pytest.approx(2.5)
    answered(history, 20.0, 10)
    assert read(history)[0].joules_per_token == pytest.approx(2.0)


def test_what_failed_was_deleted_or_ran_elsewhere_does_not_count(history: History) -> None:
    answered(history, 1e6, status=Status.FAILED)
    gone = answered(history, 1e6)
    elsewhere = answered(history, 1e6)
    answered(history, 10.0, 5, status=Status.STOPPED)
    store = history.store
    numbers = {r["id"]: r["started_ms"] for r in store.read().query("select * from queries")}
    history.edits.delete([numbers[gone]])
    store.write(
        lambda db: db.execute("update queries set machine_id = null where id = ?", [elsewhere])
    ).result()
    (found,) = read(history)
    assert (found.answers, found.joules_per_token) == (1, pytest.approx(2.0))


def test_of_many_answers_the_newest_tell(history: History) -> None:
    answered(history, 1e6)
    for _ in range(NEWEST):
        answered(history, 10.0, 5)
    (found,) = read(history)
    assert (found.answers, found.joules_per_token) == (NEWEST, pytest.approx(2.0))


def test_speed_tests_count_and_judged_runs_do_not(history: History) -> None:
    for kind, joules in (("speed", 10.0), ("quality", 1e6)):
        query_id = answered(history, joules, 5, start={"kind": "bench"})
        row = {"id": query_id, "kind": kind, "task": kind}
        history.store.write(lambda db, row=row: db.table("bench_runs").insert(row)).result()
    (found,) = read(history)
    assert (found.answers, found.joules_per_token) == (1, pytest.approx(2.0))


def test_a_file_is_known_by_its_path_while_it_is_unchanged(history: History) -> None:
    info = model_info()
    answered(history)
    measured = Measured(read(history))
    assert measured.of(info, 5) is not None
    assert measured.of(info, 6) is None
    assert measured.of(replace(info, size_bytes=1001), 5) is None
    assert measured.of(replace(info, path=Path("/elsewhere.gguf")), 5) is None


def test_a_file_called_by_its_hash_is_known_wherever_it_lies(
    history: History, tmp_path: Path
) -> None:
    answered(history)
    blob = write_gguf(tmp_path / f"sha256-{'ab' * 32}")
    link = tmp_path / "tiny.gguf"
    link.symlink_to(blob)
    measured = Measured(read(history))
    for path in (blob, link):
        assert measured.of(replace(model_info(), path=path), 7) is not None


# --- the commands ------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(models, [str(each) for each in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def document(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def known(history: History, tmp_path: Path) -> Path:
    """A file in the library that has answered."""
    path = write_gguf(tmp_path / "tiny.gguf")
    history.set_preference(FILES_PREFERENCE, [str(path)])
    info = replace(model_info(), path=path, size_bytes=path.stat().st_size)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    start = {"model": info, "sha256": sha256, "modified_ns": path.stat().st_mtime_ns}
    answered(history, start=start)
    return path


def test_the_overview_lays_everything_beside_a_model(history: History, known: Path) -> None:
    (entry,) = (each for each in overview(history).entries if each.model.path == known)
    assert entry.fit is not None
    assert entry.fit.context == 2048
    assert entry.figures is not None


def test_list_tells_fit_and_figures(known: Path, tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>")
    (tmp_path / "home/models").mkdir()
    (tmp_path / "page.gguf").rename(tmp_path / "home/models/page.gguf")
    listed = {each["name"]: each for each in document("list", "--ctx", 512)}
    assert listed["tiny"]["fit"]["context"] == 512
    assert listed["tiny"]["fit"]["verdict"] == "fits"
    assert listed["tiny"]["measured"]["joules_per_token"] == pytest.approx(2.0)
    assert listed["tiny"]["measured"]["kind"] == "counter"
    assert listed["tiny"]["from"] == "chosen"
    assert listed["page"]["fit"] is None
    shown = run("list").stdout
    assert "● 2.00 J" in shown
    assert "web page" in shown


def test_info_reckons_memory_at_a_context(known: Path) -> None:
    found = document("info", known, "--ctx", 1024, "--kv", "q8_0")
    assert [each["context"] for each in found["memory"]] == [1024]
    assert found["measured"]["answers"] == 1
    assert "1 answer" in run("info", known).stdout
    refused = CliRunner().invoke(models, ["info", str(known), "--ctx", "4096"])
    assert "trained on contexts of up to 2048" in str(refused.exception)


def test_paths_are_added_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    write_gguf(folder / "disk-model.gguf")
    assert document("add", folder) == {"added": [str(folder)]}
    assert "disk-model" in run("list").stdout
    assert str(folder) in json.dumps(document("folders"))
    assert "on disk nothing was changed" in run("remove", folder).stdout
    assert "disk-model" not in run("list").stdout


def test_programs_are_switched_off_and_on(tmp_path: Path) -> None:
    folder = tmp_path / "person/.cache/gpt4all"
    folder.mkdir(parents=True)
    write_gguf(folder / "g.gguf")
    assert {"path": str(folder), "from": "gpt4all", "models": 1, "problem": None} in document(
        "folders"
    )["folders"]
    found = document("folders", "--without", "gpt4all")
    assert found["without"] == ["gpt4all"]
    assert "gpt4all" not in [each["from"] for each in found["folders"]]
    assert "Not read: GPT4All." in run("folders").stdout
    assert document("folders", "--with", "GPT4All")["without"] == []
    both = CliRunner().invoke(models, ["folders", "--with", "jan", "--without", "jan"])
    assert both.exit_code == 2
