"""The commands of ``llamawatt database``: keeping the file safe, whole and small."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.markup import escape
from rich.text import Text

from monitor.bench_terminal import progress_bar
from monitor.figures import size
from monitor.paths import database_path
from monitor.report import make_table
from monitor.store import backups, retention, upkeep
from monitor.store.backups import Backup, list_backups
from monitor.store.copies import Progress, copy_database, open_to_read, problems_of
from monitor.store.database import Store
from monitor.store.errors import StoreStopped
from monitor.store.merge import merge
from monitor.store.rescue import rescue
from monitor.store.retention import Freed, Rules
from monitor.store.schema import SCHEMA_VERSION
from monitor.terminal import INTERRUPTED, ctrl_c, json_option, show, stderr

FILE = click.Path(dir_okay=False, path_type=Path)

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


class _Stoppable(click.Group):
    """A group whose commands may be stopped by Ctrl-C in good order."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StoreStopped as stopped:
            stderr.print(str(stopped))
            sys.exit(INTERRUPTED)


@click.group(cls=_Stoppable)
def database() -> None:
    """Keep the history's file: copies, backups, merging, size, mending."""


@contextmanager
def _working(what: str) -> Iterator[tuple[Progress, Callable[[], bool]]]:
    """Show a bar, and have Ctrl-C stop the work; gives what the work is to call."""
    stop = threading.Event()
    with ctrl_c(stop.set), progress_bar() as bar:
        task = bar.add_task(what, total=1.0, note="")
        yield lambda fraction: bar.update(task, completed=fraction), stop.is_set


@contextmanager
def _opened() -> Iterator[Store]:
    with closing(Store(_existing())) as store:
        yield store


def _existing() -> Path:
    path = database_path()
    if not path.is_file():
        raise click.ClickException(
            f'There is no history at {path} yet. `llamawatt ask "What is a watt?"` begins one.'
        )
    return path


