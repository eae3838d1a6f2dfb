"""What the total of this moment rests on, the same channels that a bill of it would have, and the
watts of each: one figure, wherever the watts of a moment are shown."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.energy.account import weakest
from monitor.energy.standing import SILENT_S, standing
from monitor.power.channel import Channel, Kind, Role
from monitor.power.present import present_w, total_w
from monitor.power.sampler import Sampler

MOMENT_S = 1e-3
"""So long is the span that stands for a moment: shorter than any two readings lie apart."""

Watts = tuple[tuple[Channel, float | None], ...]
"""Channels with their watts, ``None`` for what is not read."""


def in_force(sampler: Sampler) -> tuple[Channel, ...]:
    """Return the channels that this moment is billed by, in the order the sampler lists them.

    A model is among them where it stands in for a sensor that was waited for in vain; that one is
    not, though the sampler lists it.
    """
    listed, trace, now_s = sampler.channels(), sampler.trace, time.monotonic()
    latest = [trace.latest(channel.key) for channel in listed]
    if all(reading and reading[0] >= now_s - SILENT_S for reading in latest):
        return listed
    return tuple(
        each.channel
        for each in standing(trace, listed, now_s - MOMENT_S, now_s)
        if each.stretches[-1][1] == now_s
    )


@dataclass(frozen=True, slots=True)
class Present:
    """The watts of one moment; see :func:`monitor.power.present.present_w`.

    :param billed: the channels of :func:`in_force`
    :param waited: the sensors that are waited for in vain: no part of the total
    """

    billed: Watts
    waited: Watts

    @property
    def listed(self) -> Watts:
        """All channels: what the total rests on, then what is waited for."""
        return self.billed + self.waited

    @property
    def total_w(self) -> float | None:
        """Watts of the parts together, ``None`` if one of them was not read."""
        return total_w(power_w for each, power_w in self.billed if each.role is Role.PART)

    @property
    def kind(self) -> Kind | None:
        """The weakest kind among the parts: what the total may be called."""
        return weakest(each.kind for each, _ in self.billed if each.role is Role.PART)

    def watts_of(self, key: str) -> float | None:
        """Return the watts of a channel, ``None`` if it was not read."""
        return next((power_w for each, power_w in self.listed if each.key == key), None)


def present(sampler: Sampler) -> Present:
    """Return the watts of now, all of the same moment."""
    billed, now_s = in_force(sampler), time.monotonic()
    waited = [each for each in sampler.channels() if each not in billed]

    def read(channels: Iterable[Channel]) -> Watts:
        return tuple((each, present_w(sampler.trace, each, now_s)) for each in channels)

    return Present(read(billed), read(waited))
