"""From joules to grams."""

import math
from dataclasses import dataclass

from monitor.carbon.intensity import CarbonError, Zone
from monitor.energy.interval import Interval

J_PER_KWH = 3.6e6

MOST_PUE = 5.0
"""The worst halls of small servers are said to use three times what their computers do."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The emissions of an energy, and what they were reckoned with.

    :param grams: CO2-equivalent; ``low_g`` and ``high_g`` carry the energy's interval only
    :param intensity_g_per_kwh: carbon intensity used
    :param zone: code of the zone it belongs to
    :param source: where the intensity is from
    :param year: the year it is of
    :param pue: power usage effectiveness, 1 for a machine at home
    """

    grams: float
    low_g: float
    high_g: float
    intensity_g_per_kwh: float
    zone: str
    source: str
    year: int
    pue: float


def footprint(energy: Interval, zone: Zone, pue: float = 1.0) -> Footprint:
    """Return CO2 = kWh x intensity x PUE, the operational part of SCI (ISO/IEC 21031).

    :raises CarbonError: for a PUE below 1
    """
    _check_lowest(pue)
    grams_per_j = zone.g_per_kwh * pue / J_PER_KWH
    return Footprint(
        grams=energy.joules * grams_per_j,
        low_g=energy.low_j * grams_per_j,
        high_g=energy.high_j * grams_per_j,
        intensity_g_per_kwh=zone.g_per_kwh,
        zone=zone.code,
        source=zone.source,
        year=zone.year,
        pue=pue,
    )


def known_footprint(energy: Interval | None, zone: Zone | None, pue: float) -> Footprint | None:
    """Return the emissions of an energy, ``None`` where it or its intensity is not known."""
    if energy is None or zone is None or zone.is_missing:
        return None
    return footprint(energy, zone, pue)


def check_pue(pue: float) -> None:
    """Refuse what nobody's power usage effectiveness is.

    :raises CarbonError: if it is below 1 or above 5
    """
    _check_lowest(pue)
    if pue > MOST_PUE:
        raise CarbonError(f"A PUE of {pue:g} cannot be right: it is {MOST_PUE:g} at most.")


def _check_lowest(pue: float) -> None:
    """Refuse less than 1: no hall uses less than its computers."""
    if not (math.isfinite(pue) and pue >= 1):
        raise CarbonError(
            f"A PUE of {pue:g} is impossible: it is 1 or more, and 1 for a machine at home."
        )


@dataclass(frozen=True, slots=True)
class Sci:
    """Software carbon intensity, SCI = (O + M) / R (ISO/IEC 21031:2024).

    :param operational_g: O, emitted for the electricity
    :param embodied_g: M, the device's share; ``None`` if it is not reckoned with, so that the
      figure is of O alone
    :param units: R, of what it is per
    :param unit: what one of them is, for a person
    """

    operational_g: float
    embodied_g: float | None
    units: float
    unit: str

    def __post_init__(self) -> None:
        if not self.units > 0:
            raise CarbonError(f"There is no {self.unit} to share the grams among.")

    @property
    def grams_per_unit(self) -> float:
        """Grams of CO2-equivalent per unit."""
        return (self.operational_g + (self.embodied_g or 0.0)) / self.units
