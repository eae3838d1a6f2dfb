"""The bar with which a command shows how far its work has come."""

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from monitor.commands.terminal import stderr


def progress_bar() -> Progress:
    """Return a bar that is drawn where the terminal can, and nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
