"""Rows of the leaderboard: a model as it was set up on a machine, what it scores and costs."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from monitor.bench.results import Accuracy
from monitor.bench.uncounted import counted_part
from monitor.carbon.footprint import known_footprint
from monitor.carbon.training import Training
from monitor.compare.answers import Answers, accuracy_of, pool
from monitor.compare.exams import Exam, paper_of, runs_of
from monitor.energy.account import OUTSIDE_TOTAL, Bill, Total, weakest
from monitor.energy.difference import per, total
from monitor.energy.interval import Z95, Interval, add, t95
from monitor.energy.parts import part_lines, partly_read, run_of
from monitor.figures import J_PER_WH
from monitor.power.channel import Kind, Role
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord
from monitor.store.standings import DecodeSums, JudgedRun, RunItems, Setup, Standings


@dataclass(frozen=True, slots=True)
class ItemEnergy:
    """Joules an item, over all repeats that were measured alike.

    :param energy: with its interval, the scatter among repeats included
    :param channels: the same by the key of the channel, without that scatter
    :param domains: what was measured: ``cpu``, ``dram``, ``gpu``, ``soc``
    :param scatter_j: a 1.96th of half the 95 % interval of the mean among repeats; 0 of a single
      run, which tells nothing of how runs scatter
    :param runs: how often it was measured; of several papers, the least often measured one's
    :param kind: the weakest among the channels
    :param resolved: whether every run was long enough for its sensors
    :param method: version of the accounting
    :param grams: CO2e an item; ``None`` where no intensity is known
    :param is_lower_bound: whether a part was not read in the best there is of runs
    """

    energy: Interval
    channels: Mapping[str, Interval]
    domains: frozenset[str]
    scatter_j: float
    runs: int
    kind: Kind
    resolved: bool
    method: int
    grams: float | None
    is_lower_bound: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: repeats of a setup pooled. ``None`` is "not known", never zero.

    :param id: short, the same as long as the setup is
    :param run_ids: its runs, oldest first
    :param left_out: runs whose energy is left out, as they were measured otherwise than the newest
    :param started_at: when the newest run began, UTC, ISO 8601
    :param answers: its items
    :param per_item: joules an item
    :param per_token: decode joules an answer token
    :param per_token_kind: the weakest kind among them
    :param per_token_is_least: whether it was more, as a part of some runs was not read
    :param tokens_per_s: answer tokens a second of decode
    :param memory_bytes: the most the engine's process held; see :class:`RunRow`
    :param training: what training the model took
    :param unplanned: suites of its runs whose plan can no longer be read
    :param repeats: how often all papers were run; of some there may be more runs
    """

    id: str
    setup: Setup
    run_ids: tuple[str, ...]
    left_out: int
    started_at: str
    score: Accuracy
    answers: Answers = field(repr=False, compare=False)
    per_item: ItemEnergy | None
    per_token: Interval | None
    per_token_kind: Kind | None
    tokens_per_s: float | None
    memory_bytes: int | None = None
    training: Training | None = None
    per_token_is_least: bool = False
    unplanned: tuple[str, ...] = ()
    repeats: int = 1

    @property
    def name(self) -> str:
        """The model with its quantisation."""
        return f"{self.setup.model} {self.setup.quantisation}".strip()

    @property
    def right_share(self) -> float:
        """Share of all items answered rightly: what joules a right answer are reckoned with."""
        return float(self.answers.scores.mean())

    @property
    def wh_per_1000(self) -> Interval | None:
        """Watt-hours for a thousand items, as an interval whose joules are watt-hours."""
        return per(self.per_item.energy, J_PER_WH / 1000) if self.per_item else None

    @property
    def grams_per_1000(self) -> Interval | None:
        """Grams of CO2e for a thousand items; the interval carries the energy's only."""
        found = self.per_item
        if found is None or not found.grams or not found.energy.joules:
            return None
        return per(found.energy, found.energy.joules / found.grams / 1000)

    @property
    def joules_per_correct(self) -> Interval | None:
        """Energy over right answers; the interval carries the energy's only."""
        if self.per_item is None or not self.right_share:
            return None
        return per(self.per_item.energy, self.right_share)


def read_entries(
    history: History, standings: Standings, exam: Exam, runs: Sequence[JudgedRun], chosen: Filter
) -> tuple[Entry, ...]:
    """Return the entries of an exam, the best score first.

    :param runs: as :meth:`Standings.judged_runs` gives them
    :param chosen: the filter they were read with
    """
    decoded, trainings = standings.decode_sums(chosen), history.trainings.known()
    groups = runs_of(exam, runs)
    stored = history.records_by_id([run.row.id for group in groups.values() for run in group])
    records = {query_id: _by_part(counted_part(record)) for query_id, record in stored.items()}
    entries = [
        _entry(records, standings, exam, setup, group, decoded.get(setup))
        for setup, group in groups.items()
    ]
    found = [
        replace(entry, training=trainings.get(entry.setup.model))
        for entry in entries
        if entry is not None
    ]
    return tuple(sorted(found, key=lambda entry: (-entry.score.value, entry.name, entry.id)))


def _by_part(record: QueryRecord) -> QueryRecord:
    """Return a record with one line for each part of its total.

    Its bill is asked for many things, and each would join the phases anew.
    """
    return replace(record, bill=replace(record.bill, lines=part_lines(record.bill)))