def _ask(question: str, yes: bool) -> None:
    """Go on only if a person agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say so with --yes.")
    click.confirm(question, abort=True, err=True)


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
        f"{store.path}: {size(found.file_bytes)}, {count:,} queries, schema {SCHEMA_VERSION}",
        _told(rules),
        f"Latest backup: {latest.made}" if latest else "There is no backup yet.",
        "" if found.is_exact else "The sizes are estimates: this SQLite cannot count them.",
    ]
    show(
        Group(*(Text(fact) for fact in facts if fact), table),
        lambda: {
            "path": str(store.path),
            "schema": SCHEMA_VERSION,
            "queries": count,
            **asdict(found),
            "retention": asdict(rules),
            "latest_backup": latest and _backup_json(latest),
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
    path = _existing()
    with _working("Checking") as (_, cancelled), closing(open_to_read(path)) as connection:
        found = problems_of(connection, cancelled)
        found += [
            f"{table} refers to rows of {parent} that are not there"
            for table, _, parent, _ in ([] if found else _broken(connection))
        ]
    well = f"{path} is in order."
    bad = "\n".join([*found, "`llamawatt database rescue` saves what can be read."])
    show(
        Text(bad if found else well),
        lambda: {"path": str(path), "problems": found},
        as_json,
    )
    if found:
        sys.exit(1)


def _broken(connection: Any) -> list[tuple[Any, ...]]:
    return list(connection.execute("pragma foreign_key_check").fetchmany(20))


# --- copies and backups --------------------------------------------------------------------


@database.command()
@click.argument("target", type=FILE)
@yes_option
@json_option
def copy(target: Path, yes: bool, as_json: bool) -> None:
    """Copy the whole history into a file, while anything else may use it.

    Example: llamawatt database copy /media/stick/history.db
    """
    source = _existing()
    if target.exists():
        _ask(f"Replace {target}?", yes)
    with _working("Copying") as (progress, cancelled):
        copied = copy_database(source, target, True, progress, cancelled)
    show(
        Text(f"Copied to {target}: {size(copied)}."),
        lambda: {"path": str(target), "bytes": copied},
        as_json,
    )


@database.command()
@json_option
def backup(as_json: bool) -> None:
    """Make today's backup now, whatever the size.

    Example: llamawatt database backup
    """
    with _working("Backing up") as (progress, cancelled):
        made = backups.back_up(_existing(), progress=progress, cancelled=cancelled)
    show(
        Text(f"Backed up to {made.path}: {size(made.size_bytes)}."),
        lambda: _backup_json(made),
        as_json,
    )


@database.command("backups")
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
    none = Text("There is no backup yet. `llamawatt database backup` makes one.")
    show(
        Group(table if found else none, Text(rule, style="dim")),
        lambda: {"backups": [_backup_json(each) for each in found], "keep": asdict(keep)},
        as_json,
    )


def _backup_json(made: Backup) -> dict[str, Any]:
    return asdict(made) | {"path": str(made.path), "made": made.made.isoformat()}


@database.command()
@click.argument("backup")
@yes_option
@json_option
def restore(backup: str, yes: bool, as_json: bool) -> None:
    """Go back to a backup, given by its date or file; the present history is kept aside.

    Example: llamawatt database restore 2026-11-24
    """
    chosen, path = _chosen(backup), database_path()
    _ask(f"Put {chosen} in the place of {path}? The present one is kept aside.", yes)
    with _working("Restoring") as (progress, cancelled):
        aside = backups.restore(path, chosen, progress=progress, cancelled=cancelled)
    told = f"Restored {chosen}." + (f" What was there is {aside} now." if aside else "")
    show(
        Text(told),
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


# --- merging, thinning ---------------------------------------------------------------------


@database.command("merge")
@click.argument("other", type=FILE)
@json_option
def merge_(other: Path, as_json: bool) -> None:
    """Take in another machine's history; what is here already is not taken twice.

    Example: llamawatt database merge /media/stick/history.db
    """
    with _opened() as store, _working("Merging") as (progress, cancelled):
        found = merge(store, other, progress, cancelled)
    told = (
        f"{found.queries:,} queries, {found.messages:,} messages, {found.benchmarks:,} "
        f"benchmarks and {found.recordings:,} recordings were added; {found.known:,} queries "
        "were here already."
    )
    if found.gone_on:
        told += f" {found.gone_on:,} that were not over have gone on there and are up to date now."
    if found.running:
        told += f" {found.running} still run over there: merge again when they have ended."
    show(Text(told), lambda: asdict(found), as_json)


@database.command()
@click.option("--whole-days", type=click.IntRange(1), help="Keep every reading so long.")
@click.option("--fine-days", type=click.IntRange(1), help="Keep a point a second so long.")
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
                Text(f"{_told(rules)} {_freed(expected)}"), _thin_json(rules, expected), as_json
            )
        if expected.thinned or expected.dropped:
            _ask(f"{_told(rules)} {_freed(expected)} Go on?", yes)
        retention.write_rules(store, rules)
        with _working("Thinning") as (progress, cancelled):
            freed = retention.thin(store, rules, progress=progress, cancelled=cancelled)
    show(Text(_freed(freed)), _thin_json(rules, freed), as_json)
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
    with _opened() as store, _working("Tidying up") as (progress, cancelled):
        gone = upkeep.purge_deleted(store, progress=progress, cancelled=cancelled)
        freed = upkeep.vacuum(store, cancelled)
    show(
        Text(f"{gone:,} deleted queries are gone; the file is {size(max(freed, 0))} smaller."),
        lambda: {"purged": gone, "bytes_freed": freed},
        as_json,
    )


# --- mending -------------------------------------------------------------------------------


@database.command("rescue")
@click.argument("target", type=FILE, required=False)
@click.option("--replace", "replaces", is_flag=True, help="Use the new file from now on.")
@yes_option
@json_option
def rescue_(target: Path | None, replaces: bool, yes: bool, as_json: bool) -> None:
    """Save what can be read of a damaged history into a new file; the damaged one is kept.

    Example: llamawatt database rescue --replace
    """
    path = _existing()
    made = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    saved = target or path.with_name(f"history-rescued-{made}.db")
    with _working("Saving") as (progress, cancelled):
        found = rescue(path, saved, progress, cancelled)
    told = (
        f"{found.rows.get('queries', 0):,} queries were saved into {saved}. {found.holes} places "
        f"could not be read; {found.unbilled} queries kept their totals, but lost their bill."
    )
    aside = None
    if replaces:
        _ask(f"{told} Use it from now on?", yes)
        aside = backups.restore(path, saved)
        told += f" It is used from now on; the damaged one is {aside}."
    else:
        told += f" `llamawatt database restore {saved}` uses it from now on."
    show(
        Text(told),
        lambda: {"path": str(saved), "replaced": aside and str(aside), **asdict(found)},
        as_json,
    )
