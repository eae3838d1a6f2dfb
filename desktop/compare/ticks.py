"""Figures along the axes of the plane."""

import math

from desktop.live.plot import NICE
from monitor import figures

DIGITS = ((1.0,), (1.0, 2.0, 5.0), tuple(map(float, range(1, 10))))
"""First digits of the figures on a logarithmic axis, the sparsest first."""

FEWEST = 3

Ticks = list[tuple[float, str]]


def round_steps(low: float, high: float, about: int = 5) -> list[float]:
    """Return round figures between two, about so many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next((nice * decade for nice in NICE if nice * decade >= rough), 10 * decade)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def round_powers(low: float, high: float) -> list[float]:
    """Return round figures for a logarithmic axis, evenly spread figures where it is short."""
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for digits in DIGITS:
        steps = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [step for step in steps if low * (1 - 1e-9) <= step <= high * (1 + 1e-9)]
        if len(inside) >= FEWEST:
            return inside
    return [step for step in round_steps(low, high) if step > 0]


def energy_ticks(low_j: float, high_j: float, is_log: bool) -> Ticks:
    """Return figures of an axis of energy; their places are logarithms on a logarithmic one."""
    steps = round_powers(low_j, high_j) if is_log else round_steps(low_j, high_j)
    ticks = []
    for step in steps:
        size, unit = figures.unit_for(step if is_log else high_j, figures.ENERGY)
        text = f"{step / size:.4g} {unit}" if step else "0"
        ticks.append((math.log10(step) if is_log else step, text))
    return ticks


def share_ticks(low: float, high: float) -> Ticks:
    """Return figures of an axis of shares, in percent."""
    return [(step / 100, f"{step:g} %") for step in round_steps(100 * low, 100 * high)]
