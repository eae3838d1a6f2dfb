"""Getting a model ready: which file it is, whether it fits, and loading it under the sampler."""

import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from monitor.energy.account import LOAD, Phase
from monitor.engine.client import Engine, EngineError, check_context
from monitor.engine.gguf import ModelFileError, ModelInfo, read_model_info
from monitor.engine.memory import (
    KV_SHARE,
    free_ram_bytes,
    gpu_room_bytes,
    gpus_of,
    largest_context,
    memory_need,
)
from monitor.engine.messages import (
    AUTO,
    F16,
    FLASH_ATTENTION,
    MEMORY_MAPS,
    MLOCK,
    MMAP,
    Hello,
    Load,
    Loaded,
    LoadProgress,
)
from monitor.load_guard import LoadGuard
from monitor.models.library import sha256_of
from monitor.power.cpu import this_processor
from monitor.power.sampler import Sampler
from monitor.power.unread import ComputedOn
from monitor.store.history import History

DEFAULT_CONTEXT = 4096

LEAST_CONTEXT = 256
"""Tokens; less is no way out of a lack of memory."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded.

    :param context: tokens; ``None`` for 4096, or the model's own limit if that is less
    :param threads: ``None`` for one a physical core, which is fastest for llama.cpp
    :param gpu_layers: layers to offload, -1 for as many as fit
    :param flash_attention: ``auto``, ``on`` or ``off``
    :param kv_type: what keys and values are kept as: ``f16``, ``q8_0`` or ``q4_0``
    :param memory_map: ``mmap``, ``mlock`` (never swapped out) or ``none``
    """

    context: int | None = None
    threads: int | None = None
    gpu_layers: int = -1
    flash_attention: str = AUTO
    kv_type: str = F16
    memory_map: str = MMAP

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "LoadOptions":
        """Make options of what was kept of them; what is missing or ``None`` is automatic.

        :param kept: a row of the table ``settings``, or what ``asdict`` made of options
        """
        names = [field.name for field in fields(cls)]
        return cls(**{name: kept[name] for name in names if kept.get(name) is not None})

    @staticmethod
    def stored(request: Load) -> dict[str, Any]:
        """Return the columns of the table ``settings`` that tell how a model was loaded.

        What came later is left out where it is as it always was: equal settings keep their hash.
        """
        later = {
            "flash_attention": (request.flash_attention, AUTO),
            "kv_type": (request.kv_type, F16),
            "memory_map": (request.memory_map, MMAP),
        }
        return {
            "context": request.context,
            "threads": request.threads,
            "gpu_layers": request.gpu_layers,
            **{name: value for name, (value, usual) in later.items() if value != usual},
        }

    def for_model(self, info: ModelInfo, sequences: int = 1) -> Load:
        """Fill in what was left open.

        :param sequences: texts that share the context; see :class:`Load`. Where choices are
          scored, keys and values take 32 bits without flash attention, whatever the options say
        :raises ModelFileError: if the context is more than the model was made for
        :raises LoadProblem: if the options exclude one another
        """
        self._check()
        limit = info.context_length or DEFAULT_CONTEXT
        context = self.context or min(DEFAULT_CONTEXT, limit)
        check_context(info, context)
        is_scoring = sequences > 1
        return Load(
            path=str(info.path),
            context=context,
            threads=self.threads or this_processor().physical_cores,
            gpu_layers=self.gpu_layers,
            modified_ns=info.path.stat().st_mtime_ns,
            sequences=sequences,
            flash_attention=AUTO if is_scoring else self.flash_attention,
            kv_type=F16 if is_scoring else self.kv_type,
            memory_map=self.memory_map,
        )

    def _check(self) -> None:
        for name, known in (
            ("flash_attention", FLASH_ATTENTION),
            ("kv_type", tuple(KV_SHARE)),
            ("memory_map", MEMORY_MAPS),
        ):
            if (value := getattr(self, name)) not in known:
                raise LoadProblem(f"{name} is one of {', '.join(known)}, and not “{value}”.")
        if self.kv_type != F16 and self.flash_attention == "off":
            raise LoadProblem(
                f"Keys and values can be kept as {self.kv_type} only with flash attention. Let "
                "flash attention be automatic, or keep them as f16.",
                (
                    Remedy("flash_attention", replace(self, flash_attention=AUTO)),
                    Remedy("f16", replace(self, kv_type=F16)),
                ),
            )


