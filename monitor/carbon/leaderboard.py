"""What others' rule of thumb would say: time × rated power, a figure to compare with.

Nothing is measured for it, so that it stands beside a bill and never in one. The Open LLM
Leaderboard reckoned every evaluation so (huggingface.co/docs/leaderboards, "CO2 calculation"):
eight H100 SXM at their full 700 W each, at 269.8 g/kWh, the mean of Virginia by the U.S. Energy
Information Administration.
"""

import math

from monitor.carbon.footprint import J_PER_KWH

H100_W, H100_COUNT = 700.0, 8
VIRGINIA_G_PER_KWH = 269.8

LABEL = "time × rated power, not measured"


def time_times_tdp_g(
    duration_s: float, tdp_w: float, g_per_kwh: float, devices: int = 1, pue: float = 1.0
) -> float:
    """Return the grams of devices that drew their rated power all the time.

    :raises ValueError: for a time or power that is not above 0
    """
    for what, value in (("time", duration_s), ("rated power", tdp_w)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"A {what} of {value:g} cannot be reckoned with: it is above 0.")
    return duration_s * tdp_w * devices / J_PER_KWH * g_per_kwh * pue


def leaderboard_g(evaluation_s: float) -> float:
    """Return the grams the Open LLM Leaderboard would state for an evaluation's seconds.

    The leaderboard itself states kilograms.

    :raises ValueError: for a time that is not above 0, where the leaderboard states -1
    """
    return time_times_tdp_g(evaluation_s, H100_W, VIRGINIA_G_PER_KWH, H100_COUNT)
