"""The commands of ``llamawatt bench``: run, go on, look at, compare, fetch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.markup import escape
from rich.text import Text

from monitor.bench import forms
from monitor.bench.download import fetch
from monitor.bench.plan import Entrant
from monitor.bench.replay import differences, plan_of, read_replayed, replay_lines
from monitor.bench.suites import (
    PUBLIC,
    QUALITY,
    SPEED,
    Part,
    Suite,
    find_suite,
    list_suites,
)
from monitor.bench.summary import SuiteResult
from monitor.bench.task import LLAMACPP, LMH
from monitor.bench.tasks import TASKS, find_task
from monitor.commands import bench_lookups
from monitor.commands.bench_lookups import known
from monitor.commands.bench_terminal import follow, show_run, show_suite, write_items
from monitor.commands.energy_option import Energy
from monitor.commands.group import NamingGroup
from monitor.commands.number_option import Whole
from monitor.commands.progress import download_bar
from monitor.commands.terminal import json_option, open_history, show
from monitor.exchange.capsule import FORM
from monitor.exchange.node import read_document
from monitor.loading import LoadOptions
from monitor.models.library import list_models, model_places, resolve_model
from monitor.store.history import History

T = TypeVar("T")


def load_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how models are loaded."""
    for option in (
        click.option("--gpu-layers", type=Whole(-1), default=-1, help="-1: all that fit."),
        click.option("--threads", type=Whole(1, 512), help="Processor threads."),
        click.option("--ctx", type=Whole(16), help="Tokens of context."),
    ):
        command = option(command)
    return command


model_option = click.option(
    "-m", "--model", default="starter", help="A path, a name in the library, or starter."
)


@click.group(cls=NamingGroup)
def bench() -> None:
    """Measure what models can do, and what each right answer costs."""


@bench.command()
@model_option
@click.option("--pp", type=Whole(1), default=512, show_default=True, help="Prompt tokens.")
@click.option("--tg", type=Whole(1), default=128, show_default=True, help="Answer tokens.")
@click.option("--repeat", type=Whole(1), default=5, show_default=True)
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
        show_run(history, result, as_json)


@bench.command()
@click.option("--task", required=True, type=click.Choice(list(TASKS)), help="What is asked.")
@click.option("--data", help="The file of its items; the fetched public set if left out.")
@model_option
@click.option("--limit", type=Whole(1), help="Only the first so many items.")
@click.option("--shots", type=Whole(0), help="Worked examples before each question.")
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
        show_run(history, result, as_json)


@bench.command("run")
@click.argument("suite", required=False)
@click.option("-m", "--model", "models", multiple=True, help="May be given several times.")
@click.option("--repeat", type=Whole(1), help="How often the whole is run.")
@click.option("--limit", type=Whole(1), help="Only so many items of each task.")
@click.option("--budget", type=Energy(), help="End when so much is spent: 5Wh, 300J.")
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Repeat what this document tells of: of --json, or a capsule.",
)
@click.option(
    "--data",
    "given",
    multiple=True,
    metavar="NAME=PATH",
    help="With --replay: where data of that name lies here. May be given several times.",
)
@load_options
@json_option
def run_suite(
    suite: str | None,
    models: Sequence[str],
    repeat: int | None,
    limit: int | None,
    budget: float | None,
    replay: Path | None,
    given: Sequence[str],
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    as_json: bool,
) -> None:
    """Run a suite of benchmarks: quick, speed, prompts, leaderboard, or a TOML file of your own.

    With --budget, models take turns and are compared as they go: it ends when they are told apart
    or the energy is spent, and what is not judged comes last. --replay repeats a run from its
    --json document or its capsule.

    Example: llamawatt bench run quick -m starter -m ./other.gguf --budget 5Wh
    """
    if replay:
        if suite or models or repeat or limit or budget or ctx or threads or gpu_layers >= 0:
            raise click.UsageError("--replay repeats a run as it was: no option but --data.")
        _replay(replay, [_named_place(each) for each in given], as_json)
        return
    if given:
        raise click.UsageError("--data goes with --replay: a suite names its data itself.")
    if not suite:
        names = ", ".join(each.name for each in list_suites())
        raise click.UsageError(f"Name a suite: {names}, or a .toml file.")
    found = find_suite(suite)
    if limit and all(part.kind == SPEED for part in found.parts):
        raise click.UsageError(f"{found.title} has no items to limit; leave --limit out.")
    chosen = found.with_settings(repeat, limit)
    options = LoadOptions(ctx, threads, gpu_layers)
    entrants = [(model, options) for model in models or ["starter"]]
    with open_history() as history:
        result = _run(history, chosen, entrants, budget)
        show_suite(history, result, as_json)


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


@bench.command("get")
@click.argument("task", type=click.Choice([t.name for t in TASKS.values() if t.source]))
@json_option
def get_set(task: str, as_json: bool) -> None:
    """Fetch the public set of a task from Hugging Face: the one network call LlamaWatt makes here.

    Example: llamawatt bench get hellaswag
    """
    kind = find_task(task)
    with download_bar() as bar:
        tasks: dict[str, Any] = {}

        def advance(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(escape(file), total=total)
            bar.update(tasks[file], completed=done, total=total)

        files = fetch(kind, advance)
    assert kind.source
    show(
        Text(f"{kind.title}: {files.data}\nLicence: {kind.source.licence}"),
        lambda: {"data": str(files.data), "shots": str(files.shots) if files.shots else None},
        as_json,
    )


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


def _named_place(text: str) -> tuple[str, Path]:
    """Return the two halves of NAME=PATH."""
    name, sign, path = text.partition("=")
    if not (name and sign and path):
        raise click.UsageError(f"--data {text}: write it as NAME=PATH.")
    return name, Path(path).expanduser()


def _replay(path: Path, given: Sequence[tuple[str, Path]], as_json: bool) -> None:
    """Repeat a run from its document and say what came out otherwise.

    :param given: names of data, and where they are here
    """
    document = read_document(path, FORM.most_bytes)
    replayed = read_replayed(document)
    with open_history() as history:
        library = list_models(*model_places(history))
        suite, entrants, budget_j = plan_of(replayed, library, given)
        result = follow(history, lambda runner: runner.run(suite, entrants, budget_j))
        items = {run.record.id: history.benchmarks.items(run.record.id) for run in result.runs}
    after = forms.suite_json(result, items)
    found = differences(document.value, after)
    show(
        Text("\n".join(replay_lines(found))),
        lambda: {"differences": found, "run": after},
        as_json,
    )


def _suite_id(history: History, text: str) -> str:
    return known(lambda: history.benchmarks.suite(text)).id


for command in (
    bench_lookups.list_benchmarks,
    bench_lookups.show_benchmark,
    bench_lookups.show_items,
    bench_lookups.compare,
    bench_lookups.show_suites,
):
    bench.add_command(command)
