"""The bars with which a command shows how far its work has come."""

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from monitor.commands.terminal import stderr


def progress_bar(is_told: bool = True) -> Progress:
    """Return a bar with the share done and each task's ``note``.

    :param is_told: whether anybody wants it
    """
    share, note = TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[note]}")
    return _bar(share, note, is_told=is_told)


def download_bar() -> Progress:
    """Return a bar for tasks whose ``completed`` are bytes."""
    return _bar(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())


def _bar(*beside: ProgressColumn, is_told: bool = True) -> Progress:
    """Return a bar that is drawn where the terminal can, and nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *beside,
        console=stderr,
        transient=True,
        disable=not (is_told and stderr.is_terminal),
    )
