"""Whether memory (DRAM) is in what is added up, though no channel tells what it alone draws.

What is told of a ``soc`` is the power of the socket: memory in slots lies outside, and where memory
is on the package, its source has a channel for it. Three figures hold the memory, by the word of
those who made the sensor or the program:

* "Grace Power Socket" is the processor with the memory soldered beside it
  (:mod:`monitor.power.sources.grace`). What of it is the memory's is told only where the meters of
  all its other rails are there as well.
* ``VDD_IN`` of a Jetson module: "other parts like DDR and interface power rails are included"
  (NVIDIA at forums.developer.nvidia.com/t/200883; :mod:`monitor.power.sources.jetson`).
* The total of a run of CodeCarbon since its version 2, where nothing else of the run was told
  (:mod:`monitor.exchange.codecarbon_import`).

They are known by their channels' keys: so a bill that was stored, or came from elsewhere, tells it.
"""

import re
from collections.abc import Iterable

from monitor.power.channel import Channel, Domain, Role

HOLDING = re.compile(r"grace:\d+|jetson:VDD_IN|codecarbon:energy")


def lacks_memory(channels: Iterable[Channel]) -> bool:
    """Whether the sum of the parts among some channels leaves memory out."""
    return not any(
        _is_memory(channel) or (channel.role is Role.PART and HOLDING.fullmatch(channel.key))
        for channel in channels
    )


def _is_memory(channel: Channel) -> bool:
    return channel.domain is Domain.DRAM and channel.role is not Role.WHOLE
