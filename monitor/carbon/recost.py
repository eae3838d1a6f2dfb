"""What stored queries would have emitted elsewhere or in another year: joules by an intensity."""

from dataclasses import dataclass

from monitor.carbon.footprint import Footprint, check_pue, footprint
from monitor.carbon.intensity import CarbonError, Zone
from monitor.carbon.own import OwnFigure
from monitor.energy.interval import Interval
from monitor.store.browse import Browse
from monitor.store.charts import Totals
from monitor.store.filters import EVERYTHING, Filter


@dataclass(frozen=True, slots=True)
class Recosted:
    """Some queries under another zone.

    :param totals: what they came to, with the grams each was reckoned with
    :param footprint: what their joules come to now; ``None`` if none was measured
    :param limited_to: if not ``None``, only so many of the newest were added up
    """

    totals: Totals
    footprint: Footprint | None
    limited_to: int | None = None

    @property
    def is_alike(self) -> bool:
        """Whether the grams of before and after are of the same queries.

        Before, those have none whose grid has no figure.
        """
        return not self.totals.uncosted


def figure_given(g_per_kwh: float, year: int, name: str = "your figure") -> Zone:
    """Return a figure that was given for this once as a zone.

    :param name: as it is shown
    :raises CarbonError: if it or its year cannot be
    """
    return OwnFigure(g_per_kwh, name, "as given", year).zone


def check_year(zone: Zone, year: int) -> None:
    """Refuse a year that a zone's figure is not of.

    :raises CarbonError: saying which year it is of, and how another can be reckoned with
    """
    if zone.year != year:
        raise CarbonError(
            f"The figure of {zone.name} is of {zone.year}; there is none of {year} in the table. "
            f"Give that year's with --intensity and --year {year}."
        )


def recost(browse: Browse, zone: Zone, chosen: Filter = EVERYTHING, pue: float = 1.0) -> Recosted:
    """Return what the queries of a filter would have emitted in a zone; nothing is changed.

    The joules are the sums the database keeps, so that a million queries take no longer than ten.
    Their interval is the sum of the queries' own, as if all erred alike.

    :param pue: of all of them, whatever theirs was
    :raises CarbonError: for a PUE that cannot be
    """
    check_pue(pue)
    chart = browse.totals(chosen)
    totals = chart.bars[0].totals if chart.bars else Totals()
    if totals.energy_j is None or totals.energy_low_j is None or totals.energy_high_j is None:
        return Recosted(totals, None, chart.limited_to)
    energy = Interval(
        joules=totals.energy_j,
        below_j=totals.energy_j - totals.energy_low_j,
        above_j=totals.energy_high_j - totals.energy_j,
        random_j=0.0,
    )
    return Recosted(totals, footprint(energy, zone, pue), chart.limited_to)
