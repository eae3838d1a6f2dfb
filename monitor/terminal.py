"""What the commands share: where they print, the option ``--json``, and the history."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, RenderableType

from monitor.paths import database_path
from monitor.store.history import History

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def show(view: RenderableType, document: Callable[[], Any], as_json: bool) -> None:
    """Print a result for a person, or as JSON."""
    if as_json:
        echo_json(document())
    else:
        stdout.print(view)


def echo_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@contextmanager
def open_history() -> Iterator[History]:
    """Open the history for the length of a block."""
    history = History(database_path())
    try:
        yield history
    finally:
        history.close()
