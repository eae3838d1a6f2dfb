"""Whether a part reads no less than what lies within it.

A package lies within its socket, cores within a package, a card's chip within the card: what is
inside cannot draw more than the whole. Where it reads more, by more than both may be off, one of
the two sensors is wrong. Of a socket and the package in it that is the socket's: some tell next to
nothing (flightlessmango/MangoHud#1874). If it does so twice in a row, the package is the part from
then on, and what the socket tells is only shown, for as long as the program runs; bills that are
reckoned later take it so of the time before, too. Elsewhere the part is billed as it is, and its
figures are doubtful.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from monitor.power.channel import Channel, Domain, Doubt, Kind, Role, is_within
from monitor.power.crosscheck import WHOLE
from monitor.power.trace import Trace

JUDGED_S = 3.0
"""Compared at a time: thirty refreshes of a card, and less than most answers last."""

SELDOM = 10
"""Sockets are looked at each time, all else once in so many: its part stays billed anyway."""

LATE_S = 1.0
"""Watts may be a mean over so long, and then tell of a step so late."""

NOT_BELIEVED = (
    "%1 reads %2 W where %3, which lies within it, reads %4 W. It is not believed: what %3 reads "
    "is counted instead."
)
"""What is wrong with a socket: its name and watts, those of the package."""

AT_ODDS = (
    "%1 reads %2 W where %3, which lies within it, reads %4 W: at least one of the two is wrong. "
    "%1 is billed."
)
"""The same of any other part, and of what lies inside it."""


class Containment:
    """What was found of the channels of one machine. Changed by one thread, read by any."""

    def __init__(self) -> None:
        self.doubts: tuple[Doubt, ...] = ()
        """What was found in the last seconds, one of a channel at most."""
        self._shown: frozenset[str] = frozenset()
        self._suspected: frozenset[str] = frozenset()
        """Sockets that told too little at the last look. Once may be an accident: a counter that
        was silent for a while tells its mean of that time afterwards."""
        self._looked_s, self._looks = -math.inf, 0

    def as_found(self, channel: Channel) -> Channel:
        """Return a channel as it was opened, or only shown if it was found to tell too little."""
        return replace(channel, role=Role.INSIDE) if channel.key in self._shown else channel

    def look(self, trace: Trace, opened: Sequence[Channel], now_s: float) -> None:
        """Now and then compare the last seconds of each part with what lies within it.

        :param trace: what was read; a socket that is not believed is no part in it any more
        :param opened: every channel, as its source opened it and :meth:`as_found` has it
        :param now_s: monotonic
        """
        if now_s - self._looked_s < JUDGED_S:
            return
        self._looked_s, self._looks = now_s, self._looks + 1
        is_due = self._looks % SELDOM == 1
        doubts, suspected = [], set()
        for outer in opened:
            for inner in _inside(outer, opened) if is_due or outer.domain is Domain.SOC else ():
                if watts := _too_little(trace, outer, inner, now_s):
                    told = (outer.label, f"{watts[0]:.3g}", inner.label, f"{watts[1]:.3g}")
                    if not is_within(inner, outer):
                        doubts.append(Doubt(outer.key, AT_ODDS, told))
                    elif outer.key not in self._suspected:
                        suspected.add(outer.key)
                    else:
                        doubts.append(Doubt(outer.key, NOT_BELIEVED, told))
                        self._shown |= {outer.key}
                        trace.add(self.as_found(outer))
                    break
        if not is_due:
            doubts += [each for each in self.doubts if each.text == AT_ODDS]
        self.doubts, self._suspected = tuple(doubts), frozenset(suspected)


def _inside(outer: Channel, opened: Iterable[Channel]) -> list[Channel]:
    """Return what lies within a part, the package in a socket first."""
    if outer.role is not Role.PART or outer.kind is Kind.MODELLED:
        return []
    found = [each for each in opened if is_within(each, outer)]
    found += [
        each
        for each in opened
        if each.role is Role.INSIDE
        and each.kind is not Kind.MODELLED
        and (each.domain, each.device) == (outer.domain, outer.device)
    ]
    return found


def _too_little(
    trace: Trace, outer: Channel, inner: Channel, now_s: float
) -> tuple[float, float] | None:
    """Return the watts of both if the outer one reads too little; ``None`` if it may be right."""
    latest = [trace.latest(each.key) for each in (outer, inner)]
    until_s = min((told[0] for told in latest if told), default=0.0)
    if None in latest or now_s - until_s > JUDGED_S:
        return None
    since_s = until_s - JUDGED_S
    outer_read, inner_read = (trace.window(each.key, since_s, until_s) for each in (outer, inner))
    if outer_read.joules is None or inner_read.joules is None:
        return None
    if min(outer_read.coverage, inner_read.coverage) < WHOLE:
        return None
    power_w = trace.curve(inner.key, since_s - LATE_S, until_s).power_w
    power_w = power_w[np.isfinite(power_w)]
    swing_w = float(power_w.max() - power_w.min()) if len(power_w) else 0.0
    late_j = swing_w * (LATE_S + outer.period_s + inner.period_s)
    most_j = outer_read.joules * (1 + outer.accuracy.above) + outer.accuracy.offset_w * JUDGED_S
    least_j = inner_read.joules * (1 - inner.accuracy.below) - inner.accuracy.offset_w * JUDGED_S
    if least_j <= most_j + late_j:
        return None
    return outer_read.joules / JUDGED_S, inner_read.joules / JUDGED_S
