"""Two to four queries or runs beside each other: what each took, and how they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.compare.entries import channel_energies, measured_domains
from monitor.energy.account import DECODE, LOAD, PREFILL, Total
from monitor.energy.difference import Difference, difference_by_channel, per
from monitor.energy.interval import Interval
from monitor.store.history import History
from monitor.store.records import QueryRecord

FEWEST, MOST = 2, 4

WHOLE = "total"
"""Stands for the phases that count towards the total, beside the phases' own names."""

PER_PROMPT_TOKEN, PER_ANSWER_TOKEN, PER_ITEM = "prompt token", "answer token", "item"

PHASES = (WHOLE, PREFILL, DECODE, LOAD)


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
    :param differences: of the energies to the first side's, by phase; none of the first
    :param per_differences: likewise of :attr:`per`
    :param note: why its energy cannot be compared with the first's; "" if it can
    """

    record: QueryRecord
    machine_id: str
    energies: Mapping[str, Total]
    per: Mapping[str, Interval]
    items: int | None
    differences: Mapping[str, Difference]
    per_differences: Mapping[str, Difference]
    note: str

    @property
    def name(self) -> str:
        """The model with its quantisation, and the end of the identifier."""
        model = self.record.model
        named = f"{model.name} {model.quantisation}".strip() if model else ""
        return f"{named} {self.record.id[-8:]}".strip()


def lay_side_by_side(history: History, query_ids: Sequence[str]) -> tuple[Side, ...]:
    """Return two to four queries or runs, each with its differences to the first.

    :param query_ids: identifiers, or enough of their beginnings or ends
    :raises KeyError: if one is not there, with a sentence saying so
    :raises CannotCompare: if they are too few, too many, or one is named twice
    """
    if not FEWEST <= len(query_ids) <= MOST:
        raise CannotCompare(f"Name two to four queries or runs; these are {len(query_ids)}.")
    records = [history.record(query_id) for query_id in query_ids]
    if len({record.id for record in records}) < len(records):
        raise CannotCompare("One query is named twice; name different ones.")
    machines = history.standings.machines_of([record.id for record in records])
    sides = [_side(history, record, machines[record.id]) for record in records]
    return (sides[0], *(_against(sides[0], side) for side in sides[1:]))


def _side(history: History, record: QueryRecord, machine_id: str) -> Side:
    bill, run = record.bill, history.benchmarks.run(record.id)
    totals = {phase: bill.total(None if phase == WHOLE else phase) for phase in PHASES}
    energies = {phase: total for phase, total in totals.items() if total.energy is not None}
    counts = _counts(record, run.sums.done if run else None)
    return Side(
        record=record,
        machine_id=machine_id,
        energies=energies,
        per={
            what: per(energy, count)
            for what, (phase, count) in counts.items()
            if phase in energies and (energy := energies[phase].energy)
        },
        items=run.sums.done if run else None,
        differences={},
        per_differences={},
        note="",
    )


def _counts(record: QueryRecord, items: int | None) -> dict[str, tuple[str, int]]:
    """Return by what each phase's energy is divided, without what there was none of."""
    tokens = record.tokens
    counts = {
        PER_PROMPT_TOKEN: (PREFILL, tokens.prompt - tokens.reused),
        PER_ANSWER_TOKEN: (DECODE, tokens.completion),
        PER_ITEM: (WHOLE, items or 0),
    }
    return {what: found for what, found in counts.items() if found[1] > 0}


def _against(first: Side, side: Side) -> Side:
    if note := _unlike(first, side):
        return replace(side, note=note)
    own, others = _counts(first.record, first.items), _counts(side.record, side.items)
    differences = {phase: _difference(first, side, phase, 1, 1) for phase in PHASES}
    per_differences = {
        what: _difference(first, side, phase, count, others[what][1])
        for what, (phase, count) in own.items()
        if what in others
    }
    return replace(
        side,
        differences={phase: found for phase, found in differences.items() if found},
        per_differences={what: found for what, found in per_differences.items() if found},
    )


def _difference(
    first: Side, side: Side, phase: str, count: int, other_count: int
) -> Difference | None:
    """Compare one phase, divided by a count each; ``None`` where either was not measured."""
    a, b = _channels(first.record, phase), _channels(side.record, phase)
    is_shared = first.machine_id == side.machine_id and a.keys() == b.keys()
    return difference_by_channel(
        {key: per(energy, count) for key, energy in a.items()},
        {key: per(energy, other_count) for key, energy in b.items()},
        is_shared,
    )


def _channels(record: QueryRecord, phase: str) -> dict[str, Interval]:
    return channel_energies(record.bill, None if phase == WHOLE else phase)


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
    return ""


def _listed(domains: frozenset[str]) -> str:
    return " and ".join(sorted(domains))
