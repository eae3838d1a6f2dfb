"""What the ``carbon`` commands say, as JSON and for a terminal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures
from monitor.carbon.choice import Choice
from monitor.carbon.footprint import Footprint, Sci
from monitor.carbon.intensity import Zone
from monitor.carbon.leaderboard import LABEL, leaderboard_g
from monitor.carbon.recost import Recosted
from monitor.carbon.state import LiveState
from monitor.forms import footprint_json, zone_json
from monitor.terminal.plain_table import make_table
from monitor.totals_report import counts_json, energy_notes, energy_words

OFF = "Live figures are off."


def zone_line(zone: Zone) -> Text:
    """Write a zone with all that is known of its figure."""
    return Text(
        f"{zone.name} ({zone.code}): {zone.g_per_kwh:g} g CO₂e/kWh, {zone.year}, {zone.source}"
    )


def zones_table(zones: Sequence[Zone]) -> RenderableType:
    """Draw zones with their carbon intensity."""
    table = make_table("zone", "", "g CO₂e/kWh", "year", right=("g CO₂e/kWh",))
    for zone in zones:
        table.add_row(zone.code, escape(zone.name), f"{zone.g_per_kwh:g}", str(zone.year))
    sources = "; ".join(dict.fromkeys(zone.source for zone in zones))
    return Group(table, Text(f"Source: {sources}", style="dim"))


def choice_lines(choice: Choice, zone: Zone) -> RenderableType:
    """Write what grams are reckoned with, apart from the electricity's only where it matters."""
    lines = [zone_line(zone)]
    if choice.pue != 1:
        lines.append(Text(f"PUE {choice.pue:g}"))
    if choice.embodied:
        device = choice.embodied
        lines.append(
            Text(
                f"The device's making beside it: {device.device_kg:g} kg over "
                f"{device.life_years:g} years, {figures.percent(device.share)} of it"
            )
        )
    if choice.missing:
        lines.append(Text(str(choice.missing), style="yellow"))
    return Group(*lines)


def choice_json(choice: Choice, zone: Zone) -> dict[str, Any]:
    """Return what grams are reckoned with; the zone's own figures come first."""
    return {
        **zone_json(zone),
        "pue": choice.pue,
        "embodied": choice.embodied and choice.embodied.to_json(),
        "live": choice.live and choice.live.to_json(),
    }


def stand_in_note(choice: Choice, state: LiveState | None) -> str:
    """Say why the yearly figure is used though another was chosen, and what to do.

    :param state: of live figures, ``None`` if they are off
    """
    yearly = choice.yearly
    used = f"Reckoned with the yearly figure of {yearly.name}, {yearly.g_per_kwh:g} g/kWh."
    if choice.missing:
        return f"{choice.missing} {used}"
    why = state.problem if state else ""
    return f"There is no live figure. {why or '`llamawatt carbon live now` asks for it.'} {used}"


def live_lines(state: LiveState | None, used: Zone, now: datetime) -> RenderableType:
    """Write how it stands with live figures.

    :param used: what a query that begins now is reckoned with
    """
    if state is None:
        return Text(OFF)
    instead = f"the yearly {used.g_per_kwh:g} g/kWh of {used.name} is used"
    lines = []
    if state.reading:
        line = zone_line(state.reading.zone(now))
        if not state.reading.is_usable(now):
            line.append(f"; too old, {instead}")
        lines.append(line)
    if state.problem:
        lines.append(Text(state.problem, style="yellow"))
    if not state.reading:
        told = "There is no figure yet" if lines else f"{state.live.provider.label} was not asked"
        lines.append(Text(f"{told}: {instead}."))
    return Group(*lines)


def live_json(state: LiveState | None, used: Zone, now: datetime) -> dict[str, Any]:
    """Return how it stands with live figures; the token is in no form of it.

    :param used: what a query that begins now is reckoned with
    """
    if state is None:
        return {"on": False}
    reading = state.reading
    return {
        "on": True,
        **state.live.to_json(),
        "reading": reading
        and {
            **zone_json(reading.zone(now)),
            "at": reading.at.isoformat(),
            "age_s": (now - reading.at).total_seconds(),
            "is_current": reading.is_current(now),
            "is_usable": reading.is_usable(now),
        },
        "used": zone_json(used),
        "problem": state.problem or None,
        "next_at": state.next_at and state.next_at.isoformat(),
    }


