"""The idle baseline: what the machine draws while nobody computes, and what is above it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np

from monitor import figures
from monitor.energy.account import Bill, Line
from monitor.energy.interval import Z95, Interval
from monitor.power.channel import Channel, Kind, Role
from monitor.power.trace import Trace

BLOCK_S = 1.0
"""The idle machine is looked at second by second: longer than any sensor's rhythm, and short
enough that a minute tells how much the seconds differ."""

LEAST_COVERAGE = 0.9
"""A second of which less was read says too little."""

FEWEST_BLOCKS = 5
"""Of fewer seconds a median and a spread mean nothing."""

MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation
(Rousseeuw and Croux 1993)."""

LONGEST_AGE_S = 24 * 3600.0

CLOCK_SLACK_S = 60.0
"""A baseline from further ahead than this was measured by a clock that has been set back since."""

SAME_BOOT_S = 60.0
"""The moment of a start is told from the clock, which may be put right by so much meanwhile."""


AND = ", "


@dataclass(frozen=True, slots=True)
class Conditions:
    """What idle watts depend on, beside what the machine computes.

    :param boot_id: the kernel's name of this start of the machine, "" where it has none
    :param booted_s: when it was started, seconds since 1970
    :param profile: power profile, governor and energy preference; "" where none is told
    :param on_mains: ``None`` where that is not told
    :param on_word: labels, joined by :data:`AND`, of the GPUs which tell no load, and of which only
      a person's word says that they were at rest; "" if there is none
    """

    boot_id: str
    booted_s: float
    profile: str
    on_mains: bool | None
    on_word: str = ""

    def is_same_start(self, other: "Conditions") -> bool:
        """Whether the machine was not restarted in between."""
        if self.boot_id and other.boot_id:
            return self.boot_id == other.boot_id
        return abs(self.booted_s - other.booted_s) <= SAME_BOOT_S

    def has_profile_of(self, other: "Conditions") -> bool:
        """Whether the power profile is the same, as far as both tell it."""
        return not (self.profile and other.profile) or self.profile == other.profile

    def has_mains_of(self, other: "Conditions") -> bool:
        """Whether the machine is on mains alike, as far as both tell it."""
        return None in (self.on_mains, other.on_mains) or self.on_mains == other.on_mains


