"""A short look at counters before they are believed: which are dead, slow, or show another's count.

Some counters are there and never count: ``psys`` on many boards, all of them in some virtual
machines. What stands still would be 0 W, counted; it is left out. Others are renewed but once a
second: a virtual machine's, by its host (QEMU, docs/specs/rapl-msr.rst, and its
MSR_ENERGY_THREAD_SLEEP_US in target/i386/kvm/vmsr_energy.h). How often is told by two advances.

On some AMD processors of several dies each die shows the counter of the whole package, so that two
"packages" are one. Those are told by how they advance. Between two readings of A, one before and
one after a reading of B, the difference of both counters is known to within what A advanced
meanwhile. For a mirror it stays the same for ever; two real packages drift apart by as much as
their powers differ.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import monotonic, sleep

from monitor.power.channel import Channel, Domain
from monitor.power.rapl.counter import (
    DEAD_S,
    PERIOD_S,
    STEP_J,
    Counter,
    is_package,
    should_move,
)

ROUND_S = 0.01
"""Time between two comparisons: ten refreshes."""

STUCK_S = 0.5
"""A counter that has counted once is dead if it stands still for so long, one at zero after
:data:`~monitor.power.rapl.counter.DEAD_S`: memory at rest, at 10 mW, moves it by 80 steps."""

SLOW_S = 4.0
"""The same, while no counter has advanced twice: two renewals that are two seconds apart. QEMU
pauses a second between two, and a host that is busy is later."""

QUICK_S = 0.1
"""A counter that advances twice within this is renewed as its documentation says."""

SAME_COUNT_S = 0.25
"""Two counters that show the same large number and advance alike for so long are one.

Packages that differ have counted from the machine's start, each on its own: that their numbers,
out of a range of 262 kJ, lie within a refresh of each other is no coincidence.
"""

LARGE = 10_000
"""A number so many times what two readings differ by is large. Counts that have just begun, as
those of perf events have, are all small and say nothing by being the same."""

ALIKE_S = 1.5
"""Two counters that differ, but by the same amount for so long, are one.

