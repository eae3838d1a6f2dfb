"""How much CO2 a kilowatt-hour carries, by country and region.

Yearly means of Ember's electricity data (CC BY 4.0), life-cycle grams of CO2-equivalent per
kilowatt-hour, as republished by The Green Web Foundation; see ``resources/grid_intensity.csv``.
No grid's life-cycle figure is nought, so that a 0 there is a figure that is missing.
"""

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from io import StringIO

from monitor.carbon.countries import folded, other_names, three_letters
from monitor.problem import Problem
from resources import resource_text

SOURCE = "Ember yearly electricity data"

WORLD = "WORLD"
"""The zone used until a person chooses one: no country is ever guessed."""


ENTER = 'llamawatt carbon own 45 --name Rooftop --source "life cycle of my panels"'
"""How a figure of one's own is entered."""


class CarbonError(Problem, ValueError):
    """What a person chose for their carbon figures cannot be; the message says what can."""


class UnknownZone(CarbonError):
    """No zone of that code or name; the message names the nearest ones."""


class NoFigure(UnknownZone):
    """A zone of the table that has no figure in it; the message says what to do instead."""

    def __init__(self, zone: "Zone") -> None:
        super().__init__(
            f"There is no usable figure for {zone.name} ({zone.code}): {zone.source} has "
            f"{zone.g_per_kwh:g} g/kWh for it, which no grid emits. Enter one with `{ENTER}`, or "
            "choose a region it lies in."
        )
        self.zone = zone


@dataclass(frozen=True, slots=True)
class Zone:
    """The mean carbon intensity of a grid.

    :param code: ISO 3166-1 alpha-3, or a region's name in capitals
    :param name: as a person reads it
    :param year: the year the mean is of
    :param g_per_kwh: grams of CO2-equivalent per kilowatt-hour
    :param source: where the figure is from
    """

    code: str
    name: str
    year: int
    g_per_kwh: float
    source: str = SOURCE

    @property
    def is_missing(self) -> bool:
        """Whether its 0 stands for a figure that is missing; a live one of generation alone may
        be 0, and a year's of all that a grid emits never is."""
        return self.g_per_kwh == 0 and self.source.startswith(SOURCE)


@cache
def zones() -> tuple[Zone, ...]:
    """Return every zone that has a figure, regions first, then countries by code."""
    return tuple(zone for zone in _published() if not zone.is_missing)


@cache
def without_figure() -> tuple[Zone, ...]:
    """Return the zones that are published without a usable figure."""
    return tuple(zone for zone in _published() if zone.is_missing)


@cache
def _published() -> tuple[Zone, ...]:
    rows = csv.DictReader(StringIO(resource_text("grid_intensity.csv")))
    return tuple(
        Zone(row["code"], row["name"], int(row["year"]), float(row["g_per_kwh"])) for row in rows
    )


@cache
def _by_name() -> Mapping[str, Zone]:
    return {
        folded(name): zone
        for zone in zones()
        for name in (zone.code, zone.name, *other_names(zone.code))
    }


def find_zone(text: str) -> Zone:
    """Return the zone of a code or name, whatever its case and accents; two letters mean a country.

    :raises UnknownZone: if there is none, naming the nearest
    :raises NoFigure: if there is one without a figure
    """
    wanted = folded(three_letters(text.strip()) or text)
    for zone in without_figure():
        if wanted in map(folded, (zone.code, zone.name)):
            raise NoFigure(zone)
    names = _by_name()
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    near += [name for name in names if wanted and name.startswith(wanted)][:3]
    listed = ", ".join(dict.fromkeys(f"{names[n].code} ({names[n].name})" for n in near))
    hint = f"Did you mean {listed}?" if listed else "`llamawatt carbon list` shows all of them."
    raise UnknownZone(f"There is no zone “{text}”. {hint}")
