"""The commands of ``llamawatt bench``: run, go on, look at, compare, fetch."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Group
from rich.markup import escape
from rich.text import Text

from monitor.bench import forms, report
from monitor.bench.comparison import compare_runs
from monitor.bench.download import fetch
from monitor.bench.plan import Entrant
from monitor.bench.replay import differences, plan_of, replay_lines
from monitor.bench.suites import (
    PUBLIC,
    QUALITY,
    SPEED,
    Part,
    Suite,
    SuiteError,
    find_suite,
    list_suites,
)
from monitor.bench.summary import RunResult, SuiteResult, result_of, summarise
from monitor.bench.task import LLAMACPP, LMH
from monitor.bench.tasks import TASKS, find_task
from monitor.bench_terminal import follow, progress_bar, show_run, show_suite, write_items
from monitor.loading import LoadOptions
from monitor.models.library import list_models, model_places, resolve_model
from monitor.report import make_table
from monitor.store.history import History
from monitor.store.records import Status
from monitor.terminal import echo_json, json_option, open_history, show, stderr, stdout

T = TypeVar("T")

UNITS_J = {"J": 1.0, "KJ": 1e3, "MWH": 3.6, "WH": 3600.0, "KWH": 3.6e6}


class Energy(click.ParamType[float]):
    """An energy with its unit: 5Wh, 300 J."""

    name = "energy"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return joules."""
        if isinstance(value, float):
            return value
        text = str(value).replace(" ", "")
        number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        unit = UNITS_J.get(text[len(number) :].upper())
        try:
            joules = float(number) * unit if unit else 0.0
        except ValueError:
            joules = 0.0
        if not 0 < joules < float("inf"):
            self.fail(f"{value!r} is no energy. Write it as 5Wh, 300J or 0.2kWh.", param, ctx)
        return joules


