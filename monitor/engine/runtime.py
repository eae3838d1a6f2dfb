"""llama.cpp's side of a loaded model: weights, context, vocabulary and the one call that computes.

What is done with it has files of its own: answers in :mod:`monitor.engine.decode`, scored choices
in :mod:`monitor.engine.score`, rates in :mod:`monitor.engine.exercise`.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import llama_cpp as llama

from monitor.engine.devices import list_devices
from monitor.engine.gguf import ModelFileError, read_model_info
from monitor.engine.load_log import (
    lock_note,
    offload_note,
    placement,
    why_no_context,
    why_no_model,
)
from monitor.engine.memory import gpu_room_bytes, layers_that_fit, memory_need
from monitor.engine.messages import AUTO, F16, MLOCK, MMAP, Load, Loaded, LoadProgress, PromptRead
from monitor.engine.vocabulary import Vocabulary

CHUNK = 512
"""Tokens a call of llama_decode: llama.cpp's own default for the physical batch."""

OUTPUTS = 192
"""Positions whose logits one call may give when choices are scored; each is a row of the whole
vocabulary, kept twice, so that more would cost memory and gain no time."""

SPARE_CELLS = 512
"""Room for the branches of a scored question beside a context that is full to the last token."""

LOAD_MODES = {
    # llama.cpp's own choice: mapped, unless a device is better served otherwise.
    MMAP: llama.LLAMA_LOAD_MODE_AUTO,
    MLOCK: llama.LLAMA_LOAD_MODE_MMAP_MLOCK,
    "none": llama.LLAMA_LOAD_MODE_NONE,
}
FLASH_TYPES = {
    AUTO: llama.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": llama.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
KV_TYPES = {
    F16: llama.GGML_TYPE_F16,
    "q8_0": llama.GGML_TYPE_Q8_0,
    "q4_0": llama.GGML_TYPE_Q4_0,
}

EVERY_LAYER = 1 << 16
"""More than any model has."""

ABORTED = 2
"""llama_decode's result when the abort callback said so."""


class Abort:
    """A flag that llama.cpp reads while it computes, without a step of Python.

    The abort callback is called for every node of the graph, by the computing threads; a Python
    function there would cost several per cent. C's ``strlen`` has the callback's shape: given a
    buffer it answers 0 while the buffer is empty and 1 once its first byte is set.
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        library = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        address = ctypes.cast(library.strlen, ctypes.c_void_p)
        self.callback = ctypes.cast(address, llama.ggml_abort_callback)
        self.data = ctypes.cast(self._buffer, ctypes.c_void_p)

    def set(self) -> None:
        """Ask the computation to stop."""
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        """Take the request back."""
        self._buffer[0] = b"\x00"

    def __bool__(self) -> bool:
        return self._buffer[0] != b"\x00"


class LoadFailed(Exception):
    """A model that did not load; the message says why and what to do."""


class Cancelled(Exception):
    """The load was cancelled."""


class Runtime:
    """A loaded model with one context.

    Sequence 0 holds :attr:`known`: the tokens of the conversation, or what the next questions
    begin with. The others are for branches and empty between two calls.

    :param request: what to load
    :param abort: checked throughout
    :param gate: closed while scoring is to pause between two batches
    :param progress: told of the load's progress
    :param lines: llama.cpp's log so far, read for what nothing else tells of a load
    :param is_plain: see :mod:`monitor.engine.plain`
    :raises LoadFailed: if llama.cpp cannot load the model or make its context
    :raises Cancelled: if ``abort`` was set meanwhile
    """

    def __init__(
        self,
        request: Load,
        abort: Abort,
        gate: threading.Event,
        progress: Callable[[LoadProgress], None],
        lines: Callable[[], str],
        is_plain: bool,
    ) -> None:
        self.abort, self._is_plain = abort, is_plain
        start_s = time.monotonic()
        self._model = self._load_model(request, progress, lines)
        self.vocabulary = Vocabulary(self._model)
        self.context = self._make_context(request, lines)
        self.memory = llama.llama_get_memory(self.context)
        # llama.cpp rounds a small context up, and its batch down to what was asked for.
        cells = llama.llama_n_ctx(self.context)
        self.size = min(cells, request.context)
        self.cells = cells
        self.chunk = min(CHUNK, llama.llama_n_batch(self.context))
        self.sequences = request.sequences
        self.known: list[int] = []
        self.gate = gate
        self.loaded = self._loaded(request, start_s, lines())

    def _loaded(self, request: Load, start_s: float, log: str) -> Loaded:
        """Say what the load came to, and what of it is not as it was asked for."""
        placed = placement(log)
        can_offload = bool(llama.llama_supports_gpu_offload())
        notes = (offload_note(request.gpu_layers, placed, can_offload), lock_note(log))
        return Loaded(
            start_s=start_s,
            end_s=time.monotonic(),
            context=self.size,
            threads=request.threads,
            layers_offloaded=placed.offloaded if placed else None,
            layers=placed.layers if placed else None,
            layers_asked=request.gpu_layers,
            note=" ".join(filter(None, notes)),
        )

    def _load_model(
        self,
        request: Load,
        progress: Callable[[LoadProgress], None],
        lines: Callable[[], str],
    ) -> object:
        last = -1.0

        def on_progress(fraction: float, _data: object) -> bool:
            nonlocal last
            if fraction - last >= 0.01 or fraction >= 1:
                last = fraction
                progress(LoadProgress(fraction))
            return not self.abort

        params = llama.llama_model_default_params()
        params.n_gpu_layers = _layers_to_offload(request)
        params.load_mode = LOAD_MODES[request.memory_map]
        params.use_extra_bufts = not self._is_plain
        # Kept in a variable: llama.cpp holds the callback without owning it.
        callback = llama.llama_progress_callback(on_progress)
        params.progress_callback = callback
        model = llama.llama_model_load_from_file(request.path.encode(), params)
        if model is None:
            if self.abort:
                raise Cancelled
            raise LoadFailed(why_no_model(lines()))
        return model

    def _make_context(self, request: Load, lines: Callable[[], str]) -> object:
        params = llama.llama_context_default_params()
        is_shared = request.sequences > 1
        params.n_ctx = request.context + (SPARE_CELLS if is_shared else 0)
        params.n_batch = params.n_ubatch = CHUNK
        params.n_seq_max = request.sequences
        params.n_outputs_max = OUTPUTS if is_shared else 1
        # One pool of cells for all sequences: a prompt they share is computed and kept once.
        params.kv_unified = True
        if is_shared:
            # In 16 bits a choice's score would move by a hundredth with what it is computed beside.
            params.type_k = params.type_v = llama.GGML_TYPE_F32
            params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        else:
            params.type_k = params.type_v = KV_TYPES[request.kv_type]
            params.flash_attn_type = FLASH_TYPES[request.flash_attention]
        params.n_threads = params.n_threads_batch = request.threads
        params.abort_callback = self.abort.callback
        params.abort_callback_data = self.abort.data
        params.no_perf = True
        context = llama.llama_init_from_model(self._model, params)
        if context is None:
            raise LoadFailed(why_no_context(lines(), request.context))
        return context

    @property
    def template(self) -> str | None:
        """The model's chat template, ``None`` for a base model."""
        template = llama.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", errors="replace") if template else None

    @property
    def can_branch(self) -> bool:
        """Whether a context can be gone back in: recurrent models only know the whole of it."""
        return not (
            llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model)
        )

    def reuse(self, tokens: Sequence[int]) -> int:
        """Keep in sequence 0 what it has in common with some tokens; return how many that is."""
        return self.forget_after(self.in_common(tokens))

    def in_common(self, tokens: Sequence[int]) -> int:
        """Return how many of some tokens sequence 0 begins with."""
        common = 0
        for known, wanted in zip(self.known, tokens, strict=False):
            if known != wanted:
                break
            common += 1
        return common

    def clear(self) -> None:
        """Empty the context, and forget where in it things stood."""
        llama.llama_memory_clear(self.memory, False)
        self.known = []

    def forget_after(self, kept: int) -> int:
        """Take all but the first tokens out of sequence 0; return how many are left."""
        if not llama.llama_memory_seq_rm(self.memory, 0, kept, -1):
            # Recurrent and sliding-window models cannot go back to a middle.
            llama.llama_memory_clear(self.memory, True)
            kept = 0
        del self.known[kept:]
        return kept

    def extend(self, tokens: list[int]) -> int:
        """Run the model over some tokens; on success they are part of sequence 0.

        :return: llama_decode's result: 0, or :data:`ABORTED`, or another failure
        """
        array = (llama.llama_token * len(tokens))(*tokens)
        result = llama.llama_decode(self.context, llama.llama_batch_get_one(array, len(tokens)))
        if result:
            self.forget_after(len(self.known))
        else:
            self.known += tokens
        return int(result)

    def prefill(self, tokens: list[int]) -> Generator[PromptRead, None, str | None]:
        """Extend sequence 0 to some tokens, and tell how far that has come.

        :return: ``None``, ``cancelled``, or what went wrong
        """
        while len(self.known) < len(tokens):
            if self.abort:
                return "cancelled"
            result = self.extend(tokens[len(self.known) : len(self.known) + self.chunk])
            if result == ABORTED:
                return "cancelled"
            if result:
                return f"llama.cpp could not process the prompt (result {result})."
            if len(self.known) < len(tokens):
                yield PromptRead(time.monotonic(), len(self.known))
        llama.llama_synchronize(self.context)
        return None


def _layers_to_offload(request: Load) -> int:
    """Return the layers to put on GPUs: those asked for, or as many as their free memory holds.

    :raises LoadFailed: if the file went bad since it was looked at
    """
    if request.gpu_layers >= 0:
        return request.gpu_layers
    room_bytes = gpu_room_bytes(list_devices())
    if room_bytes is None:
        return EVERY_LAYER
    try:
        info = read_model_info(Path(request.path))
    except ModelFileError as error:
        raise LoadFailed(str(error)) from error
    need = memory_need(info, request.context, request.kv_type, is_scoring=request.sequences > 1)
    return layers_that_fit(info, need, room_bytes)
