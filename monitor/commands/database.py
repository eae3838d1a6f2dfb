"""The commands of ``llamawatt database``: keeping the file safe, whole and small."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Group

from monitor.commands.backups import backup, backup_json, list_, restore
from monitor.commands.database_work import (
    EXISTING,
    FILE,
    Stoppable,
    ask_first,
    existing,
    working,
    yes_option,
)
from monitor.commands.number_option import Whole
from monitor.commands.terminal import json_option, show
from monitor.figures import size, things
from monitor.store import backups, retention, upkeep
from monitor.store.backups import list_backups
from monitor.store.copies import copy_database, open_to_read, problems_of
from monitor.store.database import Store
from monitor.store.errors import StoreStopped
from monitor.store.merge import merge
from monitor.store.rescue import Rescued, rescue
from monitor.store.retention import Freed, Rules
from monitor.store.row_checks import lost_days, lost_references
from monitor.store.schema import SCHEMA_VERSION
from monitor.terminal.copyable_text import CopyableText
from monitor.terminal.plain_table import make_table


@click.group(cls=Stoppable)
def database() -> None:
    """Keep the history's file: copies, backups, merging, size, mending."""


database.add_command(backup)
database.add_command(list_)
database.add_command(restore)


@contextmanager
def _opened() -> Iterator[Store]:
    with closing(Store(existing())) as store:
        yield store


# --- looking -------------------------------------------------------------------------------


@database.command()
@json_option
def info(as_json: bool) -> None:
    """Show where the history lies and what takes how much room in it.

    Example: llamawatt database info
    """
    with _opened() as store:
        found, rules = upkeep.sizes(store), retention.read_rules(store)
        count = store.read().table("queries").count
    latest = next(iter(list_backups(store.path)), None)
    table = make_table("part", "size", right=("size",))
    for name, part_bytes in found.parts.items():
        table.add_row(name, size(part_bytes))
    table.add_row("unused", size(found.free_bytes))
    facts = [
        f"{store.path}: {size(found.file_bytes)}, {things(count, 'query', 'queries')}, "
        f"schema {SCHEMA_VERSION}",
        _told(rules),
        f"Latest backup: {latest.made}" if latest else "There is no backup yet.",
        "" if found.is_exact else "The sizes are estimates: this SQLite cannot count them.",
    ]
    show(
        Group(*(CopyableText(fact) for fact in facts if fact), table),
        lambda: {
            "path": str(store.path),
            "schema": SCHEMA_VERSION,
            "queries": count,
            **asdict(found),
            "retention": asdict(rules),
            "latest_backup": latest and backup_json(latest),
        },
        as_json,
    )


def _told(rules: Rules) -> str:
    """Say the rules of thinning in a sentence."""
    if rules.whole_days is None:
        return "Power curves are kept whole."
    told = f"Power curves are kept whole for {rules.whole_days} days, then with a point a second"
    if rules.fine_days is None:
        return f"{told}."
    then = "removed" if rules.drops else "kept with a point each ten seconds"
    return f"{told}, and after {rules.fine_days} days {then}. Bills are kept for ever."


@database.command()
@json_option
def check(as_json: bool) -> None:
    """Look the whole file through for damage.

    Example: llamawatt database check
    """
    path = existing()
    with working("Checking") as (_, cancelled), closing(open_to_read(path)) as connection:
        found = problems_of(connection, cancelled)
        days = [] if found else lost_days(connection, cancelled)
        found += [] if found else [*lost_references(connection, cancelled), *days]
    well = f"{path} is in order."
    mend = "`llamawatt database rescue` saves what can be read"
    mend += ", and gives such queries the day they began on." if days else "."
    bad = "\n".join([*found, mend])
    show(
        CopyableText(bad if found else well),
        lambda: {"path": str(path), "problems": found},
        as_json,
    )
    if found:
        sys.exit(1)


# --- copies ------------------------------------------------------------------------------


@database.command()
@click.argument("target", type=FILE)
@yes_option
@json_option
def copy(target: Path, yes: bool, as_json: bool) -> None:
    """Copy the whole history into a file, while anything else may use it.

    Example: llamawatt database copy /media/stick/history.db
    """
    source = existing()
    if target.exists():
        ask_first(f"Replace {target}?", yes)
    with working("Copying") as (progress, cancelled):
        copied = copy_database(source, target, True, progress, cancelled)
    show(
        CopyableText(f"Copied to {target}: {size(copied)}."),
        lambda: {"path": str(target), "bytes": copied},
        as_json,
    )


# --- merging, thinning ---------------------------------------------------------------------


@database.command("merge")
@click.argument("other", type=FILE)
@json_option
def merge_(other: Path, as_json: bool) -> None:
    """Take in another machine's history; what is here already is not taken twice.

    Example: llamawatt database merge /media/stick/history.db
    """
    with _opened() as store, working("Merging") as (progress, cancelled):
        found = merge(store, other, progress, cancelled)
    told = (
        f"Added: {things(found.queries, 'query', 'queries')}, "
        f"{things(found.messages, 'message', 'messages')}, "
        f"{things(found.benchmarks, 'benchmark', 'benchmarks')} and "
        f"{things(found.recordings, 'recording', 'recordings')}. Here already: "
        f"{things(found.known, 'query', 'queries')}."
    )
    if found.gone_on:
        told += f" {found.gone_on:,} that were not over have gone on there and are up to date now."
    if found.running:
        told += f" {found.running} still run over there: merge again when they have ended."
    show(CopyableText(told), lambda: asdict(found), as_json)


