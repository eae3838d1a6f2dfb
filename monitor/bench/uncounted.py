"""What a run computes that is in none of its items: billed, but no part of what an item takes."""

from dataclasses import replace

from monitor.energy.account import Bill
from monitor.store.records import QueryRecord

WARM_UP, CUT, AGAIN = "warm-up", "cut", "again"
"""Phases of a run's bill: exercises before its first item, items that were not finished, and items
that had to be computed anew to go on from a boundary."""

UNCOUNTED = {
    WARM_UP: "of warm-up",
    CUT: "of unfinished items",
    AGAIN: "of items computed again",
}
"""What those phases are called, after an amount of energy."""


def counted(bill: Bill) -> Bill:
    """Return the bill of a run's items alone."""
    return replace(bill, lines=tuple(line for line in bill.lines if line.phase not in UNCOUNTED))


def counted_part(record: QueryRecord) -> QueryRecord:
    """Return a run's record with the bill and the time of its items alone, and their share of what
    making the machine emitted; any other query as it is."""
    bill, seconds = counted(record.bill), record.seconds
    if len(bill.lines) == len(record.bill.lines):
        return record
    items_s = (seconds.prefill or 0.0) + (seconds.decode or 0.0)
    share = items_s / seconds.total if seconds.total else 0.0
    return replace(
        record,
        bill=bill,
        seconds=replace(seconds, total=items_s),
        embodied_g=None if record.embodied_g is None else record.embodied_g * share,
    )
