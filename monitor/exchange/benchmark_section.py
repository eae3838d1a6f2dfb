"""The report's benchmarks: what models scored, what that took, and both in one picture."""

from html import escape

from monitor import figures
from monitor.compare.board import Board, Leaderboard
from monitor.compare.columns import find_column
from monitor.compare.entries import Entry
from monitor.compare.frontier import Place, frontier
from monitor.compare.ranks import rank
from monitor.exchange import svg
from monitor.exchange.markup import figure_cell, section, table
from monitor.store.bench_records import BENCH
from monitor.store.filters import Filter
from monitor.store.history import History

MOST_EXAMS = 6
"""Those with most entrants; a report is no catalogue."""

HEADER = (
    "", "Rank", "Model", "Score", "An item", "A right answer", "1,000 items", "CO₂e/1,000", "Speed"
)  # fmt: skip


def boards_of(history: History, chosen: Filter) -> list[Board]:
    """Return what was asked of a filter's models with what came of it; most entrants first."""
    if chosen.picks or chosen.statuses or (chosen.kinds and BENCH not in chosen.kinds):
        return []
    leaderboard = Leaderboard(history)
    exams = leaderboard.exams(chosen)[:MOST_EXAMS]
    boards = (leaderboard.board(exam.key, chosen) for exam in exams)
    return [board for board in boards if board and board.entries]


def benchmark_section(history: History, chosen: Filter) -> str:
    """Return the section, "" if there was no benchmark."""
    boards = boards_of(history, chosen)
    if not boards:
        return ""
    note = (
        '<p class="note">Scores with their 95 % interval; = stands where a rank may be '
        "shared. Points bear the numbers of their rows; those of one model are joined; the "
        "dashed line joins those that no other beats in score and energy at once.</p>"
    )
    return section("Benchmarks", "".join(_board(board) for board in boards) + note)


def _board(board: Board) -> str:
    families = dict.fromkeys(entry.setup.model for entry in board.entries)
    colors = {name: min(place, svg.SERIES - 1) for place, name in enumerate(families)}
    machines = {entry.setup.machine_id for entry in board.entries}
    ranks = {each.row: each.label for each in rank(board, find_column("score"))}
    rows = [
        _row(number, ranks[number - 1], entry, colors[entry.setup.model], len(machines) > 1)
        for number, entry in enumerate(board.entries, start=1)
    ]
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in board.notes)
    return (
        f"<h3>{escape(board.exam.title)}</h3>{_picture(board, colors)}"
        f"{table(HEADER, rows, left=3)}{notes}"
    )


def _row(
    number: int, rank_label: str, entry: Entry, color: int, several_machines: bool
) -> tuple[str, ...]:
    item, correct = entry.per_item, entry.joules_per_correct
    kind, wh, grams = item.kind if item else None, entry.wh_per_1000, entry.grams_per_1000
    name = f"{entry.name} · {entry.setup.machine}" if several_machines else entry.name

    def least(text: str) -> str:
        return figures.at_least(text, item is not None and item.is_lower_bound)

    return (
        f"<td>{number}</td>",
        f"<td>{rank_label}</td>",
        f"<td>{svg.swatch(color)} {escape(name)}</td>",
        figure_cell(
            f"{100 * entry.score.value:.1f} %",
            f"({100 * entry.score.low:.1f}–{100 * entry.score.high:.1f})",
        ),
        figure_cell(
            least(figures.marked(kind, figures.energy(item.energy.joules if item else None))),
            figures.bounds(item.energy if item else None),
        ),
        figure_cell(
            least(figures.marked(kind, figures.energy(correct.joules if correct else None)))
        ),
        figure_cell(
            least(
                figures.marked(
                    kind, f"{figures.significant(wh.joules)} Wh" if wh else figures.UNKNOWN
                )
            )
        ),
        figure_cell(least(figures.mass(grams.joules if grams else None))),
        figure_cell(figures.rate(entry.tokens_per_s)),
    )


def _picture(board: Board, colors: dict[str, int]) -> str:
    """Draw score against energy, if there is more than one point to draw."""
    places = frontier(board)
    points = []
    for number, (entry, place) in enumerate(zip(board.entries, places, strict=True), start=1):
        wh, score = entry.wh_per_1000, entry.score
        if wh is None or wh.joules <= 0:
            continue
        points.append(
            svg.Point(
                x=svg.Range(wh.joules, wh.low_j, wh.high_j),
                y=svg.Range(score.value, score.low, score.high),
                mark=str(number),
                tip=f"{entry.name}: {100 * score.value:.1f} %, "
                f"{figures.significant(wh.joules)} Wh for a thousand items",
                series=colors[entry.setup.model],
                family=f"{entry.setup.model} {entry.setup.machine_id}",
                is_on_frontier=place is Place.ON,
            )
        )
    if len(points) < 2:
        return ""
    about = f"{board.exam.title}: score against energy"
    return svg.scatter(points, about, "Wh for a thousand items, logarithmic", "score")
