"""Everyday things that take as much: a lamp's light, a phone's charge, metres by car.

The figures and where each is from lie in ``resources/equivalents.toml``. They are means over many
phones, cars and homes, and give a sense of scale only; the interval shown is that of the energy.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from monitor import figures
from monitor.energy.interval import Interval
from resources import resource_text

PREFERENCE = "equivalents"
"""Whether they are shown; they are unless a person turned them off."""

ENERGY, CARBON = "energy", "carbon"

WORDS = {
    "led_bulb": "an LED bulb for %1",
    "phone_charge": "%1 phone charges",
    "electric_car": "%1 by electric car",
    "home": "%1 years of a home's electricity",
    "petrol_car": "%1 by petrol car",
    "petrol_car_year": "%1 years of driving a petrol car",
}

SECONDS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
METRES = ((1000.0, "km"), (1.0, "m"), (0.01, "cm"))
COUNTED = ((1.0, ""),)
SCALES = {"s": SECONDS, "m": METRES}
"""How the amounts of some units are written; those of the others are counted."""

DIGITS = 2


@dataclass(frozen=True, slots=True)
class Measure:
    """What one unit of an everyday thing takes.

    :param of: ``energy`` or ``carbon``
    :param unit: of its amounts: ``s``, ``m``, ``charges``, ``home years``, ``car years``
    :param each: joules, or grams of CO2-equivalent, a unit
    :param least: amount from which it reads naturally, and ``most`` the last that does
    :param year: of the source
    """

    key: str
    of: str
    unit: str
    each: float
    least: float
    most: float
    source: str
    year: int
    link: str


@dataclass(frozen=True, slots=True)
class Equivalent:
    """How much of an everyday thing takes as much.

    :param amount: in the measure's unit; ``low`` and ``high`` are the ends of its 95 % interval,
        ``None`` if that is not known
    """

    measure: Measure
    amount: float
    low: float | None
    high: float | None


@cache
def measures() -> tuple[Measure, ...]:
    """Return all there are, the one taken first foremost."""
    tables = tomllib.loads(resource_text("equivalents.toml"))
    return tuple(Measure(key, **table) for key, table in tables.items())


def equivalents(energy: Interval | None, grams: float | None = None) -> tuple[Equivalent, ...]:
    """Return what reads naturally: one thing for the energy, one for the emissions, or neither.

    :param energy: ``None`` if it is not known
    :param grams: CO2-equivalent; their interval is in proportion to the energy's
    """
    found = []
    joules = energy.joules if energy else None
    for of, total in ((ENERGY, joules), (CARBON, grams)):
        for measure in measures():
            amount = total / measure.each if total and measure.of == of else 0.0
            if measure.least <= amount <= measure.most:
                low, high = _ends(amount, energy)
                found.append(Equivalent(measure, amount, low, high))
                break
    return tuple(found)


def _ends(amount: float, energy: Interval | None) -> tuple[float | None, float | None]:
    if energy is None or not energy.joules or energy.low_j == energy.high_j:
        return None, None
    return amount * energy.low_j / energy.joules, amount * energy.high_j / energy.joules


def equivalent_words(found: Equivalent, translate: Callable[[str], str] = str) -> str:
    """Say how much it is of what: *an LED bulb for 1.4 s*.

    :param translate: for the window's language; asked for the texts of :data:`WORDS`
    """
    amount = amount_words(found.measure.unit, found.amount)
    return translate(WORDS[found.measure.key]).replace("%1", amount)


def interval_words(found: Equivalent) -> str:
    """Write the interval of the amount, *1.3–1.5 s*; "" where it is not known."""
    if found.low is None or found.high is None:
        return ""
    low, high = (amount_words(found.measure.unit, end) for end in (found.low, found.high))
    number, _, unit = low.partition(" ")
    return f"{number if high.endswith(f' {unit}') or not unit else low}–{high}"


def amount_words(unit: str, amount: float) -> str:
    """Write an amount with two significant digits, and its unit where it has one."""
    size, name = figures.unit_for(amount, SCALES.get(unit, COUNTED))
    text = figures.significant(amount / size, DIGITS)
    number = f"{float(text):,.0f}" if len(text) > DIGITS + 1 and "." not in text else text
    return f"{number} {name}".strip()


def equivalents_json(found: Sequence[Equivalent]) -> list[dict[str, Any]]:
    """Return them for a report, each with its source."""
    told = ("key", "of", "unit", "source", "year", "link")
    return [
        {
            **{name: value for name, value in asdict(each.measure).items() if name in told},
            "amount": each.amount,
            "low": each.low,
            "high": each.high,
            "words": equivalent_words(each),
        }
        for each in found
    ]
