"""The power sources: each a file with one class, and a line in the registry below."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from monitor.power.channel import Channel, Probe, Reading
from monitor.power.gauge import Gauge, GaugeReading
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.sources.nvml import Nvml
from monitor.power.sources.rapl import Rapl


class Source(Protocol):
    """Something that can be asked for watts or joules. Used from one thread only."""

    name: str

    def probe(self) -> Probe:
        """Say whether this source can be read here, and if not, why and what mends it."""
        ...

    def open(self) -> tuple[Channel, ...]:
        """Return the channels; called once, after a probe that said available."""
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


SOURCES: tuple[Callable[[], Source], ...] = (Rapl, Nvml, ModelledCpu)
