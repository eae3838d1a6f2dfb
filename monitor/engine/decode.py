"""The loop that answers: llama.cpp's low-level functions, one token at a time.

Prompt and answer are separate phases with exact times. The tokens of earlier turns stay in the
context, so that a new turn processes only what is new.
"""

import time
from collections.abc import Iterator

import llama_cpp as llama

from monitor.engine.messages import (
    Answer,
    Complete,
    DecodeStarted,
    Done,
    Failed,
    Generate,
    PrefillStarted,
    Sampling,
    Text,
)
from monitor.engine.prompt import TemplateRefused, render
from monitor.engine.runtime import ABORTED, Runtime
from monitor.engine.text import TextStream

FLUSH_S = 0.05
"""Text is sent at most this often: the reader's wake-ups cost the decoding threads."""

PENALTY_WINDOW = 64
"""Tokens the repeat penalty looks back, llama.cpp's default."""


class Session:
    """Answers with a loaded model."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._vocabulary = runtime.vocabulary

    def generate(self, request: Generate) -> Iterator[Answer]:
        """Answer a conversation: :class:`PrefillStarted`, :class:`DecodeStarted`, texts, done.

        The last message is :class:`Done` or :class:`Failed`; what was said before stands.
        """
        try:
            tokens = self._vocabulary.encode(self._prompt(request))
        except TemplateRefused as error:
            yield Failed(f"The model's chat template does not accept this conversation: {error}")
            return
        size = self._runtime.size
        if len(tokens) >= size:
            yield Failed(
                f"The conversation is {len(tokens)} tokens long and the context holds "
                f"{size}. Start a new conversation or shorten the prompt; the command's "
                "--ctx loads a model with a larger context."
            )
            return
        if request.fresh:
            self._runtime.clear()
        yield from self._continue(tokens, request.sampling)

    def complete(self, request: Complete) -> Iterator[Answer]:
        """Continue a text as it is; of one too long for the context and the answer, its end.

        Cutting from the left is what lm-evaluation-harness does.
        """
        self._runtime.clear()
        tokens = self._vocabulary.encode(request.prompt)
        room = self._runtime.size - (request.sampling.max_tokens or 0)
        yield from self._continue(tokens[-max(room, 1) :], request.sampling)

    def _continue(self, tokens: list[int], sampling: Sampling) -> Iterator[Answer]:
        # The last prompt token is always processed again: its logits choose the first answer token.
        reused = self._runtime.reuse(tokens[:-1])
        yield PrefillStarted(time.monotonic(), len(tokens), reused)
        problem = self._runtime.prefill(tokens)
        if problem is None:
            yield DecodeStarted(time.monotonic())
            yield from self._decode(sampling, tokens)
        elif problem == "cancelled":
            now_s = time.monotonic()
            yield Done(now_s, "cancelled", 0, None)
        else:
            yield Failed(problem)

    def _prompt(self, request: Generate) -> str:
        vocabulary = self._vocabulary
        return render(
            request.messages,
            self._runtime.template,
            vocabulary.text(vocabulary.bos),
            vocabulary.text(vocabulary.eos),
        )

    def _decode(self, sampling: Sampling, prompt: list[int]) -> Iterator[Answer]:
        sampler = _sampler(sampling, self._vocabulary.size, prompt)
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
            token = llama.llama_sampler_sample(sampler, self._runtime.context, -1)
            now_s = time.monotonic()
            if self._vocabulary.ends(token):
                reason = "end"
                break
            count += 1
            first_s = first_s or now_s
            pending += stream.feed(self._vocabulary.piece(token))
            if pending and now_s - sent_s >= FLUSH_S:
                yield Text(now_s, pending, count)
                pending, sent_s = "", now_s
            reason = self._reason_to_stop(stream, count, sampling)
            if not reason and (result := self._runtime.extend([token])):
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
        if self._runtime.abort:
            return "cancelled"
        if stream.stopped:
            return "stop"
        if sampling.max_tokens is not None and count >= sampling.max_tokens:
            return "length"
        return "context" if len(self._runtime.known) + 1 >= self._runtime.size else ""


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
