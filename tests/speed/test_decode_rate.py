"""Rates with metering on, against the bare low-level loop in the same run.

Run with ``pytest tests/speed -m speed -n 0 -s``. The budget is a ratio of at least 0.95.
"""

import ctypes
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.engine.client import Engine
from monitor.engine.messages import ChatMessage, Sampling
from monitor.loading import LoadOptions
from monitor.meter import Ask, Finished, Meter
from monitor.paths import database_path
from monitor.power.sampler import Sampler
from monitor.store.history import History

pytestmark = [pytest.mark.speed, pytest.mark.timeout(900)]

TOKENS, PAIRS = 256, 7


def bare_rate(model: str) -> float:
    """Decode tokens/s of nothing but llama_decode and a greedy choice."""
    import llama_cpp as llama

    silence = llama.llama_log_callback(lambda *_: None)
    llama.llama_log_set(silence, ctypes.c_void_p(0))
    handle = llama.llama_model_load_from_file(model.encode(), llama.llama_model_default_params())
    params = llama.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = 1024, 512, 512
    params.n_threads = params.n_threads_batch = os.cpu_count() or 1
    context = llama.llama_init_from_model(handle, params)
    sampler = llama.llama_sampler_init_greedy()
    prompt = (llama.llama_token * 36)(*range(100, 136))
    llama.llama_decode(context, llama.llama_batch_get_one(prompt, 36))
    llama.llama_synchronize(context)
    start_s = time.monotonic()
    one = (llama.llama_token * 1)()
    for _ in range(TOKENS):
        one[0] = llama.llama_sampler_sample(sampler, context, -1)
        llama.llama_decode(context, llama.llama_batch_get_one(one, 1))
    llama.llama_synchronize(context)
    return TOKENS / (time.monotonic() - start_s)


def metered_rate(meter: Meter, model: Path) -> float:
    """Decode tokens/s of a query that is sampled, streamed, billed and stored."""
    ask = Ask(
        kind="ask",
        model=model,
        messages=(ChatMessage("user", "Write a very long story about two dragons."),),
        sampling=Sampling(temperature=0, max_tokens=TOKENS),
        options=LoadOptions(context=1024, threads=os.cpu_count()),
    )
    *_, last = meter.run(ask)
    assert isinstance(last, Finished)
    assert last.record.tokens.completion == TOKENS
    assert last.record.tokens_per_s is not None
    return last.record.tokens_per_s


def test_decode_with_metering_against_the_bare_loop(starter: Path) -> None:
    history, engine = History(database_path()), Engine()
    ratios = []
    with Sampler() as sampler:
        meter = Meter(sampler, engine, history)
        metered_rate(meter, starter)
        for _ in range(PAIRS):
            # A process of its own, as the engine has: the sampler's threads share nothing with it.
            out = subprocess.run(
                [sys.executable, __file__, str(starter)], capture_output=True, text=True, check=True
            )
            bare = float(out.stdout)
            metered = metered_rate(meter, starter)
            ratios.append(metered / bare)
            print(f"bare {bare:6.1f} t/s   metered {metered:6.1f} t/s   ratio {ratios[-1]:.3f}")
    engine.stop()
    history.close()
    print(f"median ratio {statistics.median(ratios):.3f} (budget 0.95)")


if __name__ == "__main__":
    print(bare_rate(sys.argv[1]))
