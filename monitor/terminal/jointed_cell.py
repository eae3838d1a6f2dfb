"""Paths, names and figures on a terminal, broken where they have joints."""

import re

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

PATH = re.compile(r"[^/\\]*[/\\]|[^/\\]+")
"""The names of a path, each with what joins it to the next."""

NAME = re.compile(r"[^ \-]*[ \-]|[^ \-]+")
"""The words of a model's name; ``Q4_K_M`` is one."""

FIGURES = re.compile(r"(?:[^ ]|(?<=[\d±●◐○≥≤]) (?![(·]))+ ?| ")
"""Words, and figures with their marks, errors and units; an interval in brackets is one more."""

ENDS = re.compile(r"[^–]*–|[^–]+")
"""The two ends of an interval."""


class JointedCell:
    """A text that goes on in another line behind a joint; inside a part only if that alone is
    longer than a line, and then between the ends of an interval if it is one.

    :param text: as it is to be read
    :param parts: what matches one after the other all of a text's parts, joints included
    """

    def __init__(self, text: object, parts: re.Pattern[str]) -> None:
        self._text = str(text)
        self._parts = parts.findall(self._text)

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        longest = max((cell_len(part.rstrip()) for part in self._parts), default=0)
        return Measurement(longest, cell_len(self._text)).with_maximum(options.max_width)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [""]
        width = options.max_width
        for part in (end for whole in self._parts for end in _ends(whole, width)):
            if lines[-1] and cell_len((lines[-1] + part).rstrip()) > width:
                lines.append("")
            lines[-1] += part
        yield Text("\n".join(line.rstrip() for line in lines), overflow="fold")


def _ends(part: str, width: int) -> list[str]:
    """Break a part between the ends of an interval if it is longer than a line."""
    return [part] if cell_len(part.rstrip()) <= width else ENDS.findall(part)
