"""Two to four queries or runs beside each other: what each took, and how they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.bench.uncounted import counted_part
from monitor.compare.contrast import Contrast
from monitor.compare.entries import measured_domains
from monitor.compare.pairing import pairs_of
from monitor.compare.runs import Counted, compare_records, once, runs_of
from monitor.energy.account import DECODE, LOAD, PREFILL, Total
from monitor.energy.comparison import Comparison, Run, compare
from monitor.energy.difference import per
from monitor.energy.interval import Interval
from monitor.energy.parts import partly_read, run_of
from monitor.store.history import History
from monitor.store.records import QueryRecord

FEWEST, MOST = 2, 4

WHOLE = "total"
"""Stands for the phases that count towards the total, beside the phases' own names."""

PER_PROMPT_TOKEN, PER_ANSWER_TOKEN, PER_ITEM = "prompt token", "answer token", "item"

PHASES = (WHOLE, PREFILL, DECODE, LOAD)

DIVIDED = {PER_PROMPT_TOKEN: PREFILL, PER_ANSWER_TOKEN: DECODE, PER_ITEM: WHOLE}
"""Of which phase the energy is that each of these has its share of."""


class CannotCompare(ValueError):
    """These cannot be laid side by side; the message says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """One query or run.

    :param machine_id: where it ran
    :param energies: by phase, of :data:`PHASES` those that happened
    :param per: joules a prompt token computed (prefill), an answer token (decode), and for a
      benchmark's run an item, as far as there were any and they were measured
    :param items: of a benchmark's run, else ``None``
    :param differences: of the energies to the first side's, by phase, with what the runs of both
      say of it; none of the first
    :param per_differences: likewise of :attr:`per`
    :param note: why its energy cannot be compared with the first's; "" if it can
    """

    record: QueryRecord
    machine_id: str
    energies: Mapping[str, Total]
    per: Mapping[str, Interval]
    items: int | None
    differences: Mapping[str, Contrast]
    per_differences: Mapping[str, Contrast]
    note: str

    @property
    def name(self) -> str:
        """The model with its quantisation, and the end of the identifier."""
        model = self.record.model
        named = f"{model.name} {model.quantisation}".strip() if model else ""
        return f"{named} {self.record.id[-8:]}".strip()

    def lacks(self, phase: str) -> bool:
        """Whether a part was not read in a phase, so that its energy is known from below only."""
        return bool(partly_read(self.record.bill, _phase(phase)))

    def lacks_per(self, what: str) -> bool:
        """Whether that is so of what :attr:`per` divides."""
        return self.lacks(DIVIDED[what])

    @property
    def leading(self) -> Contrast | None:
        """The difference that is spoken of: of the whole, or an item's where that says more."""
        whole, an_item = self.differences.get(WHOLE), self.per_differences.get(PER_ITEM)
        return an_item if an_item and (whole is None or whole.verdict is None) else whole


def lay_side_by_side(history: History, query_ids: Sequence[str]) -> tuple[Side, ...]:
    """Return two to four queries or runs, each with its differences to the first.

    :param query_ids: identifiers, or enough of their beginnings or ends
    :raises KeyError: if one is not there, with a sentence saying so
    :raises CannotCompare: if they are too few, too many, or one is named twice
    """
    if not FEWEST <= len(query_ids) <= MOST:
        raise CannotCompare(f"Name two to four queries or runs; these are {len(query_ids)}.")
    records = [counted_part(history.record(query_id)) for query_id in query_ids]
    if len({record.id for record in records}) < len(records):
        raise CannotCompare("One query is named twice; name different ones.")
    machines = history.standings.machines_of([record.id for record in records])
    sides = [_side(history, record, machines[record.id]) for record in records]
    return (sides[0], *(_against(history, sides[0], side) for side in sides[1:]))


def _side(history: History, record: QueryRecord, machine_id: str) -> Side:
    bill, run = record.bill, history.benchmarks.run(record.id)
    totals = {phase: bill.total(_phase(phase)) for phase in PHASES}
    energies = {phase: total for phase, total in totals.items() if total.energy is not None}
    counts = _counts(record, run.sums.done if run else None)
    return Side(
        record=record,
        machine_id=machine_id,
        energies=energies,
        per={
            what: per(energy, count)
            for what, count in counts.items()
            if DIVIDED[what] in energies and (energy := energies[DIVIDED[what]].energy)
        },
        items=run.sums.done if run else None,
        differences={},
        per_differences={},
        note="",
    )


def _counts(record: QueryRecord, items: int | None) -> dict[str, int]:
    """Return how many of each there were, without what there was none of."""
    counts = {
        PER_PROMPT_TOKEN: record.fresh_tokens or 0,
        PER_ANSWER_TOKEN: record.tokens.completion,
        PER_ITEM: items or 0,
    }
    return {what: count for what, count in counts.items() if count > 0}


