"""Opening a source anew, after what kept it from being read was mended."""

from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES


def reopen(sampler: Sampler, name: str) -> None:
    """Have a sampler probe and open a registered source once more; returns at once.

    :param name: the source's name; nothing happens for one that is not sampled or not registered
    """
    make = next((make for make in SOURCES if getattr(make, "name", "") == name), None)
    if make is None or all(probe.source != name for probe in sampler.probes()):
        return
    sampler.remove(name)
    sampler.add(make(), make)
