"""The state of a running query: told by the engine's messages, stored as it grows, then billed."""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from monitor.carbon.choice import embodied_share_g
from monitor.carbon.late import take_late_figure
from monitor.clock import unix_s
from monitor.energy.account import DECODE, LOAD, PREFILL, Bill, Phase, account
from monitor.energy.budget import Allowance
from monitor.energy.notes import NO_NOTES, Notes
from monitor.engine.messages import Answer, DecodeStarted, Done, PrefillStarted, Text
from monitor.engine.thinking import split_thinking
from monitor.power.gauge import GaugeLine
from monitor.power.sampler import Sampler
from monitor.quiet import above_last_idle
from monitor.recording import TRACE_MARGIN_S, pack_curve
from monitor.store.history import History
from monitor.store.marks import TextMarks, encode_marks
from monitor.store.outcomes import Outcome
from monitor.store.records import QueryRecord, Seconds, Status, Tokens
from monitor.watch_notes import query_notes

log = logging.getLogger(__name__)

SAVE_EVERY_S = 0.75
"""Text and bill are stored this often, so that a crash loses less than a second."""

LOOK_EVERY_S = 0.15
"""So often is looked whether a budget is spent, and more often as its end comes near."""
LOOK_AGAIN_S = 0.02
"""But not more often than this; what lasts no longer is spent."""

THINKING = "thinking"
"""A part of decode, reckoned by itself; no phase of a bill."""

BUDGET = "budget"
"""The reason an answer ended for whose energy was used up."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a query has come to while its answer is still being written.

    :param bill: of its phases until the sensors were read last
    :param tokens: of the answer, as it was reckoned
    :param tokens_per_s: of decode until the last of those tokens; ``None`` before there are any
    """

    bill: Bill
    tokens: int
    tokens_per_s: float | None


