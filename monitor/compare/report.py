"""The leaderboard in words and cells: what a terminal shows, and a window may."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from monitor import figures
from monitor.compare.board import Board
from monitor.compare.cascade import Cascade, foremost
from monitor.compare.columns import is_least
from monitor.compare.contrast import Contrast, remarks
from monitor.compare.entries import Entry
from monitor.compare.frontier import Place
from monitor.compare.ranks import Ranked
from monitor.compare.side_by_side import PER_ITEM, PHASES, WHOLE, Side
from monitor.energy.account import LOAD, weakest
from monitor.energy.difference import Difference
from monitor.energy.interval import Interval
from monitor.power.channel import Kind

FRONTIER_MARKS = {Place.ON: "★", Place.MAY_BE: "☆", Place.OFF: ""}

FRONTIER_LEGEND = "★ on the frontier of score and energy  ☆ may be"

INTERVALS = "95 % intervals"

UNBOUNDED = 10_000
"""Characters a line may have where nothing bounds it: every column has room."""

MODEL_LEAST = 20
"""Characters a model's name has at least, if it is as long, before a figure gives way to it."""

WORD_MOST = 32
"""Up to so many characters a word of a model's name is never broken: a figure gives way to it."""

GAP = 2
"""Characters between two columns."""

MOST_CASCADES = 6
"""Simulated pairs that are told; the window draws as many."""


def score_cell(entry: Entry, with_interval: bool) -> str:
    """Write a score: 52.5 % ± 7.9 (37.5–67.1)."""
    score = entry.score
    error = f" ± {100 * score.stderr:.1f}" if score.stderr is not None else ""
    interval = f" ({100 * score.low:.1f}–{100 * score.high:.1f})" if with_interval else ""
    return f"{100 * score.value:.1f} %{error}{interval}"


def energy_cell(energy: Interval | None, kind: Kind | None, with_interval: bool) -> str:
    """Write an energy with its mark: ◐ 12.3 J (11.8–13.0 J)."""
    if energy is None:
        return figures.UNKNOWN
    text = figures.energy(energy.joules)
    return figures.marked(kind, f"{text} {figures.bounds(energy)}" if with_interval else text)


def _joules(energy: Interval | None, kind: Kind | None, with_interval: bool = False) -> str:
    """Write an energy in joules, whatever its size, as its column names them."""
    if energy is None:
        return figures.UNKNOWN
    ends = f" ({figures.span_in_joules(energy.low_j, energy.high_j)})" if with_interval else ""
    return figures.marked(kind, f"{figures.joules(energy.joules)}{ends}")


def _plain(interval: Interval | None, kind: Kind | None) -> str:
    """Write a figure whose unit its column names."""
    if interval is None:
        return figures.UNKNOWN
    return figures.marked(kind, figures.significant(interval.joules))


