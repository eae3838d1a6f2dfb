"""The bill of what may outlast a source: of channels that were there, whether they still are."""

from collections.abc import Iterable
from dataclasses import replace

from monitor.energy.account import Bill, Phase, account
from monitor.power.channel import Channel, counted
from monitor.power.sampler import Sampler


class Seen:
    """Gathers channels while something runs, and bills it by all of them.

    A source that goes, for a moment or for good, has drawn what it was read to draw: a bill made
    of the channels that are left at the end would have lost that, and would look whole.

    :param sampler: running
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._channels: dict[str, Channel] = {}
        self._look()

    def _look(self) -> None:
        """Take in what is there now."""
        self._channels |= {channel.key: channel for channel in self._sampler.channels()}

    def channels(self) -> tuple[Channel, ...]:
        """Look, and return all that were there; the model that stood in for one is not added."""
        self._look()
        return counted(tuple(self._channels.values()))

    def bill(self, phases: Iterable[Phase]) -> Bill:
        """Return what was drawn; a channel that has gone has lines where it was read at all.

        The sampler should have read past the end, or the coverage will be less than whole.
        """
        made = account(self._sampler.trace, self.channels(), phases)
        there = {channel.key for channel in self._sampler.channels()}
        lines = (line for line in made.lines if line.samples or line.channel.key in there)
        return replace(made, lines=tuple(lines))

    def forget(self) -> None:
        """Go on with what is there now."""
        self._channels.clear()
        self._look()
