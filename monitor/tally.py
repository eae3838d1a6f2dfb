"""The bill of a time that goes on, however long: longer than the trace remembers."""

import time

from monitor.energy.account import WATCH, Bill, Line, Phase, account, join_phases
from monitor.energy.standing import SILENT_S
from monitor.power.channel import Role
from monitor.power.sampler import Sampler

SLICE_S = 600.0
"""Billed in parts of ten minutes: the trace remembers 28 minutes at the fastest rate. Each part
adds the doubt of its ends, so there are to be few."""


class Tally:
    """Adds up what the machine draws from a moment on.

    :param sampler: running
    :param start_s: monotonic; not long past, as the trace does not go back for ever
    """

    def __init__(self, sampler: Sampler, start_s: float) -> None:
        self._sampler, self._slice_s = sampler, start_s
        self._ended: dict[tuple[str, Role], Line] = {}

    def bill(self, until_s: float) -> Bill:
        """Return the bill up to a moment, one line a channel.

        To be called every ten minutes or oftener, and with a later moment each time.

        :param until_s: monotonic; what was not read by then is not covered
        """
        trace = self._sampler.trace
        self._ended = {
            billed_as: line
            for billed_as, line in self._ended.items()
            if line.channel.key not in trace.withdrawn
        }
        joined = dict(self._ended)
        phase = Phase(WATCH, self._slice_s, until_s)
        for line in account(trace, self._sampler.channels(), [phase]).lines:
            billed_as = line.channel.billed_as
            before = joined.get(billed_as)
            joined[billed_as] = join_phases([before, line], WATCH) if before else line
        if until_s - self._slice_s > SLICE_S:
            self._ended, self._slice_s = joined, until_s
        return Bill(tuple(joined.values()))


def settled_s(sampler: Sampler) -> float:
    """Return the monotonic time up to which every channel that is not silent has been read."""
    now_s, trace = time.monotonic(), sampler.trace
    read = [channel.key for channel in sampler.channels() if trace.latest(channel.key)]
    read_s = [trace.settled_s(key) for key in read]
    return min((at_s for at_s in read_s if at_s > now_s - SILENT_S), default=now_s)
