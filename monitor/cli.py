"""The command ``llamawatt``: everything the window does, without one."""

import math
import runpy
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.live import Live

from monitor import __version__, benchmarks, compare_lookups, forms, lookups, report
from monitor.bench.suites import SuiteError
from monitor.bench.task import DatasetError
from monitor.carbon.footprint import footprint
from monitor.carbon.intensity import UnknownZone
from monitor.display import display_problem
from monitor.energy.account import WATCH, Bill, Line, Phase, account
from monitor.engine.backends import offload_advice
from monitor.engine.client import Engine, EngineError
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import ChatMessage, Hello, LoadProgress, Sampling, Text
from monitor.loading import Identifying, LoadOptions, Stopped
from monitor.logs import logging_to_file
from monitor.meter import (
    Ask,
    Finished,
    Meter,
    chosen_zone,
    random_seed,
)
from monitor.models.library import model_places, resolve_model
from monitor.paths import database_path
from monitor.power.channel import ProbeState
from monitor.power.sampler import DEFAULT_HZ, MAX_HZ, MIN_HZ, Sampler
from monitor.store.database import StoreError
from monitor.store.history import History
from monitor.store.records import QueryRecord, Status
from monitor.terminal import (
    INTERRUPTED,
    ctrl_c,
    echo_json,
    json_option,
    open_history,
    show,
    stderr,
)

KNOWN_PROBLEMS = (
    ModelFileError,
    EngineError,
    StoreError,
    UnknownZone,
    DatasetError,
    SuiteError,
    OSError,
)
"""What a person can cause: each carries a sentence that says what to do."""

PAGES = ("chat", "bench", "history", "sensors")

SLICE_S = 600.0
"""A long watch is billed in parts: the trace remembers an hour or two, not a night."""

INERT = dict.fromkeys(set(range(32)) - {ord("\n"), ord("\t")})
"""Control characters are left out of model text: it must not drive the terminal."""


class Commands(click.Group):
    """A group whose commands report known problems in a sentence and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with its log, and turn known problems into messages."""
        try:
            with logging_to_file():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read our output has had enough; click ends quietly
        except sqlite3.Error as problem:
            raise click.ClickException(
                f"The history {database_path()} cannot be read: {problem}. Move the file away "
                "to start a new one, or set LLAMAWATT_HOME to another folder."
            ) from problem
        except KNOWN_PROBLEMS as problem:
            raise click.ClickException(str(problem)) from problem