@dataclass(frozen=True, slots=True)
class Remedy:
    """Options worth trying after a load that failed.

    :param kind: what is otherwise: ``again`` (nothing), ``cpu``, ``context``, ``kv_type`` (keys
      and values take half the memory), ``f16``, ``flash_attention`` or ``no_mlock``
    """

    kind: str
    options: LoadOptions


class LoadProblem(EngineError):
    """A model was not loaded as it was asked for.

    :param text: why, and what to do
    :param remedies: the ways out, the likeliest first
    """

    def __init__(self, text: str, remedies: tuple[Remedy, ...] = ()) -> None:
        super().__init__(text)
        self.remedies = remedies


class DoesNotFit(LoadProblem, ModelFileError):
    """A model would need more memory than is free; nothing was loaded."""


class CrashedBefore(LoadProblem):
    """Just this load crashed last time, and nobody asked for it now; nothing was loaded."""


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
        self._guard = LoadGuard(history)
        self._ways_out: tuple[Remedy, ...] = ()
        self._cancelled = threading.Event()
        self._load_phase: Phase | None = None
        self._waited = False
        self._computed_on: ComputedOn | None = None

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

    def prepare(
        self, info: ModelInfo, options: LoadOptions, sequences: int = 1, *, insist: bool = True
    ) -> Load:
        """Return what to load; if it is not loaded yet, make room and see that it fits.

        :param insist: a person asked for just this: even if it crashed last time
        :raises ModelFileError: if the file cannot be used; :class:`DoesNotFit` if it is too large
        :raises CrashedBefore: if it crashed last time and ``insist`` is false
        :raises LoadProblem: if the options exclude one another
        """
        request = options.for_model(info, sequences)
        if not self._engine.has(request):
            hello = self._engine.hello()
            self._ways_out = ways_out(info, options, request, hello)
            if not insist and self._guard.has_crashed(request):
                raise CrashedBefore(
                    f"Loading {info.name} like this ended in a crash last time, so it is not done "
                    "again unasked. Try it once more, or load it otherwise.",
                    (Remedy("again", options), *self._ways_out),
                )
            self._engine.unload()
            check_memory(info, options, request, hello)
        return request

    def load_file(
        self, model: Path, options: LoadOptions, *, insist: bool = True
    ) -> Iterator[LoadProgress | Loaded]:
        """Load a model file, unless just that is loaded; raises what :meth:`prepare` and
        :meth:`load` do.

        :param insist: see :meth:`prepare`
        """
        yield from self.load(self.prepare(read_model_info(model), options, insist=insist))

    def load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        """Load what :meth:`prepare` said, unless just that is loaded; ends with ``Loaded``.

        :raises LoadProblem: if llama.cpp cannot load it
        :raises Stopped: if cancelled before it began; :class:`EngineError` if meanwhile
        """
        if self._engine.has(request) and self._engine.loaded:
            yield self._engine.loaded
            return
        self.wait_for_sensors()
        self._sampler.mark()
        self.stop_if_cancelled()
        try:
            with self._guard.watching(request, lambda: self.is_cancelled):
                yield from self._load(request)
        except EngineError as error:
            if self.is_cancelled:
                raise
            raise LoadProblem(str(error), self._ways_out) from error

    def _load(self, request: Load) -> Iterator[LoadProgress | Loaded]:
        self._computed_on = None
        for message in self._engine.load(request):
            if isinstance(message, Loaded):
                self._load_phase = Phase(LOAD, message.start_s, message.end_s)
                self._computed_on = _computed_on(message, self._engine.hello())
                self._sampler.ask_computed_on(self._gpus_in_use, message.start_s)
                self._sampler.mark()
            elif self._cancelled.is_set():
                self._engine.cancel()  # again: the first may have come before the load began
            yield message

    def _gpus_in_use(self) -> ComputedOn | None:
        return self._computed_on if self._engine.loaded else None

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


