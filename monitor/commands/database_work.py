"""What the commands that look after the history's file share: bars, questions, stopping."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from monitor.commands.group import NamingGroup
from monitor.commands.progress import progress_bar
from monitor.commands.terminal import INTERRUPTED, ctrl_c, stderr
from monitor.paths import database_path
from monitor.store.copies import Progress
from monitor.store.errors import StoreStopped

FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


class Stoppable(NamingGroup):
    """A group whose commands may be stopped by Ctrl-C in good order."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one that was stopped says what is left of its work."""
        try:
            return super().invoke(ctx)
        except StoreStopped as stopped:
            stderr.print(str(stopped))
            sys.exit(INTERRUPTED)


@contextmanager
def working(what: str) -> Iterator[tuple[Progress, Callable[[], bool]]]:
    """Show a bar, and have Ctrl-C stop the work; gives what the work is to call."""
    stop = threading.Event()
    with ctrl_c(stop.set), progress_bar() as bar:
        task = bar.add_task(what, total=1.0, note="")
        yield lambda fraction: bar.update(task, completed=fraction), stop.is_set


def existing() -> Path:
    """Return the history's file.

    :raises click.ClickException: if there is none yet
    """
    path = database_path()
    if not path.is_file():
        raise click.ClickException(
            f'There is no history at {path} yet. `llamawatt ask "What is a watt?"` begins one.'
        )
    return path


def ask_first(question: str, yes: bool) -> None:
    """Go on only if a person agrees.

    :raises click.UsageError: if there is nobody to ask
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say so with --yes.")
    click.confirm(question, abort=True, err=True)
