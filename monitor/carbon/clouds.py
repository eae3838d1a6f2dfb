"""The carbon intensity of cloud providers' regions, as the ML CO2 Impact method asks for it.

The figures lie in ``resources/cloud_regions.csv``, each with its document. Those of AWS and Azure
are the method's own table of 2019 (Lacoste et al., arxiv.org/abs/1910.09700), as codecarbon 2.1.4
(MIT) holds it; those of Google Cloud are Google's, as codecarbon 3.3.2 (MIT) holds them. All are of
generation alone. A region of that table whose figure was of a single hour, or had no document, is
left out.
"""

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from io import StringIO

from resources import resource_text

PROVIDERS = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}

WORDS = {"amazon": "aws", "microsoft": "azure", "google": "gcp"}
"""What else people call a provider, by the first word of it."""


@dataclass(frozen=True, slots=True)
class CloudRegion:
    """One region of a provider.

    :param provider: a key of :data:`PROVIDERS`
    :param code: as the provider writes it: ``us-east-1``
    :param place: where it stands
    :param year: of the table, 0 where that is not told
    :param g_per_kwh: grams of CO2 per kilowatt-hour generated there
    :param source: whose table has it
    :param document: what that table cites
    """

    provider: str
    code: str
    place: str
    year: int
    g_per_kwh: float
    source: str
    document: str

    @property
    def name(self) -> str:
        """As a person reads it."""
        return f"{PROVIDERS[self.provider]} {self.code} ({self.place})"


@cache
def cloud_regions() -> tuple[CloudRegion, ...]:
    """Return all that are known, by provider."""
    rows = csv.DictReader(StringIO(resource_text("cloud_regions.csv")))
    return tuple(
        CloudRegion(
            provider=row["provider"],
            code=row["region"],
            place=row["place"],
            year=int(row["year"] or 0),
            g_per_kwh=float(row["g_per_kwh"]),
            source=row["source"],
            document=row["document"],
        )
        for row in rows
    )


def find_region(provider: str, region: str) -> CloudRegion | None:
    """Return a provider's region, whatever the case, ``None`` if the table does not have it."""
    of, code = _provider(provider), region.strip().casefold()
    return next((r for r in cloud_regions() if (r.provider, r.code) == (of, code)), None)


def near_regions(provider: str, region: str) -> tuple[str, ...]:
    """Return the codes of a provider's regions that are written most like one, up to three."""
    codes = [each.code for each in cloud_regions() if each.provider == _provider(provider)]
    return tuple(difflib.get_close_matches(region.strip().casefold(), codes, n=3, cutoff=0.6))


def _provider(text: str) -> str:
    folded = text.strip().casefold()
    named = {name.casefold(): key for key, name in PROVIDERS.items()}
    first = folded.partition(" ")[0]
    return named.get(folded) or WORDS.get(first, folded)
