"""The leaderboard as text, for a spreadsheet or a page."""

from collections.abc import Iterable, Sequence

from desktop.compare.standing import Standing
from monitor import figures
from monitor.bill_words import LEGEND
from monitor.compare.columns import COLUMNS
from monitor.compare.report import FRONTIER_LEGEND, UNBOUNDED, board_table
from monitor.exchange.tables import safe

DECIMALS = 6
"""Significant digits for a spreadsheet, which reckons on with them."""


def as_markdown(standing: Standing) -> str:
    """Return the table as people read it, in the order of the ranks."""
    table = board_table(standing.board, standing.ranked, standing.places, UNBOUNDED)
    lines = [_line(table.header), _line(["---"] * 3 + ["---:"] * (len(table.header) - 3))]
    lines += [_line(row) for row in table.rows]
    notes = [f"{LEGEND}   {FRONTIER_LEGEND}", table.legend, *standing.board.notes]
    return "\n".join([f"**{standing.board.exam.title}**", "", *lines, "", *_paragraphs(notes)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _paragraphs(notes: Sequence[str]) -> list[str]:
    return "\n\n".join(notes).split("\n")


def as_tsv(standing: Standing) -> str:
    """Return plain numbers with the ends of their 95 % intervals; what is unknown is empty."""
    columns = list(COLUMNS.values())
    header = ["rank", "model", "machine", "energy from"]
    for column in columns:
        header += [column.title, f"{column.title} low", f"{column.title} high"]
    lines = [header]
    for each in standing.ranked:
        entry = standing.entries[each.row]
        kind = figures.KIND_WORDS[entry.per_item.kind] if entry.per_item else ""
        cells = [each.label, safe(standing.labels[each.row]), safe(entry.setup.machine), kind]
        for column in columns:
            figure = column.figure(entry)
            values = (figure.value, figure.low, figure.high) if figure else (None,) * 3
            cells += ["" if value is None else f"{value:.{DECIMALS}g}" for value in values]
        lines.append(cells)
    return "\n".join("\t".join(" ".join(cell.split()) for cell in line) for line in lines) + "\n"
