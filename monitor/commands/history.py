"""The commands that look through the history: queries, their sums over time, tags and notes."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures, forms
from monitor.bill_words import LEGEND
from monitor.commands.filter_options import filter_options, known_filter
from monitor.commands.group import LazyGroup
from monitor.commands.number_option import Whole
from monitor.commands.query_id import QueryId
from monitor.commands.terminal import echo_json, json_option, open_history, show, stderr, stdout
from monitor.details import walls_of
from monitor.store.charts import Bar, Chart, Period, Stack, Totals
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status
from monitor.terminal.history_rows import rows_table
from monitor.terminal.plain_table import GAP, make_table, no_room_note
from monitor.terminal.record_view import record_view
from monitor.totals_report import (
    counts_json,
    energy_notes,
    energy_words,
    grams_words,
    lacking_notes,
    per_token_words,
)

EMPTY = 'Nothing is stored yet. Try: llamawatt ask "What is a watt?"'
COUNTED = 10_000
"""Queries up to which it is counted how many there are beside those that are listed."""

MOST_IDS = 20
"""Identifiers that are told of what was brought back."""

NOTHING_MATCHES = "No query matches. Leave out a condition to see more."


@click.group(cls=LazyGroup, lazy={"again": "monitor.commands.ask:again"})
def history() -> None:
    """Look through the stored queries, and what they came to."""


@history.command("list")
@filter_options
@click.option("--limit", type=Whole(1), default=20, show_default=True, help="So many at most.")
@json_option
def list_history(chosen: Filter, limit: int, as_json: bool) -> None:
    """List the newest queries first.

    Example: llamawatt history list --model SmolLM2-135M-Instruct --text watt
    """
    with open_history() as stored:
        chosen = known_filter(stored, chosen)
        if as_json:
            records = stored.records(limit, chosen)
            walls = walls_of(stored, records)
            echo_json([forms.told_json(each, walls.get(each.id)) for each in records])
        elif rows := stored.browse.rows(chosen, limit):
            stdout.print(rows_table(rows, stdout.width))
            if len(rows) == limit:
                _tell_more(limit, len(stored.browse.numbers(chosen, COUNTED + 1)))
        else:
            stderr.print(EMPTY if chosen.is_empty else NOTHING_MATCHES)


def _tell_more(shown: int, there: int) -> None:
    """Say how many queries there are beside those that are listed, if there are any."""
    if there > shown:
        of = f"{there:,}" if there <= COUNTED else f"more than {COUNTED:,}"
        stderr.print(f"The newest {shown:,} of {of} queries; --limit shows more.")


@history.command("show")
@click.argument("query_id", type=QueryId())
@json_option
def show_history(query_id: str, as_json: bool) -> None:
    """Show one query with its answer and bill; the end of an ID is enough.

    Example: llamawatt history show 3fa85f64
    """
    with open_history() as stored:
        record = found_record(stored, query_id)
        wall = walls_of(stored, [record]).get(record.id)
    show(record_view(record, wall), lambda: forms.told_json(record, wall), as_json)


def found_record(stored: History, query_id: str) -> QueryRecord:
    """Return a query by its identifier or one end of it.

    :raises click.ClickException: if there is none, or several
    """
    try:
        return stored.record(query_id)
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None


@history.command()
@filter_options
@click.option("--by", "period", type=click.Choice([str(p) for p in Period]), default="month",
              show_default=True, help="What a row spans.")  # fmt: skip
@click.option("--split", "stack", type=click.Choice([str(s) for s in Stack]), default="nothing",
              show_default=True, help="What each row is split by.")  # fmt: skip
@json_option
def sums(chosen: Filter, period: str, stack: str, as_json: bool) -> None:
    """Add up energy, CO2 and tokens over days, weeks or months.

    Example: llamawatt history sums --by week --split model --since 2026-01-01
    """
    with open_history() as stored:
        chosen = known_filter(stored, chosen)
        total = stored.browse.totals(chosen)
        chart = stored.browse.chart(chosen, Period(period), Stack(stack))
    if not chart.bars and not as_json:
        stderr.print(EMPTY if chosen.is_empty else NOTHING_MATCHES)
        return
    show(
        _sums_view(total, chart, Stack(stack), stdout.width),
        lambda: _sums_json(total, chart, Stack(stack)),
        as_json,
    )


LESSER_SUMS = ("speed", "queries", "CO₂e", "J/token", "tokens")
"""Columns a narrow terminal does without, the first of them first; no figure is ever broken."""

LEAST_NAME = 12
"""Characters that are left at least for what a row is split by; it goes on in the next line."""


def _sums_view(total: Chart, chart: Chart, stack: Stack, width: int) -> RenderableType:
    split = "" if stack is Stack.NOTHING else str(stack)
    only_energy = stack is Stack.COMPONENT
    listed = [(bar, _cells(bar, split, only_energy)) for bar in (*chart.bars, *total.bars)]
    widths: dict[str, int] = {}
    for _, cells in listed:
        for name, cell in cells.items():
            least = min(len(cell), LEAST_NAME) if name == split else len(cell)
            widths[name] = max(widths.get(name, len(name)), least)
    left_out = []
    for name in LESSER_SUMS:
        if sum(widths.values()) + GAP * (len(widths) - 1) <= width:
            break
        if widths.pop(name, None) is not None:
            left_out.append(name)
    table = make_table(*widths, right=[name for name in widths if name not in ("from", split)])
    for column in table.columns:
        column.no_wrap = column.header != split
    for bar, cells in listed:
        shown = [escape(cells[name]) for name in widths]
        table.add_row(*shown, style="bold" if bar.start == date.min else "")
    notes = [Text(LEGEND, style="dim")]
    if rates := " and ".join(name for name in ("J/token", "speed") if name in widths):
        notes.append(Text(f"{rates}: decode, over all queries of a row.", style="dim"))
    notes += no_room_note(left_out)
    tell = lacking_notes if "CO₂e" in widths else energy_notes
    for bar in total.bars:
        notes += [Text(note, style="yellow") for note in tell(bar.totals)]
    if chart.limited_to:
        notes.append(Text(f"Only the newest {chart.limited_to:,} that match are added up."))
    return Group(table, *notes)


def _cells(bar: Bar, split: str, only_energy: bool) -> dict[str, str]:
    """Return a row's cells by what heads them."""
    totals = bar.totals
    cells = {"from": "total" if bar.start == date.min else str(bar.start)}
    cells |= {split: bar.key} if split else {}
    cells |= {"energy": energy_words(totals)}
    if only_energy:
        return cells
    return cells | {
        "CO₂e": grams_words(totals),
        "queries": f"{totals.queries:,}",
        "tokens": figures.count(totals.completion_tokens),
        "J/token": per_token_words(totals, figures.joules),
        "speed": figures.rate(totals.tokens_per_s),
    }


