"""A prompt run again and again, until its energy is known well enough."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from monitor import figures
from monitor.compare.runs import compare_records
from monitor.energy.comparison import Comparison
from monitor.energy.parts import partly_read
from monitor.energy.precision import Mean, mean_of
from monitor.loading import Stopped
from monitor.meter import Ask, Event, Finished, Meter
from monitor.store.database import StoreError
from monitor.store.history import Began, History
from monitor.store.identifiers import new_id
from monitor.store.records import QueryRecord, Status
from monitor.store.repeats import Repeats as Groups

MOST = 30
"""Runs at most, unless a person says otherwise."""

WARM_UP = "warm-up"
"""The tag of a run that is no part of the mean: its energy was drawn, and is in all sums."""

USUAL_PRECISION = 0.05
"""What is told to be needed for, where only a number of runs was asked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often a prompt is run.

    :param times: so many runs; ``None`` to go on until a precision is reached
    :param precision: half of the 95 % interval as a share of the mean; ``None`` if ``times`` says
    :param most: runs at most until then
    :raises ValueError: if neither or both are given, or a number makes no sense
    """

    times: int | None = None
    precision: float | None = None
    most: int = MOST

    def __post_init__(self) -> None:
        if (self.times is None) == (self.precision is None):
            raise ValueError("Say either how many runs, or how precise their mean must be.")
        if self.times is not None and self.times < 1:
            raise ValueError("A prompt is run once at least.")
        if self.precision is not None and not 0 < self.precision <= 1:
            raise ValueError("A precision lies above 0 % and up to 100 %.")
        if self.most < 2:
            raise ValueError("It takes two runs at least to know how they scatter.")

    def is_done(self, runs: int, mean: Mean | None, is_measured: bool = False) -> bool:
        """Whether it is enough.

        :param runs: that came to their end
        :param mean: of their energies; ``None`` if nothing was measured, or nothing whole
        :param is_measured: whether anything was measured
        """
        if self.times is not None or self.precision is None:
            return runs >= (self.times or self.most)
        # Where nothing can be measured, more of the same will not be measured either.
        is_known = mean.is_within(self.precision) if mean else runs > 0 and not is_measured
        return is_known or runs >= self.most


@dataclass(frozen=True, slots=True)
class Repeated:
    """What some runs of one prompt have come to.

    :param id: what their records are grouped by
    :param warm_up: the run before the first, which loaded the model and is no part of the mean
    :param records: the runs that came to their end, in their order
    :param mean: of their energies; ``None`` if nothing was measured, or nothing whole
    :param ended: whether there are no more to come
    :param stopped: whether somebody stopped it
    :param broken: the run that failed or was stopped, and ended it
    """

    id: str
    plan: Plan
    warm_up: QueryRecord | None = None
    records: tuple[QueryRecord, ...] = ()
    mean: Mean | None = None
    ended: bool = False
    stopped: bool = False
    broken: QueryRecord | None = None

    @property
    def needed(self) -> int | None:
        """Runs the precision takes in all, or :data:`USUAL_PRECISION` if none was asked for."""
        return self.mean.needed(self.plan.precision or USUAL_PRECISION) if self.mean else None

    @property
    def is_measured(self) -> bool:
        """Whether any of the runs was measured at all."""
        return any(record.bill.total().energy for record in self.records)

    def against(self, before: Sequence[QueryRecord], is_same_machine: bool) -> Comparison | None:
        """Compare the runs with what they repeat; only they can be run more often.

        :param before: the stored query, or what :func:`earlier_runs` finds of it
        :return: ``None`` if either was not measured, or not as the other was; or if they were
            billed by different methods
        """
        return compare_records(before, self.records, is_same_machine, only_second=True)

    def notes(self, translate: Callable[[str], str] = str) -> list[str]:
        """Say what a person must know of the mean, a sentence each.

        :param translate: for the window's language
        """
        notes = []
        if self.records and self.mean is None:
            notes.append(translate(NOTHING_WHOLE if self.is_measured else NOTHING_MEASURED))
        if self.mean:
            notes += self._reading_notes(self.mean, translate)
        if self.mean and not self.mean.resolved:
            notes.append(translate(UNRESOLVED))
        if disturbed := sum(bool(record.beside) for record in self.records):
            text = translate(DISTURBED).replace("%1", str(disturbed))
            notes.append(text.replace("%2", str(len(self.records))))
        if len({record.tokens.completion for record in self.records}) > 1:
            notes.append(translate(LENGTHS_DIFFER))
        precision = self.plan.precision
        if self.mean and precision is not None:
            notes += self._precision_notes(self.mean, precision, translate)
        elif self.mean:
            notes += self._usual_notes(self.mean, translate)
        return notes

    def _usual_notes(self, mean: Mean, translate: Callable[[str], str]) -> list[str]:
        """Say how many runs a usual precision takes, where only a number of runs was asked for."""
        if mean.spread_j is None or mean.scatter <= mean.scatter_left(USUAL_PRECISION):
            return []
        needed = f"{self.needed:,}" if self.needed else translate(MANY)
        text = translate(USUAL).replace("%1", percent(USUAL_PRECISION))
        return [text.replace("%2", needed)]

    def _reading_notes(self, mean: Mean, translate: Callable[[str], str]) -> list[str]:
        """Say which parts were not read, and how many runs are left out for it."""
        notes = []
        if mean.unread:
            notes.append(translate(AT_LEAST).replace("%1", ", ".join(mean.unread)))
        if mean.left_out:
            poorly = (line for record in self.records for line in partly_read(record.bill))
            names = dict.fromkeys(line.channel.label for line in poorly)
            missing = ", ".join(name for name in names if name not in mean.unread)
            text = translate(LEFT_OUT).replace("%1", str(mean.left_out))
            text = text.replace("%2", str(len(self.records)))
            notes.append(f"{text} ({missing})." if missing else f"{text}.")
        return notes

    def _precision_notes(
        self, mean: Mean, precision: float, translate: Callable[[str], str]
    ) -> list[str]:
        notes = []
        if not mean.can_reach(precision):
            text = translate(OUT_OF_REACH).replace("%1", percent(precision))
            notes.append(text.replace("%2", percent(mean.systematic)))
        ran_out = self.ended and not self.stopped and self.broken is None
        if ran_out and not mean.is_within(precision):
            text = translate(NOT_ENOUGH).replace("%1", str(mean.count))
            text = text.replace("%2", percent(mean.scatter))
            needed = f"{self.needed:,}" if self.needed else translate(MANY)
            notes.append(text.replace("%3", needed))
        return notes


NOTHING_MEASURED = "Nothing was measured, so that repeating tells nothing; see `llamawatt sensors`."
NOTHING_WHOLE = (
    "In none of the runs was enough read for a mean: a part was read for less than nine tenths of "
    "the time; see `llamawatt sensors`."
)
AT_LEAST = "%1 was not read in any of these runs: it was more than the mean says."
LEFT_OUT = (
    "Runs that the mean leaves out, as other parts were read in them than in the others: %1 of %2"
)
UNRESOLVED = (
    "Even together the runs hold too few refreshes, or readings, of a sensor to be resolved; ask "
    "for more of them, or for longer answers."
)
DISTURBED = (
    "Other programs computed during %1 of %2 runs: a part of the mean, and of its scatter, is "
    "theirs."
)
LENGTHS_DIFFER = (
    "The answers differ in length although prompt and seed are the same; some of the scatter is "
    "the answers' own."
)
OUT_OF_REACH = (
    "Repeating cannot bring this to ±%1: the sensors themselves may be off by ±%2, the same each "
    "time. ±%1 is asked of what scatters instead, which comparisons on this machine go by."
)
USUAL = "It would take %2 runs in all to know what scatters to ±%1."
MANY = "more than 10,000"
NOT_ENOUGH = "After %1 runs what scatters is known to ±%2; it would take %3 runs in all."


def percent(share: float) -> str:
    """Write a share in percent with two digits: 4.2 %, 38 %."""
    return f"{figures.significant(100 * share, 2)} %"


class Repeater:
    """Runs one prompt several times with the same seed, each time from an empty context.

    Loading the model is no part of any run. The run that follows a load warms up what the load
    left cold, caches and clocks; it is kept in the history, tagged, and no part of the mean.

    :param meter: what runs the queries
    :param history: where they are kept, grouped
    """

    def __init__(self, meter: Meter, history: History) -> None:
        self._meter, self._history = meter, history
        self._groups = Groups(history.store)
        self._cancelled = False

    def cancel(self) -> None:
        """Stop, from any thread; the runs that have ended are kept."""
        self._cancelled = True
        self._meter.cancel()

    def run(self, ask: Ask, plan: Plan) -> Generator[Event | Repeated, None, None]:
        """Run a prompt as often as planned.

        After each run's own events comes what the runs have come to so far; the last one is
        ``ended``.

        :raises ModelFileError: if the model cannot be used; further as :meth:`Meter.run`
        """
        self._cancelled = False
        return self._run(replace(ask, fresh=True), plan)

    def _run(self, ask: Ask, plan: Plan) -> Generator[Event | Repeated, None, None]:
        so_far = Repeated(new_id(), plan)
        while not so_far.ended:
            try:
                record = yield from self._once(ask, so_far.id)
            except Stopped:
                if not so_far.records and not so_far.warm_up:
                    raise
                so_far = replace(so_far, ended=True, stopped=True)
            else:
                so_far = self._taken_in(so_far, record)
            yield so_far

    def _once(self, ask: Ask, repeat_id: str) -> Generator[Event, None, QueryRecord]:
        events = self._meter.run(ask)
        if self._cancelled:
            self._meter.cancel()  # again: the first may have come between two runs
        for event in events:
            if isinstance(event, Began):
                self._groups.join(event.query_id, repeat_id)
            yield event
            if isinstance(event, Finished):
                return event.record
        raise AssertionError("a query always ends with its record")

    def _taken_in(self, so_far: Repeated, record: QueryRecord) -> Repeated:
        so_far = replace(so_far, stopped=self._cancelled, ended=self._cancelled)
        if record.status is not Status.DONE:
            return replace(so_far, broken=record, ended=True)
        if so_far.warm_up is None and not so_far.records and record.seconds.load is not None:
            with contextlib.suppress(StoreError):  # a file that is held must not end the runs
                self._history.edits.tag(self._history.browse.numbers_of([record.id]), WARM_UP)
            return replace(so_far, warm_up=record)
        records = (*so_far.records, record)
        mean = mean_of([each.bill for each in records])
        so_far = replace(so_far, records=records, mean=mean)
        is_done = so_far.plan.is_done(len(records), mean, so_far.is_measured)
        return replace(so_far, ended=so_far.ended or is_done)


def earlier_runs(history: History, record: QueryRecord, repeated_id: str) -> list[QueryRecord]:
    """Return a stored query with the runs that say how it scattered, without those that repeat it.

    :param repeated_id: the group of the runs that repeat it now
    """
    groups = Groups(history.store)
    ids = groups.of(record.id) or groups.alike(record.id, without=groups.members(repeated_id))
    return list(history.records_by_id(ids).values()) or [record]
