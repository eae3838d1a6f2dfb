"""Live figures: asked for only when turned on, never another country's, and never a secret told."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from keyring.backends.fail import Keyring as NoKeyring

from monitor.carbon import token
from monitor.carbon.asking import ask_live
from monitor.carbon.choice import choose_live, choose_zone, read_choice, zone_at
from monitor.carbon.feed import LiveFeed
from monitor.carbon.intensity import find_zone
from monitor.carbon.late import late_figure, take_late_figure
from monitor.carbon.live import Live, LiveError, Provider, live_for
from monitor.carbon.state import STATE_PREFERENCE, LiveState, read_state, refresh
from monitor.paths import database_path
from monitor.store.history import History
from tests.unit.builders import outcome, query_start
from tests.unit.grid_server import (
    TOKEN,
    Grid,
    MemoryKeyring,
    half_hour,
    keyring_of,
    now_utc,
    standing_in,
)

GERMANY, BRITAIN = find_zone("DEU"), find_zone("GBR")
MAPS, ISLAND = Provider.ELECTRICITY_MAPS, Provider.GREAT_BRITAIN


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> Iterator[Grid]:
    monkeypatch.delenv(token.VARIABLE, raising=False)
    with keyring_of(MemoryKeyring()), standing_in(Grid(), monkeypatch) as served:
        token.keep_token(TOKEN)
        yield served


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as opened:
        choose_zone(opened, "DEU")
        yield opened


def refusal(live: Live, grid: Grid, **said: Any) -> str:
    """Return what is told of an answer that cannot be used."""
    for name, value in said.items():
        setattr(grid, name, value)
    with pytest.raises(LiveError) as refused:
        ask_live(live, token.read_token, now())
    text = str(refused.value)
    assert TOKEN not in text
    assert text.endswith(".")
    return text


# --- which grid --------------------------------------------------------------------------


def test_a_live_figure_is_of_the_country_chosen() -> None:
    assert live_for(GERMANY, MAPS) == Live(MAPS, "DEU", "DE")
    assert live_for(find_zone("USA"), MAPS, "us-cal-ciso").grid == "US-CAL-CISO"
    assert live_for(BRITAIN, ISLAND) == Live(ISLAND, "GBR", "")
    assert live_for(BRITAIN, ISLAND, "rg10 9ab").grid == "RG10"


@pytest.mark.parametrize(
    ("zone", "provider", "grid", "said"),
    [
        ("DEU", MAPS, "FR", "FR is not in Germany"),
        ("DEU", MAPS, "D/../E", "no zone of Electricity Maps"),
        ("DEU", ISLAND, "", "Great Britain alone"),
        ("WORLD", MAPS, "", "World is none"),
        ("EU", MAPS, "DE", "EU is none"),
        ("GBR", ISLAND, "Reading", "first half of a British postcode"),
        ("GBR", ISLAND, "BT1", "Northern Ireland"),
    ],
)
def test_no_other_country_is_taken_instead(
    zone: str, provider: Provider, grid: str, said: str
) -> None:
    with pytest.raises(LiveError, match=said):
        live_for(find_zone(zone), provider, grid)


# --- answers -----------------------------------------------------------------------------


def test_electricity_maps_is_asked_with_the_token_and_for_nothing_but_the_zone(grid: Grid) -> None:
    reading = ask_live(live_for(GERMANY, MAPS), token.read_token, now())
    ((path, headers),) = grid.asked
    assert path == "/carbon-intensity/latest?zone=DE&shouldUseFallbackCallerLookup=false"
    assert headers["auth-token"] == TOKEN
    zone = reading.zone(now())
    assert (zone.code, zone.name, zone.g_per_kwh) == ("DEU", "Germany", 302)
    assert zone.source == f"Electricity Maps, {reading.at:%Y-%m-%d %H:%M} UTC"
    assert zone.year == reading.at.year


def test_what_is_estimated_or_of_generation_alone_is_said_so(grid: Grid) -> None:
    grid.told = {"isEstimated": True, "emissionFactorType": "direct"}
    source = ask_live(live_for(GERMANY, MAPS), token.read_token, now()).zone(now()).source
    assert source.endswith("UTC, estimated, of generation alone")


def test_a_part_of_a_country_is_stored_as_such(grid: Grid) -> None:
    live = live_for(find_zone("USA"), MAPS, "US-CAL-CISO")
    assert ask_live(live, token.read_token, now()).zone(now()).code == "US-CAL-CISO"


@pytest.mark.parametrize(("actual", "g_per_kwh"), [(263, 263), (None, 266)])
def test_great_britain_is_asked_without_a_token(
    grid: Grid, actual: int | None, g_per_kwh: float
) -> None:
    intensity = {"forecast": 266, "actual": actual, "index": "moderate"}
    grid.body = {"data": [{"from": half_hour(-5), "to": half_hour(25), "intensity": intensity}]}
    reading = ask_live(live_for(BRITAIN, ISLAND), token.read_token, now())
    ((path, headers),) = grid.asked
    assert path == "/intensity"
    assert "auth-token" not in headers
    zone = reading.zone(now())
    assert (zone.code, zone.name, zone.g_per_kwh) == ("GBR", "Great Britain", g_per_kwh)
    assert ("forecast" in zone.source) == (actual is None)


def test_a_region_of_great_britain_may_burn_nothing(grid: Grid) -> None:
    half = {
        "from": half_hour(-5),
        "to": half_hour(25),
        "intensity": {"forecast": 0, "index": "very low"},
    }
    grid.body = {"data": [{"regionid": 1, "shortname": "North Scotland", "data": [half]}]}
    zone = ask_live(live_for(BRITAIN, ISLAND, "IV2"), token.read_token, now()).zone(now())
    assert grid.asked[0][0] == "/regional/postcode/IV2"
    assert (zone.code, zone.name, zone.g_per_kwh) == ("GB-1", "North Scotland", 0)


def test_the_whole_island_never_burns_nothing(grid: Grid) -> None:
    intensity = {"forecast": 120, "actual": 0, "index": "low"}
    body = {"data": [{"from": half_hour(-5), "to": half_hour(25), "intensity": intensity}]}
    text = refusal(live_for(BRITAIN, ISLAND), grid, body=body)
    assert "says 0 g/kWh, which cannot be" in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("does not answer as it should", {"body": b"<html>Log in</html>"}),
        ("does not answer as it should", {"body": b"\xff\x00garbage"}),
        ("does not answer as it should", {"body": [1, 2]}),
        ("does not answer as it should", {"body": {"zone": "DE"}}),
        ("does not answer as it should", {"told": {"datetime": "yesterday"}}),
        ("does not answer as it should", {"body": b"[" * 200_000}),
        ("answers for FR, though it was asked for DE", {"told": {"zone": "FR"}}),
        ("has no figure for DE", {"told": {"carbonIntensity": None}}),
        ("says -5 g/kWh, which cannot be", {"told": {"carbonIntensity": -5}}),
        ("says 10000 g/kWh, which cannot be", {"told": {"carbonIntensity": 10_000}}),
        ("says 0 g/kWh, which cannot be", {"told": {"carbonIntensity": 0}}),
        ("says True g/kWh, which cannot be", {"told": {"carbonIntensity": True}}),
        ("says 302 kg g/kWh, which cannot be", {"told": {"carbonIntensity": "302 kg"}}),
        ("Set the clock", {"told": {"datetime": now_utc(90)}}),
        ("too old to be used", {"told": {"datetime": now_utc(-180)}}),
        ("does not accept the token for DE (401)", {"status": 401}),
        ("does not accept the token for DE (403)", {"status": 403}),
        ("knows no DE (404)", {"status": 404}),
        ("cannot answer now (503)", {"status": 503}),
        ("in 1 min 30 s", {"status": 429, "headers": {"Retry-After": "90"}}),
        ("Try again later", {"status": 429}),
        (
            "sends the question on to evil.example (302)",
            {"status": 302, "headers": {"Location": "https://evil.example/x"}},
        ),
        ("does not answer as it should", {"body": b"1" * 3_000_000}),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(grid: Grid, said: str, told: dict[str, Any]) -> None:
    assert said in refusal(live_for(GERMANY, MAPS), grid, **told)
    assert len(grid.asked) == 1


def test_a_service_that_cannot_be_reached_is_told(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "monitor.carbon.asking.ADDRESSES", {MAPS: "http://127.0.0.1:1", ISLAND: "http://nowhere"}
    )
    assert "cannot be reached" in refusal(live_for(GERMANY, MAPS), grid)


# --- the token ---------------------------------------------------------------------------


def test_the_token_is_in_the_keyring_and_nowhere_else(
    grid: Grid, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "monitor")
    caplog.set_level(logging.INFO)
    live = live_for(GERMANY, MAPS)
    choose_live(history, live)
    refresh(history, live)
    grid.status = 401
    refresh(history, live)
    history.close()
    kept = b"".join(path.read_bytes() for path in database_path().parent.iterdir())
    assert b"DEU" in kept
    assert TOKEN.encode() not in kept
    assert TOKEN not in caplog.text
    assert token.forget_token()
    assert not token.forget_token()
    with pytest.raises(LiveError, match="wants a token"):
        token.read_token()


def test_without_a_keyring_a_variable_holds_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(token.VARIABLE, raising=False)
    with keyring_of(NoKeyring()):
        for does in (token.read_token, token.forget_token, lambda: token.keep_token(TOKEN)):
            with pytest.raises(LiveError, match=token.VARIABLE):
                does()
        monkeypatch.setenv(token.VARIABLE, f" {TOKEN}\n")
        assert token.read_token() == TOKEN


@pytest.mark.parametrize("wrong", ["two words", "ümlaut", "line\nbreak: x", "x" * 300])
def test_what_is_no_token_is_refused_and_not_repeated(grid: Grid, wrong: str) -> None:
    with pytest.raises(LiveError) as refused:
        token.keep_token(wrong)
    assert "no token" in str(refused.value)
    assert wrong not in str(refused.value)
    assert token.read_token() == TOKEN


# --- which figure a query gets -----------------------------------------------------------


def turn_on(history: History) -> Live:
    live = live_for(read_choice(history).yearly, MAPS)
    choose_live(history, live)
    return live


def test_nothing_is_asked_until_it_is_turned_on(grid: Grid, history: History) -> None:
    with LiveFeed(history):
        time.sleep(0.2)
        assert zone_at(history, now()) == GERMANY
    assert grid.asked == []


def test_the_present_figure_then_the_last_then_the_yearly_one(grid: Grid, history: History) -> None:
    live = turn_on(history)
    assert zone_at(history, now()).source == f"{GERMANY.source}; no live figure"
    assert not refresh(history, live).problem
    fresh = zone_at(history, now())
    assert (fresh.code, fresh.g_per_kwh) == ("DEU", 302)
    assert "last known" not in fresh.source
    later = zone_at(history, now() + timedelta(minutes=80))
    assert later.g_per_kwh == 302
    assert later.source.startswith("Electricity Maps, last known of ")
    for other in (now() + timedelta(hours=2), now() - timedelta(hours=1)):
        yearly = zone_at(history, other)
        assert (yearly.code, yearly.g_per_kwh, yearly.year) == ("DEU", GERMANY.g_per_kwh, 2024)
        assert yearly.source == f"{GERMANY.source}; no live figure"


def test_a_failure_keeps_the_last_figure(grid: Grid, history: History) -> None:
    live = turn_on(history)
    refresh(history, live)
    grid.body = b"garbage"
    assert "does not answer as it should" in refresh(history, live).problem
    assert zone_at(history, now()).g_per_kwh == 302


def test_another_zone_turns_live_figures_off(grid: Grid, history: History) -> None:
    live = turn_on(history)
    refresh(history, live)
    assert choose_zone(history, "DEU") is None
    assert choose_zone(history, "FRA") == live
    assert zone_at(history, now()) == find_zone("FRA")
    assert read_choice(history).live is None


def test_a_zone_written_past_the_choice_gets_no_other_countrys_figure(
    grid: Grid, history: History
) -> None:
    refresh(history, turn_on(history))
    history.set_preference("zone", "FRA")
    assert zone_at(history, now()).g_per_kwh == find_zone("FRA").g_per_kwh


@pytest.mark.parametrize("stored", [{"reading": 1}, [], "x", {"live": {"provider": "other"}}])
def test_a_state_that_cannot_be_read_is_as_none(history: History, stored: Any) -> None:
    live = turn_on(history)
    history.set_preference(STATE_PREFERENCE, stored)
    assert read_state(history, live) == LiveState(live)
    assert zone_at(history, now()).g_per_kwh == GERMANY.g_per_kwh


# --- when it is asked --------------------------------------------------------------------


def test_it_is_asked_again_when_the_figure_ends(grid: Grid, history: History) -> None:
    live = turn_on(history)
    state = refresh(history, live)
    assert state == read_state(history, live)
    # Its figure began ten minutes ago and is of an hour.
    assert timedelta(minutes=50) < state.wait(now()) < timedelta(minutes=53)
    assert state.wait(now() + timedelta(hours=1)) == timedelta()
    assert state.wait(now() - timedelta(days=400)) <= timedelta(days=1)


def test_pauses_grow_with_failures_and_end_with_a_figure(grid: Grid, history: History) -> None:
    live = turn_on(history)
    grid.status = 503
    pauses = [refresh(history, live).wait(now()).total_seconds() for _ in range(8)]
    assert pauses == pytest.approx([60, 120, 240, 480, 960, 1920, 3600, 3600], abs=5)
    grid.status = 200
    assert refresh(history, live).failures == 0


def test_a_refused_token_is_not_sent_every_minute(grid: Grid, history: History) -> None:
    live = turn_on(history)
    grid.status = 401
    assert refresh(history, live).wait(now()) > timedelta(hours=5)
    choose_live(history, live)  # with another token, perhaps
    assert read_state(history, live).wait(now()) == timedelta()


@pytest.mark.parametrize("is_date", [False, True])
def test_a_service_that_wants_to_be_left_alone_is(
    grid: Grid, history: History, is_date: bool
) -> None:
    live = turn_on(history)
    told = format_datetime(now() + timedelta(hours=2), usegmt=True) if is_date else "7200"
    grid.status, grid.headers = 429, {"Retry-After": told}
    assert refresh(history, live).wait(now()).total_seconds() == pytest.approx(7200, abs=10)
    grid.status = 200
    for again in (live, live_for(GERMANY, MAPS, "DE-X")):
        choose_live(history, again)
        assert "takes no more questions" in refresh(history, again).problem
        assert read_state(history, again).wait(now()) > timedelta(hours=1)
    assert len(grid.asked) == 1


def test_the_feed_fetches_beside_the_queries(grid: Grid, history: History) -> None:
    with LiveFeed(history) as feed:
        turn_on(history)
        feed.wake()
        wait_until(lambda: zone_at(history, now()).g_per_kwh == 302)
        feed.wake()
        time.sleep(0.1)
    assert len(grid.asked) == 1


def test_the_feed_ends_at_once_while_a_server_is_silent(grid: Grid, history: History) -> None:
    grid.silent = True
    turn_on(history)
    before = set(threading.enumerate())
    feed = LiveFeed(history)
    feed.start()
    wait_until(lambda: len(grid.asked) == 1)
    began_s = time.monotonic()
    assert zone_at(history, now()).g_per_kwh == GERMANY.g_per_kwh
    feed.close()
    assert time.monotonic() - began_s < 5
    assert not [t for t in set(threading.enumerate()) - before if t.name == "live-carbon"]


def test_a_service_that_stays_silent_is_not_asked_by_every_command(
    grid: Grid, history: History
) -> None:
    grid.silent = True
    live = turn_on(history)
    with LiveFeed(history):
        wait_until(lambda: len(grid.asked) == 1)
    state = read_state(history, live)
    assert "had not answered" in state.problem
    assert state.wait(now()) > timedelta(seconds=50)
    with LiveFeed(history):
        time.sleep(0.2)
    assert len(grid.asked) == 1


# --- a figure that comes while something runs --------------------------------------------


def test_a_query_gets_the_figure_that_came_while_it_ran(grid: Grid, history: History) -> None:
    live, began = turn_on(history), now()
    stored = history.begin(query_start(zone=zone_at(history, began)))
    take_late_figure(history, stored.query_id, began)
    before = history.record(stored.query_id).zone
    assert before
    assert before.source.endswith("no live figure")
    refresh(history, live)
    take_late_figure(history, stored.query_id, began)
    record = history.finish(stored.query_id, outcome())
    assert record.zone
    assert (record.zone.code, record.zone.g_per_kwh) == ("DEU", 302)
    assert record.zone.source.startswith("Electricity Maps, ")
    assert record.footprint
    assert history.browse.rows()[0].grams == pytest.approx(record.footprint.grams)


def test_a_figure_of_another_hour_is_not_laid_on_what_ran_before(
    grid: Grid, history: History
) -> None:
    refresh(history, turn_on(history))
    assert late_figure(history, now())
    assert late_figure(history, now() - timedelta(hours=1)) is None
    choose_live(history, None)
    assert late_figure(history, now()) is None


def wait_until(holds: Any) -> None:
    end_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)
