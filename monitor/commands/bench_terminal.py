"""A benchmark on a terminal: its progress while it runs, and what came of it."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.text import Text

from monitor import figures
from monitor.bench import forms
from monitor.bench.events import BenchEvent, Planned, Progressed, Resting, RunBegan, WarmUp
from monitor.bench.prepare import prepare
from monitor.bench.runner import Runner
from monitor.bench.sentences import idle_line, total_line, verdicts
from monitor.bench.suites import suite_from_json
from monitor.bench.summary import RunResult, SuiteResult, summarise
from monitor.bench.tables import (
    QUALITY_HEADER,
    SPEED_HEADER,
    SUBJECTS_HEADER,
    quality_cells,
    score,
    speed_cells,
    subject_rows,
    tables,
)
from monitor.bill_words import LEGEND, unread_notes
from monitor.commands.live_beside import live_beside
from monitor.commands.progress import progress_bar
from monitor.commands.terminal import INTERRUPTED, ctrl_c, show, stderr, stdout
from monitor.energy.parts import is_lower_bound
from monitor.engine.client import Engine
from monitor.loading import Stopped
from monitor.sensing import sampler_for
from monitor.store.history import History
from monitor.store.records import Status
from monitor.terminal.fitted_table import fitted_table
from monitor.terminal.jointed_cell import FIGURES, JointedCell
from monitor.terminal.plain_table import make_table
from monitor.terminal.record_view import footprint_line

LESSER = ("g CO₂e/1,000", "points/Wh", "Wh/1,000", "time", "J/correct")
"""Columns a narrow terminal does without, the first of them first; --json has them."""


def follow(history: History, begin: Callable[[Runner], Iterator[BenchEvent]]) -> SuiteResult:
    """Run a benchmark to its end, with its progress on the terminal.

    :param begin: begins it on a runner
    :raises click.ClickException: if it failed; exits if it was stopped
    """
    engine = Engine()
    suite_id = ""
    try:
        with live_beside(history), sampler_for(history) as sampler:
            runner = Runner(sampler, engine, history)
            with ctrl_c(runner.cancel), progress_bar() as bar:
                display = _Display(bar)
                for event in begin(runner):
                    suite_id = event.suite_id if isinstance(event, Planned) else suite_id
                    display.tell(event)
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None
    except Stopped:
        sys.exit(INTERRUPTED)
    finally:
        engine.stop()
    result = summarise(history, suite_id)
    again = f"`llamawatt bench resume {suite_id[-8:]}`"
    if result.suite.status is Status.FAILED:
        raise click.ClickException(
            f"{result.suite.error} What was done is kept; {again} goes on from there."
        )
    if result.suite.status is Status.STOPPED:
        stderr.print(f"Stopped. {again} goes on with it.", soft_wrap=True)
        sys.exit(INTERRUPTED)
    return result


class _Display:
    """One bar for all items of a suite, with what is known so far beside it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._done: dict[int, int] = {}

    def tell(self, event: BenchEvent) -> None:
        """Show one event."""
        match event:
            case Planned():
                for notice in event.notices:
                    stderr.print(notice, style="yellow")
                if left := event.left:
                    energy = figures.marked(left.kind, figures.energy(left.joules))
                    cost = f"{figures.duration(left.seconds)} and {energy}"
                    stderr.print(f"About {cost}, by earlier runs alike.", style="dim")
                planned = sum(step.planned for step in event.steps)
                self._task = self._bar.add_task(escape(event.title), total=planned, note="")
            case Resting(reason="idle"):
                self._say("measuring the idle machine", f"{event.seconds:g} s")
            case Resting():
                self._say("cooling down", f"{event.seconds:g} s")
            case RunBegan():
                self._done[event.step.number] = event.done
                self._say(f"{event.step.model}: {event.step.part}", "")
            case WarmUp(is_over=False):
                self._say("warming the model up", "in no item")
            case Progressed():
                self._done[event.step.number] = event.done
                self._say(f"{event.step.model}: {event.step.part}", _note(event))

    def _say(self, doing: str, note: str) -> None:
        if self._task is not None:
            self._bar.update(
                self._task,
                description=escape(doing),
                completed=sum(self._done.values()),
                note=escape(note),
            )


