"""The commands that get the history out and others' figures in: ``export`` and ``import``."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click
from rich.markup import escape

from monitor.commands.filter_options import filter_options, known_filter
from monitor.commands.group import NamingGroup
from monitor.commands.history import EMPTY, NOTHING_MATCHES
from monitor.commands.query_id import QueryId
from monitor.commands.terminal import echo_json, json_option, open_history, stderr
from monitor.exchange import tables
from monitor.exchange.capsule import capsule_of, write_capsule
from monitor.exchange.capsule_reading import BenchmarkCapsule, read_capsule
from monitor.exchange.codecarbon import write_emissions
from monitor.exchange.codecarbon_import import Emissions, read_emissions
from monitor.exchange.files import ExchangeError, new_file
from monitor.exchange.html_report import html_report
from monitor.exchange.intake import TakenIn, take_in
from monitor.exchange.model_card import filter_of_model, model_card
from monitor.exchange.reading import numbers_of, partly_read_of
from monitor.figures import things
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.totals_report import partly_read_note

STDOUT = Path("-")

TITLE = "Energy of local language models"


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where an export goes."""
    for option in (
        json_option,
        click.option("--force", is_flag=True, help="Replace a file that is there."),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            default=STDOUT,
            help="The file to write; - is stdout, and what is used without it.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=NamingGroup)
def export() -> None:
    """Write the history as tables, a report, a model card or an energy capsule.

    Conversations are written by `llamawatt chats export`.
    """


order_option = click.option("--newest-first", is_flag=True, help="Else the newest come last.")


@export.command()
@filter_options
@order_option
@output_options
def csv(chosen: Filter, newest_first: bool, output: Path, force: bool, as_json: bool) -> None:
    """Write queries as a table for spreadsheets, units in the columns' names.

    Example: llamawatt export csv --model SmolLM2-135M-Instruct -o queries.csv
    """
    _write_rows(tables.write_csv, chosen, newest_first, output, force, as_json)


@export.command()
@filter_options
@order_option
@output_options
def jsonl(chosen: Filter, newest_first: bool, output: Path, force: bool, as_json: bool) -> None:
    """Write queries with their bills, a JSON document a line, as `history list --json` has them.

    Example: llamawatt export jsonl --since 2026-11-01 -o november.jsonl
    """
    _write_rows(tables.write_jsonl, chosen, newest_first, output, force, as_json)


@export.command()
@filter_options
@order_option
@output_options
def emissions(chosen: Filter, newest_first: bool, output: Path, force: bool, as_json: bool) -> None:
    """Write queries as CodeCarbon's emissions.csv; those without an energy are left out.

    Example: llamawatt export emissions -o emissions.csv
    """
    _write_rows(write_emissions, chosen, newest_first, output, force, as_json)


Write = Callable[[History, Sequence[int], TextIO, tables.Told], int]


def _write_rows(
    write: Write, chosen: Filter, newest_first: bool, output: Path, force: bool, as_json: bool
) -> None:
    with (
        open_history() as history,
        _destination(output, force, as_json) as file,
        _counting() as told,
    ):
        numbers = numbers_of(history, known_filter(history, chosen), newest_first)
        rows = write(history, numbers, file, told)
        partly_read = partly_read_of(history, numbers)
    if not numbers and not as_json:
        stderr.print(EMPTY if chosen.is_empty else NOTHING_MATCHES)
    _tell(output, {"rows": rows, "partly_read": partly_read}, things(rows, "row", "rows"), as_json)
    if partly_read and write is write_emissions and not as_json:
        # CodeCarbon's table has no column that would tell which.
        stderr.print(partly_read_note(partly_read, rows))


@export.command()
@click.argument("model", required=False)
@filter_options
@output_options
def card(model: str | None, chosen: Filter, output: Path, force: bool, as_json: bool) -> None:
    """Write a snippet for a Hugging Face model card: co2_eq_emissions, and a table.

    MODEL is a name, or the beginning of the file's SHA-256.

    Example: llamawatt export card SmolLM2-135M-Instruct -o card.md
    """
    if model and (chosen.models or chosen.quantisations):
        raise click.UsageError("Name the model once: as MODEL, or by --model and --quantisation.")
    with open_history() as history, _destination(output, force, as_json) as file:
        known = known_filter(history, chosen)
        if model:
            named = filter_of_model(history, model)
            known = replace(known, models=named.models, quantisations=named.quantisations)
        file.write(model_card(history, known))
    _tell(output, {"models": list(known.models)}, "the model card", as_json)


@export.command()
@filter_options
@click.option("--title", default=TITLE, show_default=True)
@output_options
def report(chosen: Filter, title: str, output: Path, force: bool, as_json: bool) -> None:
    """Write a report to be shared: one HTML file with charts, which needs nothing else.

    Example: llamawatt export report --since 2026-11-01 -o report.html
    """
    with open_history() as history, _destination(output, force, as_json) as file:
        known = known_filter(history, chosen)
        if not history.browse.numbers(known, 1) and not as_json:
            stderr.print(EMPTY if chosen.is_empty else NOTHING_MATCHES)
        file.write(html_report(history, known, title, datetime.now().astimezone()))
    _tell(output, {"title": title}, "the report", as_json)


@export.command()
@click.argument("identifier", type=QueryId())
@output_options
def capsule(identifier: str, output: Path, force: bool, as_json: bool) -> None:
    """Write all that is known of a query or a benchmark into one JSON document.

    The end of an ID is enough. A benchmark's is repeated by `llamawatt bench run --replay`.

    Example: llamawatt export capsule 3fa85f64 -o capsule.json
    """
    with open_history() as history, _destination(output, force, as_json) as file:
        try:
            document = capsule_of(history, identifier)
        except KeyError as error:
            raise click.ClickException(str(error.args[0])) from None
        write_capsule(document, file)
    kind = str(document["kind"])
    _tell(output, {"kind": kind, "id": _id_of(document)}, f"the capsule of a {kind}", as_json)


def _id_of(document: dict[str, Any]) -> Any:
    return document.get("id") or document["query"]["id"]


@contextmanager
def _destination(output: Path, force: bool, as_json: bool) -> Iterator[TextIO]:
    if output != STDOUT:
        with new_file(output, force) as file:
            yield file
        return
    if as_json:
        raise click.UsageError("--json tells of a file that was written: name it with -o.")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # as a file is, whatever the locale
    yield sys.stdout
    sys.stdout.flush()


@contextmanager
def _counting() -> Iterator[tables.Told]:
    """Show how many rows are written, where someone watches."""
    # Where nobody watches, the status is never drawn.
    with stderr.status("Writing …") as status:
        yield lambda rows: status.update(f"Writing … {things(rows, 'row', 'rows')}")


def _tell(output: Path, facts: dict[str, Any], what: str, as_json: bool) -> None:
    if as_json:
        echo_json({"path": str(output.expanduser().resolve()), **facts})
    elif output != STDOUT:
        stderr.print(f"Wrote {what} to {escape(str(output))}.")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_file(file: Path, as_json: bool) -> None:
    """Take in a CodeCarbon emissions.csv, or the energy capsule of a query.

    Taking in the same file again adds nothing. Other machines' queries are kept apart from this
    one's.

    Example: llamawatt import emissions.csv
    """
    if _is_json(file):
        _import_capsule(file, as_json)
    else:
        _import_emissions(file, as_json)


def _is_json(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def _import_capsule(file: Path, as_json: bool) -> None:
    read = read_capsule(file)
    if isinstance(read, BenchmarkCapsule):
        raise ExchangeError(
            f"{file.name} is the capsule of a benchmark ({read.title}), which is repeated rather "
            f"than kept: llamawatt bench run --replay {file}"
        )
    with open_history() as history:
        taken = take_in(history.store, [read.arrival()])
    if as_json:
        echo_json({"path": str(file), **_taken_json(taken), "broken": []})
    else:
        model = read.record.model
        about = f"{model.name if model else read.record.kind} on {read.origin.machine.name}"
        done = "Took in" if taken.stored else "It was here already:"
        done = "Brought up to date" if taken.brought_up_to_date else done
        stderr.print(escape(f"{done} the query of {about}."))


def _taken_json(taken: TakenIn) -> dict[str, int]:
    return {
        "rows": taken.stored,
        "brought_up_to_date": taken.brought_up_to_date,
        "known": taken.known,
    }


def _import_emissions(file: Path, as_json: bool) -> None:
    """Take in every sound row; the others are told, and make the command fail."""
    read = read_emissions(file)
    with open_history() as history:
        taken = take_in(history.store, read.arrivals)
    broken = [{"row": each.row, "reason": each.reason} for each in read.broken]
    if as_json:
        facts = {**_taken_json(taken), "overtaken": read.overtaken}
        echo_json({"path": str(file), **facts, "broken": broken})
    else:
        took = f"Took in {things(taken.stored, 'row', 'rows')}"
        if grown := taken.brought_up_to_date:
            took += f"; brought up to date, as they had gone on: {grown:,}"
        stderr.print(f"{took}; here already: {taken.known:,}.")
        if read.overtaken:
            stderr.print(f"{read.overtaken:,} were left out: later rows of the same run hold them.")
    if read.broken:
        raise click.ClickException(_broken_line(read))


def _broken_line(read: Emissions, most: int = 10) -> str:
    listed = [f"row {each.row}: {each.reason}." for each in read.broken[:most]]
    left = len(read.broken) - most
    listed += [f"… and {left:,} more."] if left > 0 else []
    return "\n".join([f"{len(read.broken):,} rows were left out:", *listed])
