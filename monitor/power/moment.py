"""What a counter had come to at a moment between two of its refreshes, and how sure that is."""

import math
from typing import NamedTuple

import numpy as np

from monitor.power.curve import Gap
from monitor.power.refreshes import Refreshed

LONG_INTERVALS = 3
"""Between refreshes so many times further apart than usual, anything may have happened."""

TOLD_WELL = 8.0
"""Two refreshes so many standard deviations of their times apart tell the watts between them to an
eighth."""


class Moment(NamedTuple):
    """Cumulative joules, and the standard deviation of what is not known of them."""

    joules: float
    doubt_j: float


class _Line(NamedTuple):
    """The straight line through two refreshes, gone on with beyond the nearer one.

    :param span_s: time between the two
    :param far_s: doubt of the time of the further one
    """

    joules: float
    time_s: float
    doubt_s: float
    power_w: float
    span_s: float
    far_s: float

    def at(self, at_s: float) -> float:
        return self.joules + self.power_w * (at_s - self.time_s)

    def doubt_j(self, at_s: float) -> float:
        """What it is off by if its refreshes were at other times."""
        share = abs(at_s - self.time_s) / self.span_s
        return self.power_w * math.hypot((1 + share) * self.doubt_s, share * self.far_s)


def moment_of(known: Refreshed, at_s: float, usual_s: float) -> Moment:
    """Return what a counter had come to at a moment that its curve reaches to.

    If the power stepped once between the refreshes on either side, it was until then what it had
    been up to the first, and afterwards what it was from the second on: two lines that meet at the
    step. So it is with work that begins or ends at the moment itself. Where the lines do not meet
    between the refreshes, a straight line between these is taken.

    With f the part of their distance dt that has passed, and P the watts: a refresh earlier or
    later by d moves a straight line by P x d x (1 - f), or f. If the power stepped by dP anywhere
    between the two, it is off by dP x f(1 - f) x dt / sqrt 3; two lines by half as much, if that
    was a ramp. If the mean stands out from both sides by dP, that was a burst, and has passed or
    not: dP x dt x sqrt (f(1 - f)). Between refreshes unusually far apart all of the power may have
    come or gone.

    :param usual_s: how far apart the refreshes usually are
    """
    curve = known.curve
    right = int(np.clip(np.searchsorted(curve.time_s, at_s), 1, len(curve.time_s) - 1))
    left = right - 1
    straight_j = float(np.interp(at_s, curve.time_s, curve.energy_j))
    if curve.gap[right] != Gap.NONE:
        return Moment(straight_j, 0.0)
    dt_s = float(curve.time_s[right] - curve.time_s[left])
    mean_w = float(curve.energy_j[right] - curve.energy_j[left]) / dt_s
    passed = (at_s - float(curve.time_s[left])) / dt_s
    before, after = _line(known, left, -1), _line(known, right, 1)
    beside_w = [line.power_w for line in (before, after) if line]
    shape_j = dt_s * passed * (1 - passed) / math.sqrt(3)
    is_long = dt_s > LONG_INTERVALS * usual_s
    if before and after and not is_long and min(beside_w) < mean_w < max(beside_w):
        bent = max if after.power_w > before.power_w else min
        line = bent((before, after), key=lambda line: line.at(at_s))
        step_j = abs(after.power_w - before.power_w) / 2 * shape_j
        return Moment(line.at(at_s), math.hypot(line.doubt_j(at_s), step_j))
    burst_w = 0.0
    if is_long:
        step_w = max(mean_w, *beside_w) if beside_w else mean_w
    else:
        step_w = max(mean_w, *beside_w) - min(mean_w, *beside_w) if beside_w else mean_w
        if len(beside_w) == 2:
            burst_w = max(mean_w - max(beside_w), min(beside_w) - mean_w, 0.0)
    doubt_j = math.hypot(
        mean_w * (1 - passed) * float(known.doubt_s[left]),
        mean_w * passed * float(known.doubt_s[right]),
        step_w * shape_j,
        burst_w * dt_s * math.sqrt(passed * (1 - passed)),
    )
    return Moment(straight_j, doubt_j)


def _line(known: Refreshed, at: int, towards: int) -> _Line | None:
    """Return the line up to a refresh (-1) or from it on (1), over the shortest time that tells it.

    :return: ``None`` if no refresh near tells it well
    """
    curve, doubt_s = known.curve, known.doubt_s
    other = at + towards
    while 0 <= other < len(curve.time_s):
        if curve.gap[max(other, other - towards)] != Gap.NONE:
            return None
        span_s = abs(float(curve.time_s[other] - curve.time_s[at]))
        if span_s >= TOLD_WELL * math.hypot(doubt_s[at], doubt_s[other]):
            return _Line(
                joules=float(curve.energy_j[at]),
                time_s=float(curve.time_s[at]),
                doubt_s=float(doubt_s[at]),
                power_w=abs(float(curve.energy_j[other] - curve.energy_j[at])) / span_s,
                span_s=span_s,
                far_s=float(doubt_s[other]),
            )
        other += towards
    return None
