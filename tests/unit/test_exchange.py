"""What is written out of the history can be read by those it is for, and never half of it."""

import csv
import io
import json
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor import figures
from monitor.carbon.intensity import Zone
from monitor.carbon.training import Training
from monitor.commands.exchange import export
from monitor.commands.filter_options import Day
from monitor.compare.side_by_side import lay_side_by_side
from monitor.energy.account import Bill
from monitor.exchange import tables
from monitor.exchange.files import ExchangeError, new_file
from monitor.exchange.reading import CHUNK, numbers_of
from monitor.exchange.usage import by_model
from monitor.forms import told_json
from monitor.paths import database_path
from monitor.power.channel import Domain
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status
from tests.unit.builders import (
    CPU,
    GPU,
    LACKING,
    NOTHING_KNOWN,
    line,
    model_info,
    outcome,
    query_start,
    stored_query,
)
from tests.unit.test_compare_board import begin_suite, items, stored_run


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def of_model(history: History, name: str, prompt: str = "Why?", **changes: Any) -> QueryRecord:
    info = replace(model_info(Path(f"/models/{name}.gguf")), name=name)
    sha256 = f"{sum(map(ord, name)):064x}"
    began = history.begin(query_start(model=info, sha256=sha256, prompt=prompt))
    return history.finish(began.query_id, outcome(**changes))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(export, arguments)


def sentence(result: Result) -> str:
    """Return what a person is told of a command that failed."""
    assert result.exit_code != 0
    return str(result.exception) if isinstance(result.exception, ExchangeError) else result.output


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- tables ------------------------------------------------------------------------------


def test_a_table_holds_what_the_record_says_and_blanks_for_what_is_not_known(
    history: History,
) -> None:
    record = stored_query(history, "Why?\nBecause, “so”.")
    unmeasured = stored_query(history, bill=Bill((line(CPU, joules=None),)))
    first, second = csv_rows(run("csv").output)
    total, carbon = record.bill.total(), record.footprint
    assert total.energy
    assert carbon
    assert first["id"] == record.id
    assert first["prompt"] == "Why?\nBecause, “so”."
    assert float(first["energy_j"]) == pytest.approx(total.joules)
    assert float(first["energy_high_j"]) == pytest.approx(total.energy.high_j)
    assert first["energy_kind"] == "power"
    assert float(first["cpu_j"]) == pytest.approx(12.4 * 1.1)  # the cores are inside, not added
    assert float(first["load_j"]) == pytest.approx(5 * (12.4 + 40))
    assert float(first["co2e_g"]) == pytest.approx(carbon.grams)
    assert float(first["joules_per_token"]) == pytest.approx(record.joules_per_token)
    assert first["dram_j"] == ""
    assert second["id"] == unmeasured.id
    assert {second[name] for name in ("energy_j", "cpu_j", "co2e_g", "joules_per_token")} == {""}
    assert list(first) == list(tables.COLUMNS)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")'])
def test_no_spreadsheet_runs_a_text_as_a_formula(history: History, text: str) -> None:
    stored_query(history, text, text=text)
    (row,) = csv_rows(run("csv").output)
    assert row["prompt"] == row["answer"] == f"'{text}"


def test_lines_are_the_documents_of_the_history(history: History) -> None:
    records = [stored_query(history, f"Question {n}") for n in range(3)]
    lines = run("jsonl").output.splitlines()
    assert [json.loads(each) for each in lines] == [told_json(record, None) for record in records]
    newest_first = run("jsonl", "--newest-first").output.splitlines()
    assert newest_first == lines[::-1]


