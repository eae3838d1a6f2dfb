"""What training took: reckoned as ML CO2 Impact does, kept with its source, laid beside answers."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlite_utils import Database

from monitor.carbon.accelerators import UnknownAccelerator, accelerators, find_accelerator
from monitor.carbon.clouds import PROVIDERS, cloud_regions, find_region
from monitor.carbon.training import (
    UPPER,
    Answer,
    Method,
    Place,
    Training,
    TrainingError,
    compare_answers,
    computed,
    entered,
    large_number,
    training_json,
)
from monitor.cli import main
from monitor.energy.account import Bill
from monitor.engine.gguf import read_model_info
from monitor.paths import database_path
from monitor.power.channel import Kind
from monitor.store.filters import EVERYTHING
from monitor.store.grounds import widen_footprints
from monitor.store.history import History
from tests.unit.builders import (
    CPU,
    line,
    model_info,
    outcome,
    query_start,
    stored_query,
    write_gguf,
)

USA = Place("USA", 383.55, 2024)


@pytest.fixture
def history() -> Iterator[History]:
    opened = History(database_path())
    yield opened
    opened.close()


def answer(joules: float, half: float = 0.0, g_per_kwh: float | None = 360.0) -> Answer:
    g_per_j = g_per_kwh / 3.6e6 if g_per_kwh else None
    return Answer(joules, joules - half, joules + half, Kind.COUNTER, g_per_j)


# --- accelerators ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "watts"),
    [
        ("h100 pcie", "H100 PCIe", 350),
        ("H100", "H100 SXM", 700),  # several forms: the upper one
        ("NVIDIA H100-SXM5-80GB", "H100 SXM", 700),
        ("A100-PCIE-40GB", "A100 PCIe 40GB", 250),
        ("A100 80 GB PCIe", "A100 PCIe 80GB", 300),
        ("A10", "A10", 150),  # not the A100
        ("Tesla V100-SXM2", "V100 SXM", 300),
        ("GeForce RTX 3090", "RTX 3090", 350),  # not the Ti
        ("4090", "RTX 4090", 450),
        ("AMD Instinct MI300X", "MI300X", 750),
        ("TPUv4", "TPU v4", 192),
        ("Gaudi3", "Gaudi 3 OAM", 900),
    ],
)
def test_hardware_is_found_however_it_is_written(text: str, name: str, watts: float) -> None:
    found = find_accelerator(text)
    assert (found.name, found.tdp_w) == (name, watts)


@pytest.mark.parametrize(
    ("text", "near"), [("H1000", "H100"), ("RTX 9990", "RTX"), ("MI300Y", "MI300X"), ("", "P100")]
)
def test_unknown_hardware_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownAccelerator, match="in the list") as refused:
        find_accelerator(text)
    assert "Nearest: " in str(refused.value)
    assert near in str(refused.value)


def test_every_accelerator_is_found_by_its_name_and_has_a_source() -> None:
    assert len(accelerators()) >= 60
    assert len({each.name for each in accelerators()}) == len(accelerators())
    for each in accelerators():
        assert find_accelerator(each.name) == each
        assert find_accelerator(f"{each.vendor} {each.name.lower()}") == each
        assert 50 <= each.tdp_w <= 2000, each
        assert any(maker in each.source for maker in (each.vendor, "Jouppi")), each


# --- reckoning ---------------------------------------------------------------------------


def test_it_is_power_times_hours_times_number_times_intensity() -> None:
    # 512 x 0.7 kW x 1000 h x 1.1 = 394,240 kWh; x 383.55 g/kWh = 151.21 t
    told = computed(find_accelerator("H100"), 512, 1000, USA, 1.1)
    assert told.energy_j == pytest.approx(394_240 * 3.6e6)
    assert told.grams == pytest.approx(151_210_752)
    assert told.method is Method.COMPUTED
    assert told.note == UPPER
    for part in (
        "512 × H100 SXM (700 W",
        "datasheet",
        "1,000 h",
        "USA 2024 383.55 g/kWh",
        "PUE 1.1",
    ):
        assert part in told.source


def test_the_calculators_own_example_comes_out() -> None:
    """Lacoste et al.'s template: 100 h on a V100 (300 W there) at 0.432 kg/kWh are 12.96 kg."""
    assert computed(find_accelerator("V100"), 1, 100, Place("x", 432.0)).grams == pytest.approx(
        12_960
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"count": 0}, "number of accelerators must be more than 0"),
        ({"hours": 0.0}, "time must be more than 0"),
        ({"hours": float("nan")}, "time must be more than 0"),
        ({"place": Place("x", -5.0)}, "at most 3,000 g/kWh"),
        ({"place": Place("x", 10_000.0)}, "at most 3,000 g/kWh"),
        ({"pue": 0.0}, "A PUE of 0 is impossible"),
        ({"pue": 0.9}, "it is 1 to 5"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    fields = {"count": 1, "hours": 1.0, "place": USA, "pue": 1.0} | changes
    with pytest.raises(TrainingError, match=says):
        computed(find_accelerator("A100"), **fields)


@pytest.mark.parametrize(
    ("grams", "source"), [(0.0, "x"), (-1.0, "x"), (float("inf"), "x"), (5, " ")]
)
def test_a_figure_needs_a_mass_and_a_source(grams: float, source: str) -> None:
    with pytest.raises(TrainingError):
        entered(grams, source)


def test_an_energy_is_kept_beside_the_mass(history: History) -> None:
    told = entered(420e6, "a paper", 3.6e12)
    history.trainings.keep("a", told)
    assert history.trainings.known()["a"].energy_j == 3.6e12
    for energy_j in (0.0, -1.0, float("nan")):
        with pytest.raises(TrainingError, match="more than 0 kWh"):
            entered(420e6, "a paper", energy_j)


def test_a_mass_no_electricity_could_emit_is_a_mistaken_unit() -> None:
    # 420 t of 100 MWh are 4,200 g/kWh.
    with pytest.raises(TrainingError, match=r"420 t from 100 MWh are 4,200 g/kWh.*both units"):
        entered(420e6, "a paper", 100e3 * 3.6e6)


# --- kept --------------------------------------------------------------------------------


def test_it_is_kept_with_all_that_is_known_of_it(history: History) -> None:
    trainings = history.trainings
    reckoned = computed(find_accelerator("H100"), 512, 1000, USA, 1.1)
    card = Training(5e6, "model card of a/b", None, Method.CARD, (("hardware_used", "8 A100"),))
    trainings.keep("a", entered(420e6, "a paper"))
    trainings.keep("a", reckoned)
    trainings.keep("b", card)
    assert trainings.known() == {"a": reckoned, "b": card}
    trainings.forget("a")
    assert trainings.known() == {"b": card}


def test_older_figures_keep_how_they_came_about(tmp_path: Path) -> None:
    db = Database(tmp_path / "old.db")
    db.execute("create table queries (id text)")
    db.execute("create table trainings (model text primary key, grams real, source text)")
    db.execute("insert into trainings values ('a', 1, 'model card of who/quiz'), ('b', 2, 'me')")
    widen_footprints(db)
    found = db.execute("select model, method, energy_j from trainings order by model").fetchall()
    assert found == [("a", "card", None), ("b", "entered", None)]
    db.close()


# --- how many answers equal it -----------------------------------------------------------


def test_answers_are_counted_by_energy_where_the_trainings_is_known() -> None:
    found = compare_answers(Training(1.0, "x", 3000.0), [answer(10.0), answer(20.0)])
    assert found
    assert (found.count, found.mean, found.by_energy) == (200.0, 15.0, True)
    assert found.low == pytest.approx(3000 / 19)  # the 90th percentile of 10 and 20
    assert found.high == pytest.approx(3000 / 11)
    assert (found.answers, found.kind) == (2, Kind.COUNTER)


def test_else_they_are_counted_by_grams() -> None:
    answers = [answer(100.0), answer(300.0), answer(1.0, g_per_kwh=None)]
    found = compare_answers(Training(2.0, "x"), answers)
    assert found
    assert found.mean == pytest.approx(0.02)  # 200 J x 360 g/kWh
    assert found.count == pytest.approx(100)
    assert (found.by_energy, found.answers) == (False, 2)


def test_the_spread_holds_the_sensors_doubt_as_well() -> None:
    found = compare_answers(Training(1.0, "x", 1000.0), [answer(10.0, half=5.0)] * 20)
    assert found
    assert (found.low, found.count, found.high) == pytest.approx((1000 / 15, 100, 200))
    endless = compare_answers(Training(1.0, "x", 1000.0), [answer(10.0, half=10.0)] * 20)
    assert endless
    assert endless.high is None


def test_without_an_answer_nothing_is_compared() -> None:
    assert compare_answers(Training(1.0, "x"), []) is None
    assert compare_answers(Training(1.0, "x"), [answer(1.0, g_per_kwh=None)]) is None


def test_answers_of_the_history_are_those_of_the_model_that_were_measured(history: History) -> None:
    for joules in (10.0, 30.0):
        stored_query(history, bill=Bill((line(CPU, "decode", joules),)))
    stored_query(history, bill=Bill((line(CPU, "decode", None),)))
    other = query_start(model=replace(model_info(), name="other"), sha256="cd" * 32)
    history.finish(history.begin(other).query_id, outcome())
    stored_query(history, bill=Bill((line(CPU, "decode", 1000.0),)))
    history.edits.delete(history.browse.numbers(EVERYTHING, 1))
    found = history.trainings.answers("tiny")
    assert sorted(each.joules for each in found) == [10.0, 30.0]
    assert {each.kind for each in found} == {Kind.COUNTER}
    assert found[0].g_per_j == pytest.approx(344.0 / 3.6e6)
    assert history.trainings.answers("unheard") == []


def test_large_numbers_are_named() -> None:
    assert [large_number(n) for n in (7.24, 310, 4321, 3.1e8, 24.6e9, 2e12)] == [
        "7.2", "310", "4,300", "310 million", "25 billion", "2.0 trillion",
    ]  # fmt: skip


# --- the command -------------------------------------------------------------------------


def command(arguments: str = "") -> Result:
    return CliRunner().invoke(main, ["models", "training", "tiny", *arguments.split()])


@pytest.fixture
def tiny(home: Path) -> None:
    history = History(database_path())
    stored_query(history, bill=Bill((line(CPU, "decode", 10.0),)))
    history.close()


def test_the_command_reckons_keeps_and_compares(tiny: None) -> None:
    given = "--hardware H100 --count 512 --hours 1000 --zone USA --pue 1.1"
    told = " ".join(command(given).stdout.split())
    assert "tiny: 151 t CO₂e (512 × H100 SXM" in told
    assert UPPER in told
    assert "As much as about 140 billion of your answers" in told
    document = json.loads(command("--json").stdout)
    assert document["training"]["method"] == "computed"
    assert document["training"]["details"]["count"] == 512
    assert document["equals"]["answers"] == pytest.approx(394_240 * 3.6e6 / 10.0)
    assert (document["equals"]["by"], document["equals"]["kind"]) == ("energy", "counter")
    assert "training unknown" in command("--forget").stdout
    assert json.loads(command("--json").stdout) == {
        "model": "tiny",
        "training": None,
        "equals": None,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--hardware H1000 --hours 5", "Nearest: H100"),
        ("--hardware H100", "Give --hours"),
        ("--hours 5", "--hours needs --hardware"),
        ("--kwh 5", "Give --grams and --source with --kwh"),
        ("--grams 5 --source x --kwh 0", "not in the range x>0"),
        ("--grams 5e6 --source x --kwh 5", "Check both units"),
        ("--card a/b --hardware H100 --hours 5", "Give one of --grams, --card"),
        ("--hardware H100 --hours 5 --zone Germny", "Did you mean DEU"),
        ("--hardware H100 --hours 5 --zone DEU --intensity 5", "not both"),
        ("--hardware H100 --hours 5 --intensity -5", "at most 3,000 g/kWh"),
        ("--hardware H100 --hours 5 --pue 0", "A PUE of 0 is impossible"),
        ("--hardware H100 --hours 5 --count 0", "must be more than 0"),
        ("--hardware H100 --hours 5 --grams 4 --source x", "Give one of"),
        ("--pue 1.5 --count 4", "--count needs --hardware"),
        ("--pue 1.5", "--pue needs --hardware"),
        ("--provider aws", "--provider needs --hardware"),
        ("--hardware H100 --hours 5 --region us-east-1", "give --provider as well"),
        ("--hardware H100 --hours 5 --provider aws --region us-east-9", "Near it: us-east-"),
        ("--hardware H100 --hours 5 --provider CoreWeave", "Give --zone or --intensity"),
        ("--hardware H100 --hours 5 --zone CAF", "no usable figure for Central African"),
    ],
)
def test_each_mistake_is_told_and_changes_nothing(tiny: None, arguments: str, says: str) -> None:
    ran = command(arguments)
    assert ran.exit_code == 2
    assert says in " ".join(ran.stderr.split())
    assert "training unknown" in command().stdout


