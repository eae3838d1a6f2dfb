"""What the history holds of benchmarks, as it is handed out: suites, runs, items."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.engine.messages import ChoiceScore
from monitor.power.channel import Kind
from monitor.store.records import Status
from monitor.store.verdicts import SuiteVerdict

BENCH = "bench"
"""The kind of query a run is."""


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item of a run.

    :param position: its place in the run, from 0
    :param row: its place in the file it came from, from 1
    :param prompt: the question, without worked examples
    :param scores: of each choice; empty for a written answer
    :param answer: the written answer, "" where choices were scored
    :param prompt_tokens: tokens that had to be computed for it
    :param energy_j: its share of what was drawn while it was computed
    :param is_cut: whether its text was too long for the context

    The rest is :class:`monitor.bench.scoring.Judgement`'s.
    """

    position: int
    row: int
    subject: str
    prompt: str
    choices: tuple[str, ...]
    gold: tuple[int, ...]
    scores: tuple[ChoiceScore, ...]
    answer: str
    pred: int | str | None
    pred_norm: int | str | None
    correct: float | None
    correct_norm: float | None
    margin: float | None
    prompt_tokens: float
    completion_tokens: int
    energy_j: float | None
    seconds: float
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Sums:
    """A run's scores as sums, from which accuracies are reckoned without reading its items."""

    done: int = 0
    correct_sum: float = 0.0
    correct_squares: float = 0.0
    norm_items: int = 0
    norm_sum: float = 0.0
    norm_squares: float = 0.0
    cut: int = 0

    def plus(self, items: Iterable[ItemRecord]) -> "Sums":
        """Return the sums with some more items."""
        listed = list(items)
        correct = [item.correct for item in listed if item.correct is not None]
        norm = [item.correct_norm for item in listed if item.correct_norm is not None]
        return Sums(
            self.done + len(listed),
            self.correct_sum + sum(correct),
            self.correct_squares + sum(value * value for value in correct),
            self.norm_items + len(norm),
            self.norm_sum + sum(norm),
            self.norm_squares + sum(value * value for value in norm),
            self.cut + sum(item.is_cut for item in listed),
        )


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run before its first item; columns of ``bench_runs``.

    :param step: its place in the suite
    :param part: name of the suite's part
    :param kind: ``quality``, ``speed`` or ``prompts``
    :param chance: what guessing would reach, ``None`` where nothing is judged
    """

    suite_id: str
    step: int
    part: str
    repeat: int
    kind: str
    task: str
    protocol: str
    shots: int
    data_path: str
    data_sha256: str
    shots_sha256: str
    prompts_sha256: str
    chance: float | None
    planned: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as it is stored, without its query's record.

    :param memory_bytes: resident memory of the engine's process, the most that was seen; what lies
      in a GPU's own memory is not in it. ``None`` if it was not looked at
    :param is_deleted: whether its query was deleted, and can be brought back
    """

    id: str
    start: RunStart
    sums: Sums
    status: Status
    memory_bytes: int | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class ItemRate:
    """What an item takes.

    :param kind: the weakest kind of the measurements; ``None`` where it is not known
    """

    seconds: float
    joules: float
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """A suite that was begun.

    :param plan: everything needed to go on with it or to repeat it
    :param versions: of the program, llama-cpp-python, Python and the system
    :param verdict: what the comparison of its models came to; ``None`` if there was none
    :param idle_before_w: the machine's idle watts, sum of the parts; ``None`` if not measured
    """

    id: str
    name: str
    title: str
    status: Status
    error: str
    started_at: str
    finished_at: str | None
    plan: dict[str, Any]
    versions: dict[str, str]
    verdict: SuiteVerdict | None
    idle_before_w: float | None
    idle_after_w: float | None
    idle_kind: str | None
