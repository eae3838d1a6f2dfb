"""The power sources: each a file with one class, and a line in the registry below."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from monitor.power.channel import Channel, Doubt, Probe, Reading
from monitor.power.gauge import Gauge, GaugeReading
from monitor.power.sources.amdgpu import AmdGpu
from monitor.power.sources.apple import Apple
from monitor.power.sources.battery import Battery
from monitor.power.sources.emi import Emi
from monitor.power.sources.grace import Grace
from monitor.power.sources.intelgpu import IntelGpu
from monitor.power.sources.jetson import Jetson
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.sources.nvml import Nvml
from monitor.power.sources.own import OwnCost
from monitor.power.sources.processor import ProcessorGauges
from monitor.power.sources.rapl import Rapl


class Source(Protocol):
    """Something that can be asked for watts or joules. Used from one thread only."""

    name: str

    def probe(self) -> Probe:
        """Say whether this source can be read here, and if not, why and what mends it."""
        ...

    def open(self) -> tuple[Channel, ...]:
        """Return the channels; called once after each probe that said available.

        A source that fails again and again is closed, probed and opened anew.
        """
        ...

    def read(self) -> list[Reading]:
        """Read every channel now; a channel that does not answer is left out.

        :raises OSError: (or the driver's own error) when nothing could be read
        """
        ...

    def close(self) -> None:
        """Release what :meth:`open` took; harmless if it was never called."""
        ...


@runtime_checkable
class Glancing(Protocol):
    """What a :class:`Source` has as well if its counters may cost much more than its watts.

    The counter of an NVIDIA H200 takes 4 ms of a processor's time each time it is asked for, its
    watts 0.03 ms (driver 580, tests/recorded/h200.py).
    """

    def glance(self) -> list[Reading]:
        """Read watts alone, whatever else a channel tells; from the source's own thread.

        :raises OSError: as :meth:`Source.read`
        :raises OpenAnew: likewise
        """
        ...


@runtime_checkable
class Gauged(Protocol):
    """What a :class:`Source` has as well if it tells utilisation, temperature, clocks or memory.

    Called from the source's own thread.
    """

    def gauges(self) -> tuple[Gauge, ...]:
        """Return the gauges; called once, after :meth:`Source.open`."""
        ...

    def read_gauges(self) -> list[GaugeReading]:
        """Read every gauge now; one that does not answer is left out."""
        ...


@runtime_checkable
class Remarking(Protocol):
    """What a :class:`Source` has as well if it finds out, while it is read, what a person should
    know."""

    def remarks(self) -> tuple[str, ...]:
        """Say what has been found since the probe, a sentence each; called from any thread."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """What a :class:`Source` has as well if it finds out that its own figures may be wrong."""

    def doubts(self) -> tuple[Doubt, ...]:
        """Say what is doubtful at present; called after each reading, from its thread."""
        ...


@runtime_checkable
class Resting(Protocol):
    """What a :class:`Source` has as well if at times it has nothing to tell, and that is no news:
    the battery of a laptop that is on mains."""

    def rests(self) -> str:
        """Say why it had nothing to tell when it was read last, in half a sentence; "" if it had.

        Called after each reading, from the source's own thread.
        """
        ...


@runtime_checkable
class Parting(Protocol):
    """What a :class:`Source` has as well if it can tell what is not there any more.

    A channel that was opened before and is not now stays a part that is not read, unless its
    source says of it that it has left.
    """

    def has_left(self, channel: Channel) -> bool:
        """Say whether the channel's device sleeps or is gone, or its counter turned out to be none.

        Called after each probe that did not bring the channel back, from the source's own thread.
        """
        ...


SOURCES: tuple[Callable[[], Source], ...] = (
    Rapl,
    Nvml,
    AmdGpu,
    IntelGpu,
    Grace,
    Jetson,
    Battery,
    Emi,
    Apple,
    ModelledCpu,
    OwnCost,
    ProcessorGauges,
)
