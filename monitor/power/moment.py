"""What a counter had come to at a moment between two of its refreshes, and how sure that is."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from monitor.power.curve import Gap
from monitor.power.refreshes import Refreshed

LONG_INTERVALS = 3
"""Between refreshes so many times further apart than usual, anything may have happened."""

ANY_SIZE = 1 / math.sqrt(3)
"""Root of the mean square of a step that is of any size up to the largest, each as likely."""

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
    :param far_s: doubt of the time of the further one, a standard deviation as the nearer one's
    """

    joules: float
    time_s: float
    doubt_s: float
    power_w: float
    span_s: float
    far_s: float

    @property
    def doubt_w(self) -> float:
        """Standard deviation of its watts if its refreshes were at other times."""
        return self.power_w * math.hypot(self.doubt_s, self.far_s) / self.span_s

    def apart_w(self, other: "_Line") -> float:
        """How far its watts are from those of another, beyond what the doubt about both explains.

        Doubt adds its square to that of what is seen, in the mean: it is taken off again.
        """
        seen_w = self.power_w - other.power_w
        return math.sqrt(max(seen_w**2 - self.doubt_w**2 - other.doubt_w**2, 0.0))

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
    between the refreshes, or their watts are no further apart than their doubt explains, a straight
    line between these is taken.

    With f the part of their distance dt that has passed, and P the watts: a refresh earlier or
    later by d moves a straight line by P x d x (1 - f), or f. If the power stepped by dP anywhere
    between the two, it is off by dP x f(1 - f) x dt / sqrt 3; two lines by half as much, if that
    was a ramp. If the mean stands out from both sides by dP, that was a burst, and has passed or
    not: dP x dt x sqrt (f(1 - f)).

    Between refreshes unusually far apart power may have come and gone again, or gone and come,
    that neither side tells of. At two moments anywhere between them dP leaves half the square of
    what a step does; it is of any size up to all the power there was.

    :param usual_s: how far apart the refreshes usually are
    """
    curve = known.curve
    right = int(np.clip(np.searchsorted(curve.time_s, at_s), 1, len(curve.time_s) - 1))
    left = right - 1
    if curve.gap[right] != Gap.NONE:
        return Moment(float(np.interp(at_s, curve.time_s, curve.energy_j)), 0.0)
    between = _through(known, left, right)
    before, after = _line(known, left, -1), _line(known, right, 1)
    beside = [line for line in (before, after) if line]
    dt_s, mean_w = between.span_s, between.power_w
    passed = (at_s - between.time_s) / dt_s
    shape_j = dt_s * passed * (1 - passed) / math.sqrt(3)
    apart_w = [between.apart_w(line) for line in beside]
    step_w, burst_w, unseen_w = max(apart_w, default=mean_w), 0.0, 0.0
    if dt_s > LONG_INTERVALS * usual_s:
        unseen_w = ANY_SIZE / math.sqrt(2) * max(line.power_w for line in (between, *beside))
    if before and after:
        if min(before.power_w, after.power_w) < mean_w < max(before.power_w, after.power_w):
            step_w = before.apart_w(after)
            if step_w:
                bent = _bent(before, after, at_s, dt_s)
                ramp_j = math.hypot(step_w / 2, unseen_w) * shape_j
                # What weighing makes of doubtful lines lies between the two refreshes all the same.
                joules = min(max(bent.joules, before.joules), after.joules)
                return Moment(joules, math.hypot(bent.doubt_j, ramp_j))
        else:
            burst_w = min(apart_w)
    doubt_j = math.hypot(
        mean_w * (1 - passed) * between.doubt_s,
        mean_w * passed * between.far_s,
        math.hypot(step_w, unseen_w) * shape_j,
        burst_w * dt_s * math.sqrt(passed * (1 - passed)),
    )
    return Moment(between.at(at_s), doubt_j)


def _bent(before: _Line, after: _Line, at_s: float, dt_s: float) -> Moment:
    """Go along the one line until it meets the other, and on along that.

    Either the power stepped at the moment itself, as it does at a query's first and last, or
    anywhere in the interval. Of the first the chance is taken to be the share of the watts that
    came or went: work brings most of them, and what fluctuates in it a part. How far the lines are
    apart at the moment tells more (Bayes): if the power stepped there, they are so by their doubt
    alone, which is normal; if not, by anything in a range of dP x dt. If it did, both tell the
    same joules, and each is weighed by the inverse square of its doubt (Review of Particle
    Physics, introduction, "Unconstrained averaging"). To follow the line that bends further would
    take doubt for a step, and bill a query too little at either end. What the two cases differ by
    is in doubt as well.

    :param dt_s: length of the interval
    """
    until, since = (Moment(line.at(at_s), line.doubt_j(at_s)) for line in (before, after))
    bent = max(until, since) if after.power_w > before.power_w else min(until, since)
    apart_j, doubt_j = since.joules - until.joules, math.hypot(until.doubt_j, since.doubt_j)
    if not doubt_j:
        return bent
    met_j = until.joules + (until.doubt_j / doubt_j) ** 2 * apart_j
    met_doubt_j = until.doubt_j * since.doubt_j / doubt_j
    step_w, high_w = abs(after.power_w - before.power_w), max(after.power_w, before.power_w)
    by_doubt = NormalDist(0.0, doubt_j).pdf(apart_j) * step_w
    elsewhere = (high_w - step_w) / (step_w * dt_s)
    at_once = by_doubt / (by_doubt + elsewhere) if by_doubt else 0.0
    doubts_j = (
        math.sqrt(at_once) * met_doubt_j,
        math.sqrt(1 - at_once) * bent.doubt_j,
        math.sqrt(at_once) * (met_j - bent.joules),
    )
    return Moment(bent.joules + at_once * (met_j - bent.joules), math.hypot(*doubts_j))


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
            return _through(known, at, other)
        other += towards
    return None


def _through(known: Refreshed, at: int, other: int) -> _Line:
    """Return the line through two refreshes, the nearer one first."""
    curve, doubt_s = known.curve, known.doubt_s
    span_s = abs(float(curve.time_s[other] - curve.time_s[at]))
    return _Line(
        joules=float(curve.energy_j[at]),
        time_s=float(curve.time_s[at]),
        doubt_s=float(doubt_s[at]),
        power_w=abs(float(curve.energy_j[other] - curve.energy_j[at])) / span_s,
        span_s=span_s,
        far_s=float(doubt_s[other]),
    )
