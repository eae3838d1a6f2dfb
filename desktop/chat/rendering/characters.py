"""Texts of models made fit for Qt, and offsets told between Python and Qt."""

import re
from bisect import bisect_right

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNFIT = re.compile("[\0\ufdd0-\ufdef\ufffc\ufffe\uffff\ud800-\udfff]")
"""NUL, what Qt takes for its own marks inside a document, and halves of surrogate pairs."""

_LINE_ENDS = str.maketrans({"\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"})


def displayable(text: str) -> str:
    """Return a text of the same length that Qt shows as it is; carriage returns stay."""
    return _UNFIT.sub(REPLACEMENT, text).translate(_LINE_ENDS)


def plain(text: str) -> str:
    """Return a text of the same length with line feeds as its only line ends."""
    return displayable(text).replace("\r\n", "\N{ZERO WIDTH SPACE}\n").replace("\r", "\n")


class Offsets:
    """Tells where a character of a Python text stands in Qt's, which counts in UTF-16 units."""

    def __init__(self, text: str) -> None:
        self._wide = [match.start() for match in re.finditer("[\U00010000-\U0010ffff]", text)]
        self._wide_units = [start + index for index, start in enumerate(self._wide)]

    def to_qt(self, offset: int) -> int:
        """Return the UTF-16 offset of a character offset."""
        return offset + bisect_right(self._wide, offset - 1)

    def to_python(self, position: int) -> int:
        """Return the character offset of a UTF-16 offset."""
        return position - bisect_right(self._wide_units, position - 1)