def _entry(
    known: Mapping[str, QueryRecord],
    standings: Standings,
    exam: Exam,
    setup: Setup,
    runs: Sequence[JudgedRun],
    decoded: DecodeSums | None,
) -> Entry | None:
    numbers = {paper: number for number, paper in enumerate(exam.papers)}
    records = [known[run.row.id] for run in runs]
    alike = _measured_like_newest(records)
    papers = [numbers[paper_of(run.row.start)] for run in runs]
    items = [standings.items(run.row.id, paper_of(run.row.start).by_length) for run in runs]
    answers = pool(list(zip(papers, items, alike, strict=True)))
    score = accuracy_of(answers)
    if score is None:
        return None
    counted = [
        _Counted(number, record, record.bill.total(), run_of_items)
        for number, record, run_of_items, counts in zip(papers, records, items, alike, strict=True)
        if counts
    ]
    return Entry(
        id=hashlib.sha256(json.dumps(asdict(setup)).encode()).hexdigest()[:8],
        setup=setup,
        run_ids=tuple(run.row.id for run in runs),
        left_out=alike.count(False),
        started_at=runs[-1].started_at,
        score=score,
        answers=answers,
        per_item=_item_energy(counted, answers),
        per_token=_per_token(decoded),
        per_token_kind=decoded.kind if decoded else None,
        per_token_is_least=bool(decoded and decoded.is_partly_read),
        tokens_per_s=decoded.seconds_tokens / decoded.seconds
        if decoded and decoded.seconds
        else None,
        memory_bytes=max((run.row.memory_bytes or 0 for run in runs), default=0) or None,
        unplanned=tuple(dict.fromkeys(r.row.start.suite_id for r in runs if not r.is_planned)),
        repeats=min(Counter(papers).values()),
    )


def _per_token(decoded: DecodeSums | None) -> Interval | None:
    """Joules an answer token; of sums only the ends of their interval are known."""
    if decoded is None or decoded.joules is None or not decoded.joules_tokens:
        return None
    low_j, high_j = decoded.low_j or 0.0, decoded.high_j or 0.0
    whole = Interval(decoded.joules, decoded.joules - low_j, high_j - decoded.joules, 0.0)
    return per(whole, decoded.joules_tokens)


# --- energy -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Counted:
    """A run whose energy counts.

    :param paper: the number of its paper
    :param record: with a line for each part
    :param total: of its bill
    """

    paper: int
    record: QueryRecord
    total: Total
    items: RunItems


def _measured_like_newest(records: Sequence[QueryRecord]) -> list[bool]:
    """Whether each run was billed by the method and sensors of the newest that has a bill.

    Figures of different methods are never mixed, nor those of a sensor with another's. A run of
    which a part was not read is no measure for the others, as long as there is a better one.
    """
    ways = [(record.bill.method, frozenset(run_of(record.bill))) for record in records]
    both = list(zip(ways, records, strict=True))
    whole = [way for way, record in both if way[1] and not partly_read(record.bill)]
    measured = whole or [way for way in ways if way[1]]
    return [bool(measured) and way == measured[-1] for way in ways]


def _item_energy(runs: Sequence[_Counted], answers: Answers) -> ItemEnergy | None:
    """Joules an item: each paper's mean over its repeats, weighed by its number of items."""
    groups: dict[int, list[_Counted]] = {}
    for run in runs:
        groups.setdefault(run.paper, []).append(run)
    counts = {int(paper): int((answers.papers == paper).sum()) for paper in groups}
    if not runs or sum(counts.values()) < len(answers):
        return None  # a paper without a reading: the rest is not the exam's energy
    parts: dict[str, list[Interval]] = {}
    grams: list[float | None] = []
    scatter_j = 0.0
    for paper, group in groups.items():
        share = counts[paper] / len(answers)
        done = sum(len(run.items.positions) for run in group)
        for run in group:
            for line in run.record.bill.lines:
                if line.energy is not None:
                    parts.setdefault(line.channel.key, []).append(per(line.energy, done / share))
            carbon = known_footprint(run.total.energy, run.record.zone, run.record.pue)
            grams.append(carbon.grams * share / done if carbon else None)
        scatter_j = math.hypot(scatter_j, share * _scatter(group))
    channels = {key: total(energies) for key, energies in parts.items()}
    energy = add(channels.values())
    kind = weakest(run.total.kind for run in runs if run.total.kind)
    if energy is None or kind is None:
        return None
    return ItemEnergy(
        energy=replace(energy, random_j=math.hypot(energy.random_j, scatter_j)),
        channels=channels,
        domains=measured_domains(runs[-1].record.bill),
        scatter_j=scatter_j,
        runs=min(map(len, groups.values())),
        kind=kind,
        resolved=all(run.total.resolved for run in runs),
        method=runs[-1].record.bill.method,
        grams=None if None in grams else math.fsum(g for g in grams if g is not None),
        # Of every run that counts something was read; see _measured_like_newest.
        is_lower_bound=any(partly_read(run.record.bill) for run in runs),
    )


def measured_domains(bill: Bill) -> frozenset[str]:
    """Return what a bill's total is of: ``cpu``, ``dram``, ``gpu``, ``soc``."""
    return frozenset(
        str(line.channel.domain)
        for line in bill.lines
        if line.phase not in OUTSIDE_TOTAL
        and line.channel.role is Role.PART
        and line.energy is not None
    )


def _scatter(runs: Sequence[_Counted]) -> float:
    """How much the mean joules an item among repeats of one paper is in doubt, by Student's t."""
    values = [(run.total.joules or 0.0) / len(run.items.positions) for run in runs]
    if len(values) < 2:
        return 0.0
    error_j = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return error_j * t95(len(values) - 1) / Z95
