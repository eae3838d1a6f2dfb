"""The sampler as a person has set it up on this machine."""

from monitor.power.sampler import DEFAULT_HZ, Sampler
from monitor.store.history import History


def sampler_for(history: History, hz: float = DEFAULT_HZ) -> Sampler:
    """Return a sampler of this machine's sources, not started.

    :param history: where what a person set up is kept
    :param hz: readings a second
    :raises ValueError: for a rate out of range
    """
    return Sampler(hz)
