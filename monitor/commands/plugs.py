"""The commands ``llamawatt sensors plug``: wall plugs, which are asked only once they are added."""

from collections.abc import Sequence
from typing import Any

import click
from rich.console import RenderableType
from rich.markup import escape

from monitor import figures
from monitor.commands.group import NamingGroup
from monitor.commands.terminal import json_option, open_history, show
from monitor.plugs import (
    Found,
    WallPlug,
    add_plug,
    find_plug,
    plugs,
    remove_plug,
    rename_plug,
    try_address,
)
from monitor.power.channel import Kind
from monitor.power.local_http import NotLocal
from monitor.terminal.plain_table import make_table

anyway_option = click.option(
    "--anyway", is_flag=True, help="Ask it even if it is outside your own network."
)


@click.group(cls=NamingGroup)
def plug() -> None:
    """Read the machine's watts from a Shelly or Tasmota wall plug: a cross-check, never added."""


@plug.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the plugs that are set up; nothing is asked.

    Example: llamawatt sensors plug list
    """
    with open_history() as stored:
        there = plugs(stored)
    show(_plugs_view(there), lambda: [each.to_json() for each in there], as_json)


@plug.command()
@click.argument("address")
@click.option("--name", default="", help="What it is to be called: Desk.")
@anyway_option
@json_option
def add(address: str, name: str, anyway: bool, as_json: bool) -> None:
    """Try what is at an address and, if it is a plug that measures, read it from now on.

    Example: llamawatt sensors plug add 192.168.1.20 --name Desk
    """
    found = _tried(address, anyway)
    with open_history() as stored:
        added = add_plug(stored, found, name)
    show(
        escape(f"Added “{added.name}”. {_found_line(found)}"),
        lambda: added.to_json() | _answer_json(found),
        as_json,
    )


@plug.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Read a plug no more, by its name or address; stored queries keep what it told.

    Example: llamawatt sensors plug remove Desk
    """
    with open_history() as stored:
        removed = remove_plug(stored, name)
    told = f"Removed “{removed.name}” ({removed.address})."
    show(escape(told), removed.to_json, as_json)


@plug.command()
@click.argument("address")
@click.argument("name")
@json_option
def rename(address: str, name: str, as_json: bool) -> None:
    """Call a plug otherwise, by its address or its name until now.

    Stored queries keep the name it had.

    Example: llamawatt sensors plug rename 192.168.1.20 Desk
    """
    with open_history() as stored:
        renamed = rename_plug(stored, address, name)
    told = f"Renamed: the plug at {renamed.address} is called “{renamed.name}” now."
    show(escape(told), renamed.to_json, as_json)


@plug.command("try")
@click.argument("address")
@anyway_option
@json_option
def try_(address: str, anyway: bool, as_json: bool) -> None:
    """Ask once what is at an address, or a plug that is set up by its name; nothing is kept.

    Example: llamawatt sensors plug try 192.168.1.20
    """
    with open_history() as stored:
        known = find_plug(stored, address)
    found = _tried(known.address, known.anywhere) if known else _tried(address, anyway)
    show(escape(_found_line(found)), lambda: _found_json(found), as_json)


def _tried(address: str, anyway: bool) -> Found:
    try:
        return try_address(address, anyway)
    except NotLocal as error:
        raise click.ClickException(f"{error} To confirm it: --anyway") from None


def _found_line(found: Found) -> str:
    watts = figures.marked(Kind.POWER, figures.power(found.answer.power_w))
    told = f"{found.kind.label} at {found.address}: {watts} now"
    if found.answer.power_w is None:
        told = f"{found.kind.label} at {found.address}: it answers, but with no possible watts now"
    if found.answer.energy_wh is None:
        return f"{told}."
    counted = figures.energy(found.answer.energy_wh * 3600)
    return f"{told}, {counted} on its own counter."


def _found_json(found: Found) -> dict[str, Any]:
    return {
        "address": found.address,
        "kind": str(found.kind),
        "anywhere": found.anywhere,
    } | _answer_json(found)


def _answer_json(found: Found) -> dict[str, Any]:
    return {"power_w": found.answer.power_w, "energy_wh": found.answer.energy_wh}


def _plugs_view(there: Sequence[WallPlug]) -> RenderableType:
    if not there:
        return (
            "No wall plug is set up. `llamawatt sensors plug add 192.168.1.20` tries and adds one."
        )
    table = make_table("Name", "Plug", "Address")
    for each in there:
        table.add_row(escape(each.name), each.kind.label, escape(each.address))
    return table
