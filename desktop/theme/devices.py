"""How a device is called where there is little room, the same in plots, boxes and tables."""

import re

from monitor.power.channel import Channel, Domain, Kind, Role

NUMBERED = re.compile(r"\D+ \d+(\.\d+)?\b")
"""What a label begins with where there may be several alike: "AMD GPU 1", "CPU 0.1" of a die."""


def short_name(channel: Channel) -> str:
    """Return a label without the model's name: "GPU 0" of "GPU 0 GeForce RTX 4090".

    Its number stays, which tells it from others; a label without one is short already. An SoC's
    is kept whole: it says that the watts hold the processor's.
    """
    numbered = NUMBERED.match(channel.label)
    is_device = channel.role is Role.PART and channel.kind is not Kind.MODELLED
    if numbered and is_device and channel.domain is not Domain.SOC:
        return numbered[0]
    return channel.label
