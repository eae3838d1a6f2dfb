"""The sampler as a person has set it up on this machine."""

from monitor.plugs import let_read, plugs
from monitor.power.sampler import DEFAULT_HZ, Sampler
from monitor.store.history import History
from monitor.store.sensor_traits import traits_of


def sampler_for(history: History, hz: float = DEFAULT_HZ) -> Sampler:
    """Return a sampler of this machine's sources and of the wall plugs set up, not started.

    :param history: where what a person set up is kept
    :param hz: readings a second
    :raises ValueError: for a rate out of range
    """
    sampler = Sampler(hz, refine=traits_of(history))
    let_read(sampler, plugs(history))
    return sampler
