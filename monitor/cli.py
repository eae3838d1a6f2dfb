"""The command ``llamawatt``: everything the window does, without one."""

import runpy
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from monitor import __version__
from monitor.commands.group import LazyGroup
from monitor.commands.terminal import INTERRUPTED, json_option
from monitor.display import display_problem
from monitor.logs import logging_to_file
from monitor.paths import database_path
from monitor.problem import Problem
from monitor.store.errors import explain

COMMANDS = {
    "ask": "monitor.commands.ask:ask",
    "baseline": "monitor.commands.baseline:baseline",
    "bench": "monitor.commands.bench:bench",
    "calibrate": "monitor.commands.baseline:calibrate_wall",
    "carbon": "monitor.commands.carbon:carbon",
    "chats": "monitor.commands.chats:chats",
    "compare": "monitor.commands.compare:compare",
    "database": "monitor.commands.database:database",
    "export": "monitor.commands.exchange:export",
    "history": "monitor.commands.history:history",
    "import": "monitor.commands.exchange:import_file",
    "models": "monitor.commands.models:models",
    "sensors": "monitor.commands.sensors:sensors",
    "watch": "monitor.commands.watch:watch",
}

PAGES = ("chat", "bench", "history", "compare", "watch", "sensors")


class Commands(LazyGroup):
    """A group whose commands report known problems in a sentence and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with its log, and turn known problems into messages."""
        try:
            with logging_to_file():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read our output has had enough; click ends quietly
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(INTERRUPTED)
        except sqlite3.Error as problem:
            raise click.ClickException(explain(database_path(), problem, "read")) from problem
        except (Problem, OSError) as problem:
            raise click.ClickException(str(problem)) from problem


@click.group(cls=Commands, lazy=COMMANDS, invoke_without_command=True)
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
        commands = ", ".join(main.list_commands(click.Context(main)))
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