def recost_view(recosted: Recosted, zone: Zone) -> RenderableType:
    """Draw some queries' grams as they were reckoned and under another zone."""
    totals, new = recosted.totals, recosted.footprint
    right = ("CO₂e", "95 % interval", "queries")
    table = make_table("", *right, right=right)
    table.add_row("as it was reckoned", _grams(recosted, totals.grams), "", f"{totals.costed:,}")
    table.add_row(
        f"under {zone.name} ({zone.year})",
        _grams(recosted, new.grams if new else None),
        figures.mass_span(new.low_g, new.high_g, new.grams) if new else "",
        f"{totals.measured:,}",
    )
    notes = [
        f"{energy_words(totals)} of {totals.measured:,} measured queries, of {totals.queries:,}"
    ]
    if not recosted.is_alike:
        notes.append(
            "These are not of the same queries: of the grid that the others were reckoned with "
            "there is no figure."
        )
    notes += energy_notes(totals)
    if new:
        pue = f" at PUE {new.pue:g}" if new.pue != 1 else ""
        notes.append(f"{zone.g_per_kwh:g} g/kWh{pue}, {zone.source}")
    if recosted.limited_to:
        notes.append(f"Only the newest {recosted.limited_to:,} that match are added up.")
    return Group(table, *(Text(note, style="dim") for note in notes))


def _grams(recosted: Recosted, grams: float | None) -> str:
    return figures.at_least(figures.mass(grams), recosted.totals.is_lower_bound)


def recost_json(recosted: Recosted, zone: Zone) -> dict[str, Any]:
    """Return some queries' grams as they were reckoned and under another zone."""
    totals = recosted.totals
    return {
        **counts_json(totals),
        "grams_before": totals.grams,
        "co2": footprint_json(recosted.footprint),
        "zone": zone_json(zone),
        "limited_to": recosted.limited_to,
    }


def sci_view(
    operational: Footprint, scores: list[Sci], total_s: float | None, is_partial: bool
) -> RenderableType:
    """Draw the software carbon intensity of a query, and a rule of thumb to compare it with.

    :param is_partial: whether a part of the query was not read
    """
    table = make_table("", "CO₂e", right=("CO₂e",))
    embodied_g = scores[0].embodied_g
    operational_g = figures.at_least(figures.mass(operational.grams), is_partial)
    table.add_row("operational (O)", operational_g)
    table.add_row("embodied (M)", figures.mass(embodied_g))
    for score in scores:
        grams = figures.at_least(figures.mass(score.grams_per_unit), is_partial)
        table.add_row(f"SCI per {score.unit}", grams, style="bold")
    notes = [
        f"{operational.intensity_g_per_kwh:g} g/kWh ({operational.zone} {operational.year}, "
        f"{operational.source}), PUE {operational.pue:g}"
    ]
    if embodied_g is None:
        notes.append(
            "Without the device's making: `llamawatt carbon embodied` tells what to reckon with."
        )
    if total_s:
        notes.append(
            f"The Open LLM Leaderboard would state {figures.mass(leaderboard_g(total_s))} for "
            f"{figures.duration(total_s)} of eight H100 ({LABEL})."
        )
    return Group(table, *(Text(note, style="dim") for note in notes))


def sci_json(operational: Footprint, scores: list[Sci], total_s: float | None) -> dict[str, Any]:
    """Return the software carbon intensity of a query, its parts apart."""
    return {
        "operational_g": operational.grams,
        "embodied_g": scores[0].embodied_g,
        "co2": footprint_json(operational),
        "sci": [
            {"per": score.unit, "units": score.units, "grams": score.grams_per_unit}
            for score in scores
        ],
        "comparison": {
            "name": "Open LLM Leaderboard",
            "how": LABEL,
            "grams": leaderboard_g(total_s) if total_s else None,
        },
    }
