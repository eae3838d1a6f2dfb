"""Figures of this hour: who gives them, for which grid, and how long one holds.

Electricity Maps (docs.electricitymaps.com) has life-cycle figures by the hour for most countries
and for regions of the large ones. The Carbon Intensity API of Great Britain's system operator
(carbonintensity.org.uk) has half-hourly ones of generation alone, for the island or by postcode.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from monitor.carbon.countries import two_letters
from monitor.carbon.intensity import CarbonError, Zone

KEPT = timedelta(hours=2)
"""So old a figure may be when the service cannot be reached; after that the yearly one is used."""

EARLY = timedelta(minutes=5)
"""Clocks differ by so much and no more."""


class LiveError(CarbonError):
    """There is no live figure; the message says why and what to do.

    :param barred_s: for how long the service wants to be left alone, if it said so
    :param is_refused: whether only another token or grid would help
    """

    def __init__(self, text: str, barred_s: float | None = None, is_refused: bool = False) -> None:
        super().__init__(text)
        self.barred_s, self.is_refused = barred_s, is_refused


class Provider(StrEnum):
    """Who gives live figures."""

    ELECTRICITY_MAPS = "electricitymaps"
    GREAT_BRITAIN = "carbonintensity"

    @property
    def label(self) -> str:
        """Its name for a person."""
        return {
            Provider.ELECTRICITY_MAPS: "Electricity Maps",
            Provider.GREAT_BRITAIN: "carbonintensity.org.uk",
        }[self]

    @property
    def period(self) -> timedelta:
        """For how long one of its figures holds."""
        return timedelta(minutes=60 if self is Provider.ELECTRICITY_MAPS else 30)

    @property
    def needs_token(self) -> bool:
        """Whether it answers only those who have registered."""
        return self is Provider.ELECTRICITY_MAPS


@dataclass(frozen=True, slots=True)
class Live:
    """What a person turned on.

    :param provider: who is asked
    :param zone: code of the country whose yearly mean stands in when there is no figure
    :param grid: Electricity Maps' name of a zone, or the first half of a British postcode; "" for
      the whole of Great Britain
    """

    provider: Provider
    zone: str
    grid: str

    def to_json(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {"provider": str(self.provider), "zone": self.zone, "grid": self.grid}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> "Live":
        """Read :meth:`to_json`."""
        return cls(Provider(stored["provider"]), stored["zone"], stored["grid"])


def live_for(zone: Zone, provider: Provider, grid: str = "") -> Live:
    """Return the live figures of a country or, with ``grid``, of a part of it.

    :param zone: the yearly zone in use
    :raises LiveError: if the provider has none there: no other country is ever taken instead
    """
    letters = two_letters(zone.code)
    if letters is None:
        raise LiveError(
            f"Live figures belong to a country, and {zone.name} is none. Choose yours first."
        )
    grid = grid.strip().upper()
    if provider is Provider.ELECTRICITY_MAPS:
        grid = grid or letters
        if not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,8}){0,3}", grid):
            raise LiveError(
                f"“{grid}” is no zone of Electricity Maps. Write it as DE or US-CAL-CISO."
            )
        if grid.partition("-")[0] != letters:
            raise LiveError(f"{grid} is not in {zone.name} ({letters}). Choose its country first.")
        return Live(provider, zone.code, grid)
    if letters != "GB":
        raise LiveError(
            f"{provider.label} knows Great Britain alone, and {zone.name} is elsewhere."
        )
    grid = grid.partition(" ")[0]
    if grid and not re.fullmatch(r"[A-Z]{1,2}[0-9][A-Z0-9]?", grid):
        raise LiveError(f"“{grid}” is no first half of a British postcode. Write it as RG10.")
    if grid.startswith("BT"):
        raise LiveError(f"{provider.label} does not cover Northern Ireland; Electricity Maps does.")
    return Live(provider, zone.code, grid)


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that was given.

    :param live: what it answers
    :param code: the zone it is of, as it is stored with a query: the country's own code where it
      is of the whole country
    :param name: of that zone
    :param at: when it began to hold, UTC
    :param how: what else the service says of it: ``estimated``, ``forecast``
    """

    live: Live
    code: str
    name: str
    g_per_kwh: float
    at: datetime
    how: str = ""

    def is_current(self, now: datetime) -> bool:
        """Whether it is of the present hour, as far as the service has it by now."""
        return self.at - EARLY <= now < self.at + self.live.provider.period + EARLY

    def is_usable(self, now: datetime) -> bool:
        """Whether a query that begins now may be reckoned with it."""
        return self.at - EARLY <= now <= self.at + KEPT

    def zone(self, now: datetime) -> Zone:
        """Return it as a zone whose source says of when it is, and if that is not now."""
        source = [self.live.provider.label]
        when = f"{self.at:%Y-%m-%d %H:%M} UTC"
        source.append(when if self.is_current(now) else f"last known of {when}")
        if self.how:
            source.append(self.how)
        return Zone(self.code, self.name, self.at.year, self.g_per_kwh, ", ".join(source))

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "code": self.code,
            "name": self.name,
            "g_per_kwh": self.g_per_kwh,
            "at": self.at.isoformat(),
            "how": self.how,
        }

    @classmethod
    def from_json(cls, live: Live, stored: Mapping[str, Any]) -> "Reading":
        """Read :meth:`to_json`, of a figure that answers ``live``."""
        return cls(
            live,
            stored["code"],
            stored["name"],
            float(stored["g_per_kwh"]),
            datetime.fromisoformat(stored["at"]).astimezone(UTC),
            stored["how"],
        )


def without_live(zone: Zone) -> Zone:
    """Return a yearly zone whose source says that it stands in for a live figure."""
    return replace(zone, source=f"{zone.source}; no live figure")


def check_time(reading: Reading, now: datetime) -> None:
    """Refuse a figure that cannot be of the present.

    :raises LiveError: if it lies in the future or is too old, by this machine's clock
    """
    title, when = reading.live.provider.label, f"{reading.at:%Y-%m-%d %H:%M} UTC"
    if reading.at - EARLY > now:
        raise LiveError(
            f"The newest figure of {title} is of {when}, but the clock of this machine says "
            f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Set the clock."
        )
    if not reading.is_usable(now):
        raise LiveError(
            f"The newest figure of {title} is of {when}, too old to be used. If it is not that "
            "late yet, set this machine's clock."
        )
