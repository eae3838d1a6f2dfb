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

from monitor import (
    __version__,
    asking,
    baseline_commands,
    benchmarks,
    carbon_commands,
    chat_commands,
    compare_lookups,
    database_commands,
    exchange_commands,
    forms,
    history_commands,
    model_commands,
    report,
)
from monitor.bench.suites import SuiteError
from monitor.bench.task import DatasetError
from monitor.carbon.footprint import footprint
from monitor.carbon.intensity import CarbonError
from monitor.display import display_problem
from monitor.energy.account import WATCH, Bill, Line, Phase, account
from monitor.energy.budget import BudgetSpent
from monitor.engine.backends import offload_advice
from monitor.engine.client import Engine, EngineError
from monitor.engine.gguf import ModelFileError
from monitor.engine.messages import Hello
from monitor.exchange.files import ExchangeError
from monitor.hub.access import HubError
from monitor.logs import logging_to_file
from monitor.meter import chosen_zone
from monitor.paths import database_path
from monitor.power.channel import ProbeState
from monitor.power.sampler import DEFAULT_HZ, MAX_HZ, MIN_HZ, Sampler
from monitor.repeat import CannotRepeat
from monitor.store.database import StoreError
from monitor.store.errors import explain
from monitor.terminal import ctrl_c, json_option, open_history, show, stderr

KNOWN_PROBLEMS = (
    ModelFileError,
    EngineError,
    StoreError,
    CarbonError,
    DatasetError,
    SuiteError,
    CannotRepeat,
    ExchangeError,
    HubError,
    BudgetSpent,
    OSError,
)
"""What a person can cause: each carries a sentence that says what to do."""

PAGES = ("chat", "bench", "history", "compare", "sensors")

SLICE_S = 600.0
"""A long watch is billed in parts: the trace remembers an hour or two, not a night."""


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
            raise click.ClickException(explain(database_path(), problem, "read")) from problem
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
@click.option("--page", type=click.Choice(PAGES), help="Only this one.")
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


history_commands.history.add_command(asking.again)
for command in (
    asking.ask,
    model_commands.models,
    history_commands.history,
    chat_commands.chats,
    carbon_commands.carbon,
    benchmarks.bench,
    baseline_commands.baseline,
    baseline_commands.calibrate_wall,
    compare_lookups.compare,
    exchange_commands.export,
    exchange_commands.import_file,
    database_commands.database,
):
    main.add_command(command)