Cell = Callable[[Entry, bool], str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of the leaderboard for a terminal.

    :param key: what ``--sort`` calls it
    :param cell: writes a row's figure, with its interval if asked to
    :param gives_way: place in the order in which columns make room
    """

    key: str
    title: str
    cell: Cell
    gives_way: int


def _kind(entry: Entry) -> Kind | None:
    return entry.per_item.kind if entry.per_item else None


def _least(key: str, title: str, write: Cell, gives_way: int) -> Shown:
    """Have a column mark a figure where not every part was read that belongs to it."""

    def cell(entry: Entry, with_interval: bool) -> str:
        return figures.at_least(write(entry, with_interval), is_least(entry, key))

    return Shown(key, title, cell, gives_way)


def _bytes(count: int | None) -> str:
    return figures.size(count) if count else figures.UNKNOWN


def _training_g(entry: Entry) -> float | None:
    return entry.training.grams if entry.training else None


def _joules_per_item(entry: Entry, with_interval: bool) -> str:
    energy = entry.per_item.energy if entry.per_item else None
    return _joules(energy, _kind(entry), with_interval)


COLUMNS = (
    Shown("score", "score", score_cell, 9),
    _least("energy", "J/item", _joules_per_item, 8),
    _least("token", "J/token", lambda e, _: _joules(e.per_token, e.per_token_kind), 7),
    _least("wh", "Wh/1,000", lambda e, _: _plain(e.wh_per_1000, _kind(e)), 2),
    _least("correct", "J/correct", lambda e, _: _joules(e.joules_per_correct, _kind(e)), 5),
    _least("grams", "g CO₂e/1,000", lambda e, _: _plain(e.grams_per_1000, _kind(e)), 4),
    Shown("speed", "speed", lambda e, _: figures.rate(e.tokens_per_s), 6),
    Shown("size", "size", lambda e, _: _bytes(e.setup.size_bytes), 3),
    Shown("memory", "memory", lambda e, _: _bytes(e.memory_bytes), 1),
    Shown("training", "training", lambda e, _: figures.mass(_training_g(e)), 0),
)
"""What the leaderboard tells; columns give way as those of the window do."""

ITEMS = Shown("items", "items", lambda entry, _: f"{entry.score.items:,}", 10)
"""How many items a row has done, where not all have done as many."""


@dataclass(frozen=True, slots=True)
class BoardTable:
    """The leaderboard as a terminal shows it.

    :param left_out: what there was no room for, as it gave way
    """

    header: list[str]
    rows: list[list[str]]
    left_out: tuple[str, ...]

    @property
    def legend(self) -> str:
        """What the signs at its scores and ranks mean."""
        brackets = () if INTERVALS in self.left_out else ("in brackets 95 %",)
        return "; ".join(("±: standard error", *brackets, "=: cannot be told apart from others"))


def board_table(
    board: Board,
    ranked: Sequence[Ranked],
    places: Sequence[Place | None],
    width: int,
    sort: str = "score",
) -> BoardTable:
    """Return the leaderboard for a terminal so many characters wide.

    Where there is no room for all of it intervals are left out, then a column after the other.
    The score and what it is weighed against stay, which may still be wider: the column that ranks,
    or the energy an item.

    :param sort: key of the column that ranks
    """
    shown, with_intervals = list(COLUMNS), True
    left_out: list[str] = []
    against = sort if sort != "score" and sort in {column.key for column in COLUMNS} else "energy"
    if board.is_uneven:
        shown.insert(1, ITEMS)
    while True:
        header, rows = _table(board, ranked, places, shown, with_intervals)
        dispensable = [each for each in shown if each.key not in ("score", "items", against)]
        if _width(header, rows) <= width or not (with_intervals or dispensable):
            return BoardTable(header, rows, tuple(left_out))
        if with_intervals:
            with_intervals = False
            left_out.append(INTERVALS)
        else:
            first = min(dispensable, key=lambda column: column.gives_way)
            shown.remove(first)
            left_out.append(first.title)


def _table(
    board: Board,
    ranked: Sequence[Ranked],
    places: Sequence[Place | None],
    shown: Sequence[Shown],
    with_intervals: bool,
) -> tuple[list[str], list[list[str]]]:
    rows = []
    for each in ranked:
        place, entry = places[each.row], board.entries[each.row]
        mark = FRONTIER_MARKS[place] if place else ""
        cells = [column.cell(entry, with_intervals) for column in shown]
        rows.append([mark, each.label, board.labels[each.row], *cells])
    return ["", "rank", "model", *(column.title for column in shown)], rows


def _width(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return the characters a table needs at least; only models' names may be broken, between
    their words."""
    widths = [max(map(cell_len, cells)) for cells in zip(header, *rows, strict=True)]
    model = header.index("model")
    longest = max(cell_len(word) for row in (header, *rows) for word in row[model].split())
    widths[model] = min(widths[model], max(min(longest, WORD_MOST), MODEL_LEAST))
    return sum(widths) + GAP * (len(widths) - 1)


def cascade_lines(board: Board, cascades: Sequence[Cascade]) -> Iterator[str]:
    """Say where those that score most for their energy come closest to the large model's score.

    :param cascades: of which at least one is there
    """
    first = [cascade for cascade, _ in foremost(board.entries, cascades)][:MOST_CASCADES]
    for cascade in first:
        names = f"{board.labels[cascade.small]} → {board.labels[cascade.large]}"
        energy = board.entries[cascade.large].per_item
        cheaper = [
            point
            for point in cascade.points
            if point.share and energy and point.joules_per_item < energy.energy.joules
        ]
        best = max(cheaper, key=lambda point: (point.score, -point.joules_per_item), default=None)
        if best is None:
            yield f"{names}: no threshold takes less than the second alone."
            continue
        cost = figures.marked(cascade.kind, figures.energy(best.joules_per_item))
        share, score = f"{100 * best.share:.0f} %", f"{100 * best.score:.1f} %"
        yield f"{names}: passing on {share} would have scored {score} for {cost} an item."
    many = f"{len(cascades):,} pairs" if len(cascades) > 1 else "1 pair"
    if not first:
        yield f"None of {many} scores more for its energy than a model alone."
    elif len(cascades) > len(first):
        yield f"These are those of {many} that score most for their energy."


# --- side by side ------------------------------------------------------------------------------

PHASE_TITLES = {WHOLE: "energy", LOAD: "loading, beside it"}


def sides_table(sides: Sequence[Side]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: a column for each side, its difference under each figure.

    Under each stands what the runs say of it, and by how much these two differ.
    """
    rows = []
    for phase in PHASES:
        if any(phase in side.energies for side in sides):
            rows.append([PHASE_TITLES.get(phase, phase), *(_energy(s, phase) for s in sides)])
            rows += _differences([side.differences.get(phase) for side in sides])
    for what in dict.fromkeys(what for side in sides for what in side.per):
        rows.append([f"J/{what}", *(_per(side, what) for side in sides)])
        rows += _differences([side.per_differences.get(what) for side in sides])
    rows.append(["time", *(figures.duration(side.record.seconds.total) for side in sides)])
    rows.append(["tokens", *(_tokens(side) for side in sides)])
    rows.append(["speed", *(figures.rate(side.record.tokens_per_s) for side in sides)])
    if any(side.items is not None for side in sides):
        rows.append([f"{PER_ITEM}s", *(str(side.items or figures.UNKNOWN) for side in sides)])
    kept = [row for row in rows if any(row)]
    return ["", *(side.name for side in sides)], kept


def difference_text(difference: Difference) -> str:
    """Write a difference: −61 % (−66 to −55)."""
    text, percent = amount_text(difference), difference.relative
    if percent is not None:
        text += f" ({percent.low:+.0f} to {percent.high:+.0f})"
    return text.replace("-", "−")


def amount_text(difference: Difference) -> str:
    """Write a difference without its interval: −61 %.

    Of two single runs this says little enough: what the measurement leaves in doubt is next to
    nothing beside how runs scatter.
    """
    percent = difference.relative
    if percent is None:
        return f"{'+' if difference.joules > 0 else '−'}{figures.energy(abs(difference.joules))}"
    return f"{percent.value:+.0f} %".replace("-", "−")


def _differences(found: Sequence[Contrast | None]) -> list[list[str]]:
    told = ["", *(_verdict(each) for each in found)]
    these = ["", *(f"these two: {amount_text(c.measured)}" if c else "" for c in found)]
    return [told, these]


def _verdict(contrast: Contrast | None) -> str:
    """Write what the runs say: higher, +12 % (+5 to +19)."""
    if contrast is None or contrast.verdict is None:
        return ""
    if contrast.is_same:
        return str(contrast.verdict)
    return f"{contrast.verdict}, {difference_text(contrast.shown)}"


def side_lines(side: Side, translate: Callable[[str], str] = str) -> list[str]:
    """Say what the verdict on a side rests on, or why there is none, a sentence each.

    :param translate: for the window's language
    """
    notes = [side.note] if side.note else []
    if contrast := side.leading:
        notes += remarks(contrast, side.record.id, side.items is not None, translate)
    return notes


def _energy(side: Side, phase: str) -> str:
    total = side.energies.get(phase)
    if total is None:
        return figures.UNKNOWN
    text = energy_cell(total.energy, total.kind, True)
    return figures.at_least(text, side.lacks(phase))


def _per(side: Side, what: str) -> str:
    kind = weakest(total.kind for total in side.energies.values() if total.kind)
    return figures.at_least(energy_cell(side.per.get(what), kind, True), side.lacks_per(what))


def _tokens(side: Side) -> str:
    tokens = side.record.tokens
    reused = f" ({tokens.reused} reused)" if tokens.reused else ""
    return f"{tokens.prompt}{reused} + {tokens.completion}"
