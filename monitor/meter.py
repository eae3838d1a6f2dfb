"""The spine: one query, from prompt to stored bill."""

import json
import random
import threading
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from monitor.carbon.intensity import WORLD, Zone, find_zone
from monitor.energy.account import LOAD, Phase
from monitor.engine.client import Engine, EngineError, check_context, check_memory
from monitor.engine.gguf import ModelInfo, read_model_info
from monitor.engine.messages import (
    Answer,
    ChatMessage,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    Sampling,
)
from monitor.models.library import sha256_of
from monitor.power.cpu import this_processor
from monitor.power.sampler import Sampler
from monitor.running import RunningQuery
from monitor.store.history import Began, History, QueryStart
from monitor.store.records import QueryRecord, Status

DEFAULT_CONTEXT = 4096

ZONE_PREFERENCE = "zone"


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded.

    :param context: tokens; ``None`` for 4096, or the model's own limit if that is less
    :param threads: ``None`` for one a physical core, which is fastest for llama.cpp
    :param gpu_layers: layers to offload, -1 for all that the build can
    """

    context: int | None = None
    threads: int | None = None
    gpu_layers: int = -1

    def for_model(self, info: ModelInfo) -> Load:
        """Fill in what was left open.

        :raises ModelFileError: if the context is more than the model was made for
        """
        limit = info.context_length or DEFAULT_CONTEXT
        context = self.context or min(DEFAULT_CONTEXT, limit)
        check_context(info, context)
        threads = self.threads or this_processor().physical_cores
        modified_ns = info.path.stat().st_mtime_ns
        return Load(str(info.path), context, threads, self.gpu_layers, modified_ns)


@dataclass(frozen=True, slots=True)
class Ask:
    """A query to run.

    :param kind: ``ask`` or ``chat``, kept with the record; a chat belongs to a conversation
    :param model: the GGUF file
    :param messages: the conversation so far; the last one is the prompt
    :param sampling: how tokens are chosen
    :param options: how the model is loaded, if it is not yet
    :param conversation_id: the conversation it continues; ``None`` begins one
    """

    kind: str
    model: Path
    messages: tuple[ChatMessage, ...]
    sampling: Sampling = field(default_factory=Sampling)
    options: LoadOptions = field(default_factory=LoadOptions)
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Identifying:
    """``fraction`` of the model file, 0 to 1, is read to tell it from others: once a file."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a query: its record, as it now stands in the history."""

    record: QueryRecord


Event = Identifying | Began | Answer | Finished


class Stopped(EngineError):
    """A person stopped the query before it began; nothing was computed and nothing is stored."""


def random_seed() -> int:
    """Return a seed for :class:`Sampling`, to be stored so that the answer can be had again."""
    return random.SystemRandom().randrange(1 << 31)


def chosen_zone(history: History) -> Zone:
    """Return the zone a person chose, or the world's mean.

    :raises UnknownZone: if the stored one is not in the table
    """
    return find_zone(history.preference(ZONE_PREFERENCE, WORLD))


class Meter:
    """Runs queries on one engine, one at a time, and bills each of them.

    :param sampler: running
    :param engine: started when first needed
    :param history: where records go
    """

    def __init__(self, sampler: Sampler, engine: Engine, history: History) -> None:
        self._sampler, self._engine, self._history = sampler, engine, history
        self._cancelled = threading.Event()
        self._load_phase: Phase | None = None
        self._waited = False

    def load(self, model: Path, options: LoadOptions) -> Iterator[LoadProgress | Loaded]:
        """Load a model ahead of the first question; the next query's bill shows what it cost.

        :raises ModelFileError: if the file cannot be used or does not fit
        :raises EngineError: if llama.cpp cannot load it
        """
        self._cancelled.clear()
        return self._load_ahead(model, options)

    def _load_ahead(self, model: Path, options: LoadOptions) -> Iterator[LoadProgress | Loaded]:
        request = self._prepare(read_model_info(model), options)
        if self._engine.has(request) and self._engine.loaded:
            yield self._engine.loaded
        else:
            yield from self._load(request)

    def _prepare(self, info: ModelInfo, options: LoadOptions) -> Load:
        """Return what to load; if it is not loaded yet, make room and see that it fits."""
        request = options.for_model(info)
        if not self._engine.has(request):
            self._engine.unload()
            if not (self._engine.hello().offload and request.gpu_layers):
                check_memory(info, request.context)
        return request

    def _load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        self._wait_for_sensors()
        self._sampler.mark()
        self._stop_if_cancelled()
        for message in self._engine.load(request):
            if isinstance(message, Loaded):
                self._sampler.mark()
                self._load_phase = Phase(LOAD, message.start_s, message.end_s)
            elif self._cancelled.is_set():
                self._engine.cancel()  # again: the first may have come before the load began
            yield message

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Stopped("Stopped before the answer began.")

    def _wait_for_sensors(self) -> None:
        """Wait for the first readings; a driver that hangs is waited for once, not each time."""
        if not self._waited:
            self._waited = True
            self._sampler.wait_ready()

    def cancel(self) -> None:
        """Stop the query in progress, from any thread; it ends as ``stopped``."""
        self._cancelled.set()
        self._engine.cancel()

    def run(self, ask: Ask) -> Iterator[Event]:
        """Run a query. The events end with :class:`Finished`, whatever happens after it began.

        :raises ModelFileError: before anything is stored, if the model cannot be used
        :raises EngineError: likewise, if the engine does not start; :class:`Stopped` if cancelled
        """
        # Here, not when the first event is asked for: a cancel may come in between.
        self._cancelled.clear()
        return self._run(ask)

    def _run(self, ask: Ask) -> Iterator[Event]:
        info = read_model_info(ask.model)
        request = self._prepare(info, ask.options)
        sha256 = yield from self._identify(info)
        began = self._begin(ask, info, sha256, request)
        run = RunningQuery(self._sampler, self._history, began.query_id)
        try:
            yield began
            with run.saving():
                yield from self._answer(ask, request, run)
        except EngineError as error:
            cancelled = self._cancelled.is_set()
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
        yield Finished(record)

    def _identify(self, info: ModelInfo) -> Generator[Identifying, None, str]:
        """Find out the model's SHA-256: remembered, or read once for as long as it is unchanged."""
        modified_ns = info.path.stat().st_mtime_ns
        sha256 = self._history.known_sha256(info.path, info.size_bytes, modified_ns)
        for step in sha256_of(info.path) if sha256 is None else ():
            self._stop_if_cancelled()
            if isinstance(step, str):
                sha256 = step
            else:
                yield Identifying(step)
        assert sha256 is not None
        return sha256

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
                    "context": request.context,
                    "threads": request.threads,
                    "gpu_layers": request.gpu_layers,
                    **sampling,
                    "stop": json.dumps(sampling["stop"]),
                },
                seed=seed,
                system=first.content if first.role == "system" else "",
                prompt=last.content,
                zone=chosen_zone(self._history),
                pue=1.0,
                conversation_id=ask.conversation_id,
            )
        )

    def _answer(self, ask: Ask, request: Load, run: RunningQuery) -> Iterator[Event]:
        if not self._engine.has(request):
            yield from self._load(request)
        if self._load_phase:
            run.note_load(self._load_phase)
            self._load_phase = None
        self._wait_for_sensors()
        self._stop_if_cancelled()
        for message in self._engine.work(Generate(ask.messages, ask.sampling)):
            if self._cancelled.is_set():
                self._engine.cancel()  # again: the first may have come before the request
            run.note(message)
            yield message
