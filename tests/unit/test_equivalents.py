"""Everyday equivalents: reckoned from cited figures, natural to read, and never out of nowhere."""

import re

import pytest

from monitor.carbon.equivalents import (
    CARBON,
    ENERGY,
    WORDS,
    equivalent_words,
    equivalents,
    equivalents_json,
    interval_words,
    measures,
)
from monitor.energy.interval import Interval


def exact(joules: float) -> Interval:
    return Interval(joules, 0.0, 0.0, 0.0)


def words(joules: float, grams: float | None = None) -> list[str]:
    return [equivalent_words(each) for each in equivalents(exact(joules), grams)]


@pytest.mark.parametrize(
    ("joules", "told"),
    [
        (12.6, "an LED bulb for 1.4 s"),  # 12.6 J / 9 W
        (27 * 60 * 9.0, "an LED bulb for 27 min"),
        (0.19 * 3.6e6, "10 phone charges"),  # 190 Wh / 19 Wh
        (21 * 3.6e6, "100 km by electric car"),
        (53_575 * 3.6e6, "5.0 years of a home's electricity"),  # 53,575 kWh / 10,715 kWh
    ],
)
def test_an_energy_is_likened_to_what_takes_as_much(joules: float, told: str) -> None:
    assert words(joules) == [told]


@pytest.mark.parametrize(
    ("grams", "told"),
    [
        (0.0244, "10 cm by petrol car"),  # 393 g a mile are 244 g a kilometre
        (244.0, "1.0 km by petrol car"),
        (244_000.0, "1,000 km by petrol car"),
        (42.9e6, "10 years of driving a petrol car"),
    ],
)
def test_emissions_are_likened_to_driving(grams: float, told: str) -> None:
    assert [equivalent_words(each) for each in equivalents(None, grams)] == [told]


def test_the_petrol_car_is_epas() -> None:
    petrol, year = (next(m for m in measures() if m.key == k) for k in WORDS if "petrol" in k)
    assert petrol.each == pytest.approx(393 / 1609.344, rel=1e-3)
    assert year.each == pytest.approx(393 * 10_917, rel=1e-2)


def test_what_would_not_read_naturally_is_not_said() -> None:
    assert equivalents(exact(0.3), 1e-4) == ()
    assert equivalents(None, None) == ()
    assert equivalents(exact(0.0), 0.0) == ()


def test_every_energy_from_a_joule_to_a_large_training_has_just_one() -> None:
    """No gap lies between the ranges, and no figure is longer than four digits."""
    for tenth in range(0, 150):
        (told,) = words(10 ** (tenth / 10))
        (number,) = re.findall(r"\d[\d,.]*", told)
        assert 0.1 <= float(number.replace(",", "")) < 60_000, told
        assert len(number.replace(",", "").replace(".", "")) <= 5, told


def test_the_interval_of_the_energy_is_carried_along() -> None:
    energy = Interval(90.0, 9.0, 18.0, 0.0)
    lamp, car = equivalents(energy, 0.244)
    assert (lamp.low, lamp.amount, lamp.high) == pytest.approx((9.0, 10.0, 12.0))
    assert (car.low, car.amount, car.high) == pytest.approx((0.9, 1.0, 1.2))
    assert interval_words(lamp) == "9.0–12 s"
    assert interval_words(car) == "90 cm–1.2 m"
    assert interval_words(equivalents(exact(90.0))[0]) == ""


def test_every_figure_says_where_it_is_from() -> None:
    assert {each.key for each in measures()} == set(WORDS)
    for each in measures():
        assert each.of in (ENERGY, CARBON)
        assert each.link.startswith("https://")
        assert 2018 <= each.year <= 2026
        assert len(each.source) > 20
        assert 0 < each.least < each.most


def test_the_report_names_source_year_and_link() -> None:
    (lamp,) = equivalents_json(equivalents(Interval(90.0, 9.0, 18.0, 0.0)))
    assert lamp["amount"] == 10.0
    assert (lamp["low"], lamp["high"]) == pytest.approx((9.0, 12.0))
    assert lamp["words"] == "an LED bulb for 10 s"
    assert {"source", "year", "link", "unit", "key", "of"} < lamp.keys()