def _note(event: Progressed) -> str:
    parts = []
    if event.accuracy:
        accuracy = event.accuracy
        parts.append(f"{accuracy.value:.1%} ({accuracy.low:.0%}–{accuracy.high:.0%})")
    parts.append(figures.energy(event.joules))
    # Nothing is left to be done while the idle machine is measured at the end.
    if (left := event.left) and left.seconds:
        energy = figures.marked(left.kind, figures.energy(left.joules))
        words = f"{figures.duration(left.seconds)}, {energy} left"
        parts.append(f"roughly {words}" if left.is_rough else words)
    return " · ".join(parts)


# --- results -------------------------------------------------------------------------------


def show_run(history: History, result: SuiteResult, as_json: bool) -> None:
    """Print the only run of a suite: of a task, or a speed test."""
    run = result.runs[0]
    items = {run.record.id: history.benchmarks.items(run.record.id)}
    show(_run_view(run), lambda: forms.only_run_json(result, items), as_json)


def _run_view(run: RunResult) -> RenderableType:
    is_speed = run.row.start.kind == "speed"
    header = SPEED_HEADER if is_speed else QUALITY_HEADER
    cells = speed_cells(run) if is_speed else quality_cells(run)
    facts = make_table("", "")
    for name, cell in zip(header, cells, strict=True):
        facts.add_row(Text(name, style="dim"), JointedCell(cell, FIGURES))
    for name, accuracy in run.by_rule.items():
        facts.add_row(Text(f"score, {name}", style="dim"), JointedCell(score(accuracy), FIGURES))
    views: list[RenderableType] = [facts]
    if run.subjects:
        views.append(_table(SUBJECTS_HEADER, subject_rows([run])))
    if carbon := run.record.footprint:
        views.append(footprint_line(carbon, is_lower_bound(run.record.bill)))
    views += [Text(note, style="yellow") for note in unread_notes(run.record.bill)]
    views.append(Text(f"id {run.record.id[-8:]} · ● counted ◐ integrated ○ modelled", style="dim"))
    return Group(*views)


def show_suite(history: History, result: SuiteResult, as_json: bool) -> None:
    """Print what came of a suite."""
    show(
        _suite_view(result),
        lambda: forms.suite_json(
            result, {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
        ),
        as_json,
    )


def _suite_view(result: SuiteResult) -> RenderableType:
    suite = result.suite
    state = "" if suite.status is Status.DONE else f" ({suite.status})"
    views: list[RenderableType] = [Text(suite.title + state, style="bold")]
    views += [_table(header, rows) for header, rows in tables(result)]
    sentences = [*verdicts(result), idle_line(result), total_line(result)]
    views += [JointedCell(sentence, FIGURES) for sentence in sentences if sentence]
    runs = ", ".join(f"{run.row.start.part} {run.record.id[-8:]}" for run in result.runs)
    views.append(Text(f"id {suite.id[-8:]} · runs: {runs}", style="dim"))
    views.append(Text(LEGEND, style="dim"))
    return Group(*views)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    """Draw a table; one model is named above it rather than in every row."""
    models = list(dict.fromkeys(row[0] for row in rows))
    is_single = header[0] == "model" and len(models) == 1
    if not is_single:
        return fitted_table(header, rows, LESSER, stdout.width)
    table = fitted_table(header[1:], [row[1:] for row in rows], LESSER, stdout.width)
    return Group(Text(models[0], style="dim"), table)


# --- items ---------------------------------------------------------------------------------


def write_items(history: History, result: SuiteResult, run: RunResult, path: Path) -> None:
    """Write a run's items as JSON Lines: the whole file, or none of it.

    :raises OSError: if it cannot be written
    """
    parts = {part.name: part for part in suite_from_json(result.suite.plan["suite"]).parts}
    prepared = prepare(parts[run.row.start.part])
    items = history.benchmarks.items(run.record.id)
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for line in forms.item_lines(run.row.start.task, items, prepared.asked()):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
