"""Advice on a terminal: its sentences are wrapped, the commands in it are not.

What a person copies from a terminal has a line break wherever a program wrote one, and none where
the terminal itself broke a line that was too long: a command that was wrapped here could not be
pasted.
"""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

WHOLE = re.compile(r"[^\s`]*`[^`]*`[^\s`]*|\S+")
"""What is never broken: a word, and a command in backticks with the signs around it."""


class CopyableText:
    """Sentences with commands that are to be copied.

    A command stands in backticks, or alone on the line below one that ends in a colon. Each is
    written on one line, however long; only a table's column, which holds nothing wider than
    itself, folds what is longer than a line of it.

    :param text: as it is to be read
    :param style: of all of it
    """

    def __init__(self, text: str, style: str = "") -> None:
        self._lines, self._style = text.split("\n"), style

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        longest = max(cell_len(part) for line in self._lines for part in ["", *_parts(line)])
        whole = max(map(cell_len, self._lines))
        return Measurement(longest, whole).with_maximum(options.max_width)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[str] = []
        announced = False
        for line in self._lines:
            lines += [line] if announced else _wrapped(line, options.max_width)
            announced = not announced and line.endswith(":")
        is_cell = options.overflow is not None
        text = Text("\n".join(lines), self._style)
        text.no_wrap, text.overflow = not is_cell, options.overflow or "ignore"
        yield text


def _parts(line: str) -> list[str]:
    return WHOLE.findall(line)


def _wrapped(line: str, width: int) -> Iterator[str]:
    """Break a line between its parts; a part that is longer than a line has one of its own."""
    begun = ""
    for part in _parts(line):
        longer = f"{begun} {part}".lstrip()
        if begun and cell_len(longer) > width:
            yield begun
            longer = part
        begun = longer
    yield begun
