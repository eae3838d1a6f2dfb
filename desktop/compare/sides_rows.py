"""Figures of two to four queries as a table: a column each, with differences to the first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from desktop.compare.cells import CELL, Cell
from desktop.compare.overlay import LETTERS
from desktop.theme.bill import full_time, kind_words, when_words
from monitor import figures
from monitor.compare.contrast import Contrast
from monitor.compare.report import amount_text, difference_text, energy_cell
from monitor.compare.side_by_side import (
    PER_ANSWER_TOKEN,
    PER_ITEM,
    PER_PROMPT_TOKEN,
    PHASES,
    WHOLE,
    Side,
)
from monitor.energy.account import DECODE, LOAD, PREFILL, weakest
from monitor.energy.difference import Verdict
from monitor.energy.interval import Interval
from monitor.energy.parts import is_lower_bound
from monitor.power.channel import Kind
from monitor.store.records import QueryRecord

NOWHERE = QModelIndex()

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

ROOMY = 2
"""Up to so many queries there is room for a verdict and its percentage on one line."""

PROMPT_LENGTH = 48
"""Characters of a prompt in a header's tooltip."""


@dataclass(frozen=True, slots=True)
class SideRow:
    """One figure of every query.

    :param lines: of differences below the figures
    """

    name: str
    cells: list[Cell]
    tips: list[str]
    lines: int


