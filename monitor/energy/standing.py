"""The one rule that says which channels a span of time is billed by, whatever came and went in it.

A span rests on every channel that was read in it, whether its source is there still or has gone,
and on those that are there now: what was not read of these is a gap. A moment of a part belongs to
its sensor or to its model, never to both: to the model where the sensor was silent for longer than
:data:`SILENT_S`, or has gone and was not read since. In the same way a moment of a processor that
lies within a ``soc`` is the latter's, and its own only where that was silent or gone. A fault of a
moment is a gap, and changes the kind of no bill. It is the same moment in any span, so that spans
add up to their union.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from monitor.power.channel import Channel, Role, is_model_of, is_within
from monitor.power.trace import Trace
from monitor.power.window import Curve, Gap, Stretch, read_of

SILENT_S = 10.0
"""A channel without a reading for longer is waited for no more."""

OPENING_S = 2.0
"""Sensors open within so long of their model: what that read before is worth no other kind."""


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
    # As they were opened: how they stand to each other is told by what was read.
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
            shares[model] = _left_share(read.get(model, ()), told, span, is_gone)
            shares |= dict.fromkeys(sensors, _outside(shares[model], *span))
    alone = _alone(known, read, listed.keys(), shares, span)
    found: list[tuple[Channel, Sequence[Stretch]]] = []
    for key, share in shares.items():
        channel = known[key]
        if key in alone:
            own, within = (
                _both(share, alone[key], span),
                _both(share, _outside(alone[key], *span), span),
            )
            found += [(channel, own), (replace(channel, role=Role.INSIDE), within)]
        else:
            found.append((channel, share))
    return [Standing(channel, tuple(share)) for channel, share in found if share]


def _alone(
    known: Mapping[str, Channel],
    read: Mapping[str, Sequence[Stretch]],
    listed: Set[str],
    shares: dict[str, Sequence[Stretch]],
    span: Stretch,
) -> dict[str, Sequence[Stretch]]:
    """Return when each package is a part of its own that lies within a ``soc`` at other times.

    What it has alone is taken from the share of the ``soc``, which is no gap then.
    """
    alone: dict[str, Sequence[Stretch]] = {}
    for package in shares:
        sockets = [key for key in known if is_within(known[package], known[key])]
        told = [stretch for key in sockets for stretch in read.get(key, ())]
        if not told:
            continue
        is_gone = listed.isdisjoint(sockets)
        alone[package] = _left_share(read.get(package, ()), told, span, is_gone)
        for key in sockets:
            if key in shares:
                shares[key] = _both(shares[key], _outside(alone[package], *span), span)
    return alone


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


def _left_share(
    own: Sequence[Stretch], told: Sequence[Stretch], span: Stretch, is_gone: bool
) -> list[Stretch]:
    """Return what of a span is left to a channel by others that come before it, if it was read.

    :param own: when it was read in the span and for :data:`SILENT_S` around it
    :param told: when the others were read, likewise
    :param is_gone: whether none of them is there now
    """
    if not own:
        return []
    first_s, last_s = own[0][0], own[-1][1]
    share = []
    for from_s, to_s in _outside(told, first_s, last_s):
        # Before the first that was told they were not there yet, or silent for longer than looked.
        is_first = not any(start_s < from_s for start_s, _ in told)
        waited_s = OPENING_S if is_first else SILENT_S
        if to_s - from_s > waited_s or (is_gone and to_s == last_s):
            # Before and after all that was told, what it missed is its own gap.
            is_last = not any(end_s > to_s for _, end_s in told)
            low_s = span[0] if is_first else max(from_s, span[0])
            high_s = span[1] if is_last else min(to_s, span[1])
            share.append((low_s, high_s))
    return [each for each in share if each[1] > each[0] and _meets(each, own)]


def _outside(stretches: Iterable[Stretch], start_s: float, end_s: float) -> list[Stretch]:
    """Return what of a span lies in none of some stretches."""
    found, at_s = [], start_s
    for from_s, to_s in [*sorted(stretches), (end_s, end_s)]:
        if min(from_s, end_s) > at_s:
            found.append((at_s, min(from_s, end_s)))
        at_s = max(at_s, to_s)
    return found


def _both(one: Iterable[Stretch], other: Iterable[Stretch], span: Stretch) -> list[Stretch]:
    """Return what of a span lies in both."""
    return _outside([*_outside(one, *span), *_outside(other, *span)], *span)


def _meets(stretch: Stretch, others: Iterable[Stretch]) -> bool:
    return any(max(stretch[0], start_s) < min(stretch[1], end_s) for start_s, end_s in others)
