"""The minute's self-test of this machine's sensors: every source at once, each in a thread."""

import logging
import statistics
import threading
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from monitor.power.channel import Channel, Kind
from monitor.power.selftest import SECONDS, Finding, examine
from monitor.power.sources import SOURCES, Source
from monitor.power.sources.plug import PREFIX
from monitor.quiet import LoadMeter, most_busy_cores

log = logging.getLogger(__name__)

LOOK_S = 0.5

SLACK_S = 2.0
"""A source that has not ended so long after the test hangs in its driver and is left behind."""


class SensorTest:
    """One test. Wall plugs take no part: they are asked over the network.

    :param seconds: how long it takes
    :param sources: what makes the sources to look at; they are opened a second time beside a
      running sampler's own
    :param most_cores: busy cores that still count as idle; this machine's own limit unless given
    """

    def __init__(
        self,
        seconds: float = SECONDS,
        sources: Sequence[Callable[[], Source]] = SOURCES,
        most_cores: float | None = None,
    ) -> None:
        self.seconds = seconds
        self._most_cores = most_busy_cores() if most_cores is None else most_cores
        self._sources = sources
        self.is_cancelled = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._findings: dict[int, tuple[Finding, ...]] = {}
        self.unanswered: tuple[str, ...] = ()
        """Names of the sources that had not answered when the test ended: they hang."""

    def cancel(self) -> None:
        """End the test; nothing is found then."""
        self.is_cancelled = True
        self._stop.set()

    def run(self, told: Callable[[float], None] = lambda _share: None) -> tuple[Finding, ...]:
        """Test until the time is over, or until it is cancelled.

        If the machine was busy meanwhile, what it drew is not idle and is left out.

        :param told: called about twice a second with the share of the time that has passed
        :return: what was found of each channel that has a sensor, in the order of the sources
        """
        threads = [
            threading.Thread(target=self._examine, args=each, name="sensor-test", daemon=True)
            for each in enumerate(self._sources)
        ]
        load, busy_cores = LoadMeter(), []
        began_s = time.monotonic()
        for thread in threads:
            thread.start()
        while (passed_s := time.monotonic() - began_s) < self.seconds:
            told(passed_s / self.seconds)
            if self._stop.wait(min(LOOK_S, self.seconds - passed_s)):
                break
            if not any(thread.is_alive() for thread in threads):
                break  # there is no sensor here
            busy_cores.append(load.busy_cores())
        until_s = time.monotonic() + SLACK_S
        for thread in threads:
            thread.join(max(until_s - time.monotonic(), 0.0))
        told(1.0)
        hanging = (
            make for make, thread in zip(self._sources, threads, strict=True) if thread.is_alive()
        )
        self.unanswered = tuple(str(getattr(make, "name", make)) for make in hanging)
        with self._lock:
            found = tuple(each for at in sorted(self._findings) for each in self._findings[at])
        if self.is_cancelled:
            return ()
        # A source that hangs is to end as soon as it answers.
        self._stop.set()
        is_quiet = bool(busy_cores) and statistics.median(busy_cores) <= self._most_cores
        return found if is_quiet else tuple(map(_without_idle, found))

    def _examine(self, at: int, make: Callable[[], Source]) -> None:
        try:
            found = examine(make(), self.seconds, self._stop)
        except Exception as error:  # a driver may raise anything; its probe says why
            log.warning("A sensor could not be tested: %s", error)
            return
        with self._lock:
            self._findings[at] = found


def untested(channels: Iterable[Channel], known: Container[str]) -> list[Channel]:
    """Return the channels that have a sensor to test, of which nothing is known.

    :param known: keys of those that were tested here
    """
    return [
        channel
        for channel in channels
        if channel.kind is not Kind.MODELLED
        and not channel.key.startswith(PREFIX)
        and channel.key not in known
    ]


def _without_idle(finding: Finding) -> Finding:
    return replace(finding, traits=replace(finding.traits, idle_w=None, spread_w=None))
