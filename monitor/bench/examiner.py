"""Puts a run's items to the loaded model and hands what comes of each to the run's log."""

import itertools
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from monitor.bench.events import BenchEvent, Paused, WarmUp
from monitor.bench.prepare import Asked, Prepared
from monitor.bench.runlog import Finished, RunLog
from monitor.bench.scoring import Judgement, judge_choices, judge_written
from monitor.bench.suites import SPEED
from monitor.bench.task import LLAMACPP, Item
from monitor.bench.uncounted import AGAIN, CUT, WARM_UP
from monitor.energy.account import DECODE, PREFILL, Phase
from monitor.engine.client import Engine
from monitor.engine.messages import (
    Answer,
    ChatMessage,
    Complete,
    DecodeStarted,
    Done,
    Exercise,
    Generate,
    PrefillStarted,
    Sampling,
    Score,
    Scored,
    Text,
    Work,
)
from monitor.loading import Loader
from monitor.power.sampler import Sampler
from monitor.store.bench_records import ItemRecord
from monitor.store.records import Tokens

CHUNK, CHUNK_OF_SHARED = 16, 64
"""Questions of one request to the engine. Each begins with an empty context, so that going on
from such a boundary gives the same figures as an unbroken run; where all questions have the same
worked examples, which are then computed anew, a boundary is rarer."""

WARM_UP_PREFILL, WARM_UP_DECODE = 128, 8

Events = Generator[BenchEvent, None, None]

UNJUDGED = Judgement(None, None, None, None, None)


