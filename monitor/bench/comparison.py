"""Two runs of the same questions laid side by side: what flipped, and what it saved."""

from dataclasses import dataclass
from typing import Any

from monitor import figures
from monitor.bench.forms import flip_json
from monitor.bench.suites import QUALITY, SuiteError
from monitor.bench.summary import RunResult
from monitor.bench.verdict import Flip, flips
from monitor.energy.account import weakest
from monitor.energy.parts import is_lower_bound, run_of
from monitor.store.bench_records import RunStart
from monitor.store.history import History


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs that may be compared.

    :param items: both have done
    :param flips: those that came out otherwise
    :param joules_saved: by the second; negative if it took more, ``None`` if not measured
    """

    first: RunResult
    second: RunResult
    items: int
    flips: tuple[Flip, ...]
    joules_saved: float | None

    @property
    def gained(self) -> int:
        """Items only the second run has right."""
        return sum(flip.gained for flip in self.flips)

    @property
    def joules_saved_per_flip(self) -> float | None:
        """What each changed answer saved; ``None`` where nothing changed or nothing is measured."""
        if self.joules_saved is None or not self.flips:
            return None
        return self.joules_saved / len(self.flips)

    @property
    def sentence(self) -> str:
        """The whole in two sentences."""
        count, saved = len(self.flips), self.joules_saved
        text = (
            f"{count} of {self.items} items flipped: {self.gained} now right, "
            f"{count - self.gained} now wrong."
        )
        if not _are_read_alike(self.first, self.second):
            return f"{text} A part was not read in one of them: their energies are not compared."
        if saved is None:
            return text
        text += f" The second run took {self._marked(saved)} {'less' if saved >= 0 else 'more'}"
        each = self.joules_saved_per_flip
        return f"{text}, {self._marked(each)} a flip." if each is not None else f"{text}."

    def _marked(self, joules: float) -> str:
        kinds = (run.record.bill.total().kind for run in (self.first, self.second))
        kind = weakest(kind for kind in kinds if kind)
        return figures.marked(kind, figures.energy(abs(joules)))

    def to_json(self) -> dict[str, Any]:
        """Return the comparison for ``bench compare --json``."""
        runs = (self.first, self.second)
        return {
            "runs": [run.record.id for run in runs],
            "accuracy": [run.printed and run.printed.value for run in runs],
            "items": self.items,
            "gained": self.gained,
            "lost": len(self.flips) - self.gained,
            "joules_saved": self.joules_saved,
            "joules_saved_per_flip": self.joules_saved_per_flip,
            "flips": [flip_json(flip) for flip in self.flips],
        }


def compare_runs(history: History, first: RunResult, second: RunResult) -> Comparison:
    """Compare two runs item by item.

    :raises SuiteError: if they were not asked the same in the same way
    """
    _refuse_unlike(first, second)
    one, other = (history.benchmarks.items(run.record.id) for run in (first, second))
    shared = {item.position for item in one} & {item.position for item in other}
    joules = []
    for items in (one, other):
        known = [item.energy_j for item in items if item.position in shared]
        joules.append(None if None in known else sum(j for j in known if j is not None))
    before_j, after_j = joules
    saved = before_j - after_j if before_j is not None and after_j is not None else None
    saved = saved if _are_read_alike(first, second) else None
    found = flips(one, other, first.by_length)
    return Comparison(first, second, len(shared), tuple(found), saved)


def _are_read_alike(first: RunResult, second: RunResult) -> bool:
    """Whether no part is missing from the energy of one that is in the other's.

    What both lack makes no difference between them.
    """
    bills = first.record.bill, second.record.bill
    one, other = map(run_of, bills)
    return (bool(one) and one.keys() == other.keys()) or not any(map(is_lower_bound, bills))


def _prompts(one: RunStart, other: RunStart) -> tuple[str, str]:
    """What prompts and speed tests are told by; of a task, so many items more do not matter."""
    is_task = one.kind == other.kind == QUALITY
    return ("", "") if is_task else (one.prompts_sha256, other.prompts_sha256)


def _refuse_unlike(first: RunResult, second: RunResult) -> None:
    one, other = first.row.start, second.row.start
    for what, before, after in (
        ("tasks", one.task or one.kind, other.task or other.kind),
        ("protocols", one.protocol, other.protocol),
        ("numbers of worked examples", one.shots, other.shots),
        ("datasets (by SHA-256)", one.data_sha256, other.data_sha256),
        ("worked examples (by SHA-256)", one.shots_sha256, other.shots_sha256),
        ("prompts (by SHA-256)", *_prompts(one, other)),
    ):
        if before != after:
            raise SuiteError(
                f"These runs cannot be compared: their {what} differ, {before or 'none'} and "
                f"{after or 'none'}."
            )
