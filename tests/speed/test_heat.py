"""Cost of tinting an answer by its joules: 20,000 tokens with a curve of 17 minutes at 20 Hz.

Run with ``pytest tests/speed/test_heat.py -m speed -n 0 -s``. Ten times the tokens are to cost at
most ten times as much; a fifth of a second is what the window may wait for on its reading thread.
"""

import time

import numpy as np
import pytest

from monitor.energy.account import DECODE, Phase, account
from monitor.energy.heat import token_energy, warmth
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Reading, Role
from monitor.power.curve import Curve
from monitor.power.trace import Trace

pytestmark = pytest.mark.speed

MANY, FEW, WATTS = 20_000, 2_000, 30.0


def test_ten_times_the_tokens_cost_no_more_than_ten_times_as_much() -> None:
    channels = [
        Channel(
            f"a:{n}", f"A {n}", Domain.GPU, str(n), Kind.COUNTER, Role.PART, 0.05, 0.0,
            Accuracy(0, 0, 0, ""),
        )
        for n in range(4)
    ]  # fmt: skip
    time_s = np.arange(0.0, 1002.0, 0.05)
    curve = Curve(
        time_s, WATTS * time_s, np.full(len(time_s), WATTS), np.zeros(len(time_s), np.uint8)
    )
    trace = Trace()
    for channel in channels:
        trace.add(channel)
        trace.record([Reading(channel.key, s, counter_j=WATTS * s) for s in map(float, range(5))])
    lines = account(trace, channels, [Phase(DECODE, 1.0, 3.0)]).lines
    curves = {channel.key: curve for channel in channels}

    def cost_ms(tokens: int) -> float:
        ends_s = np.linspace(1.0, 1001.0, tokens + 1)[1:]
        taken = []
        for _ in range(5):
            start_s = time.thread_time()
            heat = token_energy(
                lines, curves, Phase(DECODE, 1.0, 1001.0), ends_s, np.arange(1, tokens + 1)
            )
            assert heat is not None
            assert warmth(heat) is not None
            taken.append(1000 * (time.thread_time() - start_s))
        return min(taken)

    few_ms, many_ms = cost_ms(FEW), cost_ms(MANY)
    print(f"\n{FEW:,} -> {MANY:,} tokens: {few_ms:.1f} -> {many_ms:.1f} ms")
    assert many_ms < MANY / FEW * few_ms
