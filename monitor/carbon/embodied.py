"""The share of a device's making that falls on the time it worked.

SCI (ISO/IEC 21031:2024) has it as M = TE × TS × RS: the device's embodied emissions, times the
share of its expected life that was taken, times the share of it that was reserved. A year has 365
days there.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from monitor.carbon.intensity import CarbonError

YEAR_S = 365 * 24 * 3600.0

MOST_KG, MOST_YEARS = 100_000.0, 50.0


@dataclass(frozen=True, slots=True)
class Embodied:
    """A device, as its maker's report and its owner describe it.

    :param device_kg: kilograms of CO2-equivalent emitted for making, moving and scrapping it
    :param life_years: for how long it is expected to serve
    :param share: of it that is reserved while it works, 1 for a machine of one's own
    :raises CarbonError: if one of them cannot be
    """

    device_kg: float
    life_years: float
    share: float = 1.0

    def __post_init__(self) -> None:
        _check("Embodied emissions are", self.device_kg, MOST_KG, "kg")
        _check("An expected life is", self.life_years, MOST_YEARS, "years")
        _check("The share of the device is", self.share, 1.0, "")

    def grams(self, duration_s: float) -> float:
        """Return the grams that fall on so many seconds of work."""
        return self.device_kg * 1000 * duration_s / (self.life_years * YEAR_S) * self.share

    def to_json(self) -> dict[str, float]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Embodied":
        """Read :meth:`to_json`."""
        return cls(**stored)


def _check(what: str, value: float, most: float, unit: str) -> None:
    if not (math.isfinite(value) and 0 < value <= most):
        limit = f"{most:,.0f} {unit}".strip()
        raise CarbonError(f"{what} above 0 and at most {limit}; {value:g} is not.")
