"""Every intensity is Ember's own, every zone can be found, and grams are what they should be."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType

from monitor.carbon import choice
from monitor.carbon.countries import folded, other_names, two_letters
from monitor.carbon.embodied import Embodied
from monitor.carbon.footprint import Sci, check_pue, footprint
from monitor.carbon.forms import recost_json, recost_view
from monitor.carbon.intensity import (
    SOURCE,
    WORLD,
    CarbonError,
    NoFigure,
    UnknownZone,
    Zone,
    find_zone,
    without_figure,
    zones,
)
from monitor.carbon.leaderboard import leaderboard_g, time_times_tdp_g
from monitor.carbon.own import OwnFigure
from monitor.carbon.recost import check_year, figure_given, recost
from monitor.energy.interval import Interval
from monitor.meter import chosen_zone
from monitor.paths import database_path
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import Status
from tests.unit.builders import (
    LACKING,
    NOTHING_KNOWN,
    REPOSITORY,
    outcome,
    query_start,
    stored_query,
)

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
    known = (*zones(), *without_figure())
    assert {zone.name: (zone.year, zone.g_per_kwh) for zone in known} == published


def test_every_country_has_its_own_code(ember: dict[str, dict[str, Any]]) -> None:
    for entry in ember.values():
        if (code := entry["country_code"]) and entry["emissions_intensity_gco2_per_kwh"]:
            assert find_zone(code).name == entry["country_or_region"]


def test_every_zone_is_found_by_its_code_and_its_name_in_any_case() -> None:
    assert len(zones()) > 200
    for zone in zones():
        for text in (zone.code, zone.name):
            for written in (text, text.lower(), text.upper(), f"  {text} "):
                assert find_zone(written) == zone


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Great Britain", "GBR"),
        ("england", "GBR"),
        ("Czech Republic", "CZE"),
        ("Turkey", "TUR"),
        ("turkiye", "TUR"),
        ("Vietnam", "VNM"),
        ("Côte d'Ivoire", "CIV"),
        ("DR Congo", "COD"),
        ("Congo", "COG"),
        ("Niger", "NER"),
    ],
)
def test_a_zone_is_found_by_what_people_call_it(text: str, code: str) -> None:
    assert find_zone(text).code == code


def test_no_name_stands_for_two_zones() -> None:
    names = [
        name
        for zone in (*zones(), *without_figure())
        for name in set(map(folded, (zone.code, zone.name, *other_names(zone.code))))
    ]
    assert len(names) == len(set(names)) > 400


def test_zones_are_plausible() -> None:
    for zone in zones():
        assert 0 < zone.g_per_kwh < 1500, zone
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


@pytest.mark.parametrize("text", ["CAF", "central african republic"])
def test_a_zone_without_a_figure_is_said_to_have_none(text: str) -> None:
    with pytest.raises(NoFigure) as refused:
        find_zone(text)
    assert "no usable figure for Central African Republic (CAF)" in str(refused.value)
    assert "llamawatt carbon own 45 --name" in str(refused.value)
    assert [zone.code for zone in without_figure()] == ["CAF"]


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


# The fixed list: 20 cases, each reckoned by hand.


def grams(joules: float, g_per_kwh: float, pue: float = 1.0) -> float:
    return footprint(Interval(joules, 0, 0, 0), Zone("X", "X", 2024, g_per_kwh), pue).grams


DOUBTFUL = footprint(Interval(1000, 100, 50, 10), Zone("X", "X", 2024, 342.06))

CASES = [
    # 1 kWh x 342.06 g/kWh
    (grams(3.6e6, 342.06), 342.06),
    # 12.4 J / 3,600,000 J/kWh = 3.444444e-6 kWh; x 471 g/kWh
    (grams(12.4, 471), 0.001622333),
    # 3,600 J = 1 Wh = 0.001 kWh; x 56
    (grams(3600, 56), 0.056),
    # 1,234.5 x 344 x 1.58 = 670,975.44; / 3,600,000
    (grams(1234.5, 344, 1.58), 0.1863821),
    # 900,000 J = 0.25 kWh; x 1.2 = 0.3 kWh; x 215.79
    (grams(900_000, 215.79, 1.2), 64.737),
    # 0.001 J x 1 g/kWh / 3,600,000
    (grams(0.001, 1), 2.777778e-10),
    # 100 kWh x 5 x 3,000
    (grams(3.6e8, 3000, 5), 1_500_000),
    # nothing drawn, nothing emitted
    (grams(0, 471), 0),
    # a grid of wind alone, of whose making the figure tells nothing
    (grams(50, 0), 0),
    # low end: 1,000 - 100 - 1.96 x 10 = 880.4 J; x 342.06 = 301,149.624; / 3,600,000
    (DOUBTFUL.low_g, 0.08365267),
    # high end: 1,000 + 50 + 19.6 = 1,069.6 J; x 342.06 = 365,867.376; / 3,600,000
    (DOUBTFUL.high_g, 0.1016298),
    # SCI's own example: 1,000 kg over 4 x 365 x 24 = 35,040 h, for one hour
    (Embodied(1000, 4).grams(3600), 28.53881),
    # 350,000 g x 12.5 s / (4 x 31,536,000 s = 126,144,000 s) = 4,375,000 / 126,144,000
    (Embodied(350, 4).grams(12.5), 0.03468258),
    # 1,500,000 g x 90 s / 157,680,000 s = 0.8561644; x 0.25
    (Embodied(1500, 5, 0.25).grams(90), 0.2140411),
    # a query: (0.1863821 + 0.03468258) / 1
    (Sci(0.1863821, 0.03468258, 1, "query").grams_per_unit, 0.2210647),
    # 128 answer tokens are 0.128 thousand: 0.001622333 / 0.128
    (Sci(0.001622333, None, 0.128, "1,000 tokens").grams_per_unit, 0.01267448),
    # a benchmark of 200 items: (64.737 + 0.2140411) / 200
    (Sci(64.737, 0.2140411, 200, "item").grams_per_unit, 0.3247552),
    # the Open LLM Leaderboard: 1 h x 8 x 0.7 kW = 5.6 kWh; x 269.8
    (leaderboard_g(3600), 1510.88),
    # the same for 5,000 s = 1.388889 h: 7.777778 kWh x 269.8
    (leaderboard_g(5000), 2098.444),
    # two cards of 450 W for 90 s: 81,000 J = 0.0225 kWh; x 56 = 1.26; x 1.2
    (time_times_tdp_g(90, 450, 56, devices=2, pue=1.2), 1.512),
]


@pytest.mark.parametrize(("reckoned", "by_hand"), CASES)
def test_the_list_of_cases_is_reckoned_as_by_hand(reckoned: float, by_hand: float) -> None:
    assert len(CASES) == 20
    assert reckoned == pytest.approx(by_hand, rel=1e-6)


# What cannot be.


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: OwnFigure(-5, "x", "y", 2026), "-5 g/kWh cannot be"),
        (lambda: OwnFigure(10_000, "x", "y", 2026), "10000 g/kWh cannot be"),
        (lambda: OwnFigure(0, "x", "y", 2026), "above 0"),
        (lambda: OwnFigure(float("nan"), "x", "y", 2026), "nan g/kWh cannot be"),
        (lambda: OwnFigure(45, " ", "y", 2026), "needs a name"),
        (lambda: OwnFigure(45, "x", "a\nb", 2026), "needs a source"),
        (lambda: OwnFigure(45, "x", "y", 26), "year 26"),
        (lambda: check_pue(0), "PUE of 0 is impossible"),
        (lambda: check_pue(float("inf")), "impossible"),
        (lambda: check_pue(6), "5 at most"),
        (lambda: Embodied(0, 4), "Embodied emissions"),
        (lambda: Embodied(300, 0), "expected life"),
        (lambda: Embodied(300, 4, 1.5), "share"),
        (lambda: Sci(1, None, 0, "item"), "no item"),
        (lambda: leaderboard_g(0), "above 0"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong()


def test_every_country_has_two_letters_of_its_own_and_no_region_has() -> None:
    letters = {zone.code: two_letters(zone.code) for zone in (*zones(), *without_figure())}
    known = [each for each in letters.values() if each]
    assert len(known) == len(set(known)) == 209
    assert letters["GBR"] == "GB"
    assert letters["WORLD"] is letters["EU"] is letters["G7"] is None


@pytest.mark.parametrize(
    ("letters", "code"), [("FR", "FRA"), (" us ", "USA"), ("uk", "GBR"), ("gb", "GBR")]
)
def test_two_letters_are_a_country(letters: str, code: str) -> None:
    assert find_zone(letters).code == code


def test_two_letters_of_a_country_without_a_figure_say_so() -> None:
    with pytest.raises(NoFigure):
        find_zone("cf")


# What a person chooses.


@pytest.fixture
def history() -> Iterator[History]:
    with closing(History(database_path())) as opened:
        yield opened


ROOF = OwnFigure(45, "Roof", "my panels' life cycle", 2025)


def test_a_figure_of_ones_own_is_stored_with_its_source(history: History) -> None:
    choice.choose_own(history, ROOF)
    zone = chosen_zone(history)
    assert (zone.g_per_kwh, zone.year, zone.source) == (45, 2025, "my panels' life cycle")
    began = history.begin(query_start(zone=zone))
    stored = history.record(began.query_id).zone
    assert stored
    assert (stored.code, stored.year, stored.source) == ("own: Roof", 2025, zone.source)
    choice.choose_zone(history, "france")
    assert chosen_zone(history).code == "FRA"
    choice.choose_zone(history, "own")
    assert chosen_zone(history) == zone


def test_no_figure_of_ones_own_passes_for_a_country(history: History) -> None:
    choice.choose_own(history, OwnFigure(900, "DEU", "a guess", 2026))
    assert chosen_zone(history).code == "own: DEU"
    assert find_zone("DEU").g_per_kwh != 900
    choice.choose_zone(history, "DEU")
    assert chosen_zone(history) == find_zone("DEU")


def test_a_zone_that_is_not_there_changes_nothing(history: History) -> None:
    choice.choose_zone(history, "FRA")
    for wrong in ("Atlantis", "own"):
        with pytest.raises(UnknownZone):
            choice.choose_zone(history, wrong)
    assert chosen_zone(history).code == "FRA"


def test_a_zone_chosen_before_it_had_no_figure_is_the_world_and_says_so(history: History) -> None:
    history.set_preference("zone", "CAF")
    zone = chosen_zone(history)
    assert (zone.code, zone.g_per_kwh) == (WORLD, find_zone(WORLD).g_per_kwh)
    assert zone.source == f"{SOURCE}; none for Central African Republic"
    assert isinstance(choice.read_choice(history).missing, NoFigure)
    choice.choose_own(history, ROOF)
    assert choice.read_choice(history).missing is None


@pytest.mark.parametrize(
    ("zone", "is_known"),
    [
        (Zone("CAF", "Central African Republic", 2022, 0.0), False),
        (Zone("GB-1", "North Scotland", 2026, 0.0, "carbonintensity.org.uk, forecast"), True),
    ],
)
def test_a_missing_figure_is_shown_as_unknown_and_a_live_zero_as_zero(
    history: History, zone: Zone, is_known: bool
) -> None:
    began = history.begin(query_start(zone=zone))
    record = history.finish(began.query_id, outcome())
    grams = record.footprint.grams if record.footprint else None
    (row,) = history.browse.rows()
    assert grams == row.grams == (0.0 if is_known else None)


def test_pue_and_device_are_kept(history: History) -> None:
    assert (choice.chosen_pue(history), choice.chosen_embodied(history)) == (1.0, None)
    assert choice.embodied_share_g(history, 60) is None
    choice.choose_pue(history, 1.2)
    choice.choose_embodied(history, Embodied(350, 4))
    chosen = choice.read_choice(history)
    assert (chosen.pue, chosen.embodied) == (1.2, Embodied(350, 4))
    assert choice.embodied_share_g(history, 12.5) == pytest.approx(0.03468258, rel=1e-6)
    assert choice.embodied_share_g(history, None) is None
    choice.choose_embodied(history, None)
    assert choice.chosen_embodied(history) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("carbon_pue", 0), ("carbon_pue", "much"), ("carbon_own", {"name": 1}), ("carbon_live", [])],
)
def test_what_was_written_by_hand_and_cannot_be_is_told(
    history: History, key: str, value: Any
) -> None:
    history.set_preference(key, value)
    with pytest.raises(CarbonError):
        choice.zone_at(history, datetime.now(UTC))


# Stored joules elsewhere.


def test_stored_joules_are_recosted_and_stay_as_they_are(history: History) -> None:
    records = [stored_query(history, prompt) for prompt in ("one", "two", "three")]
    stored_query(history, "nothing", bill=NOTHING_KNOWN)
    joules = sum(record.bill.total().joules or 0 for record in records)
    before = recost(history.browse, records[0].zone or find_zone(WORLD))
    assert before.footprint
    assert before.footprint.grams == pytest.approx(before.totals.grams)
    elsewhere = recost(history.browse, ROOF.zone, pue=1.5)
    assert elsewhere.footprint
    assert elsewhere.footprint.grams == pytest.approx(joules * 45 * 1.5 / 3.6e6)
    assert elsewhere.footprint.low_g < elsewhere.footprint.grams < elsewhere.footprint.high_g
    assert (elsewhere.totals.queries, elsewhere.totals.measured) == (4, 3)
    again = recost(history.browse, records[0].zone or find_zone(WORLD))
    assert again == before


def test_before_and_after_tell_of_how_many_queries_each_is(history: History) -> None:
    stored_query(history)
    assert recost(history.browse, ROOF.zone).is_alike
    caf = Zone("CAF", "Central African Republic", 2022, 0.0)
    history.finish(history.begin(query_start(zone=caf)).query_id, outcome(bill=LACKING))
    found = recost(history.browse, ROOF.zone)
    assert not found.is_alike
    told = json.loads(json.dumps(recost_json(found, ROOF.zone)))
    assert (told["costed"], told["measured"], told["partly_read"]) == (1, 2, 1)
    shown = rendered(recost_view(found, ROOF.zone))
    rows = [row.split() for row in shown.splitlines() if row.startswith(("as it was", "under"))]
    assert [row[-1] for row in rows] == ["1", "2"]
    assert ["≥" in row for row in rows] == [True, True]
    assert "These are not of the same queries" in shown
    assert "A part was not read in 1 of 2 queries" in shown
    history.finish(history.begin(query_start()).query_id, outcome(bill=NOTHING_KNOWN, shared=0.5))
    stored_query(history, shared=0.5)
    found = recost(history.browse, ROOF.zone)
    told = recost_json(found, ROOF.zone)
    assert (told["unread"], told["shared"], told["beside"]) == (1, 1, 0)
    shown = rendered(recost_view(found, ROOF.zone))
    assert "Nothing was read of 1 of 4 queries" in shown
    assert "1 of 4 queries were billed while another LlamaWatt computed" in shown


def rendered(view: RenderableType) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def test_another_years_figure_is_reckoned_with_and_never_taken_for_the_tables(
    history: History,
) -> None:
    joules = stored_query(history).bill.total().joules or 0
    elsewhere = recost(history.browse, figure_given(45, 2019)).footprint
    assert elsewhere
    assert (elsewhere.grams, elsewhere.year) == (pytest.approx(joules * 45 / 3.6e6), 2019)
    assert elsewhere.zone.startswith("own: ")
    france = find_zone("FRA")
    check_year(france, france.year)
    with pytest.raises(CarbonError, match="France is of 2024; there is none of 2019"):
        check_year(france, 2019)
    with pytest.raises(CarbonError, match="cannot be"):
        figure_given(0, 2019)


def test_only_what_a_filter_lets_through_is_recosted(history: History) -> None:
    (one, _) = [stored_query(history, prompt) for prompt in ("apples", "pears")]
    found = recost(history.browse, ROOF.zone, Filter(text="apples"))
    assert found.footprint
    assert found.footprint.grams == pytest.approx((one.bill.total().joules or 0) * 45 / 3.6e6)
    nothing = recost(history.browse, ROOF.zone, Filter(statuses=(str(Status.FAILED),)))
    assert nothing.footprint is None
    with pytest.raises(CarbonError):
        recost(history.browse, ROOF.zone, pue=0)
