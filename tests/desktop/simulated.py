"""The window's services over simulated sensors instead of this machine's."""

from dataclasses import replace

from desktop.services import Services, start_services
from monitor.power.sampler import Sampler
from monitor.power.sources import Source

RATE_HZ = 50


def services_over(source: Source) -> Services:
    """Start everything the window works with, sampling one source alone."""
    started = start_services()
    started.sampler.stop()
    sampler = Sampler(RATE_HZ, [source])
    sampler.start()
    assert sampler.wait_ready()
    return replace(started, sampler=sampler)
