"""Whose calibration tells what a stored query came to at the wall, and where a person reads it."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from monitor import figures
from monitor.cli import main
from monitor.details import details_of, walls_of
from monitor.energy.calibration import Calibration, calibrate
from monitor.energy.wall import WallEquivalent, wall_words
from monitor.exchange import tables
from monitor.exchange.capsule import capsule_of
from monitor.exchange.reading import numbers_of
from monitor.paths import database_path
from monitor.repeat_report import repeated_json
from monitor.repeating import Plan, Repeated
from monitor.store.calibrations import Calibrations
from monitor.store.filters import EVERYTHING
from monitor.store.history import History
from monitor.store.records import QueryRecord
from tests.unit.builders import stored_query
from tests.unit.test_calibration import billed, climbed, without_gpu_step

LAPTOP = "a-laptop"


@pytest.fixture
def history() -> Iterator[History]:
    path = database_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(History(path)) as opened:
        yield opened


def keep(history: History, base_w: float = 0.0, machine_id: str = "") -> Calibration:
    """Keep a calibration, with a base of its own to tell it by."""
    samples = climbed(3)
    made = calibrate(samples)
    made = replace(made, base_w=base_w or made.base_w)
    return Calibrations(history.store, machine_id).keep(made, samples)


def from_laptop(history: History) -> QueryRecord:
    """Store a query with the channels of this machine as if it had been merged from a laptop."""
    history.store.write(
        lambda db: db.execute("insert into machines (id, name) values (?, ?)", [LAPTOP, "laptop"])
    ).result()
    record = stored_query(history, "theirs", bill=billed(60, 6, 18))
    history.store.write(
        lambda db: db.execute("update queries set machine_id = ? where id = ?", [LAPTOP, record.id])
    ).result()
    return record


def told(*arguments: str) -> Any:
    ran = CliRunner().invoke(main, ["history", *arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def printed(*arguments: str) -> str:
    ran = CliRunner().invoke(main, ["history", *arguments])
    assert ran.exit_code == 0, ran.output
    return " ".join(ran.stdout.split())


def test_a_query_of_another_machine_is_told_by_that_machine_s_calibration_alone(
    history: History,
) -> None:
    keep(history)
    theirs = from_laptop(history)
    assert details_of(history, theirs.id).wall is None
    assert told("show", theirs.id)["energy"]["wall"] is None
    its_own = keep(history, base_w=500.0, machine_id=LAPTOP)
    wall = details_of(history, theirs.id).wall
    assert isinstance(wall, WallEquivalent)
    assert wall.calibration_id == its_own.id
    assert wall.energy.joules > 500.0 * 20


def test_a_list_tells_each_query_by_its_own_machine(history: History) -> None:
    mine = stored_query(history, "mine", bill=billed(60, 6, 18))
    theirs = from_laptop(history)
    kept = keep(history)
    walls = {each["id"]: each["energy"]["wall"] for each in told("list")}
    assert walls[mine.id]["calibration"] == kept.id
    assert walls[theirs.id] is None


def test_the_command_shows_the_wall_with_its_interval(history: History) -> None:
    record = stored_query(history, bill=billed(60, 6, 18))
    assert "wall" not in printed("show", record.id)
    kept = keep(history)
    wall = told("show", record.id)["energy"]["wall"]
    assert wall["low_j"] < wall["total_j"] < wall["high_j"]
    assert wall["total_j"] > record.bill.total().joules
    assert (wall["calibration"], wall["beyond"], wall["reason"]) == (kept.id, [], None)
    known = details_of(history, record.id).wall
    assert known
    assert wall_words(known).startswith("At the wall, by the machine's calibration: ○ ")
    assert figures.energy(wall["high_j"]) in wall_words(known)
    assert wall_words(known) in printed("show", record.id)


def test_whatever_leaves_the_history_tells_the_wall_as_the_history_does(history: History) -> None:
    record = stored_query(history, bill=billed(60, 6, 18))
    unrelated = from_laptop(history)
    keep(history)
    wall = told("show", record.id)["energy"]["wall"]
    lines = io.StringIO()
    tables.write_jsonl(history, numbers_of(history, EVERYTHING), lines, lambda rows: None)
    walls = {
        each["id"]: each["energy"]["wall"]
        for each in map(json.loads, lines.getvalue().split("\n")[:-1])
    }
    assert walls == {record.id: wall, unrelated.id: None}
    assert capsule_of(history, record.id)["query"]["energy"]["wall"] == wall
    assert capsule_of(history, unrelated.id)["query"]["energy"]["wall"] is None


def test_each_run_of_a_repeat_tells_its_wall(history: History) -> None:
    warm_up, *runs = (stored_query(history, bill=billed(60, 6, watts)) for watts in (18, 17, 19))
    keep(history)
    found = Repeated("a group", Plan(times=2), warm_up, tuple(runs))
    document = repeated_json(found, walls=walls_of(history, [warm_up, *runs]))
    for record, made in zip(
        (warm_up, *runs), (document["warm_up"], *document["repeats"]), strict=True
    ):
        assert made["energy"]["wall"] == told("show", record.id)["energy"]["wall"]
        assert made["energy"]["wall"]["total_j"] > made["energy"]["total_j"]
    assert repeated_json(found)["warm_up"]["energy"]["wall"] is None


def test_what_the_calibration_cannot_tell_is_said_with_what_to_do(history: History) -> None:
    record = stored_query(history, bill=billed(30, 3, 220))
    still = without_gpu_step()
    kept = Calibrations(history.store).keep(calibrate(still), still)
    reason = (
        "At the wall: not known, as GPU 0 hardly worked in the calibration. "
        "Calibrate again with that at work."
    )
    assert reason in printed("show", record.id)
    assert told("show", record.id)["energy"]["wall"] == {
        "total_j": None,
        "low_j": None,
        "high_j": None,
        "beyond": [],
        "calibration": kept.id,
        "reason": reason,
    }
