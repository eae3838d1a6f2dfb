"""The commands ``llamawatt carbon``: what a joule emits, and who says so."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import click
from rich.console import Group
from rich.text import Text

from monitor import figures, forms
from monitor.carbon import choice as choices
from monitor.carbon import token as tokens
from monitor.carbon.choice import read_choice, zone_at
from monitor.carbon.embodied import Embodied
from monitor.carbon.footprint import Footprint, Sci
from monitor.carbon.forms import (
    choice_json,
    choice_lines,
    live_json,
    live_lines,
    recost_json,
    recost_view,
    sci_json,
    sci_view,
    zones_table,
)
from monitor.carbon.intensity import ENTER, NoFigure, Zone, find_zone, without_figure, zones
from monitor.carbon.live import Live, LiveError, Provider, live_for
from monitor.carbon.own import FIRST_YEAR, LAST_YEAR, OwnFigure
from monitor.carbon.recost import check_year, figure_given, recost
from monitor.carbon.state import LiveState, read_state, refresh
from monitor.commands.filter_options import filter_options, known_filter
from monitor.commands.group import NamingGroup
from monitor.commands.history import EMPTY, NOTHING_MATCHES, found_record
from monitor.commands.number_option import Whole
from monitor.commands.query_id import QueryId
from monitor.commands.terminal import echo_json, json_option, open_history, show, stderr
from monitor.energy.parts import is_lower_bound
from monitor.repeat import REPEATABLE
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord

PER_TOKENS = 1000

YEAR = Whole(FIRST_YEAR, LAST_YEAR)

takes_negative = {"ignore_unknown_options": True}
"""So that -5 is a figure, which is refused in a sentence, and no option."""


@click.group(cls=NamingGroup)
def carbon() -> None:
    """Choose what the CO2 is reckoned with, and reckon it anew."""


def _show_choice(stored: History, as_json: bool, turned_off: Live | None = None) -> None:
    """Show what is in use now, and what a change turned off."""
    if turned_off:
        stderr.print(
            f"Live figures are off now: they were of {turned_off.grid or 'Great Britain'}."
        )
    choice, zone = read_choice(stored), zone_at(stored, datetime.now(UTC))
    show(choice_lines(choice, zone), lambda: choice_json(choice, zone), as_json)


@carbon.command("zone")
@click.argument("zone", required=False)
@json_option
def zone_(zone: str | None, as_json: bool) -> None:
    """Show what is reckoned with, or choose a zone by its code or name; "own" is your figure.

    Example: llamawatt carbon zone DEU
    """
    with open_history() as stored:
        turned_off = choices.choose_zone(stored, zone) if zone is not None else None
        _show_choice(stored, as_json, turned_off)


@carbon.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List every zone with its carbon intensity, your own figure first.

    Example: llamawatt carbon list
    """
    with open_history() as stored:
        own = read_choice(stored).own
    listed: tuple[Zone, ...] = ((own.zone,) if own else ()) + zones()
    notes = (Text(str(NoFigure(zone)), style="dim") for zone in without_figure())
    table = Group(zones_table(listed), *notes)
    show(table, lambda: [forms.zone_json(z) for z in listed], as_json)


@carbon.command(context_settings=takes_negative)
@click.argument("g_per_kwh", type=float)
@click.option("--name", help="As it is to be shown: Rooftop.")
@click.option("--source", help="Where the figure is from.")
@click.option("--year", type=YEAR, help="The year it is of; this one unless given.")
@json_option
def own(
    g_per_kwh: float, name: str | None, source: str | None, year: int | None, as_json: bool
) -> None:
    """Enter a carbon intensity of your own in g/kWh, and use it.

    Example: llamawatt carbon own 45 --name Rooftop --source "life cycle of my panels"
    """
    if name is None or source is None:
        raise click.UsageError(f"A figure of your own needs a name and a source: {ENTER}")
    figure = OwnFigure(g_per_kwh, name, source, _year_or_this(year))
    with open_history() as stored:
        _show_choice(stored, as_json, choices.choose_own(stored, figure))


def _year_or_this(year: int | None) -> int:
    return datetime.now().year if year is None else year


