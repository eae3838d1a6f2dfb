"""Scoring as plainly as it can be done: one text at a time, nothing shared, 64-bit sums.

What the engine's batches must agree with. Runs in this process, on a context of its own.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp as llama
import numpy as np

_SILENT = llama.llama_log_callback(lambda *_: None)


class PlainScorer:
    """A model and a context of one sequence."""

    def __init__(self, path: Path, context: int) -> None:
        llama.llama_log_set(_SILENT, ctypes.c_void_p(0))
        model_params = llama.llama_model_default_params()
        # A processor's matrix units can end this very process: see monitor/engine/plain.py.
        model_params.use_extra_bufts = False
        self._model = llama.llama_model_load_from_file(str(path).encode(), model_params)
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._size = context
        params = llama.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = context
        params.n_threads = params.n_threads_batch = 2
        params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.type_k = params.type_v = llama.GGML_TYPE_F32
        self._context = llama.llama_init_from_model(self._model, params)

    def close(self) -> None:
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)

    def tokens(self, text: str) -> list[int]:
        data = text.encode()
        buffer = (llama.llama_token * (len(data) + 8))()
        count = llama.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), True, True)
        return list(buffer[:count])

    def loglikelihood(self, context: str, continuation: str) -> tuple[float, int, bool]:
        """Return a continuation's log-likelihood, its tokens, and whether all were likeliest."""
        kept = context.rstrip()
        before = self.tokens(kept)
        after = self.tokens(kept + context[len(kept) :] + continuation)[len(before) :]
        return self._score(before, after)

    def divergent(self, texts: list[str], index: int) -> tuple[float, int, bool]:
        """Return the same from the first token in which some texts differ."""
        listed = [self.tokens(text) for text in texts]
        common = 0
        while len({tuple(tokens[: common + 1]) for tokens in listed}) == 1:
            common += 1
        return self._score(listed[index][:common], listed[index][common:])

    def _score(self, before: list[int], after: list[int]) -> tuple[float, int, bool]:
        whole = (before + after)[-(self._size + 1) :]
        llama.llama_memory_clear(llama.llama_get_memory(self._context), True)
        batch = llama.llama_batch_init(len(whole), 0, 1)
        batch.n_tokens = len(whole) - 1
        for position, token in enumerate(whole[:-1]):
            batch.token[position], batch.pos[position] = token, position
            batch.n_seq_id[position], batch.seq_id[position][0] = 1, 0
            batch.logits[position] = position >= len(whole) - 1 - len(after)
        assert llama.llama_decode(self._context, batch) == 0
        llama.llama_batch_free(batch)
        total, greedy = 0.0, True
        vocabulary = llama.llama_vocab_n_tokens(self._vocab)
        for position in range(len(whole) - 1 - len(after), len(whole) - 1):
            pointer = llama.llama_get_logits_ith(self._context, position)
            row = np.ctypeslib.as_array(pointer, shape=(vocabulary,)).astype(np.float64)
            row -= row.max()
            token = whole[position + 1]
            total += float(row[token] - np.log(np.exp(row).sum()))
            greedy = greedy and int(row.argmax()) == token
        return total, len(after), greedy


@contextmanager
def plain_scorer(path: Path, context: int = 2048) -> Iterator[PlainScorer]:
    scorer = PlainScorer(path, context)
    try:
        yield scorer
    finally:
        scorer.close()