def _against(history: History, first: Side, side: Side) -> Side:
    if note := _unlike(first, side):
        return replace(side, note=note)
    both = _both(history, first, side)
    own, others = _counts(first.record, first.items), _counts(side.record, side.items)
    differences = {phase: both.contrast(phase) for phase in PHASES}
    per_differences = {what: both.contrast(DIVIDED[what], what) for what in own if what in others}
    return replace(
        side,
        differences={phase: found for phase, found in differences.items() if found},
        per_differences={what: found for what, found in per_differences.items() if found},
    )


def _both(history: History, first: Side, side: Side) -> "_Both":
    ids = runs_of(history, first.record.id, side.record.id)
    stored = history.records_by_id([*ids[0], *ids[1]])
    known = {query_id: counted_part(record) for query_id, record in stored.items()}
    is_same = set(ids[0]) == set(ids[1])
    return _Both(
        sides=(first, side),
        runs=([known[run_id] for run_id in ids[0]], [known[run_id] for run_id in ids[1]]),
        is_same=is_same,
        pairs=((), ()) if is_same else pairs_of(history, first.record, side.record),
    )


@dataclass(frozen=True, slots=True)
class _Both:
    """Two sides with what tells how they scatter.

    :param runs: of each
    :param is_same: whether these are the same
    :param pairs: the prompts both answered, as benchmarks do
    """

    sides: tuple[Side, Side]
    runs: tuple[Sequence[QueryRecord], Sequence[QueryRecord]]
    is_same: bool
    pairs: tuple[Sequence[Run], Sequence[Run]]

    def contrast(self, phase: str, what: str = "") -> Contrast | None:
        """Compare one phase; ``None`` where either was not measured, or not as the other was.

        :param what: what its energy is divided by, of :attr:`Side.per`; "" for nothing
        """
        first, side = self.sides
        measured = self._compared([first.record], [side.record], phase, what)
        if measured is None:
            return None
        if self.is_same:
            return Contrast(measured.difference, None, is_same=True, counts=self._listed())
        compared: Comparison | None = measured
        counts = (True, True)
        if max(map(len, self.runs)) > 1:
            compared = self._compared(*self.runs, phase, what)
            counts = self._counted(compared, phase) if compared else counts
        elif what == PER_ITEM and len(self.pairs[0]) > 1:
            compared = compare(*self.pairs, shared=self._is_one_machine, paired=True)
        return Contrast(measured.difference, compared, is_same=False, counts=counts)

    def _listed(self) -> tuple[bool, bool]:
        """Whether each side is itself among the runs that tell how it scatters."""
        first, second = (
            any(run.id == side.record.id for run in runs)
            for side, runs in zip(self.sides, self.runs, strict=True)
        )
        return first, second

    def _counted(self, compared: Comparison, phase: str) -> tuple[bool, bool]:
        """Whether each side is itself among the runs that were compared."""
        first, second = (
            is_listed and run_of(side.record.bill, _phase(phase)).keys() == parts
            for side, is_listed, parts in zip(
                self.sides, self._listed(), compared.parts, strict=True
            )
        )
        return first, second

    @property
    def _is_one_machine(self) -> bool:
        return self.sides[0].machine_id == self.sides[1].machine_id

    def _compared(
        self, a: Sequence[QueryRecord], b: Sequence[QueryRecord], phase: str, what: str
    ) -> Comparison | None:
        counts = _count_of(self.sides[0], what), _count_of(self.sides[1], what)
        return compare_records(a, b, self._is_one_machine, phase=_phase(phase), counts=counts)


def _phase(phase: str) -> str | None:
    """Return a phase of the bill, ``None`` for all that belong to the total."""
    return None if phase == WHOLE else phase


def _count_of(side: Side, what: str) -> Counted:
    """Return by what the energy of each run of a side is divided; all have its number of items."""
    if not what:
        return once
    return lambda record: _counts(record, side.items).get(what, 0)


def _unlike(first: Side, side: Side) -> str:
    """Say why two energies do not mean the same; "" if they do."""
    one, other = first.record.bill, side.record.bill
    if one.method != other.method:
        return (
            f"Its bill was reckoned by method {other.method} and the first's by {one.method}; "
            "they are not compared."
        )
    domains = measured_domains(one), measured_domains(other)
    if first.machine_id == side.machine_id and all(domains) and domains[0] != domains[1]:
        return (
            f"It was measured of {_listed(domains[1])} and the first of {_listed(domains[0])}; "
            "they are not compared."
        )
    # What both lack of one machine's parts makes no difference between them.
    is_other = first.machine_id != side.machine_id or run_of(one).keys() != run_of(other).keys()
    for bill, whose in ((other, "of it"), (one, "of the first")):
        unread = [line for line in partly_read(bill) if is_other or line.energy is not None]
        if unread:
            names = " and ".join(f"{line.channel.label} {line.coverage:.0%}" for line in unread)
            return f"Too little was read {whose} to compare it ({names} of the time)."
    return ""


def _listed(domains: frozenset[str]) -> str:
    return " and ".join(sorted(domains))
