"""The spine: one query, from prompt to stored bill."""

import json
import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from monitor.carbon.choice import ZONE_PREFERENCE as ZONE_PREFERENCE
from monitor.carbon.choice import chosen_pue, zone_at
from monitor.carbon.intensity import Zone
from monitor.energy.budget import Budget, Spent
from monitor.energy.forecast import Forecast
from monitor.engine.client import Engine, EngineError
from monitor.engine.gguf import ModelFileError, ModelInfo, read_model_info
from monitor.engine.messages import (
    Answer,
    ChatMessage,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    Measured,
    Sampling,
)
from monitor.loading import Identifying, Loader, LoadOptions, LoadProblem, Remedy
from monitor.power.sampler import Sampler
from monitor.running import RunningQuery, SoFar
from monitor.store.history import Began, History, QueryStart
from monitor.store.records import QueryRecord, Status


@dataclass(frozen=True, slots=True)
class Ask:
    """A query to run.

    :param kind: ``ask`` or ``chat``, kept with the record; a chat belongs to a conversation
    :param model: the GGUF file
    :param messages: the conversation so far; the last one is the prompt
    :param sampling: how tokens are chosen
    :param options: how the model is loaded, if it is not yet
    :param conversation_id: the conversation it continues; ``None`` begins one
    :param parent_id: the message of it that the question follows; see :class:`QueryStart`
    :param question_id: the question of it that is answered once more
    :param fresh: nothing is reused of what the context holds already
    :param forgetful: the oldest turns are left out where the context cannot hold them all
    :param budget: joules after which it is stopped
    :param forecast: what a person was told it would take, to be kept with it
    :param insist: load the model even if that crashed the last time
    """

    kind: str
    model: Path
    messages: tuple[ChatMessage, ...]
    sampling: Sampling = field(default_factory=Sampling)
    options: LoadOptions = field(default_factory=LoadOptions)
    conversation_id: str | None = None
    parent_id: str | None = None
    question_id: str | None = None
    fresh: bool = False
    forgetful: bool = False
    budget: Budget = field(default_factory=Budget)
    forecast: Forecast | None = None
    insist: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a query: its record, as it now stands in the history.

    :param remedies: if the model could not be loaded, the ways out
    """

    record: QueryRecord
    remedies: tuple[Remedy, ...] = ()


Event = Identifying | Began | Answer | SoFar | Finished


def random_seed() -> int:
    """Return a seed for :class:`Sampling`, to be stored so that the answer can be had again."""
    return random.SystemRandom().randrange(1 << 31)


def chosen_zone(history: History) -> Zone:
    """Return the zone to reckon a query with that begins now; nothing is fetched for it.

    :raises CarbonError: if what a person chose cannot be read
    """
    return zone_at(history, datetime.now(UTC))


def spent_today(history: History) -> Spent:
    """Return what the queries of this day have drawn, on the clock of this machine."""
    midnight = datetime.combine(date.today(), datetime.min.time()).astimezone()
    return history.spent_since(midnight)


class Meter:
    """Runs queries on one engine, one at a time, and bills each of them.

    :param sampler: running
    :param engine: started when first needed
    :param history: where records go
    """

    def __init__(self, sampler: Sampler, engine: Engine, history: History) -> None:
        self._sampler, self._engine, self._history = sampler, engine, history
        self._loader = Loader(sampler, engine, history)

    def load(
        self, model: Path, options: LoadOptions, *, insist: bool = True
    ) -> Iterator[LoadProgress | Loaded]:
        """Load a model ahead of the first question; the next query's bill shows what it cost.

        :param insist: load it even if that crashed the last time
        :raises ModelFileError: if the file cannot be used or does not fit
        :raises EngineError: if llama.cpp cannot load it
        """
        self._loader.begin()
        return self._loader.load_file(model, options, insist=insist)

    def measure(
        self, messages: Sequence[ChatMessage], model: Path, options: LoadOptions
    ) -> Measured | None:
        """Return what a conversation would take of a model's context.

        :return: ``None`` while that is not loaded with these options (a benchmark loads the same
            file with a context of its own), or the loaded one is at work
        :raises EngineError: if the model's template refuses it
        """
        try:
            request = options.for_model(read_model_info(model))
        except (ModelFileError, LoadProblem):
            return None
        return self._engine.measure(tuple(messages)) if self._engine.model == request else None

    def cancel(self) -> None:
        """Stop the query in progress, from any thread; it ends as ``stopped``."""
        self._loader.cancel()

    def run(self, ask: Ask) -> Generator[Event, None, None]:
        """Run a query. The events end with :class:`Finished`, whatever happens after it began.

        :raises ModelFileError: before anything is stored, if the model cannot be used
        :raises EngineError: likewise, if the engine does not start; :class:`Stopped` if cancelled
        :raises BudgetSpent: likewise, if today's budget leaves nothing
        """
        # Here, not when the first event is asked for: a cancel may come in between.
        self._loader.begin()
        return self._run(ask)

    def _run(self, ask: Ask) -> Generator[Event, None, None]:
        info = read_model_info(ask.model)
        budget_j = ask.budget.left_j(spent_today(self._history))
        request = self._loader.prepare(info, ask.options, insist=ask.insist)
        sha256 = yield from self._loader.identify(info)
        began = self._begin(ask, info, sha256, request)
        run = RunningQuery(self._sampler, self._history, began.query_id, budget_j)
        remedies: tuple[Remedy, ...] = ()
        try:
            yield began
            with run.saving(self._engine.cancel):
                yield from self._answer(ask, request, run)
        except EngineError as error:
            cancelled = self._loader.is_cancelled
            if isinstance(error, LoadProblem) and not cancelled:
                remedies = error.remedies
            record = run.finish(
                Status.STOPPED if cancelled else Status.FAILED, "" if cancelled else str(error)
            )
        except GeneratorExit:
            # Whoever listened has gone; what was computed is still kept.
            run.finish(Status.STOPPED, "")
            raise
        except BaseException as error:
            run.finish(Status.FAILED, f"{type(error).__name__}: {error}")
            raise
        else:
            record = run.finish(Status.STOPPED if run.was_cancelled else Status.DONE, "")
        yield Finished(record, remedies)

    def _begin(self, ask: Ask, info: ModelInfo, sha256: str, request: Load) -> Began:
        sampling = asdict(ask.sampling)
        seed = sampling.pop("seed")
        first, last = ask.messages[0], ask.messages[-1]
        return self._history.begin(
            QueryStart(
                kind=ask.kind,
                model=info,
                sha256=sha256,
                modified_ns=request.modified_ns,
                settings={
                    "llama_cpp": self._engine.hello().llama_cpp,
                    **LoadOptions.stored(request),
                    **sampling,
                    "stop": json.dumps(sampling["stop"]),
                },
                seed=seed,
                system=first.content if first.role == "system" else "",
                prompt=last.content,
                zone=chosen_zone(self._history),
                pue=chosen_pue(self._history),
                conversation_id=ask.conversation_id,
                parent_id=ask.parent_id,
                question_id=ask.question_id,
                forecast=ask.forecast,
            )
        )

    def _answer(self, ask: Ask, request: Load, run: RunningQuery) -> Iterator[Event]:
        if not self._engine.has(request):
            yield from self._loader.load(request)
        if load := self._loader.take_load():
            run.note_load(load)
        self._loader.wait_for_sensors()
        self._loader.stop_if_cancelled()
        asked = Generate(ask.messages, ask.sampling, ask.fresh, ask.forgetful)
        for message in self._engine.work(asked):
            if self._loader.is_cancelled:
                self._engine.cancel()  # again: the first may have come before the request
            run.note(message)
            yield message
            if so_far := run.take_so_far():
                yield so_far
