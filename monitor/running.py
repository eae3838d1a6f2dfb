"""The state of a running query: told by the engine's messages, stored as it grows, then billed."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from monitor.energy.account import DECODE, LOAD, PREFILL, Phase, account
from monitor.engine.messages import Answer, DecodeStarted, Done, PrefillStarted, Text
from monitor.power.sampler import Sampler
from monitor.recording import TRACE_MARGIN_S, pack_curve
from monitor.store.history import History
from monitor.store.outcomes import Outcome
from monitor.store.records import QueryRecord, Seconds, Status, Tokens

SAVE_EVERY_S = 0.75
"""Text and bill are stored this often, so that a crash loses less than a second."""


class RunningQuery:
    """One query from its row in the history to its bill.

    :param sampler: running
    :param history: where the query has been begun
    :param query_id: its identifier
    """

    def __init__(self, sampler: Sampler, history: History, query_id: str) -> None:
        self._sampler, self._history = sampler, history
        self.query_id = query_id
        self.was_cancelled = False
        self._text: list[str] = []
        self._tokens = Tokens()
        self._load: Phase | None = None
        self._prefill_s: float | None = None
        self._decode_s: float | None = None
        self._first_token_s: float | None = None
        self._end_s: float | None = None
        self._reason = ""
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
                    self._count(message.tokens)
                    self._first_token_s = self._first_token_s or message.time_s
                case Done():
                    self._count(message.tokens)
                    self._first_token_s = message.first_token_s
                    self._end_s = message.time_s
                    self._reason = message.reason
                    self.was_cancelled = message.reason == "cancelled"
        if isinstance(message, PrefillStarted | DecodeStarted | Done):
            self._sampler.mark()

    def _count(self, completion: int) -> None:
        self._tokens = Tokens(self._tokens.prompt, self._tokens.reused, completion)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Store the state regularly while the block runs."""
        ended = threading.Event()

        def save_until_ended() -> None:
            written: Future[None] | None = None
            while not ended.wait(SAVE_EVERY_S):
                if written and not written.done():
                    continue  # the file is held; the end must not have to wait behind a queue
                with self._lock:
                    outcome = self._outcome(Status.RUNNING, self._sampler.read_until_s(), "")
                written = self._history.progress(self.query_id, outcome)

        thread = threading.Thread(target=save_until_ended, name="query-saver", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def finish(self, status: Status, error: str) -> QueryRecord:
        """Bill the query to its end and store it."""
        end_s = self._end_s or time.monotonic()
        self._sampler.wait_until(end_s)
        with self._lock:
            outcome = self._outcome(status, end_s, error)
            trace = self._trace(end_s)
        return self._history.finish(self.query_id, replace(outcome, trace=trace))

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
        first_token = None
        if self._first_token_s is not None and self._prefill_s is not None:
            first_token = self._first_token_s - self._prefill_s
        return Outcome(
            status=status,
            text="".join(self._text),
            tokens=self._tokens,
            seconds=Seconds(
                load=lengths.get(LOAD),
                prefill=lengths.get(PREFILL),
                first_token=first_token,
                decode=lengths.get(DECODE),
                total=sum(lengths.get(name, 0.0) for name in (PREFILL, DECODE)),
            ),
            bill=account(self._sampler.trace, self._sampler.channels(), phases),
            finish_reason=self._reason,
            error=error,
        )

    def _trace(self, end_s: float) -> bytes | None:
        """Pack the power curve of prefill and decode; of the load too, if it came just before."""
        phases = self._phases(end_s)
        if phases and phases[0].name == LOAD and len(phases) > 1:
            came_before = phases[1].start_s - phases[0].end_s < TRACE_MARGIN_S
            phases = phases if came_before else phases[1:]
        return pack_curve(self._sampler, phases, end_s)
