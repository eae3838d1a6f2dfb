"""The commands ``llamawatt carbon`` as they are typed, over a real history and a real server."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.carbon import token
from monitor.carbon.state import STATE_PREFERENCE
from monitor.cli import main
from monitor.commands import watch as watching
from monitor.paths import database_path
from monitor.store.history import History
from tests.unit.builders import stored_query
from tests.unit.grid_server import TOKEN, Grid, MemoryKeyring, keyring_of, now_utc, standing_in


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["carbon", *arguments], input=typed)


def answer(*arguments: str, typed: str = "") -> Any:
    ran = run(*arguments, "--json", typed=typed)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def said(ran: Result) -> str:
    return " ".join(ran.output.split())


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Iterator[Grid]:
    monkeypatch.delenv(token.VARIABLE, raising=False)
    with keyring_of(MemoryKeyring()), standing_in(Grid(), monkeypatch) as served:
        yield served


@pytest.fixture
def ids() -> list[str]:
    with closing(History(database_path())) as history:
        return [stored_query(history, prompt).id for prompt in ("one", "two")]


def test_a_zone_is_chosen_and_shown() -> None:
    assert answer("zone")["zone"] == "WORLD"
    assert answer("zone", "france")["zone"] == "FRA"
    shown = said(run("zone"))
    assert "France (FRA): " in shown
    assert "2024, Ember" in shown


def test_a_figure_of_ones_own_is_used_listed_and_left_again() -> None:
    entered = answer("own", "45", "--name", "Roof", "--source", "panels", "--year", "2025")
    assert (entered["zone"], entered["intensity_g_per_kwh"]) == ("own: Roof", 45)
    assert (entered["year"], entered["source"]) == (2025, "panels")
    assert answer("list")[0]["name"] == "Roof"
    assert answer("zone", "DEU")["zone"] == "DEU"
    assert answer("zone", "own")["zone"] == "own: Roof"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("zone Atlantis", "There is no zone “Atlantis”"),
        ("zone own", "no figure of your own yet"),
        ("zone CAF", "Enter one with `llamawatt carbon own 45 --name"),
        ("recost FRA --year 2019", "there is none of 2019"),
        ("recost --intensity 0", "0 g/kWh cannot be"),
        ("own -5 --name a --source b", "-5 g/kWh cannot be"),
        ("own 10000 --name a --source b", "10000 g/kWh cannot be"),
        ("pue 0", "A PUE of 0 is impossible"),
        ("pue -1", "A PUE of -1 is impossible"),
        ("pue 10", "it is 5 at most"),
        ("embodied --kg -1 --years 4", "-1 is not"),
        ("live now", "Live figures are off"),
        ("live on", "World is none"),
        ("recost Atlantis", "There is no zone"),
        ("recost FRA --pue 0", "A PUE of 0 is impossible"),
        ("sci abcdef", "There is no query"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_changed(typed: str, told: str) -> None:
    before = answer("zone")
    ran = run(*typed.split())
    assert ran.exit_code == 1
    assert told in said(ran)
    assert answer("zone") == before


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("embodied --kg 300", "belong together"),
        ("embodied --share 0.5", "--share is of a device"),
        ("embodied --kg 350 --years 4 --off", "or --off"),
        ("own 50", "needs a name and a source: llamawatt carbon own 45 --name Rooftop --source"),
        ("own 45 --name a --source b --year 0", "0 is not in the range"),
        ("live on --grid DE --postcode RG10", "--postcode for"),
        ("live on carbonintensity --token", "needs no token"),
        ("recost", "Give a zone, or a figure of your own"),
        ("recost FRA --intensity 45", "Give a zone, or a figure of your own"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(typed: str, told: str) -> None:
    before = answer("zone")
    ran = run(*typed.split())
    assert ran.exit_code == 2
    assert told in said(ran)
    assert answer("zone") == before


def test_a_zone_without_a_figure_is_never_reckoned_as_zero() -> None:
    assert "no usable figure for Central African Republic" in said(run("list"))
    with closing(History(database_path())) as history:
        history.set_preference("zone", "CAF")
    assert answer("zone")["zone"] == "WORLD"
    assert "no usable figure for Central African Republic" in said(run("zone"))
    assert answer("zone", "FRA")["zone"] == "FRA"


def test_pue_and_the_devices_making_are_kept() -> None:
    assert answer("pue", "1.2") == {"pue": 1.2}
    assert answer("embodied")["embodied"] is None
    device = {"device_kg": 350, "life_years": 4, "share": 0.5}
    assert answer("embodied", "--kg", "350", "--years", "4", "--share", "0.5") == {
        "embodied": device
    }
    both = answer("zone")
    assert (both["pue"], both["embodied"]) == (1.2, device)
    # 350,000 g / 35,040 h / 2
    assert "4.99 g CO₂e an hour" in said(run("embodied"))
    assert answer("embodied", "--off") == {"embodied": None}


def test_stored_queries_are_recosted(ids: list[str]) -> None:
    found = answer("recost", "FRA")
    zone = found["zone"]
    assert (zone["zone"], found["queries"], found["measured"]) == ("FRA", 2, 2)
    by_hand = found["energy_j"] / 3.6e6 * zone["intensity_g_per_kwh"]
    assert found["co2"]["grams"] == pytest.approx(by_hand)
    # The builders' queries were reckoned with Germany's 344 g/kWh.
    assert found["grams_before"] == pytest.approx(found["energy_j"] / 3.6e6 * 344)
    assert answer("recost", "FRA", "--year", str(zone["year"])) == found
    own = answer("recost", "--intensity", "45", "--year", "2019")
    assert own["co2"]["grams"] == pytest.approx(found["energy_j"] / 3.6e6 * 45)
    assert (own["co2"]["year"], own["zone"]["source"]) == (2019, "as given")
    assert answer("recost", "FRA", "--text", "one")["queries"] == 1
    assert "as it was reckoned" in said(run("recost", "FRA", "--pue", "1.5"))
    assert answer("recost", "FRA", "--kind", "bench")["co2"] is None


def test_the_parts_of_a_score_are_shown_apart(ids: list[str]) -> None:
    found = answer("sci", ids[0])
    assert found["embodied_g"] is None
    query, tokens = found["sci"]
    assert query == {"per": "query", "units": 1, "grams": found["operational_g"]}
    assert tokens["grams"] == pytest.approx(found["operational_g"] / 0.006)
    # 1.8 s of 5.6 kW at 269.8 g/kWh
    assert found["comparison"]["grams"] == pytest.approx(0.75544)
    with closing(History(database_path())) as history:
        history.store.write(lambda db: db.execute("update queries set embodied_g = 0.25")).result()
    with_device = answer("sci", ids[0])
    assert with_device["operational_g"] == found["operational_g"]
    assert with_device["sci"][0]["grams"] == pytest.approx(found["operational_g"] + 0.25)
    shown = said(run("sci", ids[0]))
    assert "embodied (M)" in shown
    assert "not measured" in shown


# --- live --------------------------------------------------------------------------------


def test_live_figures_are_turned_on_with_a_token_and_off(grid: Grid) -> None:
    run("zone", "DEU")
    assert answer("live") == {"on": False}
    shown = answer("live", "on", typed=f"{TOKEN}\n")
    assert (shown["grid"], shown["reading"]["intensity_g_per_kwh"]) == ("DE", 302)
    assert token.read_token() == TOKEN
    assert answer("zone")["source"].startswith("Electricity Maps, ")
    grid.told = {"carbonIntensity": 250}
    assert answer("live", "now")["reading"]["intensity_g_per_kwh"] == 250
    assert answer("live")["reading"]["is_current"]
    assert len(grid.asked) == 2
    assert answer("live", "off", "--forget-token") == {"on": False}
    assert answer("zone")["intensity_g_per_kwh"] > 302
    assert "wants a token" in said(run("live", "on"))


def test_a_token_that_is_refused_is_told_and_another_may_be_entered(grid: Grid) -> None:
    run("zone", "DEU")
    grid.status = 401
    ran = run("live", "on", typed=f"{TOKEN}\n")
    assert ran.exit_code == 1
    assert "does not accept the token for DE (401)" in said(ran)
    assert "Reckoned with meanwhile: Germany" in said(ran)
    assert TOKEN not in ran.output
    grid.status = 200
    assert answer("live", "on", "--token", typed="another\n")["problem"] is None
    assert grid.asked[-1][1]["auth-token"] == "another"


def test_a_failure_is_told_in_json_too(grid: Grid) -> None:
    token.keep_token(TOKEN)
    run("zone", "DEU")
    grid.told = {"datetime": now_utc(120)}
    ran = run("live", "on", "--json")
    assert ran.exit_code == 1
    document = json.loads(ran.stdout)
    assert document["reading"] is None
    assert "Set the clock" in document["problem"]


def test_another_zone_says_that_live_figures_are_off(grid: Grid) -> None:
    token.keep_token(TOKEN)
    run("zone", "DEU")
    run("live", "on")
    assert "Live figures are off now: they were of DE" in said(run("zone", "FRA"))
    assert answer("live") == {"on": False}


def turned_on_hours_ago(grid: Grid, hours: float) -> None:
    """Turn live figures on whose last reading is so old, and due to be followed by another."""
    token.keep_token(TOKEN)
    run("zone", "DEU")
    assert answer("live", "on")["problem"] is None
    with closing(History(database_path())) as history:
        state = history.preference(STATE_PREFERENCE)
        began = datetime.now(UTC) - timedelta(hours=hours)
        state["reading"]["at"] = state["next_at"] = began.isoformat()
        history.set_preference(STATE_PREFERENCE, state)
    grid.asked.clear()


def watch_on_until_told(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a watch go on until its question is answered, or asked where nobody answers: within its
    second a busy machine may not get so far."""
    wait, before = watching._wait, kept_state()

    def wait_on(*how: Any) -> float:
        ended_s, until_s = wait(*how), time.monotonic() + 30
        while not grid.asked or (kept_state() == before and not grid.silent):
            assert time.monotonic() < until_s, "nothing was asked"
            time.sleep(0.02)
        return ended_s

    monkeypatch.setattr(watching, "_wait", wait_on)


