"""Charts of the history: sums over queries by day, week or month. Totals are a chart of one bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from monitor.power.channel import Kind


class Period(StrEnum):
    """What a bar of a chart spans."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start(self, day: date) -> date:
        """Return the first day of the period a day lies in; weeks begin on Monday."""
        if self is Period.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Period.MONTH else day

    def next(self, day: date) -> date:
        """Return the first day of the period after a day's."""
        longest = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 32}[self]
        start = self.start(day)
        return self.start(start + timedelta(days=longest))


class Stack(StrEnum):
    """What the bars are stacked by."""

    NOTHING = "nothing"
    MODEL = "model"
    KIND = "kind"
    MACHINE = "machine"
    COMPONENT = "component"


class Totals(NamedTuple):
    """What some queries came to. ``None`` is "not known", never zero.

    A tuple like :class:`Bar`, as there are thousands in a chart of days.

    :param queries: how many there were
    :param measured: how many of them have a bill with energy
    :param partly_read: how many of those with energy lack a part of it that was not read
    :param unread: how many ran, but nothing was read of them
    :param unread_lines: of a component's bar alone, which knows of no queries: how many lines of
      bills were not read
    :param shared: how many of those with energy were billed while another LlamaWatt computed: what
      was drawn meanwhile is in the bills of both
    :param beside: beside how many other programs computed, whose joules the sum holds as well
    :param costed: of how many the grams are
    :param kind: the weakest kind among their energies
    :param energy_j: sum over the measured ones; ``energy_low_j`` and ``energy_high_j`` are the
      sums of their intervals' ends, as if all erred alike
    :param grams: CO2e with the intensity each was measured under
    :param joules_per_token: decode joules over answer tokens, of those that know both
    :param tokens_per_s: answer tokens over seconds of decode, likewise
    """

    queries: int = 0
    measured: int = 0
    partly_read: int = 0
    unread: int = 0
    unread_lines: int = 0
    shared: int = 0
    beside: int = 0
    costed: int = 0
    kind: Kind | None = None
    energy_j: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    grams: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_s: float = 0.0
    joules_per_token: float | None = None
    tokens_per_s: float | None = None

    @classmethod
    def from_sums(cls, sums: Sequence[Any]) -> "Totals":
        """Make it of the columns of ``sums``, added up.

        :param sums: in the order of :data:`monitor.store.sums.SUMS`; nothing is named, as a chart
          of days is made of thousands of them
        """
        (
            queries, measured, costed, counted, integrated, modelled,
            energy_j, energy_low_j, energy_high_j, grams, prompt_tokens, completion_tokens, total_s,
            decode_j, decode_j_tokens, decode_s, decode_s_tokens,
            partly_read, unread, shared, beside,
        ) = sums  # fmt: skip
        if not queries:
            return cls()
        return cls(
            queries,
            measured,
            partly_read,
            unread,
            0,  # lines: only a component's bar tells them
            shared,
            beside,
            costed,
            weakest_of(counted, integrated, modelled),
            energy_j if measured else None,
            energy_low_j if measured else None,
            energy_high_j if measured else None,
            grams if costed else None,
            prompt_tokens,
            completion_tokens,
            total_s,
            decode_j / decode_j_tokens if decode_j_tokens else None,
            # Seconds that were taken off again may leave a trace of rounding; tokens do not.
            decode_s_tokens / decode_s if decode_s_tokens else None,
        )

    @classmethod
    def of_lines(cls, unread: int, kind: Kind | None, energy_j: float) -> "Totals":
        """Make it of lines of bills, as of a component.

        :param unread: how many were not read
        :param kind: the weakest among the others; ``None`` if there are none
        """
        return cls(0, 0, 0, 0, unread, 0, 0, 0, kind, None if kind is None else energy_j)

    @property
    def is_lower_bound(self) -> bool:
        """Whether the sum is known from below only: not all that belongs to it was read."""
        return self.energy_j is not None and self._lacking > 0

    @property
    def _lacking(self) -> int:
        return self.partly_read + self.unread + self.unread_lines

    @property
    def has_least_means(self) -> bool:
        """Whether joules a token or a query are known from below only.

        Queries of which nothing was read are missing from a sum, not from a mean.
        """
        return self.partly_read > 0

    @property
    def uncosted(self) -> int:
        """How many have an energy, but no grams: of their grid no figure is known."""
        return self.measured - self.costed


class Bar(NamedTuple):
    """One piece of a chart.

    :param start: first day of its period
    :param key: what the piece stands for: a model with its quantisation, a kind, a machine's
      name, a component; "" where nothing is stacked
    :param totals: of a component only the energy is known, and how many lines it lacks
    """

    start: date
    key: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars in the order of time.

    :param limited_to: if not ``None``, only so many of the newest queries were added up, and
      there are more
    """

    bars: tuple[Bar, ...]
    limited_to: int | None = None


def weakest_of(counted: int, integrated: int, modelled: int) -> Kind | None:
    """Return the weakest kind of which there are some: what their sum may be called."""
    if modelled:
        return Kind.MODELLED
    if integrated:
        return Kind.POWER
    return Kind.COUNTER if counted else None
