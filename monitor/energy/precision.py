"""The same thing measured several times: its mean, and how many times more would be enough.

What scatters from run to run becomes surer with each one. What the sensor itself is off by is the
same every time: it belongs to the mean in full, however often it is measured (JCGM 100:2008,
4.2 and F.1.1).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor.energy.account import Bill, Line, join_phases
from monitor.energy.difference import per
from monitor.energy.interval import Z95, Interval, t95
from monitor.energy.parts import fullest, partly_read, run_of
from monitor.power.channel import Kind, Role

FEWEST = 5
"""So many runs there are before a precision counts as reached.

Two or three may agree by chance. Who stops as soon as an interval looks narrow enough is wrong a
little more often than it says: from five runs on it holds the truth 92.5 times in 100 or more.
"""

MOST_NEEDED = 10_000
"""Nobody runs a prompt more often; a number beyond it is not told."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The energy of one run, known from several.

    :param joules: of each run, in their order
    :param energy: their mean. ``below_j`` and ``above_j`` are the mean systematic parts; of
      ``random_j`` 1.96 are the half-width that Student's t gives the runs' scatter
    :param spread_j: standard deviation from run to run; ``None`` of a single one
    :param kind: the weakest kind among the parts
    :param resolved: whether the runs joined last ten refreshes or more of every part's sensor
    :param coverage: the least share of a part that was read
    :param left_out: runs that it is not of, as other parts were read in them than in the others
    :param unread: labels of the parts that were not read in any of its runs: it was more than that
    """

    joules: tuple[float, ...]
    energy: Interval
    spread_j: float | None
    kind: Kind
    resolved: bool
    coverage: float
    left_out: int = 0
    unread: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many runs the mean is of."""
        return len(self.joules)

    @property
    def scatter(self) -> float:
        """Half of the part of the interval that repeating narrows, as a share of the mean."""
        return self._share(Z95 * self.energy.random_j)

    @property
    def systematic(self) -> float:
        """Half of the part of the interval that repeating leaves, as a share of the mean."""
        return self._share((self.energy.below_j + self.energy.above_j) / 2)

    @property
    def precision(self) -> float:
        """Half of the whole 95 % interval, as a share of the mean."""
        return self.scatter + self.systematic

    def _share(self, joules: float) -> float:
        return joules / self.energy.joules if self.energy.joules > 0 else math.inf

    def is_within(self, precision: float) -> bool:
        """Whether what repeating can settle of a precision is settled; see :meth:`scatter_left`."""
        return self.count >= FEWEST and self.scatter <= self.scatter_left(precision)

    def scatter_left(self, precision: float) -> float:
        """What a precision leaves for the scatter.

        Where the systematic part alone is larger, the precision cannot be reached; then it is
        asked of the scatter by itself, which is what two energies of one sensor are compared by.

        :param precision: a share, above 0
        """
        left = precision - self.systematic
        return left if left > 0 else precision

    def can_reach(self, precision: float) -> bool:
        """Whether repeating can bring the whole interval to a precision."""
        return self.systematic < precision

    def needed(self, precision: float) -> int | None:
        """Return how many runs a precision takes in all, if they go on scattering like these.

        :return: ``None`` if that cannot be told: of a single run, or if it were very many
        """
        if self.spread_j is None or self.energy.joules <= 0:
            return None
        deviation = self._share(self._deviation_j)
        return runs_needed(deviation, self.scatter_left(precision))

    @property
    def _deviation_j(self) -> float:
        """Standard deviation of one run that the interval goes by."""
        return Z95 * self.energy.random_j * math.sqrt(self.count) / t95(self.count - 1)


def runs_needed(deviation: float, half_width: float) -> int | None:
    """Return the fewest runs whose mean has an interval no wider than asked.

    :param deviation: standard deviation from run to run
    :param half_width: of the 95 % interval, above 0, in the same unit
    :return: ``None`` if it is more than :data:`MOST_NEEDED`
    """
    if Z95 * deviation / math.sqrt(MOST_NEEDED) > half_width:
        return None
    runs = max(FEWEST, math.floor((Z95 * deviation / half_width) ** 2))
    while t95(runs - 1) * deviation / math.sqrt(runs) > half_width:
        runs += 1
    return runs


def join_bills(bills: Iterable[Bill]) -> Bill:
    """Join the bills of several runs into one: a line for each channel and phase.

    Runs too short for a sensor are resolved together as phases are: it is asked whether their
    lengths add up to ten refreshes, or readings.

    :raises ValueError: for bills of different methods, which are not added
    """
    joined: dict[tuple[tuple[str, Role], str], list[Line]] = {}
    methods = set()
    for bill in bills:
        methods.add(bill.method)
        for line in bill.lines:
            joined.setdefault((line.channel.billed_as, line.phase), []).append(line)
    if len(methods) > 1:
        raise ValueError("Bills of different methods are not added.")
    lines = tuple(join_phases(lines, phase) for (_, phase), lines in joined.items())
    return Bill(lines, *methods)


def mean_of(bills: Sequence[Bill]) -> Mean | None:
    """Return the mean energy of some runs of the same prompt, by their totals.

    The scatter is the runs' own, but no less than what sampling is known to add to each.

    :param bills: of one method; those in which nothing was measured, or not all that was in others,
        are left out: see :func:`monitor.energy.parts.fullest`
    :return: ``None`` if nothing was measured at all, or nothing whole
    :raises ValueError: for bills of different methods
    """
    runs = [run_of(bill) for bill in bills]
    if not any(runs):
        return None
    parts = fullest(frozenset(run) for run in runs if run)
    kept = [bill for bill, run in zip(bills, runs, strict=True) if run.keys() == parts]
    joined = join_bills(kept)
    total = joined.total()
    assert total.energy is not None
    assert total.kind is not None
    count = len(kept)
    joules = tuple(joules for bill in kept if (joules := bill.total().joules) is not None)
    mean = per(total.energy, count)
    spread_j = None
    if count > 1:
        squares = ((each - mean.joules) ** 2 for each in joules)
        spread_j = math.sqrt(math.fsum(squares) / (count - 1))
        sampled_j = mean.random_j * math.sqrt(count)
        deviation_j = max(spread_j, sampled_j)
        random_j = t95(count - 1) * deviation_j / math.sqrt(count) / Z95
        mean = replace(mean, random_j=random_j)
    return Mean(
        joules, mean, spread_j, total.kind, total.resolved, total.coverage,
        left_out=len(bills) - count,
        unread=tuple(line.channel.label for line in partly_read(joined)),
    )  # fmt: skip
