"""The state of one run: told of finished items, which it bills once the sensors have caught up."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.bench.results import Accuracy, accuracy_from
from monitor.bench.uncounted import CUT, UNCOUNTED, counted
from monitor.carbon.choice import embodied_share_g
from monitor.carbon.late import take_late_figure
from monitor.clock import unix_s
from monitor.energy.account import DECODE, PREFILL, Bill, Phase, account
from monitor.energy.baseline import AboveIdle
from monitor.energy.ledger import Ledger
from monitor.power.gauge import join_lines
from monitor.power.sampler import Sampler
from monitor.quiet import above_last_idle
from monitor.recording import pack_curve
from monitor.store.bench_records import ItemRecord, RunRow, Sums
from monitor.store.history import History
from monitor.store.outcomes import Outcome
from monitor.store.records import QueryRecord, Seconds, Status, Tokens
from monitor.watch_notes import query_notes

SAVE_EVERY_S = 0.75
"""Finished items are stored this often at most, so that a crash loses less than a second."""

LEAST_CUT_S = 0.01
"""What was cut off sooner lay between two items: nothing was computed yet."""

PAUSE_S = 1.0
"""What lies so far apart was not computed in one go: it was paused, or another run was at work."""

MOST_PHASES = 400
"""A stored curve has so many phases marked; of a run with more, only the whole."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Items that were computed together and wait for their bill.

    :param shares: of the work, one for each item
    :param phases: when it was done
    :param beside: of :data:`UNCOUNTED`, what it was where it belongs to no item; else ""
    """

    items: tuple[ItemRecord, ...]
    shares: tuple[float, ...]
    phases: tuple[Phase, ...]
    tokens: Tokens
    beside: str = ""

    @property
    def billed(self) -> tuple[Phase, ...]:
        """Its phases as they stand in the bill."""
        if not self.beside:
            return self.phases
        return (Phase(self.beside, self.phases[0].start_s, self.phases[-1].end_s),)


class RunLog:
    """One run from its first item to its bill, or from where it was interrupted.

    :param sampler: running
    :param history: where the run has been begun
    :param row: the run as it is stored
    :param record: its query as it is stored
    :param by_length: whether the score by length is the one to show
    """

    def __init__(
        self, sampler: Sampler, history: History, row: RunRow, record: QueryRecord, by_length: bool
    ) -> None:
        self._sampler, self._history, self._by_length = sampler, history, by_length
        self.id, self.start, self.sums = row.id, row.start, row.sums
        self._began = datetime.fromisoformat(record.started_at)
        self._tokens, self._seconds = record.tokens, record.seconds
        self._ledger = Ledger(sampler, record.bill)
        self._lock = threading.Lock()
        """Of what :meth:`spent` reads from another thread."""
        self._pending: deque[Finished] = deque()
        self._open: list[Phase] = []
        """Of what is being computed, the last without an end."""
        self._is_unsaved = False
        self._settled: list[ItemRecord] = []
        self._phases: list[Phase] = []
        self._resumed = 0
        """Phases before the last pause."""
        self._gauges, self._notes = record.gauges, record.notes
        self._gauged = 0
        """Phases whose gauges are in there already."""
        self._saved_s = 0.0

    @property
    def computed(self) -> int:
        """Items that are computed, billed or not: where to go on."""
        return self.sums.done + len(self._settled) + sum(len(f.items) for f in self._pending)

    @property
    def bill(self) -> Bill:
        """What the run has cost so far."""
        return self._ledger.bill

    @property
    def counted(self) -> Bill:
        """What its items have cost so far."""
        return counted(self._ledger.bill)

    @property
    def counted_s(self) -> float:
        """Seconds of computing its items so far."""
        return (self._seconds.prefill or 0.0) + (self._seconds.decode or 0.0)

    def spent(self, until_s: float) -> Bill:
        """What the run has cost, with all that waits for its bill or is not finished, as far as
        the sensors were read. From any thread.

        :param until_s: monotonic; nothing was computed later
        """
        until_s = min(until_s, self._sampler.read_until_s())
        with self._lock:
            phases = [phase for finished in self._pending for phase in finished.billed]
            phases += self._open
            lines = self._ledger.bill.lines
        ends = (replace(phase, end_s=min(phase.end_s, until_s)) for phase in phases)
        waiting = account(self._sampler.trace, self._sampler.channels(), ends)
        return Bill((*lines, *waiting.lines))

    @property
    def j_per_item(self) -> float | None:
        """Joules of an item so far, the mean of those billed; ``None`` before the first."""
        billed, joules = self.sums.done + len(self._settled), self.counted.total().joules
        return joules / billed if billed and joules is not None else None

    @property
    def unbilled_j(self) -> float | None:
        """What the items that wait for their bill should come to: by how long they took, at the
        mean power so far; ``None`` before the first bill."""
        joules = self.bill.total().joules
        if not self.total_s or joules is None:
            return None
        phases = [phase for finished in self._pending for phase in finished.phases]
        return joules / self.total_s * sum(phase.end_s - phase.start_s for phase in phases)

    @property
    def total_s(self) -> float:
        """Seconds of computing so far."""
        return self._seconds.total or 0.0

    @property
    def accuracy(self) -> Accuracy | None:
        """The score so far, by the measure leaderboards print."""
        return self._accuracy(self.sums)

    def _accuracy(self, sums: Sums) -> Accuracy | None:
        return None if self.start.chance is None else printed_accuracy(sums, self._by_length)

    def note_load(self, phase: Phase) -> None:
        """Take in the load this run is the first to follow."""
        self._sampler.wait_until(phase.end_s)
        with self._lock:
            self._ledger.add([phase])
        loaded_s = (self._seconds.load or 0.0) + phase.end_s - phase.start_s
        self._seconds = replace(self._seconds, load=loaded_s)

    def begin(self, phase: str, start_s: float) -> None:
        """Take in that an item, or its next phase, is being computed from now on."""
        with self._lock:
            if self._open:
                self._open[-1] = replace(self._open[-1], end_s=start_s)
            self._open.append(Phase(phase, start_s, math.inf))

    def note(self, finished: Finished) -> None:
        """Take in items that were just computed."""
        with self._lock:
            self._open = []
            self._pending.append(finished)

    def note_beside(self, beside: str, end_s: float) -> None:
        """Take in that what was begun has ended and belongs to no item.

        :param beside: what it was, of :data:`UNCOUNTED`
        """
        with self._lock:
            phases, self._open = self._open, []
            if phases and end_s - phases[0].start_s >= LEAST_CUT_S:
                phases[-1] = replace(phases[-1], end_s=end_s)
                self._pending.append(Finished((), (), tuple(phases), Tokens(), beside))

    @property
    def begun_s(self) -> float:
        """Since when it computes what is not finished; infinite if there is nothing."""
        return self._open[0].start_s if self._open else math.inf

    def catch_up(self) -> None:
        """Bill all that is computed, once the sensors have read past it."""
        if self._pending:
            self._sampler.wait_until(self._pending[-1].phases[-1].end_s)
        while self._pending:
            self._bill(self._pending[0])

    def settle(self, finish: bool = False) -> tuple[ItemRecord, ...]:
        """Bill what the sensors have read past, and store it if it is time.

        :param finish: wait for the sensors, and leave nothing behind
        :return: the items that are stored now
        """
        if finish:
            self.catch_up()
        until_s = self._sampler.read_until_s()
        while self._pending and self._pending[0].phases[-1].end_s <= until_s:
            self._bill(self._pending[0])
        if not self._is_unsaved or not (finish or until_s - self._saved_s >= SAVE_EVERY_S):
            return ()
        self._saved_s = until_s
        return self._store(Status.RUNNING)

    def end(self, status: Status, error: str = "") -> tuple[ItemRecord, ...]:
        """Bill and store all there is, with the power curve; return the items stored by it.

        What is still open has failed, or nobody waits for it any more.
        """
        self.note_beside(CUT, time.monotonic())
        items = self.settle(finish=True)
        take_late_figure(self._history, self.id, self._began)
        return items + self._store(status, error, self._trace())

    def _bill(self, finished: Finished) -> None:
        """Bill what has waited longest."""
        with self._lock:
            self._pending.popleft()
            joules = self._ledger.add(finished.billed).total().joules
        self._is_unsaved = True
        seconds = dict.fromkeys((PREFILL, DECODE, *UNCOUNTED), 0.0)
        for phase in finished.billed:
            seconds[phase.name] += phase.end_s - phase.start_s
        for item, share in zip(finished.items, finished.shares, strict=True):
            self._settled.append(
                replace(
                    item,
                    energy_j=None if joules is None else joules * share,
                    seconds=sum(seconds.values()) * share,
                )
            )
        if self._phases and finished.phases[0].start_s - self._phases[-1].end_s > PAUSE_S:
            self._resumed = len(self._phases)
        self._phases += finished.phases
        self._tokens = Tokens(
            self._tokens.prompt + finished.tokens.prompt,
            self._tokens.reused + finished.tokens.reused,
            self._tokens.completion + finished.tokens.completion,
        )
        known = self._seconds
        prefill_s = (known.prefill or 0.0) + seconds[PREFILL]
        decode_s = (known.decode or 0.0) + seconds[DECODE]
        self._seconds = Seconds(
            load=known.load,
            prefill=prefill_s or None,
            decode=decode_s or None,
            total=(known.total or 0.0) + sum(seconds.values()),
        )

    def _store(
        self, status: Status, error: str = "", trace: bytes | None = None
    ) -> tuple[ItemRecord, ...]:
        items = tuple(self._settled)
        sums = self.sums.plus(items)
        self._note_sensors()
        outcome = Outcome(
            status=status,
            text=self._summary(sums),
            tokens=self._tokens,
            seconds=self._seconds,
            bill=self._ledger.bill,
            error=error,
            trace=trace,
            above_idle=self._above_idle(status),
            embodied_g=embodied_share_g(self._history, self._seconds.total),
            gauges=self._gauges,
            notes=self._notes,
            span=self._span(),
        )
        self._history.benchmarks.progress(self.id, items, sums, outcome)
        self.sums = sums
        self._settled.clear()
        self._is_unsaved = False
        return items

    def _span(self) -> tuple[float, float] | None:
        """When it computed since its last pause, on the clock that other processes share."""
        if not self._phases:
            return None
        return unix_s(self._phases[self._resumed].start_s), unix_s(self._phases[-1].end_s)

    def _note_sensors(self) -> None:
        """Take in what gauges told since the last time, and what is to be said of the sensors.

        All that is stored at once was computed in one go: no pause and no other run lies between.
        """
        fresh = self._phases[self._gauged :]
        self._gauged = len(self._phases)
        if fresh:
            trace, gauges = self._sampler.gauge_trace, self._sampler.gauges()
            told = trace.lines(gauges, fresh[0].start_s, fresh[-1].end_s)
            self._gauges = join_lines(self._gauges, told)
            span = fresh[0].start_s, fresh[-1].end_s
            notes = query_notes(self._sampler, self._ledger.bill, *span)
            self._notes = notes.with_earlier(self._notes)

    def _above_idle(self, status: Status) -> AboveIdle | None:
        """Reckon it at the end alone: no baseline is measured while a run goes on."""
        if status is Status.RUNNING:
            return None
        return above_last_idle(self._ledger.bill, self._history.store)

    def _summary(self, sums: Sums) -> str:
        """What the history shows as the run's answer."""
        text = f"{sums.done} of {self.start.planned} items"
        accuracy = self._accuracy(sums)
        if accuracy is None:
            return text
        return f"{text}, accuracy {accuracy.value:.1%} ({accuracy.low:.1%}–{accuracy.high:.1%})"

    def _trace(self) -> bytes | None:
        """Pack the power curve of what was computed since the run began or went on."""
        if not self._phases:
            return None
        end_s = self._phases[-1].end_s
        phases: Sequence[Phase] = self._phases
        if len(phases) > MOST_PHASES:
            phases = [Phase(phases[0].name, phases[0].start_s, end_s)]
        return pack_curve(self._sampler.trace, self._sampler.channels(), phases, end_s)


def printed_accuracy(sums: Sums, by_length: bool) -> Accuracy | None:
    """Return the accuracy leaderboards print of a run's sums: by length where they print that."""
    if by_length and sums.norm_items:
        return accuracy_from(sums.norm_items, sums.norm_sum, sums.norm_squares)
    return accuracy_from(sums.done, sums.correct_sum, sums.correct_squares)
