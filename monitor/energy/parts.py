"""What a bill's total is of: the parts that were read, and whether so far that it can be compared.

A part that was not read is missing from a total, and a mean or a comparison that took the total
as it stands would count the missing reading as nothing.
"""

from collections import Counter
from collections.abc import Iterable

from monitor.energy.account import (
    OUTSIDE_TOTAL,
    REFRESHES_TO_RESOLVE,
    Bill,
    Line,
    join_phases,
)
from monitor.energy.interval import Interval
from monitor.power.channel import Role

LEAST_READ = 0.9
"""Share of the time from which a part counts as read.

What was missed may have drawn as much as the part ever did, so that of a part read less the larger
doubt is no longer the sensor's. Short gaps are no reason to throw a run away.
"""


def part_lines(bill: Bill, phase: str | None = None) -> tuple[Line, ...]:
    """Return a line for each part, its phases joined: of one phase, or of those in the total."""
    grouped: dict[str, list[Line]] = {}
    for line in bill.lines:
        is_wanted = line.phase == phase if phase else line.phase not in OUTSIDE_TOTAL
        if is_wanted and line.channel.role is Role.PART:
            grouped.setdefault(line.channel.key, []).append(line)
    return tuple(join_phases(lines) for lines in grouped.values())


def partly_read(bill: Bill, phase: str | None = None) -> tuple[Line, ...]:
    """Return the parts of which less than :data:`LEAST_READ` was read, or nothing.

    Where there is one, and another was read, the total is known from below only.
    """
    return tuple(line for line in part_lines(bill, phase) if line.coverage < LEAST_READ)


def is_lower_bound(bill: Bill, phase: str | None = None) -> bool:
    """Whether a total was measured, of all phases or of one, but not all that belongs to it."""
    return bill.total(phase).energy is not None and bool(partly_read(bill, phase))


def is_too_short(bill: Bill) -> bool:
    """Whether a part is known, but not resolved since it all lasted too short.

    One that was not read is not, nor one that was silent: see :func:`silent_parts`.
    """
    return any(_is_unresolved(line) and not _was_silent(line) for line in part_lines(bill))


def silent_parts(bill: Bill) -> tuple[Line, ...]:
    """Return the parts that told nothing in a time long enough to be resolved, or nothing.

    What they drew is reckoned from readings before and after, which tell how much, but not when.
    """
    return tuple(line for line in part_lines(bill) if _is_unresolved(line) and _was_silent(line))


def _is_unresolved(line: Line) -> bool:
    return line.energy is not None and not line.resolved


def _was_silent(line: Line) -> bool:
    needed_s = REFRESHES_TO_RESOLVE * line.channel.period_s
    return line.samples == 0 and line.duration_s >= needed_s


def run_of(bill: Bill, phase: str | None = None) -> dict[str, Interval]:
    """Return the energies of the parts by their channels' keys, to be compared with other runs'.

    :return: nothing where no part was read, or one for less than :data:`LEAST_READ` of the time:
        how much of it is missing then differs from run to run
    """
    read = [line for line in part_lines(bill, phase) if line.energy is not None]
    if any(line.coverage < LEAST_READ for line in read):
        return {}
    return {line.channel.key: line.energy for line in read if line.energy is not None}


def fullest(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return which parts runs are compared by, of the sets of parts that were read in each.

    The set with the most parts, since a smaller one lacks readings, but not one that a single run
    has, if there are others: such as a card that woke once. Of those with as many parts, the one
    that most runs have, then the latest.

    :param sets: at least one
    """
    listed = list(sets)
    counts, latest = Counter(listed), {parts: at for at, parts in enumerate(listed)}
    return max(
        counts, key=lambda parts: (counts[parts] > 1, len(parts), counts[parts], latest[parts])
    )
