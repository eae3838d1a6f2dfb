"""The leaderboard as a person wants to see it: ranked, weighted, with what is good enough."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from desktop.compare.choice import Choice
from monitor.compare.board import Board, Leaderboard
from monitor.compare.columns import Column
from monitor.compare.efficiency import efficiencies
from monitor.compare.entries import Entry
from monitor.compare.exams import Exam, Paper, paper_of
from monitor.compare.frontier import Place, frontier
from monitor.compare.pairs import Pairs
from monitor.compare.pick import Pick, pick_good_enough
from monitor.compare.ranks import Ranked, rank
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.standings import Setup

SIZE = re.compile(r"^\d+(x\d+)?([._]\d+)?[mb]$", re.IGNORECASE)
"""A model's size as names tell it: ``135M``, ``0.5B``, ``8x7B``."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A board with all that is reckoned of it. Rows are named by their places in the board.

    :param labels: names of the rows
    :param column: what ranks
    :param ranked: the rows in order, the best first
    :param places: of the rows on the frontier of score and energy
    :param efficiencies: of the rows, 0 to 1
    :param pick: what is good enough
    """

    board: Board
    labels: tuple[str, ...]
    column: Column
    ranked: tuple[Ranked, ...]
    places: tuple[Place | None, ...]
    efficiencies: tuple[float | None, ...]
    pick: Pick | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The board's rows."""
        return self.board.entries

    @property
    def measured(self) -> int:
        """How many rows have an energy."""
        return sum(entry.per_item is not None for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Found:
    """What the history holds for the page.

    :param machines: names by identifier
    :param board: with all models; ``None`` if nothing was judged on the machine chosen
    """

    exams: tuple[Exam, ...]
    machines: dict[str, str]
    board: Board | None


def read_board(history: History, choice: Choice) -> tuple[Choice, Found]:
    """Read what is chosen; a test or machine that is no longer there is not insisted on."""
    leaderboard = Leaderboard(history)
    machines = leaderboard.machines()
    machine = choice.machine if choice.machine in machines else None
    chosen = Filter(machines=(machine,)) if machine else Filter()
    exams = tuple(leaderboard.exams(chosen))
    exam = choice.exam if choice.exam in [exam.key for exam in exams] else None
    board = leaderboard.board(exam, chosen)
    return replace(choice, exam=exam, machine=machine), Found(exams, machines, board)


def reckon(whole: Board, choice: Choice) -> Standing:
    """Rank a board's rows, and so on; see :class:`Standing`."""
    board = _narrowed(whole, choice.hidden)
    column = choice.column(board)
    return Standing(
        board=board,
        labels=tuple(board.labels),
        column=column,
        ranked=tuple(rank(board, column)),
        places=tuple(frontier(board)),
        efficiencies=tuple(efficiencies(board.entries, choice.weights)),
        pick=pick_good_enough(board, choice.points),
    )


def _narrowed(board: Board, hidden: Sequence[str]) -> Board:
    """Leave out some models; never all of them."""
    kept = tuple(entry for entry in board.entries if entry.setup.model not in hidden)
    if not kept or len(kept) == len(board.entries):
        return board
    return replace(board, entries=kept, pairs=Pairs(kept))


def family_of(setup: Setup) -> str:
    """Return a model's name as far as its size: ``Qwen2.5`` of ``Qwen2.5-0.5B Instruct``.

    A name that begins with its size or has none gives its architecture away at least.
    """
    words = re.split(r"[\s_-]+", setup.model.strip())
    at = next((n for n, word in enumerate(words) if SIZE.match(word)), None)
    return " ".join(words[:at]) if at else setup.architecture or setup.model


@dataclass(frozen=True, slots=True)
class Alike:
    """Runs of several rows that were asked the same.

    :param ids: the newest of each row
    :param tests: what they may be of, by name: of a suite's mean there are several
    :param test: which of those they are of
    """

    ids: tuple[str, ...]
    tests: Mapping[Paper, str]
    test: Paper | None


def newest_alike(history: History, entries: Sequence[Entry], wanted: Paper | None = None) -> Alike:
    """Return the newest run of each entry, all of one paper: those of a suite have several.

    :param wanted: that paper; the one that was run last unless given
    """
    newest: list[dict[Paper, str]] = []
    names: dict[Paper, str] = {}
    for entry in entries:
        rows = [row for run_id in entry.run_ids if (row := history.benchmarks.run(run_id))]
        newest.append({paper_of(row.start): row.id for row in rows})
        names |= {paper_of(row.start): row.start.part for row in rows}
    shared = [paper for paper in newest[0] if all(paper in of_entry for of_entry in newest)]
    if not shared:
        return Alike(tuple(entry.run_ids[-1] for entry in entries), {}, None)
    paper = wanted if wanted in shared else shared[-1]
    ids = tuple(of_entry[paper] for of_entry in newest)
    return Alike(ids, {each: names[each] for each in shared}, paper)