They then agree within two refreshes in 1,500. No study tells how alike two packages can work: this
is taken to be closer than any two that do something. Should it happen all the same, the watch that
goes on with each reading finds them out.
"""

LONGEST_S = ALIKE_S + 0.3
"""After this the look ends, whatever is still unknown."""

FEWEST_ROUNDS = 8
"""Comparisons, each with an advance since the one before, before two counters are called one."""

BASE_ROUNDS = 3
"""The difference that must stay is the median of so many comparisons."""

STRAYS = 3
"""Comparisons in a row that must disagree: one alone may be a reading that was held up."""


class Verdict(StrEnum):
    """What is known of two counters."""

    UNKNOWN = "unknown"
    ONE = "one"
    TWO = "two"


@dataclass(slots=True)
class Pair:
    """Two counters that may be one.

    :param first: the number of the one that is read first
    :param second: the number of the other
    :param range_j: where both return to zero; ``None`` if that is not known
    """

    first: int
    second: int
    range_j: float | None
    verdict: Verdict = Verdict.UNKNOWN
    has_moved: bool = False
    _began_s: float = math.nan
    _last: tuple[float, float] | None = None
    _bases_j: list[float] = field(default_factory=list)
    _rounds: int = 0
    _strays: int = 0

    def compare(self, time_s: float, before_j: float, other_j: float, after_j: float) -> None:
        """Take a comparison. What was one may drift apart later; what is two stays so.

        :param time_s: monotonic time of the first reading
        :param before_j: the first counter
        :param other_j: the second counter, read later
        :param after_j: the first counter again, read later still
        """
        if self.verdict is Verdict.TWO:
            return
        if self._last is None:
            self._began_s, self._last = time_s, (time_s, before_j)
            return
        last_s, last_j = self._last
        if before_j == last_j:
            return  # Two counters that stand still say nothing of each other.
        self._last, self.has_moved = (time_s, before_j), True
        held_up_j = abs(self._apart(after_j, before_j))
        difference_j = self._apart(other_j, before_j) - held_up_j / 2
        if len(self._bases_j) < BASE_ROUNDS:
            self._bases_j.append(difference_j)
            return
        power_w = abs(self._apart(before_j, last_j)) / (time_s - last_s)
        # Each counter is as old as its last refresh.
        slack_j = 2 * PERIOD_S * power_w + 2 * STEP_J
        base_j = statistics.median(self._bases_j)
        is_stray = abs(self._apart(difference_j, base_j)) > slack_j + held_up_j / 2
        self._strays = self._strays + 1 if is_stray else 0
        self._rounds += 1
        if self._strays >= STRAYS:
            self.verdict = Verdict.TWO
        elif self._rounds >= FEWEST_ROUNDS and not self._strays:
            is_same_count = abs(base_j) <= slack_j and before_j >= LARGE * slack_j
            if time_s - self._began_s >= (SAME_COUNT_S if is_same_count else ALIKE_S):
                self.verdict = Verdict.ONE

    def _apart(self, later_j: float, earlier_j: float) -> float:
        """Return the difference of two counts, over the wrap where that is shorter."""
        if not self.range_j:
            return later_j - earlier_j
        return (later_j - earlier_j + self.range_j / 2) % self.range_j - self.range_j / 2


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at counters has found.

    :param believed: the counters that count, each something of its own
    :param dead: those that stand still
    :param mirrors: a counter, and the one that shows the same
    :param packages: those that were compared
    :param pairs: what is known of each two of them
    :param period_s: the refresh period of those believed, or what it does not exceed
    """

    believed: tuple[Counter, ...]
    dead: tuple[Counter, ...]
    mirrors: tuple[tuple[Counter, Counter], ...]
    packages: tuple[Counter, ...]
    pairs: tuple[Pair, ...]
    period_s: float = PERIOD_S

    def channel(self, counter: Counter) -> Channel:
        """Return the channel of a counter, with the period that was found."""
        least_s = self.period_s if self.period_s > PERIOD_S else 0.0
        return replace(counter.channel, period_s=self.period_s, least_period_s=least_s)

    def has_changed(self) -> bool:
        """Compare again what may not stay as it was found, and say whether it has not.

        Costs nothing where every two packages are known to be two.
        """
        doubtful = [pair for pair in self.pairs if pair.verdict is not Verdict.TWO]
        were_one = [pair.verdict is Verdict.ONE for pair in doubtful]
        if doubtful:
            compare(self.packages, doubtful)
        return were_one != [pair.verdict is Verdict.ONE for pair in doubtful]

    def found_mirrors(self) -> tuple[Counter, ...]:
        """Return what is believed and should not be: it has shown another's count all the time."""
        mirrored = {mirror.package for mirror, _ in mirrors_among(self.packages, self.pairs)}
        return tuple(counter for counter in self.believed if counter.package in mirrored)


def look_at(counters: Sequence[Counter]) -> Look:
    """Watch counters until it is known which to believe.

    Takes two hundredths of a second where all count and there is one package; a few more for
    packages whose powers differ; up to :data:`ALIKE_S` for those that differ little, and up to
    :data:`SLOW_S` where all are slow, or have counted once and stand still.
    """
    packages = _comparable(counters)
    first_j = [(c, c.read_j()) for c in counters if should_move(c.channel)]
    still = [(counter, at_j) for counter, at_j in first_j if at_j is not None]
    rhythm = Rhythm(still)
    pairs = pairs_of(packages)
    began_s = monotonic()
    moved = False
    while still or rhythm.is_open or _open(pairs):
        seconds = monotonic() - began_s
        dead_s = DEAD_S
        if rhythm.is_open and any(at_j for _, at_j in rhythm.first_j):
            dead_s = SLOW_S
        elif any(at_j for _, at_j in still):
            dead_s = SLOW_S if rhythm.period_s > PERIOD_S else STUCK_S
        if seconds >= (LONGEST_S if moved and _open(pairs) else dead_s):
            break
        sleep(ROUND_S)
        still = [(counter, at_j) for counter, at_j in still if counter.read_j() == at_j]
        rhythm.look(monotonic())
        if _open(pairs):
            moved = compare(packages, pairs) or moved
    look = _concluded(counters, packages, [counter for counter, _ in still], pairs)
    return replace(look, period_s=rhythm.period_s)


