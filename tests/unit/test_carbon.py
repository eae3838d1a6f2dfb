"""Every intensity is Ember's own, every zone can be found, and grams are what they should be."""

import json
from typing import Any

import pytest

from monitor.carbon.footprint import footprint
from monitor.carbon.intensity import SOURCE, WORLD, UnknownZone, Zone, find_zone, zones
from monitor.energy.interval import Interval
from monitor.meter import chosen_zone
from monitor.paths import database_path
from monitor.store.history import History
from tests.unit.builders import REPOSITORY

EMBER = REPOSITORY / "../shared/data/carbon/ember-average-intensities.json"


@pytest.fixture(scope="module")
def ember() -> dict[str, dict[str, Any]]:
    if not EMBER.exists():
        pytest.skip(f"{EMBER} is not here")
    entries: dict[str, dict[str, Any]] = json.loads(EMBER.read_text())
    return entries


def test_every_figure_is_embers(ember: dict[str, dict[str, Any]]) -> None:
    published = {
        entry["country_or_region"]: (entry["year"], entry["emissions_intensity_gco2_per_kwh"])
        for entry in ember.values()
    }
    assert {zone.name: (zone.year, zone.g_per_kwh) for zone in zones()} == published


def test_every_country_has_its_own_code(ember: dict[str, dict[str, Any]]) -> None:
    for entry in ember.values():
        if code := entry["country_code"]:
            assert find_zone(code).name == entry["country_or_region"]


def test_every_zone_is_found_by_its_code_and_its_name_in_any_case() -> None:
    assert len(zones()) > 200
    for zone in zones():
        for text in (zone.code, zone.name):
            for written in (text, text.lower(), text.upper(), f"  {text} "):
                assert find_zone(written) == zone


def test_zones_are_plausible() -> None:
    for zone in zones():
        assert 0 <= zone.g_per_kwh < 1500, zone
        assert 2015 <= zone.year <= 2026, zone


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("Germny", "DEU (Germany)"),
        ("DEUT", "DEU (Germany)"),
        ("united", "GBR (United Kingdom)"),
        ("frnace", "FRA (France)"),
    ],
)
def test_an_unknown_zone_names_the_nearest(text: str, suggested: str) -> None:
    with pytest.raises(UnknownZone) as refused:
        find_zone(text)
    assert f"There is no zone “{text}”" in str(refused.value)
    assert "Did you mean" in str(refused.value)
    assert suggested in str(refused.value)


@pytest.mark.parametrize("text", ["", "   ", "qqqqqq", "12345"])
def test_a_zone_like_no_other_says_where_all_are_listed(text: str) -> None:
    with pytest.raises(UnknownZone, match="llamawatt carbon list"):
        find_zone(text)


def test_until_a_zone_is_chosen_it_is_the_world(ember: dict[str, dict[str, Any]]) -> None:
    history = History(database_path())
    try:
        zone = chosen_zone(history)
        assert (zone.code, zone.name) == (WORLD, "World")
        assert zone.g_per_kwh == ember["World"]["emissions_intensity_gco2_per_kwh"]
        history.set_preference("zone", "FRA")
        assert chosen_zone(history).name == "France"
    finally:
        history.close()


ENERGY = Interval(joules=1234.5, below_j=24.69, above_j=37.035, random_j=10.0)


@pytest.mark.parametrize(
    ("g_per_kwh", "pue", "grams", "low_g", "high_g"),
    [
        # 1234.5 J / 3.6e6 J/kWh x 344 g/kWh; ends at 1234.5 - 24.69 - 19.6 and + 37.035 + 19.6
        (344.0, 1.0, 0.11796333, 0.11373118, 0.12337512),
        (344.0, 1.58, 0.18638207, 0.17969526, 0.19493269),
        (56.0, 1.0, 0.019203333, 0.018514378, 0.020084322),
        (0.0, 1.0, 0.0, 0.0, 0.0),
    ],
)
def test_grams_are_those_reckoned_by_hand(
    g_per_kwh: float, pue: float, grams: float, low_g: float, high_g: float
) -> None:
    result = footprint(ENERGY, Zone("XXX", "Nowhere", 2024, g_per_kwh), pue)
    assert (result.grams, result.low_g, result.high_g) == pytest.approx(
        (grams, low_g, high_g), rel=1e-6
    )
    assert (result.zone, result.year, result.source) == ("XXX", 2024, SOURCE)
    assert (result.intensity_g_per_kwh, result.pue) == (g_per_kwh, pue)


def test_a_kilowatt_hour_is_the_intensity_itself() -> None:
    zone = find_zone("DEU")
    assert footprint(Interval(3.6e6, 0, 0, 0), zone).grams == pytest.approx(zone.g_per_kwh)


def test_grams_never_fall_below_zero() -> None:
    assert footprint(Interval(1.0, 5.0, 0.0, 0.0), find_zone("WORLD")).low_g == 0.0


@pytest.mark.parametrize("pue", [0.99, 0.0, -1.0])
def test_a_pue_below_one_is_refused(pue: float) -> None:
    with pytest.raises(ValueError, match="it is 1 or more"):
        footprint(ENERGY, find_zone("WORLD"), pue)