@dataclass(frozen=True, slots=True)
class IdleLine:
    """One channel of the idle machine.

    :param median_w: of its mean watts second by second
    :param spread_w: their robust standard deviation
    :param samples: how many seconds were read
    """

    channel: Channel
    median_w: float
    spread_w: float
    samples: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the idle machine drew.

    :param id: "" until it is kept
    :param measured_at: UTC, ISO 8601; when the measurement ended
    :param duration_s: how long it took
    :param lines: one a channel that was read
    """

    id: str
    measured_at: str
    duration_s: float
    conditions: Conditions
    lines: tuple[IdleLine, ...]

    def age_s(self, now: datetime) -> float:
        """Return how old it is; below zero if the clock was set back since."""
        return (now - datetime.fromisoformat(self.measured_at)).total_seconds()

    def total(self) -> tuple[float, float] | None:
        """Return median and spread of all parts together in watts, ``None`` if none was read."""
        parts = [line for line in self.lines if line.channel.role is Role.PART]
        if not parts:
            return None
        spread_w = math.hypot(*(line.spread_w for line in parts))
        return math.fsum(line.median_w for line in parts), spread_w


class Stale(StrEnum):
    """Why a baseline does not tell, or no longer, what the machine would draw idle."""

    AGE = "age"
    CLOCK = "clock"
    RESTART = "restart"
    PROFILE = "profile"
    MAINS = "mains"
    WORD = "word"
    """Old or new, it may never have told it: see :attr:`Conditions.on_word`."""


STALE_WORDS = {
    Stale.AGE: "it is older than a day",
    Stale.CLOCK: "the clock was set back since",
    Stale.RESTART: "the machine was restarted since",
    Stale.PROFILE: "the power profile has changed since",
    Stale.MAINS: "the machine went from mains to battery or back since",
    Stale.WORD: "a GPU that tells no load was at rest by a person's word only",
}


def why_stale(baseline: Baseline, conditions: Conditions, now: datetime) -> tuple[Stale, ...]:
    """Say why a baseline is stale; nothing if it is not.

    :param conditions: the present ones; what is not told now or was not told then counts as same
    :param now: with a time zone
    """
    age_s, then = baseline.age_s(now), baseline.conditions
    found = {
        Stale.AGE: age_s > LONGEST_AGE_S,
        Stale.CLOCK: age_s < -CLOCK_SLACK_S,
        Stale.RESTART: not then.is_same_start(conditions),
        Stale.PROFILE: not then.has_profile_of(conditions),
        Stale.MAINS: not then.has_mains_of(conditions),
        Stale.WORD: bool(then.on_word),
    }
    return tuple(why for why, holds in found.items() if holds)


def is_stale(why: Sequence[Stale]) -> bool:
    """Whether a baseline has aged, and is not merely uncertain."""
    return any(each is not Stale.WORD for each in why)


def stale_words(why: Sequence[Stale], translate: Callable[[str], str] = str) -> str:
    """Write what is wrong with a baseline as the end of a sentence; "" if nothing is.

    :param translate: for the window's language
    """
    return ", ".join(translate(STALE_WORDS[each]) for each in why)


def baseline_from(
    trace: Trace,
    channels: Sequence[Channel],
    start_s: float,
    end_s: float,
    conditions: Conditions,
) -> Baseline | None:
    """Reckon the baseline of a span in which the machine was idle, ending now.

    :param start_s: monotonic, as ``end_s``
    :return: ``None`` if no channel was read for five seconds
    """
    lines = tuple(
        line for channel in channels if (line := _idle_line(trace, channel, start_s, end_s))
    )
    if not lines:
        return None
    measured_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Baseline("", measured_at, end_s - start_s, conditions, lines)


def _idle_line(trace: Trace, channel: Channel, start_s: float, end_s: float) -> IdleLine | None:
    watts = watts_by_second(trace, channel, start_s, end_s)
    if len(watts) < FEWEST_BLOCKS:
        return None
    median_w = float(np.median(watts))
    spread_w = MAD_TO_SIGMA * float(np.median(np.abs(np.array(watts) - median_w)))
    return IdleLine(channel, median_w, spread_w, len(watts))


def watts_by_second(trace: Trace, channel: Channel, start_s: float, end_s: float) -> list[float]:
    """Return a channel's mean watts of each second, or of each refresh where that is slower.

    Seconds that were not read are left out.

    :param start_s: monotonic, as ``end_s``
    """
    block_s = max(BLOCK_S, channel.period_s)
    starts_s = [start_s + n * block_s for n in range(int((end_s - start_s) / block_s))]
    windows = [trace.window(channel.key, at_s, at_s + block_s) for at_s in starts_s]
    return [
        window.mean_w
        for window in windows
        if window.mean_w is not None and window.coverage >= LEAST_COVERAGE
    ]


@dataclass(frozen=True, slots=True)
class AboveIdle:
    """What a bill's parts drew above the idle machine, with its 95 % interval.

    An energy is nothing below zero: where the machine drew no more than idle the estimate and
    the low end are 0, and :attr:`is_above` is false.

    :param joules: the best estimate
    :param baseline_id: the baseline it is of
    :param measured_at: when that was measured: UTC, ISO 8601
    :param stale: why that was stale already; see :class:`Stale`
    :param idle_w: what all parts of the baseline drew together; ``None`` where that is not kept
    """

    joules: float
    low_j: float
    high_j: float
    baseline_id: str
    measured_at: str
    stale: tuple[Stale, ...] = ()
    idle_w: float | None = None

    @property
    def interval(self) -> Interval:
        """The same to be written as other energies are."""
        return Interval(self.joules, self.joules - self.low_j, self.high_j - self.joules, 0.0)

    @property
    def is_above(self) -> bool:
        """Whether it is sure at 95 % that the machine drew more than idle."""
        return self.low_j > 0


def above_idle(bill: Bill, baseline: Baseline, stale: Sequence[Stale] = ()) -> AboveIdle | None:
    """Take the idle machine's joules from a bill's: sum of ``joules - median x covered seconds``.

    Systematic: both were read by the same sensor, so that its offset cancels and its gain applies
    to the difference (JCGM 100:2008, 5.2); so it is of a modelled channel, which errs by a factor
    of what load adds. What was not read may have drawn up to the peak. Random: what the
    ends of the phases add, and the spread of the idle seconds, taken to hold for all of the time,
    as idle drifts slowly rather than scatters. Systematic parts add linearly, random ones in
    quadrature.

    :param stale: why the baseline is stale, kept with the figure
    :return: ``None`` if nothing was read, or a part is not in the baseline: the figure would be
      too large by all it draws idle
    """
    idle = {line.channel.key: line for line in baseline.lines}
    read = [line for line in bill.by_channel() if line.channel.role is Role.PART and line.energy]
    if not read or any(line.channel.key not in idle for line in read):
        return None
    nets = [_net(line, idle[line.channel.key]) for line in read]
    joules = math.fsum(net.joules for net in nets)
    below_j = math.fsum(net.below_j for net in nets)
    above_j = math.fsum(net.above_j for net in nets)
    doubt_j = Z95 * math.hypot(*(net.random_j for net in nets))
    total = baseline.total()
    return AboveIdle(
        joules=max(joules, 0.0),
        low_j=max(joules - below_j - doubt_j, 0.0),
        high_j=max(joules + above_j + doubt_j, 0.0),
        baseline_id=baseline.id,
        measured_at=baseline.measured_at,
        stale=tuple(stale),
        idle_w=total and total[0],
    )


@dataclass(frozen=True, slots=True)
class _Net:
    """A line less idle, with its two kinds of doubt; unlike an energy it may be negative."""

    joules: float
    below_j: float
    above_j: float
    random_j: float


def _net(line: Line, idle: IdleLine) -> _Net:
    energy, accuracy = line.energy, line.channel.accuracy
    assert energy
    covered_s = line.duration_s * line.coverage
    net_j = energy.joules - idle.median_w * covered_s
    offset_j = accuracy.offset_w * covered_s
    # Beside gain and offset a line may be off by a sensor's lag, and by what was not read of it.
    more_below_j = energy.below_j - energy.joules * accuracy.below - offset_j
    more_above_j = energy.above_j - energy.joules * accuracy.above - offset_j
    idle_unseen_j = idle.median_w * (line.duration_s - covered_s)
    return _Net(
        joules=net_j,
        below_j=abs(net_j) * accuracy.below + max(more_below_j, 0.0),
        above_j=abs(net_j) * accuracy.above + max(more_above_j - idle_unseen_j, 0.0),
        random_j=math.hypot(energy.random_j, idle.spread_w * covered_s),
    )


def above_idle_brief(
    above: AboveIdle, kind: Kind | None, translate: Callable[[str], str] = str
) -> str:
    """Say in a few words what was drawn above idle, and which idle that was.

    :param kind: the total's
    :param translate: for the window's language
    """
    if not above.is_above:
        words = translate("not above idle")
    else:
        energy = figures.marked(kind, figures.energy(above.joules))
        words = translate("%1 above idle").replace("%1", energy)
    doubt = ""
    if above.stale:
        doubt = translate(", stale") if is_stale(above.stale) else translate(", uncertain")
    return f"{words} ({_idle(above, kind)}, {_day(above)}{doubt})"


def above_idle_words(
    above: AboveIdle | None, kind: Kind | None, translate: Callable[[str], str] = str
) -> str:
    """Say in one line what was drawn above idle and which idle that was, or that it is not known.

    :param kind: the total's
    :param translate: for the window's language
    """
    if above is None:
        return translate("above idle: not known, as no idle baseline fits")
    ends = figures.bounds(above.interval)
    if above.is_above:
        energy = figures.marked(kind, figures.energy(above.joules))
        words = translate("%1 above idle").replace("%1", f"{energy} {ends}")
    else:
        words = translate("not above idle %1").replace("%1", ends)
    which = translate(", which was %1 on %2")
    words += which.replace("%1", _idle(above, kind)).replace("%2", _day(above))
    if above.stale:
        because = stale_words(above.stale, translate)
        stale, uncertain = ": a stale baseline, as %1", ": an uncertain baseline, as %1"
        doubt = translate(stale) if is_stale(above.stale) else translate(uncertain)
        words += doubt.replace("%1", because)
    return words


def _idle(above: AboveIdle, kind: Kind | None) -> str:
    return figures.marked(kind, figures.power(above.idle_w))


def _day(above: AboveIdle) -> str:
    """Write when the idle machine was measured: the date here, the same in every language."""
    return f"{datetime.fromisoformat(above.measured_at).astimezone():%Y-%m-%d}"