@carbon.command(context_settings=takes_negative)
@click.argument("pue", type=float, required=False)
@json_option
def pue(pue: float | None, as_json: bool) -> None:
    """Show or choose the power usage effectiveness: what a hall draws over its computers.

    Example: llamawatt carbon pue 1.2
    """
    with open_history() as stored:
        if pue is not None:
            choices.choose_pue(stored, pue)
        used = choices.chosen_pue(stored)
    show(f"PUE {used:g}", lambda: {"pue": used}, as_json)


@carbon.command()
@click.option("--kg", type=float, help="CO₂e of making the device, from its maker's report.")
@click.option("--years", type=float, help="For how long it is expected to serve.")
@click.option("--share", type=float, help="Of it in use, 0 to 1; all of it unless given.")
@click.option("--off", is_flag=True, help="Reckon without it again.")
@json_option
def embodied(
    kg: float | None, years: float | None, share: float | None, off: bool, as_json: bool
) -> None:
    """Reckon with the device's making too, as SCI does; it is shown beside the electricity's.

    Example: llamawatt carbon embodied --kg 350 --years 4
    """
    if (kg is None) != (years is None):
        raise click.UsageError("--kg and --years belong together.")
    if share is not None and kg is None:
        raise click.UsageError("--share is of a device: give its --kg and --years as well.")
    if off and kg is not None:
        raise click.UsageError("Give --kg and --years to reckon with a device, or --off.")
    with open_history() as stored:
        if kg is not None and years is not None:
            choices.choose_embodied(stored, Embodied(kg, years, 1.0 if share is None else share))
        elif off:
            choices.choose_embodied(stored, None)
        used = choices.chosen_embodied(stored)
    text = "The device's making is not reckoned with."
    if used:
        hour = figures.mass(used.grams(3600))
        text = (
            f"{used.device_kg:g} kg over {used.life_years:g} years, "
            f"{figures.percent(used.share)} of the device: {hour} CO₂e an hour"
        )
    show(text, lambda: {"embodied": used and used.to_json()}, as_json)


@carbon.command("recost")
@click.argument("zone", required=False)
@click.option("--intensity", type=float, help="Instead of a zone: a figure of your own in g/kWh.")
@click.option("--year", type=YEAR, help="The year of that figure, or the one wanted of the zone.")
@click.option("--pue", type=float, help="Of all of them; the one in use unless given.")
@filter_options
@json_option
def recost_(
    zone: str | None,
    intensity: float | None,
    year: int | None,
    pue: float | None,
    chosen: Filter,
    as_json: bool,
) -> None:
    """Reckon stored queries anew, as if they had run elsewhere or in another year.

    Nothing that is stored is changed. The table has one year of each zone; for another give its
    figure with --intensity and --year.

    Example: llamawatt carbon recost FRA --since 2026-01-01 --model tiny
    """
    if (zone is None) == (intensity is None):
        raise click.UsageError("Give a zone, or a figure of your own with --intensity.")
    with open_history() as stored:
        choice = read_choice(stored)
        if intensity is not None:
            found = figure_given(intensity, _year_or_this(year))
        elif choice.own and zone and zone.lower() == "own":
            found = choice.own.zone
        else:
            found = find_zone(zone or "")
        if year is not None:
            check_year(found, year)
        known = known_filter(stored, chosen)
        recosted = recost(stored.browse, found, known, choice.pue if pue is None else pue)
    if not recosted.totals.queries and not as_json:
        stderr.print(EMPTY if chosen.is_empty else NOTHING_MATCHES)
        return
    show(recost_view(recosted, found), lambda: recost_json(recosted, found), as_json)


@carbon.command("sci")
@click.argument("query_id", type=QueryId())
@json_option
def sci_(query_id: str, as_json: bool) -> None:
    """Show the software carbon intensity of a query or a benchmark's run: (O + M) per R.

    Example: llamawatt carbon sci 3fa85f64
    """
    with open_history() as stored:
        record = found_record(stored, query_id)
        operational = record.footprint
        if operational is None:
            raise click.ClickException(
                f"The grams of {record.id} are not known: "
                + (
                    "its zone had no figure. `llamawatt carbon recost` reckons with another."
                    if record.bill.total().energy
                    else "no energy was measured of it."
                )
            )
        scores = _scores(stored, record, operational, record.embodied_g)
    total_s = record.seconds.total
    show(
        sci_view(operational, scores, total_s, is_lower_bound(record.bill)),
        lambda: {"id": record.id, **sci_json(operational, scores, total_s)},
        as_json,
    )


