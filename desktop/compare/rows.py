"""The leaderboard's rows as a table: figures with marks and intervals, groups, ties."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtGui import QGuiApplication

from desktop.compare.cells import CELL, Bar, Cell
from desktop.compare.choice import EFFICIENCY, Grouping
from desktop.compare.standing import Standing, family_of
from desktop.theme.bill import kind_words, when_words
from monitor import figures
from monitor.compare.columns import COLUMNS, Figure, is_least
from monitor.compare.entries import Entry
from monitor.compare.frontier import Place
from monitor.compare.ranks import Ranked
from monitor.compare.report import score_cell
from monitor.power.channel import Kind

NOWHERE = QModelIndex()

RANK, MODEL = "rank", "model"

KEYS = (
    RANK, MODEL, "score", "energy", "token", "wh", "correct", "grams", "speed", "size",
    "memory", "training", EFFICIENCY,
)  # fmt: skip
"""The columns, from the left; those after the model are the keys of what can be ranked by."""

STARS = {Place.ON: "★", Place.MAY_BE: "☆"}

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Heading:
    """A row above those of a group."""

    text: str


Row = Ranked | Heading


def arrange(
    standing: Standing, grouping: Grouping, is_reversed: bool, unknown: str = figures.UNKNOWN
) -> list[Row]:
    """Put rows in order, below headings if they are grouped: the group of the first row first."""
    known = [row for row in standing.ranked if row.rank is not None]
    nameless = [row for row in standing.ranked if row.rank is None]
    ordered = [*(reversed(known) if is_reversed else known), *nameless]
    if grouping is Grouping.NOTHING:
        return list(ordered)
    name: dict[Grouping, Callable[[Entry], str]] = {
        Grouping.FAMILY: lambda entry: family_of(entry.setup),
        Grouping.QUANTISATION: lambda entry: entry.setup.quantisation,
        Grouping.MACHINE: lambda entry: entry.setup.machine,
    }
    groups: dict[str, list[Row]] = {}
    for row in ordered:
        groups.setdefault(name[grouping](standing.entries[row.row]) or unknown, []).append(row)
    return [each for text, rows in groups.items() for each in (Heading(text), *rows)]


class LeaderboardRows(QAbstractTableModel):
    """Shows a :class:`Standing`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._standing: Standing | None = None
        self._most_j = 1.0
        self._is_reversed = False
        self.titles = {
            RANK: self.tr("Rank"),
            MODEL: self.tr("Model"),
            "score": self.tr("Score"),
            "energy": self.tr("Energy an item"),
            "token": self.tr("J/token"),
            "wh": self.tr("Wh/1,000"),
            "correct": self.tr("J/correct"),
            "grams": self.tr("g CO₂e/1,000"),
            "speed": self.tr("Speed"),
            "size": self.tr("Size"),
            "memory": self.tr("Memory"),
            "training": self.tr("Training"),
            EFFICIENCY: self.tr("Efficiency"),
        }
        self._tips = {
            RANK: self.tr("One more than the rows told apart as better; = where some cannot be"),
            "score": self.tr("Share of right answers, its standard error; the whisker is 95 %"),
            "energy": self.tr(
                "Joules an item; the whisker is 95 %: sensors' errors and the scatter of runs"
            ),
            "token": self.tr("Decode energy an answer token, over this entry's benchmarks"),
            "wh": self.tr("Watt-hours for a thousand items"),
            "correct": self.tr("Energy an item over the share of right answers"),
            "grams": self.tr("Emissions of a thousand items where and when they were run"),
            "speed": self.tr("Answer tokens a second of decode"),
            "size": self.tr("Size of the model's file"),
            "memory": self.tr(
                "The most the engine's process held while it ran; a GPU's own memory is not in it"
            ),
            "training": self.tr(
                "CO₂e of the model's training, as it was entered: llamawatt models training"
            ),
            EFFICIENCY: self.tr("From 0 to 1, by the weights you set"),
        }

    def show_standing(
        self, standing: Standing | None, grouping: Grouping, is_reversed: bool
    ) -> None:
        """Show other rows, or the same in another order."""
        self.beginResetModel()
        self._standing, self._is_reversed = standing, is_reversed
        self.rows = arrange(standing, grouping, is_reversed) if standing else []
        energies = [e.per_item.energy.high_j for e in self._entries() if e.per_item]
        self._most_j = max(energies, default=0.0) or 1.0
        self.endResetModel()

    def _entries(self) -> Sequence[Entry]:
        return self._standing.entries if self._standing else ()

    def place_of(self, row: int) -> int | None:
        """Return where a row of the board stands in the table."""
        found = (at for at, r in enumerate(self.rows) if isinstance(r, Ranked) and r.row == row)
        return next(found, None)

    # --- what Qt asks --------------------------------------------------------------------

    def rowCount(self, parent: Any = NOWHERE) -> int:
        """Rows, headings among them."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Any = NOWHERE) -> int:
        """Columns."""
        return 0 if parent.isValid() else len(KEYS)

    def flags(self, index: Any) -> Qt.ItemFlag:
        """Headings cannot be selected."""
        is_heading = index.isValid() and isinstance(self.rows[index.row()], Heading)
        return Qt.ItemFlag.ItemIsEnabled if is_heading else super().flags(index)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles, and what they mean."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        key = KEYS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{self.titles[key]}{self._arrow(key)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tips.get(key)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(key)
        return None

    def _arrow(self, key: str) -> str:
        """Return which way the rows are in order of a column; nothing if they are not."""
        if self._standing is None or self._standing.column.key != key:
            return ""
        is_falling = self._standing.column.higher_is_better is not self._is_reversed
        return " ▾" if is_falling else " ▴"

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Texts, cells to draw, tooltips."""
        row, key = self.rows[index.row()], KEYS[index.column()]
        if isinstance(row, Heading):
            return _heading_data(row, role) if key == RANK else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(key)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, key)
        if role not in (CELL, Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        cell = self.cell(index.row(), key)
        if role == CELL:
            return cell
        star = self._star_words(row.row) if key == RANK else ""
        if role == Qt.ItemDataRole.DisplayRole:
            return cell.text
        return ", ".join(filter(None, (cell.text, cell.note, star)))

    # --- cells ---------------------------------------------------------------------------

    def cell(self, at: int, key: str) -> Cell:
        """Return what is drawn of a row in a column."""
        row, standing = self.rows[at], self._standing
        assert standing
        assert isinstance(row, Ranked)
        entry, is_picked = standing.entries[row.row], self._is_picked(row.row)
        if key == RANK:
            place = standing.places[row.row]
            made = Cell(
                row.label or figures.UNKNOWN,
                mark=STARS.get(place, "") if place else "",
                is_pale=place is Place.MAY_BE,
                joins=(self._ties(at, at - 1), self._ties(at, at + 1)),
                is_leading=True,
            )
        elif key == MODEL:
            made = Cell(entry.name, self._about(entry, standing.labels[row.row], is_picked))
        elif key == EFFICIENCY:
            value = standing.efficiencies[row.row]
            made = Cell(figures.UNKNOWN if value is None else f"{value:.2f}")
            made = replace(made, bar=None if value is None else Bar(value))
        else:
            made = self._figure_cell(entry, key)
        return replace(made, is_picked=is_picked)

    def _figure_cell(self, entry: Entry, key: str) -> Cell:
        figure = COLUMNS[key].figure(entry)
        if figure is None:
            return Cell(figures.UNKNOWN)
        match key:
            case "score":
                score = entry.score
                return Cell(score_cell(entry, False), bar=Bar(score.value, score.low, score.high))
            case "energy":
                text = figures.marked(kind_of(entry, key), figures.energy(figure.value))
                text = figures.at_least(text, is_least(entry, key))
                scaled = [
                    (x or 0.0) / self._most_j for x in (figure.value, figure.low, figure.high)
                ]
                return Cell(text, bar=Bar(*scaled))
            case "speed":
                return Cell(figures.rate(figure.value))
            case "size" | "memory":
                return Cell(figures.size(round(figure.value)))
            case "training":
                return Cell(figures.mass(figure.value))
        text = figures.marked(kind_of(entry, key), amount(key, figure.value))
        return Cell(figures.at_least(text, is_least(entry, key)), ends(key, figure))

    def _about(self, entry: Entry, label: str, is_picked: bool) -> str:
        setup = entry.setup
        parts = [self.tr("good enough")] if is_picked else []
        if told := label.removeprefix(entry.name).strip(" ()"):
            parts.append(told)
        if setup.parameters:
            parts.append(self.tr("%1 parameters").replace("%1", figures.count(setup.parameters)))
        if self._standing and self._standing.board.is_uneven:
            parts.append(self.tr("%1 items").replace("%1", f"{entry.score.items:,}"))
        return " · ".join([*parts, self._runs(entry)])

    def _runs(self, entry: Entry) -> str:
        """Say how often a row was measured; of a suite's mean, how often each of its tests."""
        runs, standing = len(entry.run_ids), self._standing
        tests = len(standing.board.exam.papers) if standing else 1
        if tests > 1 and runs == tests * entry.repeats:
            runs = entry.repeats
            words = self.tr("%2 tests × 1 run") if runs == 1 else self.tr("%2 tests × %1 runs")
        elif tests > 1:
            words = self.tr("%2 tests, %1 runs")
        else:
            words = self.tr("1 run") if runs == 1 else self.tr("%1 runs")
        return words.replace("%1", str(runs)).replace("%2", str(tests))

    def _is_picked(self, row: int) -> bool:
        pick = self._standing and self._standing.pick
        return bool(pick and pick.row == row and pick.is_sure)

    def _ties(self, at: int, other: int) -> bool:
        """Whether two rows of the table stand in a tie and beside each other."""
        if not 0 <= other < len(self.rows):
            return False
        one, next_to = self.rows[at], self.rows[other]
        if isinstance(one, Heading) or isinstance(next_to, Heading):
            return False
        return next_to.row in one.tied

    # --- tooltips ------------------------------------------------------------------------

    def _star_words(self, row: int) -> str:
        place = self._standing and self._standing.places[row]
        return {
            Place.ON: self.tr("★ no other scores as well for as little energy"),
            Place.MAY_BE: self.tr(
                "☆ another seems better in score and energy, but their intervals cannot tell"
            ),
        }.get(place or Place.OFF, "")

    def _tip(self, row: Ranked, key: str) -> str | None:
        standing = self._standing
        assert standing
        entry = standing.entries[row.row]
        if key == RANK:
            names = ", ".join(standing.labels[other] for other in row.tied)
            tied = self.tr("Cannot be told apart from: %1").replace("%1", names) if names else ""
            return "\n".join(filter(None, (tied, self._star_words(row.row)))) or None
        if key == MODEL:
            return self._setup_tip(entry, standing.labels[row.row])
        if key == "score":
            items = self.tr("%1 items").replace("%1", str(entry.score.items))
            return f"{score_cell(entry, True)}\n{items}"
        if key == "training":
            return (
                f"{entry.training.source}\n{entry.training.note}".strip()
                if entry.training
                else None
            )
        figure = COLUMNS[key].figure(entry) if key in COLUMNS else None
        return self._energy_tip(entry, key, figure) if figure and key not in EXACT else None

    def _setup_tip(self, entry: Entry, label: str) -> str:
        setup = entry.setup
        layers = self.tr("all") if setup.gpu_layers < 0 else str(setup.gpu_layers)
        return "\n".join(
            (
                label,
                self.tr("Architecture: %1").replace("%1", setup.architecture),
                self.tr("Machine: %1").replace("%1", setup.machine),
                self.tr("Threads: %1").replace("%1", str(setup.threads)),
                self.tr("GPU layers: %1").replace("%1", layers),
                self.tr("llama-cpp-python %1").replace("%1", setup.llama_cpp),
                self.tr("Newest run: %1").replace("%1", when_words(entry.started_at)),
            )
        )

    def _energy_tip(self, entry: Entry, key: str, figure: Figure) -> str:
        found = entry.per_item
        lines = [self.tr("%1 at 95 %").replace("%1", ends(key, figure))]
        lines.append(kind_words(kind_of(entry, key)))
        if found and key != "token":
            domains = ", ".join(domain.upper() for domain in sorted(found.domains))
            lines.append(self.tr("Measured: %1").replace("%1", domains))
            if not found.resolved:
                lines.append(self.tr("too few readings of a sensor to resolve it; repeat it"))
            if entry.left_out:
                lines.append(self.tr("Runs measured otherwise count towards the score only."))
        if key == "grams":
            lines.append(self.tr("The interval carries the energy's only."))
        return "\n".join(lines)


def _heading_data(row: Heading, role: int) -> Any:
    if role == Qt.ItemDataRole.FontRole:
        font = QGuiApplication.font()
        font.setBold(True)
        return font
    return row.text if role == Qt.ItemDataRole.DisplayRole else None


EXACT = {"speed", "size", "memory", "training"}
"""Columns without an interval."""


def kind_of(entry: Entry, key: str) -> Kind | None:
    """Return the kind of a column's joules."""
    if key == "token":
        return entry.per_token_kind
    return entry.per_item.kind if entry.per_item else None


def amount(key: str, value: float) -> str:
    """Write a figure; the unit only where its column does not name it."""
    return figures.energy(value) if key == "energy" else figures.significant(value)


def ends(key: str, figure: Figure) -> str:
    """Write the ends of a figure's interval in the figure's unit, an unknown one as a dash."""
    if figure.low is None:
        return ""
    size, unit = figures.unit_for(figure.value, figures.ENERGY) if key == "energy" else (1.0, "")
    high = figures.UNKNOWN if figure.high is None else figures.significant(figure.high / size)
    return f"{figures.significant(figure.low / size)}–{high} {unit}".rstrip()


def _alignment(key: str) -> Qt.AlignmentFlag:
    return LEFT if key in (RANK, MODEL, "score", "energy") else RIGHT
