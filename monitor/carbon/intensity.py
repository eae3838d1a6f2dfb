"""How much CO2 a kilowatt-hour carries, by country and region.

Yearly means of Ember's electricity data (CC BY 4.0), life-cycle grams of CO2-equivalent per
kilowatt-hour, as republished by The Green Web Foundation; see ``resources/grid_intensity.csv``.
"""

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from io import StringIO

from monitor.problem import Problem
from resources import resource_text

SOURCE = "Ember yearly electricity data"

WORLD = "WORLD"
"""The zone used until a person chooses one: no country is ever guessed."""


class CarbonError(Problem, ValueError):
    """What a person chose for their carbon figures cannot be; the message says what can."""


class UnknownZone(CarbonError):
    """No zone of that code or name; the message names the nearest ones."""


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


@cache
def zones() -> tuple[Zone, ...]:
    """Return every zone, regions first, then countries by code."""
    rows = csv.DictReader(StringIO(resource_text("grid_intensity.csv")))
    return tuple(
        Zone(row["code"], row["name"], int(row["year"]), float(row["g_per_kwh"])) for row in rows
    )


def find_zone(text: str) -> Zone:
    """Return the zone of a code or name, whatever its case.

    :raises UnknownZone: if there is none, naming the nearest
    """
    wanted = text.strip().casefold()
    names = {zone.code.casefold(): zone for zone in zones()}
    names |= {zone.name.casefold(): zone for zone in zones()}
    if wanted in names:
        return names[wanted]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    near += [name for name in names if wanted and name.startswith(wanted)][:3]
    listed = ", ".join(dict.fromkeys(f"{names[n].code} ({names[n].name})" for n in near))
    hint = f"Did you mean {listed}?" if listed else "`llamawatt carbon list` shows all of them."
    raise UnknownZone(f"There is no zone “{text}”. {hint}")