class RunningQuery:
    """One query from its row in the history to its bill.

    :param sampler: running
    :param history: where the query has been begun
    :param query_id: its identifier
    :param budget_j: joules after which :attr:`is_spent` is true; ``None`` for no limit
    """

    def __init__(
        self, sampler: Sampler, history: History, query_id: str, budget_j: float | None = None
    ) -> None:
        self._sampler, self._history = sampler, history
        self.query_id = query_id
        self._began = datetime.now(UTC)
        self._allowance = None if budget_j is None else Allowance(budget_j)
        self.is_spent = False
        self.was_cancelled = False
        self._text: list[str] = []
        self._marks: list[tuple[float, int]] = []
        self._tokens = Tokens()
        self._load: Phase | None = None
        self._prefill_s: float | None = None
        self._decode_s: float | None = None
        self._first_token_s: float | None = None
        self._end_s: float | None = None
        self._reason = ""
        self._so_far: SoFar | None = None
        self._lock = threading.Lock()

    def note_load(self, phase: Phase) -> None:
        """Take in the load this query is the first to follow."""
        with self._lock:
            self._load = phase

    def note(self, message: Answer) -> None:
        """Take in one message of the engine."""
        with self._lock:
            match message:
                case PrefillStarted():
                    self._prefill_s = message.time_s
                    self._tokens = Tokens(prompt=message.tokens, reused=message.reused)
                case DecodeStarted():
                    self._decode_s = message.time_s
                case Text():
                    self._text.append(message.text)
                    self._marks += message.marks
                    self._count(message.tokens)
                    self._first_token_s = self._first_token_s or message.time_s
                case Done():
                    self._count(message.tokens)
                    self._first_token_s = message.first_token_s
                    self._end_s = message.time_s
                    self.was_cancelled = message.reason == "cancelled"
                    spent = self.was_cancelled and self.is_spent
                    self._reason = BUDGET if spent else message.reason
        if isinstance(message, PrefillStarted | DecodeStarted | Done):
            self._sampler.mark()

    def take_so_far(self) -> SoFar | None:
        """Return what it has come to, once each time that is reckoned anew; else ``None``."""
        with self._lock:
            told, self._so_far = self._so_far, None
        return told

    def _written_per_s(self) -> float | None:
        if self._decode_s is None or not self._marks:
            return None
        written_s = self._marks[-1][0] - self._decode_s
        return self._tokens.completion / written_s if written_s > 0 else None

    def _count(self, completion: int) -> None:
        self._tokens = Tokens(self._tokens.prompt, self._tokens.reused, completion)

    @contextmanager
    def saving(self, stop: Callable[[], None]) -> Iterator[None]:
        """Store the state regularly while the block runs.

        :param stop: called again and again once the budget is spent
        """
        ended = threading.Event()
        every_s = SAVE_EVERY_S if self._allowance is None else LOOK_EVERY_S

        def save_until_ended() -> None:
            written: Future[None] | None = None
            save_s = time.monotonic() + SAVE_EVERY_S
            look_s = every_s
            while not ended.wait(look_s):
                with self._lock:
                    read_s = self._sampler.read_until_s()
                    outcome = self._outcome(Status.RUNNING, read_s, "")
                    lasts_s = self._lasts_s(outcome.bill, read_s)
                    self._so_far = SoFar(
                        outcome.bill, self._tokens.completion, self._written_per_s()
                    )
                look_s = min(lasts_s, every_s)
                if lasts_s <= LOOK_AGAIN_S:
                    self.is_spent = True
                    stop()
                    look_s = every_s
                if time.monotonic() < save_s or (written and not written.done()):
                    continue  # the file is held; the end must not have to wait behind a queue
                save_s = time.monotonic() + SAVE_EVERY_S
                written = self._history.progress(self.query_id, outcome)

        thread = threading.Thread(target=save_until_ended, name="query-saver", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _embodied_g(self, duration_s: float | None) -> float | None:
        try:
            return embodied_share_g(self._history, duration_s)
        except sqlite3.Error as error:
            # The history was closed while the query still ran: its end must be kept all the same.
            log.warning("The embodied share of a query is not known: %s", error)
            return None

    def _lasts_s(self, bill: Bill, read_s: float) -> float:
        """How long the budget will last; for ever if there is none, or nothing to tell it by."""
        joules = bill.total().joules
        if self._allowance is None or joules is None or self._prefill_s is None:
            return math.inf
        now_s = time.monotonic() - self._prefill_s
        return self._allowance.lasts_s(joules, read_s - self._prefill_s, now_s)

    def finish(self, status: Status, error: str) -> QueryRecord:
        """Bill the query to its end and store it."""
        end_s = self._end_s or time.monotonic()
        self._sampler.wait_until(end_s)
        take_late_figure(self._history, self.query_id, self._began)
        with self._lock:
            outcome = self._outcome(status, end_s, error)
            trace, marks = self._curve(end_s)
            outcome = replace(
                outcome,
                trace=trace,
                marks=marks,
                thinking_j=self._thinking_j(),
                embodied_g=self._embodied_g(outcome.seconds.total),
                above_idle=above_last_idle(outcome.bill, self._history.store),
                notes=self._notes(outcome.bill, end_s),
            )
        return self._history.finish(self.query_id, outcome)

    def _phases(self, end_s: float) -> list[Phase]:
        phases = [self._load] if self._load else []
        if self._prefill_s is not None:
            phases.append(Phase(PREFILL, self._prefill_s, self._decode_s or end_s))
        if self._decode_s is not None:
            phases.append(Phase(DECODE, self._decode_s, end_s))
        return phases

    def _outcome(self, status: Status, end_s: float, error: str) -> Outcome:
        phases = self._phases(end_s)
        lengths = {phase.name: max(phase.end_s - phase.start_s, 0.0) for phase in phases}
        thinking = self._thinking()
        first_token = None
        if self._first_token_s is not None and self._prefill_s is not None:
            first_token = self._first_token_s - self._prefill_s
        return Outcome(
            status=status,
            text="".join(self._text),
            tokens=replace(self._tokens, thinking=thinking.tokens if thinking else 0),
            seconds=Seconds(
                load=lengths.get(LOAD),
                prefill=lengths.get(PREFILL),
                first_token=first_token,
                decode=lengths.get(DECODE),
                total=sum(lengths.get(name, 0.0) for name in (PREFILL, DECODE)),
                thinking=thinking.duration_s if thinking else None,
            ),
            bill=self._bill(phases),
            finish_reason=self._reason,
            error=error,
            gauges=self._gauges(phases, end_s),
            span=self._span(end_s),
        )

    def _span(self, end_s: float) -> tuple[float, float] | None:
        """When prefill and decode were, on the clock that other processes share."""
        if self._prefill_s is None:
            return None
        return unix_s(self._prefill_s), unix_s(end_s)

    def _gauges(self, phases: Sequence[Phase], end_s: float) -> tuple[GaugeLine, ...]:
        """What gauges told during prefill and decode, which are one span."""
        billed = [phase for phase in phases if phase.name != LOAD]
        if not billed:
            return ()
        return self._sampler.gauge_trace.lines(self._sampler.gauges(), billed[0].start_s, end_s)

    def _notes(self, bill: Bill, end_s: float) -> Notes:
        """What is doubtful in the bill of prefill and decode, and what was not read."""
        if self._prefill_s is None:
            return NO_NOTES
        return query_notes(self._sampler, bill, self._prefill_s, end_s)

    def _thinking(self) -> "_Thinking | None":
        """Tell from the text and its marks how much of it was thought, and when that ended."""
        told = split_thinking("".join(self._text))
        if not told.thought or self._decode_s is None:
            return None
        times_s = [time_s for time_s, characters in self._marks if characters <= told.answer_start]
        if not times_s:
            return None
        return _Thinking(len(times_s), Phase(THINKING, self._decode_s, times_s[-1]))

    def _thinking_j(self) -> float | None:
        thinking = self._thinking()
        if thinking is None:
            return None
        return self._bill([thinking.phase]).total(THINKING).joules

    def _bill(self, phases: Sequence[Phase]) -> Bill:
        return account(self._sampler.trace, self._sampler.channels(), phases)

    def _curve(self, end_s: float) -> tuple[bytes | None, bytes | None]:
        """Pack the power curve of prefill and decode, and when the text was written.

        Of the load too, if it came just before.
        """
        phases = self._phases(end_s)
        if not phases:
            return None, None
        if phases[0].name == LOAD and len(phases) > 1:
            came_before = phases[1].start_s - phases[0].end_s < TRACE_MARGIN_S
            phases = phases if came_before else phases[1:]
        times = np.array(self._marks, np.float64).reshape(-1, 2)
        marks = TextMarks(times[:, 0] - phases[0].start_s, times[:, 1].astype(np.int64))
        packed = encode_marks(marks) if self._marks else None
        return pack_curve(self._sampler.trace, self._sampler.channels(), phases, end_s), packed


@dataclass(frozen=True, slots=True)
class _Thinking:
    """The part of decode in which a model thought."""

    tokens: int
    phase: Phase

    @property
    def duration_s(self) -> float:
        """How long it thought."""
        return self.phase.end_s - self.phase.start_s
