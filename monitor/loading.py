"""Getting a model ready: which file it is, whether it fits, and loading it under the sampler."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.energy.account import LOAD, Phase
from monitor.engine.client import Engine, EngineError, check_context, check_memory
from monitor.engine.gguf import ModelInfo, read_model_info
from monitor.engine.messages import Load, Loaded, LoadProgress
from monitor.models.library import sha256_of
from monitor.power.cpu import this_processor
from monitor.power.sampler import Sampler
from monitor.store.history import History

DEFAULT_CONTEXT = 4096


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

    def for_model(self, info: ModelInfo, sequences: int = 1) -> Load:
        """Fill in what was left open.

        :param sequences: texts that share the context; see :class:`Load`
        :raises ModelFileError: if the context is more than the model was made for
        """
        limit = info.context_length or DEFAULT_CONTEXT
        context = self.context or min(DEFAULT_CONTEXT, limit)
        check_context(info, context)
        threads = self.threads or this_processor().physical_cores
        modified_ns = info.path.stat().st_mtime_ns
        return Load(str(info.path), context, threads, self.gpu_layers, modified_ns, sequences)


@dataclass(frozen=True, slots=True)
class Identifying:
    """``fraction`` of the model file, 0 to 1, is read to tell it from others: once a file."""

    fraction: float


class Stopped(EngineError):
    """A person stopped what was about to begin; nothing was computed and nothing is stored."""


class Loader:
    """Loads models into one engine, one at a time, and remembers what that took.

    :param sampler: running
    :param engine: started when first needed
    :param history: remembers files' SHA-256
    """

    def __init__(self, sampler: Sampler, engine: Engine, history: History) -> None:
        self._sampler, self._engine, self._history = sampler, engine, history
        self._cancelled = threading.Event()
        self._load_phase: Phase | None = None
        self._waited = False

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called since the last :meth:`begin`."""
        return self._cancelled.is_set()

    def begin(self) -> None:
        """Forget an earlier cancel: something new is asked for."""
        self._cancelled.clear()

    def cancel(self) -> None:
        """Stop what is being done, from any thread."""
        self._cancelled.set()
        self._engine.cancel()

    def stop_if_cancelled(self) -> None:
        """Leave off before more is begun.

        :raises Stopped: if :meth:`cancel` was called
        """
        if self._cancelled.is_set():
            raise Stopped("Stopped before the answer began.")

    def prepare(self, info: ModelInfo, options: LoadOptions, sequences: int = 1) -> Load:
        """Return what to load; if it is not loaded yet, make room and see that it fits.

        :raises ModelFileError: if the file cannot be used or does not fit
        """
        request = options.for_model(info, sequences)
        if not self._engine.has(request):
            self._engine.unload()
            if not (self._engine.hello().offload and request.gpu_layers):
                check_memory(info, request.context, is_scoring=sequences > 1)
        return request

    def load_file(self, model: Path, options: LoadOptions) -> Iterator[LoadProgress | Loaded]:
        """Load a model file, unless just that is loaded.

        :raises ModelFileError: if the file cannot be used or does not fit
        :raises EngineError: if llama.cpp cannot load it
        """
        yield from self.load(self.prepare(read_model_info(model), options))

    def load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        """Load what :meth:`prepare` said, unless just that is loaded; ends with ``Loaded``.

        :raises EngineError: if llama.cpp cannot load it; :class:`Stopped` if cancelled
        """
        if self._engine.has(request) and self._engine.loaded:
            yield self._engine.loaded
            return
        self.wait_for_sensors()
        self._sampler.mark()
        self.stop_if_cancelled()
        for message in self._engine.load(request):
            if isinstance(message, Loaded):
                self._sampler.mark()
                self._load_phase = Phase(LOAD, message.start_s, message.end_s)
            elif self._cancelled.is_set():
                self._engine.cancel()  # again: the first may have come before the load began
            yield message

    def take_load(self) -> Phase | None:
        """Return the last load's phase, once: the first query after it bills it."""
        phase, self._load_phase = self._load_phase, None
        return phase

    def wait_for_sensors(self) -> None:
        """Wait for the first readings; a driver that hangs is waited for once, not each time."""
        if not self._waited:
            self._waited = True
            self._sampler.wait_ready()

    def identify(self, info: ModelInfo) -> Generator[Identifying, None, str]:
        """Find out a model's SHA-256: remembered, or read once for as long as it is unchanged."""
        modified_ns = info.path.stat().st_mtime_ns
        sha256 = self._history.known_sha256(info.path, info.size_bytes, modified_ns)
        for step in sha256_of(info.path) if sha256 is None else ():
            self.stop_if_cancelled()
            if isinstance(step, str):
                sha256 = step
            else:
                yield Identifying(step)
        assert sha256 is not None
        return sha256