def check_memory(info: ModelInfo, options: LoadOptions, request: Load, hello: Hello) -> None:
    """Refuse a model that cannot fit, before it drags the machine into swapping.

    Where a GPU does not tell its free memory, nothing is refused.

    :raises DoesNotFit: with the sizes and a context that would fit, if one does
    """
    free_bytes = _free_bytes(request, hello)
    need = memory_need(info, request.context, request.kv_type, request.sequences > 1)
    if free_bytes is None or need.total_bytes <= free_bytes:
        return
    if need.fixed_bytes > free_bytes:
        raise DoesNotFit(
            f"{info.name} needs about {_gib(need.fixed_bytes)} and {_gib(free_bytes)} of memory "
            "is free. Choose a smaller model or a stronger quantisation, or close other programs."
        )
    raise DoesNotFit(
        f"A context of {request.context} tokens needs about {_gib(need.cache_bytes)} beside the "
        f"model's {_gib(info.size_bytes)}, and {_gib(free_bytes)} of memory is free. "
        f"Up to {largest_context(need, request.context, free_bytes)} tokens would fit.",
        ways_out(info, options, request, hello),
    )


def ways_out(
    info: ModelInfo, options: LoadOptions, request: Load, hello: Hello
) -> tuple[Remedy, ...]:
    """Return the options worth trying if a load fails, the likeliest first.

    :param options: what ``request`` was made of: what they leave to the automatics stays so
    """
    found = []
    if hello.offload and request.gpu_layers:
        found.append(Remedy("cpu", replace(options, gpu_layers=0)))
    free_bytes = _free_bytes(request, hello)
    need = memory_need(info, request.context, request.kv_type, request.sequences > 1)
    if free_bytes is None or need.total_bytes <= free_bytes:
        fits = DEFAULT_CONTEXT
    else:
        fits = largest_context(need, request.context, free_bytes)
        small = memory_need(info, request.context, "q8_0")
        if request.sequences == 1 and request.kv_type == F16 and small.total_bytes <= free_bytes:
            changed = replace(options, kv_type="q8_0", flash_attention=AUTO)
            found.append(Remedy("kv_type", changed))
    context = min(DEFAULT_CONTEXT, fits)
    if LEAST_CONTEXT <= context < request.context:
        found.append(Remedy("context", replace(options, context=context)))
    if request.kv_type != F16 and need.total_bytes <= (free_bytes or need.total_bytes):
        found.append(Remedy("f16", replace(options, kv_type=F16)))
    if request.memory_map == MLOCK:
        found.append(Remedy("no_mlock", replace(options, memory_map=MMAP)))
    return tuple(found)


def _free_bytes(request: Load, hello: Hello) -> int | None:
    """Return the memory a load may take, GPUs' included; ``None`` where one does not tell."""
    if not (hello.offload and request.gpu_layers):
        return free_ram_bytes()
    # A processor's own GPU has no memory but the processor's.
    cards = [device for device in hello.devices if device.kind == "gpu"]
    room_bytes = gpu_room_bytes(cards) if cards else 0
    return None if room_bytes is None else free_ram_bytes() + room_bytes


def _computed_on(loaded: Loaded, hello: Hello) -> ComputedOn | None:
    """Return the GPUs a model's layers are on; ``None`` where they are on none."""
    gpus = gpus_of(hello.devices) if loaded.layers_offloaded else []
    if not gpus:
        return None
    return ComputedOn(
        names=tuple(device.description for device in gpus),
        is_in_processor=all(device.kind == "igpu" for device in gpus),
    )


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"
