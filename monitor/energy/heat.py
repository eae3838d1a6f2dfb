"""The joules of each token of an answer, from the power curve under it.

Between two readings of a sensor its joules are known and nothing else is. A token that is shorter
than that has no reading of its own; its share is told by a fit, and said to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.energy.account import Line, Phase, weakest
from monitor.power.channel import Channel, Kind
from monitor.power.curve import Curve, Gap
from monitor.power.refreshes import refreshed

REFRESHES_A_STEP = 4
"""A counter's joules are looked at over so many refreshes of it. Its last refresh lies up to one
back at either end, so that over four the joules are known to sqrt(2) / sqrt(12) / 4 = 10 %: less
than what is shown as warm."""

COOLEST, WARMEST = 0.05, 0.95
"""Shares of the tokens below the ends of the scale: a few odd ones do not stretch it."""

LEAST_RATIO = 2.0
"""The warm end of the scale is at least this many times the cool one, lest an answer that took
the same all along looks like a fire."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heat:
    """What each token took. Shapes are (n,).

    :param starts: int64, the token's first character
    :param ends: int64, the character behind its last
    :param joules: NaN where a sensor was not read
    :param is_fitted: where the token is shorter than what the sensors tell apart
    :param period_s: what the slowest sensor tells apart
    :param kind: the weakest among the sensors
    """

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    joules: Floats
    is_fitted: npt.NDArray[np.bool_]
    period_s: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Warmth:
    """Tokens on a scale from cool to warm.

    :param values: shape (n,), 0 to 1; NaN where the joules are not known
    :param low_j: joules a token at 0
    :param high_j: joules a token at 1
    """

    values: Floats
    low_j: float
    high_j: float


def token_energy(
    lines: Sequence[Line],
    curves: Mapping[str, Curve],
    decode: Phase,
    time_s: Floats,
    characters: npt.NDArray[np.int64],
) -> Heat | None:
    """Share the joules of decode among the tokens.

    A token lasts from the one before to its own mark. For each part the cumulative joules are
    taken at even steps, as long as the sensor tells apart, and joined by the monotone cubic of
    Fritsch and Butland (1984): a curve of watts that is smooth, nowhere below zero, and gives each
    step the joules that were read. A token's joules are the difference between its two ends, so
    that all tokens together have those of the bill, and where tokens are longer than a step
    nothing is left to the fit. Parts are fitted each by itself, then added.

    :param lines: the bill's lines of decode, of the parts alone
    :param curves: the readings by channel key
    :param decode: when it was, on the curves' clock
    :param time_s: shape (n,), when each token was there, on the same clock
    :param characters: shape (n,), how far the text was then
    :return: ``None`` if there are no tokens, or no part was read
    """
    measured = [line for line in lines if line.energy is not None and line.channel.key in curves]
    if not len(time_s) or not measured or decode.end_s <= decode.start_s:
        return None
    edges_s = np.clip(np.concatenate([[decode.start_s], time_s]), decode.start_s, decode.end_s)
    edges_s[-1] = decode.end_s
    joules, period_s = np.zeros(len(time_s)), 0.0
    for line in measured:
        curve = curves[line.channel.key]
        if line.channel.kind is Kind.COUNTER:
            curve = refreshed(line.channel.period_s, curve).curve
        step_s = _step_s(line.channel, curve, decode)
        joules += _shares(line, curve, decode, edges_s, step_s)
        period_s = max(period_s, step_s)
    kind = weakest(line.channel.kind for line in measured)
    assert kind is not None
    return Heat(
        starts=np.concatenate([[0], characters[:-1]]).astype(np.int64),
        ends=characters,
        joules=joules,
        is_fitted=np.diff(edges_s) < period_s,
        period_s=period_s,
        kind=kind,
    )


def warmth(heat: Heat) -> Warmth | None:
    """Put the tokens on a scale, ``None`` if the joules of none are known."""
    known_j = heat.joules[np.isfinite(heat.joules)]
    if not len(known_j):
        return None
    low_j, high_j = (float(end) for end in np.quantile(known_j, [COOLEST, WARMEST]))
    high_j = max(high_j, LEAST_RATIO * low_j) or 1.0
    return Warmth(np.clip((heat.joules - low_j) / (high_j - low_j), 0.0, 1.0), low_j, high_j)


def _step_s(channel: Channel, curve: Curve, decode: Phase) -> float:
    """What a sensor tells apart: its refreshes, and how often it was read."""
    inside = (curve.time_s >= decode.start_s) & (curve.time_s <= decode.end_s)
    duration_s = decode.end_s - decode.start_s
    spacing_s = float(np.median(np.diff(curve.time_s[inside]))) if inside.sum() > 1 else duration_s
    refreshes = REFRESHES_A_STEP if channel.kind is Kind.COUNTER else 1
    return max(refreshes * channel.period_s, spacing_s)


def _shares(line: Line, curve: Curve, decode: Phase, edges_s: Floats, step_s: float) -> Floats:
    """Return one part's joules of each token, NaN for one that is not wholly observed."""
    joules = np.full(len(edges_s) - 1, np.nan)
    covered_j = 0.0
    for start_s, end_s in _observed(curve, decode):
        knots_s = np.linspace(start_s, end_s, max(int((end_s - start_s) / step_s), 1) + 1)
        knots_j = np.interp(knots_s, curve.time_s, curve.energy_j)
        covered_j += float(knots_j[-1] - knots_j[0])
        inside = (edges_s[:-1] >= start_s) & (edges_s[1:] <= end_s)
        at_j = _monotone(knots_s, knots_j, np.clip(edges_s, start_s, end_s))
        joules[inside] = np.diff(at_j)[inside]
    assert line.energy is not None
    # The bill reckons the ends of a phase a little more finely, and is what counts.
    return joules * (line.energy.joules / covered_j) if covered_j > 0 else joules


def _observed(curve: Curve, decode: Phase) -> list[tuple[float, float]]:
    """Return the spans of decode that lie between readings without a gap."""
    runs_s = np.split(curve.time_s, np.flatnonzero(curve.gap[1:] != Gap.NONE) + 1)
    spans = [
        (max(float(run[0]), decode.start_s), min(float(run[-1]), decode.end_s))
        for run in runs_s
        if len(run) > 1
    ]
    return [(start_s, end_s) for start_s, end_s in spans if end_s > start_s]


def _monotone(knots_s: Floats, knots_j: Floats, at_s: Floats) -> Floats:
    """Interpolate cumulative joules at even knots, never falling.

    The watts at a knot are the harmonic mean of those on either side, and at the ends those of the
    one side: within the bounds Fritsch and Carlson (1980) give for a cubic to be monotone.
    """
    step_s = float(knots_s[1] - knots_s[0])
    means_w = np.diff(knots_j) / step_s
    before_w, after_w = means_w[:-1], means_w[1:]
    sums_w = before_w + after_w
    inner_w = np.divide(2 * before_w * after_w, sums_w, out=np.zeros_like(sums_w), where=sums_w > 0)
    knots_w = np.concatenate([means_w[:1], inner_w, means_w[-1:]])
    at = np.clip(((at_s - knots_s[0]) / step_s).astype(np.int64), 0, len(means_w) - 1)
    t = (at_s - knots_s[at]) / step_s
    rise = t * t * (3 - 2 * t)
    joules: Floats = (
        knots_j[at]
        + rise * (knots_j[at + 1] - knots_j[at])
        + step_s * t * (1 - t) * ((1 - t) * knots_w[at] - t * knots_w[at + 1])
    )
    return joules
