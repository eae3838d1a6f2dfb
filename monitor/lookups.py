"""The commands that look carbon intensities up."""

import click

from monitor import forms, report
from monitor.carbon.intensity import find_zone, zones
from monitor.meter import ZONE_PREFERENCE, chosen_zone
from monitor.terminal import json_option, open_history, show


@click.group()
def carbon() -> None:
    """Choose whose electricity the CO2 is reckoned with."""


@carbon.command("zone")
@click.argument("zone", required=False)
@json_option
def set_zone(zone: str | None, as_json: bool) -> None:
    """Show the zone in use, or choose another by its code or name.

    Example: llamawatt carbon zone DEU
    """
    with open_history() as stored:
        if zone:
            stored.set_preference(ZONE_PREFERENCE, find_zone(zone).code)
        used = chosen_zone(stored)
    show(report.zones_table([used]), lambda: forms.zone_json(used), as_json)


@carbon.command("list")
@json_option
def list_zones(as_json: bool) -> None:
    """List every zone with its carbon intensity.

    Example: llamawatt carbon list
    """
    listed = zones()
    show(report.zones_table(listed), lambda: [forms.zone_json(z) for z in listed], as_json)
