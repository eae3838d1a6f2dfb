"""What an answer is likely to take, told from earlier answers before it is written.

Each earlier answer is laid behind the new prompt in turn: as long as it was, at this machine's
joules a token, off by as much as it was itself. The spread of what comes out is the forecast; no
shape of a distribution is assumed, and the scatter of lengths, which is by far the greatest
doubt, is the scatter that was seen. Longer prompts are not taken to ask for longer answers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.energy.interval import Interval
from monitor.power.channel import Kind

FEWEST = 8
"""Of fewer answers the ends of an 80 % interval cannot be told."""

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""Shares of the answers below the ends and the middle of a forecast."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PastAnswers:
    """Finished answers of one model in one place (threads, layers on the GPU). Shapes are (n,).

    :param fresh_tokens: of each prompt, those that were not in the context already; above zero
    :param answer_tokens: above zero
    :param prefill_j: joules of processing the prompt
    :param decode_j: joules of writing the answer
    :param is_cut: whether it would have gone on, but for a limit or a full context
    :param kind: where all these joules came from
    :param left_out: answers that are not among these, as other programs computed beside them
    """

    fresh_tokens: Floats
    answer_tokens: Floats
    prefill_j: Floats
    decode_j: Floats
    is_cut: npt.NDArray[np.bool_]
    kind: Kind
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.answer_tokens)


@dataclass(frozen=True, slots=True)
class Fit:
    """What tokens take on this machine.

    :param start_j: joules of a prompt however short
    :param prompt_token_j: joules each fresh token of a prompt adds
    :param prompt_low_j: between this and ``prompt_high_j`` lay 95 % of the prompts' tokens
    :param answer_token_j: joules a token of an answer
    :param kind: where the joules came from
    """

    start_j: float
    prompt_token_j: float
    prompt_low_j: float
    prompt_high_j: float
    answer_token_j: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an answer is likely to take, prefill and decode.

    :param energy_j: as many answers take more as take less
    :param low_j: with ``high_j`` the 80 % prediction interval: one answer in ten takes less
    :param high_j: one answer in ten takes more
    :param basis: how many earlier answers it rests on
    :param kind: where their joules came from; ``None`` of a stored one if nothing was measured
    :param tokens: the middle length of the answer; not kept with a stored forecast
    :param left_out: answers it does not rest on, as other programs computed beside them; likewise
    """

    energy_j: float
    low_j: float
    high_j: float
    basis: int
    kind: Kind | None
    tokens: int | None = None
    left_out: int = 0

    @property
    def interval(self) -> Interval:
        """The same to be written as other energies are; its ends are those of 80 %."""
        below_j, above_j = self.energy_j - self.low_j, self.high_j - self.energy_j
        return Interval(self.energy_j, below_j, above_j, 0.0)

    def holds(self, energy_j: float) -> bool:
        """Whether what an answer took lies between the ends."""
        return self.low_j <= energy_j <= self.high_j


def fit(past: PastAnswers) -> Fit | None:
    """Find the joules a token, ``None`` from fewer than eight answers.

    Prefill is a line over the fresh tokens, as a short prompt costs a pass over the weights
    however short it is; decode a line through the origin, as each token costs one. Both are
    medians, which a few answers beside a game or an update do not move.
    """
    if len(past) < FEWEST:
        return None
    start_j, slope_j = _line(past.fresh_tokens, past.prefill_j)
    single_j = np.maximum(past.prefill_j - start_j, 0.0) / past.fresh_tokens
    low_j, high_j = _quantiles(single_j, past.fresh_tokens, [0.025, 0.975])
    return Fit(
        start_j=start_j,
        prompt_token_j=slope_j,
        prompt_low_j=min(float(low_j), slope_j),
        prompt_high_j=max(float(high_j), slope_j),
        answer_token_j=_middle(past.decode_j / past.answer_tokens, past.answer_tokens),
        kind=past.kind,
    )


