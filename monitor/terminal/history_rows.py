"""The newest queries on a terminal, a line each."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape

from monitor import figures
from monitor.clock import local_minute
from monitor.store.records import QueryRow, Status
from monitor.terminal.plain_table import GAP, WIDE, make_table, no_room_note, times_note

LEAST_PROMPT = 12
"""Characters of a prompt by which it can be told from others."""

ROW_COLUMNS = ("id", "when", "model", "energy", "CO₂e", "tokens", "prompt")

LESSER_COLUMNS = ("CO₂e", "tokens", "model", "when")
"""Columns a narrow terminal does without, the first of them first; no other is ever cut."""

STATUS_STYLES = {Status.DONE: "", Status.RUNNING: "cyan"}


def rows_table(rows: Sequence[QueryRow], width: int) -> RenderableType:
    """Draw the newest queries, each on one line of a terminal so many characters wide."""
    listed = [_row_cells(row, width >= WIDE) for row in rows]
    widths = {
        name: max(len(name), *(len(cells[name]) for cells in listed)) + GAP
        for name in ROW_COLUMNS
        if name != "prompt"
    }
    left_out = []
    for name in LESSER_COLUMNS:
        if sum(widths.values()) + LEAST_PROMPT <= width:
            break
        del widths[name]
        left_out.append(name)
    room = width - sum(widths.values())
    table = make_table(*widths, "prompt", right=("energy", "CO₂e", "tokens"))
    for column in table.columns:
        column.no_wrap = True
        column.min_width = widths.get(str(column.header), GAP) - GAP
    for row, cells in zip(rows, listed, strict=True):
        shown = [*(cells[name] for name in widths), _cut(cells["prompt"], room)]
        table.add_row(*map(escape, shown), style=STATUS_STYLES.get(row.status, "yellow"))
    notes = [times_note(row.started_at for row in rows)] if "when" in widths else []
    return Group(table, *notes, *no_room_note(left_out))


def _row_cells(row: QueryRow, is_wide: bool) -> dict[str, str]:
    status = "" if row.status is Status.DONE else f"[{row.status}] "
    status += "[throttled] " if row.throttled else ""
    status += "[busy] " if row.beside else ""
    status += "".join(f"#{tag} " for tag in row.tags)
    energy = figures.marked(row.energy_kind, figures.energy(row.energy_j))
    return {
        "id": row.id[-8:],
        "when": local_minute(row.started_at)[0 if is_wide else 5 :],
        "model": _cut_model(row.model, row.quantisation, 30 if is_wide else 16),
        "energy": figures.at_least(energy, row.partly_read),
        "CO₂e": figures.at_least(figures.mass(row.grams), row.partly_read),
        "tokens": str(row.completion_tokens),
        "prompt": status + " ".join(row.prompt.split()),
    }


def _cut_model(name: str, quantisation: str, length: int) -> str:
    """Write a model within so many characters; quantisations of one can still be told apart."""
    room = max(length - len(quantisation) - 1, 0)
    return f"{_cut(name, room)} {quantisation}".strip() if room else _cut(name, length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"