class SidesRows(QAbstractTableModel):
    """A column for each query, a row for each figure with its difference to the first's."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sides: tuple[Side, ...] = ()
        self.rows: list[SideRow] = []
        self._phase_names = {
            WHOLE: self.tr("Energy"),
            PREFILL: self.tr("Prefill"),
            DECODE: self.tr("Decode"),
            LOAD: self.tr("Loading, beside it"),
        }
        self._per_names = {
            PER_PROMPT_TOKEN: self.tr("A prompt token"),
            PER_ANSWER_TOKEN: self.tr("An answer token"),
            PER_ITEM: self.tr("An item"),
        }

    def show_sides(self, sides: tuple[Side, ...]) -> None:
        """Show other queries."""
        self.beginResetModel()
        self._sides = sides
        self.rows = [*self._energy_rows(), *self._plain_rows()]
        self.endResetModel()

    def _energy_rows(self) -> list[SideRow]:
        rows = []
        for phase in PHASES:
            if any(phase in side.energies for side in self._sides):
                found = [side.energies.get(phase) for side in self._sides]
                energies = [(t.energy, t.kind) if t else (None, None) for t in found]
                differences = [side.differences.get(phase) for side in self._sides]
                lacks = [side.lacks(phase) for side in self._sides]
                rows.append(self._row(self._phase_names[phase], energies, differences, lacks))
        for what, name in self._per_names.items():
            if any(what in side.per for side in self._sides):
                energies = [(side.per.get(what), _kind_of(side)) for side in self._sides]
                differences = [side.per_differences.get(what) for side in self._sides]
                lacks = [what in side.per and side.lacks_per(what) for side in self._sides]
                rows.append(self._row(name, energies, differences, lacks))
        return rows

    def _row(
        self,
        name: str,
        energies: Sequence[tuple[Interval | None, Kind | None]],
        differences: Sequence[Contrast | None],
        lacks: Sequence[bool],
    ) -> SideRow:
        cells, tips = [], []
        break_ = "\n" if len(self._sides) > ROOMY else ", "
        for n, ((energy, kind), difference) in enumerate(zip(energies, differences, strict=True)):
            text = figures.at_least(energy_cell(energy, kind, True), lacks[n])
            words = self.difference_words(difference)
            if not any(words) and n and energy and energies[0][0]:
                words = (self.tr("not compared"), "")
            # Where there is nothing to say the line is blank, so that figures stay level.
            cells.append(Cell(text, break_.join(filter(None, words)) or " "))
            tip = [text, kind_words(kind if energy else None)]
            tips.append("\n".join([*tip, *self._difference_tips(difference, words)]))
        lines = max(len(cell.note.split("\n")) for cell in cells)
        level = [replace(c, note=c.note + "\n " * (lines - len(c.note.split("\n")))) for c in cells]
        return SideRow(name, level, tips, lines)

    def difference_words(self, difference: Contrast | None) -> tuple[str, str]:
        """Return the verdict and what it is of in percent: lower, −61 % (−66 to −55).

        Where there is no verdict, or none of more than these two, it is what the two differ by.
        """
        if difference is None:
            return ("", "")
        these = self.tr("these two: %1").replace("%1", amount_text(difference.measured))
        if difference.verdict is None:
            return ("", these)
        if difference.is_same:
            return self.tr("cannot tell"), these
        names = {
            Verdict.LOWER: self.tr("lower"),
            Verdict.HIGHER: self.tr("higher"),
            Verdict.CANNOT_TELL: self.tr("cannot tell"),
        }
        return names[difference.verdict], difference_text(difference.shown)

    def _difference_tips(self, difference: Contrast | None, words: Sequence[str]) -> list[str]:
        if difference is None:
            return []
        measured = self.tr("measured of these two: %1; how runs scatter is not in it")
        tips = [measured.replace("%1", difference_text(difference.measured))]
        if difference.verdict is not None:
            against = self.tr("against A, at 95 %: %1").replace("%1", ", ".join(words))
            tips.insert(0, against)
        return tips

    def _plain_rows(self) -> list[SideRow]:
        records = [side.record for side in self._sides]
        rows = [
            (self.tr("Time"), [figures.duration(r.seconds.total) for r in records]),
            (self.tr("First token"), [figures.duration(r.seconds.first_token) for r in records]),
            (self.tr("Speed"), [figures.rate(r.tokens_per_s) for r in records]),
            (self.tr("Prompt tokens"), [self._prompt_tokens(r) for r in records]),
            (self.tr("Answer tokens"), [f"{r.tokens.completion:,}" for r in records]),
            (self.tr("CO₂e"), [self._grams(side) for side in self._sides]),
        ]
        if any(side.items is not None for side in self._sides):
            items = [figures.UNKNOWN if s.items is None else f"{s.items:,}" for s in self._sides]
            rows.append((self.tr("Items"), items))
        return [
            SideRow(name, [Cell(text) for text in texts], [""] * len(texts), 0)
            for name, texts in rows
            if set(texts) != {figures.UNKNOWN}
        ]

    def _prompt_tokens(self, record: QueryRecord) -> str:
        if not record.tokens.reused:
            return f"{record.tokens.prompt:,}"
        text = self.tr("%1, %2 of them reused").replace("%1", f"{record.tokens.prompt:,}")
        return text.replace("%2", f"{record.tokens.reused:,}")

    def _grams(self, side: Side) -> str:
        carbon = side.record.footprint
        text = figures.mass(carbon.grams if carbon else None)
        marked = figures.marked(side.record.bill.total().kind, text)
        return figures.at_least(marked, is_lower_bound(side.record.bill))

    # --- what Qt asks --------------------------------------------------------------------

    def rowCount(self, parent: Any = NOWHERE) -> int:
        """Figures."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Any = NOWHERE) -> int:
        """Queries, and what their figures are before them."""
        return 0 if parent.isValid() else len(self._sides) + 1

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of figures, and of queries by their letters."""
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT
        if not section:
            return "" if role == Qt.ItemDataRole.DisplayRole else None
        record, letter = self._sides[section - 1].record, LETTERS[section - 1]
        model, when = record.model, when_words(record.started_at)
        name, quantisation = (model.name, model.quantisation) if model else (figures.UNKNOWN, "")
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{' · '.join(filter(None, (letter, quantisation, when)))}\n{name}"
        if role == Qt.ItemDataRole.ToolTipRole:
            prompt = " ".join(record.prompt.split())[:PROMPT_LENGTH]
            named = f"{name} {quantisation}".strip()
            return "\n".join((named, full_time(record.started_at), prompt, record.id))
        return None

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Figures with what they differ by."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT
        if not index.column():
            if role == CELL:
                return Cell(row.name, "\n".join(" " * row.lines))
            return row.name if role == Qt.ItemDataRole.DisplayRole else None
        cell = row.cells[index.column() - 1]
        if role == CELL:
            return cell
        if role == Qt.ItemDataRole.DisplayRole:
            return "\n".join((cell.text, cell.note)).strip()
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.tips[index.column() - 1] or None
        return None


def _kind_of(side: Side) -> Kind | None:
    return weakest(total.kind for total in side.energies.values() if total.kind)