class Examiner:
    """Runs items on one engine, one run at a time."""

    def __init__(self, engine: Engine, loader: Loader, sampler: Sampler) -> None:
        self._engine, self._loader, self._sampler = engine, loader, sampler
        self._go = threading.Event()
        self._go.set()
        self._doing: Work | None = None
        self._lock = threading.Lock()
        self._payable: Callable[[int], int] | None = None
        self._held_s = -math.inf
        """When a person held the benchmark last."""

    def pause(self) -> None:
        """Compute nothing until :meth:`go_on`, from any thread. Scoring ends its batch first;
        an answer or exercise in progress is broken off and done again."""
        with self._lock:
            self._go.clear()
            self._held_s = time.monotonic()
            self._hold_engine()

    def go_on(self) -> None:
        """Compute again, from any thread."""
        with self._lock:
            self._go.set()
            self._engine.hold(False)

    @property
    def held_s(self) -> float:
        """Since when a person holds the benchmark; infinite if nobody does."""
        return self._held_s if self._is_held else math.inf

    def _hold_engine(self) -> None:
        """Have the engine leave off if a person holds the benchmark."""
        if self._is_held and isinstance(self._doing, Score):
            self._engine.hold(True)
        elif self._is_held and self._doing:
            self._engine.cancel()

    @property
    def _is_held(self) -> bool:
        return not self._go.is_set()

    def warm_up(self, times: int, log: RunLog) -> Events:
        """Exercise the model before a run's items; leaves the context empty.

        :raises EngineError: if the engine fails
        """
        loaded = self._engine.loaded
        prefill = min(WARM_UP_PREFILL, loaded.context // 2) if loaded else WARM_UP_PREFILL
        exercise = Exercise(prefill, min(WARM_UP_DECODE, prefill))
        self._payable = None
        yield from self._warm_up([exercise] * times, log)

    def _warm_up(self, exercises: Sequence[Exercise], log: RunLog) -> Events:
        if not exercises:
            return
        yield WarmUp(is_over=False)
        for exercise in exercises:
            yield from self._complete(exercise, log, WARM_UP)
        yield WarmUp(is_over=True)

    def examine(
        self,
        prepared: Prepared,
        log: RunLog,
        begin: int,
        stop: int,
        payable: Callable[[int], int] | None,
    ) -> Events:
        """Run a part's items from where its log is to ``stop``; ends early when cancelled.

        :param begin: where this stretch of items began, before what the log has of it
        :param payable: tells how many of so many items a budget pays for, 0 to leave off; asked
          before anything is computed. ``None`` without a budget
        :raises EngineError: if the engine fails
        """
        self._payable = payable
        if prepared.part.kind == SPEED:
            return self._exercise(prepared, log, stop)
        if prepared.task is None:
            return self._answer_prompts(prepared, log, stop)
        if prepared.is_written:
            return self._answer_items(prepared, log, stop)
        return self._score(prepared, log, begin, stop)

    @property
    def _must_end(self) -> bool:
        return self._loader.is_cancelled or self._at_once(1) == 0

    def _at_once(self, count: int) -> int:
        return self._payable(count) if self._payable else count

    def _work(self, request: Work) -> Iterator[Answer]:
        self._doing = request
        try:
            for message in self._engine.work(request):
                # Again: a first word of it may have come before the request was there.
                if self._loader.is_cancelled:
                    self._engine.cancel()
                with self._lock:
                    self._hold_engine()
                yield message
        finally:
            self._doing = None

    def _hold(self) -> Events:
        """Wait while a person holds the benchmark."""
        if self._is_held and not self._loader.is_cancelled:
            yield Paused()
            self._go.wait()

    # --- choices ---------------------------------------------------------------------------

    def _score(self, prepared: Prepared, log: RunLog, begin: int, stop: int) -> Events:
        assert prepared.task
        is_shared = prepared.shots > 0 and prepared.task.first_shots
        chunk = CHUNK_OF_SHARED if is_shared else CHUNK
        done = log.computed
        # From the last boundary: what is computed together must be what it was. Under a budget
        # boundaries lie where it has them.
        start = done if self._payable else begin + (done - begin) // chunk * chunk
        questions = prepared.asked(start, stop)
        self._sampler.mark()
        while True:
            yield from self._hold()
            asked = list(itertools.islice(questions, self._at_once(chunk)))
            if not asked or self._loader.is_cancelled:
                break
            yield from self._score_chunk(prepared, log, asked, done)
        self._sampler.mark()

    def _score_chunk(
        self, prepared: Prepared, log: RunLog, asked: Sequence[Asked], done: int
    ) -> Events:
        """Score the questions of one request; what is done already is not taken in again."""
        divergent = prepared.part.protocol == LLAMACPP
        request = Score(tuple(a.question for a in asked if a.question), divergent)
        at = 0
        log.begin(PREFILL, time.monotonic())
        for message in self._work(request):
            if isinstance(message, Scored):
                taken = asked[at : at + len(message.questions)]
                at += len(taken)
                if taken[0].position >= done:
                    log.note(_scored(prepared, taken, message))
                    yield message
                else:
                    log.note_beside(AGAIN, message.end_s)
                if at < len(asked) and not self._is_held:
                    log.begin(PREFILL, message.end_s)
                if self._must_end:
                    self._engine.cancel()
                elif self._is_held:
                    yield Paused()
            elif isinstance(message, Done):
                # Held between two batches, nothing was computed since.
                was_held = log.begun_s < self._held_s
                log.note_beside(CUT, self._held_s if was_held else message.time_s)

    # --- one item at a time ------------------------------------------------------------------

    def _answer_items(self, prepared: Prepared, log: RunLog, stop: int) -> Events:
        task = prepared.task
        assert task
        sampling = Sampling(temperature=0, stop=task.stop, max_tokens=task.max_tokens)
        for asked in prepared.asked(log.computed, stop):
            answer = yield from self._complete(Complete(asked.prompt, sampling), log)
            if answer is None:
                return
            item = asked.item
            judged = judge_written(task, item, answer.text)
            record = replace(
                _record(asked.position, item.row, item.prompts[0], judged),
                subject=item.subject,
                choices=(item.answer,),
                answer=answer.text,
            )
            log.note(answer.finished(record))

    def _answer_prompts(self, prepared: Prepared, log: RunLog, stop: int) -> Events:
        sampling = Sampling(temperature=0, max_tokens=prepared.part.max_tokens)
        for position in range(log.computed, stop):
            prompt = prepared.part.prompts[position]
            request = Generate((ChatMessage("user", prompt),), sampling, fresh=True)
            answer = yield from self._complete(request, log)
            if answer is None:
                return
            record = _record(position, position + 1, prompt, UNJUDGED)
            log.note(answer.finished(replace(record, answer=answer.text)))

    def _exercise(self, prepared: Prepared, log: RunLog, stop: int) -> Events:
        """Prompt and answer tokens in turn, each after one that is not counted, as llama-bench."""
        part = prepared.part
        if not log.computed:
            decode = min(part.decode, WARM_UP_DECODE)
            yield from self._warm_up([Exercise(part.prefill, 0), Exercise(0, decode)], log)
        for position in range(log.computed, stop):
            is_prefill = position % 2 == 0
            request = Exercise(part.prefill, 0) if is_prefill else Exercise(0, part.decode)
            answer = yield from self._complete(request, log)
            if answer is None:
                return
            name = f"pp{part.prefill}" if is_prefill else f"tg{part.decode}"
            record = _record(position, position // 2 + 1, name, UNJUDGED)
            log.note(answer.finished(replace(record, subject=name[:2])))

    def _complete(
        self, request: Work, log: RunLog, beside: str = ""
    ) -> Generator[BenchEvent, None, "_Answered | None"]:
        """Have one request done; ``None`` if the benchmark is to end. What a pause cut short is
        done again.

        :param beside: what it is, where it belongs to no item
        """
        while True:
            yield from self._hold()
            if self._must_end:
                return None
            answered = _Answered()
            for message in self._work(request):
                answered.note(message)
                if isinstance(message, PrefillStarted | DecodeStarted | Done):
                    self._sampler.mark()
                    _note_phase(log, message, beside)
                yield message
            if answered.reason != "cancelled":
                return answered


def _note_phase(log: RunLog, message: PrefillStarted | DecodeStarted | Done, beside: str) -> None:
    """Tell a run's log of what is being computed; what an item took is noted with the item."""
    match message:
        case PrefillStarted():
            log.begin(PREFILL, message.time_s)
        case DecodeStarted():
            log.begin(DECODE, message.time_s)
        case Done(reason="cancelled"):
            log.note_beside(beside or CUT, message.time_s)
        case Done() if beside:
            log.note_beside(beside, message.time_s)


class _Answered:
    """What the engine's messages tell of one request."""

    def __init__(self) -> None:
        self.text = ""
        self.reason = ""
        self._tokens = Tokens()
        self._begins: dict[str, float] = {}
        self._end_s = 0.0

    def note(self, message: Answer) -> None:
        match message:
            case PrefillStarted():
                self._begins[PREFILL] = message.time_s
                self._tokens = Tokens(message.tokens, message.reused)
            case DecodeStarted():
                self._begins[DECODE] = message.time_s
            case Text():
                self.text += message.text
            case Done():
                self._end_s, self.reason = message.time_s, message.reason
                self._tokens = replace(self._tokens, completion=message.tokens)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Prefill and decode; one in which there was nothing to do is left out."""
        middle_s = self._begins[DECODE]
        phases = []
        if self._tokens.prompt:
            phases.append(Phase(PREFILL, self._begins[PREFILL], middle_s))
        if self._tokens.completion or not phases:
            phases.append(Phase(DECODE, middle_s, self._end_s))
        return tuple(phases)

    def finished(self, record: ItemRecord) -> Finished:
        """Return the item with what was computed for it."""
        tokens = self._tokens
        item = replace(
            record,
            prompt_tokens=tokens.prompt - tokens.reused,
            completion_tokens=tokens.completion,
        )
        return Finished((item,), (1.0,), self.phases, tokens)


def _record(position: int, row: int, prompt: str, judged: Judgement) -> ItemRecord:
    return ItemRecord(
        position=position,
        row=row,
        subject="",
        prompt=prompt,
        choices=(),
        gold=(),
        scores=(),
        answer="",
        pred=judged.pred,
        pred_norm=judged.pred_norm,
        correct=judged.correct,
        correct_norm=judged.correct_norm,
        margin=judged.margin,
        prompt_tokens=0,
        completion_tokens=0,
        energy_j=None,
        seconds=0.0,
    )


def _scored(prepared: Prepared, taken: Sequence[Asked], message: Scored) -> Finished:
    """Return what a batch of scored questions came to."""
    task = prepared.task
    assert task
    items = []
    for asked, scored in zip(taken, message.questions, strict=True):
        item = asked.item
        judged = judge_choices(task, item, prepared.part.protocol, scored.choices)
        items.append(
            replace(
                _record(asked.position, item.row, _shown_prompt(item), judged),
                subject=item.subject,
                choices=item.choices,
                gold=item.gold,
                scores=scored.choices,
                prompt_tokens=message.computed * scored.share,
                is_cut=scored.is_cut,
            )
        )
    return Finished(
        items=tuple(items),
        shares=tuple(scored.share for scored in message.questions),
        phases=(Phase(PREFILL, message.start_s, message.end_s),),
        tokens=Tokens(message.tokens, message.tokens - message.computed),
    )


def _shown_prompt(item: Item) -> str:
    """The question as a person reads it; where prompts differ by their choice, with a blank."""
    if len(item.prompts) == 1:
        return item.prompts[0]
    return f"{item.prompts[0].removesuffix(item.choices[0])}_ {item.continuations[0]}"
