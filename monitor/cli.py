"""The command ``llamawatt``: everything the window does, without one."""

import runpy
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

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
    history_commands,
    model_commands,
    sensor_commands,
    watching,
)
from monitor.bench.suites import SuiteError
from monitor.bench.task import DatasetError
from monitor.carbon.intensity import CarbonError
from monitor.display import display_problem
from monitor.energy.budget import BudgetSpent
from monitor.engine.client import EngineError
from monitor.engine.gguf import ModelFileError
from monitor.exchange.files import ExchangeError
from monitor.hub.access import HubError
from monitor.logs import logging_to_file
from monitor.paths import database_path
from monitor.repeat import CannotRepeat
from monitor.store.database import StoreError
from monitor.store.errors import explain
from monitor.terminal import json_option

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

PAGES = ("chat", "bench", "history", "compare", "watch", "sensors")


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
    sensor_commands.sensors,
    watching.watch,
):
    main.add_command(command)
