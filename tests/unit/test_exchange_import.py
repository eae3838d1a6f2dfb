"""What others measured is taken in once, whole, with its doubts, and kept apart from ours."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.bill_words import lacks_memory
from monitor.commands.exchange import export, import_file
from monitor.exchange.codecarbon import COLUMNS
from monitor.exchange.codecarbon_import import OTHERS_METHOD
from monitor.exchange.files import ExchangeError
from monitor.paths import database_path
from monitor.power.channel import Kind
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord
from tests.unit.builders import NOTHING_KNOWN, outcome, query_start, stored_query

ROW = {
    "timestamp": "2024-05-27T10:49:55",
    "project_name": "codecarbon",
    "run_id": "2392f828-03ad-49cb-b6b3-9993a7a1ca3f",
    "duration": "4251.87",
    "emissions": "0.228",
    "cpu_energy": "0.05",
    "gpu_energy": "0.38",
    "ram_energy": "0.037",
    "energy_consumed": "0.467",
    "country_name": "Singapore",
    "country_iso_code": "SGP",
    "os": "Linux-6.1.85",
    "codecarbon_version": "2.4.2",
    "cpu_count": "12",
    "cpu_model": "Intel(R) Xeon(R)",
    "gpu_count": "1",
    "gpu_model": "1 x NVIDIA A100",
    "ram_total_size": "83.5",
    "tracking_mode": "machine",
    "pue": "1.0",
}


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as history:
        yield history


def write(path: Path, *rows: dict[str, Any]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def take_in(path: Path) -> Result:
    return CliRunner().invoke(import_file, [str(path), "--json"])


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.JSONDecoder().raw_decode(result.output)[0]
    return found


def imported(history: History) -> list[QueryRecord]:
    return history.records(100, Filter(kinds=("import",)))


def test_a_run_of_codecarbon_becomes_a_query_with_a_modelled_bill(
    history: History, tmp_path: Path
) -> None:
    result = take_in(write(tmp_path / "emissions.csv", ROW))
    assert (result.exit_code, document(result)["rows"]) == (0, 1)
    (record,) = imported(history)
    total = record.bill.total()
    assert total.energy
    assert total.joules == pytest.approx(0.467 * 3.6e6)
    assert total.kind is Kind.MODELLED
    assert record.bill.method == OTHERS_METHOD
    assert total.energy.low_j < 0.75 * total.energy.joules < 1.6 * total.energy.joules
    assert total.energy.high_j > 1.6 * total.energy.joules
    labels = {line.channel.label.removesuffix(" (CodeCarbon)") for line in record.bill.lines}
    assert labels == {"CPU", "1 x NVIDIA A100", "Memory"}
    assert "arXiv 2509.22092" in record.bill.lines[0].channel.accuracy.source
    assert record.footprint
    assert record.footprint.grams == pytest.approx(228)
    assert record.footprint.zone == "SGP"
    (row,) = history.browse.rows(Filter(tags=("codecarbon",)))
    assert "2392f828" in row.note
    machines = history.browse.choices().machines
    assert "Intel(R) Xeon(R) (CodeCarbon)" in machines.values()


def test_a_report_tells_of_what_names_no_model(history: History, tmp_path: Path) -> None:
    stored_query(history)
    take_in(write(tmp_path / "emissions.csv", ROW))
    page = CliRunner().invoke(export, ["report"]).output
    assert "Queries that name no model, such as imported ones: 1, ○ 467 Wh." in page
    assert '<rect class="s7"' in page
    assert "no model</li>" in page


def test_the_same_row_is_taken_in_once(history: History, tmp_path: Path) -> None:
    path = write(tmp_path / "emissions.csv", ROW, {**ROW, "run_id": "another"})
    assert document(take_in(path))["rows"] == 2
    again = document(take_in(path))
    assert (again["rows"], again["known"]) == (0, 2)
    assert len(imported(history)) == 2


def test_what_a_data_centre_adds_is_not_the_machines_energy(
    history: History, tmp_path: Path
) -> None:
    take_in(write(tmp_path / "emissions.csv", {**ROW, "pue": "1.5"}))
    (record,) = imported(history)
    assert record.footprint
    assert record.pue == 1.5
    assert record.bill.total().joules == pytest.approx(0.467 * 3.6e6 / 1.5)
    assert record.footprint.grams == pytest.approx(228)


def test_a_run_that_was_written_several_times_counts_once(history: History, tmp_path: Path) -> None:
    earlier = {**ROW, "timestamp": "2024-05-27T10:00:00", "duration": "1257.2",
               "cpu_energy": "0.01", "gpu_energy": "0.1", "ram_energy": "0.01",
               "energy_consumed": "0.12"}  # fmt: skip
    result = document(take_in(write(tmp_path / "emissions.csv", earlier, ROW)))
    assert (result["rows"], result["overtaken"]) == (1, 1)
    (record,) = imported(history)
    assert record.bill.total().joules == pytest.approx(0.467 * 3.6e6)


def test_a_component_that_was_not_read_is_unknown_rather_than_zero(
    history: History, tmp_path: Path
) -> None:
    row = {**ROW, "gpu_energy": "0", "energy_consumed": "0.087", "gpu_model": "", "gpu_count": ""}
    take_in(write(tmp_path / "emissions.csv", row))
    (record,) = imported(history)
    assert {line.channel.domain for line in record.bill.lines} == {"cpu", "dram"}


def test_an_early_table_has_no_components(history: History, tmp_path: Path) -> None:
    row = {"timestamp": "2022-03-16T14:11:13", "experiment_id": "6dc1b8a2", "project_name": "x",
           "duration": "1014.7", "emissions": "0.0049", "energy_consumed": "0.0116"}  # fmt: skip
    take_in(write(tmp_path / "emissions.csv", row))
    (record,) = imported(history)
    assert record.bill.total().joules == pytest.approx(0.0116 * 3.6e6)
    assert record.bill.lines[0].channel.label == "CPU and GPU (CodeCarbon)"
    assert lacks_memory(record.bill)


def test_a_total_alone_has_memory_in_it_since_that_is_reckoned(
    history: History, tmp_path: Path
) -> None:
    row = {**ROW, "cpu_energy": "", "gpu_energy": "", "ram_energy": ""}
    take_in(write(tmp_path / "emissions.csv", row))
    (record,) = imported(history)
    assert record.bill.lines[0].channel.label == "Machine (CodeCarbon)"
    assert not lacks_memory(record.bill)
    page = CliRunner().invoke(export, ["report"]).output
    assert "Machine (CodeCarbon)" in page
    assert "Memory (DRAM)" not in page


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"duration": ""}, "it has no duration"),
        ({"run_id": ""}, "it has no run_id"),
        ({"timestamp": "noon"}, "timestamp should be a time, and is “noon”"),
        ({"cpu_energy": "much"}, "cpu_energy should be a number, and is “much”"),
        ({"gpu_energy": "-1"}, "gpu_energy should be a number from 0 to 1,000,000,000, and is -1"),
        ({"emissions": "inf"}, "emissions should be a number from 0 to 1,000,000,000, and is inf"),
        ({"cpu_energy": "1e300"},
         "cpu_energy should be a number from 0 to 1,000,000,000, and is 1e300"),
        ({"duration": "1e300"},
         "duration should be a number from 0 to 1,000,000,000, and is 1e300"),
        ({"timestamp": "0001-01-01T00:00:01"},
         "timestamp should be a time, and is “0001-01-01T00:00:01”"),
        ({"emissions": "5000"}, "emissions of 5000 kg for 0.467 kWh are 10,706,638 g/kWh, more "
         "than any grid emits"),
        ({"energy_consumed": "1"}, "energy_consumed is 1 kWh, but its components add up to 0.467"),
        ({"cpu_energy": "0", "gpu_energy": "", "ram_energy": "nan", "energy_consumed": "0"},
         "no energy is in it"),
    ],
)  # fmt: skip
def test_a_broken_row_is_told_and_the_sound_ones_are_kept(
    history: History, tmp_path: Path, broken: dict[str, str], told: str
) -> None:
    result = take_in(write(tmp_path / "emissions.csv", ROW, {**ROW, "run_id": "b", **broken}))
    assert result.exit_code == 1
    assert document(result)["broken"] == [{"row": 2, "reason": told}]
    assert f"row 2: {told}." in result.output
    assert len(imported(history)) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is no emissions.csv of CodeCarbon"),
        ("a,b\n1,2\n", "no column timestamp and no duration"),
        ("timestamp,duration,energy_consumed,run_id\n1,2\n", "not as many columns"),
        ('timestamp,duration,energy_consumed,run_id\n"1,2', "line"),
        ("[1, 2]", "one JSON object"),
        ("{", "is no JSON document"),
        ("{}", "is no capsule"),
        ("timestamp,duration\n".encode("utf-16"), "is UTF-16 text. Save it as UTF-8"),
        (b"a,b\n1,2\nZ\xfcrich,2\n", "line 3, is no UTF-8 text. Save it as UTF-8"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str | bytes, told: str) -> None:
    path = tmp_path / "emissions.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    result = take_in(path)
    assert result.exit_code == 1
    is_ours = isinstance(result.exception, ExchangeError)
    assert told in (str(result.exception) if is_ours else result.output)


# --- and the other way -------------------------------------------------------------------


def test_ours_is_written_as_codecarbon_writes_it(history: History) -> None:
    began = history.begin(query_start(pue=1.5))
    record = history.finish(began.query_id, outcome())
    stored_query(history, bill=NOTHING_KNOWN)
    result = CliRunner().invoke(export, ["emissions"])
    (row,) = csv.DictReader(io.StringIO(result.output))
    total, carbon = record.bill.total(), record.footprint
    assert total.joules
    assert carbon
    assert tuple(row) == COLUMNS
    assert row["run_id"] == record.id
    assert float(row["energy_consumed"]) == pytest.approx(1.5 * total.joules / 3.6e6)
    assert float(row["cpu_energy"]) == pytest.approx(1.5 * 12.4 * 1.1 / 3.6e6)
    assert float(row["gpu_power"]) == pytest.approx(1.5 * 40 * 1.1 / 1.8)
    assert float(row["emissions"]) == pytest.approx(carbon.grams / 1000)
    assert float(row["emissions_rate"]) == pytest.approx(carbon.grams / 1000 / 1.8)
    assert (row["country_iso_code"], row["country_name"]) == ("DEU", "Germany")
    assert (row["gpu_count"], row["gpu_model"]) == ("1", "GPU 0")
    assert row["ram_energy"] == row["codecarbon_version"] == row["longitude"] == ""


def test_our_own_table_taken_in_again_adds_nothing_here_and_the_same_elsewhere(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = stored_query(history)
    target = tmp_path / "emissions.csv"
    CliRunner().invoke(export, ["emissions", "-o", str(target)])
    assert document(take_in(target))["known"] == 1
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "elsewhere"))
    assert document(take_in(target))["rows"] == 1
    with closing(History(database_path())) as elsewhere:
        (again,) = imported(elsewhere)
    assert again.bill.total().joules == pytest.approx(record.bill.total().joules)
    assert again.footprint
    assert record.footprint
    assert again.footprint.grams == pytest.approx(record.footprint.grams)


@pytest.mark.parametrize(
    ("count", "model"),
    [("1", "1 x NVIDIA A100"), ("3", "1 x NVIDIA A100, 2 x Tesla T4"), ("2", "GPU 0,GPU 1"),
     ("", "")],
)  # fmt: skip
def test_a_table_of_codecarbon_taken_in_is_written_again_as_it_was(
    tmp_path: Path, count: str, model: str
) -> None:
    row = {**ROW, "gpu_count": count, "gpu_model": model}
    assert document(take_in(write(tmp_path / "emissions.csv", row)))["rows"] == 1
    (again,) = csv.DictReader(io.StringIO(CliRunner().invoke(export, ["emissions"]).stdout))
    figures = ("duration", "emissions", "ram_total_size", "pue", *(n for n in row if "energy" in n))
    assert {name: float(again[name]) for name in figures} == pytest.approx(
        {name: float(row[name]) for name in figures}
    )
    # Whose runs these are stays with the history: they are told from each other by its identifiers.
    ours = ("run_id", "project_name", "codecarbon_version")
    others = [name for name in row if name not in (*figures, *ours)]
    assert {name: again[name] for name in others} == {name: row[name] for name in others}


def test_a_run_that_went_on_replaces_what_was_taken_in_of_it(
    history: History, tmp_path: Path
) -> None:
    path = write(tmp_path / "emissions.csv", ROW)
    assert document(take_in(path))["rows"] == 1
    began = history.records(1)[0]
    ended = datetime.fromisoformat(ROW["timestamp"]) + timedelta(seconds=float(ROW["duration"]))
    longer = {
        **ROW,
        "timestamp": ended.isoformat(),
        "duration": str(2 * float(ROW["duration"])),
        **{name: str(2 * float(ROW[name])) for name in ROW if name.endswith("_energy")},
        "energy_consumed": str(2 * float(ROW["energy_consumed"])),
    }
    again = document(take_in(write(path, longer)))
    assert (again["rows"], again["brought_up_to_date"], again["known"]) == (0, 1, 0)
    told = " ".join(CliRunner().invoke(import_file, [str(path)]).stderr.split())
    assert told == "Took in 0 rows; here already: 1.", "it is as long here as there by now"
    (now,) = history.records()
    before_j, now_j = (each.bill.total().joules for each in (began, now))
    assert before_j
    assert now_j == pytest.approx(2 * before_j)
    assert history.browse.totals().bars[0].totals.energy_j == pytest.approx(now_j)


def test_it_is_told_what_was_brought_up_to_date(history: History, tmp_path: Path) -> None:
    path = write(tmp_path / "emissions.csv", ROW, {**ROW, "run_id": "another"})
    take_in(path)
    ended = datetime.fromisoformat(ROW["timestamp"]) + timedelta(seconds=10)
    longer = {"timestamp": ended.isoformat(), "duration": str(float(ROW["duration"]) + 10)}
    write(path, {**ROW, **longer}, {**ROW, "run_id": "another"}, {**ROW, "run_id": "a third"})
    told = " ".join(CliRunner().invoke(import_file, [str(path)]).stderr.split())
    assert told == ("Took in 1 row; brought up to date, as they had gone on: 1; here already: 1.")


def test_a_grid_that_reads_alike_is_named_once(history: History, tmp_path: Path) -> None:
    """Each run's intensity is its emissions over its energy, and differs in the last digits."""
    rows = [{**ROW, "run_id": f"{n}", "emissions": f"{0.228 + n * 1e-7}"} for n in range(5)]
    take_in(write(tmp_path / "emissions.csv", *rows))
    stored = history.store.read().table("intensities").count
    assert stored == 5
    assert CliRunner().invoke(export, ["report"]).output.count("488 g/kWh (SGP 2024") == 1


def test_a_report_tells_imported_queries_from_benchmark_runs(
    history: History, tmp_path: Path
) -> None:
    stored_query(history)
    take_in(write(tmp_path / "emissions.csv", ROW, {**ROW, "run_id": "another"}))
    of_imported = CliRunner().invoke(export, ["report"]).output
    assert "; not in it are 2 imported queries" in of_imported
    assert "benchmark run" not in of_imported
    for _ in range(3):
        history.finish(history.begin(query_start(kind="bench")).query_id, outcome())
    page = CliRunner().invoke(export, ["report"]).output
    assert "; not in it are 3 benchmark runs and 2 imported queries" in page
    assert "Among the queries are 3 benchmark runs and 2 imported queries. What 1,000" in page
    only = CliRunner().invoke(export, ["report", "--kind", "ask", "--kind", "import"]).output
    assert "; not in it are 2 imported queries" in only


def test_a_run_without_emissions_is_listed_with_unknown_grams(
    history: History, tmp_path: Path
) -> None:
    take_in(write(tmp_path / "emissions.csv", {**ROW, "emissions": ""}))
    (row,) = history.browse.rows()
    assert row.energy_j is not None
    assert row.grams is None
    assert history.browse.totals().bars[0].totals.grams is None
