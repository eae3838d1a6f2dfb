"""The answers of the services of live figures, read with suspicion."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from monitor.carbon.intensity import find_zone
from monitor.carbon.live import Live, LiveError, Provider, Reading
from monitor.carbon.own import MOST_G_PER_KWH


def read_answer(live: Live, answer: Any) -> Reading:
    """Return the figure in an answer of the service, already read from JSON.

    :raises LiveError: if there is none, or it is of another place
    """
    try:
        if live.provider is Provider.ELECTRICITY_MAPS:
            return _electricity_maps(live, answer)
        return _great_britain(live, answer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, LiveError):
            raise
        raise garbled(live) from None


def garbled(live: Live) -> LiveError:
    """Say that an answer is none of the service's: a page to log in at, perhaps."""
    return LiveError(
        f"{live.provider.label} does not answer as it should. Try again later, and check "
        "whether the network asks you to log in first."
    )


def _electricity_maps(live: Live, answer: Any) -> Reading:
    if answer["zone"] != live.grid:
        raise LiveError(
            f"{live.provider.label} answers for {str(answer['zone'])[:40]}, though it was asked "
            f"for {live.grid}. That figure is not used."
        )
    country = find_zone(live.zone)
    is_whole = "-" not in live.grid
    how = ["estimated"] if answer.get("isEstimated") else []
    if answer.get("emissionFactorType", "lifecycle") != "lifecycle":
        how.append("of generation alone")
    return Reading(
        live=live,
        code=country.code if is_whole else live.grid,
        name=country.name if is_whole else f"{country.name}, {live.grid}",
        # No grid's life-cycle figure is nought: that one would be a figure that is missing.
        g_per_kwh=_figure(live, answer["carbonIntensity"], lowest=math.ulp(0.0)),
        at=_time(answer["datetime"]),
        how=", ".join(how),
    )


def _great_britain(live: Live, answer: Any) -> Reading:
    entry = answer["data"][0]
    code, name = "GBR", "Great Britain"
    if live.grid:
        code, name = f"GB-{int(entry['regionid'])}", str(entry["shortname"])[:60]
        entry = entry["data"][0]
    given: Mapping[str, Any] = entry["intensity"]
    is_known = given.get("actual") is not None
    return Reading(
        live=live,
        code=code,
        name=name,
        # On a windy night the north of Scotland really burns nothing, and the service says 0 for
        # it; the island as a whole always burns something, so that a 0 is a figure missing there.
        g_per_kwh=_figure(
            live,
            given["actual" if is_known else "forecast"],
            lowest=0.0 if live.grid else math.ulp(0.0),
        ),
        at=_time(entry["from"]),
        how="of generation alone" if is_known else "forecast, of generation alone",
    )


def _figure(live: Live, given: Any, lowest: float) -> float:
    if given is None:
        raise LiveError(
            f"{live.provider.label} has no figure for {live.grid or 'Great Britain'} now."
        )
    figure = float(given) if isinstance(given, int | float) and given is not True else math.nan
    if not lowest <= figure <= MOST_G_PER_KWH:
        raise LiveError(
            f"{live.provider.label} says {str(given)[:40]} g/kWh, which cannot be. It is not used."
        )
    return figure


def _time(given: Any) -> datetime:
    """Read a time of the service's; both give UTC, with or without seconds."""
    if not isinstance(given, str):
        raise TypeError
    when = datetime.fromisoformat(given)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
