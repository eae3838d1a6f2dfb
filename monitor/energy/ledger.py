"""The bill of many short phases, added up as they end: a benchmark outlasts the trace's memory."""

from collections.abc import Iterable

from monitor.energy.account import METHOD, Bill, Line, Phase, account, join_phases
from monitor.power.sampler import Sampler


class Ledger:
    """Bills phases one after another and keeps their sum, a line for each channel and phase name.

    A sum that was begun with an earlier version of the accounting keeps that version's number:
    it is no figure of the present one.

    :param sampler: running
    :param before: what was billed earlier, by a run that was interrupted
    """

    def __init__(self, sampler: Sampler, before: Bill | None = None) -> None:
        self._sampler = sampler
        lines = before.lines if before else ()
        self._lines = {(line.channel, line.phase): line for line in lines}
        self._method = before.method if lines and before else METHOD

    def add(self, phases: Iterable[Phase]) -> Bill:
        """Bill some phases, add them to the sum, and return their own bill.

        The sampler should have read past their end, or their coverage will be less than whole.
        """
        self._forget_withdrawn()
        bill = account(self._sampler.trace, self._sampler.channels(), phases)
        for line in bill.lines:
            key = (line.channel, line.phase)
            known = self._lines.get(key)
            self._lines[key] = _join(known, line) if known else line
        return bill

    @property
    def bill(self) -> Bill:
        """The sum so far, without what was added by a channel that is withdrawn now."""
        self._forget_withdrawn()
        return Bill(tuple(self._lines.values()), self._method)

    def _forget_withdrawn(self) -> None:
        """What was withdrawn stays so, should the channel be read again."""
        withdrawn = self._sampler.trace.withdrawn
        self._lines = {
            billed: line
            for billed, line in self._lines.items()
            if line.channel.key not in withdrawn
        }


def _join(known: Line, new: Line) -> Line:
    return join_phases([known, new], new.phase)
