"""An answer on a terminal: what it waits for, and its text as it is written."""

import click
from rich.console import RenderableType

from monitor.commands.terminal import inert, stderr
from monitor.engine.messages import Loaded, LoadProgress, PrefillStarted, PromptRead, Text
from monitor.loading import Identifying
from monitor.meter import Event, Finished
from monitor.reading import Reading
from monitor.running import SoFar


class AnswerScreen:
    """Shows the events of one query: how loading and reading go, and the answer as it is written.

    :param silent: whether the answer is left out
    """

    def __init__(self, silent: bool) -> None:
        self._silent, self._wrote = silent, False
        self._doing = stderr.status("")
        self._reading = _ReadingLine()

    def show(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Identifying():
                self._show_doing(f"Reading the model … {event.fraction:.0%}")
            case LoadProgress():
                self._show_doing(f"Loading the model … {event.fraction:.0%}")
            case PrefillStarted():
                self._reading.reading = Reading.begun(event)
                self._show_doing(self._reading)
            case PromptRead() if self._reading.reading:
                self._reading.reading = self._reading.reading.after(event)
            case SoFar():
                pass  # the answer, or how its prompt is read, is what is being watched
            case _:
                self._doing.stop()
        if isinstance(event, Loaded) and event.note:
            stderr.print(event.note)
        if isinstance(event, Text) and not self._silent:
            click.echo(inert(event.text), nl=False)
            self._wrote = True
        if isinstance(event, Finished) and self._wrote:
            click.echo()

    def _show_doing(self, what: RenderableType) -> None:
        if stderr.is_terminal:
            self._doing.start()
            self._doing.update(what)


class _ReadingLine:
    """How far the prompt is read; drawn anew many times a second, so that the seconds go on."""

    reading: Reading | None = None

    def __rich__(self) -> str:
        return f"Reading the prompt … {self.reading.words()}" if self.reading else ""
