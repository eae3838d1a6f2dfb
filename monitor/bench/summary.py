"""What came of a suite, read from the history: a result for each run, in the words of its part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitor.bench.results import Accuracy, Merit, accuracy_from, merit_of, pooled_stderr
from monitor.bench.runlog import printed_accuracy
from monitor.bench.settings import differing, told
from monitor.bench.suites import SPEED
from monitor.bench.tasks import TASKS
from monitor.bench.uncounted import counted_part
from monitor.energy.account import DECODE, PREFILL
from monitor.energy.difference import per
from monitor.energy.interval import Interval
from monitor.loading import LoadOptions
from monitor.store.bench_records import ItemRecord, RunRow, SuiteRecord, Sums
from monitor.store.history import History
from monitor.store.records import QueryRecord

LENGTH_RULES = ("plain", "by length")
"""What the two rules are called by which a choice is taken: log-likelihoods as they are, and
divided by the length of the choice."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A speed test's figure for one phase, as llama-bench prints it, with its energy.

    :param tokens: a repetition
    :param tokens_per_s: mean over the repetitions
    :param sd: sample standard deviation; ``None`` of a single one
    :param per_token: joules a token with their interval; ``None`` if not measured
    """

    tokens: int
    tokens_per_s: float
    sd: float | None
    per_token: Interval | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """One run with what is reckoned from it.

    :param record: its query: model, settings, bill, footprint
    :param accuracy: share of right answers; ``None`` where nothing is judged
    :param accuracy_norm: by length, or by the lenient rule
    :param by_length: whether ``accuracy_norm`` is the one leaderboards print
    :param prefill: of a speed test
    :param decode: likewise
    :param subjects: the accuracy of each subject (MMLU), by name; empty where there is only one
    :param setting: the settings that tell it from other runs of its model in the suite, in words
    """

    row: RunRow
    record: QueryRecord
    accuracy: Accuracy | None
    accuracy_norm: Accuracy | None
    by_length: bool
    prefill: Rate | None
    decode: Rate | None
    subjects: Mapping[str, Accuracy] = field(default_factory=dict)
    setting: str = ""

    @property
    def printed(self) -> Accuracy | None:
        """The accuracy leaderboards print for this task."""
        if self.accuracy is None:
            return None
        return printed_accuracy(self.row.sums, self.by_length)

    @property
    def stderr_by_subject(self) -> float | None:
        """The standard error of the mean over subjects' items, as lm-evaluation-harness prints it
        of a group; ``None`` where there is only one subject."""
        return pooled_stderr(list(self.subjects.values()))

    @property
    def counted(self) -> QueryRecord:
        """Its query with what its items alone took."""
        return counted_part(self.record)

    @property
    def by_rule(self) -> dict[str, Accuracy]:
        """The accuracies by the names of their two rules; empty where there is only one rule."""
        if self.accuracy is None or self.accuracy_norm is None:
            return {}
        # Guessing may hit a choice, never a written answer.
        is_chosen = bool(self.row.start.chance)
        names = LENGTH_RULES if is_chosen else TASKS[self.row.start.task].written_rules
        return dict(zip(names, (self.accuracy, self.accuracy_norm), strict=False))

    @property
    def merit(self) -> Merit:
        """Figures that lay the printed accuracy beside the energy."""
        return self._merit(self.printed)

    @property
    def plain_merit(self) -> Merit:
        """Likewise, for the accuracy that is not by length."""
        return self._merit(self.accuracy)

    def _merit(self, accuracy: Accuracy | None) -> Merit:
        items = self.counted
        carbon = items.footprint
        return merit_of(
            items=self.row.sums.done,
            joules=items.bill.total().joules,
            seconds=items.seconds.total or 0.0,
            grams=carbon.grams if carbon else None,
            accuracy=accuracy.value if accuracy else None,
            chance=self.row.start.chance,
        )

    @property
    def prefill_j_per_token(self) -> float | None:
        """Joules of prefill a prompt token that was really computed."""
        computed = self.record.tokens.prompt - self.record.tokens.reused
        return _over(self.record.bill.total(PREFILL).joules, computed)

    @property
    def decode_j_per_token(self) -> float | None:
        """Joules of decode an answer token."""
        return _over(self.record.bill.total(DECODE).joules, self.record.tokens.completion)


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """A suite with its runs' results, in the order of their steps."""

    suite: SuiteRecord
    runs: tuple[RunResult, ...]

    @property
    def models(self) -> list[str]:
        """Names of its models, with their quantisation."""
        return [model["name"] for model in self.suite.plan["models"]]


def summarise(history: History, suite_id: str) -> SuiteResult:
    """Return what came of a suite.

    :raises KeyError: if there is none
    """
    suite = history.benchmarks.suite(suite_id)
    rows = history.benchmarks.runs(suite.id)
    results = (result_of(history, row) for row in rows)
    told_apart = (replace(each, setting=_setting(suite, each.record)) for each in results)
    return SuiteResult(suite, tuple(told_apart))


def _setting(suite: SuiteRecord, record: QueryRecord) -> str:
    """Return in what the load of a run differs from others of its model, as it was in the end."""
    models = suite.plan["models"]
    same = [m for m in models if record.model and m["sha256"] == record.model.sha256]
    names = differing([LoadOptions.of(model) for model in same])
    return told(LoadOptions.of(record.settings), names)


def result_of(history: History, row: RunRow) -> RunResult:
    """Return what came of one run."""
    record = history.record(row.id)
    task = TASKS.get(row.start.task)
    sums = row.sums
    is_judged = row.start.chance is not None
    items = history.benchmarks.items(row.id) if row.start.kind == SPEED else []
    return RunResult(
        row=row,
        record=record,
        accuracy=_plain(sums) if is_judged else None,
        accuracy_norm=accuracy_from(sums.norm_items, sums.norm_sum, sums.norm_squares)
        if is_judged
        else None,
        by_length=bool(task and task.headline_norm),
        prefill=_rate(items, "pp", record),
        decode=_rate(items, "tg", record),
        subjects=_by_subject(history, row.id) if is_judged else {},
    )


def _by_subject(history: History, run_id: str) -> dict[str, Accuracy]:
    sums = history.benchmarks.subject_sums(run_id)
    if len(sums) < 2:
        return {}
    found = {name: _plain(each) for name, each in sums.items()}
    return {name: accuracy for name, accuracy in found.items() if accuracy}


def _plain(sums: Sums) -> Accuracy | None:
    return accuracy_from(sums.done, sums.correct_sum, sums.correct_squares)


def _rate(items: Sequence[ItemRecord], subject: str, record: QueryRecord) -> Rate | None:
    chosen = [item for item in items if item.subject == subject]
    if not chosen:
        return None
    counts = [item.prompt_tokens + item.completion_tokens for item in chosen]
    rates = [count / item.seconds for count, item in zip(counts, chosen, strict=True)]
    mean = sum(rates) / len(rates)
    sd = None
    if len(rates) > 1:
        sd = (sum((rate - mean) ** 2 for rate in rates) / (len(rates) - 1)) ** 0.5
    energy = record.bill.total(PREFILL if subject == "pp" else DECODE).energy
    total = sum(counts) or 1
    return Rate(round(counts[0]), mean, sd, energy and per(energy, total))


def _over(joules: float | None, count: int) -> float | None:
    return joules / count if joules is not None and count else None
