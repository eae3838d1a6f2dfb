"""The loop that answers: llama.cpp's low-level functions, one token at a time.

Prompt and answer are separate phases with exact times. The tokens of earlier turns stay in the
context, so that a new turn processes only what is new.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import llama_cpp as llama

from monitor.engine.messages import (
    ROOM_FOR_ANSWER,
    Answer,
    ChatMessage,
    Complete,
    DecodeStarted,
    Done,
    Failed,
    Generate,
    Measure,
    Measured,
    PrefillStarted,
    Sampling,
    Text,
)
from monitor.engine.prompt import TemplateRefused, render
from monitor.engine.runtime import ABORTED, Runtime
from monitor.engine.text import TextStream
from monitor.engine.thinking import CONTROL_MARKS, opened_by

FLUSH_S = 0.05
"""Text is sent at most this often: the reader's wake-ups cost the decoding threads."""

PENALTY_WINDOW = 64
"""Tokens the repeat penalty looks back, llama.cpp's default."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What the model is given.

    :param opening: the mark of thoughts it ends with, with which the answer's text then begins
    :param dropped: messages that were left out
    """

    tokens: list[int]
    opening: str = ""
    dropped: int = 0


class Session:
    """Answers with a loaded model."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._vocabulary = runtime.vocabulary
        self._marks = {
            tokens[0]: mark.encode()
            for mark in CONTROL_MARKS
            if len(tokens := self._vocabulary.encode_inner(mark)) == 1
        }

    def generate(self, request: Generate) -> Iterator[Answer]:
        """Answer a conversation: :class:`PrefillStarted`, :class:`DecodeStarted`, texts, done.

        The last message is :class:`Done` or :class:`Failed`; what was said before stands.
        """
        try:
            fitted = self._fit(request.messages, request.forgetful)
        except TemplateRefused as error:
            yield Failed(f"The model's chat template does not accept this conversation: {error}")
            return
        if len(fitted.tokens) >= self._runtime.size:
            yield Failed(
                f"The conversation is {len(fitted.tokens)} tokens long and the context holds "
                f"{self._runtime.size}. Shorten the prompt, or load the model with a larger "
                "context."
            )
            return
        if request.fresh:
            self._runtime.clear()
        yield from self._continue(fitted, request.sampling)

    def measure(self, request: Measure) -> Iterator[Answer]:
        """Say what a conversation takes of the context; nothing is computed."""
        try:
            fitted = self._fit(request.messages, forgetful=True)
        except TemplateRefused as error:
            yield Failed(f"The model's chat template does not accept this conversation: {error}")
            return
        reused = self._runtime.in_common(fitted.tokens[:-1])
        yield Measured(len(fitted.tokens), reused, fitted.dropped, self._runtime.size)

    def _fit(self, messages: Sequence[ChatMessage], forgetful: bool) -> _Prompt:
        """Write a conversation as tokens; if it is to be, without the oldest turns that leave no
        room for an answer. The system's words and the last question stay."""
        system = [message for message in messages[:1] if message.role == "system"]
        said = messages[len(system) :]
        size = self._runtime.size
        room = size - min(ROOM_FOR_ANSWER, size // 4)
        dropped = 0
        while True:
            prompt = self._render([*system, *said[dropped:]])
            tokens = self._vocabulary.encode(prompt)
            if not forgetful or len(tokens) <= room or dropped + 1 >= len(said):
                return _Prompt(tokens, opened_by(prompt), dropped)
            # Few steps however long the talk: as many messages as hold what is too much, at least.
            dropped = _next_turn(said, dropped, len(tokens) - room, len(prompt) / len(tokens))

    def complete(self, request: Complete) -> Iterator[Answer]:
        """Continue a text as it is; of one too long for the context and the answer, its end.

        Cutting from the left is what lm-evaluation-harness does.
        """
        self._runtime.clear()
        tokens = self._vocabulary.encode(request.prompt)
        room = self._runtime.size - (request.sampling.max_tokens or 0)
        yield from self._continue(_Prompt(tokens[-max(room, 1) :]), request.sampling)

    def _continue(self, prompt: _Prompt, sampling: Sampling) -> Iterator[Answer]:
        tokens = prompt.tokens
        # The last prompt token is always processed again: its logits choose the first answer token.
        reused = self._runtime.reuse(tokens[:-1])
        yield PrefillStarted(time.monotonic(), len(tokens), reused, prompt.dropped)
        problem = yield from self._runtime.prefill(tokens)
        if problem is None:
            yield DecodeStarted(time.monotonic())
            yield from self._decode(sampling, prompt)
        elif problem == "cancelled":
            now_s = time.monotonic()
            yield Done(now_s, "cancelled", 0, None)
        else:
            yield Failed(problem)

    def _render(self, messages: Sequence[ChatMessage]) -> str:
        vocabulary = self._vocabulary
        return render(
            messages,
            self._runtime.template,
            vocabulary.text(vocabulary.bos),
            vocabulary.text(vocabulary.eos),
        )

    def _decode(self, sampling: Sampling, prompt: _Prompt) -> Iterator[Answer]:
        sampler = _sampler(sampling, self._vocabulary.size, prompt.tokens)
        try:
            yield from self._answer(sampler, sampling, prompt.opening)
        finally:
            llama.llama_sampler_free(sampler)

    def _answer(self, sampler: object, sampling: Sampling, opening: str) -> Iterator[Answer]:
        stream = TextStream(sampling.stop)
        pending, count, reason = opening, 0, ""
        characters = len(opening)
        marks: list[tuple[float, int]] = []
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
            shown = stream.feed(self._piece(token))
            pending += shown
            characters += len(shown)
            marks.append((now_s, characters))
            if pending and now_s - sent_s >= FLUSH_S:
                yield Text(now_s, pending, count, tuple(marks))
                pending, sent_s = "", now_s
                marks.clear()
            reason = self._reason_to_stop(stream, count, sampling)
            if not reason and (result := self._runtime.extend([token])):
                reason = "cancelled" if result == ABORTED else f"failed {result}"
        end_s = time.monotonic()
        held = stream.finish()
        if held and marks:
            marks[-1] = (marks[-1][0], characters + len(held))
        if pending + held:
            yield Text(end_s, pending + held, count, tuple(marks))
        if reason.startswith("failed"):
            yield Failed(f"llama.cpp stopped in the middle of the answer ({reason}).")
        else:
            yield Done(end_s, reason, count, first_s)

    def _piece(self, token: int) -> bytes:
        """Return a token's bytes; the marks around thoughts too, which some models keep as
        control tokens that are not shown."""
        return self._vocabulary.piece(token) or self._marks.get(token, b"")

    def _reason_to_stop(self, stream: TextStream, count: int, sampling: Sampling) -> str:
        if self._runtime.abort:
            return "cancelled"
        if stream.stopped:
            return "stop"
        if sampling.max_tokens is not None and count >= sampling.max_tokens:
            return "length"
        return "context" if len(self._runtime.known) + 1 >= self._runtime.size else ""


def _next_turn(
    said: Sequence[ChatMessage], dropped: int, surplus: int, characters_a_token: float
) -> int:
    """Return how many messages to leave out next: up to a question, and never the last."""
    freed = 0.0
    while dropped + 1 < len(said):
        freed += len(said[dropped].content) / characters_a_token
        dropped += 1
        # Rather too few than too many: the next try leaves out more.
        if said[dropped].role == "user" and freed >= 0.8 * surplus:
            break
    return dropped


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