@database.command()
@click.option("--whole-days", type=Whole(1), help="Keep every reading so long.")
@click.option("--fine-days", type=Whole(1), help="Keep a point a second so long.")
@click.option("--drop/--keep", default=None, help="Then remove curves, or keep a point each 10 s.")
@click.option("--dry-run", is_flag=True, help="Only tell what it would free.")
@yes_option
@json_option
def thin(
    whole_days: int | None,
    fine_days: int | None,
    drop: bool | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Thin old power curves by rules, which are remembered; bills stay as they are.

    Example: llamawatt database thin --whole-days 90 --fine-days 365 --dry-run
    """
    chosen = {"whole_days": whole_days, "fine_days": fine_days, "drops": drop}
    given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    with _opened() as store:
        try:
            rules = replace(retention.read_rules(store), **given)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        expected = retention.preview(store, rules)
        if dry_run:
            return show(
                CopyableText(f"{_told(rules)} {_freed(expected)}"),
                _thin_json(rules, expected),
                as_json,
            )
        if expected.thinned or expected.dropped:
            ask_first(f"{_told(rules)} {_freed(expected)} Go on?", yes)
        retention.write_rules(store, rules)
        with working("Thinning") as (progress, cancelled):
            freed = retention.thin(store, rules, progress=progress, cancelled=cancelled)
    show(CopyableText(_freed(freed)), _thin_json(rules, freed), as_json)
    if not freed.is_complete:
        raise StoreStopped("Stopped. What was thinned stays so; the next time goes on from there.")
    return None


def _thin_json(rules: Rules, freed: Freed) -> Callable[[], dict[str, Any]]:
    return lambda: {"rules": asdict(rules), **asdict(freed)}


def _freed(freed: Freed) -> str:
    if not (freed.thinned or freed.dropped):
        return "There is no curve to thin."
    return (
        f"{freed.thinned:,} curves thinned and {freed.dropped:,} removed: "
        f"{size(freed.bytes_freed)} of {size(freed.bytes_before)} freed."
    )


@database.command()
@json_option
def vacuum(as_json: bool) -> None:
    """Give unused room back to the disk; what was deleted 30 days ago goes for good.

    Example: llamawatt database vacuum
    """
    with _opened() as store, working("Tidying up") as (progress, cancelled):
        gone = upkeep.purge_deleted(store, progress=progress, cancelled=cancelled)
        freed = upkeep.vacuum(store, cancelled)
    show(
        CopyableText(
            f"{gone:,} deleted queries are gone; the file is {size(max(freed, 0))} smaller."
        ),
        lambda: {"purged": gone, "bytes_freed": freed},
        as_json,
    )


# --- mending -------------------------------------------------------------------------------


@database.command("rescue")
@click.argument("target", type=FILE, required=False)
@click.option("--from", "other", type=EXISTING, help="Save from this file: a copy, a backup, …")
@click.option("--replace", "replaces", is_flag=True, help="Use the new file from now on.")
@yes_option
@json_option
def rescue_(
    target: Path | None, other: Path | None, replaces: bool, yes: bool, as_json: bool
) -> None:
    """Save what can be read of a damaged history into a new file; the damaged one is kept.

    Example: llamawatt database rescue --replace
    """
    if other and replaces:
        raise click.UsageError("--replace is of this history; what was saved can be merged.")
    path = other or existing()
    made = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    saved = target or path.with_name(f"{path.stem}-rescued-{made}.db")
    with working("Saving") as (progress, cancelled):
        found = rescue(path, saved, progress, cancelled, is_own=other is None)
    told, queries = f"Saved into {saved}: {_rescued(found)}", found.rows.get("queries", 0)
    aside = None
    if replaces:
        ask_first(f"{told} Use it from now on?", yes)
        aside = backups.restore(path, saved)
        told += f" It is used from now on; the damaged one is {aside}."
    elif other and queries:
        told += f" `llamawatt database merge {saved}` takes it in."
    elif queries:
        told += f" `llamawatt database restore {saved}` uses it from now on."
    if other is None and queries < (found.there_were or 1):
        told += " `llamawatt database backups` lists the backups."
    show(
        CopyableText(told),
        lambda: {"path": str(saved), "replaced": aside and str(aside), **asdict(found)},
        as_json,
    )


MOST_NAMED = 6


def _rescued(found: Rescued) -> str:
    """Tell what was saved, and how much was not."""
    queries, there_were = found.rows.get("queries", 0), found.there_were
    lacks = there_were is not None and queries < there_were
    told = f"{queries:,} of " if lacks else ""
    told += things(there_were if lacks and there_were else queries, "query", "queries")
    places = things(found.holes, "place", "places")
    if found.torn:
        more = len(found.torn) - MOST_NAMED
        places += f", in {', '.join(found.torn[:MOST_NAMED])}"
        places += f" and {things(more, 'table', 'tables')} more" if more > 0 else ""
    told += f". Not readable: {places}."
    if "queries" in found.torn and there_were is None:
        told += " How many queries there were can no longer be told."
    return (
        f"{told} With their totals, but without their bill: "
        f"{things(found.unbilled, 'query', 'queries')}."
    )
