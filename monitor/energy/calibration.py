"""The wall's watts told from the channels': ``wall = base + sum of factor x channel``.

A plug or a battery reads the whole machine, but slowly and not everywhere. What it reads beside
the channels while the machine climbs a staircase of loads says what each channel's watts come to
there: what the power supply, the board and the fans take on top.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor import figures
from monitor.power.channel import Accuracy, Channel

FEWEST_BLOCKS = 12
"""Of fewer stretches of the staircase no fit is made."""

LEAST_MOVE_W, LEAST_MOVE = 0.5, 0.02
"""A channel that moved by less than this, or than this share of what the whole did, cannot be told
from the base; it is left within it."""

RESAMPLES = 400
"""Of the bootstrap: its 95 % ends are then known within a tenth of their distance."""

FINEST_W, FINEST_SHARE = 1e-3, 1e-3
"""No plug tells watts any finer, nor a thousandth of them: what a perfect fit leaves is within
these."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class CannotCalibrate(Exception):
    """No calibration came of it; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a staircase read, one row for each of n stretches of a few seconds, k channels.

    :param whole: the channel of the whole machine
    :param channels: the parts, k of them
    :param whole_w: shape (n,), mean watts
    :param channels_w: shape (n, k), mean watts
    :param steps: n names: what the machine did
    :param passes: shape (n,), which climb of the staircase it was, from 0
    """

    whole: Channel
    channels: tuple[Channel, ...]
    whole_w: Floats
    channels_w: Floats
    steps: tuple[str, ...]
    passes: Rows