def _scores(
    stored: History, record: QueryRecord, operational: Footprint, embodied_g: float | None
) -> list[Sci]:
    """Return the score per query or run, and per what there is of it inside."""
    run = stored.benchmarks.run(record.id)
    units: Mapping[str, float] = (
        {"run": 1, "item": run.sums.done}
        if run
        else {
            "query" if record.kind in REPEATABLE else "run": 1,
            f"{PER_TOKENS:,} answer tokens": record.tokens.completion / PER_TOKENS,
        }
    )
    return [Sci(operational.grams, embodied_g, n, unit) for unit, n in units.items() if n]


# --- live figures ------------------------------------------------------------------------


@carbon.group(cls=NamingGroup, invoke_without_command=True)
@json_option
@click.pass_context
def live(ctx: click.Context, as_json: bool) -> None:
    """Use figures of this hour instead of a year's; alone, show how it stands.

    Example: llamawatt carbon live
    """
    if ctx.invoked_subcommand is None:
        with open_history() as stored:
            used = read_choice(stored).live
            _show_live(stored, read_state(stored, used) if used else None, as_json)


@live.command()
@click.argument(
    "provider",
    type=click.Choice([str(each) for each in Provider]),
    default=str(Provider.ELECTRICITY_MAPS),
)
@click.option("--grid", default="", help="A zone of Electricity Maps: US-CAL-CISO.")
@click.option("--postcode", default="", help="First half of a British postcode: RG10.")
@click.option("--token", "asks_token", is_flag=True, help="Enter another token, typed or piped in.")
@json_option
def on(provider: str, grid: str, postcode: str, asks_token: bool, as_json: bool) -> None:
    """Turn live figures on for the country chosen, and fetch the first.

    A token for Electricity Maps is asked for and kept in the system's keyring.

    Example: llamawatt carbon live on electricitymaps --grid US-CAL-CISO
    """
    if grid and postcode:
        raise click.UsageError("--grid is for electricitymaps, --postcode for carbonintensity.")
    if asks_token and not Provider(provider).needs_token:
        raise click.UsageError(f"{Provider(provider).label} needs no token: leave --token out.")
    with open_history() as stored:
        used = live_for(read_choice(stored).yearly, Provider(provider), grid or postcode)
        if used.provider.needs_token:
            _see_to_token(asks_token)
        choices.choose_live(stored, used)
        _fetch(stored, used, as_json)


def _see_to_token(asks: bool) -> None:
    """Ask for a token if there is none, or another is to be entered."""
    if not asks:
        try:
            tokens.read_token()
            return
        except LiveError as missing:
            if str(missing) != tokens.NONE:
                raise
    if sys.stdin.isatty():
        given = click.prompt("Token for Electricity Maps", hide_input=True, err=True)
    else:
        given = sys.stdin.readline()
    tokens.keep_token(given)


@live.command()
@click.option("--forget-token", is_flag=True, help="Remove the token from the keyring too.")
@json_option
def off(forget_token: bool, as_json: bool) -> None:
    """Turn live figures off: nothing is fetched any more.

    Example: llamawatt carbon live off
    """
    with open_history() as stored:
        choices.choose_live(stored, None)
        if forget_token:
            tokens.forget_token()
        _show_live(stored, None, as_json)


@live.command("now")
@json_option
def now_(as_json: bool) -> None:
    """Fetch the present figure; queries that follow are reckoned with it.

    Example: llamawatt carbon live now
    """
    with open_history() as stored:
        used = read_choice(stored).live
        if used is None:
            raise click.ClickException("Live figures are off. `llamawatt carbon live on`.")
        _fetch(stored, used, as_json)


def _fetch(stored: History, used: Live, as_json: bool) -> None:
    state = refresh(stored, used)
    if not state.problem:
        _show_live(stored, state, as_json)
        return
    now = datetime.now(UTC)
    instead = zone_at(stored, now)
    if as_json:
        echo_json(live_json(state, instead, now))
    raise click.ClickException(
        f"{state.problem} Reckoned with meanwhile: {instead.name}, {instead.g_per_kwh:g} g/kWh "
        f"({instead.year}, {instead.source})."
    )


def _show_live(stored: History, state: LiveState | None, as_json: bool) -> None:
    now = datetime.now(UTC)
    used = zone_at(stored, now)
    show(live_lines(state, used, now), lambda: live_json(state, used, now), as_json)
