"""The commands of ``llamawatt database`` for its backups: made, listed, gone back to."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.markup import escape

from monitor.commands.database_work import ask_first, existing, working, yes_option
from monitor.commands.terminal import json_option, show
from monitor.figures import size
from monitor.paths import database_path
from monitor.store import backups
from monitor.store.backups import Backup, list_backups
from monitor.terminal.copyable_text import CopyableText
from monitor.terminal.plain_table import make_table


@click.command()
@json_option
def backup(as_json: bool) -> None:
    """Make today's backup now, whatever the size.

    Example: llamawatt database backup
    """
    with working("Backing up") as (progress, cancelled):
        made = backups.back_up(existing(), progress=progress, cancelled=cancelled)
    show(
        CopyableText(f"Backed up to {made.path}: {size(made.size_bytes)}."),
        lambda: backup_json(made),
        as_json,
    )


@click.command("backups")
@json_option
def list_(as_json: bool) -> None:
    """List the backups, newest first.

    Example: llamawatt database backups
    """
    found = list_backups(database_path())
    table = make_table("made", "size", "file", right=("size",))
    for each in found:
        table.add_row(str(each.made), size(each.size_bytes), escape(each.path.name))
    keep = backups.KEEP
    rule = (
        f"One a day is made up to {size(keep.largest_bytes)}; {keep.daily} daily and "
        f"{keep.weekly} weekly ones are kept, and {keep.before_schema} made before updates."
    )
    none = CopyableText("There is no backup yet. `llamawatt database backup` makes one.")
    show(
        Group(table if found else none, CopyableText(rule, style="dim")),
        lambda: {"backups": [backup_json(each) for each in found], "keep": asdict(keep)},
        as_json,
    )


def backup_json(made: Backup) -> dict[str, Any]:
    """Return a backup as the commands' JSON has it."""
    return asdict(made) | {"path": str(made.path), "made": made.made.isoformat()}


@click.command()
@click.argument("backup")
@yes_option
@json_option
def restore(backup: str, yes: bool, as_json: bool) -> None:
    """Go back to a backup, given by its date or file; the present history is kept aside.

    Example: llamawatt database restore 2026-11-24
    """
    chosen, path = _chosen(backup), database_path()
    ask_first(f"Put {chosen} in the place of {path}? The present one is kept aside.", yes)
    with working("Restoring") as (progress, cancelled):
        aside = backups.restore(path, chosen, progress=progress, cancelled=cancelled)
    told = f"Restored {chosen}." + (f" What was there is {aside} now." if aside else "")
    show(
        CopyableText(told),
        lambda: {"path": str(path), "backup": str(chosen), "replaced": aside and str(aside)},
        as_json,
    )


def _chosen(named: str) -> Path:
    """Return the backup of a date, or the file of that name."""
    found = list_backups(database_path())
    for each in found:
        if named in (each.path.name, each.path.stem) or (
            named == str(each.made) and each.before_schema is None
        ):
            return each.path
    if Path(named).is_file():
        return Path(named)
    try:
        date.fromisoformat(named)
    except ValueError:
        raise click.BadParameter(f"There is no file {named}.", param_hint="BACKUP") from None
    named_so = [str(b.made) if b.before_schema is None else b.path.stem for b in found]
    raise click.BadParameter(
        f"There is no backup of {named}. There are: {', '.join(named_so) or 'none'}.",
        param_hint="BACKUP",
    )