@dataclass(frozen=True, slots=True)
class Factor:
    """What a watt of a channel comes to at the wall.

    :param low: with ``high`` the 95 % interval
    :param least_w: with ``most_w`` the range of the channel that was calibrated
    :param is_still: the channel hardly moved: it has no factor of its own and is within the base
    """

    key: str
    label: str
    value: float
    low: float
    high: float
    least_w: float
    most_w: float
    is_still: bool = False

    @property
    def range_w(self) -> float:
        """How far it moved in the calibration."""
        return self.most_w - self.least_w


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the whole machine's watts follow from its parts'.

    :param id: "" until it is kept
    :param made_at: UTC, ISO 8601; "" until it is kept
    :param whole_key: the channel of the whole machine
    :param whole_label: what a person calls it
    :param accuracy: that channel's own
    :param base_w: what is drawn beside the parts; with its 95 % interval
    :param factors: one a part
    :param covariance: of the base and the factors that moved, in their order
    :param residual_w: root mean square of what the fit leaves, step by step
    :param holdout: relative error of one climb foretold from the others, root mean square;
      ``None`` after a single climb
    """

    id: str
    made_at: str
    whole_key: str
    whole_label: str
    accuracy: Accuracy
    base_w: float
    base_low_w: float
    base_high_w: float
    factors: tuple[Factor, ...]
    covariance: tuple[tuple[float, ...], ...]
    residual_w: float
    holdout: float | None

    @property
    def told_within_w(self) -> float:
        """Residual watts as a person is told them: of a perfect fit no less than a plug shows."""
        return max(self.residual_w, FINEST_W)

    @property
    def foretold_within(self) -> float | None:
        """The error of one climb foretold from the others, likewise."""
        return None if self.holdout is None else max(self.holdout, FINEST_SHARE)

    @property
    def moving(self) -> tuple[Factor, ...]:
        """The factors of the channels that moved."""
        return tuple(factor for factor in self.factors if not factor.is_still)


def calibrate(samples: Samples, seed: int = 0) -> Calibration:
    """Fit base and factors, none below zero, by least squares (Lawson and Hanson 1974).

    Their doubt is a bootstrap's: within each step and climb, runs of neighbouring stretches are
    drawn anew, as neighbours err alike (Kuensch 1989), and fitted again; what the straight line
    misses at each step as a whole, since a supply's efficiency bends with its load, is laid on
    with a random sign (the wild bootstrap: Liu 1988).

    :param seed: of the bootstrap
    :raises CannotCalibrate: if too little was read, or the load made no difference
    """
    whole_move_w = _check(samples)
    moves_w = np.ptp(samples.channels_w, axis=0)
    is_moving = moves_w >= max(LEAST_MOVE_W, LEAST_MOVE * whole_move_w)
    if not is_moving.any():
        raise CannotCalibrate(
            "No channel of this machine moved with the load, so nothing can be told from them."
        )
    moving_w = samples.channels_w[:, is_moving]
    best = _fit(moving_w, samples.whole_w)
    drawn = _bootstrap(samples, moving_w, best, np.random.default_rng(seed))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    low, high = np.minimum(low, best), np.maximum(high, best)
    places = {int(at): n + 1 for n, at in enumerate(np.flatnonzero(is_moving))}
    return Calibration(
        id="",
        made_at="",
        whole_key=samples.whole.key,
        whole_label=samples.whole.label,
        accuracy=samples.whole.accuracy,
        base_w=float(best[0]),
        base_low_w=float(low[0]),
        base_high_w=float(high[0]),
        factors=tuple(
            _factor(samples, at, (best, low, high), places.get(at))
            for at in range(len(samples.channels))
        ),
        covariance=tuple(map(tuple, np.atleast_2d(np.cov(drawn.T)).tolist())),
        residual_w=_rms(_missed_by_step(samples, moving_w, best)),
        holdout=_holdout(samples, moving_w),
    )


def _check(samples: Samples) -> float:
    """Return by how many watts the whole machine moved, if it is enough to fit to."""
    if len(samples.whole_w) < FEWEST_BLOCKS or len(set(samples.steps)) < 2:
        raise CannotCalibrate(
            f"{samples.whole.label} was read too seldom to calibrate with. Look whether it "
            "answers, and climb the whole staircase once more."
        )
    means_w = [
        float(np.mean(samples.whole_w[[step == name for name in samples.steps]]))
        for step in set(samples.steps)
    ]
    move_w = max(means_w) - min(means_w)
    if move_w < LEAST_MOVE_W:
        raise CannotCalibrate(
            f"{samples.whole.label} saw hardly any difference between idle and full load "
            f"({figures.power(move_w)}). Is this machine plugged into it?"
        )
    return move_w


def _fit(channels_w: Floats, whole_w: Floats) -> Floats:
    """Return base and factors, shape (1 + k,)."""
    from scipy.optimize import nnls  # here: it takes longer to import than a window to open

    found, _ = nnls(_with_base(channels_w), whole_w)
    return np.asarray(found, np.float64)


def _with_base(channels_w: Floats) -> Floats:
    return np.column_stack([np.ones(len(channels_w)), channels_w])


def _groups(samples: Samples) -> list[Rows]:
    """Rows of each step of each climb, in the order of time."""
    names = list(zip(samples.steps, samples.passes.tolist(), strict=True))
    return [np.flatnonzero([each == name for each in names]) for name in dict.fromkeys(names)]


def _missed_by_step(samples: Samples, moving_w: Floats, found: Floats) -> Floats:
    """Return by how many watts the fit is off at each step as a whole."""
    missed_w = samples.whole_w - _with_base(moving_w) @ found
    steps = dict.fromkeys(samples.steps)
    return np.array([missed_w[[name == step for name in samples.steps]].mean() for step in steps])


def _bootstrap(
    samples: Samples, moving_w: Floats, best: Floats, random: np.random.Generator
) -> Floats:
    """Return base and factors of each resample, shape (RESAMPLES, 1 + k)."""
    groups = _groups(samples)
    steps = list(dict.fromkeys(samples.steps))
    of_step = np.array([steps.index(name) for name in samples.steps])
    missed_w = _missed_by_step(samples, moving_w, best)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([_neighbours(group, random) for group in groups])
        signs = random.choice((-1.0, 1.0), len(steps))
        bent_w = (missed_w * (signs - 1))[of_step[rows]]
        drawn.append(_fit(moving_w[rows], samples.whole_w[rows] + bent_w))
    return np.array(drawn)


def _neighbours(rows: Rows, random: np.random.Generator) -> Rows:
    """Draw as many rows as there are, in runs as long as the square root of their number."""
    length = math.isqrt(len(rows)) or 1
    starts = random.integers(0, len(rows) - length + 1, math.ceil(len(rows) / length))
    drawn: Rows = rows[(starts[:, None] + np.arange(length)).ravel()[: len(rows)]]
    return drawn


def _holdout(samples: Samples, moving_w: Floats) -> float | None:
    """Foretell each climb from the others; return the relative error of its steps' means."""
    errors = []
    for climb in np.unique(samples.passes):
        held = samples.passes == climb
        if held.all():
            return None
        found = _fit(moving_w[~held], samples.whole_w[~held])
        told_w = _with_base(moving_w) @ found
        for step in dict.fromkeys(samples.steps):
            rows = held & np.array([name == step for name in samples.steps])
            if rows.any():
                errors.append(told_w[rows].mean() / samples.whole_w[rows].mean() - 1)
    return _rms(np.array(errors))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _factor(samples: Samples, at: int, ends: Sequence[Floats], place: int | None) -> Factor:
    channel, watts = samples.channels[at], samples.channels_w[:, at]
    value, low, high = (0.0, 0.0, 0.0) if place is None else (float(end[place]) for end in ends)
    return Factor(
        key=channel.key,
        label=channel.label,
        value=value,
        low=low,
        high=high,
        least_w=float(watts.min()),
        most_w=float(watts.max()),
        is_still=place is None,
    )


@dataclass(frozen=True, slots=True)
class Residuals:
    """What a calibration tells of each stretch of its staircase, beside what was read.

    :param steps: n names
    :param told_w: shape (n,)
    :param read_w: shape (n,)
    """

    steps: tuple[str, ...]
    told_w: Floats
    read_w: Floats


def residuals(samples: Samples, calibration: Calibration) -> Residuals:
    """Lay what a calibration tells beside what it was fitted to."""
    told_w = told_by(calibration, [c.key for c in samples.channels], samples.channels_w)
    return Residuals(samples.steps, told_w, samples.whole_w)


def told_by(calibration: Calibration, keys: Sequence[str], channels_w: Floats) -> Floats:
    """Return the whole machine's watts as a calibration tells them, shape (n,).

    :param keys: of the k channels
    :param channels_w: shape (n, k)
    """
    factors = {factor.key: factor.value for factor in calibration.factors}
    told_w: Floats = calibration.base_w + channels_w @ np.array([factors[key] for key in keys])
    return told_w
