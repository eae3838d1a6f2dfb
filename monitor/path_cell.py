"""Paths on a terminal, broken where they have joints."""

import re

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_PARTS = re.compile(r"[^/\\]*[/\\]|[^/\\]+")


class PathCell:
    """A path that goes on in another line behind a separator; inside a name only if that alone is
    longer than a line.

    :param path: as it is to be read
    """

    def __init__(self, path: object) -> None:
        self._path = str(path)

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        longest = max(map(len, _PARTS.findall(self._path)), default=0)
        return Measurement(longest, len(self._path)).with_maximum(options.max_width)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [""]
        for part in _PARTS.findall(self._path):
            if lines[-1] and len(lines[-1]) + len(part) > options.max_width:
                lines.append("")
            lines[-1] += part
        yield Text("\n".join(lines), overflow="fold")
