"""What a person chose to reckon with, and the zone that follows from it at a moment."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from monitor.carbon.embodied import Embodied
from monitor.carbon.footprint import check_pue
from monitor.carbon.intensity import (
    ENTER,
    WORLD,
    CarbonError,
    NoFigure,
    UnknownZone,
    Zone,
    find_zone,
)
from monitor.carbon.live import Live, without_live
from monitor.carbon.own import OwnFigure
from monitor.carbon.state import Preferences, forgive, read_state

T = TypeVar("T")

ZONE_PREFERENCE = "zone"

OWN = "OWN"
"""Chosen instead of a zone's code, it stands for a figure of one's own."""

OWN_PREFERENCE, PUE_PREFERENCE = "carbon_own", "carbon_pue"
EMBODIED_PREFERENCE, LIVE_PREFERENCE = "carbon_embodied", "carbon_live"


@dataclass(frozen=True, slots=True)
class Choice:
    """What grams are reckoned with.

    :param yearly: the zone chosen, or the figure of one's own; the world, whose source says so,
      if the one chosen has no figure
    :param own: that figure, whether it is in use or not; ``None`` if none was entered
    :param pue: power usage effectiveness
    :param embodied: the device, ``None`` if its making is not reckoned with
    :param live: the live figures that are used while they are to be had; ``None`` if off
    :param missing: why the zone chosen is not ``yearly``; ``None`` if it is
    """

    yearly: Zone
    own: OwnFigure | None = None
    pue: float = 1.0
    embodied: Embodied | None = None
    live: Live | None = None
    missing: NoFigure | None = None


def read_choice(kept: Preferences) -> Choice:
    """Return all that a person chose.

    :raises CarbonError: if something that is kept cannot be, having been written by hand perhaps
    """
    own = _read(kept, OWN_PREFERENCE, OwnFigure.from_json)
    missing = None
    try:
        yearly = _yearly(kept.preference(ZONE_PREFERENCE, WORLD), own)
    except NoFigure as none:
        # Chosen before its 0 was known to be none: the world's mean, as if nothing was chosen.
        missing, world = none, find_zone(WORLD)
        yearly = replace(world, source=f"{world.source}; none for {none.zone.name}")
    return Choice(
        yearly=yearly,
        own=own,
        pue=chosen_pue(kept),
        embodied=chosen_embodied(kept),
        live=_read(kept, LIVE_PREFERENCE, Live.from_json),
        missing=missing,
    )


def zone_at(kept: Preferences, now: datetime) -> Zone:
    """Return the zone a query that begins now is reckoned with.

    That is the live figure where it is turned on and fresh enough. Otherwise it is the yearly mean
    of the same country, whose source then says so. Nothing is fetched here.

    :param now: with its zone
    :raises CarbonError: see :func:`read_choice`
    """
    choice = read_choice(kept)
    if choice.live is None:
        return choice.yearly
    return _live_at(kept, choice, now) or without_live(choice.yearly)


def live_at(kept: Preferences, moment: datetime) -> Zone | None:
    """Return the live figure that is known by now for what began at a moment.

    :param moment: with its zone
    :return: ``None`` if live figures are off, or none is of that hour
    :raises CarbonError: see :func:`read_choice`
    """
    return _live_at(kept, read_choice(kept), moment)


def _live_at(kept: Preferences, choice: Choice, moment: datetime) -> Zone | None:
    live = choice.live
    if live is None or live.zone != choice.yearly.code:
        return None
    reading = read_state(kept, live).reading
    return reading.zone(moment) if reading and reading.is_usable(moment) else None


def chosen_pue(kept: Preferences) -> float:
    """Return the power usage effectiveness, 1 unless another was chosen.

    :raises CarbonError: if the one that is kept cannot be
    """
    pue = _read(kept, PUE_PREFERENCE, float)
    if pue is None:
        return 1.0
    check_pue(pue)
    return pue


def chosen_embodied(kept: Preferences) -> Embodied | None:
    """Return the device whose making is reckoned with, ``None`` if that is off."""
    return _read(kept, EMBODIED_PREFERENCE, Embodied.from_json)


def embodied_share_g(kept: Preferences, duration_s: float | None) -> float | None:
    """Return the grams of the device's making that fall on a query, to be stored with it.

    :param duration_s: how long it worked, ``None`` if that is not known
    :return: ``None`` if the making of the device is not reckoned with
    """
    embodied = chosen_embodied(kept)
    return embodied.grams(duration_s) if embodied and duration_s is not None else None


def choose_zone(kept: Preferences, text: str) -> Live | None:
    """Choose a zone by its code or name, or :data:`OWN`.

    :return: the live figures that were turned off by it, being another country's
    :raises UnknownZone: if there is none, or no figure of one's own
    """
    own = _read(kept, OWN_PREFERENCE, OwnFigure.from_json)
    is_own = text.strip().upper() == OWN
    code = OWN if is_own else find_zone(text).code
    live = _read(kept, LIVE_PREFERENCE, Live.from_json)
    _yearly(code, own)
    kept.set_preference(ZONE_PREFERENCE, code)
    if live is None or live.zone == code:
        return None
    choose_live(kept, None)
    return live


def choose_own(kept: Preferences, own: OwnFigure) -> Live | None:
    """Enter a figure of one's own and use it; returns as :func:`choose_zone`."""
    kept.set_preference(OWN_PREFERENCE, own.to_json())
    return choose_zone(kept, OWN)


def choose_pue(kept: Preferences, pue: float) -> None:
    """Choose the power usage effectiveness of queries to come.

    :raises CarbonError: if it cannot be
    """
    check_pue(pue)
    kept.set_preference(PUE_PREFERENCE, pue)


def choose_embodied(kept: Preferences, embodied: Embodied | None) -> None:
    """Choose the device whose making is reckoned with in queries to come; ``None`` for none."""
    kept.set_preference(EMBODIED_PREFERENCE, embodied and embodied.to_json())


def choose_live(kept: Preferences, live: Live | None) -> None:
    """Turn live figures on, or off. They are fetched by a :class:`monitor.carbon.feed.LiveFeed`."""
    kept.set_preference(LIVE_PREFERENCE, live and live.to_json())
    if live:
        forgive(kept, live)


def _yearly(code: str, own: OwnFigure | None) -> Zone:
    if code != OWN:
        return find_zone(code)
    if own is None:
        raise UnknownZone(f"There is no figure of your own yet. Enter one with `{ENTER}`.")
    return own.zone


def _read(kept: Preferences, key: str, read: Callable[[Any], T]) -> T | None:
    """Read a choice, ``None`` if it was never made or taken back."""
    stored = kept.preference(key)
    if stored is None:
        return None
    try:
        return read(stored)
    except CarbonError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CarbonError(
            f"The preference “{key}” in the history cannot be read. Choose it once more."
        ) from None
