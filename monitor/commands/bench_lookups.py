"""The commands of ``llamawatt bench`` that look things up: what was run, and what came of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Group
from rich.markup import escape

from monitor.bench import forms
from monitor.bench.comparison import compare_runs
from monitor.bench.markdown import markdown_report
from monitor.bench.sentences import gist
from monitor.bench.suites import QUALITY, list_suites
from monitor.bench.summary import RunResult, SuiteResult, result_of, summarise
from monitor.bench.tables import item_cells, signed
from monitor.bench.verdict import is_right
from monitor.clock import local_minute
from monitor.commands.bench_terminal import show_suite, write_items
from monitor.commands.number_option import Whole
from monitor.commands.terminal import (
    echo_json,
    json_option,
    open_history,
    show,
    stderr,
    stdout,
    tell_more,
)
from monitor.store.history import History
from monitor.store.records import Status
from monitor.terminal.jointed_cell import FIGURES, NAME, JointedCell
from monitor.terminal.plain_table import make_table, times_note

T = TypeVar("T")

ITEM_COLUMNS = ("no.", "question", "right", "model's", "margin", "energy")


def known(question: Callable[[], T]) -> T:
    """Ask the history for something by its ID, and turn a miss into a message."""
    try:
        return question()
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None


@click.command("list")
@click.option("--limit", type=Whole(1), default=20, show_default=True)
@json_option
def list_benchmarks(limit: int, as_json: bool) -> None:
    """List the benchmarks that were run, newest first.

    Example: llamawatt bench list
    """
    with open_history() as history:
        suites = history.benchmarks.suites(limit + 1)
        found = [summarise(history, suite.id) for suite in suites[:limit]]
        documents = [forms.suite_json(each, _no_items(each)) for each in found] if as_json else []
    if as_json:
        echo_json(documents)
    elif not found:
        stderr.print("No benchmark was run yet. Try: llamawatt bench run quick")
    else:
        table = make_table("id", "when", "benchmark", "models", "result")
        for result in found:
            suite = result.suite
            when, models = local_minute(suite.started_at), ", ".join(result.models)
            states = [] if suite.status is Status.DONE else [str(suite.status)]
            if deleted := sum(run.row.is_deleted for run in result.runs):
                states.append(f"{deleted} of {len(result.runs)} runs deleted")
            title = f"[{', '.join(states)}] {suite.title}" if states else suite.title
            table.add_row(
                suite.id[-8:],
                when,
                escape(title),
                JointedCell(models, NAME),
                JointedCell(gist(result), FIGURES),
            )
        stdout.print(Group(table, times_note(each.suite.started_at for each in found)))
        tell_more(suites, limit)


def _no_items(result: SuiteResult) -> dict[str, Sequence[Any]]:
    return {run.record.id: () for run in result.runs}


@click.command("show")
@click.argument("suite_id")
@click.option("--markdown", is_flag=True, help="The report in Markdown.")
@click.option(
    "--items", type=click.Path(file_okay=False, path_type=Path), help="A folder for them."
)
@json_option
def show_benchmark(suite_id: str, markdown: bool, items: Path | None, as_json: bool) -> None:
    """Show what came of a benchmark; the end of an ID is enough.

    Example: llamawatt bench show 3fa85f64 --markdown
    """
    with open_history() as history:
        result = known(lambda: summarise(history, suite_id))
        if items:
            items.mkdir(parents=True, exist_ok=True)
            for run in result.runs:
                if run.row.start.kind == QUALITY:
                    write_items(history, result, run, items / f"{run.record.id}.jsonl")
        if markdown:
            click.echo(markdown_report(result), nl=False)
        else:
            show_suite(history, result, as_json)


@click.command("items")
@click.argument("run_id")
@click.option("--wrong", is_flag=True, help="Only those the model got wrong.")
@json_option
def show_items(run_id: str, wrong: bool, as_json: bool) -> None:
    """List a run's items: what was asked, what was right, what the model took, what it cost.

    Example: llamawatt bench items 3fa85f64 --wrong
    """
    with open_history() as history:
        run = _run_of(history, run_id)
        found = history.benchmarks.items(run.record.id)
    if wrong:
        found = [item for item in found if is_right(item, run.by_length) is False]
    table = make_table(*ITEM_COLUMNS, right=("no.", "margin", "energy"))
    kind = run.record.bill.total().kind
    for item in found:
        table.add_row(*map(escape, item_cells(item, run.by_length, kind)))
    show(table, lambda: [forms.stored_item_json(item) for item in found], as_json)


@click.command("compare")
@click.argument("first")
@click.argument("second")
@json_option
def compare(first: str, second: str, as_json: bool) -> None:
    """Compare two runs item by item: which flipped, by what margins, and the joules saved a flip.

    Example: llamawatt bench compare 3fa85f64 9b1c22aa
    """
    with open_history() as history:
        runs = [_run_of(history, run_id) for run_id in (first, second)]
        found = compare_runs(history, *runs)
    table = make_table("no.", "question", "change", "margin", "margin", right=("no.", "margin"))
    for flip in found.flips:
        question = " ".join(flip.item.prompt.split())
        table.add_row(
            str(flip.item.position + 1),
            escape(question[:60]),
            "now right" if flip.gained else "now wrong",
            *("" if m is None else signed(m, 3) for m in (flip.item.margin, flip.other.margin)),
        )
    line = JointedCell(found.sentence, FIGURES)
    show(Group(table, line) if found.flips else line, found.to_json, as_json)


def _run_of(history: History, run_id: str) -> RunResult:
    record = known(lambda: history.record(run_id))
    row = history.benchmarks.run(record.id)
    if row is None:
        raise click.ClickException(f"{run_id} is a query, no run of a benchmark.")
    return result_of(history, row)


@click.command("suites")
@json_option
def show_suites(as_json: bool) -> None:
    """List the suites that ship with LlamaWatt.

    Example: llamawatt bench suites
    """
    suites = list_suites()
    table = make_table("name", "parts", "about")
    for suite in suites:
        table.add_row(suite.name, str(len(suite.parts)), escape(suite.about))
    show(table, lambda: [suite.to_json() for suite in suites], as_json)