def kept_state() -> object:
    with closing(History(database_path())) as history:
        return history.preference(STATE_PREFERENCE)


def test_a_figure_too_old_to_be_used_is_said_to_be(grid: Grid) -> None:
    turned_on_hours_ago(grid, 3)
    shown = said(run("live"))
    assert "302 g CO₂e/kWh" in shown
    assert "too old, the yearly 342.06 g/kWh of Germany is used" in shown
    document = answer("live")
    assert not document["reading"]["is_usable"]
    assert document["used"]["intensity_g_per_kwh"] == 342.06
    assert grid.asked == []


def test_a_question_has_an_aged_figure_fetched_beside_it(grid: Grid, starter: Path) -> None:
    turned_on_hours_ago(grid, 3)
    grid.told = {"carbonIntensity": 250}
    asked = ["ask", "What is a watt?", "--max-tokens", "60", "--seed", "4", "--json"]
    ran = CliRunner().invoke(main, asked)
    assert ran.exit_code == 0, ran.output
    assert len(grid.asked) == 1
    co2 = json.loads(ran.stdout)["co2"]
    assert (co2["zone"], co2["intensity_g_per_kwh"]) == ("DEU", 250)
    assert "yearly figure" not in ran.stderr
    assert CliRunner().invoke(main, asked).exit_code == 0
    assert len(grid.asked) == 1, "it is of this hour still"


