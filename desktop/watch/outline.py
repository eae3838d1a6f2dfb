"""Curves of hours reduced to what the width of a plot can show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Role
from monitor.power.curve import Curve, Gap
from monitor.power.silences import levelled
from monitor.recorded import Recorded

BUCKETS = 400
"""Points of a curve at most, each a stroke from the least to the greatest watts."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outline:
    """A curve to be drawn. Both arrays have shape (n,).

    :param channel: ``None`` for the total of the parts
    :param power_w: NaN in gaps
    """

    channel: Channel | None
    time_s: Floats
    power_w: Floats


def outlines_of(recorded: Recorded) -> tuple[Outline, ...]:
    """Return the parts of a recording, after their total where there are several.

    Of hours and many channels that takes a tenth of a second: not for the window's thread.
    """
    duration_s = max(recorded.recording.duration_s, 0.1)
    curves = recorded.billed()
    parts = [
        (channel, levelled(channel, curves[channel.key]))
        for channel in recorded.recording.channels
        if channel.role is Role.PART and channel.key in curves
    ]
    drawn = [
        Outline(channel, *outline(curve, 0.0, duration_s, BUCKETS)) for channel, curve in parts
    ]
    if len(parts) > 1:
        whole = total_outline([curve for _, curve in parts], duration_s, BUCKETS)
        drawn.insert(0, Outline(None, *whole))
    return tuple(drawn)


def outline(curve: Curve, start_s: float, end_s: float, buckets: int) -> tuple[Floats, Floats]:
    """Return times and watts to draw: two a bucket, its least and its greatest, NaN in gaps.

    A curve of fewer readings than that is returned as it is.
    """
    first = max(int(np.searchsorted(curve.time_s, start_s)) - 1, 0)
    stop = int(np.searchsorted(curve.time_s, end_s, side="right")) + 1
    time_s = curve.time_s[first:stop]
    power_w = np.where(curve.gap[first:stop] == Gap.NONE, curve.power_w[first:stop], np.nan)
    if first == 0 and len(power_w):
        power_w[0] = curve.power_w[0]  # nothing was missed before the first reading
    if len(time_s) <= 2 * buckets:
        return time_s, power_w
    bucket = np.floor((time_s - start_s) / (end_s - start_s) * buckets)
    starts = np.flatnonzero(np.diff(bucket, prepend=-np.inf))
    low_w, high_w = np.fmin.reduceat(power_w, starts), np.fmax.reduceat(power_w, starts)
    middle_s = start_s + (bucket[starts] + 0.5) * (end_s - start_s) / buckets
    return np.repeat(middle_s, 2), np.stack([low_w, high_w], axis=1).reshape(-1)


def total_outline(curves: Sequence[Curve], end_s: float, buckets: int) -> tuple[Floats, Floats]:
    """Return times and mean watts of a sum of curves, NaN where one of them was not read.

    :param end_s: the curves' clock begins at 0
    """
    fewest = min((len(curve.time_s) for curve in curves), default=0)
    edges_s = np.linspace(0.0, end_s, max(min(buckets, fewest), 2) + 1)
    total_w = np.zeros(len(edges_s) - 1)
    for curve in curves:
        if len(curve.time_s) < 2:
            return edges_s[:0], total_w[:0]
        energy_j = np.interp(edges_s, curve.time_s, curve.energy_j, left=np.nan, right=np.nan)
        total_w += np.diff(energy_j) / np.diff(edges_s)
        # A bucket with a gap inside is not known.
        missed = np.flatnonzero(curve.gap[1:] != Gap.NONE)
        for row in missed:
            low, high = np.searchsorted(edges_s, curve.time_s[row : row + 2])
            total_w[max(low - 1, 0) : high] = np.nan
    return (edges_s[:-1] + edges_s[1:]) / 2, total_w
