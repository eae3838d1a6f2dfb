"""A carbon intensity of one's own: a contract's, a roof's, or from another table."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from monitor.carbon.intensity import CarbonError, Zone

MOST_G_PER_KWH = 3000.0
"""No power station emits more: the worst lignite has some 1,300, a small diesel set 1,500."""

CODE = "own: "
"""Before the name in stored records, so that no figure of one's own passes for a country's."""

MOST_LETTERS = 80

FIRST_YEAR, LAST_YEAR = 1990, 2100


@dataclass(frozen=True, slots=True)
class OwnFigure:
    """A figure a person entered.

    :param g_per_kwh: grams of CO2-equivalent per kilowatt-hour
    :param name: as it is to be shown
    :param source: where it is from
    :param year: the year it is of
    :raises CarbonError: if one of them cannot be
    """

    g_per_kwh: float
    name: str
    source: str
    year: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.g_per_kwh) and 0 < self.g_per_kwh <= MOST_G_PER_KWH):
            raise CarbonError(
                f"A carbon intensity of {self.g_per_kwh:g} g/kWh cannot be: it is above 0 and at "
                f"most {MOST_G_PER_KWH:,.0f}. For kg/MWh the number is the same; lb/MWh times "
                "0.4536 are g/kWh."
            )
        for what, text in (("name", self.name), ("source", self.source)):
            if not text.strip() or len(text) > MOST_LETTERS or not text.isprintable():
                raise CarbonError(
                    f"A figure of your own needs a {what}: one line of at most {MOST_LETTERS} "
                    "letters."
                )
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise CarbonError(f"The year {self.year} cannot be: write it as 2026.")

    @property
    def zone(self) -> Zone:
        """The figure as a zone to reckon with."""
        return Zone(f"{CODE}{self.name}", self.name, self.year, self.g_per_kwh, self.source)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "OwnFigure":
        """Read :meth:`to_json`."""
        return cls(**stored)
