"""The one rule that says which channels a span of time is billed by, whatever came and went in it.

A span rests on every channel that was read in it, whether its source is there still or has gone,
and on those that are there now: what was not read of these is a gap. A moment of a part belongs to
its sensor or to its model, never to both: to the model where the sensor was silent for longer than
:data:`SILENT_S`, or has gone and was not read since. A fault of a moment is a gap, and changes the
kind of no bill. It is the same moment in any span, so that spans add up to their union.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.power.channel import Channel, Kind, counted, is_model_of
from monitor.power.trace import Trace
from monitor.power.window import Curve, Gap, Stretch, read_of

SILENT_S = 10.0
"""A channel without a reading for longer is waited for no more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A channel, and what it is billed for.

    :param channel: as it stands to the others that were read
    :param stretches: of the span, in their order; all of it where no model has a share
    """

    channel: Channel
    stretches: tuple[Stretch, ...]


def standing(
    trace: Trace, there: Iterable[Channel], start_s: float, end_s: float
) -> list[Standing]:
    """Return what a span is billed by.

    :param trace: the readings, of channels that have gone as well
    :param there: the channels that are there now, as the sampler lists them
    :param start_s: monotonic, as ``end_s``
    """
    listed = {channel.key: channel for channel in there}
    known = listed | {channel.key: channel for channel in trace.channels()}
    span, around = (start_s, end_s), (start_s - SILENT_S, end_s + SILENT_S)
    read = {each.key: read_of(trace.curve(each.key, *around), *around) for each in trace.channels()}
    inside = {key for key, stretches in read.items() if _meets(span, stretches)}
    keys = [key for key in known if key in inside or key in listed]
    shares: dict[str, Sequence[Stretch]] = {key: [span] for key in keys}
    for model in keys:
        measured = [key for key in known if is_model_of(known[model], known[key])]
        sensors = [key for key in measured if key in shares or read.get(key)]
        if sensors:
            told = [stretch for key in sensors for stretch in read.get(key, ())]
            is_gone = listed.keys().isdisjoint(sensors)
            shares[model] = _model_share(read.get(model, ()), told, span, is_gone)
            shares |= dict.fromkeys(sensors, _outside(shares[model], *span))
    sensed = (known[key] for key in known if key in inside and known[key].kind is not Kind.MODELLED)
    placed = listed | {channel.key: channel for channel in counted(tuple(sensed))}
    return [
        Standing(placed.get(key, known[key]), tuple(stretches))
        for key, stretches in shares.items()
        if stretches
    ]


def billed_curves(
    trace: Trace, there: Iterable[Channel], spans: Iterable[Stretch], around: Stretch
) -> dict[str, Curve]:
    """Return the curves of what some spans are billed by; a model's only where it is billed.

    So they can be added up as the bill is.

    :param there: as for :func:`standing`
    :param around: from when to when; one reading before and one after are added
    """
    listed = tuple(there)
    billed: dict[Channel, list[Stretch]] = {}
    for span in spans:
        for each in standing(trace, listed, *span):
            billed.setdefault(each.channel, []).extend(each.stretches)
    read = {channel.key for channel in trace.channels()}
    curves = {}
    for channel, stretches in billed.items():
        if channel.key in read:
            curve = trace.curve(channel.key, *around)
            if any(is_model_of(channel, other) for other in billed):
                joined = _outside(_outside(stretches, *around), *around)
                curve = _within(curve, joined)
            curves[channel.key] = curve
    return curves


def _within(curve: Curve, stretches: Sequence[Stretch]) -> Curve:
    """Return what of a counter's curve lies in some stretches, with a gap before each."""
    time_s, starts_s = curve.time_s, []
    kept = [curve.time_s[:0]]
    for from_s, to_s in stretches if len(time_s) else ():
        ends_s = np.clip((from_s, to_s), time_s[0], time_s[-1])
        inside = time_s[(time_s > ends_s[0]) & (time_s < ends_s[1])]
        kept.append(np.concatenate((ends_s[:1], inside, ends_s[1:])))
        starts_s.append(ends_s[0])
    at_s = np.unique(np.concatenate(kept))
    at = np.searchsorted(time_s, at_s)
    gap = curve.gap[at]
    gap[np.isin(at_s, starts_s)] = Gap.MISSED
    energy_j = np.interp(at_s, time_s, curve.energy_j) if len(time_s) else at_s
    return Curve(at_s, energy_j, curve.power_w[at], gap)


def _model_share(
    modelled: Sequence[Stretch], told: Sequence[Stretch], span: Stretch, is_gone: bool
) -> list[Stretch]:
    """Return what of a span a model has, if it was read there.

    :param modelled: when the model was read in the span and for :data:`SILENT_S` around it
    :param told: when what it models was read, likewise
    :param is_gone: whether none of that is there now
    """
    if not modelled:
        return []
    first_s, last_s = modelled[0][0], modelled[-1][1]
    share = []
    for from_s, to_s in _outside(told, first_s, last_s):
        if to_s - from_s > SILENT_S or (is_gone and to_s == last_s):
            # Before and after all that was told, what the model missed is the model's gap.
            is_first = not any(start_s < from_s for start_s, _ in told)
            is_last = not any(end_s > to_s for _, end_s in told)
            low_s = span[0] if is_first else max(from_s, span[0])
            high_s = span[1] if is_last else min(to_s, span[1])
            share.append((low_s, high_s))
    return [each for each in share if each[1] > each[0] and _meets(each, modelled)]


def _outside(stretches: Iterable[Stretch], start_s: float, end_s: float) -> list[Stretch]:
    """Return what of a span lies in none of some stretches."""
    found, at_s = [], start_s
    for from_s, to_s in [*sorted(stretches), (end_s, end_s)]:
        if min(from_s, end_s) > at_s:
            found.append((at_s, min(from_s, end_s)))
        at_s = max(at_s, to_s)
    return found


def _meets(stretch: Stretch, others: Iterable[Stretch]) -> bool:
    return any(max(stretch[0], start_s) < min(stretch[1], end_s) for start_s, end_s in others)