@click.group(cls=Commands, invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Chat with local models and see what every answer costs. Without a command: the window.

    Example: llamawatt ask "What is a watt?"
    """
    if ctx.invoked_subcommand is None:
        open_window([])


def open_window(arguments: list[str]) -> None:
    """Run the window's own program in this process; nothing here imports Qt."""
    sys.argv = ["llamawatt", *arguments]
    if not arguments and (problem := display_problem()):
        commands = ", ".join(sorted(main.commands))
        raise click.UsageError(f"{problem} Without a window there are: {commands}.")
    runpy.run_module("desktop", run_name="__main__", alter_sys=True)


@main.command()
@click.argument("prompt")
@click.option("-m", "--model", default="starter", help="A path, a name in the library, or starter.")
@click.option("--system", default="", help="A system prompt.")
@click.option("--max-tokens", type=click.IntRange(1), help="Length of the answer at most.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Same seed, same answer.")
@click.option("--temp", type=click.FloatRange(0, 5), default=0.7, show_default=True)
@click.option("--ctx", type=click.IntRange(16), help="Tokens of context.")
@click.option("--threads", type=click.IntRange(1, 512), help="Processor threads.")
@click.option("--gpu-layers", type=click.IntRange(-1), default=-1, help="-1: all that fit.")
@json_option
def ask(
    prompt: str,
    model: str,
    system: str,
    max_tokens: int | None,
    seed: int | None,
    temp: float,
    ctx: int | None,
    threads: int | None,
    gpu_layers: int,
    as_json: bool,
) -> None:
    """Put a question to a model; the answer, then what it cost. “-” reads the prompt from stdin.

    Example: llamawatt ask "What is a watt?" --max-tokens 200
    """
    text = (sys.stdin.read() if prompt == "-" else prompt).strip()
    # Bytes of the command line that are no UTF-8 arrive as lone surrogates.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text:
        raise click.UsageError("The prompt is empty. Put the question in quotation marks.")
    messages = [ChatMessage("system", system)] if system.strip() else []
    with open_history() as history:
        request = Ask(
            kind="ask",
            model=resolve_model(model, *model_places(history)),
            messages=(*messages, ChatMessage("user", text)),
            sampling=Sampling(
                temperature=temp,
                seed=random_seed() if seed is None else seed,
                max_tokens=max_tokens,
            ),
            options=LoadOptions(ctx, threads, gpu_layers),
        )
        try:
            record = _run(history, request, as_json)
        except Stopped:
            sys.exit(INTERRUPTED)
    if as_json:
        echo_json(forms.record_json(record))
    else:
        stderr.print(report.headline(record))
        if note := report.ending_note(record):
            stderr.print(note)
    if record.status is Status.FAILED:
        raise click.ClickException(record.error)
    if record.status is Status.STOPPED:
        sys.exit(INTERRUPTED)


def _run(history: History, request: Ask, as_json: bool) -> QueryRecord:
    engine = Engine()
    try:
        with Sampler() as sampler:
            meter = Meter(sampler, engine, history)
            with ctrl_c(meter.cancel):
                return _stream(meter, request, as_json)
    finally:
        engine.stop()


def _stream(meter: Meter, request: Ask, as_json: bool) -> QueryRecord:
    """Show a query's events as they come and return its record."""
    loading = stderr.status("Loading the model …")
    wrote = False
    for event in meter.run(request):
        if isinstance(event, Identifying | LoadProgress) and stderr.is_terminal:
            doing = "Loading" if isinstance(event, LoadProgress) else "Reading"
            loading.start()
            loading.update(f"{doing} the model … {event.fraction:.0%}")
        else:
            loading.stop()
        if isinstance(event, Text) and not as_json:
            click.echo(event.text.translate(INERT), nl=False)
            wrote = True
        if isinstance(event, Finished):
            if wrote:
                click.echo()
            return event.record
    raise AssertionError("a query always ends with its record")


@main.command()
@json_option
def sensors(as_json: bool) -> None:
    """Show every power source and channel, and how to mend those that are denied.

    Example: llamawatt sensors
    """
    engine = Engine()
    problem = ""
    try:
        hello: Hello | None = engine.hello()
    except EngineError as error:
        # The sensors are told of all the same: this is the page to look at when things fail.
        hello, problem = None, str(error)
    finally:
        engine.stop()
    with Sampler() as sampler:
        sampler.wait_ready()
        # Two readings further, counters have watts too.
        sampler.wait_until(time.monotonic() + 2.5 / sampler.hz, timeout_s=2)
        probes = sampler.probes()
        latest = [(c, sampler.trace.latest(c.key)) for c in sampler.channels()]
    channels = [(c, last[1] if last and last[1] == last[1] else None) for c, last in latest]
    nvml = any(p.source == "nvml" and p.state is ProbeState.AVAILABLE for p in probes)
    advice = offload_advice(hello, nvml) if hello else problem
    show(
        report.sensors_view(probes, channels, hello, advice),
        lambda: forms.sensors_json(probes, channels, hello, advice),
        as_json,
    )


@main.command()
@click.option("--seconds", type=click.FloatRange(0.1), help="Stop by itself; else with Ctrl-C.")
@click.option("--hz", type=click.FloatRange(MIN_HZ, MAX_HZ), default=DEFAULT_HZ, show_default=True)
@json_option
def watch(seconds: float | None, hz: float, as_json: bool) -> None:
    """Watch this machine's power, without a model; the bill of the whole time at the end.

    Example: llamawatt watch --seconds 10
    """
    with open_history() as history, Sampler(hz) as sampler:
        zone = chosen_zone(history)
        sampler.wait_ready()
        seconds, bill = _watch(sampler, seconds, live=not as_json and stderr.is_terminal)
    energy = bill.total().energy
    carbon = footprint(energy, zone) if energy else None
    view = report.bill_table(bill)
    show(
        Group(view, report.footprint_line(carbon)) if carbon else view,
        lambda: {
            "seconds": seconds,
            "energy": forms.energy_json(bill),
            "co2": forms.footprint_json(carbon),
        },
        as_json,
    )


def _watch(sampler: Sampler, seconds: float | None, live: bool) -> tuple[float, Bill]:
    """Wait for the time to pass or Ctrl-C, showing watts; return how long it was, and its bill."""
    stopped: list[float] = []
    lines: list[Line] = []
    sampler.mark()
    start_s = slice_s = time.monotonic()
    end_s = start_s + seconds if seconds else math.inf

    def bill_until(until_s: float) -> None:
        phase = Phase(WATCH, slice_s, until_s)
        lines.extend(account(sampler.trace, sampler.channels(), [phase]).lines)

    with (
        ctrl_c(lambda: stopped.append(time.monotonic())),
        Live(console=stderr, transient=True, auto_refresh=False) as display,
    ):
        while not stopped and (left_s := end_s - time.monotonic()) > 0:
            if live:
                now = [(c, sampler.trace.latest(c.key)) for c in sampler.channels()]
                watts = [(c, last[1] if last else None) for c, last in now]
                display.update(report.channels_table(watts), refresh=True)
            if (read_s := sampler.read_until_s()) - slice_s > SLICE_S:
                bill_until(read_s)
                slice_s = read_s
            time.sleep(min(left_s, 0.1))
    end_s = stopped[0] if stopped else end_s
    sampler.wait_until(end_s, timeout_s=2 / sampler.hz + 0.5)
    bill_until(end_s)
    return end_s - start_s, Bill(tuple(lines))


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--page", type=click.Choice(["chat", "bench", "history", "sensors"]), help="Only this one."
)
@json_option
def screenshots(folder: Path, page: str | None, as_json: bool) -> None:
    """Draw every page from the present history, light and dark, into PNG files.

    Example: llamawatt screenshots ./pictures
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["--screenshots", str(folder.resolve())]
    arguments += ["--page", page] if page else []
    arguments += ["--json"] if as_json else []
    open_window(arguments)


for command in (
    lookups.models,
    lookups.history,
    lookups.carbon,
    benchmarks.bench,
    compare_lookups.compare,
):
    main.add_command(command)