def test_more_queries_than_are_read_at_once_come_out_in_order(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.exchange.reading.CHUNK", 2)
    assert CHUNK > 2
    ids = [stored_query(history).id for _ in range(5)]
    for newest_first in (False, True):
        file = io.StringIO()
        numbers = numbers_of(history, EVERYTHING, newest_first)
        assert tables.write_jsonl(history, numbers, file, lambda rows: None) == 5
        found = [json.loads(each)["id"] for each in file.getvalue().splitlines()]
        assert found == (ids[::-1] if newest_first else ids)


def test_a_filter_chooses_what_is_written(history: History) -> None:
    tiny = of_model(history, "tiny")
    of_model(history, "large", status=Status.STOPPED)
    for options in (("--model", "TINY"), ("--status", "done"), ("--text", "Why", "--model=tiny")):
        assert [row["id"] for row in csv_rows(run("csv", *options).output)] == [tiny.id]
    assert csv_rows(run("csv", "--kind", "bench").stdout) == []
    machine = history.browse.choices().machines
    assert len(csv_rows(run("csv", "--machine", next(iter(machine.values()))).output)) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--model", "tinny"), "No query has the model “tinny”. There are: tiny"),
        (("--tag", "x"), "No query has a tag yet."),
        (("--since", "yesterday"), "'yesterday' is no date. Write it as 2026-11-24."),
        (("--since", "2026-02-02", "--until", "2026-02-01"), "no day is between"),
        (("--kind", "dream"), "'dream' is not one of"),
        (("--json",), "name it with -o"),
    ],
)
def test_a_mistaken_option_is_told_in_a_sentence(
    history: History, options: tuple[str, ...], told: str
) -> None:
    stored_query(history)
    result = run("csv", *options)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_days_are_dates() -> None:
    assert Filter(since=Day().convert("2026-11-24", None, None)).to_address() == "since=2026-11-24"


# --- files -------------------------------------------------------------------------------


