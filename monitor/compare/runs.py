"""Runs of the history, compared: those that say how a query scatters, and what they come to."""

from collections.abc import Callable, Sequence

from monitor.compare.entries import measured_domains
from monitor.energy.comparison import Comparison, Run, compare
from monitor.energy.difference import per
from monitor.energy.parts import partly_read, run_of
from monitor.store.history import History
from monitor.store.records import QueryRecord
from monitor.store.repeats import Repeats

Counted = Callable[[QueryRecord], float]
"""By what a record's energy is divided; 0 where there was nothing of it."""


def once(_record: QueryRecord) -> float:
    """Divide by nothing: a run is a run."""
    return 1.0


def runs_of(history: History, one_id: str, other_id: str) -> tuple[tuple[str, ...], ...]:
    """Return the runs that say how two queries scatter: those of each, by their identifiers.

    A query's runs are those of the group it was repeated in, or else all that are stored of the
    same (see :meth:`Repeats.alike`). What was repeated as a group is not counted to a query of the
    same prompt beside it: that is another occasion.

    :return: the same twice if both are runs of one and the same thing
    """
    repeats = Repeats(history.store)
    groups = repeats.of(one_id), repeats.of(other_id)
    one, other = (
        group or repeats.alike(query_id) or (query_id,)
        for group, query_id in zip(groups, (one_id, other_id), strict=True)
    )
    if bool(groups[0]) == bool(groups[1]) or set(one) == set(other):
        return one, other
    if groups[0]:
        return one, tuple(each for each in other if each not in one) or one
    return tuple(each for each in one if each not in other) or other, other


def compare_records(
    a: Sequence[QueryRecord],
    b: Sequence[QueryRecord],
    is_same_machine: bool,
    *,
    phase: str | None = None,
    counts: tuple[Counted, Counted] = (once, once),
    only_second: bool = False,
) -> Comparison | None:
    """Compare runs of one thing with runs of another by their bills; see :func:`compare`.

    :param is_same_machine: whether all ran on one; then they must be of the same components
    :param phase: of the bill; what belongs to the total unless given
    :param counts: by what the energy of each run of the one and of the other is divided
    :param only_second: see :func:`compare`
    :return: ``None`` if one was not measured, the bills are of different methods, or no run of one
        was measured as one of the other was
    """
    if len({record.bill.method for record in (*a, *b)}) > 1:
        return None
    runs = [
        [_run(record, phase, count, is_same_machine) for record in side]
        for side, count in zip((a, b), counts, strict=True)
    ]
    sets = [{frozenset(run) for run in side if run} for side in runs]
    shared = is_same_machine and bool(sets[0] & sets[1])
    if is_same_machine and not shared and not _of_the_same((*a, *b), phase):
        return None
    return compare(runs[0], runs[1], shared=shared, only_second=only_second)


def _run(record: QueryRecord, phase: str | None, count: Counted, is_same_machine: bool) -> Run:
    divisor = count(record)
    # What a run lacks of a machine's parts, those of another machine cannot lack as well.
    if not divisor > 0 or (not is_same_machine and partly_read(record.bill, phase)):
        return {}
    return {key: per(energy, divisor) for key, energy in run_of(record.bill, phase).items()}


def _of_the_same(records: Sequence[QueryRecord], phase: str | None) -> bool:
    """Whether other sensors of one machine measured the same components, and all of them."""
    measured = [record.bill for record in records if run_of(record.bill, phase)]
    return len({measured_domains(bill) for bill in measured}) == 1 and not any(
        partly_read(bill, phase) for bill in measured
    )
