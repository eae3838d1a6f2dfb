"""Tables on a terminal, in one plain style."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from monitor.clock import zone_words

WIDE = 110
"""Characters from which a terminal has room for every column of the history."""

WHOLE = ("id", "key", "when", "used", "latest")

GAP = 2
"""Characters between two columns."""


def make_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table of the program's plain style; ``right`` columns are for figures.

    What is copied from it, identifiers and keys, and moments are never broken.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            no_wrap=column in WHOLE,
        )
    return table


def no_room_note(left_out: Sequence[str]) -> list[Text]:
    """Say what of a table a terminal has no room for; nothing where all of it is shown."""
    if not left_out:
        return []
    them = "them" if left_out[1:] else "it"
    words = f"No room for: {', '.join(left_out)}. A wider terminal or --json shows {them}."
    return [Text(words, style="dim")]


def times_note(moments: Iterable[str]) -> Text:
    """Say which zone the moments of a table are of.

    :param moments: UTC, ISO 8601
    """
    return Text(f"Times are {zone_words(moments)}.", style="dim")