def test_a_file_is_never_replaced_unasked(history: History, tmp_path: Path) -> None:
    stored_query(history)
    target = tmp_path / "out.csv"
    target.write_text("precious")
    assert "--force replaces it" in sentence(run("csv", "-o", str(target)))
    assert target.read_text() == "precious"
    result = run("csv", "-o", str(target), "--force", "--json")
    assert json.loads(result.output) == {"path": str(target), "rows": 1, "partly_read": 0}
    assert len(csv_rows(target.read_text())) == 1
    assert "no folder" in sentence(run("csv", "-o", str(tmp_path / "no" / "out.csv")))
    assert "no file that could be replaced" in sentence(run("csv", "-o", str(tmp_path), "--force"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.csv"]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("precious")
    with (
        no_file_longer_than(10_000),
        pytest.raises(ExchangeError, match="not written: its disk is full"),
        new_file(target, force=True) as file,
    ):
        file.write("x" * 20_000)
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


def test_a_stopped_export_leaves_no_half_file(tmp_path: Path) -> None:
    def stopped_half_way() -> None:
        with new_file(tmp_path / "out.csv") as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_nothing_says_so(history: History, tmp_path: Path) -> None:
    of_model(history, "tiny")
    for what in ("csv", "jsonl", "emissions", "report"):
        found = run(what, "--text", "nowhere", "-o", str(tmp_path / what))
        assert "No query matches. Leave out a condition to see more." in found.stderr
        assert "No query matches" not in run(what, "-o", str(tmp_path / f"all-{what}")).stderr


# --- what was not read -------------------------------------------------------------------


def test_what_is_written_of_a_query_that_lacks_a_part_says_so(
    history: History, tmp_path: Path
) -> None:
    of_model(history, "tiny")
    assert "≥" not in run("report").output + run("card").output
    assert run("emissions").stderr == ""
    of_model(history, "tiny", bill=LACKING)
    of_model(history, "tiny", bill=NOTHING_KNOWN)
    assert [row["partly_read"] for row in csv_rows(run("csv").stdout)] == ["0", "1", ""]
    lines = [json.loads(each)["energy"] for each in run("jsonl").stdout.splitlines()]
    assert [each["is_lower_bound"] for each in lines] == [False, True, False]
    emissions = run("emissions")
    assert len(csv_rows(emissions.stdout)) == 2
    told = "A part was not read in 1 of 2 queries: it was at least this."
    assert " ".join(emissions.stderr.split()) == told
    named = run("emissions", "-o", str(tmp_path / "emissions.csv"), "--json")
    assert json.loads(named.stdout)["partly_read"] == 1
    page = run("report").output
    for shown in ("<b>≥ ◐ ", "A part was not read in 1 of 3 queries", "Nothing was read of 1 of 3"):
        assert shown in page
    card = run("card").output
    assert "| ≥ ◐ " in card
    assert "at least so many, as not every part was read" in card.split("---\n")[1]
    assert "A part was not read in 1 of 3 queries" in card


def test_a_thousand_questions_emit_what_those_did_whose_grams_are_known(history: History) -> None:
    record = of_model(history, "tiny")
    zone = Zone("CAF", "Central African Republic", 2022, 0.0)
    began = history.begin(query_start(zone=zone, sha256=f"{sum(map(ord, 'tiny')):064x}"))
    history.finish(began.query_id, outcome())
    _, yaml, body = run("card", "tiny").output.split("---\n", 2)
    fields = dict(each.strip().split(": ", 1) for each in yaml.splitlines() if ": " in each)
    carbon = record.footprint
    assert carbon
    assert float(fields["emissions"]) == pytest.approx(1000 * carbon.grams, rel=1e-3)
    assert "The emissions are of 1 of 2 measured queries" in body
    assert "of 1 of 2 measured queries, see below" in run("report").output


def test_a_report_says_that_benchmarks_are_no_questions(history: History) -> None:
    record = stored_query(history)
    plain = run("report").output
    assert "Among the queries" not in plain
    assert "not in it is" not in plain
    history.finish(history.begin(query_start(kind="bench")).query_id, outcome())
    page = run("report").output
    assert "Among the queries is 1 benchmark run. What 1,000 questions take" in page
    # Beside the figure as well: energy over queries would be another.
    energy = figures.marked(record.bill.total().kind, figures.energy(record.bill.total().joules))
    assert f", from 1 question that took {energy}; not in it is 1 benchmark run" in page


# --- the model card ----------------------------------------------------------------------


def test_a_card_states_grams_of_use_and_says_that_they_are_not_of_training(
    history: History,
) -> None:
    record = of_model(history, "tiny|x")
    text = run("card", "tiny|x").output
    _, yaml, body = text.split("---\n", 2)
    fields = dict(each.strip().split(": ", 1) for each in yaml.splitlines() if ": " in each)
    carbon = record.footprint
    assert carbon
    assert float(fields["emissions"]) == pytest.approx(1000 * carbon.grams, rel=1e-3)
    assert "inference, not training" in json.loads(fields["source"])
    assert "GPU 0" in json.loads(fields["hardware_used"])
    assert "training_type:" not in yaml
    assert "| tiny\\|x Q4\\_K\\_M |" in body
    assert "◐" in body
    assert "344 g/kWh (DEU 2024, Ember yearly electricity data)" in body


def test_a_card_states_what_training_took_once_it_is_known(history: History) -> None:
    of_model(history, "tiny")
    history.trainings.keep("tiny", Training(420e6, "its paper, table 3"))
    _, yaml, body = run("card", "tiny").output.split("---\n", 2)
    assert "  emissions: 420000000" in yaml
    assert '  source: "its paper, table 3"' in yaml
    assert "Energy and emissions of use" in body


def test_a_card_is_of_one_model(history: History) -> None:
    assert "card needs some" in sentence(run("card"))
    of_model(history, "tiny")
    record = of_model(history, "large")
    assert record.model
    assert "A card is of one model" in sentence(run("card"))
    assert "large" in run("card", record.model.sha256[:64]).output
    assert "There are: large, tiny" in sentence(run("card", "unheard-of"))
    assert "Name the model once" in sentence(run("card", "tiny", "--model", "tiny"))


def test_a_card_without_a_measurement_states_no_grams(history: History) -> None:
    of_model(history, "tiny", bill=Bill((line(CPU, joules=None),)))
    assert "co2_eq_emissions:" not in run("card").output


# --- the report --------------------------------------------------------------------------


def test_a_report_is_one_page_that_fetches_and_runs_nothing(history: History) -> None:
    of_model(history, "<script>alert(1)</script>", prompt="<b>")
    of_model(history, "tiny", bill=Bill((line(CPU, joules=3.0), line(GPU, joules=None))))
    page = run("report", "--title", "Ours & <theirs>").output
    assert "<h1>Ours &amp; &lt;theirs&gt;</h1>" in page
    for forbidden in ("<script", 'http-equiv="refresh', "src=", "<link", "@import", "url("):
        assert forbidden not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for stated in ("GPU 0", "◐ integrated", "a datasheet", "344 g/kWh (DEU 2024", "−2 % to +3 %"):
        assert stated in page


@pytest.mark.parametrize(
    ("domain", "key", "lacks"),
    [
        (Domain.SOC, "amdgpu:0000:04:00.0", True),
        (Domain.SOC, "jetson:VDD_IN", False),
        (Domain.DRAM, "rapl:dram-0", False),
    ],
)
def test_a_report_says_that_memory_is_not_in_it_where_a_bill_does(
    history: History, domain: Domain, key: str, lacks: bool
) -> None:
    of_model(history, "tiny", bill=Bill((line(replace(CPU, domain=domain, key=key)),)))
    assert ("Memory (DRAM) was not measured" in run("report").output) is lacks


def test_an_empty_history_makes_a_report_too(history: History) -> None:
    page = run("report").output
    assert "no queries" in page
    assert "No energy was measured." in page


def test_a_report_ranks_equal_scores_alike(history: History) -> None:
    suite_id = begin_suite(history)
    for model in "abc":
        stored_run(history, suite_id, model, items(10))
    page = run("report").output
    assert page.count("<td>1=</td>") == 3
    assert "<td>1</td><td>1=</td>" in page


def test_a_grid_without_a_figure_makes_no_grams(history: History) -> None:
    zone = Zone("CAF", "Central African Republic", 2022, 0.0)
    history.finish(history.begin(query_start(zone=zone)).query_id, outcome())
    (row,) = csv_rows(run("csv").output)
    assert (row["zone"], row["intensity_g_per_kwh"], row["co2e_g"]) == ("CAF", "", "")


def test_a_grid_without_a_figure_is_not_named_as_one_that_was_used(history: History) -> None:
    stored_query(history)
    zone = Zone("CAF", "Central African Republic", 2022, 0.0)
    history.finish(history.begin(query_start(zone=zone)).query_id, outcome())
    card = run("card", "tiny").output
    assert 'geographical_location: "DEU"' in card
    for written in (run("report").output, card):
        assert "344 g/kWh (DEU 2024, Ember yearly electricity data)." in written
        assert "CAF" not in written


def test_a_model_without_a_quantisation_stands_for_itself_alone(history: History) -> None:
    """Capsules may leave it out; earlier versions stored nothing for it."""
    own = replace(model_info(), quantisation="")
    for info, sha256, times in ((model_info(), "ab" * 32, 2), (own, "cd" * 32, 1)):
        for _ in range(times):
            start = query_start(model=info, sha256=sha256)
            history.finish(history.begin(start).query_id, outcome())
    nothing = "update models set quantisation = null where quantisation = ''"
    history.store.write(lambda db: db.execute(nothing)).result()
    found = {model.title: model.usage.totals.queries for model in by_model(history, EVERYTHING)}
    assert found == {"tiny": 1, "tiny Q4_K_M": 2}
    assert "Q4" not in run("card", "cdcdcdcd").output


def test_a_board_names_a_model_without_a_quantisation_by_its_name(history: History) -> None:
    info = replace(model_info(Path("/models/a.gguf")), name="nameless", quantisation="")
    run_id = stored_run(history, begin_suite(history), "a", items(10), info=info)
    history.store.write(lambda db: db.execute("update models set quantisation = null")).result()
    page, card = run("report").output, run("card", "aaaaaaaa").output
    assert "nameless</td>" in page
    assert "| nameless |" in card
    assert "None" not in page + card
    other = stored_run(history, begin_suite(history), "b", items(10))
    (first, _) = lay_side_by_side(history, [run_id, other])
    assert first.name == f"nameless {run_id[-8:]}"