@pytest.mark.parametrize(
    ("arguments", "g_per_kwh", "where"),
    [
        ("--provider aws --region us-east-1", 367.8, "AWS us-east-1 2019 367.8 g/kWh (ML CO2"),
        ("--provider Google --region EUROPE-WEST9", 34, "Google Cloud europe-west9 34 g/kWh"),
        ("--provider aws --region eu-central-1 --intensity 300", 300, "aws eu-central-1, own"),
        ("--provider CoreWeave --zone SWE", 35.89, "CoreWeave, SWE 2024 35.89 g/kWh"),
    ],
)
def test_a_providers_region_tells_the_intensity_or_is_kept_beside_it(
    tiny: None, arguments: str, g_per_kwh: float, where: str
) -> None:
    ran = command(f"--hardware V100 --hours 100 {arguments} --json")
    training = json.loads(ran.stdout)["training"]
    assert training["grams"] == pytest.approx(30 * g_per_kwh)
    assert where in training["source"]
    assert training["details"]["provider"]


def test_every_region_of_a_cloud_is_found_and_cites_a_document() -> None:
    assert {region.provider for region in cloud_regions()} == set(PROVIDERS)
    for region in cloud_regions():
        assert find_region(PROVIDERS[region.provider], region.code.upper()) == region
        assert 0 < region.g_per_kwh < 1500, region
        assert region.source, region
        assert region.document, region


