"""The leaderboard's columns: a figure with its interval, and how two of them are told apart."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.compare.board import Board
from monitor.compare.entries import Entry
from monitor.compare.pairs import are_single, measured_alike, same_sensors
from monitor.energy.difference import Verdict, difference, verdict_of
from monitor.energy.interval import Interval


class UnknownColumn(ValueError):
    """The leaderboard has no such column; the message names those it has."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


Tell = Callable[[Board, int, int], Verdict]
"""Says of two rows, by their places, whether the second is lower, or higher."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of every row.

    :param key: what ``--sort`` calls it
    :param title: what heads it
    :param higher_is_better: else lower is
    :param figure: a row's; ``None`` where it is not known
    :param tell: how two rows are told apart
    """

    key: str
    title: str
    higher_is_better: bool
    figure: Callable[[Entry], Figure | None]
    tell: Tell


def find_column(key: str) -> Column:
    """Return the column of a key.

    :raises UnknownColumn: naming the columns there are
    """
    if key not in COLUMNS:
        raise UnknownColumn(f"There is no column “{key}”. There are: {', '.join(COLUMNS)}.")
    return COLUMNS[key]


def _score(entry: Entry) -> Figure:
    return Figure(entry.score.value, entry.score.low, entry.score.high)


def _joules_per_correct(entry: Entry) -> Figure | None:
    """Energy over right answers; each end divides by the other end of the score, to be safe."""
    found, share, score = entry.joules_per_correct, entry.right_share, entry.score
    if found is None:
        return None
    low, high = share * score.low / score.value, share * score.high / score.value
    return Figure(
        found.joules, found.low_j * share / high, found.high_j * share / low if low else None
    )


def _of(interval: Interval | None) -> Figure | None:
    return Figure(interval.joules, interval.low_j, interval.high_j) if interval else None


def _exact(value: float | None) -> Figure | None:
    return None if value is None else Figure(value)


def _tell_score(board: Board, first: int, second: int) -> Verdict:
    return board.pairs.score(first, second).verdict


def _tell_energy(board: Board, first: int, second: int) -> Verdict:
    return board.pairs.energy_verdict(first, second)


def _tell_per_token(board: Board, first: int, second: int) -> Verdict:
    """Of tokens only totals are known, so that a shared error is one only of a single channel."""
    a, b = board.entries[first], board.entries[second]
    is_told = measured_alike(a, b) and not are_single(a, b)
    if a.per_token is None or b.per_token is None or not is_told:
        return Verdict.CANNOT_TELL
    is_one = a.per_item is not None and len(a.per_item.channels) == 1
    return difference(a.per_token, b.per_token, is_one and same_sensors(a, b)).verdict


def _tell_apart(figure: Callable[[Entry], Figure | None]) -> Tell:
    """Tell rows apart whose intervals do not overlap, and exact figures that are not equal."""

    def tell(board: Board, first: int, second: int) -> Verdict:
        a, b = figure(board.entries[first]), figure(board.entries[second])
        if a is None or b is None:
            return Verdict.CANNOT_TELL
        if a.low is None and b.low is None and a.high is None and b.high is None:
            return verdict_of(b.value - a.value, b.value - a.value)
        if None in (a.low, a.high, b.low, b.high):
            return Verdict.CANNOT_TELL
        return verdict_of((b.low or 0.0) - (a.high or 0.0), (b.high or 0.0) - (a.low or 0.0))

    return tell


def _tell_costs(figure: Callable[[Entry], Figure | None]) -> Tell:
    """Tell apart what is made of energies: not those of two single runs."""
    by_intervals = _tell_apart(figure)

    def tell(board: Board, first: int, second: int) -> Verdict:
        if are_single(board.entries[first], board.entries[second]):
            return Verdict.CANNOT_TELL
        return by_intervals(board, first, second)

    return tell


def _speed(entry: Entry) -> Figure | None:
    return _exact(entry.tokens_per_s)


def _size(entry: Entry) -> Figure | None:
    return _exact(entry.setup.size_bytes)


def _memory(entry: Entry) -> Figure | None:
    return _exact(entry.memory_bytes)


def _training(entry: Entry) -> Figure | None:
    return _exact(entry.training.grams if entry.training else None)


def _grams(entry: Entry) -> Figure | None:
    return _of(entry.grams_per_1000)


OF_ITEMS = ("energy", "wh", "correct", "grams")
"""Columns that are made of the joules an item takes."""


def is_least(entry: Entry, key: str) -> bool:
    """Whether a figure of a row was more, as not every part was read that belongs to it."""
    if key in OF_ITEMS:
        return entry.per_item is not None and entry.per_item.is_lower_bound
    return key == "token" and entry.per_token_is_least


COLUMNS = {
    column.key: column
    for column in (
        Column("score", "score", True, _score, _tell_score),
        Column(
            "energy",
            "J/item",
            False,
            lambda entry: _of(entry.per_item.energy if entry.per_item else None),
            _tell_energy,
        ),
        Column("token", "J/token", False, lambda entry: _of(entry.per_token), _tell_per_token),
        Column("wh", "Wh/1,000", False, lambda entry: _of(entry.wh_per_1000), _tell_energy),
        Column(
            "correct", "J/correct", False, _joules_per_correct, _tell_costs(_joules_per_correct)
        ),
        Column("grams", "g CO₂e/1,000", False, _grams, _tell_costs(_grams)),
        Column("speed", "tokens/s", True, _speed, _tell_apart(_speed)),
        Column("size", "size", False, _size, _tell_apart(_size)),
        Column("memory", "memory", False, _memory, _tell_apart(_memory)),
        Column("training", "training CO₂e", False, _training, _tell_apart(_training)),
    )
}
"""Every column that can be sorted by, by its key."""
