"""The bill of a time that goes on, however long: longer than the trace remembers."""

import time

from monitor.energy.account import WATCH, Bill, Line, Phase, join_phases
from monitor.energy.seen import Seen
from monitor.power.sampler import Sampler

SLICE_S = 600.0
"""Billed in parts of ten minutes: the trace remembers 28 minutes at the fastest rate. Each part
adds the doubt of its ends, so there are to be few."""

SILENT_S = 10.0
"""A channel without a reading for longer is waited for no more."""


class Tally:
    """Adds up what the machine draws from a moment on.

    :param sampler: running
    :param start_s: monotonic; not long past, as the trace does not go back for ever
    """

    def __init__(self, sampler: Sampler, start_s: float) -> None:
        self._slice_s = start_s
        self._ended: dict[str, Line] = {}
        self._seen = Seen(sampler)

    def bill(self, until_s: float) -> Bill:
        """Return the bill up to a moment, one line a channel.

        To be called every ten minutes or oftener, and with a later moment each time.

        :param until_s: monotonic; what was not read by then is not covered
        """
        joined = dict(self._ended)
        for line in self._seen.bill([Phase(WATCH, self._slice_s, until_s)]).lines:
            key = line.channel.key
            before = joined.get(key)
            joined[key] = join_phases([before, line], WATCH) if before else line
        if until_s - self._slice_s > SLICE_S:
            self._ended, self._slice_s = joined, until_s
            self._seen.forget()
        return Bill(tuple(joined.values()))


def settled_s(sampler: Sampler) -> float:
    """Return the monotonic time up to which every channel that is not silent has been read."""
    now_s = time.monotonic()
    latest = (sampler.trace.latest(channel.key) for channel in sampler.channels())
    read_s = [reading[0] for reading in latest if reading]
    return min((at_s for at_s in read_s if at_s > now_s - SILENT_S), default=now_s)
