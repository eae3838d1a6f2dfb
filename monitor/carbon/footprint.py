"""From joules to grams."""

from dataclasses import dataclass

from monitor.carbon.intensity import Zone
from monitor.energy.interval import Interval

J_PER_KWH = 3.6e6


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

    :raises ValueError: for a PUE below 1: a data centre cannot use less than its computers
    """
    if pue < 1:
        raise ValueError(f"A PUE of {pue:g} is impossible: it is 1 or more.")
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
