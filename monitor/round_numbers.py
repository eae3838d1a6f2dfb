"""Round numbers between two others, for the axes of charts."""

import math

NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""What is round in a decade: steps between figures, and where an axis may end."""

DIGITS = ((1.0,), (1.0, 2.0, 5.0), tuple(map(float, range(1, 10))))
"""First digits of the figures on a logarithmic axis, the sparsest first."""

FEWEST = 3
"""Figures there are at least on a logarithmic axis."""


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