def load_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how models are loaded."""
    for option in (
        click.option("--gpu-layers", type=click.IntRange(-1), default=-1, help="-1: all that fit."),
        click.option("--threads", type=click.IntRange(1, 512), help="Processor threads."),
        click.option("--ctx", type=click.IntRange(16), help="Tokens of context."),
    ):
        command = option(command)
    return command


model_option = click.option(
    "-m", "--model", default="starter", help="A path, a name in the library, or starter."
)


@click.group()
def bench() -> None:
    """Measure what models can do, and what each right answer costs."""


@bench.command()
@model_option
@click.option("--pp", type=click.IntRange(1), default=512, show_default=True, help="Prompt tokens.")
@click.option("--tg", type=click.IntRange(1), default=128, show_default=True, help="Answer tokens.")
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True)
@load_options
@json_option
def speed(
    model: str,
    pp: int,
    tg: int,
    repeat: int,
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    as_json: bool,
) -> None:
    """Measure prompt and answer tokens a second, as llama-bench does, and joules a token.

    Example: llamawatt bench speed --pp 512 --tg 128 --repeat 5
    """
    part = Part(name="Speed", kind=SPEED, prefill=pp, decode=tg, times=repeat)
    suite = Suite("speed", "Speed", "", (part,), idle_s=0)
    options = LoadOptions(ctx, threads, gpu_layers)
    with open_history() as history:
        result = _run(history, suite, [(model, options)])
        show_run(result.runs[0], False, history, as_json)


@bench.command()
@click.option("--task", required=True, type=click.Choice(list(TASKS)), help="What is asked.")
@click.option("--data", help="The file of its items; the fetched public set if left out.")
@model_option
@click.option("--limit", type=click.IntRange(1), help="Only the first so many items.")
@click.option("--shots", type=click.IntRange(0), help="Worked examples before each question.")
@click.option("--shots-file", help="Where they are taken from, if not from the items themselves.")
@click.option("--protocol", type=click.Choice([LMH, LLAMACPP]), default=LMH, show_default=True)
@click.option("--items", type=click.Path(dir_okay=False, path_type=Path), help="Write each item.")
@load_options
@json_option
def quality(
    task: str,
    data: str | None,
    model: str,
    limit: int | None,
    shots: int | None,
    shots_file: str | None,
    protocol: str,
    items: Path | None,
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    as_json: bool,
) -> None:
    """Score a model on a task, to the last item as lm-evaluation-harness does.

    Example: llamawatt bench quality --task hellaswag --data hellaswag_val.jsonl --limit 100
    """
    kind = find_task(task)
    if protocol not in kind.protocols:
        raise click.UsageError(f"{kind.title} is not scored by the protocol {protocol}.")
    if items and not items.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {items.absolute().parent} to write into.")
    part = Part(
        name=kind.title,
        kind=QUALITY,
        task=task,
        data=str(Path(data).absolute()) if data else PUBLIC,
        shots=shots,
        shots_data=str(Path(shots_file).absolute()) if shots_file else "",
        limit=limit,
        protocol=protocol,
    )
    suite = Suite("quality", kind.title, "", (part,), idle_s=0)
    options = LoadOptions(ctx, threads, gpu_layers)
    with open_history() as history:
        result = _run(history, suite, [(model, options)])
        if items:
            write_items(history, result, result.runs[0], items)
        show_run(result.runs[0], True, history, as_json)


@bench.command("run")
@click.argument("suite", required=False)
@click.option("-m", "--model", "models", multiple=True, help="May be given several times.")
@click.option("--repeat", type=click.IntRange(1), help="How often the whole is run.")
@click.option("--limit", type=click.IntRange(1), help="Only so many items of each task.")
@click.option("--budget", type=Energy(), help="End when so much is spent: 5Wh, 300J.")
@click.option("--replay", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@load_options
@json_option
def run_suite(
    suite: str | None,
    models: Sequence[str],
    repeat: int | None,
    limit: int | None,
    budget: float | None,
    replay: Path | None,
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    as_json: bool,
) -> None:
    """Run a suite of benchmarks: quick, speed, prompts, leaderboard, or a TOML file of your own.

    With --budget, models take turns and are compared as they go: it ends when they are told apart
    or the energy is spent. --replay repeats a run from its --json document.

    Example: llamawatt bench run quick -m starter -m ./other.gguf --budget 5Wh
    """
    if replay:
        if suite or models or repeat or limit or budget:
            raise click.UsageError("--replay repeats a run as it was: give it alone.")
        _replay(replay, as_json)
        return
    if not suite:
        names = ", ".join(each.name for each in list_suites())
        raise click.UsageError(f"Name a suite: {names}, or a .toml file.")
    chosen = find_suite(suite)
    if repeat:
        chosen = replace(chosen, repeats=repeat)
    if limit:
        chosen = replace(chosen, parts=tuple(_limited(part, limit) for part in chosen.parts))
    options = LoadOptions(ctx, threads, gpu_layers)
    entrants = [(model, options) for model in models or ["starter"]]
    with open_history() as history:
        result = _run(history, chosen, entrants, budget)
        show_suite(history, result, as_json)


def _limited(part: Part, limit: int) -> Part:
    if part.kind == QUALITY:
        return replace(part, limit=min(limit, part.limit or limit))
    return replace(part, prompts=part.prompts[:limit])


@bench.command()
@click.argument("suite_id")
@json_option
def resume(suite_id: str, as_json: bool) -> None:
    """Go on with a benchmark that was stopped or interrupted, from its last finished item.

    Example: llamawatt bench resume 3fa85f64
    """
    with open_history() as history:
        result = follow(history, lambda runner: runner.resume(_suite_id(history, suite_id)))
        show_suite(history, result, as_json)


@bench.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def list_benchmarks(limit: int, as_json: bool) -> None:
    """List the benchmarks that were run, newest first.

    Example: llamawatt bench list
    """
    with open_history() as history:
        found = [summarise(history, suite.id) for suite in history.benchmarks.suites(limit)]
        documents = [forms.suite_json(each, _no_items(each)) for each in found] if as_json else []
    if as_json:
        echo_json(documents)
    elif not found:
        stderr.print("No benchmark was run yet. Try: llamawatt bench run quick")
    else:
        table = make_table("id", "when (UTC)", "benchmark", "models", "state", "result")
        for result in found:
            suite = result.suite
            cells = (suite.id[-8:], suite.started_at[:16].replace("T", " "), suite.title)
            state = "" if suite.status is Status.DONE else str(suite.status)
            table.add_row(
                *map(escape, (*cells, ", ".join(result.models), state, report.gist(result)))
            )
        stdout.print(table)


def _no_items(result: SuiteResult) -> dict[str, Sequence[Any]]:
    return {run.record.id: () for run in result.runs}


@bench.command("show")
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
        result = _known(lambda: summarise(history, suite_id))
        if items:
            items.mkdir(parents=True, exist_ok=True)
            for run in result.runs:
                if run.row.start.kind == QUALITY:
                    write_items(history, result, run, items / f"{run.record.id}.jsonl")
        if markdown:
            click.echo(report.markdown(result), nl=False)
        else:
            show_suite(history, result, as_json)


@bench.command("compare")
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
            *(f"{m:+.3f}" if m is not None else "" for m in (flip.item.margin, flip.other.margin)),
        )
    line = Text(found.sentence)
    show(Group(table, line) if found.flips else line, found.to_json, as_json)


def _run_of(history: History, run_id: str) -> RunResult:
    record = _known(lambda: history.record(run_id))
    row = history.benchmarks.run(record.id)
    if row is None:
        raise click.ClickException(f"{run_id} is a query, no run of a benchmark.")
    return result_of(history, row)


@bench.command("get")
@click.argument("task", type=click.Choice([t.name for t in TASKS.values() if t.source]))
@json_option
def get_set(task: str, as_json: bool) -> None:
    """Fetch the public set of a task from Hugging Face: the one network call LlamaWatt makes here.

    Example: llamawatt bench get hellaswag
    """
    kind = find_task(task)
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def advance(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(escape(file), total=total, note="")
            bar.update(tasks[file], completed=done, total=total)

        files = fetch(kind, advance)
    assert kind.source
    show(
        Text(f"{kind.title}: {files.data}\nLicence: {kind.source.licence}"),
        lambda: {"data": str(files.data), "shots": str(files.shots) if files.shots else None},
        as_json,
    )


@bench.command("suites")
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


def _run(
    history: History,
    suite: Suite,
    models: Sequence[tuple[str, LoadOptions]],
    budget_j: float | None = None,
) -> SuiteResult:
    entrants = [
        Entrant(resolve_model(model, *model_places(history)), options) for model, options in models
    ]
    return follow(history, lambda runner: runner.run(suite, entrants, budget_j))


def _replay(path: Path, as_json: bool) -> None:
    """Repeat a run from its document and say what came out otherwise."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SuiteError(f"{path.name} is no JSON document: {error}.") from error
    with open_history() as history:
        suite, entrants = plan_of(document, list_models(*model_places(history)))
        result = follow(history, lambda runner: runner.run(suite, entrants))
        items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
    after = forms.suite_json(result, items)
    found = differences(document, after)
    show(
        Text("\n".join(replay_lines(found))),
        lambda: {"differences": found, "run": after},
        as_json,
    )


def _suite_id(history: History, text: str) -> str:
    return _known(lambda: history.benchmarks.suite(text)).id


def _known(question: Callable[[], T]) -> T:
    """Ask the history for something by its ID, and turn a miss into a message."""
    try:
        return question()
    except KeyError as error:
        raise click.ClickException(str(error.args[0])) from None