def foretell(past: PastAnswers, fresh_tokens: int, most_tokens: int | None) -> Forecast | None:
    """Foretell an answer's energy.

    For each earlier answer *i* of ``N`` tokens the energy is ``(start + prompt x fresh + answer x
    min(N, most)) x r``, with the joules of :func:`fit` and ``r`` what *i* itself took over what
    that formula gives for it. If the new answer is one like those, it falls between the order
    statistics *k* and *l* of *n* such energies with probability ``(l - k) / (n + 1)``, whatever
    their distribution (Wilks 1941).

    :param fresh_tokens: tokens of the prompt that are not in the context already
    :param most_tokens: the longest answer there is room for: the least of its limit and what
      the context has left; ``None`` where neither is known
    :return: ``None`` from fewer than eight answers, without room for any, or if so many were cut
      before they reached what there is room for now that the rest tell as little as seven: the
      others' lengths are not known then
    """
    found = fit(past)
    if found is None or (most_tokens is not None and most_tokens < 1):
        return None
    lengths, weights = _lengths(past, most_tokens)
    # Those that fill the room for want of a longer one are a guess, not a length that was seen.
    is_seen = lengths <= past.answer_tokens
    if float(weights[~is_seen].sum()) > MIDDLE or _effective(weights[is_seen]) < FEWEST:
        return None
    prompt_j = found.start_j + found.prompt_token_j * past.fresh_tokens
    told_j = prompt_j + found.answer_token_j * past.answer_tokens
    new_j = found.start_j + found.prompt_token_j * fresh_tokens + found.answer_token_j * lengths
    energies_j = new_j * (past.prefill_j + past.decode_j) / told_j
    low_j, energy_j, high_j = _spread(energies_j, weights, [LOW, MIDDLE, HIGH])
    tokens = _spread(lengths, weights, [MIDDLE])[0]
    return Forecast(energy_j, low_j, high_j, len(past), past.kind, round(tokens), past.left_out)


def _lengths(past: PastAnswers, most_tokens: int | None) -> tuple[Floats, Floats]:
    """Return how long each earlier answer would be now, and how much it counts.

    One that was cut before it reached what there is room for now says only that it is longer than
    that: what it counts is shared among those that were longer (Efron 1967; the same as Kaplan and
    Meier's estimate). If none was, it is taken to fill the room.
    """
    room = np.inf if most_tokens is None else float(most_tokens)
    lengths = np.minimum(past.answer_tokens, room)
    weights = np.full(len(past), 1.0 / len(past))
    for at in np.argsort(lengths):
        longer = past.answer_tokens > past.answer_tokens[at]
        if not past.is_cut[at] or lengths[at] >= room:
            continue
        if longer.any():
            weights[longer] += weights[at] / longer.sum()
            weights[at] = 0.0
        elif most_tokens is not None:
            lengths[at] = room
    return lengths, weights


def _spread(values: Floats, weights: Floats, shares: list[float]) -> list[float]:
    """Return quantiles for a value yet to come, interpolated on the scale of logarithms.

    The share of *k* in *n* is ``k / (n + 1)``: beyond either end lies one part in ``n + 1``. Where
    some count for others that were cut, *n* is how many tell as much as these: few have wide ends.
    """
    counted = np.flatnonzero(weights > 0)
    order = counted[np.argsort(values[counted])]
    effective = _effective(weights)
    below = np.cumsum(weights[order]) * effective / (effective + 1)
    return [float(value) for value in np.exp(np.interp(shares, below, np.log(values[order])))]


def _effective(weights: Floats) -> float:
    """Return how many equal values tell as much as some that count unequally (Kish 1965)."""
    squares = float(np.sum(weights**2))
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return start and slope of a line, both at least zero, that outliers do not move.

    The slope is the median of those between any two points, weighted by how far these are apart
    (Theil and Sen's, after Jaeckel 1972), and no steeper than a line through the origin.
    """
    steepest = _middle(y / x, x)
    one, other = np.triu_indices(len(x), 1)
    apart = x[other] - x[one]
    told = apart != 0
    if not told.any():
        return 0.0, steepest
    slopes = (y[other] - y[one])[told] / apart[told]
    slope = min(max(_middle(slopes, np.abs(apart[told])), 0.0), steepest)
    return max(float(np.median(y - slope * x)), 0.0), slope


def _middle(values: Floats, weights: Floats) -> float:
    """Return the weighted median.

    Of ratios y/x with weights x it is the slope through the origin with the least sum of
    absolute errors.
    """
    return float(_quantiles(values, weights, [MIDDLE])[0])


def _quantiles(values: Floats, weights: Floats, shares: list[float]) -> Floats:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    places = np.searchsorted(below, np.array(shares) * below[-1])
    quantiles: Floats = values[order][places]
    return quantiles