def test_an_energy_that_is_told_is_what_answers_are_compared_by(tiny: None) -> None:
    command("--grams 5000 --kwh 20 --source mine")
    document = json.loads(command("--json").stdout)
    assert document["training"]["energy_j"] == pytest.approx(72e6)
    assert (document["equals"]["by"], document["equals"]["answers"]) == ("energy", 7.2e6)


def test_a_model_of_the_library_that_was_not_asked_yet_can_have_one(
    home: Path, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "new.gguf")
    arguments = ["models", "training", str(path), "--grams", "5000", "--source", "mine"]
    assert "5.00 kg CO₂e (mine)" in CliRunner().invoke(main, arguments).stdout
    with closing(History(database_path())) as history:
        assert history.trainings.known() == {read_model_info(path).name: entered(5000, "mine")}


def test_hardware_that_is_not_listed_takes_its_watts(tiny: None) -> None:
    ran = command("--hardware MyChip --watts 100 --hours 36 --intensity 500 --json")
    training = json.loads(ran.stdout)["training"]
    assert training["grams"] == pytest.approx(1800)  # 3.6 kWh x 500 g
    assert "MyChip (100 W: as entered)" in training["source"]


def test_a_report_leaves_nothing_out() -> None:
    assert training_json(None) is None
    told = training_json(Training(5.0, "me"))
    assert told == {
        "grams": 5.0, "energy_j": None, "method": "entered", "source": "me", "note": None,
        "details": {},
    }  # fmt: skip
