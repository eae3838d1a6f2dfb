"""Which channel lies within which: the order behind "what is added"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from desktop.theme.palette import Theme
from monitor.energy.account import weakest
from monitor.power.channel import Channel, Domain, Kind, Role
from monitor.power.memory import lacks_memory
from monitor.power.present import total_w

Watts = Mapping[str, float | None]
"""Watts now, by the channels' keys; ``None`` where none were read."""


@dataclass(frozen=True, slots=True)
class Part:
    """A channel that is added, and those within it that are not."""

    channel: Channel
    inside: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A machine's channels as they lie within each other.

    :param parts: what is added
    :param spread: inside some part or several, it is not known which
    :param wholes: what lies around parts: the machine around all, a GPU's module around that GPU
    :param missing: domains whose power is neither measured nor modelled, and left out
    """

    parts: tuple[Part, ...]
    spread: tuple[Channel, ...]
    wholes: tuple[Channel, ...]
    missing: tuple[Domain, ...]

    def total_w(self, watts: Watts) -> float | None:
        """Return the sum of the parts; a part without a reading makes it unknown, not smaller."""
        return _sum(watts, [part.channel for part in self.parts])

    def by_domain(self, watts: Watts) -> list[tuple[Domain, Kind | None, float | None]]:
        """Return the parts of each domain, in the order of the domains: weakest kind and sum."""
        sums = []
        for domain in Domain:
            parts = [part.channel for part in self.parts if part.channel.domain is domain]
            if parts:
                kind = weakest(part.kind for part in parts)
                sums.append((domain, kind, _sum(watts, parts)))
        return sums

    @property
    def kind(self) -> Kind | None:
        """The weakest kind among the parts: what the total may be called."""
        return weakest(part.channel.kind for part in self.parts)

    def devices(self) -> list[tuple[Part, ...]]:
        """Return the parts by their devices, in the order in which these come."""
        groups: dict[str, list[Part]] = {}
        for part in self.parts:
            groups.setdefault(part.channel.device, []).append(part)
        return [tuple(group) for group in groups.values()]


def scheme_of(channels: Sequence[Channel]) -> Scheme:
    """Put channels in the order of what contains them."""
    parts = [channel for channel in channels if channel.role is Role.PART]
    within: dict[str, list[Channel]] = {part.key: [] for part in parts}
    spread: list[Channel] = []
    for channel in channels:
        if channel.role is Role.INSIDE:
            owner = _owner(channel, parts)
            (within[owner.key] if owner else spread).append(channel)
    missing = []
    if not {part.domain for part in parts} & {Domain.CPU, Domain.SOC}:
        missing.append(Domain.CPU)
    if lacks_memory(channels):
        missing.append(Domain.DRAM)
    return Scheme(
        tuple(Part(part, tuple(within[part.key])) for part in parts),
        tuple(spread),
        tuple(channel for channel in channels if channel.role is Role.WHOLE),
        tuple(missing),
    )


def _owner(channel: Channel, parts: Sequence[Channel]) -> Channel | None:
    """The part a channel lies in: of its device; else the only one it can be."""
    same = [part for part in parts if part.device == channel.device]
    nearest = [part for part in same if part.domain is channel.domain] or same
    # The processor of an SoC is within it.
    of_domain = {channel.domain, Domain.SOC} if channel.domain is Domain.CPU else {channel.domain}
    possible = nearest[:1] or [part for part in parts if part.domain in of_domain]
    return possible[0] if len(possible) == 1 else None


def _sum(watts: Watts, channels: Sequence[Channel]) -> float | None:
    return total_w(watts.get(channel.key) for channel in channels)


def part_colors(scheme: Scheme, theme: Theme) -> dict[str, str]:
    """Return each part's colour, by its key: that of its curve in the live plot."""
    colors, indices = {}, dict[Domain, int]()
    for part in scheme.parts:
        domain = part.channel.domain
        index = indices[domain] = indices.get(domain, -1) + 1
        colors[part.channel.key] = theme.color_of(part.channel, index)
    return colors
