"""The history's commands answer as the window does, and every mistake gets a sentence."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.carbon.intensity import Zone
from monitor.carbon.training import Training
from monitor.cli import main
from monitor.commands import terminal
from monitor.commands.filter_options import filter_options
from monitor.filter_flags import filter_arguments
from monitor.paths import database_path
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.terminal.history_rows import rows_table
from tests.unit.builders import LACKING, NOTHING_KNOWN, outcome, query_start, stored_query


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["history", *arguments])


def answer(*arguments: str) -> Any:
    ran = run(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.fixture
def ids() -> Iterator[list[str]]:
    """Identifiers of three stored queries, the newest first."""
    path = database_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(History(path)) as history:
        for prompt in ("one", "two", "three"):
            stored_query(history, prompt)
        yield [record.id for record in history.records()]


def test_a_filtered_list_holds_what_matches(ids: list[str]) -> None:
    assert [record["id"] for record in answer("list")] == ids
    assert [record["prompt"] for record in answer("list", "--text", "tw")] == ["two"]
    assert answer("list", "--kind", "chat") == []
    assert "No query matches" in run("list", "--kind", "chat").stderr
    assert len(answer("list", "--limit", "2")) == 2


def test_a_list_that_leaves_queries_out_says_how_many_there_are(ids: list[str]) -> None:
    told = run("list", "--limit", "2").stderr
    assert told == "The newest 2 of 3 queries; --limit shows more.\n"
    assert not run("list", "--limit", "3").stderr


@pytest.fixture
def in_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the clock of this machine to a zone that is no whole hour from any other."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows' clock is of the system")
def test_times_are_of_this_machines_clock_and_in_json_of_utc(
    ids: list[str], in_kathmandu: None
) -> None:
    (record,) = answer("list", "--limit", "1")
    assert record["started_at"].endswith("+00:00")
    local = datetime.fromisoformat(record["started_at"]).astimezone(
        timezone(timedelta(hours=5, minutes=45))
    )
    told = run("list").stdout
    assert told.count("UTC+05:45") == 1
    assert f"{local:%m-%d %H:%M}" in told
    assert f"{local:%Y-%m-%d %H:%M:%S} (UTC+05:45)" in run("show", ids[0]).stdout


@pytest.mark.parametrize("width", [30, 45, 60, 80, 120])
def test_a_narrow_list_leaves_columns_out_and_cuts_no_identifier_or_figure(
    ids: list[str], width: int
) -> None:
    with closing(History(database_path())) as history:
        view = rows_table(history.browse.rows(EVERYTHING, 3), width)
    console = Console(width=width)
    with console.capture() as captured:
        console.print(view)
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    for line, identifier in zip(lines[1:], ids, strict=False):
        assert line.split()[0] == identifier[-8:]
        assert "◐ 57.6 J" in line
    assert ("when" in lines[0], "model" in lines[0]) == (width >= 45, width >= 60)
    told = " ".join(lines[4:])
    for column in ("CO₂e", "tokens", "model", "when"):
        assert (column in told) is (column not in lines[0])
    assert ("--json shows" in told) is (width < 80)
    assert ("Times are" in told) is (width >= 45)


def test_quantisations_of_a_model_are_told_apart_where_its_name_is_cut(ids: list[str]) -> None:
    with closing(History(database_path())) as history:
        (row,) = history.browse.rows(EVERYTHING, 1)
    rows = [replace(row, model="A" * 40, quantisation=name) for name in ("Q4_K_M", "Q8_0", "")]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(rows_table(rows, 80))
    first, second, third = captured.get().splitlines()[1:4]
    assert "A… Q4_K_M" in first
    assert "A… Q8_0" in second
    assert "A… " in third


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("split", ["nothing", "model", "component"])
def test_narrow_sums_leave_columns_out_and_break_no_heading_or_figure(
    ids: list[str], monkeypatch: pytest.MonkeyPatch, width: int, split: str
) -> None:
    monkeypatch.setattr(terminal.stdout, "_width", width)
    header, *rows = run("sums", "--split", split).stdout.splitlines()
    known = {"from", split, "energy", "CO₂e", "queries", "tokens", "J/token", "speed"}
    assert {"from", "energy"} <= set(header.split()) <= known
    assert ("speed" in header) is (width >= 80 and split != "component")
    assert max(map(len, (header, *rows))) <= width
    assert any(row.startswith("total") and "J" in row.split() for row in rows)


def test_narrow_sums_say_what_they_leave_out_and_explain_nothing_else(
    ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(History(database_path())) as history:
        history.finish(history.begin(query_start(prompt="four", zone=CAF)).query_id, outcome())

    def told(width: int) -> str:
        monkeypatch.setattr(terminal.stdout, "_width", width)
        return " ".join(run("sums").stdout.split())

    narrow = told(44)
    assert "No room for: speed, queries, CO₂e. A wider terminal or --json shows them." in narrow
    assert "J/token: decode, over all queries of a row." in narrow
    assert "J/token and speed" not in narrow
    assert "emissions" not in narrow, "there is no column of them"
    assert "decode" not in told(30)
    assert "No room for: speed. A wider terminal or --json shows it." in told(60)
    wide = told(120)
    assert "No room" not in wide
    assert "J/token and speed: decode" in wide
    assert "The emissions are of 3 of 4 measured queries" in wide


def test_sums_are_those_of_the_queries(ids: list[str]) -> None:
    records = answer("list")
    found = answer("sums", "--by", "day", "--split", "model")
    energy_j = sum(record["energy"]["total_j"] for record in records)
    assert found["total"]["energy_j"] == pytest.approx(energy_j)
    assert found["total"]["grams"] == pytest.approx(sum(r["co2"]["grams"] for r in records))
    (bar,) = found["bars"]
    assert (bar["key"], bar["queries"], bar["kind"]) == ("tiny Q4_K_M", 3, "power")
    parts = answer("sums", "--split", "component")["bars"]
    assert {part["key"]: part["kind"] for part in parts} == {"cpu": "counter", "gpu": "power"}
    assert sum(part["energy_j"] for part in parts) == pytest.approx(energy_j)
    printed = run("sums", "--split", "component").stdout
    assert {"●", "◐"} <= set(printed)
    figures_told = run("sums").stdout.splitlines()[1].split("◐")
    assert len(figures_told) == 3, "the sum and its joules a token are marked"
    assert "total" in printed


CAF = Zone("CAF", "Central African Republic", 2022, 0.0)
"""A zone whose figure is missing in the table it is from."""


def test_sums_say_what_was_not_read(ids: list[str]) -> None:
    assert "≥" not in run("sums").output
    whole = answer("sums")["total"]
    assert (whole["is_lower_bound"], whole["partly_read"], whole["unread"]) == (False, 0, 0)
    with closing(History(database_path())) as history:
        stored_query(history, "four", bill=LACKING)
        stored_query(history, "five", bill=NOTHING_KNOWN)
    total = answer("sums")["total"]
    assert (total["queries"], total["measured"], total["partly_read"], total["unread"]) == (
        5, 4, 1, 1,
    )  # fmt: skip
    assert total["is_lower_bound"] is True
    told = run("sums").output
    row = next(each for each in told.splitlines() if each.startswith("total"))
    assert row.count("≥") == 3, "energy, CO2 and J/token"
    assert "A part was not read in 1 of 5 queries: it was at least this." in told
    assert "Nothing was read of 1 of 5 queries" in told
    parts = {each["key"]: each for each in answer("sums", "--split", "component")["bars"]}
    assert {key: each["is_lower_bound"] for key, each in parts.items()} == {
        "cpu": False, "gpu": True,
    }  # fmt: skip
    assert "≥" not in run("sums", "--text", "one").output


def test_sums_say_of_how_many_queries_their_grams_are(ids: list[str]) -> None:
    with closing(History(database_path())) as history:
        history.finish(history.begin(query_start(prompt="four", zone=CAF)).query_id, outcome())
    total = answer("sums")["total"]
    assert (total["measured"], total["costed"], total["is_lower_bound"]) == (4, 3, False)
    told = run("sums").output
    row = next(each for each in told.splitlines() if each.startswith("total"))
    assert row.count("≥") == 1, "of the grams alone"
    assert "The emissions are of 3 of 4 measured queries" in " ".join(told.split())
    alone = run("sums", "--text", "four").output
    assert "The emissions are not known: there is no figure of the grid." in alone


def test_tags_and_notes_are_kept_and_found(ids: list[str]) -> None:
    assert run("tag", ids[0][-8:], ids[2][-8:], "--as", "talk").exit_code == 0
    assert [record["id"] for record in answer("list", "--tag", "talk")] == [ids[0], ids[2]]
    assert run("tag", ids[0], "--as", "talk", "--remove").exit_code == 0
    assert [record["id"] for record in answer("list", "--tag", "talk")] == [ids[2]]
    assert run("note", ids[1], "on battery").exit_code == 0
    assert [record["id"] for record in answer("list", "--text", "battery")] == [ids[1]]


def test_deleting_says_how_to_undo_it(ids: list[str]) -> None:
    ran = run("delete", ids[0][-8:], ids[1])
    assert ran.exit_code == 0
    assert [record["id"] for record in answer("list")] == [ids[2]]
    # On one line, to be pasted, although it is longer than one of this terminal.
    undo = ran.stderr.splitlines()[0].split("llamawatt history ")[1].split()
    assert undo == ["delete", "--undo", *ids[:2]]
    assert run(*undo).exit_code == 0
    assert [record["id"] for record in answer("list")] == ids


def test_what_was_deleted_comes_back_without_being_named_the_last_first(ids: list[str]) -> None:
    run("delete", ids[0])
    run("delete", *ids[1:])
    assert answer("delete", "--undo") == {"ids": ids[1:], "deleted": False}
    assert [record["id"] for record in answer("list")] == ids[1:]
    assert run("delete", "--undo").stderr.split() == ["Brought", "back:", ids[0]]
    assert [record["id"] for record in answer("list")] == ids
    assert run("delete", "--undo").stderr.split(". ") == [
        "There is nothing to bring back", "What is deleted is kept for 30 days.\n"
    ]  # fmt: skip
    assert answer("delete", "--undo") == {"ids": [], "deleted": False}


def test_of_many_that_come_back_a_few_are_told(
    ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(History(database_path())) as history:
        for number in range(23):
            stored_query(history, f"more {number}")
        history.edits.delete(history.browse.numbers())
    told = " ".join(run("delete", "--undo").stderr.split())
    assert told.startswith("Brought back: ")
    assert told.endswith(" and 6 more")
    assert len(told.removesuffix(" and 6 more").split()) == 2 + 20
    everything = [record["id"] for record in answer("list", "--limit", "100")]
    assert len(everything) == 26
    run("delete", *everything)
    assert sorted(answer("delete", "--undo")["ids"]) == sorted(everything)


def test_a_running_query_is_kept(ids: list[str]) -> None:
    with closing(History(database_path())) as history:
        running = history.begin(query_start()).query_id
        ran = run("delete", running)
        assert ran.exit_code == 1
        assert "still running" in ran.stderr
        assert len(history.browse.numbers(EVERYTHING)) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "--since", "yesterday"], "Write it as 2026-11-24"),
        (["list", "--since", "2026-02-02", "--until", "2026-01-01"], "no day is between"),
        (["list", "--model", "tinny"], "There are: tiny"),
        (["list", "--tag", "talk"], "No query has a tag yet"),
        (["sums", "--by", "year"], "'day', 'week', 'month'"),
        (["tag", "one", "--as", " "], "There is no query one: it takes 4 characters"),
        (["show", "ffffffff"], "There is no query ffffffff"),
        (["delete"], "Name the queries to delete"),
    ],
)
def test_mistakes(ids: list[str], arguments: list[str], sentence: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code in (1, 2)
    assert sentence in ran.stderr


def test_an_empty_history_says_what_to_do() -> None:
    assert "llamawatt ask" in run("list").stderr
    assert "llamawatt ask" in run("sums").stderr
    assert answer("sums")["total"]["energy_j"] is None


def test_a_filter_is_written_as_the_options_that_make_it() -> None:
    chosen = Filter(
        ("a 'b'",), ("Q4_1",), ("ask",), ("done",), ("desk",), ("for Ghent",),
        date(2026, 1, 2), date(2026, 3, 4), "what is",
    )  # fmt: skip
    found: list[Filter] = []

    @click.command()
    @filter_options
    def probe(chosen: Filter) -> None:
        found.append(chosen)

    ran = CliRunner().invoke(probe, shlex.split(filter_arguments(chosen)))
    assert ran.exit_code == 0, ran.output
    assert found == [chosen]
    assert filter_arguments(EVERYTHING) == ""


def test_what_training_took_is_entered_with_its_source(ids: list[str]) -> None:
    def training(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["models", "training", "tiny", *arguments])

    assert "tiny: training unknown" in training().stdout
    assert "Give --grams with --source" in training("--grams", "5").stderr
    told = training("--grams", "420e6", "--source", "its model card").stdout
    assert "tiny: 420 t CO₂e (its model card)" in told
    with closing(History(database_path())) as history:
        assert history.trainings.known() == {"tiny": Training(420e6, "its model card")}
    assert "unknown" in training("--forget").stdout
    assert "There is no model “x”" in CliRunner().invoke(main, ["models", "training", "x"]).stderr


def test_one_that_runs_keeps_all_of_them(ids: list[str]) -> None:
    with closing(History(database_path())) as history:
        running = history.begin(query_start()).query_id
        assert run("delete", ids[0], running).exit_code == 1
        assert len(history.browse.numbers()) == 4
    assert answer("delete", ids[0], ids[0][-8:]) == {"ids": [ids[0]], "deleted": True}
    assert answer("note", ids[1], " on battery ") == {"id": ids[1], "note": "on battery"}
    assert answer("tag", ids[1], "--as", "a  b") == {
        "ids": [ids[1]], "tag": "a b", "removed": False
    }  # fmt: skip
