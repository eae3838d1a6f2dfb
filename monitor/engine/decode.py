"""A model, its context, and the loop that answers: llama.cpp's low-level functions.

Prompt and answer are separate phases with exact times. The tokens of earlier turns stay in the
context, so that a new turn processes only what is new.
"""

import ctypes
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator

import llama_cpp as llama

from monitor.engine.messages import (
    Answer,
    DecodeStarted,
    Done,
    Failed,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    PrefillStarted,
    Sampling,
    Text,
)
from monitor.engine.prompt import TemplateRefused, render
from monitor.engine.text import TextStream

log = logging.getLogger(__name__)

CHUNK = 512
"""Prompt tokens a call of llama_decode: llama.cpp's own default for the physical batch."""

FLUSH_S = 0.05
"""Text is sent at most this often: the reader's wake-ups cost the decoding threads."""

PENALTY_WINDOW = 64
"""Tokens the repeat penalty looks back, llama.cpp's default."""

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


class Session:
    """A loaded model with one context.

    :param request: what to load
    :param abort: checked throughout
    :param progress: told of the load's progress
    :param lines: llama.cpp's log so far, read for the number of offloaded layers
    :raises LoadFailed: if llama.cpp cannot load the model or make its context
    :raises Cancelled: if ``abort`` was set meanwhile
    """

    def __init__(
        self,
        request: Load,
        abort: Abort,
        progress: Callable[[LoadProgress], None],
        lines: Callable[[], str],
    ) -> None:
        self._abort = abort
        start_s = time.monotonic()
        self._model = self._load_model(request, progress)
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._context = self._make_context(request)
        self._memory = llama.llama_get_memory(self._context)
        # llama.cpp rounds a small context up, and its batch down to what was asked for.
        self._size = min(llama.llama_n_ctx(self._context), request.context)
        self._chunk = min(CHUNK, llama.llama_n_batch(self._context))
        self._known: list[int] = []
        offloaded = re.findall(r"offloaded (\d+)/\d+ layers", lines())
        self.loaded = Loaded(
            start_s=start_s,
            end_s=time.monotonic(),
            context=self._size,
            threads=request.threads,
            layers_offloaded=int(offloaded[-1]) if offloaded else None,
        )

    def _load_model(self, request: Load, progress: Callable[[LoadProgress], None]) -> object:
        last = -1.0

        def on_progress(fraction: float, _data: object) -> bool:
            nonlocal last
            if fraction - last >= 0.01 or fraction >= 1:
                last = fraction
                progress(LoadProgress(fraction))
            return not self._abort

        params = llama.llama_model_default_params()
        params.n_gpu_layers = request.gpu_layers if request.gpu_layers >= 0 else 1 << 16
        # Kept in a variable: llama.cpp holds the callback without owning it.
        callback = llama.llama_progress_callback(on_progress)
        params.progress_callback = callback
        model = llama.llama_model_load_from_file(request.path.encode(), params)
        if model is None:
            if self._abort:
                raise Cancelled
            raise LoadFailed(
                "llama.cpp could not load the model. It may be damaged, need more memory than is "
                "free, or be of an architecture newer than this llama-cpp-python; the log has "
                "llama.cpp's own words."
            )
        return model

    def _make_context(self, request: Load) -> object:
        params = llama.llama_context_default_params()
        params.n_ctx = request.context
        params.n_batch = params.n_ubatch = CHUNK
        params.n_threads = params.n_threads_batch = request.threads
        params.abort_callback = self._abort.callback
        params.abort_callback_data = self._abort.data
        params.no_perf = True
        context = llama.llama_init_from_model(self._model, params)
        if context is None:
            raise LoadFailed(
                f"There is not enough memory for a context of {request.context} tokens. "
                "Load the model with a smaller one."
            )
        return context

    def generate(self, request: Generate) -> Iterator[Answer]:
        """Answer a conversation: :class:`PrefillStarted`, :class:`DecodeStarted`, texts, done.

        The last message is :class:`Done` or :class:`Failed`; what was said before stands.
        """
        try:
            tokens = self._tokenize(self._prompt(request))
        except TemplateRefused as error:
            yield Failed(f"The model's chat template does not accept this conversation: {error}")
            return
        if len(tokens) >= self._size:
            yield Failed(
                f"The conversation is {len(tokens)} tokens long and the context holds "
                f"{self._size}. Start a new conversation or shorten the prompt; the command's "
                "--ctx loads a model with a larger context."
            )
            return
        reused = self._reuse(tokens)
        yield PrefillStarted(time.monotonic(), len(tokens), reused)
        problem = self._prefill(tokens)
        if problem is None:
            yield DecodeStarted(time.monotonic())
            yield from self._decode(request.sampling, tokens)
        elif problem == "cancelled":
            now_s = time.monotonic()
            yield Done(now_s, "cancelled", 0, None)
        else:
            yield Failed(problem)

    def _prompt(self, request: Generate) -> str:
        template = llama.llama_model_chat_template(self._model, None)
        return render(
            request.messages,
            template.decode("utf-8", errors="replace") if template else None,
            self._token_text(llama.llama_vocab_bos(self._vocab)),
            self._token_text(llama.llama_vocab_eos(self._vocab)),
        )

    def _token_text(self, token: int) -> str:
        text = llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8", errors="replace") if text else ""

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8")
        # A template that writes the beginning-of-sequence mark itself must not get a second.
        bos = self._token_text(llama.llama_vocab_bos(self._vocab))
        special = not (bos and text.startswith(bos))
        buffer = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(
            self._vocab, data, len(data), buffer, len(buffer), special, True
        )
        return list(buffer[:count])

    def _reuse(self, tokens: list[int]) -> int:
        """Keep what the context has in common with a prompt; return how many tokens that is.

        The last prompt token is always processed again: its logits choose the first answer
        token.
        """
        common = 0
        for known, wanted in zip(self._known, tokens[:-1], strict=False):
            if known != wanted:
                break
            common += 1
        return self._forget_after(common)

    def _forget_after(self, kept: int) -> int:
        """Take all but the first tokens out of the context; return how many are left."""
        if not llama.llama_memory_seq_rm(self._memory, 0, kept, -1):
            # Recurrent and sliding-window models cannot go back to a middle.
            llama.llama_memory_clear(self._memory, True)
            kept = 0
        del self._known[kept:]
        return kept

    def _prefill(self, tokens: list[int]) -> str | None:
        """Process the prompt; return ``None``, ``cancelled``, or what went wrong."""
        while len(self._known) < len(tokens):
            if self._abort:
                return "cancelled"
            chunk = tokens[len(self._known) : len(self._known) + self._chunk]
            result = self._compute(chunk)
            if result == ABORTED:
                return "cancelled"
            if result:
                return f"llama.cpp could not process the prompt (result {result})."
        llama.llama_synchronize(self._context)
        return None

    def _compute(self, tokens: list[int]) -> int:
        """Run the model over some tokens; on success they are part of the context."""
        array = (llama.llama_token * len(tokens))(*tokens)
        result = llama.llama_decode(self._context, llama.llama_batch_get_one(array, len(tokens)))
        if result:
            self._forget_after(len(self._known))
        else:
            self._known += tokens
        return int(result)

    def _decode(self, sampling: Sampling, prompt: list[int]) -> Iterator[Answer]:
        sampler = _sampler(sampling, llama.llama_vocab_n_tokens(self._vocab), prompt)
        try:
            yield from self._answer(sampler, sampling)
        finally:
            llama.llama_sampler_free(sampler)

    def _answer(self, sampler: object, sampling: Sampling) -> Iterator[Answer]:
        stream = TextStream(sampling.stop)
        pending, count, reason = "", 0, ""
        first_s: float | None = None
        sent_s = time.monotonic()
        while not reason:
            token = llama.llama_sampler_sample(sampler, self._context, -1)
            now_s = time.monotonic()
            if llama.llama_vocab_is_eog(self._vocab, token):
                reason = "end"
                break
            count += 1
            first_s = first_s or now_s
            pending += stream.feed(self._piece(token))
            if pending and now_s - sent_s >= FLUSH_S:
                yield Text(now_s, pending, count)
                pending, sent_s = "", now_s
            reason = self._reason_to_stop(stream, count, sampling)
            if not reason and (result := self._compute([token])):
                reason = "cancelled" if result == ABORTED else f"failed {result}"
        end_s = time.monotonic()
        pending += stream.finish()
        if pending:
            yield Text(end_s, pending, count)
        if reason.startswith("failed"):
            yield Failed(f"llama.cpp stopped in the middle of the answer ({reason}).")
        else:
            yield Done(end_s, reason, count, first_s)

    def _reason_to_stop(self, stream: TextStream, count: int, sampling: Sampling) -> str:
        if self._abort:
            return "cancelled"
        if stream.stopped:
            return "stop"
        if sampling.max_tokens is not None and count >= sampling.max_tokens:
            return "length"
        return "context" if len(self._known) + 1 >= self._size else ""

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = llama.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        if size < 0:  # a longer token: minus the room it needs
            buffer = ctypes.create_string_buffer(-size)
            size = llama.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(size, 0)]


def _sampler(sampling: Sampling, vocabulary: int, prompt: list[int]) -> object:
    """Build llama.cpp's sampler chain in its usual order."""
    chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    if sampling.repeat_penalty != 1:
        penalties = llama.llama_sampler_init_penalties(
            vocabulary, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0
        )
        llama.llama_sampler_chain_add(chain, penalties)
        for token in prompt[-PENALTY_WINDOW:]:
            llama.llama_sampler_accept(penalties, token)
    if sampling.temperature <= 0:
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
        return chain
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_top_k(sampling.top_k))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_top_p(sampling.top_p, 1))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_min_p(sampling.min_p, 1))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(sampling.temperature))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_dist(sampling.seed & 0xFFFFFFFF))
    return chain
