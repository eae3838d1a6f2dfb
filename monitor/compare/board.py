"""The leaderboard as it is read: an exam, its entries, and what must be said of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.compare.entries import Entry, read_entries
from monitor.compare.exams import Exam, list_exams
from monitor.compare.pairs import Pairs
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History

MOST_NAMED = 3
"""Benchmarks that a note names."""


class UnknownExam(ValueError):
    """Nothing was asked by that name; the message names what was."""


@dataclass(frozen=True, slots=True)
class Board:
    """The entries of an exam.

    :param entries: the best score first
    :param pairs: every two of them, by their places
    :param labels: each row's name, with the settings that tell it from others of that name
    """

    exam: Exam
    entries: tuple[Entry, ...]
    pairs: Pairs = field(repr=False, compare=False)

    labels: tuple[str, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(_label(e, self.entries) for e in self.entries))

    @property
    def is_uneven(self) -> bool:
        """Whether some entries have done more items than others."""
        return len({entry.score.items for entry in self.entries}) > 1

    @property
    def notes(self) -> list[str]:
        """What a person must know before believing the figures."""
        methods = {entry.per_item.method for entry in self.entries if entry.per_item}
        machines = {entry.setup.machine_id for entry in self.entries}
        runs = [entry.per_item.runs for entry in self.entries if entry.per_item]
        found = []
        if self.is_uneven:
            counts = [entry.score.items for entry in self.entries]
            found.append(
                f"Not every row has done as many items ({min(counts):,} to {max(counts):,}): each "
                "shows what its own came to, while ranks go by the items that two rows share."
            )
        if len(runs) > 1 and sum(count < 2 for count in runs) > 1:
            once = "one run of a test" if self.exam.papers[1:] else "one run each"
            found.append(
                f"How much single runs scatter is not known: rows with {once} are not told "
                "apart by energy. Run the suite again, as it is or with “repeats” in it."
            )
        if len(methods) > 1:
            found.append(
                "Some energies were reckoned by another method than others "
                f"({', '.join(map(str, sorted(methods)))}); they are never compared."
            )
        if any(entry.left_out and entry.per_item for entry in self.entries):
            found.append(
                "Runs measured with other sensors than the newest of their entry count towards "
                "its score only."
            )
        if any(entry.per_item and not entry.per_item.resolved for entry in self.entries):
            found.append(
                "Some runs hold too few refreshes, or readings, of their sensors to be resolved; "
                "repeat them."
            )
        if any(entry.unplanned for entry in self.entries):
            suites = list(dict.fromkeys(suite for e in self.entries for suite in e.unplanned))
            named = ", ".join(suite[-8:] for suite in suites[:MOST_NAMED])
            named += " …" if suites[MOST_NAMED:] else ""
            found.append(
                f"The plan of a benchmark can no longer be read ({named}): it alone makes no board "
                "of a suite's mean, and contexts chosen for its models are not told. Run it again "
                "for both."
            )
        if len(machines) > 1:
            found.append(
                "Energies of different machines have different sensors, whose errors may add up."
            )
        return found


def _label(entry: Entry, entries: Sequence[Entry]) -> str:
    namesakes = [other.setup for other in entries if other.name == entry.name]
    told = []
    for field_name, write in TELLING.items():
        if len({getattr(setup, field_name) for setup in namesakes}) > 1:
            told.append(write(getattr(entry.setup, field_name)))
    return f"{entry.name} ({', '.join(told)})" if told else entry.name


TELLING: Mapping[str, Callable[[Any], str]] = {
    "threads": lambda value: f"{value} threads",
    "gpu_layers": lambda value: f"{value} GPU layers" if value >= 0 else "all GPU layers",
    "context": lambda value: f"context {value}" if value else "context as needed",
    "llama_cpp": lambda value: f"llama-cpp-python {value}",
    "sha256": lambda value: f"file {value[:6]}",
    "machine": str,
}
"""How a setting is written where rows of one name differ in it."""


class Leaderboard:
    """Reads boards from a history.

    :param history: open
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._standings = history.standings

    def machines(self) -> dict[str, str]:
        """Return the names of the machines that took part, by identifier."""
        setups = (run.setup for run in self._standings.judged_runs(EVERYTHING))
        return {setup.machine_id: setup.machine for setup in setups}

    def exams(self, chosen: Filter = EVERYTHING) -> list[Exam]:
        """Return what may be compared, most entrants first, the newest of equals first."""
        return list_exams(self._standings.judged_runs(chosen))

    def board(self, exam: str | None = None, chosen: Filter = EVERYTHING) -> Board | None:
        """Return the entries of an exam.

        :param exam: its key, or a part of its title that no other has; ``None`` for the first
        :param chosen: models, quantisations, machines and days to take in
        :return: ``None`` if nothing was ever judged
        :raises UnknownExam: naming the exams there are
        """
        runs = self._standings.judged_runs(chosen)
        exams = list_exams(runs)
        if not exams:
            return None
        found = exams[0] if exam is None else find_exam(exams, exam)
        entries = read_entries(self._history, self._standings, found, runs, chosen)
        return Board(found, entries, Pairs(entries))


def find_exam(exams: list[Exam], text: str) -> Exam:
    """Return the exam of a key, or the one with a text in its title.

    :raises UnknownExam: if there is none, or several
    """
    wanted = text.strip().casefold()
    exact = [exam for exam in exams if wanted in (exam.key, exam.title.casefold())]
    near = [exam for exam in exams if wanted in f"{exam.title} {exam.key}".casefold()]
    found = exact or near
    if wanted and len(found) == 1:
        return found[0]
    listed = "; ".join(f"{exam.key} ({exam.title})" for exam in (found if wanted else []) or exams)
    what = "Several tests match" if found and wanted else "There is no test"
    raise UnknownExam(f"{what} “{text}”. Give the key of one of these: {listed}.")
