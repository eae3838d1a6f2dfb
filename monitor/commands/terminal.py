"""What the commands share: where they print, the option ``--json``, and the history."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from rich.console import Console, RenderableType

from monitor.paths import database_path
from monitor.store.errors import StoreError
from monitor.store.history import History

INTERRUPTED = 130
"""Exit status of a command stopped by Ctrl-C, as shells have it: 128 + SIGINT."""

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def show(view: RenderableType, document: Callable[[], Any], as_json: bool) -> None:
    """Print a result for a person, or as JSON."""
    if as_json:
        echo_json(document())
    else:
        # Not cropped: a command that is to be copied may be longer than a line.
        stdout.print(view, crop=False)


def tell_more(found: Sequence[Any], limit: int) -> None:
    """Say that a list is not all there is, if more was found than it may hold."""
    if len(found) > limit:
        stderr.print(f"These are the first {limit:,}; --limit shows more.")


def echo_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@contextmanager
def open_history() -> Iterator[History]:
    """Open the history for the length of a block; exit with 1 if an answer is not stored then."""
    history = History(database_path())
    notice = history.store.notice
    if notice:
        stderr.print(notice, markup=False, emoji=False)
    try:
        yield history
    except StoreError as error:
        if notice and str(error) == notice:  # it was said
            raise click.ClickException("This needs a history that can be written to.") from None
        raise
    finally:
        history.close()
        unstored = history.unstored()
        for sentence in unstored:
            stderr.print(sentence, markup=False, soft_wrap=True)
    if unstored:
        sys.exit(1)


@contextmanager
def ctrl_c(action: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C end what is running in good order; the second is as usual."""

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        # On a thread: the interrupted code may hold a lock that the action needs.
        threading.Thread(target=action, daemon=True).start()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


CONTROLS = dict.fromkeys({*range(32), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")})
"""Control characters of both sets (ISO 6429), of which a terminal takes some for commands."""


def inert(text: str) -> str:
    """Return a model's text without what could drive the terminal."""
    return text.translate(CONTROLS)
