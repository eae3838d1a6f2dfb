"""The bill: what each channel drew in each phase, and the total of the parts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.energy.interval import Interval, add
from monitor.energy.standing import standing
from monitor.power.channel import Channel, Kind, Role
from monitor.power.trace import Trace
from monitor.power.window import Window

METHOD = 6
"""Version of the accounting below, kept with every bill. Raise it when a figure would change.

2: intervals know of bursts between readings and of how late a sensor is; joules are those of 1.
3: a counter that is read between its refreshes is billed by these, and not by when it was read;
intervals know how restless watts are on the machine.
4: a counter's curve stands at the moments of its refreshes, which a mark has it read on for, and
bends where the power stepped; intervals of watts take no burst for late, and know of one that no
reading met.
5: where a counter's power may have stepped at the moment itself, what is known before and after is
weighed by its doubt; it bends while it is not read as well; its intervals take no doubt about when
it was refreshed for a step.
6: a reading that tells the same as the one before bounds when a counter was refreshed; where only
watts were read between two counts, intervals know of what those missed."""

LOAD, PREFILL, DECODE, WATCH = "load", "prefill", "decode", "watch"

OUTSIDE_TOTAL = {LOAD}
"""Phases billed beside the total, never inside."""

REFRESHES_TO_RESOLVE = 10
"""A window of fewer refreshes of a channel is marked unresolved, and one without a reading."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A named span of monotonic seconds."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """One channel in one phase.

    :param channel: what was read
    :param phase: the phase's name
    :param energy: joules with their interval; ``None`` when nothing was read, never zero
    :param mean_w: mean watts over the covered part
    :param peak_w: highest watts read
    :param samples: readings inside the phase
    :param coverage: share of the phase that was read, 0 to 1
    :param duration_s: length of the phase, or of what it is billed for beside a model
    :param resolved: whether the phase lasted ten refreshes or more, and a reading lies inside
    """

    channel: Channel
    phase: str
    energy: Interval | None
    mean_w: float | None
    peak_w: float | None
    samples: int
    coverage: float
    duration_s: float
    resolved: bool

    @property
    def joules(self) -> float | None:
        """The best estimate; ``None`` when nothing was read."""
        return self.energy.joules if self.energy else None


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over the parts.

    :param energy: joules with their interval; ``None`` when no part was read
    :param kind: the weakest kind among the parts that were read
    :param resolved: whether every part is
    :param coverage: the least of the parts' coverages
    """

    energy: Interval | None
    kind: Kind | None
    resolved: bool
    coverage: float

    @property
    def joules(self) -> float | None:
        """The best estimate; ``None`` when nothing was read."""
        return self.energy.joules if self.energy else None


@dataclass(frozen=True, slots=True)
class Bill:
    """What a span of time cost.

    :param lines: a line for each channel and phase
    :param method: version of the accounting
    """

    lines: tuple[Line, ...]
    method: int = METHOD

    def total(self, phase: str | None = None) -> Total:
        """Add the parts of one phase, or of all phases that count towards the total."""
        return add_lines(
            line
            for line in self.lines
            if line.channel.role is Role.PART
            and (line.phase == phase if phase else line.phase not in OUTSIDE_TOTAL)
        )

    def phases(self) -> tuple[str, ...]:
        """Names of the phases that count towards the total, in the order they happened."""
        names = dict.fromkeys(line.phase for line in self.lines)
        return tuple(name for name in names if name not in OUTSIDE_TOTAL)

    def by_channel(self) -> tuple[Line, ...]:
        """Return one line a channel, its phases joined (``load`` left out)."""
        grouped: dict[tuple[str, Role], list[Line]] = {}
        for line in self.lines:
            if line.phase not in OUTSIDE_TOTAL:
                grouped.setdefault(line.channel.billed_as, []).append(line)
        return tuple(join_phases(lines) for lines in grouped.values())


def account(trace: Trace, channels: Iterable[Channel], phases: Iterable[Phase]) -> Bill:
    """Bill some phases: the one place where sources and queries meet.

    Which channels a phase is billed by is told by :mod:`monitor.energy.standing`: by those that
    have gone, too. The trace should have readings past the end, or the coverage will be less than
    whole.

    :param trace: the readings
    :param channels: the channels that are there now, as the sampler lists them
    :param phases: spans of time; one of no length is left out
    """
    there = tuple(channels)
    return Bill(
        tuple(
            join_phases(
                [_line(trace, each.channel, phase.name, *stretch) for stretch in each.stretches],
                phase.name,
            )
            for phase in phases
            if phase.end_s > phase.start_s
            for each in standing(trace, there, phase.start_s, phase.end_s)
        )
    )


def _line(trace: Trace, channel: Channel, phase: str, start_s: float, end_s: float) -> Line:
    window, duration_s = trace.window(channel.key, start_s, end_s), end_s - start_s
    return Line(
        channel=channel,
        phase=phase,
        energy=interval_of(channel, window, duration_s),
        mean_w=window.mean_w,
        peak_w=window.peak_w,
        samples=window.samples,
        coverage=window.coverage,
        duration_s=duration_s,
        resolved=window.joules is not None
        and _resolves(channel, duration_s, window.samples, window.spacing_s),
    )


def _resolves(channel: Channel, duration_s: float, samples: int, spacing_s: float) -> bool:
    """Whether a time is ten refreshes long, and was looked into.

    A counter is read where a phase begins and ends, so its own refresh counts; watts, and a
    load, are known only as often as they are sampled. What a counter came to in a silence is
    known of all of it, and of no time within.
    """
    is_counter = channel.kind is Kind.COUNTER
    refresh_s = channel.period_s if is_counter else max(channel.period_s, spacing_s)
    return samples > 0 and duration_s >= REFRESHES_TO_RESOLVE * refresh_s


def interval_of(channel: Channel, window: Window, duration_s: float) -> Interval | None:
    """Return the energy of a window with what sampling and sensor leave in doubt.

    :param duration_s: the window's whole length, read or not
    :return: ``None`` if nothing of it was read
    """
    if window.joules is None:
        return None
    accuracy = channel.accuracy
    covered_s = duration_s * window.coverage
    offset_j = accuracy.offset_w * covered_s
    # What was not observed may have drawn up to the highest watts that were.
    unseen_j = (duration_s - covered_s) * (window.peak_w or 0.0)
    # White noise: each refresh that is read is off by another chance, and stands for its time.
    noise_j = channel.noise_w * math.sqrt(max(channel.period_s, window.spacing_s) * covered_s)
    return Interval(
        joules=window.joules,
        # Ends at unlike watts lag unlike, by as much each time: repeating does not average it out.
        below_j=window.joules * accuracy.below + offset_j + max(-window.lag_j, 0.0),
        above_j=window.joules * accuracy.above + offset_j + max(window.lag_j, 0.0) + unseen_j,
        random_j=math.hypot(window.edge_j, window.shape_j, noise_j),
    )


def add_lines(lines: Iterable[Line]) -> Total:
    """Add lines of role part. A line without a reading lowers the coverage, not the sum."""
    parts = list(lines)
    read = [line for line in parts if line.energy is not None]
    return Total(
        energy=add(line.energy for line in read if line.energy is not None),
        kind=weakest(line.channel.kind for line in read),
        resolved=bool(read) and _resolved_together(parts),
        coverage=min((line.coverage for line in parts), default=0.0),
    )


def _resolved_together(lines: Sequence[Line]) -> bool:
    """Whether, in each channel, the phases joined last ten refreshes or more."""
    joined: dict[str, list[Line]] = {}
    for line in lines:
        joined.setdefault(line.channel.key, []).append(line)
    return all(join_phases(group).resolved for group in joined.values())


def weakest(kinds: Iterable[Kind]) -> Kind | None:
    """Return the weakest of some kinds: what a sum of them may be called."""
    return max(kinds, key=lambda kind: kind.weakness, default=None)


def join_phases(lines: Sequence[Line], name: str | None = None) -> Line:
    """Join the lines of one channel over several phases into one.

    :param lines: at least one, all of the same channel
    :param name: what the joined phase is called; the names of all of them unless given
    """
    if len(lines) == 1:
        return lines[0]
    duration_s = sum(line.duration_s for line in lines)
    covered_s = sum(line.duration_s * line.coverage for line in lines)
    energy = add(line.energy for line in lines if line.energy is not None)
    samples = sum(line.samples for line in lines)
    spacing_s = duration_s / samples if samples else duration_s
    channel = lines[0].channel
    return Line(
        channel=channel,
        phase=name or "+".join(line.phase for line in lines),
        energy=energy,
        mean_w=energy.joules / covered_s if energy and covered_s else None,
        peak_w=max((line.peak_w for line in lines if line.peak_w is not None), default=None),
        samples=samples,
        coverage=covered_s / duration_s,
        duration_s=duration_s,
        resolved=energy is not None and _resolves(channel, duration_s, samples, spacing_s),
    )