class Rhythm:
    """Finds out how often counters are renewed, by the first of them that advances twice.

    :param first_j: those that should move, and what they had come to
    """

    def __init__(self, first_j: Sequence[tuple[Counter, float]]) -> None:
        self.first_j = tuple(first_j)
        self.period_s = PERIOD_S
        self._last_j = {counter.channel.key: at_j for counter, at_j in first_j}
        self._advanced_s: dict[str, float] = {}
        self._looked_s = monotonic()
        self.is_open = bool(first_j)

    def look(self, now_s: float) -> None:
        """Read them once more, unless the rhythm is known."""
        for counter, _ in self.first_j if self.is_open else ():
            key, at_j = counter.channel.key, counter.read_j()
            if at_j is None or at_j == self._last_j[key]:
                continue
            self._last_j[key] = at_j
            if key in self._advanced_s:
                self.is_open = False
                # Either was seen up to a reading late.
                longest_s = now_s - self._advanced_s[key]
                self.period_s = longest_s if longest_s > QUICK_S else PERIOD_S
            self._advanced_s.setdefault(key, self._looked_s)
        self._looked_s = now_s


def pairs_of(packages: Sequence[Counter]) -> list[Pair]:
    """Return every two packages, to be compared; their numbers are places in the list."""
    return [
        Pair(first, second, packages[first].channel.range_j)
        for second in range(len(packages))
        for first in range(second)
        if packages[first].channel.range_j == packages[second].channel.range_j
    ]


def compare(packages: Sequence[Counter], pairs: Sequence[Pair]) -> bool:
    """Compare packages once more; returns whether any has advanced since it was first read."""
    time_s = monotonic()
    before_j = [counter.read_j() for counter in packages]
    after_j = [counter.read_j() for counter in packages]
    for pair in pairs:
        first_j, other_j, again_j = before_j[pair.first], before_j[pair.second], after_j[pair.first]
        if first_j is not None and other_j is not None and again_j is not None:
            pair.compare(time_s, first_j, other_j, again_j)
    return any(pair.has_moved for pair in pairs)


def _comparable(counters: Sequence[Counter]) -> list[Counter]:
    """Return the packages that may be mirrors: AMD's, which have no counter for memory.

    AMD has registers for cores and for packages alone (MSR C001_029A and C001_029B of its Processor
    Programming References). Each of Intel's packages has a counter of its own, so that two of them
    are two, however alike they work.
    """
    with_memory = {c.package for c in counters if c.channel.domain is Domain.DRAM}
    return [c for c in counters if is_package(c) and c.package not in with_memory]


def _open(pairs: Sequence[Pair]) -> bool:
    return any(pair.verdict is Verdict.UNKNOWN for pair in pairs)


def mirrors_among(
    packages: Sequence[Counter], pairs: Sequence[Pair]
) -> tuple[tuple[Counter, Counter], ...]:
    """Return each package that shows another's count, and that other, by what is known of pairs."""
    shown_by: dict[int, int] = {}
    for pair in pairs:
        if pair.verdict is Verdict.ONE and pair.first not in shown_by:
            shown_by.setdefault(pair.second, pair.first)
    return tuple((packages[second], packages[first]) for second, first in shown_by.items())


def _concluded(
    counters: Sequence[Counter],
    packages: Sequence[Counter],
    dead: Sequence[Counter],
    pairs: Sequence[Pair],
) -> Look:
    mirrors = mirrors_among(packages, pairs)
    # What stands below a mirror (its cores) is a mirror too.
    mirrored = {mirror.package for mirror, _ in mirrors}
    # What is inside a dead package would be inside nothing.
    empty = {counter.package for counter in dead if is_package(counter)}
    believed = tuple(
        counter
        for counter in counters
        if counter.package not in mirrored
        and counter not in dead
        and (should_move(counter.channel) or counter.package not in empty)
    )
    return Look(believed, tuple(dead), mirrors, tuple(packages), tuple(pairs))