def _sums_json(total: Chart, chart: Chart, stack: Stack) -> dict[str, Any]:
    return {
        "total": _totals_json(total.bars[0].totals if total.bars else Totals()),
        "bars": [_bar_json(bar, stack) for bar in chart.bars],
        "limited_to": chart.limited_to,
    }


def _bar_json(bar: Bar, stack: Stack) -> dict[str, Any]:
    figures_of = _totals_json(bar.totals)
    if stack is Stack.COMPONENT:  # of which nothing else is known
        figures_of = {name: figures_of[name] for name in ("kind", "energy_j", "is_lower_bound")}
    return {"from": str(bar.start), "key": bar.key, **figures_of}


def _totals_json(totals: Totals) -> dict[str, Any]:
    return {
        **counts_json(totals),
        "low_j": totals.energy_low_j,
        "high_j": totals.energy_high_j,
        "grams": totals.grams,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "seconds": totals.total_s,
        "joules_per_token": totals.joules_per_token,
        "tokens_per_s": totals.tokens_per_s,
    }


# --- tags, notes, deletion ---------------------------------------------------------------


@history.command()
@click.argument("query_ids", type=QueryId(), nargs=-1, required=True)
@click.option("--as", "tag", help="The tag: a word or two.")
@click.option("--remove", is_flag=True, help="Take the tag away instead.")
@json_option
def tag(query_ids: Sequence[str], tag: str | None, remove: bool, as_json: bool) -> None:
    """Tag queries, so that they can be found again with --tag.

    Example: llamawatt history tag 3fa85f64 9b1c22aa --as talk
    """
    if tag is None:
        raise click.UsageError("Name the tag with --as: llamawatt history tag 3fa85f64 --as talk")
    with open_history() as stored:
        ids = [record.id for record in _found(stored, query_ids)]
        numbers = stored.browse.numbers_of(ids)
        try:
            (stored.edits.untag if remove else stored.edits.tag)(numbers, tag)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if as_json:
        echo_json({"ids": ids, "tag": " ".join(tag.split()), "removed": remove})


@history.command()
@click.argument("query_id", type=QueryId())
@click.argument("text")
@json_option
def note(query_id: str, text: str, as_json: bool) -> None:
    """Keep a note with a query in place of the one before; "" removes it.

    Example: llamawatt history note 3fa85f64 "on battery"
    """
    with open_history() as stored:
        (record,) = _found(stored, [query_id])
        (number,) = stored.browse.numbers_of([record.id])
        stored.edits.note(number, text)
    if as_json:
        echo_json({"id": record.id, "note": text.strip()})


@history.command()
@click.argument("query_ids", nargs=-1)
@click.option(
    "--undo", is_flag=True, help="Bring deleted queries back; without any named, the last deleted."
)
@json_option
def delete(query_ids: Sequence[str], undo: bool, as_json: bool) -> None:
    """Delete queries; for 30 days --undo brings them back.

    Example: llamawatt history delete 3fa85f64
    """
    if not query_ids and not undo:
        raise click.UsageError("Name the queries to delete, as `llamawatt history list` does.")
    with open_history() as stored:
        if not query_ids:
            _restore_last(stored, as_json)
            return
        records = _found(stored, query_ids)
        ids = [record.id for record in records]
        if any(record.status is Status.RUNNING for record in records):
            raise click.ClickException("A query that is still running cannot be deleted.")
        numbers = stored.browse.numbers_of(ids)
        if undo:
            stored.edits.restore(numbers)
        else:
            stored.edits.delete(numbers)
    if as_json:
        echo_json({"ids": ids, "deleted": not undo})
    elif not undo:
        back = f"llamawatt history delete --undo {' '.join(ids)}"
        stderr.print(f"Deleted. To undo: {back}", soft_wrap=True)


def _restore_last(stored: History, as_json: bool) -> None:
    numbers = stored.edits.restore_last()
    ids = stored.browse.ids_of(numbers)
    if as_json:
        echo_json({"ids": ids, "deleted": False})
    elif ids:
        more = f" and {len(ids) - MOST_IDS:,} more" if len(ids) > MOST_IDS else ""
        stderr.print(f"Brought back: {' '.join(ids[:MOST_IDS])}{more}")
    else:
        stderr.print("There is nothing to bring back. What is deleted is kept for 30 days.")


def _found(stored: History, query_ids: Sequence[str]) -> list[QueryRecord]:
    """Return queries by their identifiers, each once."""
    records = [found_record(stored, query_id) for query_id in query_ids]
    return list({record.id: record for record in records}.values())
