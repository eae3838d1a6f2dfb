"""Figures as people read them: three significant digits, a prefix, and where they came from."""

import math

from monitor.carbon.footprint import J_PER_KWH
from monitor.energy.interval import Interval
from monitor.power.channel import Kind
from monitor.power.gauge import Quantity

UNKNOWN = "—"
"""Stands for what was not measured. A missing figure is never shown as zero."""

MARKS = {Kind.COUNTER: "●", Kind.POWER: "◐", Kind.MODELLED: "○"}
"""Shown before each figure: counted, integrated, modelled."""

KIND_WORDS = {Kind.COUNTER: "counted", Kind.POWER: "integrated", Kind.MODELLED: "modelled"}

J_PER_WH = J_PER_KWH / 1000


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits and no exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else UNKNOWN
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    # Rounding may carry into another digit: 9.996 is 10.0, not 10.00.
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


Units = tuple[tuple[float, str], ...]
"""Sizes with their names, the largest first."""


NOTHING = 1e-6
"""What is less than this share of its unit is left over by arithmetic, and written as 0: no sensor
tells a billionth of a watt, and no interval need be told finer."""


def unit_for(value: float, units: Units) -> tuple[float, str]:
    """Return the unit a value is best written in; an axis writes all its figures in one.

    Nothing, and what is left over by arithmetic, is written in the unit without a prefix, if that
    is among them: 0 J.
    """
    if abs(value) < NOTHING * units[-1][0]:
        return next((unit for unit in units if unit[0] == 1.0), units[-1])
    return next((unit for unit in units if abs(value) >= unit[0] * 0.9995), units[-1])


def _scaled(value: float, units: Units) -> str:
    size, unit = unit_for(value, units)
    return f"{_in_units(value, size)} {unit}"


def _in_units(value: float, size: float) -> str:
    return significant(0.0 if abs(value) < NOTHING * size else value / size)


def _counted(value: float, units: Units) -> str:
    """Write what comes in whole pieces: 97, not 97.0."""
    size, unit = unit_for(value, units)
    number = f"{value:.3g}" if size == 1 else significant(value / size)
    return f"{number} {unit}"


def _span(low: float, high: float, unit: tuple[float, str]) -> str:
    size, name = unit
    return f"{_in_units(low, size)}–{_in_units(high, size)} {name}"


ENERGY = (
    (J_PER_KWH * 1e6, "GWh"),
    (J_PER_KWH * 1e3, "MWh"),
    (J_PER_KWH, "kWh"),
    (J_PER_WH, "Wh"),
    (1.0, "J"),
    (1e-3, "mJ"),
)
POWER: Units = ((1e3, "kW"), (1.0, "W"), (1e-3, "mW"))
COUNTS = ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))
CLOCK: Units = ((1e3, "GHz"), (1.0, "MHz"))
MEMORY: Units = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
MASS = ((1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "µg"))


def energy(joules: float | None) -> str:
    """Write an energy: mJ, J, Wh and so on to GWh."""
    return UNKNOWN if joules is None else _scaled(joules, ENERGY)


def joules(value_j: float | None) -> str:
    """Write an energy in joules, whatever its size: the column it stands in is headed by them."""
    return UNKNOWN if value_j is None else f"{significant(value_j)} J"


def energy_span(low_j: float, high_j: float, of_j: float) -> str:
    """Write the ends of an interval, both in the unit its own value is written in: 393–4210 J.

    :param of_j: the value
    """
    return _span(low_j, high_j, unit_for(of_j or high_j, ENERGY))


def span_in_joules(low_j: float, high_j: float) -> str:
    """Write the ends of an interval in joules, whatever their size; see :func:`joules`."""
    return _span(low_j, high_j, (1.0, "J"))


def power(watts: float | None) -> str:
    """Write a power: mW, W or kW."""
    return UNKNOWN if watts is None or math.isnan(watts) else _scaled(watts, POWER)


def power_span(low_w: float, high_w: float, of_w: float) -> str:
    """Write two powers, both in the unit of a third, of which they are the ends: 41.2–47.9 W.

    :param of_w: where it is nothing, the unit is that of the higher end
    """
    return _span(low_w, high_w, unit_for(of_w or high_w, POWER))


def mass(grams: float | None) -> str:
    """Write a mass: µg, mg, g, kg or t."""
    return UNKNOWN if grams is None else _scaled(grams, MASS)


def grams(value_g: float | None) -> str:
    """Write a mass in grams, whatever its size: the column it stands in is headed by them."""
    return UNKNOWN if value_g is None else f"{significant(value_g)} g"


def mass_span(low_g: float, high_g: float, of_g: float) -> str:
    """Write the ends of an interval, both in the unit its own value is written in.

    Of nothing they are written in the unit of the higher end.

    :param of_g: the value
    """
    return _span(low_g, high_g, unit_for(of_g or high_g, MASS))


def intensity(g_per_kwh: float) -> str:
    """Write a carbon intensity without its unit: 473, and 0.5, which is not nothing."""
    return f"{g_per_kwh:.0f}" if g_per_kwh >= 9.5 else f"{g_per_kwh:.2g}"


def percent(share: float) -> str:
    """Write a share of one in whole hundredths: 97 %."""
    return f"{100 * share:.0f} %"


def reading(quantity: Quantity, value: float | None) -> str:
    """Write what a gauge tells: 97 %, 71 °C, 1.90 GHz, 5.21 GiB.

    Memory is in binary units, as the tools that people compare it with have it. A throttle is
    written as the share of the time.
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    match quantity:
        case Quantity.UTILISATION:
            return f"{value:.0f} %"
        case Quantity.TEMPERATURE:
            return f"{value:.0f} °C"
        case Quantity.CLOCK:
            return _scaled(value, CLOCK)
        case Quantity.MEMORY:
            return _counted(value, MEMORY)
        case Quantity.THROTTLE:
            return percent(value)


def duration(seconds: float | None) -> str:
    """Write a duration: ms, s, min or h."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return _scaled(seconds, ((1.0, "s"), (1e-3, "ms")))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rate(tokens_per_s: float | None) -> str:
    """Write a token rate."""
    return UNKNOWN if tokens_per_s is None else f"{significant(tokens_per_s)} t/s"


def count(value: float) -> str:
    """Write a large count: 135M, 7.62B."""
    return _counted(value, COUNTS).replace(" ", "")


def things(number: int, one: str, several: str) -> str:
    """Write a number of things: 1 row, 1,204 rows."""
    return f"{number:,} {one if number == 1 else several}"


def size(size_bytes: int) -> str:
    """Write a file's size in decimal units."""
    return _counted(size_bytes, ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")))


def bounds(interval: Interval | None) -> str:
    """Write an interval without its estimate, in the estimate's unit: (11.8–13.0 J)."""
    if interval is None:
        return ""
    return f"({energy_span(interval.low_j, interval.high_j, interval.joules)})"


def marked(kind: Kind | None, text: str) -> str:
    """Put the kind's mark before a figure; what is unknown has no kind."""
    return f"{MARKS[kind]} {text}" if kind and text != UNKNOWN else text


def at_least(text: str, is_partial: bool) -> str:
    """Mark a figure of which not all is known: it was more than that."""
    return f"≥ {text}" if is_partial and text != UNKNOWN else text