@pytest.mark.parametrize(
    "typed",
    ["watch --seconds 1 --record", "bench speed -m starter --pp 16 --tg 16 --repeat 2"],
)
def test_recordings_and_benchmarks_have_it_fetched_too(
    grid: Grid, starter: Path, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned_on_hours_ago(grid, 3)
    watch_on_until_told(grid, monkeypatch)
    ran = CliRunner().invoke(main, [*typed.split(), "--json"])
    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    co2 = document["co2"] if "co2" in document else document["cost"]["co2"]
    assert co2["intensity_g_per_kwh"] == 302
    assert co2["source"].startswith("Electricity Maps, ")
    assert len(grid.asked) == 1


@pytest.mark.parametrize(
    ("told", "why"),
    [({"silent": True}, "had not answered"), ({"status": 503}, "cannot answer now (503)")],
)
def test_a_service_without_an_answer_neither_fails_nor_delays_a_command(
    grid: Grid, told: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned_on_hours_ago(grid, 3)
    for name, value in told.items():
        setattr(grid, name, value)
    watch_on_until_told(grid, monkeypatch)
    ran = CliRunner().invoke(main, ["watch", "--seconds", "1", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["seconds"] == pytest.approx(1, abs=0.5)
    assert "yearly figure of Germany, 342.06 g/kWh" in " ".join(ran.stderr.split())
    assert len(grid.asked) == 1
    assert why in said(run("live"))
    assert CliRunner().invoke(main, ["watch", "--seconds", "0.2"]).exit_code == 0
    assert len(grid.asked) == 1, "it is left alone for a while"


def test_the_installed_command_lists_them() -> None:
    command = Path(sys.executable).parent / "llamawatt"
    ran = subprocess.run(
        [command, "carbon", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    for name in ("zone", "list", "own", "pue", "embodied", "live", "recost", "sci"):
        assert f"  {name} " in ran.stdout
