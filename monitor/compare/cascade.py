"""What a small model that passes on what it is unsure of would have scored and cost: simulated.

Both models have answered every item, so that any routing between them can be reckoned from what
is stored, without running anything.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.bench.task import LLAMACPP
from monitor.compare.answers import PAPER_BIT, Answers, Floats, shared, weights
from monitor.compare.board import Board
from monitor.compare.entries import Entry
from monitor.compare.exams import Exam, Paper, paper_of
from monitor.energy.account import weakest
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRecord
from monitor.store.history import History

MOST_POINTS = 100
"""Of a curve; more thresholds than that are thinned evenly."""


@dataclass(frozen=True, slots=True)
class CascadePoint:
    """A threshold and what it comes to.

    :param threshold: nats by which the small model's choice must lead for its answer to be kept;
      infinite where everything is passed on
    :param share: of the items that are passed on
    :param score: mean, 0 to 1
    :param joules_per_item: the small model's for all, the large one's for those passed on
    """

    threshold: float
    share: float
    score: float
    joules_per_item: float


@dataclass(frozen=True, slots=True)
class Cascade:
    """A simulated pair of models.

    :param small: the row that answers first
    :param large: the row that answers what is passed on
    :param kind: the weakest kind of their joules
    :param points: from "nothing is passed on" to "everything is"
    """

    small: int
    large: int
    items: int
    kind: Kind
    points: tuple[CascadePoint, ...]


Routed = tuple[Cascade, CascadePoint]
"""A cascade with the point that speaks most for it."""


def cascades(history: History, board: Board) -> list[Cascade]:
    """Return a cascade for every two rows of which the second scores better and costs more.

    Rows of different machines are left out: nobody passes an item from one to the other here.
    Written answers have no lead, and without any lead there is nothing to choose by.

    The threshold is chosen on the very items that are scored, so that its best point is a little
    better than it would be on others.
    """
    found = []
    for small, entry in enumerate(board.entries):
        larger = [large for large in range(len(board.entries)) if _is_worth(board, small, large)]
        leads = _leads(history, board.exam, entry) if larger else {}
        if leads:
            made = (_cascade(board, small, large, leads) for large in larger)
            found += [cascade for cascade in made if cascade is not None]
    return found


def _is_worth(board: Board, small: int, large: int) -> bool:
    one, other = board.entries[small], board.entries[large]
    if one.setup.machine_id != other.setup.machine_id:
        return False
    difference = board.pairs.energy(small, large)
    return bool(difference and difference.joules > 0 and board.pairs.score(small, large).value > 0)


def lead_of(item: ItemRecord, paper: Paper) -> float | None:
    """Return by how many nats the choice a model took leads its second, in the paper's measure.

    It is what the model knows of itself. The stored margin is another thing: it tells the right
    choice's lead, which nobody knows before the answer is judged; to pass items on by it would be
    to pass on just the wrong ones.

    :return: ``None`` for a written answer
    """
    if len(item.scores) < 2:
        return None
    if paper.protocol == LLAMACPP:
        values = [score.loglikelihood / max(score.tokens, 1) for score in item.scores]
    elif paper.by_length:
        values = [
            score.loglikelihood / max(len(choice), 1)
            for score, choice in zip(item.scores, item.choices, strict=True)
        ]
    else:
        values = [score.loglikelihood for score in item.scores]
    second, first = sorted(values)[-2:]
    return first - second


def _leads(history: History, exam: Exam, entry: Entry) -> dict[int, float]:
    """Return leads by the keys of items: of repeats the first; items without one are left out."""
    missing = set(entry.answers.keys.tolist())
    found: dict[int, float] = {}
    for run_id in entry.run_ids:
        row = history.benchmarks.run(run_id)
        if row is None:
            continue
        paper = paper_of(row.start)
        first_key = exam.papers.index(paper) << PAPER_BIT
        wanted = {first_key + position for position in range(row.start.planned)} & missing
        if not wanted:
            continue  # a repeat: what it would tell is known
        for item in history.benchmarks.items(run_id):
            lead = lead_of(item, paper)
            missing.discard(first_key + item.position)
            if lead is not None:
                found.setdefault(first_key + item.position, lead)
    return found


def _cascade(board: Board, small: int, large: int, leads: Mapping[int, float]) -> Cascade | None:
    one, other = board.entries[small], board.entries[large]
    first, second = shared(one.answers, other.answers)
    kinds = [entry.per_item.kind for entry in (one, other) if entry.per_item]
    kind = weakest(kinds)
    is_unknown = np.isnan(first.joules).any() or np.isnan(second.joules).any()
    if kind is None or not len(first) or is_unknown:
        return None
    known = np.array([leads.get(int(key), -math.inf) for key in first.keys])
    points = sweep(known, first, second)
    return Cascade(small, large, len(first), kind, tuple(thin(points)))


def sweep(leads: Floats, small: Answers, large: Answers) -> list[CascadePoint]:
    """Return a point for every threshold that passes on other items than the one before.

    :param leads: the small model's of each item; minus infinity where it has none, which is
      passed on always
    :param small: what the small model came to
    :param large: what the large one did, in the same order
    """
    order = np.argsort(leads, kind="stable")
    sorted_leads, each = leads[order], weights(small)[order]
    gained = np.cumsum(each * (large.scores - small.scores)[order])
    passed_j = np.cumsum(large.joules[order]) / len(leads)
    kept_score, small_j = float(each @ small.scores[order]), float(small.joules.mean())
    unknown = int(np.isneginf(leads).sum())
    # As many items as lie below a threshold are passed on: equal leads go together.
    ends = np.flatnonzero(np.diff(sorted_leads, append=math.inf)) + 1
    counts = [unknown, *(int(end) for end in ends if end > unknown)]
    return [
        CascadePoint(
            threshold=float(sorted_leads[count]) if count < len(leads) else math.inf,
            share=count / len(leads),
            score=kept_score + (float(gained[count - 1]) if count else 0.0),
            joules_per_item=small_j + (float(passed_j[count - 1]) if count else 0.0),
        )
        for count in counts
    ]


def thin(points: Sequence[CascadePoint], most: int = MOST_POINTS) -> list[CascadePoint]:
    """Keep so many points at most, evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    places = np.unique(np.linspace(0, len(points) - 1, most).round().astype(int))
    return [points[place] for place in places]


def foremost(entries: Sequence[Entry], cascades: Sequence[Cascade]) -> list[Routed]:
    """Return the cascades that reach the best score of all for some energy.

    Along the energies, each point above all before it, of entries and cascades alike, counts by
    how much it rises; those that rise most come first, with the point at which they do.
    """
    alone = [
        (found.energy.joules, entry.score.value, -1, None)
        for entry in entries
        if (found := entry.per_item)
    ]
    routed = [
        (point.joules_per_item, point.score, n, point)
        for n, cascade in enumerate(cascades)
        for point in cascade.points
        if 0 < point.share < 1  # at its ends it is one model alone
    ]
    height, rises = 0.0, dict[int, float]()
    highest: dict[int, tuple[float, CascadePoint]] = {}
    for _, score, n, point in sorted([*alone, *routed], key=lambda each: (each[0], -each[1])):
        rise, height = score - height, max(score, height)
        if point is not None and rise > 0:
            rises[n] = rises.get(n, 0.0) + rise
            highest[n] = max(highest.get(n, (0.0, point)), (rise, point), key=lambda each: each[0])
    return [(cascades[n], highest[n][1]) for n in sorted(rises, key=lambda n: -rises[n])]
