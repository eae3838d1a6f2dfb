"""The one rule that says which channels a span of time is billed by, whatever came and went in it.

A span rests on every channel that is there, and on those that were: what was not read of them is a
gap. A channel that is not there any more by the word of the machine or of a person
(:attr:`Gap.LEFT`) is a part of nothing from then on; one that only does not answer stays one.

A moment of a part belongs to its sensor or to its model, never to both. It is the sensor's from
each of its readings to the next, but for no longer than :data:`SILENT_S`: a fault of a moment is a
gap, and changes the kind of no bill. Later, and once the sensor has left, it is the model's, if
that was read. In the same way a moment of a processor that lies within a ``soc`` is the latter's,
and its own only where that was silent or had left. None of them is waited for before it was read
for the first time.

Whose a moment is depends on nothing that comes after it: a span that is billed at once, in slices
as time goes on, or watched live is billed by the same, so that slices add up to the whole. The one
exception is the opening of the sensors (:data:`OPENING_S`).

A GPU that nothing reads is a part for as long as a model was on it, which the sampler notes
(:meth:`Trace.note_unread`): a gap in every span that has a share in that time, and in no other.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.power.channel import Channel, Role, is_model_of, is_within
from monitor.power.curve import Curve, Gap, Stretch
from monitor.power.trace import Trace

SILENT_S = 10.0
"""A channel without a reading for longer is waited for no more. Longer than it takes to open a
source anew (reader.DEAD_S and the first waits), and than lies between two readings of a spare model
(Use.NONE)."""

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
    unread = _unread(trace, start_s, end_s)
    listed = {channel.key: channel for channel in there if channel.key not in unread}
    # As they were opened: how they stand to each other is told by what was read.
    known = listed | {channel.key: channel for channel in trace.channels()}
    span = (start_s, end_s)
    told = dict.fromkeys(known, _NOTHING)
    told |= {each.key: _told(trace.curve(each.key, *_around(span))) for each in trace.channels()}
    shares = {
        key: _outside(told[key].left, *span)
        for key in known
        if key in listed or told[key].first_s < end_s
    }
    for model in known:
        sensors = [key for key in shares if is_model_of(known[model], known[key])]
        if sensors:
            shares[model] = _left_share(told[model], [told[key] for key in sensors], span)
            rest = _outside(shares[model], *span)
            shares |= {key: _both(shares[key], rest, span) for key in sensors}
    alone = _alone(known, told, shares, span)
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
    found += unread.values()
    return [Standing(channel, tuple(share)) for channel, share in found if share]


def _unread(trace: Trace, start_s: float, end_s: float) -> dict[str, tuple[Channel, list[Stretch]]]:
    """Return the parts that nobody reads by their keys, and when in a span they were at work.

    One that was not at work in it is listed without a stretch.
    """
    span, parts = (start_s, end_s), {}
    times: dict[str, list[Stretch]] = {}
    for each in trace.unread():
        parts[each.channel.key] = each.channel
        times.setdefault(each.channel.key, []).append((each.from_s, each.until_s))
    return {key: (parts[key], _both(time_s, [span], span)) for key, time_s in times.items()}


@dataclass(frozen=True, slots=True)
class _Told:
    """What a channel tells of the time around a span.

    :param held: when it was waited for: from each reading to the next, at most :data:`SILENT_S`
    :param left: when it was not there, by the word of the machine or of a person
    :param first_s: of its first reading; infinite if there is none
    """

    held: Sequence[Stretch]
    left: Sequence[Stretch]
    first_s: float

    def opens_with(self, other: "_Told") -> bool:
        """Whether the other's first reading comes after its own, but in the same opening."""
        return self.first_s < other.first_s <= self.first_s + OPENING_S


_NOTHING = _Told((), (), math.inf)


def _around(span: Stretch) -> Stretch:
    """Return from when to when readings tell whose a span is."""
    return span[0] - OPENING_S, span[1] + OPENING_S


def _told(curve: Curve) -> _Told:
    if not len(curve.time_s):
        return _NOTHING
    has_left = curve.gap == Gap.LEFT
    next_s = np.append(curve.time_s[1:], math.inf)
    until_s = np.where(has_left, curve.time_s, np.minimum(next_s, curve.time_s + SILENT_S))
    # A run ends where it is not waited any longer for the reading that comes next.
    last = np.flatnonzero(until_s < next_s)
    first = np.append(0, last[:-1] + 1)
    runs = zip(curve.time_s[first].tolist(), until_s[last].tolist(), strict=True)
    left = zip(curve.time_s[has_left].tolist(), next_s[has_left].tolist(), strict=True)
    return _Told([run for run in runs if run[1] > run[0]], list(left), float(curve.time_s[0]))


def _alone(
    known: Mapping[str, Channel],
    told: Mapping[str, _Told],
    shares: dict[str, list[Stretch]],
    span: Stretch,
) -> dict[str, list[Stretch]]:
    """Return when each package is a part of its own that lies within a ``soc`` at other times.

    What it has alone is taken from the share of the ``soc``, which is no gap then. One that has
    told nothing yet is a gap, and the package a part.
    """
    alone: dict[str, list[Stretch]] = {}
    for package in shares:
        own = told[package]
        sockets = [key for key in known if is_within(known[package], known[key])]
        read = [told[key] for key in sockets]
        begun = [each for each in read if each.first_s <= span[1] or own.opens_with(each)]
        if begun:
            alone[package] = _left_share(own, begun, span)
            rest = _outside(alone[package], *span)
            shares |= {key: _both(shares[key], rest, span) for key in sockets if key in shares}
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
    return replace(curve.rows(at), time_s=at_s, energy_j=energy_j, gap=gap)


def _left_share(own: _Told, others: Sequence[_Told], span: Stretch) -> list[Stretch]:
    """Return what of a span is left to a channel by others that come before it.

    That is where it was read and none of them waited for, and where all of them had left, or were
    not read yet though it was.
    """
    held, gone = [], [span]
    for each in others:
        before = [(own.first_s, each.first_s)] if own.first_s < each.first_s else []
        if own.opens_with(each):
            held += [*before, *each.held]
            gone = _both(gone, each.left, span)
        else:
            held += each.held
            gone = _both(gone, [*before, *each.left], span)
    share = _both(_outside(held, *span), own.held, span)
    return _outside([*_outside([*share, *gone], *span), *own.left], *span)


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
