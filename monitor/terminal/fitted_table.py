"""A table of names and figures, as wide as the terminal: no figure in it is ever broken."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.markup import escape

from monitor.terminal.jointed_cell import FIGURES, NAME, JointedCell
from monitor.terminal.plain_table import GAP, make_table, no_room_note

NAMES = {"model": NAME, "part": FIGURES, "subject": FIGURES, "rule": FIGURES}
"""Columns that are no figures, and what of them is never broken."""

LEAST = 20
"""Characters of such a column, if it is as wide, that it keeps before an interval gives way to it;
before a column does it keeps its longest word, if that is no longer than this."""

BREAKS: Sequence[Mapping[str, str]] = (
    {},
    {" (": "\n("},
    {" (": "\n(", "–": "–\n", " ± ": "\n± "},
)
"""Where figures go on in another line, the narrower the room: before their interval, and last
between its ends and before an error."""


def fitted_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], lesser: Sequence[str], width: int
) -> RenderableType:
    """Draw a table for a terminal so many characters wide.

    :param lesser: columns that a narrow terminal does without, the first of them first
    """
    shown, left_out, breaks = list(range(len(header))), list[str](), 0
    while _width(widths := _least(cells := _broken(header, rows, shown, breaks), breaks)) > width:
        found = [index for name in lesser for index in shown if header[index] == name]
        if breaks and found:
            shown.remove(found[0])
            left_out.append(header[found[0]])
        elif breaks + 1 < len(BREAKS):
            breaks += 1
        else:
            break
    titles = cells[0]
    table = make_table(*titles, right=[title for title in titles if title not in NAMES])
    _share_out(cells, widths, width)
    for column, least in zip(table.columns, widths, strict=True):
        column.no_wrap = column.header not in NAMES
        # Where there is not even room for that, names are broken rather than figures.
        if not column.no_wrap and _width(widths) <= width:
            column.width = least
    for row in cells[1:]:
        table.add_row(
            *(
                JointedCell(cell, NAMES[title]) if title in NAMES else escape(cell)
                for title, cell in zip(titles, row, strict=True)
            )
        )
    return Group(table, *no_room_note(left_out))


def _broken(
    header: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int], breaks: int
) -> list[list[str]]:
    """Return the cells of some columns, the titles first, with figures broken to so many lines."""
    cells = [[row[index] for index in shown] for row in (header, *rows)]
    for row in cells[1:]:
        for place, index in enumerate(shown):
            if header[index] not in NAMES:
                for joint, end in BREAKS[breaks].items():
                    row[place] = row[place].replace(joint, end)
    return cells


def _least(cells: Sequence[Sequence[str]], breaks: int) -> list[int]:
    """Return the characters that each column needs at least."""
    widths = []
    for title, *texts in zip(*cells, strict=True):
        longest = max(map(_longest, (title, *texts)))
        if parts := NAMES.get(title):
            words = (word.rstrip() for text in (title, *texts) for word in parts.findall(text))
            longest = min(max(map(cell_len, words)) if breaks else longest, LEAST)
        widths.append(longest)
    return widths


def _share_out(cells: Sequence[Sequence[str]], widths: list[int], width: int) -> None:
    """Give what room is left to the narrowest of those names that are longer."""
    whole = [max(map(_longest, texts)) for texts in zip(*cells, strict=True)]
    for _ in range(width - _width(widths)):
        cut = [at for at in range(len(widths)) if widths[at] < whole[at]]
        if cut:
            widths[min(cut, key=widths.__getitem__)] += 1


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _longest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))
