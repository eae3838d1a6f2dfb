"""Figures along the axes of the plane."""

import math

from monitor import figures
from monitor.round_numbers import round_powers, round_steps

Ticks = list[tuple[float, str]]


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
