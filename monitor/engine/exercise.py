"""Tokens of no meaning, processed to see how fast a model is: llama-bench's pp and tg.

The tokens are random and nothing is sampled, so that the figures hold for any text and can be
laid beside llama-bench's (tools/llama-bench in llama.cpp).
"""

import random
import time
from collections.abc import Iterator

import llama_cpp as llama

from monitor.engine.messages import Answer, DecodeStarted, Done, Exercise, Failed, PrefillStarted
from monitor.engine.runtime import ABORTED, Runtime


def exercise(runtime: Runtime, request: Exercise) -> Iterator[Answer]:
    """Process prompt tokens, then answer tokens, from an empty context; messages as of an answer.

    The last message is :class:`Done` or :class:`Failed`.
    """
    if request.prefill + request.decode > runtime.size:
        yield Failed(
            f"{request.prefill} + {request.decode} tokens do not fit into a context of "
            f"{runtime.size}. Ask for fewer, or for a larger context with --ctx."
        )
        return
    # The same tokens each time: a run can be repeated.
    tokens, size = random.Random(0), runtime.vocabulary.size
    runtime.clear()
    yield PrefillStarted(time.monotonic(), request.prefill, 0)
    problem = yield from runtime.prefill(tokens.choices(range(size), k=request.prefill))
    if problem not in (None, "cancelled"):
        yield Failed(str(problem))
        return
    yield DecodeStarted(time.monotonic())
    done = 0
    while done < request.decode and problem is None:
        result = runtime.extend([tokens.randrange(size)])
        llama.llama_synchronize(runtime.context)
        if result == ABORTED or runtime.abort:
            problem = "cancelled"
        elif result:
            yield Failed(f"llama.cpp could not process a token (result {result}).")
            return
        else:
            done += 1
    end_s = time.monotonic()
    runtime.clear()
    yield Done(end_s, problem or "length", done, None)
